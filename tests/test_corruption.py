"""Corrupted copies for training: properties of each kind, measured by independent formulas."""

import numpy as np
import pytest
from scipy.signal import welch

from ser_core import audio, corpora
from ser_core.audio import corruption

RATE = 16_000
KINDS = tuple(corruption.CORRUPTIONS)


@pytest.fixture(scope="module")
def speech():
    return audio.read(corpora.load("demo")["path"].iloc[5], normalise=False)


def decibel(ratio):
    return 10 * np.log10(np.maximum(ratio, 1e-12))


def power(x, low=0.0, high=RATE / 2):
    frequency, density = welch(x, RATE, nperseg=512)
    return density[(frequency >= low) & (frequency <= high)].mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_copy_keeps_length_and_input_and_is_fixed_by_utterance_and_number(speech, kind, rate):
    samples = speech[:rate].copy()
    first = corruption.corrupt(samples, kind, rate=rate, copy=1)
    assert first.dtype == np.float32 and first.shape == samples.shape and np.isfinite(first).all()
    np.testing.assert_array_equal(corruption.corrupt(samples, kind, rate=rate, copy=1), first)
    np.testing.assert_array_equal(samples, speech[:rate])
    assert not np.array_equal(first, samples)
    others = [corruption.corrupt(samples, kind, rate=rate, copy=number) for number in range(2, 6)]
    assert any(not np.array_equal(first, other) for other in others) == (kind != "telephone")


@pytest.mark.parametrize("kind", ["white", "room tone", "babble", "own babble"])
def test_noise_lies_within_its_levels_below_a_steady_tone(kind):
    """The active level of a steady tone is its mean power, half the squared amplitude."""
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)
    ratios = [
        decibel(0.045 / np.mean((corruption.corrupt(tone, kind, rate=RATE, copy=n) - tone) ** 2)) for n in range(12)
    ]
    low, high = corruption.SNR_DB
    assert low - 0.2 < min(ratios) < low + 12 and high - 12 < max(ratios) < high + 0.2


def test_room_tone_falls_with_frequency_by_the_drawn_slope():
    class Steep:
        """Draw the steepest slope, and usual noise."""

        uniform = staticmethod(lambda low, high: high)
        normal = staticmethod(np.random.default_rng(0).normal)

    noise = corruption.room_tone(20 * RATE, RATE, Steep)
    octaves = np.log2(4000 / 500)
    fall = decibel(power(noise, 480, 520) / power(noise, 3900, 4100))
    assert fall == pytest.approx(octaves * 20 * np.log10(2) * corruption.ROOM_TONE_SLOPE[1], abs=1.5)


def test_own_babble_has_the_bands_of_the_speaker_and_no_waveform_of_the_utterance(speech):
    babble = corruption.own_babble(speech, RATE, np.random.default_rng(0))
    long = decibel([power(signal, 100, 1000) / power(signal, 4000, 7000) for signal in (speech, babble)])
    assert abs(long[0] - long[1]) < 6
    assert abs(np.corrcoef(speech, babble)[0, 1]) < 0.3


def test_a_room_leaves_a_tail_and_a_line_has_no_low_or_high_frequencies(speech):
    click = np.zeros(RATE)
    click[100] = 0.5
    for number in range(4):
        tail = corruption.corrupt(click, "reverb", rate=RATE, copy=number)
        assert tail[100] == pytest.approx(0.5, rel=1e-5) and np.abs(tail[:100]).max() < 1e-6
        ratio = decibel(0.25 / np.sum(tail[101:] ** 2))
        assert corruption.DIRECT_DB[0] - 0.5 < ratio < corruption.DIRECT_DB[1] + 0.5
    noise = 0.1 * np.random.default_rng(1).normal(size=2 * RATE)
    line = corruption.corrupt(noise, "telephone", rate=RATE)
    assert decibel(power(line, 500, 3000) / power(line, 4200, 8000)) > 25
    narrow = corruption.corrupt(noise, "band", rate=RATE)
    assert decibel(power(narrow, 500, 2400) / power(narrow, 7900, 8000)) > 10


def test_codecs_are_conditions_that_exist():
    from ser_core.audio import degradation

    for name in corruption.CODECS:
        degradation.check_condition(name)


@pytest.mark.parametrize("kind", KINDS)
def test_silence_stays_finite(kind):
    assert np.isfinite(corruption.corrupt(np.zeros(RATE // 4), kind, rate=RATE)).all()
