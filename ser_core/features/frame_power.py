"""Compute the power spectrum and the energy of frames, block by block in arrays that are used again.

A block of frames and its spectrum stay in the processor's cache. Large new arrays cost more than the arithmetic,
because the system clears each of their pages. In float64 every value equals that of the plain formulas over all frames
at once, to the last bit, as the tests check: stored results depend on that. In float32 the Fourier transform is still
one of float64, which is as fast and keeps its rounding out of quiet bands; what follows takes half the time.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BLOCK = 72
"""Largest number of frames that are transformed together."""
KEPT = 2**18
"""Values in an array that is kept and used again: the power spectrum of 13 s. Longer signals get new arrays."""


@dataclass(frozen=True, eq=False)
class Block:
    """Hold the arrays for a block of frames in one thread."""

    window: np.ndarray  # float64 [BLOCK, frame], the same for every frame
    windowed: np.ndarray  # float64 [BLOCK, n_fft], zero beyond the frame
    spectrum: np.ndarray  # complex [BLOCK, n_fft // 2 + 1]


@lru_cache(maxsize=16)
def _block(thread: int, window: str, frame: int, n_fft: int, kind: str) -> Block:
    """Make the arrays of a thread; no other thread has them, because a thread's number is in the key."""
    tiled = aligned(BLOCK, frame)
    tiled[:] = WINDOWS[window](frame)
    spectrum = np.empty((BLOCK, n_fft // 2 + 1), dtype=np.result_type(kind, np.complex64))
    return Block(tiled, aligned(BLOCK, n_fft), spectrum)


def _cosine_window(frame: int, mean: float) -> np.ndarray:
    return mean - (1.0 - mean) * np.cos(2.0 * np.pi * np.arange(frame) / frame)


WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "hann": lambda frame: _cosine_window(frame, 0.5),
    "hamming": lambda frame: _cosine_window(frame, 0.54),
}
"""Periodic windows by name, from their length to float64 [frame]."""


def scratch(use: str, *shape: int, kind: str = "float64") -> np.ndarray:
    """Return an array of this thread that is used again: its content stands until the next call for the same use.

    Parameters
    ----------
    use : str
        what the array is for
    *shape : int
        its size; an array of more than :data:`KEPT` values is new
    kind : str, default "float64"
        type of its values

    Returns
    -------
    ndarray of ``kind`` [``shape``], with any content
    """
    count = math.prod(shape)
    if count > KEPT:
        return np.empty(shape, dtype=kind)
    return _kept(threading.get_ident(), use, kind)[:count].reshape(shape)


@lru_cache(maxsize=64)
def _kept(thread: int, use: str, kind: str) -> np.ndarray:
    return aligned(KEPT, kind=kind)


def aligned(*shape: int, kind: str = "float64") -> np.ndarray:
    """Return zeros that begin at a multiple of 64 bytes, where vector instructions are fastest.

    >>> aligned(3, 5).ctypes.data % 64
    0
    """
    count, size = math.prod(shape), np.dtype(kind).itemsize
    memory = np.zeros(count + 64 // size, dtype=kind)
    start = -memory.ctypes.data % 64 // size
    return memory[start : start + count].reshape(shape)


def frame_count(length: int, frame: int, hop: int) -> int:
    """Return the number of frames centred on multiples of the hop.

    >>> frame_count(16_000, frame=400, hop=160)
    101
    """
    return 1 + (length + 2 * (frame // 2) - frame) // hop


def power_and_energy(
    samples: np.ndarray, frame: int, hop: int, *, window: str = "hann", n_fft: int | None = None, first: int = 0,
    last: int | None = None, kind: str = "float64",
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Compute the power spectrum and the mean square of frames centred on multiples of the hop.

    Parameters
    ----------
    samples : float [samples]
        zeros are put before and after it
    frame, hop : int
        length of a frame and hop between frames, samples
    window : str, default "hann"
        one of :data:`WINDOWS`, which multiplies each frame before the transform
    n_fft : int, optional
        length of the Fourier transform, at least ``frame``; by default ``frame``
    first, last : int, optional
        the frames to compute, ``last`` excluded; by default all
    kind : str, default "float64"
        precision of the spectrum and what follows, float64 or float32

    Returns
    -------
    power : ndarray of ``kind`` [last - first, n_fft // 2 + 1]
        stands until the next call in the same thread
    energy : ndarray of ``kind`` [last - first]
        mean of the squared samples of each frame, without the window
    """
    n_fft, last = n_fft or frame, frame_count(len(samples), frame, hop) if last is None else last
    count = max(0, last - first)
    work = _block(threading.get_ident(), window, frame, n_fft, kind)
    power = scratch("power", count, n_fft // 2 + 1, kind=kind)
    energy: np.ndarray = np.empty(count, dtype=kind)
    if not count:
        return power, energy
    part = _part_of(samples, first * hop - frame // 2, (count - 1) * hop + frame)
    frames = _view(part, count, frame, hop)
    if kind == "float64":
        squares = np.multiply(part, part, out=scratch("squares", len(part)))
        np.add.reduce(_view(squares, count, frame, hop), axis=1, out=energy)
    else:
        np.vecdot(frames, frames, out=energy, casting="same_kind")
    energy /= frame
    step = -(-count // -(-count // BLOCK))  # blocks of nearly equal size
    for start in range(0, count, step):
        end = min(start + step, count)
        windowed = work.windowed[: end - start, :frame]
        np.copyto(windowed, frames[start:end])  # faster than a product of overlapping frames
        np.multiply(windowed, work.window[: end - start], out=windowed)
        spectrum = np.fft.rfft(work.windowed[: end - start], axis=1, out=work.spectrum[: end - start])
        np.abs(spectrum, out=power[start:end])
        np.multiply(power[start:end], power[start:end], out=power[start:end])
    return power, energy


def _part_of(samples: np.ndarray, start: int, count: int) -> np.ndarray:
    """Copy ``count`` samples from ``start`` on as float64, with zeros beyond both ends of the signal."""
    part = scratch("samples", count)
    low, high = min(max(start, 0), len(samples)), max(min(start + count, len(samples)), 0)
    part[: low - start] = 0.0
    part[low - start : high - start] = samples[low:high]
    part[high - start :] = 0.0
    return part


def _view(part: np.ndarray, count: int, frame: int, hop: int) -> np.ndarray:
    """Return the overlapping frames [count, frame] of contiguous samples, without a copy."""
    size = part.itemsize
    return np.ndarray((count, frame), part.dtype, part, strides=(hop * size, size))
