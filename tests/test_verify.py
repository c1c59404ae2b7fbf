"""Verification against the published lists: artificial trees with every kind of fault, and the real files."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core._utils.paths import data_dir
from ser_core.corpora import demo
from ser_core.corpora import verify as verifying
from ser_core.corpora.verify import LISTS, sha256, verify

KEYS = ["corpus", "folder", "expected", "found", *LISTS]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A complete TESS and RAVDESS whose bytes are the file names, with matching lists."""
    known = {}
    for name in ("ravdess", "tess"):
        listed = corpora.manifest(name)
        for folder in {os.path.dirname(file) for file in listed["file"]}:
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
        for file in listed["file"]:
            (tmp_path / name / file).write_bytes(file.encode())
        listed["sha256"] = [hashlib.sha256(file.encode()).hexdigest() for file in listed["file"]]
        listed["bytes"] = listed["file"].str.len()
        known[name] = listed
    monkeypatch.setattr(verifying, "manifest", lambda name: known[name])
    return tmp_path


def report(name: str, root) -> dict:
    result = verify(name, root)
    assert list(result) == KEYS and all(isinstance(result[key], list) for key in LISTS)
    return result


def test_a_complete_corpus_has_no_faults(tree):
    result = report("ravdess", tree)
    assert result == {
        "corpus": "ravdess",
        "folder": str(tree / "ravdess"),
        "expected": 1440,
        "found": 1440,
        **{key: [] for key in LISTS},
    }
    assert report("tess", tree / "tess")["found"] == 2800


def test_every_kind_of_fault_at_once(tree):
    root = tree / "tess"
    (root / "OAF_back_angry.wav").unlink()
    (root / "YAF_beg_sad.wav").unlink()
    (root / "OAF_back_sad.wav").write_bytes(b"OAF_back_sad.waV")  # same length, other bytes
    (root / "OAF_bar_sad.wav").write_bytes(b"")  # empty
    (root / "OAF_base_sad.wav").write_bytes(b"OAF")  # cut
    (root / "OAF_bath_sad.wav").rename(root / "OAF_bath_sad.flac")
    (root / "OAF_bean_sad.wav").rename(root / "OAF_bean_sad.flac")
    (root / "OAF_bean_sad.flac").write_bytes(b"")  # empty in any container
    (root / "OA_bite_neutral.wav").rename(root / "OAF_bite_neutral.wav")  # the right name is right too
    (root / "YAF_back_ps.wav").rename(root / "YAF_back_pleasant_surprised.WAV")
    (root / "copy").mkdir()
    (root / "copy" / "YAF_dog_sad.wav").write_bytes(b"whatever")
    (root / "notes.txt").write_text("x")
    (root / ".hidden").write_text("x")
    result = report("tess", tree)
    assert (result["expected"], result["found"]) == (2800, 2798)
    assert result["missing"] == ["OAF_back_angry.wav", "YAF_beg_sad.wav"]
    assert result["changed"] == ["OAF_back_sad.wav", "OAF_bar_sad.wav", "OAF_base_sad.wav", "OAF_bean_sad.flac"]
    assert result["duplicates"] == ["copy/YAF_dog_sad.wav"]
    assert result["extra"] == ["notes.txt"]
    assert result["unverifiable"] == ["OAF_bath_sad.flac"]


def test_duplicates_and_other_containers(tree):
    shutil.copytree(tree / "ravdess", tree / "nested")
    (tree / "nested").rename(tree / "ravdess" / "audio_speech_actors_01-24")
    result = report("ravdess", tree)
    assert result["found"] == 1440 and len(result["duplicates"]) == 1440 and result["changed"] == []
    assert all(file.startswith("audio_speech_actors_01-24/Actor_") for file in result["duplicates"])
    for path in (tree / "tess").iterdir():
        path.rename(path.with_suffix(".flac"))
    result = report("tess", tree)
    assert result["found"] == 2800 and len(result["unverifiable"]) == 2800
    assert result["missing"] == result["changed"] == []


def test_the_published_pair_of_equal_files_is_normal():
    """Two RAVDESS files have the same bytes as published: equal checksums are neither a duplicate nor a change."""
    listed = corpora.manifest("ravdess")
    twins = listed[listed["sha256"].duplicated(keep=False)]
    assert list(twins["id"]) == ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]


def test_a_composition_joins_its_parts(tree):
    (tree / "tess" / "OAF_back_angry.wav").unlink()
    (tree / "ravdess" / "Actor_01" / "03-01-02-01-01-01-01.wav").write_bytes(b"")  # calm: not in ravtess
    (tree / "ravdess" / "Actor_01" / "03-01-05-01-01-01-01.wav").write_bytes(b"")
    (tree / "ravdess" / "song.txt").write_text("x")
    result = report("ravtess", tree)
    assert (result["expected"], result["found"], result["folder"]) == (4048, 4047, str(tree))
    assert result["missing"] == ["tess/OAF_back_angry.wav"]
    assert result["changed"] == ["ravdess/Actor_01/03-01-05-01-01-01-01.wav"]
    assert result["extra"] == ["ravdess/song.txt"]
    merged = report("ravtess_calm_merged", tree)
    assert (merged["expected"], merged["found"]) == (4240, 4239) and len(merged["changed"]) == 2


def test_cremad_files_outside_the_list_are_unverifiable(tmp_path):
    (tmp_path / "1006_TIE_NEU_XX.wav").write_bytes(b"x")
    result = report("cremad", tmp_path)
    assert result["unverifiable"] == ["1006_TIE_NEU_XX.wav"] and result["changed"] == []
    assert len(result["missing"]) == 7441 and "1013_WSI_SAD_XX.wav" in result["missing"]


def test_without_a_published_list_or_recordings_there_is_an_error(tmp_path):
    (tmp_path / "sad").mkdir()
    (tmp_path / "sad" / "1.wav").write_bytes(b"x")
    (tmp_path / "list.csv").write_text("path,emotion\nsad/1.wav,sad\n")
    for name in (f"folder:{tmp_path}", f"csv:{tmp_path / 'list.csv'}"):
        with pytest.raises(SerError, match="no published file list"):
            verify(name)
    with pytest.raises(SerError, match="no RAVDESS recordings"):
        verify("ravdess", tmp_path)


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_progress_goes_to_standard_error(tree, capsys):
    verify("tess", tree, progress=True)
    captured = capsys.readouterr()
    assert captured.out == "" and "2800/2800" in captured.err


@pytest.mark.parametrize("name", ["demo", "demo_ravdess", "demo_tess", "demo_ravtess"])
def test_the_demo_corpus_has_no_faults(name):
    result = report(name, None)
    assert result["found"] == result["expected"] > 0 and not any(result[key] for key in LISTS)


def test_a_changed_demo_file_is_noticed(tmp_path):
    copy = tmp_path / "demo_tess"
    shutil.copytree(demo.unpack() / "demo_tess", copy)
    victim = copy / os.listdir(copy)[0]
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    assert report("demo_tess", tmp_path)["changed"] == [victim.name]


# --- the real recordings


def real(name: str) -> dict:
    try:
        return report(name, None)
    except SerError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["ravdess", "tess", "emodb", "savee", "cremad"])
def test_real_corpus(name):
    result = real(name)
    assert result["expected"] == corpora.CORPORA[name].expected
    assert result["found"] + len(result["missing"]) == result["expected"]
    assert not result["changed"]


def test_untouched_originals_have_their_published_checksums():
    """Stereo, 96 kHz, OA_ and AIFF inside .wav names: as published, so nothing is changed."""
    root = data_dir() / "native"
    if not root.is_dir():
        pytest.skip(f"no folder of untouched originals at {root}")
    count = 0
    for name in ("ravdess", "tess"):
        result = report(name, root)
        table = corpora.load(name, root)
        count += len(table)
        assert result["found"] == len(table) and not result["changed"] and not result["unverifiable"]
        assert not result["extra"] and not result["duplicates"]
    files = [path for folder in ("ravdess", "tess") for path in (root / folder).rglob("*.wav")]
    assert count == len(files) > 0
    aiff = corpora.load("tess", root).set_index("id")["path"]
    there = [i for i in ("YAF_germ_angry", "YAF_neat_fear") if i in aiff.index]
    assert all(Path(aiff[i]).read_bytes()[:4] == b"FORM" for i in there)
