"""openSMILE's functionals: full scale, short recordings and two levels."""

import importlib.util

import numpy as np
import pytest

from ser_core.features import inputs, opensmile_sets

needs_opensmile = pytest.mark.skipif(not importlib.util.find_spec("opensmile"), reason="needs the extra opensmile")


def vowel(peak=1.0, seconds=1.0, rate=16_000):
    """A harmonic tone of 150 Hz whose largest sample is ``peak`` exactly."""
    t = np.arange(round(seconds * rate)) / rate
    y = sum(np.sin(2 * np.pi * 150 * k * t + k) / k for k in range(1, 12)) * np.hanning(len(t))
    return (y / y.max() * peak).astype(np.float32)


def test_samples_below_full_scale_are_unchanged():
    y = vowel(0.5)
    assert opensmile_sets.below_full_scale(y) is y
    assert opensmile_sets.below_full_scale(np.array([-1.0, 0.5])).min() == -1.0  # 16 bits hold -1.0


@pytest.mark.parametrize("peak", [1.0, 1.7, np.float32(32_767.5 / 32_768)])
def test_no_sample_exceeds_what_16_bits_hold(peak):
    scaled = opensmile_sets.below_full_scale(np.float32([0.1, peak, -peak]))
    assert round(float(scaled.max()) * 32_768) <= 32_767 and scaled.min() >= -1.0
    assert np.isclose(scaled[0] / scaled[1], 0.1 / peak)


@needs_opensmile
def test_a_peak_at_full_scale_gives_the_functionals_of_one_just_below():
    import opensmile

    at_full_scale, below = (opensmile_sets.functionals(vowel(peak), 16_000, name="egemaps") for peak in (1.0, 0.999))
    assert np.allclose(at_full_scale, below, rtol=0.02, atol=0.05)
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    clicked = smile.process_signal(vowel(1.0), 16_000).to_numpy()[0]
    assert not np.allclose(clicked, below, rtol=0.02, atol=0.05), "openSMILE no longer wraps +1.0 around"


@needs_opensmile
def test_two_levels_are_the_recording_and_its_normalised_form():
    y = vowel(0.2)
    both = inputs.RAW["egemaps_levels"](y, 16_000)
    assert both.shape == (2, 88) and both.dtype == np.float32
    assert np.array_equal(both[0], opensmile_sets.functionals(y, 16_000, name="egemaps"))
    normalised = y / np.abs(y).max() * np.float32(0.99)
    assert np.array_equal(both[1], opensmile_sets.functionals(normalised, 16_000, name="egemaps"))
    assert not np.allclose(both[0], both[1])


@needs_opensmile
def test_a_short_recording_is_padded():
    assert np.isfinite(opensmile_sets.functionals(vowel(seconds=0.1), 16_000, name="egemaps")).all()
