"""Noise reduction and levels, on constructed signals."""

import numpy as np
import pytest

from ser_core import audio


def tone(level=0.5, seconds=1.0):
    return level * np.sin(2 * np.pi * 440.0 * np.arange(int(16_000 * seconds)) / 16_000)


def test_noise_reduction_raises_the_signal_to_noise_ratio():
    random = np.random.default_rng(0)
    clean = np.zeros(32_000)
    clean[8_000:24_000] = tone()
    noisy = clean + random.normal(0, 0.05, len(clean))
    before = np.mean((noisy - clean) ** 2)
    after = np.mean((audio.reduce_noise(noisy) - clean) ** 2)
    assert after < before / 4


def test_level_of_a_full_scale_sine():
    level = audio.measure_level(tone(level=1.0))
    assert level["peak_dbfs"] == pytest.approx(0.0, abs=0.01)
    assert level["rms_dbfs"] == pytest.approx(-3.01, abs=0.01)


def test_normalisation_keeps_silence():
    assert np.abs(audio.peak_normalise(tone())).max() == 1.0
    assert not audio.peak_normalise(np.zeros(10)).any()
