"""Read, resample, augment and degrade recordings, and stream live audio.

The functions of :mod:`~ser_core.audio.io`, :mod:`~ser_core.audio.mono` and :mod:`~ser_core.audio.processing` are
reached through the package: ``audio.read(path)``.
"""

from ser_core._utils.lazy import attach_modules
from ser_core.audio.io import (
    LONGEST,
    SHORTEST,
    SILENCE,
    SUFFIXES,
    as_float,
    check_rate,
    check_samples,
    decode,
    decode_blocks,
)
from ser_core.audio.mono import LongSignal, hear, read
from ser_core.audio.processing import (
    SAMPLE_RATE,
    measure_level,
    peak_normalise,
    preprocess,
    reduce_noise,
    resample,
)

__all__ = [
    "LONGEST",
    "LongSignal",
    "SAMPLE_RATE",
    "SHORTEST",
    "SILENCE",
    "SUFFIXES",
    "as_float",
    "check_rate",
    "check_samples",
    "decode",
    "decode_blocks",
    "hear",
    "measure_level",
    "peak_normalise",
    "preprocess",
    "read",
    "reduce_noise",
    "resample",
]

attach_modules(__name__)
