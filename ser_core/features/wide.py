"""Compute the further channels that II.C lists and the paper then drops, by librosa."""

from typing import Any

import numpy as np

from ser_core.audio import SAMPLE_RATE
from ser_core.features.frames import delta
from ser_core.features.spectral import N_MELS, frame_sizes, rmse


def wide_channels(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Compute the seven further channels of II.C before scaling, by librosa.

    They are the zero-crossing rate (fraction of samples), the pitch (semitones above 55 Hz by YIN, 0 where unvoiced),
    voicing (0 or 1), the spectral centroid and the 85 % roll-off (Hz), the slope of the pitch over 90 ms (semitones per
    frame) and the onset strength. A frame is voiced within 35 dB of the loudest frame and with a zero-crossing rate
    below a quarter.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float64 [frames, 7], in the order of :data:`ser_core.features.frames.WIDE_EXTRAS`
    """
    import librosa

    frame, hop = frame_sizes(rate)
    y = np.asarray(samples, dtype=np.float32)
    energy = rmse(samples, rate)
    count = len(energy)
    common: dict[str, Any] = {"n_fft": frame, "hop_length": hop}
    zcr = librosa.feature.zero_crossing_rate(y, frame_length=frame, hop_length=hop)[0]
    pitch = librosa.yin(y, fmin=65.0, fmax=600.0, sr=rate, frame_length=4 * frame, hop_length=hop)
    centroid = librosa.feature.spectral_centroid(y=y, sr=rate, **common)[0]
    rolloff = librosa.feature.spectral_rolloff(y=y, sr=rate, **common)[0]
    onset = librosa.onset.onset_strength(y=y, sr=rate, n_mels=N_MELS, **common)
    zcr, pitch, centroid, rolloff, onset = (np.resize(x, count) for x in (zcr, pitch, centroid, rolloff, onset))
    voiced = (energy > energy.max() * 10.0 ** (-35.0 / 20.0)) & (zcr < 0.25)
    semitones = np.where(voiced, 12.0 * np.log2(np.maximum(pitch, 55.0) / 55.0), 0.0)
    slope = delta(semitones[:, None], n=4)[:, 0]
    return np.column_stack([zcr, semitones, voiced.astype(float), centroid, rolloff, slope, onset])
