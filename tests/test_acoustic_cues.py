"""Acoustic cues of a signal with known length, silence, level and DC offset."""

import numpy as np
import pytest

from ser_core.protocols import acoustic_cues

RATE = 16_000


def test_cues_of_a_tone_between_silences():
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    samples = np.concatenate([np.zeros(RATE // 2), 0.5 * tone, np.zeros(RATE // 4)])[:, None] + 0.01
    measured = acoustic_cues.measure_cues(samples.astype(np.float32), RATE)
    assert measured["seconds"] == pytest.approx(1.75)
    assert measured["leading_silence"] == pytest.approx(0.5, abs=0.02)
    assert measured["trailing_silence"] == pytest.approx(0.25, abs=0.02)
    assert measured["peak_dbfs"] == pytest.approx(20 * np.log10(0.51), abs=0.01)
    assert measured["dc_offset"] == pytest.approx(0.01, abs=1e-4)
    assert (measured["rate"], measured["channels"]) == (RATE, 1)
