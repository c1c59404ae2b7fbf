"""Read 16-bit WAV files in memory straight: the decoder would convert their samples one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ser_core.audio import headers
from ser_core.audio.sources import Content, Source


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
    if bytes(file.getbuffer()[:4]) != b"RIFF":  # RIFX has the bytes in another order
        return None
    place = file.tell()
    found = headers.find_samples(file, size)
    file.seek(place)  # where the decoder left it
    if found is None:
        return None
    width = 2 * opened.channels

    def read(first: int, count: int) -> np.ndarray:
        start = found.first + first * width
        present = min(count, max(0, (size - start) // width))
        values = np.frombuffer(file.getbuffer(), dtype="<i2", count=present * opened.channels, offset=min(start, size))
        samples = values.astype(np.float32)
        samples *= np.float32(2.0**-15)
        return samples.reshape(-1, opened.channels)

    return read
