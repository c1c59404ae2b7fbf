"""Extract network inputs from waveforms: frame features, other inputs, frozen encoders, and their cache.

The functions of :mod:`~ser_core.features.frames` and :mod:`~ser_core.features.spectral` are reached through the
package: ``features.extract(samples)``.
"""

from ser_core._utils.lazy import attach_modules
from ser_core.features.description import describe_recording
from ser_core.features.frames import (
    CHANNELS,
    DELTA_N,
    FRAMES,
    WIDE_EXTRAS,
    FeatureSettings,
    base_channels,
    channel_names,
    delta,
    extract,
    fit_length,
    raw_channels,
    to_input,
    zscore,
)
from ser_core.features.spectral import (
    DYNAMIC_RANGE_DB,
    HOP_SECONDS,
    N_MELS,
    N_MFCC,
    dct_matrix,
    frame_sizes,
    framed,
    log_mel,
    mel_filters,
    mfcc,
    rmse,
)
from ser_core.features.wide import wide_channels

__all__ = [
    "CHANNELS",
    "DELTA_N",
    "DYNAMIC_RANGE_DB",
    "FRAMES",
    "FeatureSettings",
    "HOP_SECONDS",
    "N_MELS",
    "N_MFCC",
    "WIDE_EXTRAS",
    "base_channels",
    "channel_names",
    "dct_matrix",
    "delta",
    "describe_recording",
    "extract",
    "fit_length",
    "frame_sizes",
    "framed",
    "log_mel",
    "mel_filters",
    "mfcc",
    "raw_channels",
    "rmse",
    "to_input",
    "wide_channels",
    "zscore",
]

attach_modules(__name__)
