"""Compute log-mel images: the input of the networks that the paper compares with."""

import numpy as np

from ser_core.features import spectral
from ser_core.features.frame_power import power_and_energy

BANDS, WINDOW, FFT, HOP, RATE = 128, 512, 1024, 256, 48_000
"""Of the log-mel image: bands; window, Fourier transform and hop in samples; sampling rate, Hz."""
START, SECONDS = 0.5, 3.0
"""Start and length of the part of an utterance in the log-mel image, seconds."""


def log_mel_image(samples: np.ndarray, rate: int, *, bands: int, window: int, n_fft: int, hop: int) -> np.ndarray:
    """Compute the mel power spectrogram in dB below its maximum, with a range of 80 dB.

    The frames are under a periodic Hamming window, zero-padded to ``n_fft`` and centred on multiples of ``hop``. This
    equals ``librosa.power_to_db(librosa.feature.melspectrogram(..., win_length=window, window="hamming"), ref=max)``.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz
    bands : int
        mel bands
    window, n_fft, hop : int
        length of a frame, of the Fourier transform and of the hop, samples

    Returns
    -------
    ndarray of float32 [1 + samples // hop, bands], -80 to 0
    """
    power, _ = power_and_energy(samples, window, hop, window="hamming", n_fft=n_fft)
    decibel = 10.0 * np.log10(np.maximum(power @ spectral.mel_filters(rate, n_fft, bands).T, 1e-10))
    return np.maximum(decibel - decibel.max(), -spectral.DYNAMIC_RANGE_DB).astype(np.float32)


def middle_three_seconds(samples: np.ndarray, rate: int) -> np.ndarray:
    """Cut three seconds of a signal from 0.5 s on, or pad it with zeros; signals below 1 s are cut from their start.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float [3 x rate]

    Examples
    --------
    >>> middle_three_seconds(np.arange(10.0), rate=2)
    array([1., 2., 3., 4., 5., 6.])
    """
    start = round(START * rate) if len(samples) > rate else 0
    length = round(SECONDS * rate)
    cut = samples[start : start + length]
    return np.pad(cut, (0, length - len(cut)))


def of_three_seconds(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the log-mel image of three seconds: float32 [frames, 128]."""
    return log_mel_image(
        middle_three_seconds(samples, rate), rate, bands=BANDS, window=WINDOW, n_fft=FFT, hop=HOP
    )  # fmt: skip


def small_of_three_seconds(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute a smaller log-mel image: 64 bands, 129 frames of 64 ms every 23.4 ms at 16 kHz."""
    hop = round(SECONDS * rate / 128)
    return log_mel_image(middle_three_seconds(samples, rate), rate, bands=64, window=1024, n_fft=1024, hop=hop)
