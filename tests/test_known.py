"""Recordings that a network was trained on are known by their name or their content, and no others."""

import hashlib

import numpy as np
import pytest

from ser_core import corpora
from ser_core.inference import known
from ser_core.inference.known import is_known
from ser_core.inference.predict import PRETRAINED, Predictor


def test_every_name_of_the_corpus_is_known_and_no_other_corpus_has_one():
    names = list(corpora.manifest("ravdess")["file"])
    assert len(names) == 1440 and all(is_known(b"", name, "ravdess") for name in names)
    for other in ("tess", "cremad", "emodb", "savee", "nemo"):
        assert not any(is_known(b"", name, "ravdess") for name in corpora.manifest(other)["file"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("03-01-05-02-01-01-12.flac", True),  # another container
        ("C:\\mine\\03-01-05-02-01-01-12.wav", True),
        ("03-02-05-02-01-01-12.wav", False),  # song
        ("01-01-05-02-01-01-12.mp4", False),  # video
        ("03-01-05-02-01-01-25.wav", False),  # no such actor
        ("x03-01-05-02-01-01-12.wav", False),
    ],
)
def test_names(name, expected):
    assert is_known(b"", name, "ravdess") == expected
    assert not is_known(b"", name, None) and not is_known(b"", name, "ravdess", alike=False)


@pytest.mark.skipif(not PRETRAINED.is_file(), reason="no pretrained network")
def test_demo_recordings_have_such_names_and_are_not_taken_for_them():
    predictor, table = Predictor(), corpora.load("demo_ravdess")
    named = [path for path in table["path"][::40] if is_known(b"", path, "ravdess")]
    answers = [predictor.predict(path) for path in named]
    assert len(answers) > 2
    assert all((known.KNOWN in answer.notes) == (not answer.unlike_training) for answer in answers)
    assert sum(known.KNOWN in answer.notes for answer in answers) <= 1


def test_content_is_known_under_another_name(tmp_path, monkeypatch):
    content = b"some bytes"
    listed = known.Published(frozenset({len(content)}), frozenset({hashlib.sha256(content).hexdigest()}))
    monkeypatch.setattr(known, "published", lambda corpus: listed)
    path = tmp_path / "mine.wav"
    path.write_bytes(content)
    assert is_known(path, str(path), "ravdess") and is_known(content, "recording", "ravdess")
    assert not is_known(b"other byte", "recording", "ravdess") and not is_known(b"others", "recording", "ravdess")
    assert not is_known(tmp_path / "missing.wav", "missing.wav", "ravdess")
    assert not is_known((np.zeros(4), 16_000), "recording", "ravdess")


def test_the_published_list_is_read():
    rows = corpora.manifest("ravdess")
    found = known.published("ravdess")
    assert found.checksums == set(rows["sha256"]) and found.sizes == set(rows["bytes"])
    assert known.published("nosuch") is None
