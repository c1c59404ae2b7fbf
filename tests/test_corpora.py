"""Corpora: the contract that all keep, file-name grammars, and the trees that people really have."""

import hashlib
import multiprocessing
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ser_core import corpora
from ser_core.corpora import cremad, demo, folder, ravdess, ravtess, savee, table, tess
from ser_core.errors import SerError

NAMES = tuple(corpora.CORPORA)
SIMPLE = tuple(name for name in NAMES if not corpora.CORPORA[name].parts)
PUBLISHED = ("ravdess", "tess", "emodb", "savee", "cremad")
SEVEN = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
LABELS = {
    "ravdess": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "tess": SEVEN,
    "ravtess": SEVEN,
    "ravtess_calm_merged": SEVEN,
    "emodb": ("neutral", "boredom", "happy", "sad", "angry", "fearful", "disgust"),
    "savee": SEVEN,
    "cremad": SEVEN[:-1],
    "demo": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "demo_ravdess": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "demo_tess": SEVEN,
    "demo_ravtess": SEVEN,
    "demo_ravtess_calm_merged": SEVEN,
}


def plant(root: Path, *paths: str, content: bytes = b"not looked at") -> Path:
    """Files that no loader may open."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def real(name: str):
    """The corpus under SER_DATA, or a skip that says where it was looked for."""
    try:
        return corpora.load(name)
    except SerError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


# --- the contract, for every corpus


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_fixed(name):
    assert corpora.labels(name) == LABELS[name]


def test_every_corpus_is_in_the_table_of_labels():
    assert set(NAMES) == set(LABELS)


@pytest.mark.parametrize("name", NAMES)
def test_origin_and_licence_are_said(name):
    corpus = corpora.CORPORA[name]
    assert corpus.title and corpus.licence and corpus.citation
    assert corpus.name == ("demo_ravdess" if name == "demo" else name)
    if not corpus.demo:
        assert all(re.fullmatch(r"10\.\d{4,}/\S+", doi) for doi in corpus.doi.split("; "))
        assert corpus.url.startswith("http")
    else:
        assert corpus.title.startswith("demo") and not corpus.remotes


@pytest.mark.parametrize("name", PUBLISHED)
def test_modules_document_themselves(name):
    text = sys.modules[f"ser_core.corpora.{name}"].__doc__
    for word in ("Origin:", "Size:", "File name:", "Oddities", "Licence:"):
        assert word in text, word
    assert f"{corpora.CORPORA[name].expected:,}" in text


@pytest.mark.parametrize("name", NAMES)
def test_manifest_agrees_with_the_constants(name):
    corpus, listed = corpora.CORPORA[name], corpora.manifest(name)
    assert len(listed) + len(corpus.unlisted) == corpus.expected
    assert listed["id"].is_unique and listed["id"].is_monotonic_increasing
    assert set(listed["emotion"]) == set(corpus.labels)
    assert listed["speaker"].nunique() == corpus.speakers
    assert set(listed["sex"]) <= {"female", "male"}
    assert set(listed["intensity"]) <= {"normal", "strong", "unknown"}
    assert listed["sha256"].str.fullmatch("[0-9a-f]{64}").all() and (listed["bytes"] > 0).all()
    assert not listed[["speaker", "text", "take"]].isna().any(axis=None)


@pytest.mark.parametrize("name", SIMPLE)
def test_grammar_reads_its_own_ids(name):
    parse = corpora.CORPORA[name].parse
    for file in corpora.manifest(name)["file"]:
        row = parse(file)
        for path in (f"{row['id']}.wav", f"deep/down/{row['id']}.FLAC", f"{row['id'].lower()}.Ogg"):
            assert parse(path) == row, path


@pytest.mark.parametrize("name", SIMPLE)
def test_grammar_leaves_other_corpora_alone(name):
    family = "ravdess" if "ravdess" in name or name == "demo" else name.removeprefix("demo_")
    for other in PUBLISHED:
        if other != family:
            assert not any(corpora.CORPORA[name].parse(file) for file in corpora.manifest(other)["file"])


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("path", ["", "README.md", "notes.wav", "a/b/c.flac", "03-02-01-01-01-01-01.wav", "_.wav"])
def test_grammar_refuses_what_is_no_utterance(name, path):
    assert corpora.CORPORA[name].parse(path) is None


@pytest.mark.parametrize("name", SIMPLE)
def test_a_whole_tree_loads_from_its_names_alone(name, tmp_path):
    """Files that hold no audio: nothing is opened."""
    corpus, listed = corpora.CORPORA[name], corpora.manifest(name)
    plant(tmp_path / corpus.folder, *listed["file"], content=b"")
    found = corpora.load(name, tmp_path)
    assert tuple(found.columns) == table.COLUMNS
    assert list(found["id"]) == list(listed["id"])
    for column in ("speaker", "sex", "emotion", "text", "intensity", "take"):
        assert list(found[column]) == list(listed[column])
    assert set(found["corpus"]) == {corpus.name}
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in found["path"])
    assert found.attrs["corpus"] == corpus.name and found.attrs["expected"] == corpus.expected
    assert found.attrs["missing"] == list(corpus.unlisted)
    assert found.attrs["duplicates"] == [] and found.attrs["extra"] == []


@pytest.mark.parametrize("name", SIMPLE)
def test_one_file_is_enough_and_the_rest_is_missing(name, tmp_path):
    listed = corpora.manifest(name)
    plant(tmp_path, listed["file"].iloc[-1])
    found = corpora.load(name, tmp_path)
    assert list(found["id"]) == [listed["id"].iloc[-1]]
    assert len(found.attrs["missing"]) == corpora.CORPORA[name].expected - 1


@pytest.mark.parametrize("name", NAMES)
def test_no_files_is_one_clear_line(name, tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SerError) as error:
            corpora.load(name, root)
        message = str(error.value)
        assert str(root) in message and "\n" not in message and "recordings" in message


def test_missing_corpora_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    with pytest.raises(SerError, match="`ser data fetch ravdess`"):
        corpora.load("ravdess")
    with pytest.raises(SerError, match="`ser data fetch tess`"):
        corpora.load("tess")
    with pytest.raises(SerError, match=re.escape("http://emodb.bilderbar.info/")):
        corpora.load("emodb")


def test_unknown_names_are_refused():
    with pytest.raises(SerError, match="no corpus named 'ravdes'.*ravdess, tess"):
        corpora.load("ravdes")
    with pytest.raises(SerError, match="no corpus named"):
        corpora.manifest("iemocap")


def test_import_is_instant():
    heavy = ("pandas", "numpy", "pooch", "requests", "soundfile", "tensorflow", "librosa")
    code = f"import sys, ser_core.corpora; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- what is known of single corpora


def test_ravdess_facts():
    listed = corpora.manifest("ravdess")
    counts = listed["emotion"].value_counts()
    assert counts["neutral"] == 96 and set(counts.drop("neutral")) == {192}
    assert (listed.groupby("speaker").size() == 60).all()
    assert listed[listed["speaker"] == "07"]["sex"].eq("male").all()
    assert listed[listed["speaker"] == "24"]["sex"].eq("female").all()
    assert listed[listed["intensity"] == "strong"]["emotion"].nunique() == 7
    assert listed["seconds"].between(2.93, 5.28).all() and (listed["seconds"] > 4.0).sum() == 255
    assert set(listed[listed["channels"] == 2]["id"]) == {
        "03-01-02-01-01-02-01",
        "03-01-08-01-02-02-01",
        "03-01-02-01-02-02-05",
        "03-01-03-01-02-01-20",
        "03-01-06-01-01-02-20",
    }
    assert ravdess.parse("Actor_12/03-01-06-02-01-02-12.wav") == {
        "id": "03-01-06-02-01-02-12",
        "speaker": "12",
        "sex": "female",
        "emotion": "fearful",
        "text": "01",
        "intensity": "strong",
        "take": "02",
    }


@pytest.mark.parametrize(
    "path",
    [
        "03-01-01-02-01-01-01.wav",  # neutral has no strong intensity
        "03-01-09-01-01-01-01.wav",
        "03-01-00-01-01-01-01.wav",
        "03-01-05-03-01-01-01.wav",
        "03-01-05-01-01-01-25.wav",
        "03-01-05-01-01-01-00.wav",
        "03-02-05-01-01-01-01.wav",  # song
        "01-01-05-01-01-01-01.mp4",  # video
        "03-01-05-01-01-01-01.txt",
        "03-01-05-01-01-01-01 (1).wav",
    ],
)
def test_ravdess_refuses(path):
    assert ravdess.parse(path) is None


def test_tess_facts():
    listed = corpora.manifest("tess")
    assert (listed.groupby(["speaker", "emotion"]).size() == 200).all()
    assert listed["text"].nunique() == 200 and set(listed["sex"]) == {"female"}
    assert listed.set_index("id").loc["OAF_bite_neutral", "file"] == "OA_bite_neutral.wav"
    assert listed.set_index("id").loc["OAF_food_fear", "sample_rate"] == 96000


@pytest.mark.parametrize(
    "path",
    [
        "OAF_back_ps.wav",
        "oaf_back_PS.WAV",
        "OA_back_ps.wav",
        "OAF_Pleasant_surprise/OAF_back_ps.wav",
        "OAF_back_pleasant_surprise.wav",
        "OAF_back_pleasant_surprised.wav",
        "OAF_back_Pleasant Surprised.flac",
        "OAF_back_surprised.wav",
        "TESS Toronto emotional speech set data/OAF_Pleasant_surprise/OAF_Back_ps.aiff",
    ],
)
def test_tess_spellings_of_one_utterance(path):
    row = tess.parse(path)
    assert (row["id"], row["emotion"], row["speaker"], row["text"]) == ("OAF_back_ps", "surprised", "OAF", "back")


@pytest.mark.parametrize(("spelling", "ending"), [("fear", "fear"), ("Fearful", "fear"), ("ANGER", "angry")])
def test_tess_emotions_in_the_wild(spelling, ending):
    assert tess.parse(f"YAF_dog_{spelling}.wav")["id"] == f"YAF_dog_{ending}"


def test_savee_needs_folder_or_prefix():
    assert savee.parse("a01.wav") is None
    assert savee.parse("XX/a01.wav") is None
    assert savee.parse("DC/n31.wav") is None and savee.parse("DC/a16.wav") is None and savee.parse("DC/a00.wav") is None
    assert savee.parse("AudioData/dc/SA03.wav") == savee.parse("DC_sa03.wav")
    assert savee.parse("DC/sa03.wav")["emotion"] == "sad" and savee.parse("DC/su03.wav")["emotion"] == "surprised"


def test_cremad_facts(tmp_path):
    listed = corpora.manifest("cremad")
    assert len(listed) == 7439 and set(listed["sex"]) == {"female", "male"}
    assert listed.groupby("sex")["speaker"].nunique().to_dict() == {"female": 43, "male": 48}
    assert cremad.parse("1040_ITH_SAD_X.wav") == cremad.parse("1040_ITH_SAD_XX.wav")
    assert cremad.parse("1001_DFA_ANG_X.wav")["id"] == "1001_DFA_ANG_XX"
    assert cremad.parse("1001_IEO_ANG_HI.wav")["intensity"] == "strong"
    assert cremad.parse("1092_DFA_ANG_XX.wav") is None
    plant(tmp_path / "AudioWAV", *(f"{i}.wav" for i in cremad.UNLISTED))
    found = corpora.load("cremad", tmp_path)
    assert sorted(found["id"]) == sorted(cremad.UNLISTED) and len(found.attrs["missing"]) == 7439


def test_ravtess_is_composed(tmp_path):
    plant(tmp_path / "ravdess", *corpora.manifest("ravdess")["file"])
    plant(tmp_path / "tess", *corpora.manifest("tess")["file"])
    (tmp_path / "tess" / "OAF_back_angry.wav").unlink()
    (tmp_path / "ravdess" / "Actor_01" / "03-01-02-01-01-01-01.wav").unlink()  # calm
    plant(tmp_path / "ravdess", "again/03-01-01-01-01-01-01.wav", "again/03-01-02-01-01-01-02.wav", "song.txt")
    excluded, merged = corpora.load("ravtess", tmp_path), corpora.load("ravtess_calm_merged", tmp_path)
    assert len(excluded) == 4047 and excluded.attrs["expected"] == 4048
    assert len(merged) == 4238 and merged.attrs["expected"] == 4240
    assert (excluded["emotion"] == "neutral").sum() == 496 and (merged["emotion"] == "neutral").sum() == 687
    assert set(excluded["emotion"]) == set(merged["emotion"]) == set(SEVEN)
    assert set(excluded["corpus"]) == {"ravdess", "tess"} and excluded["speaker"].nunique() == 26
    assert excluded["id"].is_unique and excluded["id"].is_monotonic_increasing
    assert excluded.attrs["missing"] == ["OAF_back_angry"]
    assert merged.attrs["missing"] == ["03-01-02-01-01-01-01", "OAF_back_angry"]
    assert excluded.attrs["duplicates"] == ["ravdess/again/03-01-01-01-01-01-01.wav"]
    assert merged.attrs["duplicates"] == [
        "ravdess/again/03-01-01-01-01-01-01.wav",
        "ravdess/again/03-01-02-01-01-01-02.wav",
    ]
    assert excluded.attrs["extra"] == ["ravdess/song.txt"] and excluded.attrs["corpus"] == "ravtess"


def test_ravtess_in_one_flat_folder(tmp_path):
    plant(tmp_path, "03-01-03-01-01-01-01.wav", "03-01-02-01-01-01-01.wav", "OAF_back_sad.wav", "x.txt")
    found = corpora.load("ravtess", tmp_path)
    assert list(found["id"]) == ["03-01-03-01-01-01-01", "OAF_back_sad"]
    assert found.attrs["extra"] == ["ravdess/x.txt", "tess/x.txt"]


def test_calm_is_relabelled_only_where_it_is_merged():
    assert ravtess.parse("03-01-02-01-01-01-01.wav") is None
    assert ravtess.parse_calm_merged("03-01-02-01-01-01-01.wav")["emotion"] == "neutral"
    assert ravdess.parse("03-01-02-01-01-01-01.wav")["emotion"] == "calm"


# --- trees as people have them


def test_doubled_trees_keep_the_shallow_copy(tmp_path):
    files = [file for file in corpora.manifest("ravdess")["file"] if file.startswith("Actor_01")]
    plant(tmp_path, *files, *(f"audio_speech_actors_01-24/{file}" for file in files))
    found = corpora.load("ravdess", tmp_path)
    assert len(found) == 60
    assert all(Path(path).parent == tmp_path / "Actor_01" for path in found["path"])
    assert found.attrs["duplicates"] == sorted(f"audio_speech_actors_01-24/{file}" for file in files)
    assert found.attrs["extra"] == []


def test_copies_are_chosen_in_a_fixed_order(tmp_path):
    plant(tmp_path, "b/OAF_back_sad.wav", "a/OAF_back_sad.wav", "OAF_back_sad.flac", "a/c/OA_back_sad.wav")
    plant(tmp_path, "OAF_dog_sad.wav", content=b"")  # an empty file never hides a full one
    plant(tmp_path, "deep/OAF_dog_sad.flac")
    found = corpora.load("tess", tmp_path).set_index("id")
    assert found.loc["OAF_back_sad", "path"] == str(tmp_path / "a" / "OAF_back_sad.wav")
    assert found.loc["OAF_dog_sad", "path"] == str(tmp_path / "deep" / "OAF_dog_sad.flac")
    assert corpora.load("tess", tmp_path).attrs["duplicates"] == [
        "OAF_back_sad.flac",
        "OAF_dog_sad.wav",
        "a/c/OA_back_sad.wav",
        "b/OAF_back_sad.wav",
    ]


def test_mixed_containers_case_and_nesting(tmp_path):
    plant(
        tmp_path,
        "OAF_Fear/OAF_back_fear.wav",
        "YAF_pleasant_surprised/YAF_back_ps.FLAC",
        "OA_bite_neutral.wav",
        "oaf_DOG_Happy.AIF",
        "x/y/z/YAF_dog_sad.ogg",
    )
    found = corpora.load("tess", tmp_path)
    assert list(found["id"]) == ["OAF_back_fear", "OAF_bite_neutral", "OAF_dog_happy", "YAF_back_ps", "YAF_dog_sad"]
    assert list(found["emotion"]) == ["fearful", "neutral", "happy", "surprised", "sad"]
    assert found.attrs["duplicates"] == [] and found.attrs["extra"] == []


def test_what_does_not_belong_is_extra_or_hidden(tmp_path):
    plant(
        tmp_path,
        "Actor_01/03-01-01-01-01-01-01.wav",
        "Actor_01/03-02-01-01-01-01-01.wav",
        "Actor_01/01-01-01-01-01-01-01.mp4",
        "Actor_01/.DS_Store",
        "Actor_01/._03-01-01-01-01-02-01.wav",
        "__MACOSX/Actor_01/03-01-01-01-01-02-01.wav",
        ".cache/03-01-01-01-01-02-01.wav",
        "README.txt",
        "03-01-01-01-01-01-01.wav.part",
    )
    found = corpora.load("ravdess", tmp_path)
    assert list(found["id"]) == ["03-01-01-01-01-01-01"]
    assert found.attrs["extra"] == [
        "03-01-01-01-01-01-01.wav.part",
        "README.txt",
        "Actor_01/01-01-01-01-01-01-01.mp4",
        "Actor_01/03-02-01-01-01-01-01.wav",
    ]


def test_a_word_that_tess_never_had_is_extra(tmp_path):
    plant(tmp_path, "OAF_back_sad.wav", "OAF_keras_sad.wav")
    found = corpora.load("tess", tmp_path)
    assert list(found["id"]) == ["OAF_back_sad"] and found.attrs["extra"] == ["OAF_keras_sad.wav"]


@pytest.mark.parametrize("name", ["RAVDESS", "ravdess", "Ravdess"])
def test_the_usual_folder_is_found_without_case(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    plant(tmp_path, f"{name}/Actor_01/03-01-01-01-01-01-01.wav", "elsewhere/OAF_back_sad.wav")
    plant(tmp_path, "elsewhere/03-01-01-01-01-01-01.wav")
    found = corpora.load("ravdess")
    assert len(found) == 1 and found.attrs["extra"] == found.attrs["duplicates"] == []
    assert found.attrs["folder"] == str(tmp_path / name)


@pytest.mark.parametrize("name", ["Audio_Speech_Actors_01-24", "audio_speech_actors_01-24", "my copy"])
def test_archives_unpacked_under_their_own_name_are_found(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    plant(tmp_path, f"{name}/Actor_01/03-01-01-01-01-01-01.wav", f"{name}/Actor_02/03-01-01-01-01-01-02.wav")
    found = corpora.load("ravdess")
    assert len(found) == 2 and found.attrs["folder"] == str(tmp_path / name)


def test_any_other_folder_is_searched_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    plant(tmp_path, "downloads/my copy/OAF_Sad/OAF_back_sad.wav", "downloads/my copy/YAF_Sad/YAF_back_sad.wav")
    plant(tmp_path, "other/notes.txt", "tess/empty.txt")
    found = corpora.load("tess")
    assert list(found["id"]) == ["OAF_back_sad", "YAF_back_sad"] and found.attrs["extra"] == []
    assert found.attrs["folder"] == str(tmp_path / "downloads" / "my copy")


def test_the_demo_is_never_taken_for_the_real_corpus(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    plant(tmp_path, "cache/demo-0123456789ab/demo_ravdess/Actor_01/03-01-01-01-01-01-01.ogg")
    with pytest.raises(SerError, match="no RAVDESS recordings"):
        corpora.load("ravdess")


def test_links_in_a_circle_end(tmp_path):
    plant(tmp_path / "ravdess", "03-01-01-01-01-01-01.wav")
    (tmp_path / "ravdess" / "again").symlink_to(tmp_path / "ravdess", target_is_directory=True)
    (tmp_path / "linked").symlink_to(tmp_path / "ravdess", target_is_directory=True)
    found = corpora.load("ravdess", tmp_path / "linked")
    assert len(found) == 1 and found.attrs["duplicates"] == []


def test_root_may_be_relative(tmp_path, monkeypatch):
    plant(tmp_path, "here/03-01-01-01-01-01-01.wav")
    monkeypatch.chdir(tmp_path)
    assert corpora.load("ravdess", "here")["path"][0] == str(tmp_path / "here" / "03-01-01-01-01-01-01.wav")


# --- recordings of your own


def test_folder_of_emotions(tmp_path):
    plant(
        tmp_path,
        "angry/anna_01.wav",
        "Anger/ben_01.flac",
        "sad/01.wav",
        "contempt/x/anna_02.mp3",
        "anna/happy/_1.wav",
        "stray.wav",
        "sad/notes.txt",
        "sad/.hidden.wav",
    )
    name = f"folder:{tmp_path}"
    found = corpora.load(name)
    assert list(found["id"]) == ["Anger/ben_01", "angry/anna_01", "anna/happy/_1", "contempt/x/anna_02", "sad/01"]
    assert list(found["emotion"]) == ["angry", "angry", "happy", "contempt", "sad"]
    assert list(found["speaker"]) == ["ben", "anna", "unknown", "anna", "unknown"]
    assert set(found["sex"]) == set(found["text"]) == set(found["intensity"]) == {"unknown"}
    assert set(found["corpus"]) == {f"folder:{tmp_path.name}"}
    assert found.attrs["extra"] == ["stray.wav", "sad/notes.txt"] and found.attrs["missing"] == []
    assert found.attrs["expected"] == 5 and found.attrs["corpus"] == name
    assert corpora.labels(name) == ("happy", "sad", "angry", "contempt")
    corpus = corpora.lookup(name)
    assert (corpus.speakers, corpus.expected) == (3, 5)


def test_folder_prefers_wav_of_two_containers(tmp_path):
    plant(tmp_path, "sad/a.flac", "sad/a.wav")
    found = corpora.load(f"folder:{tmp_path}")
    assert [Path(path).suffix for path in found["path"]] == [".wav"] and found.attrs["duplicates"] == ["sad/a.flac"]


def test_folder_errors(tmp_path):
    with pytest.raises(SerError, match="no folder"):
        corpora.load(f"folder:{tmp_path / 'absent'}")
    with pytest.raises(SerError, match="no audio in sub-folders"):
        corpora.load(f"folder:{tmp_path}")
    plant(tmp_path, "flat.wav")
    with pytest.raises(SerError, match="no audio in sub-folders"):
        corpora.load(f"folder:{tmp_path}")
    with pytest.raises(SerError, match="no folder"):
        corpora.labels(f"folder:{tmp_path / 'flat.wav'}")
    plant(tmp_path, "sad/1.wav")
    with pytest.raises(SerError, match="no published file list"):
        corpora.manifest(f"folder:{tmp_path}")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_of_recordings(tmp_path, separator):
    plant(tmp_path, "clips/a.wav", "clips/b.flac", "c.ogg")
    lines = [
        ["Path", "emotion", "Speaker", "sex", "intensity", "text", "take"],
        ["clips/b.flac", "Joy", "ben", "M", "strong", "hello", "2"],
        [str(tmp_path / "clips" / "a.wav"), "pleasant surprise", "anna", "female", "", "", ""],
        ["c.ogg", "Smug", "", "", "", "", ""],
        ["gone.wav", "sad", "", "", "", "", ""],
        ["", "", "", "", "", "", ""],
    ]
    text = "\ufeff" + "\r\n".join(separator.join(line) for line in lines)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8", newline="")
    name = f"csv:{tmp_path / 'list.csv'}"
    found = corpora.load(name).set_index("id")
    assert list(found.index) == ["c", "clips/a", "clips/b"]
    assert list(found["emotion"]) == ["smug", "surprised", "happy"]
    assert list(found["speaker"]) == ["unknown", "anna", "ben"] and list(found["sex"]) == ["unknown", "female", "male"]
    assert list(found["intensity"]) == ["unknown", "unknown", "strong"] and list(found["take"]) == ["01", "01", "2"]
    assert found.loc["clips/a", "path"] == str(tmp_path / "clips" / "a.wav")
    assert found.attrs["missing"] == ["gone"] and found.attrs["expected"] == 4
    assert corpora.labels(name) == ("happy", "surprised", "smug")
    assert set(found["corpus"]) == {"csv:list.csv"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must name the columns path and emotion"),
        ("file,label\na.wav,sad\n", "first line must name the columns path and emotion, found 'file,label'"),
        ("path,emotion\n", "no line below the header"),
        ("path,emotion\na.wav,\n", "line 2: empty emotion"),
        ("path,emotion\n,sad\n", "line 2: empty path"),
        ("path,emotion\na.wav,sad\na.wav,angry\n", "line 3: a.wav stands in line 2 already"),
        ("path,emotion\na.txt,sad\n", "line 2: a.txt is no audio file"),
        ("path,emotion\na.wav\n", "line 2: 1 cells under 2 columns"),
        ("path,emotion,sex\na.wav,sad,x\n", "line 2: sex is 'x', wanted female or male or unknown"),
        ("path,emotion,intensity\na.wav,sad,loud\n", "line 2: intensity is 'loud'"),
        ("path,emotion\ngone.wav,sad\n", "none of its 1 files is there"),
    ],
)
def test_csv_errors(tmp_path, text, message):
    plant(tmp_path, "a.wav", "a.txt")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(SerError, match=re.escape(message)) as error:
        corpora.load(f"csv:{tmp_path / 'list.csv'}")
    assert "\n" not in str(error.value) and "list.csv" in str(error.value)


def test_csv_that_is_none(tmp_path):
    with pytest.raises(SerError, match="cannot read"):
        corpora.load(f"csv:{tmp_path / 'absent.csv'}")
    with pytest.raises(SerError, match="cannot read"):
        corpora.load(f"csv:{tmp_path}")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80path,emotion")
    with pytest.raises(SerError, match="no UTF-8"):
        corpora.load(f"csv:{tmp_path / 'binary.csv'}")


@pytest.mark.parametrize(
    ("spelt", "meant"),
    [("Anger", "angry"), (" HAPPY ", "happy"), ("Pleasant-Surprise", "surprised"), ("fear", "fearful"), ("Awe", "awe")],
)
def test_emotion_spellings(spelt, meant):
    assert folder.emotion(spelt) == meant


# --- the embedded demo corpus


@pytest.fixture
def small_demo(tmp_path, monkeypatch):
    """A demo archive of three files, with a cache of its own."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    archive = tmp_path / "small.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("demo_ravdess/Actor_01/03-01-01-01-01-01-01.ogg", b"one")
        out.writestr("demo_tess/OAF_back_angry.ogg", b"two")
        out.writestr("PROVENANCE.md", "made by hand")
    return archive


def test_demo_unpacks_once(small_demo, tmp_path):
    place = demo.unpack(small_demo)
    digest = hashlib.sha256(small_demo.read_bytes()).hexdigest()
    assert place == tmp_path / "cache" / f"demo-{digest[:12]}"
    file = place / "demo_tess" / "OAF_back_angry.ogg"
    before = file.stat().st_mtime_ns
    assert demo.unpack(small_demo) == place and file.stat().st_mtime_ns == before
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_demo_mends_a_damaged_cache(small_demo):
    place = demo.unpack(small_demo)
    (place / "demo_tess" / "OAF_back_angry.ogg").write_bytes(b"t")
    shutil.rmtree(place / "demo_ravdess")
    demo.unpack(small_demo)
    assert (place / "demo_tess" / "OAF_back_angry.ogg").read_bytes() == b"two"
    assert (place / "demo_ravdess" / "Actor_01" / "03-01-01-01-01-01-01.ogg").read_bytes() == b"one"


def test_demo_unpacks_in_many_processes_at_once(small_demo):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        places = pool.map(demo.unpack, [small_demo] * 6)
    assert len(set(places)) == 1
    assert sorted(path.name for path in places[0].parent.iterdir()) == [places[0].name]
    assert (places[0] / "demo_tess" / "OAF_back_angry.ogg").read_bytes() == b"two"


def test_demo_listing(small_demo):
    listed = demo.listing(corpora.CORPORA["demo_tess"], small_demo)
    assert listed.to_dict("records") == [
        {"file": "OAF_back_angry.ogg", "sha256": hashlib.sha256(b"two").hexdigest(), "bytes": 3}
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if corpora.CORPORA[name].demo])
def test_demo_corpora_are_complete(name):
    corpus, found = corpora.CORPORA[name], corpora.load(name)
    assert len(found) == corpus.expected and found["speaker"].nunique() == corpus.speakers
    assert set(found["emotion"]) == set(corpus.labels)
    assert found.attrs["missing"] == found.attrs["duplicates"] == found.attrs["extra"] == []
    assert all(value.startswith("demo_") for value in set(found["corpus"]))
    assert all(Path(path).stat().st_size > 0 for path in found["path"])


def test_demo_has_its_provenance_and_is_small():
    with zipfile.ZipFile(demo.ARCHIVE) as archive:
        assert "espeak-ng" in archive.read("PROVENANCE.md").decode()
    assert demo.ARCHIVE.stat().st_size <= 6_000_000


# --- the real recordings, where they are there


@pytest.mark.parametrize("name", PUBLISHED)
def test_real_corpus(name):
    found, corpus = real(name), corpora.CORPORA[name]
    assert len(found) + len(found.attrs["missing"]) == corpus.expected
    assert found["id"].is_unique and set(found["emotion"]) <= set(corpus.labels)
    assert all(Path(path).is_file() for path in found["path"])


def test_real_ravtess():
    real("ravdess")
    real("tess")
    found = real("ravtess")
    assert len(found) + len(found.attrs["missing"]) == 4048


def test_the_name_under_which_results_are_kept():
    assert corpora.canonical("demo") == "demo_ravdess" and corpora.canonical("ravtess") == "ravtess"
    assert corpora.canonical("folder:/any/where") == "folder:/any/where"
    with pytest.raises(SerError, match="no corpus named"):
        corpora.canonical("ravdes")
