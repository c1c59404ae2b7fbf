"""Say how far a recording is from the recordings that a network was trained on.

Each window of the network's input is described by its log-mel bands over the frames that are no pauses (mean and
deviation), and by its energy: peak against mean, floor, pauses, duration. The distance is that of Mahalanobis, with the
mean and the covariance of the training recordings, divided by a limit: above 1 a recording is unlike the training
recordings. The level does not count: a network's input is scaled to its peak. The statistics are stored in the metadata
of an exported network; :mod:`ser_core.inference.domain_fit` makes them.

The mark says that the network's accuracy is not known there, not that an answer is wrong.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ser_core.features import fast
from ser_core.features.frame_power import WINDOWS
from ser_core.features.spectral import mel_filters

UNLIKE = "unlike the training recordings"
"""Note of a prediction whose distance is above 1."""
BANDS = 20
"""Mel bands."""
FRAME_SECONDS = 0.032
"""Length of a frame and hop, rounded to a power of 2 in samples."""
PAUSE_DB = 30.0
"""Frames that are so far below the loudest one do not count, dB."""
FLOOR = 1e-9
"""Least power of a band, where the peak of a window is 1."""
VALUES = 2 * BANDS + 6
"""Number of values that describe a window."""
SPECTRAL = VALUES - 4
"""Number of the first values, which pauses and duration do not change."""


@dataclass(frozen=True, eq=False)
class Domain:
    """Hold the statistics of training recordings."""

    mean: np.ndarray  # float [values]: VALUES, or the first of them (SPECTRAL)
    scale: np.ndarray  # float [values]: standard deviations
    precision: np.ndarray  # float [values, values]: inverse of the correlations
    limit: float  # distance of Mahalanobis, divided by the square root of the number of values, that counts as 1

    def distance(self, description: np.ndarray) -> float:
        """Return the distance of a window from the training recordings; 1 is the limit.

        Parameters
        ----------
        description : float [VALUES]
            See :func:`describe`.
        """
        z = (description[: len(self.mean)] - self.mean) / self.scale
        return math.sqrt(max(0.0, float(z @ self.precision @ z)) / len(z)) / self.limit

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as a JSON-able dict; of the symmetric matrix the lower triangle, row by row."""
        rows = self.precision[np.tril_indices(len(self.mean))]
        lists = {"mean": self.mean, "scale": self.scale, "precision": rows}
        return {name: [float(f"{x:.6g}") for x in values] for name, values in lists.items()} | {
            "limit": float(f"{self.limit:.6g}")
        }


def read_domain(stored: Any) -> Domain | None:
    """Read the statistics in the metadata of a network; None where they are missing or of another version.

    Parameters
    ----------
    stored : dict or None
        Made by :meth:`Domain.to_json`.

    Examples
    --------
    >>> read_domain(None) is None, read_domain({"limit": 1.0}) is None
    (True, True)
    """
    try:
        mean, scale = (np.array(stored[name], dtype=np.float64) for name in ("mean", "scale"))
        lower, limit = np.zeros((len(mean), len(mean))), float(stored["limit"])
        rows = np.array(stored["precision"], dtype=np.float64)
        lower[np.tril_indices(len(mean))] = rows.reshape(len(mean) * (len(mean) + 1) // 2)
    except (TypeError, ValueError, KeyError):
        return None
    usable = mean.shape == scale.shape and len(mean) in (VALUES, SPECTRAL) and (scale > 0).all() and limit > 0
    precision = lower + np.tril(lower, -1).T
    if not (usable and np.isfinite(mean).all() and np.isfinite(precision).all() and math.isfinite(limit)):
        return None
    return Domain(mean, scale, precision, limit)


def frame_length(rate: int) -> int:
    """Return the length of a frame in samples.

    >>> frame_length(16_000), frame_length(8_000)
    (512, 256)
    """
    return 1 << round(math.log2(FRAME_SECONDS * rate))


@lru_cache(maxsize=8)
def filters(rate: int) -> np.ndarray:
    """Return the mel filters, each of the sum 1, divided by the square of the frame's length: float32 [bins, BANDS]."""
    frame = frame_length(rate)
    weights = mel_filters(rate, frame, BANDS)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return np.ascontiguousarray((weights / total / frame**2).T, dtype=np.float32)


@lru_cache(maxsize=8)
def _groups(rate: int) -> tuple[fast.Group, ...]:
    return fast.make_groups(filters(rate).T.astype(np.float64))


@lru_cache(maxsize=16)
def _transform(thread: int, frame: int) -> fast.Transform:
    """Make the arrays of a thread for frames under a periodic Hann window."""
    return fast.make_transform(WINDOWS["hann"](frame))


def _bands_and_level(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the bands and the level of each frame of samples, of which there is one at least, both in dB.

    Their power is that of samples with a peak of 1.
    """
    frame = frame_length(rate)
    peak = max(samples.max(), -samples.min())
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    work, groups = _transform(threading.get_ident(), frame), _groups(rate)
    bands, level = np.empty((len(frames), BANDS)), np.empty(len(frames))
    for start, end in fast.blocks(len(frames)):
        parts = fast.squared_parts(frames[start:end], work)
        np.add.reduce(parts, axis=1, out=level[start:end])
        fast.multiply_groups(parts, groups, bands[start:end])
    scale = 1.0 / float(peak) ** 2 if peak > 0 else 1.0
    level *= scale / frame**2
    bands *= scale
    for power in (level, bands):
        power += FLOOR
        np.log10(power, out=power)
        power *= 10.0
    return bands, level


def _tenth(values: np.ndarray) -> float:
    """Return the tenth percentile, linear between neighbours."""
    ordered = np.sort(values)
    place = 0.1 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def describe(samples: np.ndarray, rate: int) -> np.ndarray:
    """Describe a window by its log-mel bands, whatever its level.

    Parameters
    ----------
    samples : float [samples]
        Mono; shorter ones than a frame are padded with zeros.
    rate : int, Hz
        Sampling rate.

    Returns
    -------
    ndarray of float64 [VALUES]
        Of the frames that are no pauses: mean of each band less the mean over all bands, in dB; standard deviation of
        each band; standard deviation of the level; mean step of a band from frame to frame; mean over all bands. Of all
        frames: how far the tenth percentile of the level is below the loudest; share that is no pause; logarithm of the
        duration in seconds.
    """
    frame = frame_length(rate)
    samples = np.asarray(samples, dtype=np.float32)
    if len(samples) < frame:
        samples = np.pad(samples, (0, frame - len(samples)))
    bands, level = _bands_and_level(samples, rate)
    loudest = level.max()
    heard, floor = level > loudest - PAUSE_DB, loudest - _tenth(level)
    level, bands = level[heard], bands[heard]
    count = len(bands)
    mean = np.add.reduce(bands, axis=0) / count
    apart = bands - mean
    deviation = np.sqrt(np.add.reduce(apart * apart, axis=0) / count)
    steps = np.abs(bands[1:] - bands[:-1])
    level -= np.add.reduce(level) / count
    overall = np.add.reduce(mean) / BANDS
    further = [math.sqrt(level @ level / count), np.add.reduce(steps, axis=None) / steps.size if count > 1 else 0.0]
    further += [overall, floor, count / len(heard), math.log(len(samples) / rate)]
    return np.concatenate([mean - overall, deviation, further])
