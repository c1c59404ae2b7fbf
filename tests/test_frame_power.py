"""Blocks, kept arrays and grouped filters give the bits of the plain formulas; float32 stays within 1e-4."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest

from ser_core import audio, corpora, features
from ser_core._utils import paths
from ser_core.audio import augmentation
from ser_core.features import frame_power, mel_image


def plain_log_mel(samples, rate=16_000):
    """The formula over all frames at once."""
    frame, hop = features.frame_sizes(rate)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(frame) / frame)
    power = np.abs(np.fft.rfft(features.framed(samples, frame, hop) * window, axis=1)) ** 2
    decibel = 10.0 * np.log10(np.maximum(power @ features.mel_filters(rate, frame).T, 1e-10))
    return np.maximum(decibel, decibel.max() - 80.0)


def plain_delta(values):
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    shifted = [padded[2 + k : len(padded) - 2 + k] for k in range(-2, 3)]
    return (1 * (shifted[3] - shifted[1]) + 2 * (shifted[4] - shifted[0])) / 10.0


def plain_channels(samples, rate=16_000):
    energy = np.sqrt(np.mean(features.framed(samples, *features.frame_sizes(rate)) ** 2, axis=1))
    static = np.column_stack([plain_log_mel(samples, rate) @ features.dct_matrix(13, 40).T, energy])
    first = plain_delta(static)
    return np.hstack([static, first, plain_delta(first)])


def plain_input(raw, name, znorm=True):
    order = features.CHANNELS["wide"]
    x = raw[:, [order.index(channel) for channel in features.channel_names(name)]].astype(np.float64)
    if znorm:
        deviation = x.std(axis=0)
        x = (x - x.mean(axis=0)) / np.where(deviation > 1e-8, deviation, np.inf)
    return np.pad(x[:400], ((0, max(0, 400 - len(x))), (0, 0))).astype(np.float32)


def assert_same_bits(samples, rate=16_000):
    expected = plain_channels(samples, rate).astype(np.float32)
    computed = features.raw_channels(samples, rate)
    assert computed.flags.c_contiguous and computed.tobytes() == expected.tobytes()
    for name, znorm in (("42", True), ("39", True), ("14", False)):
        settings = features.FeatureSettings(features=name, znorm=znorm)
        assert features.to_input(computed, settings).tobytes() == plain_input(expected, name, znorm).tobytes()


@pytest.fixture(scope="module")
def speech():
    return [audio.read(path) for path in corpora.load("demo")["path"].iloc[::30]]


def test_cached_channels_have_the_bits_of_the_plain_formulas(speech):
    for samples in speech:
        assert_same_bits(samples)


def test_augmented_channels_have_the_bits_of_the_plain_formulas(speech):
    for number, technique in enumerate(augmentation.TECHNIQUES):
        assert_same_bits(augmentation.augment(speech[number], technique, key=str(number)))


def test_real_channels_have_the_bits_of_the_plain_formulas(real_data):
    for name in ("ravdess", "tess"):
        for path in corpora.load(name)["path"].iloc[::100]:
            assert_same_bits(audio.read(path))


@pytest.mark.parametrize("seconds", [0.1, 0.7, 1.2, 1.3, 2.6, 5.3, 11.0, 60.0])
def test_lengths_from_a_tenth_of_a_second_to_a_minute_have_the_same_bits(seconds):
    samples = np.random.default_rng(0).normal(0.0, 0.1, round(16_000 * seconds))
    assert_same_bits(samples)
    assert_same_bits(samples.astype(np.float32))


@pytest.mark.parametrize(
    ("kernels", "needed"), [("Nehalem", "sse4_2"), ("Haswell", "avx2"), ("Zen", "avx2"), ("SkylakeX", "avx512vl")]
)
def test_the_kernels_of_other_processors_keep_the_bits(kernels, needed):
    """OpenBLAS rounds differently with each of them."""
    about = Path("/proc/cpuinfo")
    if not about.is_file() or needed not in about.read_text().split():
        pytest.skip(f"a processor without {needed}")
    code = """
import numpy as np, test_frame_power
for seconds in (0.3, 1.2, 1.31, 2.6, 3.905, 4.0, 5.3, 11.013):
    test_frame_power.assert_same_bits(np.random.default_rng(0).normal(0.0, 0.1, round(16_000 * seconds)))
"""
    folders = os.pathsep.join([str(Path(__file__).parent), str(paths.package_dir().parent)])
    environment = os.environ | {"OPENBLAS_CORETYPE": kernels, "PYTHONPATH": folders}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_other_rates_have_the_same_bits(rate):
    assert_same_bits(np.random.default_rng(1).normal(0.0, 0.1, rate), rate)


def test_the_log_mel_image_has_the_bits_of_the_plain_formula(speech):
    for samples in speech[:3]:
        hamming = 0.54 - 0.46 * np.cos(2.0 * np.pi * np.arange(512) / 512)
        power = np.abs(np.fft.rfft(features.framed(samples, 512, 256) * hamming, n=1024, axis=1)) ** 2
        decibel = 10.0 * np.log10(np.maximum(power @ features.mel_filters(48_000, 1024, 128).T, 1e-10))
        expected = np.maximum(decibel - decibel.max(), -80.0).astype(np.float32)
        computed = mel_image.log_mel_image(samples, 48_000, bands=128, window=512, n_fft=1024, hop=256)
        assert computed.tobytes() == expected.tobytes()


def test_a_range_of_frames_is_that_part_of_all_frames(speech):
    power, energy = (part.copy() for part in frame_power.power_and_energy(speech[0], 400, 160))
    for first, last in ((0, 1), (3, 90), (100, len(energy))):
        part = frame_power.power_and_energy(speech[0], 400, 160, first=first, last=last)
        assert np.array_equal(part[0], power[first:last]) and np.array_equal(part[1], energy[first:last])
    assert len(frame_power.power_and_energy(speech[0], 400, 160, first=5, last=5)[0]) == 0


def test_threads_do_not_share_their_arrays(speech):
    expected = [features.raw_channels(samples) for samples in speech]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert all(map(np.array_equal, pool.map(features.raw_channels, speech), expected))


def test_results_stand_after_further_calls(speech):
    first = features.raw_channels(speech[0]), features.extract(speech[0]), features.mfcc(speech[0])
    kept = [values.copy() for values in first]
    features.raw_channels(speech[1]), features.extract(speech[1]), features.mfcc(speech[1])
    assert all(map(np.array_equal, first, kept))


def librosa_input(samples):
    """The 42 channels by librosa alone, in float64, standardised."""
    y, common = samples.astype(np.float64), {"hop_length": 160}
    static = np.vstack(
        [
            librosa.feature.mfcc(y=y, sr=16_000, n_mfcc=13, n_fft=400, n_mels=40, **common),
            librosa.feature.rms(y=y, frame_length=400, **common),
        ]
    )
    first = librosa.feature.delta(static, width=5, mode="nearest")
    x = np.vstack([static, first, librosa.feature.delta(first, width=5, mode="nearest")])
    return ((x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)).T


def assert_extract_equals_librosa(samples):
    computed, expected = features.extract(samples), librosa_input(samples)
    assert np.abs(computed[: len(expected)] - expected[:400]).max() < 1e-4 and not computed[len(expected) :].any()
    exact = features.to_input(features.raw_channels(samples), features.FeatureSettings())
    assert np.abs(computed - exact).max() < 1e-4
    predicted = features.frames.extract_input(samples, features.FeatureSettings())  # without scipy
    assert np.abs(predicted - exact).max() < 1e-5
    unscaled, raw = features.extract(samples, znorm=False), features.raw_channels(samples)[:400]
    assert np.abs(unscaled[: len(raw)] - raw).max() < 1e-4


def test_extract_equals_librosa(speech):
    for samples in speech:
        assert_extract_equals_librosa(samples)


def test_extract_equals_librosa_on_real_files(real_data):
    for name in ("ravdess", "tess"):
        for path in corpora.load(name)["path"].iloc[::100]:
            assert_extract_equals_librosa(audio.read(path))


def test_constant_channels_become_zero():
    silence = features.extract(np.zeros(16_000, dtype=np.float32))
    assert not silence.any()
    assert not features.extract(np.zeros(16_000), features="13").any()
