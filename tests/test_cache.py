"""Cached features are never stale or damaged, and equal for one process or several."""

import hashlib
import io
import json
import os
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import soundfile

from ser_core import corpora, features
from ser_core._utils.errors import SerError
from ser_core.audio import augmentation
from ser_core.features import cache, digests


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
    monkeypatch.setattr(cache, "PLAIN_FROM", 1)
    assert np.array_equal(sequential, cache.feature_matrix(table, workers=2, progress=False))


def test_the_inputs_of_a_whole_table_are_one_file(own_cache, monkeypatch):
    table = corpora.load("demo").iloc[:70]
    first = cache.feature_matrix(table, progress=False)
    (whole,) = (own_cache / "inputs").iterdir()
    shutil.rmtree(own_cache / "features")
    with monkeypatch.context() as patched:
        patched.setattr(cache, "compute_features", lambda job: pytest.fail("recomputed"))
        assert np.array_equal(first, cache.feature_matrix(table, progress=False))
    whole.write_bytes(whole.read_bytes()[:-1] + b"x")
    assert np.array_equal(first, cache.feature_matrix(table, progress=False))
    other = cache.feature_matrix(table, features.FeatureSettings(znorm=False), progress=False)
    assert not np.array_equal(first, other)
    cache.feature_matrix(table.iloc[::-1], progress=False)
    cache.feature_matrix(table, technique="noise", progress=False)
    assert len(list((own_cache / "inputs").iterdir())) == 3  # not of augmented copies


def test_a_file_with_its_old_size_and_time_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "SETTLED", 0)
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    before = os.stat(path)
    first = cache.source_digests([str(path)])[str(path)]
    monkeypatch.setattr(digests, "file_digest", lambda path: pytest.fail("read again"))
    assert cache.source_digests([str(path)])[str(path)] == first == hashlib.sha256(b"one").hexdigest()
    monkeypatch.undo()
    monkeypatch.setattr(digests, "SETTLED", 0)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.source_digests([str(path)])[str(path)] == hashlib.sha256(b"two").hexdigest()


def plain_name(job, digest, others=()):
    """The name of an entry as one formula."""
    parameters = asdict(job) | {"path": digest, "version": cache.VERSION}
    del parameters["condition"], parameters["others"]
    if not job.technique:
        parameters |= {"key": "", "seed": 0, "copy": 0, "ranges": None}
    if job.condition != "clean":
        parameters |= {"key": job.key, "condition": [job.condition, cache.CONDITION_VERSION, *others]}
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def test_the_names_of_entries_are_those_of_the_formula():
    loud = augmentation.Ranges(snr_low=0.0, snr_high=1.0)
    for fields in (
        {}, {"seed": 3, "copy": 2}, {"technique": "noise", "seed": 1}, {"raw": "wide", "denoise": True},
        {"technique": "pitch", "ranges": loud, "copy": 1}, {"condition": "babble:10"}, {"ranges": loud},
        {"technique": "shift", "condition": "babble:10"},
    ):  # fmt: skip
        for key in ("a", "Grüße / 01", "path", "key"):
            job = cache.Job("x.wav", key, 16_000, True, **{"denoise": False, **fields})
            for others in ((), ("b" * 64,)):
                assert cache.job_name(job, "a" * 64, others) == plain_name(job, "a" * 64, others)


@pytest.mark.parametrize("values", [np.eye(3, 5, dtype="f4"), np.asfortranarray(np.eye(3, 5)), np.zeros(4, "f2")])
def test_an_entry_is_read_as_numpy_would(tmp_path, values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    path = tmp_path / "a.npy"
    path.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    read = cache._load(path)
    assert read.dtype == values.dtype and np.array_equal(read, values) and read.flags.writeable
    assert read.flags.f_contiguous == values.flags.f_contiguous


def test_an_entry_is_written_as_before(few, own_cache):
    (values,) = cache.raw_features(cache.jobs_for(few.iloc[:1], features.FeatureSettings()), progress=False)
    (path,) = files(own_cache)
    buffer = io.BytesIO()
    np.save(buffer, values)
    assert path.read_bytes() == hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue()


def test_reading_in_threads_keeps_the_order(own_cache, monkeypatch):
    table = corpora.load("demo").iloc[:70]
    first = cache.feature_matrix(table, workers=1, progress=False)
    monkeypatch.setattr(cache, "compute_features", lambda job: pytest.fail("recomputed"))
    assert np.array_equal(first, cache.feature_matrix(table, workers=3, progress=False))
    assert np.array_equal(first[::-1], cache.feature_matrix(table.iloc[::-1], workers=3, progress=False))


def test_chunks_have_similar_cost(tmp_path, monkeypatch):
    tasks = []
    for number, size in enumerate([100] * 20 + [1_000, 1_000, 100, 5_000, 100]):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(bytes(size))
        tasks.append((cache.Job(str(path), "", 16_000, True, False), path))
    monkeypatch.setattr(cache, "CHUNK_BYTES", 1_000)
    chunks = cache._chunks(tasks, 1)
    assert [task for chunk in chunks for task in chunk] == tasks and max(map(len, chunks)) <= 7
    for chunk in chunks:
        assert len(chunk) == 1 or sum(os.path.getsize(job.path) for job, _ in chunk) <= 1_000
    assert len(cache._chunks(tasks[:16], 4)) == 16


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


def test_jobs_may_come_from_a_generator_and_are_taken_in_parts(own_cache, monkeypatch):
    """Never more than a part of the jobs is in memory; every one gets its features."""
    table = corpora.load("demo").iloc[:7]
    jobs = cache.jobs_for(table, features.FeatureSettings())
    sizes = []
    plain = cache.cache_paths
    monkeypatch.setattr(cache, "PART", 3)
    monkeypatch.setattr(cache, "cache_paths", lambda part: sizes.append(len(part)) or plain(part))
    cache.ensure_cached((job for job in jobs), workers=1, progress=False)
    assert sizes == [3, 3, 1]
    assert all(path.is_file() for path in plain(jobs))


@pytest.mark.parametrize("workers", [0, -1])
def test_less_than_one_process_is_refused(workers):
    with pytest.raises(SerError, match=f"workers {workers}: at least one"):
        cache.feature_matrix(corpora.load("demo").iloc[:2], workers=workers, progress=False)
