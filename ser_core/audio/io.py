"""Read and check recordings, from files or bytes.

The format of a file is recognised by its content, whatever its suffix (:mod:`~ser_core.audio.decoding`). A recording
that cannot be used is refused with one line that names the file (:class:`~ser_core._utils.errors.SerError`); what was
unusual about one that can be used is in its notes.
"""

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.kept_arrays import scratch
from ser_core._utils.recordings import SUFFIXES, printable
from ser_core._utils.segments import Segment, sample_range
from ser_core._utils.words import counted
from ser_core.audio.decoding import open_sound
from ser_core.audio.headers import TOLERANCE
from ser_core.audio.pcm import FULL_SCALE, to_float
from ser_core.audio.sound import Sound

__all__ = ["SUFFIXES", "as_float", "check_rate", "check_samples", "decode", "decode_blocks"]

SHORTEST, LONGEST = 0.1, 3600.0
"""Shortest and longest accepted recording, seconds."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Lowest and highest accepted sampling rate, Hz."""
HIGHEST_SAMPLE = 1e12
"""Largest accepted sample: far above the full scale of 32-bit integers, which some programs write as floats."""
MOST_CHANNELS = 1_024
"""Largest accepted number of channels."""
SILENCE = 1e-4
"""Peak deviation from the mean below which a signal is silent: -80 dBFS (full scale is 1)."""
OVERSHOOT = 0.1
"""How far a segment may end after its recording, seconds: many lists give rounded limits."""
AT_ONCE = 2**23
"""Values (samples times channels) up to which a recording is decoded in one piece."""
_LENGTH_CHECKED = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF")
"""Containers whose length was compared with the size of the file."""


def decode(source: str | os.PathLike | bytes, name: str | None = None) -> tuple[np.ndarray, int, dict]:
    """Read and check a recording at its native rate, with all its channels.

    The recording is decoded to its end, whatever length its header names, and then checked: it is truncated if more
    than 1 % of what a header promises is missing. :mod:`ser_core.audio.headers` states what stands for no length.

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
        ``format`` and ``subtype`` as libsndfile (or FFmpeg) names them; ``notes``, a list of str, where the header
        disagrees with the content or several streams are joined

    Raises
    ------
    SerError
        for a missing, empty, truncated, non-audio, silent, non-finite, too short or too long recording
    """
    name = message_name(source, name)
    with open_sound(source, name) as sound:
        _check_sound(sound, name)
        first, count = _extent(source, sound, name)
        samples = read_at_once(sound, first, count, name)
        if samples is None:
            samples = _collect(_checked_length(sound, first, count, name), sound.channels)
        _check(samples, sound.rate, name)
        container: dict[str, Any] = {"format": sound.format, "subtype": sound.subtype}
        if sound.notes:
            container["notes"] = sound.notes
        return samples, sound.rate, container


def decode_blocks(source: str | os.PathLike | bytes, name: str | None = None) -> Iterator[tuple[np.ndarray, Sound]]:
    """Read and check a recording as :func:`decode` does, block by block: memory does not grow with its length.

    Parameters
    ----------
    source, name
        as in :func:`decode`

    Yields
    ------
    block : ndarray of float32 [samples, channels]
    sound : Sound
        rate, channels and notes of the recording

    Raises
    ------
    SerError
        as :func:`decode`; some of what is wrong is known only after the last block
    """
    name = message_name(source, name)
    with open_sound(source, name) as sound:
        _check_sound(sound, name)
        first, count = _extent(source, sound, name)
        levels = Levels()
        for block in _checked_length(sound, first, count, name):
            levels.add(block)
            yield block, sound
        levels.check(sound.rate, name)


def message_name(source: Any, name: str | None = None) -> str:
    """Return the name of a recording as messages show it: one line."""
    if name is None and isinstance(source, bytes | bytearray | memoryview):
        return "recording"
    return printable(source if name is None else name)


def _check_sound(sound: Sound, name: str) -> None:
    check_rate(sound.rate, name)
    if not 1 <= sound.channels <= MOST_CHANNELS:
        raise SerError(f"{name}: {counted(sound.channels, 'channel')}; 1 to {MOST_CHANNELS} can be used")


def _extent(source: Any, sound: Sound, name: str) -> tuple[int, int | None]:
    """Return the first sample and the number of samples of a recording or a segment of it; None: to its end."""
    if not isinstance(source, Segment):
        if sound.promised is not None and sound.format in _LENGTH_CHECKED:
            _check_longest(sound.promised, sound.rate, name)
        return 0, sound.promised
    rate, frames = sound.rate, sound.promised
    if frames is None:  # as long as it turns out to be; the samples are read in a second pass
        with open_sound(source.path, name) as same:
            frames = sum(map(len, same.blocks(0, None)))
    first, count = sample_range(source, rate, frames)
    if not 0 <= first < min(first + count, frames):
        raise SerError(f"{name}: holds nothing of its recording, which is {frames / rate:.2f} s long; check the limits")
    beyond = first + count - frames
    if beyond > OVERSHOOT * rate:
        raise SerError(
            f"{name}: ends {beyond / rate:.2f} s after its recording ({frames / rate:.2f} s); check the limits"
        )
    count -= max(0, beyond)
    _check_longest(count, rate, name)
    return first, count


def read_at_once(sound: Sound, first: int, count: int | None, name: str) -> np.ndarray | None:
    """Read a recording in one piece where it is short enough: float32 [samples, channels]; None where it is not."""
    if sound.at_once is None or count is None or (first + count) * sound.channels > AT_ONCE:
        return None
    samples = sound.at_once(first, count)
    _check_count(sound, len(samples), count, name)
    return samples


def read_integers(sound: Sound, first: int, count: int | None, name: str, *, kept: bool) -> np.ndarray | None:
    """Read and check a short recording of one channel that holds 16-bit integers; None for other recordings.

    Parameters
    ----------
    sound, first, count, name
        as in :func:`read_at_once`
    kept : bool
        return an array that stands until the next call in the same thread

    Returns
    -------
    ndarray of float32 [samples], or None
    """
    if sound.integers is None or sound.channels != 1 or count is None or first + count > AT_ONCE:
        return None
    values = sound.integers(first, count)[:, 0]
    _check_count(sound, len(values), count, name)
    levels = Levels()
    levels.count = len(values)
    if len(values):
        levels.low, levels.high = (float(value) * float(FULL_SCALE) for value in (values.min(), values.max()))
    levels.check(sound.rate, name)
    return to_float(values, scratch("recording", len(values), kind="float32") if kept else None)


def _checked_length(sound: Sound, first: int, count: int | None, name: str) -> Iterator[np.ndarray]:
    """Yield the blocks of a recording, and check their number."""
    heard = 0
    for block in sound.blocks(first, count):
        heard += len(block)
        if heard > LONGEST * sound.rate:
            raise SerError(f"{name}: longer than {LONGEST:.0f} s; at most {LONGEST:.0f} s can be used, cut it")
        yield block
    _check_count(sound, heard, count, name)


def _check_count(sound: Sound, heard: int, count: int | None, name: str) -> None:
    """Judge the number of samples that were decoded by the number that was promised."""
    if count is None or count - heard <= 0.01 * sound.rate:
        return
    if count - heard > TOLERANCE * count:
        raise SerError(f"{name}: truncated ({heard} of {count} samples present); copy it again")
    sound.notes.append(f"its header names {count} samples, {heard} are there; all were read")


def _collect(blocks: Iterator[np.ndarray], channels: int) -> np.ndarray:
    """Join blocks in memory that grows as they come."""
    samples, heard = np.empty((0, channels), dtype=np.float32), 0
    for block in blocks:
        if heard + len(block) > len(samples):
            samples.resize((max(heard + len(block), heard + heard // 2), channels), refcheck=False)
        samples[heard : heard + len(block)] = block
        heard += len(block)
    samples.resize((heard, channels), refcheck=False)
    return samples


def check_rate(rate: Any, name: str) -> int:
    """Check that a sampling rate can be used.

    Parameters
    ----------
    rate : int
        sampling rate, Hz; any number that is whole
    name : str
        name of the recording in the message

    Returns
    -------
    int
        the same rate

    Raises
    ------
    SerError
        for a rate below 1 kHz or above 768 kHz, and for what is no whole number

    Examples
    --------
    >>> check_rate(100, "a.wav")
    Traceback (most recent call last):
    ser_core._utils.errors.SerError: a.wav: sampling rate of 100 Hz; 1000 to 768000 Hz can be used
    """
    try:
        whole = int(rate)
        if whole != rate or isinstance(rate, str):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise SerError(f"{name}: sampling rate of {printable(rate)[:40]}; give a whole number of Hz") from None
    if not LOWEST_RATE <= whole <= HIGHEST_RATE:
        raise SerError(f"{name}: sampling rate of {whole} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz can be used")
    return whole


def _check_longest(count: int, rate: int, name: str) -> None:
    if count > LONGEST * rate:
        raise SerError(f"{name}: {count / rate:.0f} s long; at most {LONGEST:.0f} s can be used, cut it")


class Levels:
    """Hold the extremes of the samples of a recording, block after block."""

    def __init__(self) -> None:
        self.count = 0
        self.low: Any = math.inf  # a number, or [channels]
        self.high: Any = -math.inf
        self.mono_low, self.mono_high = math.inf, -math.inf

    def add(self, block: np.ndarray) -> None:
        """Take in a block of samples [samples, channels]; not a number stays not a number."""
        if not len(block):
            return
        self.count += len(block)
        if block.shape[1] == 1:
            low, high = float(block.min()), float(block.max())
            self.low = low if low < self.low or low != low else self.low  # what is not a number stays so
            self.high = high if high > self.high or high != high else self.high
            return
        with np.errstate(invalid="ignore", over="ignore"):
            self.low, self.high = np.minimum(self.low, block.min(axis=0)), np.maximum(self.high, block.max(axis=0))
            mono = block.mean(axis=1)
            self.mono_low, self.mono_high = min(self.mono_low, mono.min()), max(self.mono_high, mono.max())

    def check(self, rate: int, name: str) -> None:
        """Refuse samples that are too short, not finite, silent or far beyond full scale."""
        if self.count < SHORTEST * rate:
            raise SerError(f"{name}: {self.count / rate:.3f} s long; at least {SHORTEST} s is needed")
        mono = isinstance(self.low, float)
        lowest, highest = (self.low, self.high) if mono else (float(self.low.min()), float(self.high.max()))
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise SerError(f"{name}: holds samples that are not numbers (NaN or infinite); export it again")
        if (highest - lowest if mono else (self.high - self.low).max()) < 2 * SILENCE:
            raise SerError(f"{name}: silent (nothing above -80 dBFS); check the recording")
        loudest = max(highest, -lowest)
        if loudest > HIGHEST_SAMPLE:
            raise SerError(f"{name}: samples of up to {loudest:.0e} where full scale is 1; export it again")
        if not mono and self.mono_high - self.mono_low < 2 * SILENCE:
            raise SerError(f"{name}: silent as mono, its channels cancel each other; export one of them")


def _check(samples: np.ndarray, rate: int, name: str) -> None:
    """Refuse samples [samples, channels] that are too short, not finite, silent or far beyond full scale."""
    levels = Levels()
    levels.add(samples)
    levels.check(rate, name)


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
    if np.ma.is_masked(samples):
        raise SerError(f"{name}: some samples are masked; fill them or cut them out")
    try:
        samples = np.asarray(samples)
    except (ValueError, TypeError):  # rows of different lengths, and what is no array
        samples = np.empty(0, dtype=object)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise SerError(f"{name}: samples must be numbers, [samples] or [samples, channels]")
    if samples.ndim == 2 and not 1 <= samples.shape[1] <= MOST_CHANNELS:
        rows, columns = samples.shape
        advice = "; give them as [samples, channels]" if columns > rows else ""
        raise SerError(
            f"{name}: {counted(columns, 'channel')} of {counted(rows, 'sample')}; 1 to {MOST_CHANNELS} can "
            f"be used{advice}"
        )
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinite, and refused as such
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
    rate = check_rate(rate, name)
    _check_longest(len(samples), rate, name)
    _check(samples, rate, name)
    return samples, rate
