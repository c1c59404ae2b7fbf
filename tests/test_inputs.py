"""Shape and type of every input, and each against librosa or a direct evaluation."""

import sys

import librosa
import numpy as np
import pytest

from ser_core import audio, corpora, features
from ser_core._utils.errors import SerError
from ser_core.features import cache, inputs, mel_image

NAMES = [name for name, made_for in inputs.INPUTS.items() if made_for.extra not in ("ssl", "encoders")]


def settings(name, **changed):
    made_for = inputs.get_input(name)
    return features.FeatureSettings(**{"features": name, "frames": made_for.frames, "rate": made_for.rate} | changed)


@pytest.fixture(scope="module")
def utterance():
    return corpora.load("demo").iloc[100]["path"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seconds", [0.15, 1.7, 6.0])
def test_any_length_gives_the_stated_shape(name, seconds):
    made_for = inputs.get_input(name)
    if made_for.extra:
        pytest.importorskip(made_for.extra, reason=f"needs the extra {made_for.extra}")
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * made_for.rate)).astype(np.float32)
    values = inputs.RAW[made_for.raw](samples, made_for.rate)
    assert values.dtype == np.float32 and np.isfinite(values).all()
    x = inputs.to_input(values, settings(name))
    assert x.shape == inputs.input_shape(settings(name)) and x.dtype == np.float32


def test_the_log_mel_image_equals_librosa(utterance):
    samples = mel_image.middle_three_seconds(audio.read(utterance, rate=48_000), 48_000)
    expected = librosa.power_to_db(
        librosa.feature.melspectrogram(y=samples.astype(np.float64), sr=48_000, n_fft=1024, win_length=512,
                                       hop_length=256, window="hamming", n_mels=128, dtype=np.float64),
        ref=np.max,
    )  # fmt: skip
    image = inputs.to_input(inputs.RAW["mel"](audio.read(utterance, rate=48_000), 48_000), settings("mel"))
    assert image.shape == expected.shape == (128, 563)
    assert np.allclose(image, expected, atol=1e-3)


def test_the_seven_chunks_are_cut_from_the_image():
    image = np.random.default_rng(0).normal(size=(128, 563))
    chunks = inputs.chunks(image)
    assert chunks.shape == (7, 128, 128)
    assert np.array_equal(chunks[0], image[:, :128]) and np.array_equal(chunks[6], image[:, 384:512])


def test_the_193_means_equal_librosa(utterance):
    samples = audio.read(utterance, rate=22_050)
    means = inputs.RAW["means"](samples, 22_050)
    assert means.shape == (193,)
    assert np.allclose(means[:40], librosa.feature.mfcc(y=samples, sr=22_050, n_mfcc=40).mean(axis=1), rtol=1e-4)
    assert np.allclose(means[52:180], librosa.feature.melspectrogram(y=samples, sr=22_050).mean(axis=1), rtol=1e-4)


def test_functionals_equal_their_definitions():
    values = np.random.default_rng(0).normal(size=(50, 42))
    rows = inputs.functionals(values).reshape(7, 42)
    assert np.allclose(rows[0], values.mean(0), atol=1e-6) and np.allclose(rows[1], values.std(0), atol=1e-6)
    assert np.allclose(rows[4], np.median(values, axis=0), atol=1e-6)


def test_forty_mfcc_equal_librosa(utterance):
    samples = audio.read(utterance)
    expected = librosa.feature.mfcc(
        y=samples.astype(np.float64), sr=16_000, n_mfcc=40, n_fft=400, hop_length=160, n_mels=40
    )
    assert np.allclose(inputs.RAW["mfcc40"](samples, 16_000), expected.T, atol=1e-3)


def test_the_waveform_is_cut_or_padded():
    short, long = np.ones(100, np.float32), np.ones(90_000, np.float32)
    for samples, count in ((short, 100), (long, 64_000)):
        x = inputs.to_input(inputs.RAW["waveform"](samples, 16_000), settings("waveform"))
        assert x.shape == (64_000, 1) and x.sum() == count


def test_egemaps_equals_opensmile_on_the_file(utterance):
    opensmile = pytest.importorskip("opensmile", reason="needs the extra opensmile")
    samples = 0.9 * audio.read(utterance)  # at +1.0 openSMILE itself would add a click
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(samples, 16_000).to_numpy()[0]
    assert np.allclose(inputs.RAW["egemaps"](samples, 16_000), expected, rtol=1e-5)


def test_without_opensmile_one_line_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(SerError, match=r"openSMILE.*licence.*pip install"):
        inputs.RAW["egemaps"](np.ones(16_000, np.float32), 16_000)


@pytest.mark.parametrize("name", ["mel", "functionals", "waveform"])
def test_the_cache_returns_what_was_computed(name, own_cache):
    table = corpora.load("demo").iloc[:3]
    first = cache.feature_matrix(table, settings(name), progress=False)
    assert first.shape == (3, *inputs.input_shape(settings(name)))
    again = cache.feature_matrix(table, settings(name), progress=False)
    assert np.array_equal(first, again)
    samples = audio.read(table.iloc[0]["path"], rate=settings(name).rate)
    direct = inputs.to_input(inputs.RAW[inputs.get_input(name).raw](samples, settings(name).rate), settings(name))
    assert np.array_equal(first[0], direct)


def test_unknown_inputs_and_too_few_frames_are_refused():
    with pytest.raises(SerError, match="nothing"):
        inputs.get_input("nothing")
    with pytest.raises(SerError, match="frames 100"):
        inputs.input_shape(settings("mel_chunks", frames=100))
