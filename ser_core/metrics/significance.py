"""Compare two systems on the same utterances: paired tests, Holm's correction, power.

Two systems are compared by the sign-flip test over speakers. Under the null hypothesis their predictions for all
utterances of a speaker can be exchanged. McNemar's test treats utterances of one speaker as independent, and its error
rate is far from nominal. The tests of a table are corrected together by Holm's step-down method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core.metrics.classification import Classes, scores_from_confusion
from ser_core.metrics.signflip import EXACT_UNITS, signflip, signflip_interval
from ser_core.metrics.uncertainty import (
    FEWEST_UNITS,
    LEVEL,
    SCORES,
    SPREAD,
    Interval,
    confusions_by,
    jackknife,
    unit_of,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ALPHA",
    "EXACT_UNITS",
    "FEWEST_TESTED",
    "POWER",
    "TESTED",
    "Difference",
    "PairedDifferences",
    "contributions",
    "holm",
    "minimum_detectable_effect",
    "paired",
    "paired_power",
    "signflip",
    "signflip_interval",
    "unit_shares",
]

FEWEST_TESTED = 6
"""Minimum number of units for a test: with five, the lowest p value is 2 in 2**5, 6.25 %."""
TESTED = ("accuracy", "uar")
"""Scores that are sums over speakers once the truth is fixed: exchanging predictions flips a sign."""
ALPHA, POWER = 0.05, 0.8
"""Significance level and power of :func:`minimum_detectable_effect`."""


@dataclass(frozen=True)
class Difference:
    """Difference between two systems in one score, the second minus the first.

    Attributes
    ----------
    difference : float or None, fraction; None where the two share no utterance
    interval : Interval or None
    p : float or None, two-sided, of :func:`signflip`; None where untested
    minimum_detectable : float or None, fraction, of :func:`minimum_detectable_effect`
    """

    difference: float | None
    interval: Interval | None = None
    p: float | None = None
    minimum_detectable: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero."""
        return self.interval is not None and not self.interval.contains(0.0)

    def to_json(self, *, tested: bool = True) -> dict[str, Any]:
        """Return ``difference``, ``interval`` as ``[low, high]`` and, where ``tested``, ``p`` and ``found``."""
        values = {"difference": self.difference, "interval": self.interval and list(self.interval.limits)}
        return values | ({"p": self.p, "found": self.minimum_detectable} if tested else {})


@dataclass(frozen=True)
class PairedDifferences:
    """Differences between two systems in every score, over the same units.

    Attributes
    ----------
    unit : str, ``"speaker"``, ``"word"``, or ``"none"`` without intervals
    n : int, number of units
    level : float, confidence level, 0 to 1
    accuracy, uar, precision, recall, f1 : Difference
    """

    unit: str
    n: int
    level: float
    accuracy: Difference
    uar: Difference
    precision: Difference
    recall: Difference
    f1: Difference

    def get(self, score: str) -> Difference:
        """Return the difference of a score by its name."""
        return getattr(self, score)

    def to_json(self) -> dict[str, Any]:
        """Return ``unit``, ``n``, ``level`` and a dict per score, as ``json.dumps`` takes it."""
        scores = {name: self.get(name).to_json(tested=name in TESTED) for name in SCORES}
        return {"unit": self.unit, "n": self.n, "level": self.level, **scores}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> PairedDifferences:
        """Make differences from :meth:`to_json`."""
        unit, n, level = values["unit"], values["n"], values["level"]

        def read(value: dict[str, Any]) -> Difference:
            interval = None
            if value["interval"]:
                low, high = value["interval"]
                interval = Interval(low, high, level, unit, n)
            return Difference(value["difference"], interval, value.get("p"), value.get("found"))

        return cls(unit, n, level, **{name: read(values[name]) for name in SCORES})


def paired(first: pd.DataFrame, second: pd.DataFrame, labels: Classes, level: float = LEVEL) -> PairedDifferences:
    """Compute the paired differences of two systems, the second minus the first.

    Parameters
    ----------
    first, second : DataFrame
        ``id``, ``speaker``, ``text``, ``truth``, ``prediction``; several seeds of a system may be concatenated
    labels : sequence of str
        the corpus's labels
    level : float, default 0.95
        confidence level

    Returns
    -------
    PairedDifferences
        intervals and p values are over speakers; p is None below :data:`FEWEST_TESTED` units, the minimum detectable
        effect below four, and both for scores other than accuracy and UAR. Where there is a p, the interval holds the
        differences that the same test does not reject: it contains 0 where p is above 1 - ``level``. Elsewhere it is
        the jackknife's

    Raises
    ------
    ValueError
        when the two were not tested on the same utterances
    """
    if set(first["id"]) != set(second["id"]):
        raise ValueError("the two systems were not tested on the same utterances; choose the folds that both have")
    unit = unit_of(first)
    column = "text" if unit == "word" else "speaker"
    matrices = [_matrices(system, column, labels) for system in (first, second)]
    before, after = (scores_from_confusion(each.sum(axis=0)) for each in matrices)
    without = [scores_from_confusion(each.sum(axis=0) - each) for each in matrices]
    count = len(matrices[0])
    unit = unit if count >= FEWEST_UNITS else "none"
    added, shares = contributions(*matrices), unit_shares(matrices[0])
    scores = {}
    for name in SCORES:
        difference, interval = after[name] - before[name], None
        if count >= FEWEST_UNITS:
            if name in TESTED and count >= FEWEST_TESTED:
                low, high = signflip_interval(added[name], shares[name], level)
            else:
                low, high = jackknife(without[1][name] - without[0][name], difference, level)
            interval = Interval(low, high, level, unit, count) if high - low > SPREAD else None
        scores[name] = Difference(
            difference,
            interval,
            p=signflip(added[name]) if name in TESTED and count >= FEWEST_TESTED else None,
            minimum_detectable=(
                minimum_detectable_effect(added[name]) if name in TESTED and count >= FEWEST_UNITS else None
            ),
        )
    return PairedDifferences(unit, count, level, **scores)


def _matrices(system: pd.DataFrame, column: str, labels: Classes) -> np.ndarray:
    """Return the confusion matrix of each unit, averaged over seeds: float [units, labels, labels]."""
    seeds = len(system) / system["id"].nunique()
    return confusions_by(system, column, labels) / seeds


def contributions(first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the contribution of each unit to the difference in accuracy and in UAR; they sum to it.

    Parameters
    ----------
    first, second : float [units, labels, labels]
        confusion matrices of two systems on the same utterances

    Returns
    -------
    dict
        ``accuracy`` and ``uar``: float [units] each
    """
    gained = np.diagonal(second - first, axis1=1, axis2=2)
    support = first.sum(axis=(0, 2))
    present = support > 0
    return {
        "accuracy": gained.sum(axis=1) / support.sum(),
        "uar": (gained[:, present] / support[present]).mean(axis=1),
    }


def unit_shares(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the share of each unit in accuracy and in UAR: what it contributes to a difference of 1 everywhere.

    Parameters
    ----------
    matrices : float [units, labels, labels]
        confusion matrices; only the supports are used

    Returns
    -------
    dict
        ``accuracy`` and ``uar``: float [units] each, with the sum 1
    """
    support = matrices.sum(axis=2)
    total = support.sum(axis=0)
    present = total > 0
    return {
        "accuracy": support.sum(axis=1) / support.sum(),
        "uar": (support[:, present] / total[present]).mean(axis=1),
    }


def holm(values: list[float | None]) -> list[float | None]:
    """Adjust p values by Holm's step-down method (Scand. J. Statist. 6, 1979).

    Parameters
    ----------
    values : list of float or None
        None for a comparison that was not tested; it stays None and does not count

    Returns
    -------
    list of float or None

    Examples
    --------
    >>> holm([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * value))
        adjusted[place] = highest
    return adjusted


def paired_power(difference: float, deviation: float, units: int, alpha: float = ALPHA) -> float:
    """Compute the power of a two-sided paired t test (noncentral t).

    Parameters
    ----------
    difference, deviation : float
        true mean and standard deviation of the units' differences, in the same unit of measure
    units : int
        speakers or words
    alpha : float, default 0.05
        significance level

    Returns
    -------
    float
        probability of a significant result, ``alpha`` to 1
    """
    from scipy.stats import nct, t

    limit = t.ppf(1 - alpha / 2, units - 1)
    shift = abs(difference) / deviation * np.sqrt(units)
    return float(nct.sf(limit, units - 1, shift) + nct.cdf(-limit, units - 1, shift))


def minimum_detectable_effect(
    each: np.ndarray, units: int | None = None, alpha: float = ALPHA, wanted: float = POWER
) -> float | None:
    """Compute the smallest true difference that a paired test detects with power ``wanted``.

    Parameters
    ----------
    each : float [units]
        contribution of each unit to the observed difference; its spread is taken as the true one
    units : int, optional
        number of units; by default those observed
    alpha : float, default 0.05
        significance level
    wanted : float, default 0.8
        power

    Returns
    -------
    float or None
        in the unit of measure of the summed difference; None where the units do not differ
    """
    from scipy.optimize import brentq
    from scipy.stats import t

    units = units or len(each)
    deviation = float(np.std(len(each) * np.asarray(each), ddof=1))
    if deviation < SPREAD:
        return None
    highest = (2 * t.ppf(1 - alpha / 2, units - 1) + 3) * deviation / np.sqrt(units)
    return brentq(lambda value: paired_power(value, deviation, units, alpha) - wanted, 0.0, highest)
