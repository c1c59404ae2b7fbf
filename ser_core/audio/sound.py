"""Hold an open recording between its decoder and its reader."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

BLOCK = 2**19
"""Values of a block: samples times channels."""


@dataclass
class Sound:
    """Hold an open recording: what its header says, and its samples."""

    rate: int  # Hz
    channels: int
    format: str  # as libsndfile or FFmpeg names it
    subtype: str
    promised: int | None  # samples that the header names; None where it names none
    blocks: Callable[[int, int | None], Iterator[np.ndarray]]  # (first, count) to float32 [samples, channels]
    at_once: Callable[[int, int], np.ndarray] | None = None  # the same in one piece
    notes: list[str] = field(default_factory=list)
    integers: Callable[[int, int], np.ndarray] | None = None  # the same as int16, where the file holds them


def limit(blocks: Iterator[np.ndarray], skipped: int, count: int | None) -> Iterator[np.ndarray]:
    """Yield ``count`` samples of blocks after the first ``skipped``.

    Parameters
    ----------
    blocks : iterator of array [samples, channels]
    skipped : int
    count : int or None
        None for all that are left

    Examples
    --------
    >>> [block.tolist() for block in limit(iter([np.arange(3), np.arange(3, 6)]), 1, 3)]
    [[1, 2], [3]]
    """
    for block in blocks:
        block, skipped = block[skipped:], max(0, skipped - len(block))
        if count is not None:
            block = block[:count]
            count -= len(block)
        if len(block):
            yield block
        if count is not None and count <= 0:
            return
