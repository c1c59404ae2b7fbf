"""Compute the power spectrum and the energy of frames, block by block in arrays that are used again.

A block of frames and its spectrum stay in the processor's cache. Large new arrays cost more than the arithmetic,
because the system clears each of their pages. Every value equals that of the plain formulas over all frames at once,
to the last bit, as the tests check: stored results depend on that. What is not stored is computed by
:mod:`ser_core.features.fast`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ser_core._utils.kept_arrays import aligned, scratch

BLOCK = 72
"""Largest number of frames that are transformed together."""


@dataclass(frozen=True, eq=False)
class Block:
    """Hold the arrays for a block of frames in one thread."""

    window: np.ndarray  # float64 [BLOCK, frame], the same for every frame
    windowed: np.ndarray  # float64 [BLOCK, n_fft], zero beyond the frame
    spectrum: np.ndarray  # complex [BLOCK, n_fft // 2 + 1]


@lru_cache(maxsize=16)
def _block(thread: int, window: str, frame: int, n_fft: int) -> Block:
    """Make the arrays of a thread; no other thread has them, because a thread's number is in the key."""
    tiled = aligned(BLOCK, frame)
    tiled[:] = WINDOWS[window](frame)
    return Block(tiled, aligned(BLOCK, n_fft), np.empty((BLOCK, n_fft // 2 + 1), dtype=np.complex128))


def _cosine_window(frame: int, mean: float) -> np.ndarray:
    return mean - (1.0 - mean) * np.cos(2.0 * np.pi * np.arange(frame) / frame)


WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "hann": lambda frame: _cosine_window(frame, 0.5),
    "hamming": lambda frame: _cosine_window(frame, 0.54),
}
"""Periodic windows by name, from their length to float64 [frame]."""


def frame_count(length: int, frame: int, hop: int) -> int:
    """Return the number of frames centred on multiples of the hop.

    >>> frame_count(16_000, frame=400, hop=160)
    101
    """
    return 1 + (length + 2 * (frame // 2) - frame) // hop


def power_and_energy(
    samples: np.ndarray, frame: int, hop: int, *, window: str = "hann", n_fft: int | None = None, first: int = 0,
    last: int | None = None,
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

    Returns
    -------
    power : ndarray of float64 [last - first, n_fft // 2 + 1]
        stands until the next call in the same thread
    energy : ndarray of float64 [last - first]
        mean of the squared samples of each frame, without the window
    """
    n_fft, last = n_fft or frame, frame_count(len(samples), frame, hop) if last is None else last
    count = max(0, last - first)
    work = _block(threading.get_ident(), window, frame, n_fft)
    power = scratch("power", count, n_fft // 2 + 1)
    energy: np.ndarray = np.empty(count)
    if not count:
        return power, energy
    part = part_of(samples, first * hop - frame // 2, (count - 1) * hop + frame)
    frames = strided(part, count, frame, hop)
    squares = np.multiply(part, part, out=scratch("squares", len(part)))
    np.add.reduce(strided(squares, count, frame, hop), axis=1, out=energy)
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


def part_of(samples: np.ndarray, start: int, count: int, kind: str = "float64") -> np.ndarray:
    """Copy ``count`` samples from ``start`` on, with zeros beyond both ends of the signal.

    The array stands until the next call in the same thread.
    """
    part = scratch("samples", count, kind=kind)
    low, high = min(max(start, 0), len(samples)), max(min(start + count, len(samples)), 0)
    part[: low - start] = 0.0
    part[low - start : high - start] = samples[low:high]
    part[high - start :] = 0.0
    return part


def strided(part: np.ndarray, count: int, frame: int, hop: int) -> np.ndarray:
    """Return the overlapping frames [count, frame] of contiguous samples, without a copy."""
    size = part.itemsize
    return np.ndarray((count, frame), part.dtype, part, strides=(hop * size, size))
