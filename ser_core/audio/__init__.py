"""Read, resample, augment and degrade recordings, and stream live audio.

The functions of :mod:`ser_core.audio.io` are reached through the package: ``audio.read(path)``.
"""

from ser_core.audio.io import (
    LONGEST,
    SAMPLE_RATE,
    SHORTEST,
    SILENCE,
    SUFFIXES,
    as_float,
    check_rate,
    check_samples,
    decode,
    measure_level,
    peak_normalise,
    preprocess,
    read,
    reduce_noise,
    resample,
)

__all__ = [
    "LONGEST",
    "SAMPLE_RATE",
    "SHORTEST",
    "SILENCE",
    "SUFFIXES",
    "as_float",
    "check_rate",
    "check_samples",
    "decode",
    "measure_level",
    "peak_normalise",
    "preprocess",
    "read",
    "reduce_noise",
    "resample",
]
