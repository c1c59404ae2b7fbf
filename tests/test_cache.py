"""Cached features are never stale or damaged, and equal for one process or several."""

import shutil

import numpy as np
import pytest
import soundfile

from ser_core import corpora, features
from ser_core._utils.errors import SerError
from ser_core.audio import augmentation
from ser_core.features import cache


@pytest.fixture
def few(tmp_path):
    """Three demo utterances, copied into an empty folder."""
    table = corpora.load("demo").iloc[[0, 100, 200]].reset_index(drop=True)
    copies = []
    for path in table["path"]:
        copies.append(shutil.copy(path, tmp_path))
    return table.assign(path=copies)


def files(folder):
    return sorted((folder / "features").rglob("*.npy"))


def test_a_second_call_reads_and_computes_nothing(few, own_cache, monkeypatch):
    first = cache.feature_matrix(few, progress=False)
    assert first.shape == (3, 400, 42) and len(files(own_cache)) == 3
    monkeypatch.setattr(cache, "compute_features", lambda job: pytest.fail("recomputed"))
    assert np.array_equal(first, cache.feature_matrix(few, progress=False))


def test_feature_sets_share_their_cache_entries(few, own_cache):
    whole = cache.feature_matrix(few, progress=False)
    part = cache.feature_matrix(few, features.FeatureSettings(features="13", frames=100), progress=False)
    assert len(files(own_cache)) == 3 and np.array_equal(part, whole[:, :100, :13])


def test_a_changed_file_is_recomputed(few, own_cache):
    first = cache.feature_matrix(few, progress=False)
    samples, rate = soundfile.read(few["path"][0])
    soundfile.write(few["path"][0], samples[::-1], rate, format="OGG")
    second = cache.feature_matrix(few, progress=False)
    assert not np.array_equal(first[0], second[0]) and np.array_equal(first[1:], second[1:])


@pytest.mark.parametrize("changed", [{"denoise": True}, {"normalise": False}, {"rate": 8_000}])
def test_a_changed_parameter_is_recomputed(few, own_cache, changed):
    cache.feature_matrix(few, progress=False)
    settings = features.FeatureSettings(**changed, znorm=False)
    other = cache.feature_matrix(few, settings, progress=False)
    assert len(files(own_cache)) == 6
    assert not np.array_equal(other, cache.feature_matrix(few, features.FeatureSettings(znorm=False), progress=False))


def test_augmented_copies_have_their_own_entries(few, own_cache):
    plain = cache.feature_matrix(few, progress=False)
    for treatment in ({"technique": "noise"}, {"technique": "noise", "seed": 1}, {"technique": "shift"}):
        assert not np.array_equal(plain, cache.feature_matrix(few, progress=False, **treatment))
    loud = augmentation.Ranges(snr_low=0.0, snr_high=1.0)
    cache.feature_matrix(few, progress=False, technique="noise", ranges=loud)
    assert len(files(own_cache)) == 15


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-7], lambda b: b[:40] + b"x" + b[41:], lambda b: b"", lambda b: b[:20]]
)
def test_a_damaged_entry_is_recomputed(few, own_cache, damage):
    first = cache.feature_matrix(few, progress=False)
    for path in files(own_cache):
        path.write_bytes(damage(path.read_bytes()))
    assert np.array_equal(first, cache.feature_matrix(few, progress=False))


def test_several_processes_give_the_same_numbers(own_cache, monkeypatch):
    table = corpora.load("demo").iloc[:6]
    sequential = cache.feature_matrix(table, workers=1, progress=False)
    shutil.rmtree(own_cache / "features")
    monkeypatch.setattr(cache, "PARALLEL_FROM", 1)
    assert np.array_equal(sequential, cache.feature_matrix(table, workers=2, progress=False))


def test_an_unusable_recording_is_reported(few, own_cache):
    open(few["path"][1], "w").close()
    with pytest.raises(SerError, match="empty"):
        cache.feature_matrix(few, progress=False)


def test_the_data_version_depends_on_content_not_on_container_or_folder(few, own_cache, tmp_path):
    first = cache.data_version(few)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = []
    for i, path in enumerate(few["path"]):
        samples, rate = soundfile.read(path, dtype="float32")
        moved.append(str(elsewhere / f"{i}.wav"))
        soundfile.write(moved[-1], samples, rate, subtype="FLOAT")
    assert cache.data_version(few.assign(path=moved)) == first
    assert cache.data_version(few.iloc[:2]) != first
    samples[100] += 0.01
    soundfile.write(moved[-1], samples, rate, subtype="FLOAT")
    assert cache.data_version(few.assign(path=moved)) != first
