"""Each augmentation technique stays within its range and is fixed by its seed."""

import numpy as np
import pytest

from ser_core import audio, corpora
from ser_core._utils.errors import SerError
from ser_core.audio import augmentation


@pytest.fixture(scope="module")
def speech():
    return audio.read(corpora.load("demo")["path"].iloc[5])


def test_noise_has_the_requested_signal_to_noise_ratio(speech):
    ratios = []
    for seed in range(30):
        noise = augmentation.augment(speech, "noise", key="a", seed=seed) - speech
        ratios.append(10 * np.log10(np.mean(speech.astype(float) ** 2) / np.mean(noise.astype(float) ** 2)))
    assert 9.8 < min(ratios) < 12.5 and 17.5 < max(ratios) < 20.2


def test_noise_is_gaussian_and_white(speech):
    from scipy.stats import kurtosis

    noise = augmentation.augment(speech, "noise", key="a").astype(float) - speech
    assert abs(kurtosis(noise)) < 0.1
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.03


def test_stretch_changes_the_length_within_its_range(speech):
    lengths = [len(augmentation.augment(speech, "stretch", key="a", seed=s)) / len(speech) for s in range(10)]
    assert min(lengths) >= 1 / 1.1 - 0.01 and max(lengths) <= 1 / 0.9 + 0.01 and np.ptp(lengths) > 0.05


def test_stretch_keeps_and_pitch_changes_the_frequency():
    tone = np.sin(2 * np.pi * 400 * np.arange(32_000) / 16_000).astype(np.float32)

    def peak(y):
        middle = y[4_000:-4_000]
        return np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))) * 16_000 / len(middle)

    assert peak(augmentation.augment(tone, "stretch", key="a")) == pytest.approx(400, abs=4)
    semitones = [12 * np.log2(peak(augmentation.augment(tone, "pitch", key="a", seed=s)) / 400) for s in range(10)]
    assert max(np.abs(semitones)) <= 2.1 and np.ptp(semitones) > 1.0


def test_shift_fills_with_zeros_and_keeps_the_length(speech):
    for seed in range(6):
        shifted = augmentation.augment(speech, "shift", key="a", seed=seed)
        assert len(shifted) == len(speech)
        lags = [
            k for k in range(-1600, 1601) if np.array_equal(shifted[max(k, 0) :][:4000], speech[max(-k, 0) :][:4000])
        ]
        assert lags, "no lag within 0.1 s explains the copy"


@pytest.mark.parametrize("technique", list(augmentation.TECHNIQUES))
def test_the_seed_and_the_utterance_fix_the_copy(speech, technique):
    first = augmentation.augment(speech, technique, key="a", seed=1)
    assert np.array_equal(first, augmentation.augment(speech, technique, key="a", seed=1))
    for other in ({"key": "b", "seed": 1}, {"key": "a", "seed": 2}, {"key": "a", "seed": 1, "copy": 1}):
        copy = augmentation.augment(speech, technique, **other)
        assert copy.shape != first.shape or not np.array_equal(copy, first)


def test_the_ranges_can_be_set(speech):
    loud = (
        augmentation.augment(speech, "noise", key="a", ranges=augmentation.Ranges(snr_low=0.0, snr_high=0.0)) - speech
    )
    assert np.mean(loud.astype(float) ** 2) == pytest.approx(np.mean(speech.astype(float) ** 2), rel=0.05)


def test_names_of_techniques_are_checked():
    assert augmentation.parse_techniques("noise, pitch") == ("noise", "pitch")
    assert augmentation.parse_techniques("none") == augmentation.parse_techniques("") == ()
    with pytest.raises(SerError, match="echo"):
        augmentation.parse_techniques("noise,echo")
