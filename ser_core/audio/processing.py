"""Process signals: resample, normalise, reduce noise, measure the level."""

import numpy as np

SAMPLE_RATE = 16_000
"""Sampling rate of every signal after reading, Hz. The paper gives only "a uniform sampling rate" (II.B)."""


def resample(samples: np.ndarray, rate: int, target: int = SAMPLE_RATE) -> np.ndarray:
    """Resample a signal (soxr, HQ).

    Parameters
    ----------
    samples : float [samples] or [samples, channels]
    rate : int
        sampling rate of ``samples``, Hz
    target : int, default 16,000
        sampling rate of the result, Hz

    Returns
    -------
    ndarray of the same type; ``samples`` itself where the rates are equal

    Examples
    --------
    >>> resample(np.zeros(48_000, np.float32), 48_000, 16_000).shape
    (16000,)
    """
    import soxr

    return samples if rate == target else soxr.resample(samples, rate, target)


def peak_normalise(samples: np.ndarray) -> np.ndarray:
    """Scale a signal to a peak of 1 (II.B, "amplitude-normalized").

    Parameters
    ----------
    samples : float [any shape]

    Returns
    -------
    ndarray of the same shape; silence, and what has a peak of 1, is returned unchanged

    Examples
    --------
    >>> peak_normalise(np.array([0.25, -0.5]))
    array([ 0.5, -1. ])
    """
    samples = np.asarray(samples)
    peak = peak_of(samples)
    return samples / peak if peak > 0 and peak != 1 else samples


def peak_of(samples: np.ndarray) -> np.floating:
    """Return the largest absolute value of a signal; 0 for an empty one.

    >>> float(peak_of(np.array([0.25, -0.5])))
    0.5
    """
    return max(samples.max(initial=0.0), -samples.min(initial=0.0))


def reduce_noise(samples: np.ndarray, rate: int = SAMPLE_RATE, *, floor_db: float = -20.0) -> np.ndarray:
    """Reduce noise by spectral gating: a plain reading of "basic noise reduction techniques" (II.B).

    The paper names no technique. The noise spectrum is the mean power of the quietest tenth of the 32 ms frames. Each
    time-frequency bin gets the Wiener gain ``1 - noise / power``, not below ``floor_db``.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz
    floor_db : float, default -20
        smallest gain, dB

    Returns
    -------
    ndarray of float32 [samples], of the same length
    """
    from scipy.signal import istft, stft

    width = min(int(0.032 * rate), len(samples))
    _, _, spectrum = stft(samples, rate, nperseg=width, noverlap=width * 3 // 4)
    power = np.abs(spectrum) ** 2
    loudness = power.sum(axis=0)
    quiet = loudness <= np.quantile(loudness, 0.1)
    noise = power[:, quiet].mean(axis=1, keepdims=True)
    gain = np.maximum(1.0 - noise / np.maximum(power, 1e-20), 10.0 ** (floor_db / 20.0))
    _, cleaned = istft(spectrum * gain, rate, nperseg=width, noverlap=width * 3 // 4)
    cleaned = np.pad(cleaned, (0, max(0, len(samples) - len(cleaned))))[: len(samples)]
    return cleaned.astype(np.float32)


def preprocess(
    samples: np.ndarray, rate: int, *, target: int = SAMPLE_RATE, normalise: bool = True, denoise: bool = False
) -> np.ndarray:
    """Convert a signal to mono at one rate, and clean it up.

    Parameters
    ----------
    samples : float [samples] or [samples, channels]
    rate : int
        sampling rate of ``samples``, Hz
    target : int, default 16,000
        sampling rate of the result, Hz
    normalise : bool, default True
        scale to a peak of 1
    denoise : bool, default False
        apply :func:`reduce_noise` first

    Returns
    -------
    ndarray of float32 [samples]
    """
    mono = np.ascontiguousarray(resample(to_mono(samples), rate, target), dtype=np.float32)
    if denoise:
        mono = reduce_noise(mono, target)
    if normalise and rate != target and (peak := peak_of(mono)) > 0:
        return np.divide(mono, peak, out=mono)  # nobody else has this array
    return peak_normalise(mono).astype(np.float32, copy=False) if normalise else mono


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Take the mean over the channels of a signal.

    Parameters
    ----------
    samples : float [samples] or [samples, channels]

    Returns
    -------
    ndarray of float [samples]

    Examples
    --------
    >>> to_mono(np.array([[0.0, 1.0], [0.5, 0.5]]))
    array([0.5, 0.5])
    """
    if samples.ndim == 1:
        return samples
    if samples.shape[1] == 1:  # the same values as the mean, which takes five times as long over single values
        return samples[:, 0] + np.zeros((), dtype=samples.dtype)
    return samples.mean(axis=1)


def measure_level(samples: np.ndarray) -> dict[str, float]:
    """Measure the level of a signal.

    Parameters
    ----------
    samples : float [any shape]
        full scale is 1

    Returns
    -------
    dict of float
        ``peak_dbfs`` and ``rms_dbfs`` (dB relative to full scale), ``dc_offset`` (mean)

    Examples
    --------
    >>> measure_level(np.array([1.0, -1.0]))
    {'peak_dbfs': 0.0, 'rms_dbfs': 0.0, 'dc_offset': 0.0}
    """
    x = np.asarray(samples, dtype=np.float64)
    return {
        "peak_dbfs": _to_decibel(np.abs(x).max()),
        "rms_dbfs": _to_decibel(np.sqrt(np.mean(x**2))),
        "dc_offset": float(x.mean()),
    }


def _to_decibel(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, 1e-10)))
