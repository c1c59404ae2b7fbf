"""Recordings that a network was trained on are known by name and duration or by content, and no others."""

import hashlib

import numpy as np
import pytest

from ser_core import corpora
from ser_core.inference import known
from ser_core.inference.known import is_known
from ser_core.inference.predict import PRETRAINED, Predictor

SECONDS = 3.637  # of 03-01-05-02-01-01-12


def test_every_recording_of_the_corpus_is_known_and_no_other_corpus_has_one():
    listed = corpora.manifest("ravdess")
    assert len(listed) == 1440 == len(known.durations("ravdess"))
    assert set(known.durations("ravdess")) == {name.rsplit("/", 1)[-1][:-4] for name in listed["file"]}
    for other in ("tess", "cremad", "emodb", "savee", "nemo"):
        assert not any(is_known(b"", name, SECONDS, "ravdess") for name in corpora.manifest(other)["file"])


@pytest.mark.parametrize(
    ("name", "seconds", "expected"),
    [
        ("03-01-05-02-01-01-12.flac", SECONDS, True),  # another container
        ("03-01-05-02-01-01-12.mp3", SECONDS + 0.05, True),
        ("C:\\mine\\03-01-05-02-01-01-12.wav", SECONDS, True),
        ("03-01-05-02-01-01-12.wav", SECONDS + 0.5, False),  # another recording of this name
        ("03-02-05-02-01-01-12.wav", SECONDS, False),  # song
        ("03-01-05-02-01-01-25.wav", SECONDS, False),  # no such actor
        ("x03-01-05-02-01-01-12.wav", SECONDS, False),
    ],
)
def test_names(name, seconds, expected):
    assert is_known(b"", name, seconds, "ravdess") == expected
    assert not is_known(b"", name, seconds, None)


@pytest.mark.skipif(not PRETRAINED.is_file(), reason="no pretrained network")
def test_demo_recordings_have_such_names_and_are_not_taken_for_them():
    predictor, table = Predictor(), corpora.load("demo_ravdess")
    answers = [predictor.predict(path) for path in table["path"][::16]]
    assert len(answers) > 20 and not any(known.KNOWN in answer.notes for answer in answers)


def test_content_is_known_under_another_name(tmp_path, monkeypatch):
    content = b"some bytes"
    listed = known.Published({}, frozenset({len(content)}), frozenset({hashlib.sha256(content).hexdigest()}))
    monkeypatch.setattr(known, "published", lambda corpus: listed)
    path = tmp_path / "mine.wav"
    path.write_bytes(content)
    assert is_known(path, str(path), 1.0, "ravdess") and is_known(content, "recording", 1.0, "ravdess")
    assert not is_known(b"other byte", "recording", 1.0, "ravdess")
    assert not is_known(b"others", "recording", 1.0, "ravdess")
    assert not is_known(tmp_path / "missing.wav", "missing.wav", 1.0, "ravdess")
    assert not is_known((np.zeros(4), 16_000), "recording", 1.0, "ravdess")


def test_the_published_list_is_read():
    rows = corpora.manifest("ravdess")
    found = known.published("ravdess")
    assert found.checksums == set(rows["sha256"]) and found.sizes == set(rows["bytes"])
    assert known.published("nosuch") is None and known.durations("nosuch") == known.durations(None) == {}
    assert known.durations("ravdess")["03-01-05-02-01-01-12"] == SECONDS
