"""Functionals of spectrum, pitch and voice: against SciPy, closed forms and sounds whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from ser_core.audio import corruption
from ser_core.features import voice

RATE = 16_000
SECONDS = np.arange(2 * RATE) / RATE


def tone(hertz: float, amplitude: float = 0.3) -> np.ndarray:
    """Return two seconds of a vowel-like tone: ten harmonics that fall off."""
    return amplitude * sum(np.sin(2 * np.pi * hertz * k * SECONDS) / k**2 for k in range(1, 11))


@pytest.mark.parametrize("hertz", [80, 125, 200, 320])
def test_the_pitch_of_a_tone_is_its_frequency(hertz):
    frames = voice.describe_frames(tone(hertz), RATE)
    assert 100 * 2 ** np.median(frames.pitch) == pytest.approx(hertz, rel=0.01)  # lags are whole samples
    assert frames.voiced[5:-5].all()
    assert np.median(frames.shape[:, 5]) > 0.9


def test_noise_has_no_pitch():
    frames = voice.describe_frames(np.random.default_rng(0).normal(size=2 * RATE), RATE)
    assert frames.speech[5:-5].all()
    assert frames.voiced.mean() < 0.05


def test_moments_are_those_of_scipy():
    values = np.random.default_rng(1).gamma(2.0, size=(200, 3))
    mean, deviation, skewness, kurtosis, *percentiles = voice.moments(values).reshape(8, 3)
    np.testing.assert_allclose(mean, values.mean(axis=0))
    np.testing.assert_allclose(deviation, values.std(axis=0), rtol=1e-3)
    np.testing.assert_allclose(skewness, stats.skew(values), rtol=1e-2)
    np.testing.assert_allclose(kurtosis**4, stats.kurtosis(values, fisher=False), rtol=1e-2)
    np.testing.assert_allclose(percentiles[0], stats.scoreatpercentile(values, 5, axis=0))


def test_a_gain_changes_levels_alone():
    rng = np.random.default_rng(2)
    x = tone(150) * (1.2 + np.sin(2 * np.pi * 3 * SECONDS)) + 0.001 * rng.normal(size=len(SECONDS))
    quiet, loud = (voice.describe_frames(gain * x, RATE) for gain in (1.0, 2.0))
    decibel = 20 * np.log10(2.0)
    np.testing.assert_allclose(loud.log_mel - quiet.log_mel, decibel, atol=0.01)
    np.testing.assert_allclose(loud.shape[:, 0] - quiet.shape[:, 0], decibel, atol=0.01)
    np.testing.assert_allclose(loud.shape[:, 1:], quiet.shape[:, 1:], atol=0.01)
    np.testing.assert_array_equal(loud.speech, quiet.speech)


@pytest.mark.parametrize(("hertz", "band"), [(1.5, 1), (4.0, 3), (9.0, 6), (20.0, 8)])
def test_modulation_is_strongest_in_its_band(hertz, band):
    course = 6.0 * np.sin(2 * np.pi * hertz * np.arange(300) * voice.HOP)
    power = voice.modulation(np.tile(course[:, None], voice.BANDS)).reshape(-1, voice.GROUPS)
    assert power.shape[0] == len(voice.MODULATION_HZ) - 1
    assert set(power.argmax(axis=0)) == {band}


def test_correlations_are_those_of_numpy_and_zero_for_a_constant():
    values = np.random.default_rng(3).normal(size=(50, 4))
    values[:, 3] += values[:, 0]
    expected = np.corrcoef(values.T)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(voice._correlations(values), expected, atol=1e-12)
    values[:, 2] = 7.0
    assert (voice._correlations(values)[[1, 3, 5]] == 0.0).all()


def test_a_faster_copy_has_a_higher_pitch():
    values = voice.at_speeds(tone(160).astype(np.float32), RATE)
    assert values.shape == (len(voice.SPEEDS), voice.SIZE)
    first = voice.voice_functionals(tone(160).astype(np.float32), RATE)
    np.testing.assert_array_equal(values[0], first)
    start = 16 * (voice.CEPSTRUM + 6) + 8 * voice.BANDS  # the mean pitch follows the moments of descriptors and bands
    shifts = values[1:, start] - values[0, start]
    np.testing.assert_allclose(shifts, np.log2(voice.SPEEDS[1:]), atol=0.02)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE), np.zeros(1), np.ones(100), np.array([0.5]), np.random.default_rng(4).normal(size=700),
        np.concatenate([np.zeros(RATE), tone(200)[:1000], np.zeros(RATE)]), 1e-6 * tone(100),
    ],
    ids=["silence", "one zero", "constant", "one sample", "44 ms", "a blip", "very quiet"],
)  # fmt: skip
def test_every_recording_has_finite_functionals(samples):
    values = voice.voice_functionals(samples.astype(np.float32), RATE)
    assert values.shape == (voice.SIZE,)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_corrupted_copies_follow_the_rows_at_all_speeds():
    samples = tone(125) * np.hanning(len(SECONDS))
    rows = voice.with_corrupted(samples, RATE)
    assert rows.shape == (len(voice.SPEEDS) + len(voice.CORRUPTED), voice.SIZE) and np.isfinite(rows).all()
    np.testing.assert_array_equal(rows[: len(voice.SPEEDS)], voice.at_speeds(samples, RATE))
    np.testing.assert_array_equal(rows, voice.with_corrupted(samples.copy(), RATE))
    assert len(np.unique(rows, axis=0)) == len(rows)
    source = voice._played(samples, RATE)[2]
    third = corruption.corrupt(source, voice.CORRUPTED[2], rate=RATE, copy=2)
    third *= np.abs(source).max() / np.abs(third).max()  # the level of a copy says nothing of its corruption
    np.testing.assert_allclose(rows[len(voice.SPEEDS) + 2], voice.voice_functionals(third, RATE), rtol=1e-3, atol=1e-3)
