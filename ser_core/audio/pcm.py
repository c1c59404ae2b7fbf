"""Read 16-bit WAV files straight: the decoder would convert their samples one by one."""

import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ser_core.audio import headers
from ser_core.audio.sound import BLOCK, Sound
from ser_core.audio.sources import Content, Source

FULL_SCALE = np.float32(2.0**-15)
"""Factor from 16-bit integers to samples."""
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
"""The shortest header of a WAV file: RIFF, the format, and the beginning of the samples."""


def plain_sound(file: Source, size: int) -> Sound | None:
    """Return the sound of a 16-bit WAV file with the shortest header, without a decoder.

    Parameters
    ----------
    file : Content or LargeFile
    size : int
        its size, bytes

    Returns
    -------
    Sound or None
        None for other files, and where a number in the header is not as it is to be expected
    """
    if not isinstance(file, Content) or size < _HEADER.size:
        return None
    content = file.getvalue()
    riff, rest, wave, about, length, kind, channels, rate, per_second, width, bits, data, count = _HEADER.unpack_from(
        content
    )
    usual = (riff, wave, about, data, length, kind, bits) == (b"RIFF", b"WAVE", b"fmt ", b"data", 16, 1, 16)
    if (
        not usual
        or (rest, count) != (size - 8, size - _HEADER.size)
        or not 1 <= channels <= 1024
        or not 0 < rate < 2**31
    ):
        return None
    if width != 2 * channels or per_second != rate * width or not count or count % width:
        return None
    frames = count // width
    integers = _integers(content, _HEADER.size, channels)

    def at_once(first: int, count: int) -> np.ndarray:
        return to_float(integers(first, count))

    def blocks(first: int, count: int | None) -> Iterator[np.ndarray]:
        end = frames if count is None else min(frames, first + count)
        step = max(1, BLOCK // channels)
        for start in range(first, end, step):
            yield at_once(start, min(step, end - start))

    return Sound(rate, channels, "WAV", "PCM_16", frames, blocks, at_once, integers=integers)


def to_float(values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Convert 16-bit integers to float32 samples with the bits of libsndfile's own conversion."""
    if out is None:
        out = np.empty(values.shape, dtype=np.float32)
    np.copyto(out, values)
    out *= FULL_SCALE
    return out


def _integers(content: bytes, place: int, channels: int) -> Callable[[int, int], np.ndarray]:
    """Return a function from the first sample and their number to int16 [samples, channels] of a file's content."""
    width = 2 * channels

    def read(first: int, count: int) -> np.ndarray:
        start = place + first * width
        present = min(count, max(0, (len(content) - start) // width))
        values = np.frombuffer(content, dtype="<i2", count=present * channels, offset=min(start, len(content)))
        return values.reshape(-1, channels)

    return read


def straight_reader(opened: Any, file: Source, size: int) -> Callable[[int, int], np.ndarray] | None:
    """Return a function that reads samples of a 16-bit WAV file, with the bits of libsndfile's own conversion.

    Parameters
    ----------
    opened : soundfile.SoundFile
        the file, as libsndfile understands it
    file : Content or LargeFile
    size : int
        its size, bytes

    Returns
    -------
    callable or None
        from the first sample and their number to float32 [samples, channels]; None for other files
    """
    if opened.format not in ("WAV", "WAVEX") or opened.subtype != "PCM_16" or not isinstance(file, Content):
        return None
    if file.getvalue()[:4] != b"RIFF":  # RIFX has the bytes in another order
        return None
    place = file.tell()
    found = headers.find_samples(file, size)
    file.seek(place)  # where the decoder left it
    if found is None:
        return None
    integers = _integers(file.getvalue()[:size], found.first, opened.channels)
    return lambda first, count: to_float(integers(first, count))
