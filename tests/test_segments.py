"""Segments are cut wherever an utterance is read, and give what the cut recording gives on its own."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_core import audio, corpora
from ser_core._utils import segments
from ser_core._utils.errors import SerError
from ser_core._utils.segments import Segment
from ser_core.corpora import inventory
from ser_core.features import cache
from ser_core.protocols import duplicates, leakage

RATE = 16_000
LIMITS = [(0.0, 1.0), (1.0, 2.5), (2.5, None)]
EXACT = ("wav", "flac", "aiff")


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise with a moving envelope: no two stretches are alike."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * random.standard_normal(len(time)) * (1 + np.sin(5 * time)) / 2).astype(np.float32)


@pytest.fixture
def tables(tmp_path):
    """The same three utterances twice: as segments of one recording, and as files of their own."""
    samples = voice(4.0)
    soundfile.write(tmp_path / "talk.flac", samples, RATE, subtype="PCM_24")
    samples, _ = soundfile.read(tmp_path / "talk.flac", dtype="float32")
    cut = []
    for number, (start, end) in enumerate(LIMITS):
        stop = None if end is None else round(end * RATE)
        cut.append(tmp_path / f"{number}.wav")
        soundfile.write(cut[-1], samples[round(start * RATE) : stop], RATE, subtype="FLOAT")
    common = {"id": ["a", "b", "c"], "corpus": "csv:list.csv", "emotion": "sad", "speaker": "anna", "text": "unknown"}
    whole = pd.DataFrame(common | {"path": [str(path) for path in cut]})
    parts = pd.DataFrame(
        common
        | {
            "path": str(tmp_path / "talk.flac"),
            "start": [start for start, _ in LIMITS],
            "end": [end for _, end in LIMITS],
        }
    )
    return whole, parts


def test_features_of_a_segment_are_those_of_the_cut_recording(tables, own_cache):
    whole, parts = tables
    assert np.array_equal(cache.feature_matrix(whole, progress=False), cache.feature_matrix(parts, progress=False))
    assert len(set(cache.cache_paths(cache.jobs_for(parts, _settings())))) == 3


def test_data_version_of_segments_is_that_of_the_cut_recordings(tables, own_cache):
    whole, parts = tables
    assert cache.data_version(whole) == cache.data_version(parts)
    moved = parts.assign(start=[0.0, 1.0, 2.5001])
    assert cache.data_version(moved) != cache.data_version(parts)


def test_a_whole_recording_keeps_its_names(tables, own_cache):
    """Columns of limits that are empty change neither cache names nor data version."""
    whole, _ = tables
    empty = whole.assign(start=np.nan, end=np.nan)
    settings = _settings()
    assert cache.cache_paths(cache.jobs_for(whole, settings)) == cache.cache_paths(cache.jobs_for(empty, settings))
    assert cache.data_version(whole) == cache.data_version(empty)


def test_names_in_the_cache_are_frozen():
    """The name of a job without a segment, as it was before there were segments."""
    job = cache.Job(path="a.wav", key="a", rate=16_000, normalise=True, denoise=False)
    assert cache.job_name(job, "0" * 64) == FROZEN
    assert cache.job_name(dataclasses.replace(job, path=Segment("a.wav", 1.0)), "0" * 64) == FROZEN, "by its digest"


@pytest.mark.parametrize("container", [*EXACT, "ogg", "mp3"])
def test_a_segment_is_the_slice_of_what_is_decoded(tmp_path, container):
    path = tmp_path / f"talk.{container}"
    soundfile.write(path, voice(3.0), RATE)
    samples, _, _ = audio.decode(path)
    for start, end in ((0.5, 1.25), (1.0, None), (0.0, 0.7)):
        part, rate, _ = audio.decode(Segment(str(path), start, end))
        stop = None if end is None else round(end * RATE)
        expected = samples[round(start * RATE) : stop]
        assert rate == RATE and part.shape == expected.shape
        assert np.array_equal(part, expected)


def test_limits_are_rounded_to_the_nearest_sample():
    assert segments.sample_range(Segment("a.wav", 0.1, 0.30004), 10_000, 20_000) == (1_000, 2_000)
    assert segments.sample_range(Segment("a.wav", 0.5), 10_000, 20_000) == (5_000, 15_000)
    assert segments.sample_range("a.wav", 10_000, 20_000) == (0, 20_000)


def test_a_segment_a_little_too_long_ends_with_its_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", voice(1.0), RATE)
    samples, _, _ = audio.decode(Segment(str(tmp_path / "a.wav"), 0.5, 1.05))
    assert len(samples) == RATE // 2


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (0.5, 1.2, "ends 0.20 s after its recording"),
        (1.0, None, "holds nothing of its recording, which is 1.00 s long"),
        (3.0, 4.0, "holds nothing of its recording"),
        (0.5, 0.55, "0.050 s long; at least 0.1 s"),
        (0.0, 0.3, "silent"),
    ],
)
def test_limits_that_do_not_fit_are_one_line(tmp_path, start, end, message):
    samples = voice(1.0)
    samples[: RATE // 3] = 0
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    with pytest.raises(SerError, match=message) as error:
        audio.read(Segment(str(tmp_path / "a.wav"), start, end))
    assert "a.wav@" in str(error.value) and "\n" not in str(error.value)


def test_headers_give_the_length_of_the_segment(tables, monkeypatch):
    _, parts = tables
    monkeypatch.setattr(inventory, "load", lambda name: parts)
    assert list(inventory.read_headers("csv:list.csv")["seconds"]) == [1.0, 1.5, 1.5]


def test_segments_of_one_recording_are_no_copies_but_the_same_segment_is(tables, own_cache):
    _, parts = tables
    found = duplicates.find_duplicates(segments.sources(parts), progress=False)
    assert len(set(found["digests"])) == 3 and found["pairs"] == []
    twice = pd.concat([parts, parts.iloc[[1]].assign(id="d")], ignore_index=True)
    frame = twice.assign(published="", utterance=twice["id"], speaker=["p", "q", "r", "s"])
    audited = leakage.audit_split(
        frame, {0: {"a": "train", "b": "train", "c": "validation", "d": "test"}}, cues=False, progress=False
    )
    assert [(pair["first"], pair["second"], pair["kind"]) for pair in audited["copies"]] == [("b", "d", "same bytes")]
    assert not audited["ok"]


def test_a_corpus_of_segments_is_trained_and_tested(tmp_path, own_store):
    """``ser run`` on segments gives the very scores that it gives on the cut recordings."""
    from ser_core.experiments.run import run_spec
    from ser_core.experiments.spec import Spec

    demo = corpora.load("demo")
    demo = pd.concat([part.head(4) for _, part in demo.groupby(["speaker", "emotion"])])
    demo = demo[demo["emotion"].isin(["angry", "sad"]) & demo["speaker"].isin(sorted(set(demo["speaker"]))[:6])]
    lines = {"files": ["path,emotion,speaker,sex"], "segments": ["path,emotion,speaker,sex,start,end"]}
    for speaker, part in demo.groupby("speaker"):
        pieces, place = [], 0
        for row in part.to_dict("records"):
            samples, rate = soundfile.read(row["path"], dtype="float32")
            soundfile.write(tmp_path / f"{row['id']}.wav", samples, rate, subtype="FLOAT")
            common = f"{row['emotion']},{speaker},{row['sex']}"
            lines["files"].append(f"{row['id']}.wav,{common}")
            lines["segments"].append(f"{speaker}.wav,{common},{place / rate!r},{(place + len(samples)) / rate!r}")
            pieces.append(samples)
            place += len(samples)
        soundfile.write(tmp_path / f"{speaker}.wav", np.concatenate(pieces), rate, subtype="FLOAT")
    scores = []
    for name, text in lines.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(text) + "\n")
        spec = Spec(corpus=f"csv:{tmp_path / name}.csv", model="svm", augment="none")
        row = run_spec(spec, progress=False)
        assert row.n_test == len(text[1:]) // 6
        scores.append(row.confusion)
    assert scores[0] == scores[1]


def _settings():
    from ser_core.features import FeatureSettings

    return FeatureSettings()


FROZEN = "00324cbd2de19a4a9b7856645deab72de6c5bab04c3e23a9555c635e865d8837"
