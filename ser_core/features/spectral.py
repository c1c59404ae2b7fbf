"""Compute the spectral features of each frame: log-mel spectrogram, MFCC and root-mean-square energy.

The paper fixes 25 ms frames, a hop of 10 ms and 13 MFCC (II.D.1), and leaves the rest open. Here: a periodic Hann
window, an FFT as long as the frame, 40 Slaney mel bands from 0 Hz to half the sampling rate, power in dB with a range
of 80 dB, an orthonormal DCT-II, and frames centred on multiples of the hop with zeros beyond the ends. This equals
``librosa.feature.mfcc(y=y, sr=16000, n_mfcc=13, n_fft=400, hop_length=160, n_mels=40)`` and
``librosa.feature.rms(y=y, frame_length=400, hop_length=160)``, as the tests check.
"""

from functools import lru_cache

import numpy as np

from ser_core.audio import SAMPLE_RATE

FRAME_SECONDS, HOP_SECONDS = 0.025, 0.010
"""Length of a frame and hop between frames, seconds."""
N_MFCC, N_MELS = 13, 40
"""MFCC and mel bands of the paper's features."""
DYNAMIC_RANGE_DB = 80.0
"""Range of the log-mel spectrogram below its maximum, dB."""


def frame_sizes(rate: int = SAMPLE_RATE) -> tuple[int, int]:
    """Return the length of a frame and of the hop in samples.

    >>> frame_sizes(16_000)
    (400, 160)
    """
    return round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)


def framed(samples: np.ndarray, frame: int, hop: int) -> np.ndarray:
    """Cut a signal into frames centred on multiples of the hop, with zeros beyond both ends.

    Parameters
    ----------
    samples : float [samples]
    frame, hop : int
        length of a frame and hop between frames, samples

    Returns
    -------
    ndarray of float64 [1 + samples // hop, frame]

    Examples
    --------
    >>> framed(np.array([1.0, 2.0, 3.0, 4.0]), frame=2, hop=2)
    array([[0., 1.],
           [2., 3.],
           [4., 0.]])
    """
    padded = np.pad(np.asarray(samples, dtype=np.float64), frame // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]


@lru_cache(maxsize=8)
def mel_filters(rate: int, n_fft: int, n_mels: int = N_MELS) -> np.ndarray:
    """Compute triangular mel filters, with Slaney's scale and area normalisation.

    The scale is linear up to 1 kHz, then logarithmic.

    Parameters
    ----------
    rate : int
        sampling rate, Hz
    n_fft : int
        length of the Fourier transform, samples
    n_mels : int, default 40
        mel bands

    Returns
    -------
    ndarray of float64 [n_mels, n_fft // 2 + 1]
    """
    breakpoint_mel, log_step = 15.0, np.log(6.4) / 27.0

    def to_hz(mel):
        linear = mel * 200.0 / 3.0
        return np.where(mel < breakpoint_mel, linear, 1000.0 * np.exp(log_step * (mel - breakpoint_mel)))

    top = breakpoint_mel + np.log(rate / 2 / 1000.0) / log_step if rate > 2000 else rate / 2 * 3.0 / 200.0
    edges = to_hz(np.linspace(0.0, top, n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1.0 / rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


@lru_cache(maxsize=8)
def dct_matrix(n_out: int, n_in: int) -> np.ndarray:
    """Compute the first rows of the orthonormal DCT-II.

    Parameters
    ----------
    n_out : int
        rows
    n_in : int
        length of the transform

    Returns
    -------
    ndarray of float64 [n_out, n_in]

    Examples
    --------
    >>> square = dct_matrix(40, 40)
    >>> bool(np.allclose(square @ square.T, np.eye(40)))
    True
    """
    matrix = np.sqrt(2.0 / n_in) * np.cos(np.pi * np.outer(np.arange(n_out), np.arange(n_in) + 0.5) / n_in)
    matrix[0] /= np.sqrt(2.0)
    return matrix


def log_mel(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Compute the mel power spectrogram in dB, floored 80 dB below its maximum.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float64 [frames, 40]
    """
    frame, hop = frame_sizes(rate)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(frame) / frame)
    power = np.abs(np.fft.rfft(framed(samples, frame, hop) * window, axis=1)) ** 2
    decibel = 10.0 * np.log10(np.maximum(power @ mel_filters(rate, frame).T, 1e-10))
    return np.maximum(decibel, decibel.max() - DYNAMIC_RANGE_DB)


def mfcc(samples: np.ndarray, rate: int = SAMPLE_RATE, n_mfcc: int = N_MFCC) -> np.ndarray:
    """Compute mel-frequency cepstral coefficients (II.D.1).

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz
    n_mfcc : int, default 13
        coefficients, from the zeroth on

    Returns
    -------
    ndarray of float64 [frames, n_mfcc]
    """
    return log_mel(samples, rate) @ dct_matrix(n_mfcc, N_MELS).T


def rmse(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Compute the root-mean-square energy of each frame (Eq. 3).

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float64 [frames], 0 to 1 for samples within full scale

    Examples
    --------
    >>> float(rmse(np.full(1600, 0.25))[5])
    0.25
    """
    return np.sqrt(np.mean(framed(samples, *frame_sizes(rate)) ** 2, axis=1))
