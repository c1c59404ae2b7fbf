"""One way in for every signal: file or bytes to mono float32 samples at one rate.

``libsndfile`` decides by content what a file holds, so that AIFF data in a ``.wav`` name is read as what it is;
``soxr`` resamples. Whatever cannot be used is refused with one line that names the file
(:class:`~ser_core._utils.errors.SerError`).
"""

import contextlib
import io
import os
import re
import stat
from pathlib import Path

import numpy as np

from ser_core._utils.console import silence_stderr
from ser_core._utils.errors import SerError

SAMPLE_RATE = 16_000
"""Rate of every signal after reading, in Hz. The paper says only "a uniform sampling rate" (II.B)."""
SUFFIXES = (".wav", ".flac", ".ogg", ".aif", ".aiff", ".mp3")
SHORTEST, LONGEST = 0.1, 3600.0
"""Accepted lengths in seconds."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
HIGHEST_SAMPLE = 1e12
"""Far above full scale in 32-bit integers, which some programs write as floats."""
SILENCE = 1e-4
"""Peak deviation from the mean (full scale is 1) below which a signal is called silent: -80 dBFS."""
_KNOWN_STARTS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM")
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


def _open(source: str | os.PathLike | bytes, name: str):
    import soundfile

    if isinstance(source, bytes | bytearray | memoryview):
        if len(source) == 0:
            raise SerError(f"{name}: empty file (0 bytes); give a recording")
        handle = io.BytesIO(bytes(source))
    else:
        path = Path(source)
        try:
            status = path.stat()
        except FileNotFoundError:
            raise SerError(f"{name}: no such file; check the name") from None
        except (PermissionError, OSError) as error:
            raise SerError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None
        if stat.S_ISDIR(status.st_mode):
            empty = os.access(path, os.R_OK) and not any(path.iterdir())
            told = "it is empty" if empty else "name the recordings in it"
            raise SerError(f"{name}: is a folder, not a recording; {told}")
        if not stat.S_ISREG(status.st_mode):
            raise SerError(f"{name}: is not a regular file; give a recording")
        if status.st_size == 0:
            raise SerError(f"{name}: empty file (0 bytes); give a recording")
        try:
            handle = path.open("rb")
        except OSError as error:
            raise SerError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None
    try:
        with _quietly(handle):
            return soundfile.SoundFile(handle)
    except (soundfile.LibsndfileError, TypeError):
        handle.close()
        raise SerError(f"{name}: not audio that can be read; wav, flac, ogg, mp3 and aiff are") from None


def _quietly(handle):
    """Out of sight what libmpg123, to which everything without another beginning is given, says of damaged files."""
    start = handle.read(4)
    handle.seek(0)
    return contextlib.nullcontext() if start in _KNOWN_STARTS else silence_stderr()


def decode(source: str | os.PathLike | bytes, name: str | None = None) -> tuple[np.ndarray, int, dict]:
    """Read and check a recording as it is.

    Parameters
    ----------
    source : path, or the bytes of a file
    name : what to call it in messages; the path by default

    Returns
    -------
    samples : float32 [samples, channels], full scale is 1
    rate : int, in Hz
    container : dict with ``format`` and ``subtype`` as libsndfile names them

    Raises
    ------
    SerError
        for a missing, empty, truncated, non-audio, silent, non-finite, too short or too long recording
    """
    import soundfile

    name = str(name or (source if not isinstance(source, bytes | bytearray | memoryview) else "recording"))
    name = name.replace("\n", "\\n").replace("\r", "\\r")  # a message is one line
    with _open(source, name) as file:
        rate, expected = file.samplerate, file.frames
        check_rate(rate, name)
        _check_longest(expected, rate, name)
        shortened = _CUT_SHORT.search(file.extra_info) if file.format in ("WAV", "WAVEX", "AIFF") else None
        if shortened and int(shortened[2]) < int(shortened[1]) and int(shortened[1]) < 0x7FFFFF00:
            raise SerError(f"{name}: truncated ({shortened[2]} of {shortened[1]} bytes are there); copy it again")
        try:
            with silence_stderr() if file.format == "MPEG" else contextlib.nullcontext():
                samples = file.read(dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            raise SerError(f"{name}: damaged audio data, cannot be decoded; copy it again") from None
        container = {"format": file.format, "subtype": file.subtype}
    if len(samples) < expected and expected - len(samples) > 0.01 * rate:
        raise SerError(f"{name}: truncated ({len(samples)} of {expected} samples are there); copy it again")
    _check(samples, rate, name)
    return samples, rate, container


def check_rate(rate: int, name: str) -> None:
    """Refuse a sampling rate that cannot be used, with a SerError that begins with ``name``."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SerError(f"{name}: sampling rate of {rate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz can be used")


def _check_longest(count: int, rate: int, name: str) -> None:
    if count > LONGEST * rate:
        raise SerError(f"{name}: {count / rate:.0f} s long; at most {LONGEST:.0f} s can be used, cut it")


def _check(samples: np.ndarray, rate: int, name: str) -> None:
    """Refuse what is too short, not finite, or silent: [samples, channels]."""
    if len(samples) < SHORTEST * rate:
        raise SerError(f"{name}: {len(samples) / rate:.3f} s long; at least {SHORTEST} s is needed")
    if not np.isfinite(samples).all():
        raise SerError(f"{name}: holds samples that are not numbers (NaN or infinite); export it again")
    if np.ptp(samples, axis=0).max() < 2 * SILENCE:
        raise SerError(f"{name}: silent (nothing above -80 dBFS); check the recording")
    loudest = max(samples.max(), -samples.min())
    if loudest > HIGHEST_SAMPLE:
        raise SerError(f"{name}: samples of up to {loudest:.0e} where full scale is 1; export it again")
    if samples.shape[1] > 1 and np.ptp(samples.mean(axis=1)) < 2 * SILENCE:
        raise SerError(f"{name}: silent as mono, its channels cancel each other; export one of them")


def as_float(samples: np.ndarray, name: str = "recording") -> np.ndarray:
    """Samples as float32 with full scale 1: floats as they are, integers divided by the full scale of their type."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise SerError(f"{name}: samples must be numbers, [samples] or [samples, channels]")
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    limits = np.iinfo(samples.dtype)
    offset = 0.0 if samples.dtype.kind == "i" else (limits.max + 1) / 2
    return ((samples - offset) / (offset or -float(limits.min))).astype(np.float32)


def check_samples(samples: np.ndarray, rate: int, name: str = "recording") -> tuple[np.ndarray, int]:
    """Samples that are in memory already, checked as :func:`decode` checks a file.

    Parameters
    ----------
    samples : [samples] or [samples, channels], floats with full scale 1 or integers
    rate : int, Hz
    name : what to call them in messages

    Returns
    -------
    float32 [samples, channels] and the rate

    Raises
    ------
    SerError
        for silent, non-finite, too short or too long samples, and a rate that cannot be used
    """
    samples = as_float(samples, name)
    samples = samples[:, None] if samples.ndim == 1 else samples
    check_rate(rate, name)
    _check_longest(len(samples), rate, name)
    _check(samples, rate, name)
    return samples, rate


def resample(samples: np.ndarray, rate: int, target: int = SAMPLE_RATE) -> np.ndarray:
    """Resample ``samples`` [samples] or [samples, channels] from ``rate`` to ``target`` Hz (soxr, HQ)."""
    import soxr

    return samples if rate == target else soxr.resample(samples, rate, target)


def peak_normalise(samples: np.ndarray) -> np.ndarray:
    """Scale so that the largest absolute sample is 1 (II.B, "amplitude-normalized"). Silence stays silence."""
    peak = np.abs(samples).max(initial=0.0)
    return samples / peak if peak > 0 else samples


def reduce_noise(samples: np.ndarray, rate: int = SAMPLE_RATE, *, floor_db: float = -20.0) -> np.ndarray:
    """Spectral gating: a plain reading of "basic noise reduction techniques" (II.B), which the paper does not name.

    The noise spectrum is the mean power of the quietest tenth of the 32 ms frames; each time-frequency bin gets the
    Wiener gain ``1 - noise / power``, not below ``floor_db``.

    Parameters
    ----------
    samples : float [samples]
    rate : int, Hz
    floor_db : float, smallest gain in dB

    Returns
    -------
    float32 [samples], same length
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
    """Mono, one rate, and the chosen clean-up: float32 [samples] from [samples] or [samples, channels]."""
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    mono = np.ascontiguousarray(resample(mono, rate, target), dtype=np.float32)
    if denoise:
        mono = reduce_noise(mono, target)
    return peak_normalise(mono).astype(np.float32) if normalise else mono


def read(
    source: str | os.PathLike | bytes,
    *,
    rate: int = SAMPLE_RATE,
    normalise: bool = True,
    denoise: bool = False,
    name: str | None = None,
) -> np.ndarray:
    """Read a recording as the networks get it.

    Parameters
    ----------
    source : path or bytes of a wav, flac, ogg, mp3 or aiff file, any number of channels, 1 kHz to 768 kHz
    rate : int, wanted sampling rate in Hz
    normalise : bool, scale to a peak of 1
    denoise : bool, apply :func:`reduce_noise`

    Returns
    -------
    float32 [samples], mono at ``rate`` Hz

    Raises
    ------
    SerError
        see :func:`decode`
    """
    samples, native, _ = decode(source, name)
    return preprocess(samples, native, target=rate, normalise=normalise, denoise=denoise)


def measure_level(samples: np.ndarray) -> dict[str, float]:
    """Peak and RMS in dBFS, and the DC offset, of ``samples`` (any shape, full scale is 1)."""
    x = np.asarray(samples, dtype=np.float64)
    decibel = lambda value: float(20 * np.log10(max(value, 1e-10)))  # noqa: E731
    return {
        "peak_dbfs": decibel(np.abs(x).max()),
        "rms_dbfs": decibel(np.sqrt(np.mean(x**2))),
        "dc_offset": float(x.mean()),
    }
