"""Describe a recording and its features: what ``ser inspect`` prints."""

import os
from typing import Any

from ser_core import audio
from ser_core.features.frames import extract
from ser_core.features.spectral import frame_sizes


def describe_recording(path: str | os.PathLike | bytes, *, features: str = "42") -> dict[str, Any]:
    """Describe a recording and its features, for ``ser inspect``.

    Parameters
    ----------
    path : path, or bytes of a file
    features : str, default "42"
        one of :data:`ser_core.features.frames.CHANNELS`

    Returns
    -------
    dict
        ``seconds``, ``rate`` (Hz), ``channels``, ``samples``, ``format``, ``subtype``, ``peak_dbfs``, ``rms_dbfs``,
        ``dc_offset``, ``frames`` (10 ms each, at 16 kHz, before padding) and ``feature_shape`` (400 x channels)

    Raises
    ------
    SerError
        for a recording that cannot be used; see :func:`ser_core.audio.decode`
    """
    samples, rate, container = audio.decode(path)
    prepared = audio.preprocess(samples, rate)
    extracted = extract(prepared, features=features)
    sizes = {"seconds": len(samples) / rate, "rate": rate, "channels": samples.shape[1], "samples": len(samples)}
    frames = 1 + len(prepared) // frame_sizes()[1]
    return sizes | container | audio.measure_level(samples) | {"frames": frames, "feature_shape": list(extracted.shape)}
