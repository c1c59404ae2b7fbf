"""Compute the spectral features of each frame: log-mel spectrogram, MFCC and root-mean-square energy.

The paper fixes 25 ms frames, a hop of 10 ms and 13 MFCC (II.D.1), and leaves the rest open. Here: a periodic Hann
window, an FFT as long as the frame, 40 Slaney mel bands from 0 Hz to half the sampling rate, power in dB with a range
of 80 dB, an orthonormal DCT-II, and frames centred on multiples of the hop with zeros beyond the ends. This equals
``librosa.feature.mfcc(y=y, sr=16000, n_mfcc=13, n_fft=400, hop_length=160, n_mels=40)`` and
``librosa.feature.rms(y=y, frame_length=400, hop_length=160)``, as the tests check.
"""

from functools import lru_cache

import numpy as np

from ser_core._utils.kept_arrays import scratch
from ser_core.audio import SAMPLE_RATE
from ser_core.features.frame_power import frame_count, power_and_energy

FRAME_SECONDS, HOP_SECONDS = 0.025, 0.010
"""Length of a frame and hop between frames, seconds."""
N_MFCC, N_MELS = 13, 40
"""MFCC and mel bands of the paper's features."""
DYNAMIC_RANGE_DB = 80.0
"""Range of the log-mel spectrogram below its maximum, dB."""
LOWEST = 1e-10
"""Least power of a mel band."""
PART = 128
"""Least number of frames in a product with mel filters: matrix libraries add in another order for fewer."""


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


@lru_cache(maxsize=16)
def _band_groups(rate: int, n_fft: int) -> list[tuple[slice, slice, np.ndarray]]:
    """Return groups of eight neighbouring mel bands: their bins, the bands, and the filters [bins, bands].

    The filters of all bands are zero in most bins; their product with the power spectrum costs five times as much.
    """
    filters = mel_filters(rate, n_fft)
    groups = []
    for first in range(0, N_MELS, 8):
        bands = slice(first, first + 8)
        used = np.nonzero(filters[bands].any(axis=0))[0]
        bins = slice(int(used.min()), int(used.max()) + 1) if len(used) else slice(0, 1)
        groups.append((bins, bands, np.ascontiguousarray(filters[bands, bins].T)))
    return groups


def _multiply_filters(power: np.ndarray, rate: int, n_fft: int, out: np.ndarray) -> None:
    """Write the product of a power spectrum [frames, bins] and the mel filters to ``out`` [frames, 40]."""
    if len(power) >= PART and _groups_are_exact(rate, n_fft):
        _multiply_groups(power, rate, n_fft, out)
    else:
        np.matmul(power, mel_filters(rate, n_fft).T, out=out)


def _multiply_groups(power: np.ndarray, rate: int, n_fft: int, out: np.ndarray) -> None:
    for bins, bands, filters in _band_groups(rate, n_fft):
        np.matmul(power[:, bins], filters, out=out[:, bands])


@lru_cache(maxsize=16)
def _groups_are_exact(rate: int, n_fft: int) -> bool:
    """Return whether the products of groups have the bits of the whole product; that depends on the processor."""
    random = np.random.default_rng(0)
    for count in (PART, PART + 1, PART + 7):
        power, made = random.random((count, n_fft // 2 + 1)), np.empty((count, N_MELS))
        _multiply_groups(power, rate, n_fft, made)
        if not np.array_equal(made, power @ mel_filters(rate, n_fft).T):
            return False
    return True


def _parts(count: int) -> list[tuple[int, int]]:
    """Cut frames into parts whose power spectrum is held at once: the limits of each.

    A product of parts has the bits of the whole product: all parts but the last have :data:`PART` frames, a multiple of
    what matrix libraries compute at once, and the last has what is left, so that it ends as the whole does.
    """
    starts = [PART * i for i in range(max(1, count // PART))]
    return list(zip(starts, [*starts[1:], count]))


def mel_and_energy(samples: np.ndarray, rate: int = SAMPLE_RATE) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mel power spectrogram and the mean square of each frame, in one pass.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    mel : ndarray of float64 [frames, 40]
        stands until the next call in the same thread
    energy : ndarray of float64 [frames]
    """
    frame, hop = frame_sizes(rate)
    count = frame_count(len(samples), frame, hop)
    mel, energy = scratch("mel", count, N_MELS), np.empty(count)
    for start, end in _parts(count):
        power, energy[start:end] = power_and_energy(samples, frame, hop, first=start, last=end)
        _multiply_filters(power, rate, frame, mel[start:end])
    return mel, energy


def to_decibel(mel: np.ndarray) -> np.ndarray:
    """Convert a mel power spectrogram to dB in place, floored 80 dB below its maximum.

    Parameters
    ----------
    mel : float [frames, bands]
        overwritten

    Returns
    -------
    ndarray of float [frames, bands]
        the same array
    """
    np.maximum(mel, LOWEST, out=mel)
    np.log10(mel, out=mel)
    mel *= 10.0
    return np.maximum(mel, mel.max() - DYNAMIC_RANGE_DB, out=mel)


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
    return to_decibel(mel_and_energy(samples, rate)[0]).copy()


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
    return np.sqrt(mel_and_energy(samples, rate)[1])
