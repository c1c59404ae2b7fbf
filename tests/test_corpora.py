"""Corpora: what holds for every one, and the file-name grammars."""

import ast
import graphlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_trees import plant

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.corpora import cremad, ravdess, ravtess, savee, table, tess

NAMES = tuple(corpora.CORPORA)
LISTED = tuple(name for name in NAMES if corpora.is_listed(name))
SIMPLE = tuple(name for name in LISTED if not corpora.CORPORA[name].parts)
PUBLISHED = ("ravdess", "tess", "emodb", "savee", "cremad", "nemo")
SEVEN = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
LABELS = {
    "ravdess": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "tess": SEVEN,
    "ravtess": SEVEN,
    "ravtess_calm_merged": SEVEN,
    "emodb": ("neutral", "boredom", "happy", "sad", "angry", "fearful", "disgust"),
    "emodb2": ("neutral", "boredom", "happy", "sad", "angry", "fearful", "disgust"),
    "savee": SEVEN,
    "cremad": SEVEN[:-1],
    "nemo": tuple(label for label in SEVEN if label != "disgust"),
    "demo": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "demo_ravdess": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "demo_tess": SEVEN,
    "demo_ravtess": SEVEN,
    "demo_ravtess_calm_merged": SEVEN,
}


def real(name: str):
    """Load a corpus from SER_DATA, or skip the test with the reason."""
    try:
        return corpora.load(name)
    except SerError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


# --- what holds for every corpus


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_fixed(name):
    assert corpora.labels(name) == LABELS[name]


def test_labels_of_every_corpus_are_tested():
    assert set(NAMES) == set(LABELS)


@pytest.mark.parametrize("name", NAMES)
def test_origin_and_licence_are_stated(name):
    corpus = corpora.CORPORA[name]
    assert corpus.title and corpus.licence and corpus.citation
    assert corpus.name == ("demo_ravdess" if name == "demo" else name)
    if not corpus.demo:
        assert all(re.fullmatch(r"10\.\d{4,}/\S+", doi) for doi in corpus.doi.split("; "))
        assert corpus.url.startswith("http")
    else:
        assert corpus.title.startswith("demo") and not corpus.remotes


@pytest.mark.parametrize("name", PUBLISHED)
def test_module_docstrings_describe_the_corpus(name):
    text = sys.modules[f"ser_core.corpora.{name}"].__doc__
    for word in ("Origin:", "Size:", "File name:", "Oddities", "Licence:"):
        assert word in text, word
    assert f"{corpora.CORPORA[name].expected:,}" in text


@pytest.mark.parametrize("name", LISTED)
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
def test_grammar_refuses_files_of_other_corpora(name):
    family = "ravdess" if "ravdess" in name or name == "demo" else name.removeprefix("demo_")
    for other in PUBLISHED:
        if other != family:
            assert not any(corpora.CORPORA[name].parse(file) for file in corpora.manifest(other)["file"])


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("path", ["", "README.md", "notes.wav", "a/b/c.flac", "03-02-01-01-01-01-01.wav", "_.wav"])
def test_grammar_refuses_what_is_no_utterance(name, path):
    assert corpora.CORPORA[name].parse(path) is None


@pytest.mark.parametrize("name", SIMPLE)
def test_a_complete_tree_loads_from_its_names_alone(name, tmp_path):
    """The files hold no audio: nothing is opened."""
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
def test_a_single_file_loads_and_the_others_are_missing(name, tmp_path):
    listed = corpora.manifest(name)
    plant(tmp_path, listed["file"].iloc[-1])
    found = corpora.load(name, tmp_path)
    assert list(found["id"]) == [listed["id"].iloc[-1]]
    assert len(found.attrs["missing"]) == corpora.CORPORA[name].expected - 1


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_without_recordings_gives_a_one_line_error(name, tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SerError) as error:
            corpora.load(name, root)
        message = str(error.value)
        assert str(root) in message and "\n" not in message and "recordings" in message


def test_the_error_for_a_missing_corpus_names_its_source(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    with pytest.raises(SerError, match="`ser data fetch ravdess`"):
        corpora.load("ravdess")
    with pytest.raises(SerError, match="`ser data fetch tess`"):
        corpora.load("tess")
    with pytest.raises(SerError, match=re.escape("http://emodb.bilderbar.info/")):
        corpora.load("emodb")


def test_unknown_names_are_refused():
    assert corpora.get_corpus("RAVDESS").name == corpora.canonical_name("Ravdess") == "ravdess"
    with pytest.raises(SerError, match="no corpus named 'ravdes'.*ravdess, tess"):
        corpora.load("ravdes")
    with pytest.raises(SerError, match="no corpus named"):
        corpora.manifest("iemocap")


def test_import_is_instant():
    heavy = ("pandas", "numpy", "pooch", "requests", "soundfile", "tensorflow", "librosa")
    code = f"import sys, ser_core.corpora; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_modules_do_not_import_each_other_in_a_circle():
    folder = Path(corpora.__file__).parent
    files = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in folder.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    imports: dict[str, set[str]] = {}
    for name, path in modules.items():
        imports[name] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # not those inside functions
            package = getattr(node, "module", None) or ""
            if isinstance(node, ast.ImportFrom) and f"{package}.".startswith("ser_core.corpora."):
                room = package.removeprefix("ser_core.corpora").lstrip(".")
                inside = {f"{room}.{alias.name}".lstrip(".") for alias in node.names}
                imports[name] |= (inside & set(modules)) or {room or "__init__"}
    order = list(graphlib.TopologicalSorter(imports).static_order())  # raises CycleError
    assert order.index("table") < order.index("ravtess") < order.index("demo") < order.index("__init__")


# --- facts about single corpora


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
def test_tess_spellings_of_emotions(spelling, ending):
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


# --- the real recordings, where they are available


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


def test_canonical_names():
    assert corpora.canonical_name("demo") == "demo_ravdess" and corpora.canonical_name("ravtess") == "ravtess"
    assert corpora.canonical_name("folder:/any/where") == "folder:/any/where"
    with pytest.raises(SerError, match="no corpus named"):
        corpora.canonical_name("ravdes")


def test_a_corpus_without_a_file_list_loads(tmp_path, monkeypatch):
    mine = replace(corpora.get_corpus("savee"), name="mine", title="Mine")
    monkeypatch.setitem(corpora.CORPORA, "mine", mine)
    (tmp_path / "DC").mkdir()
    (tmp_path / "DC" / "a01.wav").touch()
    assert not corpora.is_listed("mine")
    assert list(corpora.load("mine", tmp_path)["emotion"]) == ["angry"]
    with pytest.raises(SerError, match="mine: no published file list"):
        corpora.manifest("mine")
