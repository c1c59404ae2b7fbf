"""Corpora in differently arranged folders, and the user's own recordings."""

import re
from pathlib import Path

import pytest
from made_trees import plant

from ser_core import corpora
from ser_core._utils import segments
from ser_core._utils.errors import SerError
from ser_core.corpora import folder, table

# --- differently arranged folders


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


def test_other_files_are_extra_or_ignored(tmp_path):
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
def test_the_usual_folder_is_found_whatever_its_case(name, tmp_path, monkeypatch):
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


def test_recordings_in_any_other_folder_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    plant(tmp_path, "downloads/my copy/OAF_Sad/OAF_back_sad.wav", "downloads/my copy/YAF_Sad/YAF_back_sad.wav")
    plant(tmp_path, "other/notes.txt", "tess/empty.txt")
    found = corpora.load("tess")
    assert list(found["id"]) == ["OAF_back_sad", "YAF_back_sad"] and found.attrs["extra"] == []
    assert found.attrs["folder"] == str(tmp_path / "downloads" / "my copy")


def test_the_demo_corpus_is_never_mistaken_for_the_real_one(tmp_path, monkeypatch):
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


# --- the user's own recordings


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
    assert set(found["corpus"]) == {f"folder:{tmp_path}"}
    assert found.attrs["extra"] == ["stray.wav", "sad/notes.txt"] and found.attrs["missing"] == []
    assert found.attrs["expected"] == 5 and found.attrs["corpus"] == name
    assert corpora.labels(name) == ("happy", "sad", "angry", "contempt")
    corpus = corpora.get_corpus(name)
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
    assert set(found["corpus"]) == {name}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must name the columns path and emotion"),
        ("file,label\na.wav,sad\n", "first line must name the columns path and emotion, found 'file,label'"),
        ("path,emotion\n", "no line below the header"),
        ("path,emotion\na.wav,\n", "line 2: empty emotion"),
        ("path,emotion\n,sad\n", "line 2: empty path"),
        ("path,emotion\na.wav,sad\na.wav,angry\n", "line 3: a.wav is listed in line 2 already"),
        ("path,emotion\na.txt,sad\n", "line 2: a.txt is no audio file"),
        ("path,emotion\na.wav\n", "line 2: 1 value for 2 columns"),
        ("path,emotion,sex\na.wav,sad,x\n", "line 2: sex is 'x', must be female or male or unknown"),
        ("path,emotion,intensity\na.wav,sad,loud\n", "line 2: intensity is 'loud'"),
        ("path,emotion\ngone.wav,sad\n", "none of its files exists"),
    ],
)
def test_csv_errors(tmp_path, text, message):
    plant(tmp_path, "a.wav", "a.txt")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(SerError, match=re.escape(message)) as error:
        corpora.load(f"csv:{tmp_path / 'list.csv'}")
    assert "\n" not in str(error.value) and "list.csv" in str(error.value)


def test_a_file_that_is_no_csv(tmp_path):
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
    assert folder.normalise_emotion(spelt) == meant


# --- segments of longer recordings


def test_csv_with_segments(tmp_path):
    plant(tmp_path, "talk.wav", "whole.wav")
    (tmp_path / "list.csv").write_text(
        "path,emotion,speaker,start,end\n"
        "talk.wav,sad,anna,1.5,2.25\n"
        "talk.wav,angry,ben,0 days 00:00:02.250000,NaT\n"
        "whole.wav,sad,anna,,\n"
        "talk.wav,happy,anna,0,1.5\n"
    )
    found = corpora.load(f"csv:{tmp_path / 'list.csv'}")
    assert list(found["id"]) == ["talk@0-1.5", "talk@1.5-2.25", "talk@2.25-", "whole"]
    assert list(found["emotion"]) == ["happy", "sad", "angry", "sad"]
    assert segments.sources(found) == [
        segments.Segment(str(tmp_path / "talk.wav"), 0.0, 1.5),
        segments.Segment(str(tmp_path / "talk.wav"), 1.5, 2.25),
        segments.Segment(str(tmp_path / "talk.wav"), 2.25),
        str(tmp_path / "whole.wav"),
    ]


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("path,emotion,speaker,emotion", "column emotion is named twice"),
        ("path,emotion,Path,take", "column path is named twice"),
        ("path,emotion,onset,duration", "column onset would be ignored"),
        ("path,emotion,start_ms,end_ms", "column start_ms would be ignored"),
        ("path,emotion,Start Time,End Time", "column start time would be ignored"),
        ("path,emotion,xmin,xmax", "start and end, in seconds"),
    ],
)
def test_csv_columns_that_would_be_ignored_are_refused(tmp_path, header, word):
    (tmp_path / "list.csv").write_text(f"{header}\na.wav,happy,1,2\n")
    with pytest.raises(SerError, match=word):
        corpora.load(f"csv:{tmp_path / 'list.csv'}")


@pytest.mark.parametrize("header", ["path,emotion,start,start_frame", "path,emotion,frame,note", "path,emotion,,"])
def test_csv_columns_beside_the_limits_are_no_fault(tmp_path, header):
    (tmp_path / "list.csv").write_text(f"{header}\na.wav,happy,0.1,2\n")
    with pytest.raises(SerError, match="none of its files exists"):
        corpora.load(f"csv:{tmp_path / 'list.csv'}")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("path,emotion,speakr,take", "the column speakr is ignored; is it speaker?"),
        ("path,emotion,valance,take", "the column valance is ignored; is it valence?"),
        ("path,emotion,speaker,comment", None),
        ("path,emotion,speaker,speakers", None),  # the right one is there
    ],
)
def test_csv_warns_of_a_column_that_is_nearly_known(tmp_path, header, words, recwarn):
    plant(tmp_path, "a.wav")
    (tmp_path / "list.csv").write_text(f"{header}\na.wav,happy,1,2\n")
    corpora.load(f"csv:{tmp_path / 'list.csv'}")
    said = [str(warning.message) for warning in recwarn if words or "ignored" in str(warning.message)]
    assert [words in line for line in said] == [True] if words else not said


def test_csv_with_continuous_labels(tmp_path):
    plant(tmp_path, "a.wav", "b.wav")
    path = tmp_path / "list.csv"
    path.write_text("path,emotion,Valence,arousal\na.wav,sad,1.5,\nb.wav,happy,6,\n")
    found = corpora.load(f"csv:{path}")
    assert found["valence"].tolist() == [1.5, 6.0] and "arousal" not in found
    path.write_text("path,emotion,valence\na.wav,sad,low\n")
    with pytest.raises(SerError, match="line 2: valence: 'low' is not a number"):
        corpora.load(f"csv:{path}")


def test_csv_of_whole_recordings_has_no_columns_of_segments(tmp_path):
    plant(tmp_path, "a.wav", "b.wav")
    (tmp_path / "list.csv").write_text("path,emotion,start,end\na.wav,sad,0,\nb.wav,happy,,NaT\n")
    found = corpora.load(f"csv:{tmp_path / 'list.csv'}")
    assert list(found.columns) == list(table.COLUMNS) and list(found["id"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("soon,2", "line 2: start is 'soon', wanted seconds from 0 on, such as 1.5"),
        ("-1,2", "line 2: start is '-1', wanted seconds"),
        ("0,inf", "line 2: end is 'inf', wanted seconds"),
        ("2,1", "line 2: a.wav: ends at 1 s and starts at 2 s"),
        ("2,2", "line 2: a.wav: ends at 2 s and starts at 2 s"),
    ],
)
def test_csv_with_limits_that_cannot_be_meant(tmp_path, limits, message):
    plant(tmp_path, "a.wav")
    (tmp_path / "list.csv").write_text(f"path,emotion,start,end\na.wav,sad,{limits}\n")
    with pytest.raises(SerError, match=re.escape(message)):
        corpora.load(f"csv:{tmp_path / 'list.csv'}")
