"""Read and check recordings, from files or bytes.

``libsndfile`` recognises the format of a file by its content, whatever its suffix. A recording that cannot be used is
refused with one line that names the file (:class:`~ser_core._utils.errors.SerError`).
"""

import contextlib
import io
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ser_core._utils.console import silence_stderr
from ser_core._utils.errors import SerError
from ser_core._utils.segments import Segment, sample_range
from ser_core.audio.processing import SAMPLE_RATE, preprocess

SUFFIXES = (".wav", ".flac", ".ogg", ".aif", ".aiff", ".mp3")
"""Suffixes of recordings in a folder."""
SHORTEST, LONGEST = 0.1, 3600.0
"""Shortest and longest accepted recording, seconds."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Lowest and highest accepted sampling rate, Hz."""
HIGHEST_SAMPLE = 1e12
"""Largest accepted sample: far above the full scale of 32-bit integers, which some programs write as floats."""
SILENCE = 1e-4
"""Peak deviation from the mean below which a signal is silent: -80 dBFS (full scale is 1)."""
OVERSHOOT = 0.1
"""How far a segment may end after its recording, seconds: many lists give rounded limits."""
_KNOWN_STARTS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM")
_SEEK_EXACTLY = ("WAV", "WAVEX", "RF64", "FLAC", "AIFF")
"""Containers whose decoder finds a sample by its number; the others are read from the beginning."""
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


def _open(source: str | os.PathLike | bytes, name: str):
    """Open a recording with libsndfile."""
    import soundfile

    handle: BinaryIO
    if isinstance(source, bytes | bytearray | memoryview):
        if len(source) == 0:
            raise SerError(f"{name}: empty file (0 bytes); give a recording")
        handle = io.BytesIO(bytes(source))
    else:
        handle = _open_file(Path(source), name)
    try:
        with _silence_mpg123(handle):
            return soundfile.SoundFile(handle)
    except (soundfile.LibsndfileError, TypeError):
        handle.close()
        raise SerError(f"{name}: not audio that can be read; wav, flac, ogg, mp3 and aiff are") from None


def _open_file(path: Path, name: str) -> BinaryIO:
    """Open a regular file that is not empty."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise SerError(f"{name}: no such file; check the name") from None
    except (PermissionError, OSError) as error:
        raise SerError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None
    if stat.S_ISDIR(status.st_mode):
        empty = os.access(path, os.R_OK) and not any(path.iterdir())
        advice = "it is empty" if empty else "name the recordings in it"
        raise SerError(f"{name}: is a folder, not a recording; {advice}")
    if not stat.S_ISREG(status.st_mode):
        raise SerError(f"{name}: is not a regular file; give a recording")
    if status.st_size == 0:
        raise SerError(f"{name}: empty file (0 bytes); give a recording")
    try:
        return path.open("rb")
    except OSError as error:
        raise SerError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None


def _silence_mpg123(handle: BinaryIO) -> contextlib.AbstractContextManager:
    """Return a context that hides the warnings of libmpg123, which gets every file without a known signature."""
    start = handle.read(4)
    handle.seek(0)
    return contextlib.nullcontext() if start in _KNOWN_STARTS else silence_stderr()


def decode(source: str | os.PathLike | bytes, name: str | None = None) -> tuple[np.ndarray, int, dict]:
    """Read and check a recording at its native rate, with all its channels.

    Parameters
    ----------
    source : path, :class:`~ser_core._utils.segments.Segment` of a recording, or bytes of a file
    name : str, optional
        name of the recording in messages; by default the path

    Returns
    -------
    samples : ndarray of float32 [samples, channels]
        full scale is 1
    rate : int
        sampling rate, Hz
    container : dict
        ``format`` and ``subtype`` as libsndfile names them

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
        first, count = _extent(source, rate, expected, name)
        _check_longest(count, rate, name)
        sizes = _CUT_SHORT.search(file.extra_info) if file.format in ("WAV", "WAVEX", "AIFF") else None
        if sizes and int(sizes[2]) < int(sizes[1]) and int(sizes[1]) < 0x7FFFFF00:
            raise SerError(f"{name}: truncated ({sizes[2]} of {sizes[1]} bytes present); copy it again")
        try:
            with silence_stderr() if file.format == "MPEG" else contextlib.nullcontext():
                samples = _read_samples(file, first, count)
        except soundfile.LibsndfileError:
            raise SerError(f"{name}: damaged audio data, cannot be decoded; copy it again") from None
        container = {"format": file.format, "subtype": file.subtype}
    if len(samples) < count and count - len(samples) > 0.01 * rate:
        raise SerError(f"{name}: truncated ({len(samples)} of {count} samples present); copy it again")
    _check(samples, rate, name)
    return samples, rate, container


def _extent(source, rate: int, frames: int, name: str) -> tuple[int, int]:
    """Return the first sample and the number of samples of a recording or a segment of it."""
    first, count = sample_range(source, rate, frames)
    if isinstance(source, Segment) and not 0 <= first < min(first + count, frames):
        raise SerError(f"{name}: holds nothing of its recording, which is {frames / rate:.2f} s long; check the limits")
    beyond = first + count - frames
    if beyond > OVERSHOOT * rate:
        raise SerError(
            f"{name}: ends {beyond / rate:.2f} s after its recording ({frames / rate:.2f} s); check the limits"
        )
    return first, count - max(0, beyond)


def _read_samples(file, first: int, count: int) -> np.ndarray:
    """Read ``count`` samples of an open file from ``first`` on; float32 [samples, channels]."""
    if (first, count) == (0, file.frames):
        return file.read(dtype="float32", always_2d=True)
    if file.format in _SEEK_EXACTLY:
        file.seek(first)
        return file.read(count, dtype="float32", always_2d=True)
    return file.read(first + count, dtype="float32", always_2d=True)[first:]


def check_rate(rate: int, name: str) -> None:
    """Check that a sampling rate can be used.

    Parameters
    ----------
    rate : int
        sampling rate, Hz
    name : str
        name of the recording in the message

    Raises
    ------
    SerError
        for a rate below 1 kHz or above 768 kHz

    Examples
    --------
    >>> check_rate(100, "a.wav")
    Traceback (most recent call last):
    ser_core._utils.errors.SerError: a.wav: sampling rate of 100 Hz; 1000 to 768000 Hz can be used
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SerError(f"{name}: sampling rate of {rate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz can be used")


def _check_longest(count: int, rate: int, name: str) -> None:
    if count > LONGEST * rate:
        raise SerError(f"{name}: {count / rate:.0f} s long; at most {LONGEST:.0f} s can be used, cut it")


def _check(samples: np.ndarray, rate: int, name: str) -> None:
    """Refuse samples [samples, channels] that are too short, not finite, silent or far beyond full scale."""
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
    """Convert samples to float32 with full scale 1.

    Parameters
    ----------
    samples : number [samples] or [samples, channels]
        floats are kept as they are; integers are divided by the full scale of their type
    name : str, default "recording"
        name of the recording in the message

    Returns
    -------
    ndarray of float32, of the same shape

    Raises
    ------
    SerError
        for another shape, or samples that are not numbers

    Examples
    --------
    >>> as_float(np.array([-32768, 0, 16384], dtype=np.int16))
    array([-1. ,  0. ,  0.5], dtype=float32)
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise SerError(f"{name}: samples must be numbers, [samples] or [samples, channels]")
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    limits = np.iinfo(samples.dtype)
    offset = 0.0 if samples.dtype.kind == "i" else (limits.max + 1) / 2
    return ((samples - offset) / (offset or -float(limits.min))).astype(np.float32)


def check_samples(samples: np.ndarray, rate: int, name: str = "recording") -> tuple[np.ndarray, int]:
    """Check samples in memory, as :func:`decode` checks a file.

    Parameters
    ----------
    samples : number [samples] or [samples, channels]
        floats with full scale 1, or integers
    rate : int
        sampling rate, Hz
    name : str, default "recording"
        name of the recording in messages

    Returns
    -------
    samples : ndarray of float32 [samples, channels]
    rate : int
        the same rate, Hz

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


def read(
    source: str | os.PathLike | bytes,
    *,
    rate: int = SAMPLE_RATE,
    normalise: bool = True,
    denoise: bool = False,
    name: str | None = None,
) -> np.ndarray:
    """Read a recording as mono samples at one rate, cleaned up for feature extraction.

    Parameters
    ----------
    source : path, or bytes of a file
        wav, flac, ogg, mp3 or aiff; any number of channels, 1 kHz to 768 kHz
    rate : int, default 16,000
        sampling rate of the result, Hz
    normalise : bool, default True
        scale to a peak of 1
    denoise : bool, default False
        apply :func:`~ser_core.audio.processing.reduce_noise`
    name : str, optional
        name of the recording in messages; by default the path

    Returns
    -------
    ndarray of float32 [samples]

    Raises
    ------
    SerError
        for a recording that cannot be used; see :func:`decode`
    """
    samples, native, _ = decode(source, name)
    return preprocess(samples, native, target=rate, normalise=normalise, denoise=denoise)
