"""Score predictions of continuous labels: concordance correlation (CCC) with its interval over speakers.

The CCC (Lin 1989, Biometrics 45, 255-268, Eq. 1) is 1 only where every prediction equals its truth: unlike a
correlation it also falls where predictions are shifted or scaled. Variances are those of the sample as a whole
(divided by its size), as in AVEC, MSP-Podcast's challenges and ``audmetric``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.metrics import uncertainty

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = ("arousal", "valence", "dominance")
"""Continuous labels of an utterance table, in the order in which they are reported."""


def ccc(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Compute the concordance correlation coefficient.

    Parameters
    ----------
    truth, prediction : float [utterances]
        any unit, the same for both

    Returns
    -------
    float
        -1 to 1; NaN for fewer than two utterances, and where both are the same constant

    Raises
    ------
    SerError
        for arrays of different shapes, or values that are not finite

    Examples
    --------
    >>> ccc([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), round(ccc([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]), 4)
    (1.0, 0.5714)
    """
    x, y = _checked(truth, prediction)
    return _ccc(x, y)


def _checked(truth: ArrayLike, prediction: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 [utterances], or raise SerError."""
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise SerError(f"CCC: truth {x.shape} and prediction {y.shape} must be two lists of the same length")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise SerError("CCC: truth and prediction must be finite; leave out utterances without a label")
    return x, y


def _ccc(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the CCC of checked arrays."""
    if len(x) < 2:
        return float("nan")
    shift = x.mean() - y.mean()
    a, b = x - x.mean(), y - y.mean()
    spread = a @ a + b @ b + len(x) * shift**2
    return float(2 * (a @ b) / spread) if spread > 0 else float("nan")


def ccc_interval(
    truth: ArrayLike, prediction: ArrayLike, speaker: Iterable[str], level: float = uncertainty.LEVEL
) -> dict[str, Any]:
    """Compute the CCC with its interval over speakers.

    The jackknife leaves out one speaker at a time (:func:`ser_core.metrics.uncertainty.jackknife`), as for the scores
    of a classification.

    Parameters
    ----------
    truth, prediction : float [utterances]
    speaker : sequence of str [utterances]
    level : float, default 0.95

    Returns
    -------
    dict
        ``ccc``; ``interval``, [low, high] within -1 to 1, or None where there are fewer than four speakers, any
        speaker is unknown, or speakers do not differ; ``unit`` ("speaker" or "none"), ``n`` (speakers), ``level``,
        ``method``

    Raises
    ------
    SerError
        as in :func:`ccc`, and for another number of speakers than utterances
    """
    x, y = _checked(truth, prediction)
    names = np.asarray(list(speaker), dtype=str)
    if names.shape != x.shape:
        raise SerError(
            f"CCC: {counted(len(names), 'speaker')} given for {counted(len(x), 'utterance')}; give one per utterance"
        )
    whole, units = _ccc(x, y), sorted(set(names))
    result: dict[str, Any] = {"ccc": whole, "interval": None, "unit": "none", "n": len(units), "level": level}
    if len(units) < uncertainty.FEWEST_UNITS or "unknown" in units:
        return result | {"method": "none: fewer than four units, or a speaker is unknown"}
    without = np.array([_ccc(x[names != name], y[names != name]) for name in units])
    result |= {"unit": "speaker", "method": "jackknife over units, Student's t"}
    if not np.isfinite(without).all():
        return result
    low, high = uncertainty.jackknife(without, whole, level)
    return result | {"interval": [max(-1.0, low), min(1.0, high)] if high - low > uncertainty.PRINTED else None}


def score_dimensions(frame: pd.DataFrame, level: float = uncertainty.LEVEL) -> dict[str, dict[str, Any]]:
    """Score the continuous labels that a table of predictions has.

    Parameters
    ----------
    frame : DataFrame
        ``speaker``, and for each of :data:`DIMENSIONS` that is scored the truth (``arousal``) and the prediction
        (``predicted_arousal``); utterances without a truth are left out
    level : float, default 0.95

    Returns
    -------
    dict
        name of a dimension to the result of :func:`ccc_interval`, and ``n_test`` (utterances)
    """
    scores = {}
    for name in DIMENSIONS:
        if name in frame and f"predicted_{name}" in frame:
            part = frame[frame[name].notna()]
            score = ccc_interval(part[name], part[f"predicted_{name}"], part["speaker"], level)
            scores[name] = score | {"n_test": len(part)}
    return scores
