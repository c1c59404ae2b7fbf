"""Compute what a recording tells without its speech: seven numbers of its level and edges, and its first moments.

A network must do better than a baseline on these, or it may have learnt the recording session. Peak normalisation
divides by the loudest moment of the speech, and so writes the level of the speech into the silence around it: both
inputs tell more after it than before.
"""

import numpy as np

from ser_core.features.frames import raw_channels

NUMBERS = (
    "length, s",
    "level, dB",
    "noise floor, dB",
    "silence before, s",
    "silence after, s",
    "level of the first 50 ms, dB",
    "level of the last 50 ms, dB",
)
"""The seven numbers, in order; levels are root mean squares relative to full scale."""
FIRST_SECONDS = 0.25
"""Length of the first moments, which are silent in studio corpora."""
FIRST_CHANNELS = 14
"""Channels of the first moments: 13 MFCC and RMSE, each with its mean and standard deviation."""
EDGE_SECONDS, FRAME_SECONDS = 0.05, 0.01
QUIET_DB = 40.0
"""Frames this far below the loudest one count as silence (dB)."""
FLOOR_SHARE = 0.1
"""Share of the frames, the quietest, that make the noise floor."""
LOWEST_DB = -120.0
"""Level of digital silence (dB)."""


def seven_numbers(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute length, level, noise floor and edges of a recording.

    Parameters
    ----------
    samples : float [samples]
        full scale 1; of any level
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [7]
        the :data:`NUMBERS`

    Examples
    --------
    >>> x = np.r_[np.zeros(1600), 0.1 * np.ones(8000), np.zeros(3200)]
    >>> seven_numbers(x, 16_000).astype(float).round(2).tolist()
    [0.8, -22.04, -120.0, 0.1, 0.2, -120.0, -120.0]
    """
    x = np.asarray(samples, dtype=np.float64)
    width, edge = max(1, round(FRAME_SECONDS * rate)), max(1, round(EDGE_SECONDS * rate))
    whole = x[: max(len(x) // width, 1) * width]
    frames = np.square(whole.reshape(-1, width) if len(x) >= width else whole[None]).mean(axis=1)
    loud = np.flatnonzero(frames >= frames.max() * 10 ** (-QUIET_DB / 10))
    quietest = np.sort(frames)[: max(1, round(FLOOR_SHARE * len(frames)))]
    before, after = loud[0] * FRAME_SECONDS, (len(frames) - 1 - loud[-1]) * FRAME_SECONDS
    powers = [np.square(x).mean(), quietest.mean(), np.square(x[:edge]).mean(), np.square(x[-edge:]).mean()]
    level, floor, first, last = (_decibel(power) for power in powers)
    return np.array([len(x) / rate, level, floor, before, after, first, last], dtype=np.float32)


def _decibel(power: float) -> float:
    """Return a power in dB, at least :data:`LOWEST_DB`."""
    return 10.0 * float(np.log10(max(power, 10 ** (LOWEST_DB / 10))))


def first_moments(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute means and deviations of 13 MFCC and RMSE over the first 250 ms.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [28]
    """
    frames = raw_channels(samples[: round(FIRST_SECONDS * rate)], rate)[:, :FIRST_CHANNELS]
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)]).astype(np.float32)
