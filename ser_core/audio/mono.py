"""Read recordings as mono samples at one rate, in memory that does not grow with channels and length."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_core.audio.decoding import open_sound
from ser_core.audio.io import decode_blocks, message_name
from ser_core.audio.processing import SAMPLE_RATE, peak_normalise, preprocess, reduce_noise, to_mono

KEPT = 600.0
"""Length up to which the samples of a recording are kept in memory, seconds."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Hold a recording in mono at one rate."""

    samples: "np.ndarray | LongSignal"  # float32 [samples]
    seconds: float  # length of the recording
    notes: tuple[str, ...]  # what is unusual about the file, in words


class LongSignal:
    """Give the samples of a long recording piece by piece; it is decoded again as they are asked for, in order.

    Parameters
    ----------
    source, name, rate
        As in :func:`hear`.
    count : int
        Number of samples at ``rate``.
    scale : float32
        Divisor of all samples.
    """

    def __init__(self, source: Any, name: str, rate: int, count: int, scale: np.float32):
        self._source, self._name, self._rate = source, name, rate
        self._count, self._scale = count, scale
        self._restart()

    def _restart(self) -> None:
        self._blocks = _mono_blocks(self._source, self._name, self._rate, [])
        self._held, self._start = np.zeros(0, dtype=np.float32), 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, _ = part.indices(self._count)
        if start < self._start:
            self._restart()
        while self._start + len(self._held) < stop:
            block = next(self._blocks, None)
            if block is None:
                break
            dropped = min(len(self._held), max(0, start - self._start))
            self._held = np.concatenate([self._held[dropped:], block / self._scale])
            self._start += dropped
        return self._held[max(0, start - self._start) : max(0, stop - self._start)]

    def in_full(self) -> np.ndarray:
        """Return all samples, float32 [samples]."""
        samples, place = np.empty(self._count, dtype=np.float32), 0
        for block in _mono_blocks(self._source, self._name, self._rate, []):
            samples[place : place + len(block)] = block / self._scale
            place += len(block)
        return samples


def hear(
    source: str | os.PathLike | bytes,
    *,
    rate: int = SAMPLE_RATE,
    normalise: bool = True,
    denoise: bool = False,
    name: str | None = None,
) -> Recording:
    """Read a recording in mono at one rate; a long one is decoded in blocks and not kept.

    Parameters
    ----------
    source, rate, normalise, denoise, name
        As in :func:`read`.

    Returns
    -------
    Recording

    Raises
    ------
    SerError
        For a recording that cannot be used; see :func:`ser_core.audio.decode`.
    """
    from ser_core.audio import io

    name = message_name(source, name)
    with open_sound(source, name) as sound:
        io._check_sound(sound, name)
        first, count = io._extent(source, sound, name)
        samples = io.read_integers(sound, first, count, name, kept=rate != sound.rate)
        if samples is None:
            samples = io.read_at_once(sound, first, count, name)
            if samples is not None:
                io._check(samples, sound.rate, name)
        if samples is not None:
            mono = preprocess(samples, sound.rate, target=rate, normalise=normalise, denoise=denoise)
            return Recording(mono, len(samples) / sound.rate, tuple(sound.notes))
    facts: list[Any] = []
    kept: list[np.ndarray] = []
    total, peak = 0, np.float32(0)
    for block in _mono_blocks(source, name, rate, facts):
        total, peak = total + len(block), np.maximum(peak, np.abs(block).max(initial=np.float32(0)))
        kept = [*kept, block] if total <= KEPT * rate else []
    seconds, notes = facts
    if kept:
        mono = np.concatenate(kept)
        mono = reduce_noise(mono, rate) if denoise else mono
        return Recording(peak_normalise(mono).astype(np.float32) if normalise else mono, seconds, notes)
    signal = LongSignal(source, name, rate, total, peak if normalise and peak > 0 else np.float32(1))
    if denoise:
        mono = reduce_noise(signal.in_full(), rate)
        return Recording(peak_normalise(mono).astype(np.float32) if normalise else mono, seconds, notes)
    return Recording(signal, seconds, notes)


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
        wav, flac, ogg, mp3, aiff and others (:data:`ser_core.audio.SUFFIXES`); any number of channels, 1 kHz to
        768 kHz
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
        for a recording that cannot be used; see :func:`ser_core.audio.decode`
    """
    samples = hear(source, rate=rate, normalise=normalise, denoise=denoise, name=name).samples
    return samples.in_full() if isinstance(samples, LongSignal) else samples


def _mono_blocks(source: Any, name: str, rate: int, facts: list[Any]) -> Iterator[np.ndarray]:
    """Yield a recording in mono at a rate; ``facts`` gets its seconds and its notes at the end."""
    import soxr

    resampler, heard, sound = None, 0, None
    for block, sound in decode_blocks(source, name):
        heard += len(block)
        with np.errstate(invalid="ignore", over="ignore"):  # refused after the last block
            mono = np.ascontiguousarray(to_mono(block))
        if sound.rate == rate:
            yield mono
            continue
        if resampler is None:
            resampler = soxr.ResampleStream(sound.rate, rate, 1, dtype="float32")
        yield resampler.resample_chunk(mono)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
    if sound is not None:
        facts += [heard / sound.rate, tuple(sound.notes)]
