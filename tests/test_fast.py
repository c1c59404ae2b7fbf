"""Mel bands and energy of the fast way equal those that are stored, at any rate and length, and by parts."""

import numpy as np
import pytest
from scipy.signal import stft

from ser_core.features import fast, spectral


def noise(seconds, rate=16_000):
    random = np.random.default_rng(3)
    return (random.normal(0, 0.1, round(seconds * rate)) * random.random(round(seconds * rate))).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
@pytest.mark.parametrize("seconds", [0.1, 1.0, 5.3])
def test_bands_and_energy_are_those_of_the_stored_features(rate, seconds):
    samples = noise(seconds, rate)
    mel, energy = (values.copy() for values in spectral.mel_and_energy(samples, rate))
    for kind, tolerance in (("float64", 1e-10), ("float32", 1e-3)):
        fast_mel, fast_energy = fast.mel_and_energy(samples, rate, kind=kind)
        assert fast_mel.dtype == kind and fast_energy.dtype == kind
        np.testing.assert_allclose(fast_mel, mel, rtol=tolerance, atol=1e-12)
        np.testing.assert_allclose(fast_energy, energy, rtol=tolerance / 10)


def test_bands_are_those_of_scipy():
    samples = noise(2.0).astype(np.float64)
    _, _, spectrum = stft(samples, 16_000, "hann", nperseg=400, noverlap=240, boundary="zeros", padded=False)
    power = np.abs(spectrum * 200.0) ** 2  # scipy divides by the sum of the window
    mel, _ = fast.mel_and_energy(samples)
    np.testing.assert_allclose(mel[: power.shape[1]], (spectral.mel_filters(16_000, 400) @ power).T, rtol=1e-9)


def test_a_range_of_frames_is_that_part_of_all():
    samples = noise(3.0)
    mel, energy = (values.copy() for values in fast.mel_and_energy(samples))
    for first, last in ((0, 2), (5, 150), (299, 301), (7, 7)):
        part = fast.mel_and_energy(samples, first=first, last=last)
        np.testing.assert_allclose(part[0], mel[first:last], rtol=1e-10)
        np.testing.assert_allclose(part[1], energy[first:last], rtol=1e-10)


@pytest.mark.parametrize("count", [1, 97, 98, 99, 391, 1_000])
def test_blocks_are_all_frames_in_order(count):
    limits = fast.blocks(count)
    assert [frame for start, end in limits for frame in range(start, end)] == list(range(count))
    sizes = [end - start for start, end in limits]
    assert max(sizes) <= fast.BLOCK and max(sizes) - min(sizes) <= len(sizes)


def test_products_stay_on_one_thread():
    for kind in ("float64", "float32"):
        for group in fast._groups(16_000, 400, kind):
            assert group.rows >= 1 and group.rows * group.weights.size < fast.SINGLE


def test_filters_of_bands_without_bins_are_zero():
    groups = fast.make_groups(np.zeros((3, 5)))
    out = np.ones((2, 3))
    fast.multiply_groups(np.ones((2, 10)), groups, out)
    assert not out.any()


def test_without_scipy_the_precision_is_float64(monkeypatch):
    assert fast.fastest_kind() == "float32"
    fast.fastest_kind.cache_clear()
    monkeypatch.setattr(fast.importlib.util, "find_spec", lambda name: None)
    try:
        assert fast.fastest_kind() == "float64"
    finally:
        fast.fastest_kind.cache_clear()
