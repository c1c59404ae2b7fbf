"""Compute confidence intervals of scores, over speakers or words.

Utterances of one speaker are not independent, so an interval is taken over speakers. The jackknife leaves out one
speaker at a time; Student's t with (speakers - 1) degrees of freedom turns the spread of the pseudo-values into an
interval. With equally many utterances per speaker, the interval of accuracy is the t interval of the speakers'
accuracies. With fewer than four speakers there is no interval over speakers. A test set with a single speaker (TESS,
one actress to the other) has an interval over words, which is labelled so. Paired tests are in
:mod:`ser_core.metrics.significance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core.metrics.classification import (
    Classes,
    ClassScores,
    confusion,
    per_class,
    scores_from_confusion,
    unit_confusions,
)

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
"""Confidence level of every interval."""
FEWEST_UNITS = 4
"""Minimum number of speakers or words for an interval."""
SPREAD = 1e-9
"""A narrower interval is omitted: units that are all alike do not show how far others could differ."""
SCORES = ("accuracy", "uar", "precision", "recall", "f1")
"""Names of the scores of predictions."""
PRINTED = 5e-4
"""A narrower interval of a score is omitted: its limits would be printed as the same number."""
METHOD, NO_METHOD = "jackknife over units, Student's t", "none: fewer than four units"


@dataclass(frozen=True)
class Interval:
    """Confidence interval of a score or of a difference between scores.

    Attributes
    ----------
    low, high : float, limits as fractions
    level : float, confidence level, 0 to 1
    unit : str, what the jackknife leaves out: ``"speaker"`` or ``"word"``
    n : int, number of units

    Examples
    --------
    >>> interval = Interval(0.38, 0.47, n=24)
    >>> interval.contains(0.9174)
    False
    """

    low: float
    high: float
    level: float = LEVEL
    unit: str = "speaker"
    n: int = 0

    @property
    def limits(self) -> tuple[float, float]:
        """Return the lower and the upper limit."""
        return self.low, self.high

    def contains(self, value: float) -> bool:
        """Return whether a value lies within the limits."""
        return self.low <= value <= self.high

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Interval:
        """Make an interval from :meth:`to_json`."""
        return cls(**values)


@dataclass(frozen=True)
class Intervals:
    """Intervals of every score of one set of predictions.

    Attributes
    ----------
    unit : str, what the jackknife leaves out: ``"speaker"``, ``"word"``, or ``"none"`` without intervals
    n : int, number of units
    level : float, confidence level, 0 to 1
    method : str
    accuracy, uar, precision, recall, f1 : Interval or None
    """

    unit: str
    n: int
    level: float = LEVEL
    method: str = METHOD
    accuracy: Interval | None = None
    uar: Interval | None = None
    precision: Interval | None = None
    recall: Interval | None = None
    f1: Interval | None = None

    def get(self, score: str) -> Interval | None:
        """Return the interval of a score by its name, one of :data:`SCORES`."""
        return getattr(self, score)

    def to_json(self) -> dict[str, Any]:
        """Return ``unit``, ``n``, ``level``, ``method``, and ``[low, high]`` or None per score."""
        each = {name: self.get(name) for name in SCORES}
        limits = {name: interval and list(interval.limits) for name, interval in each.items()}
        return {"unit": self.unit, "n": self.n, "level": self.level, "method": self.method, **limits}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Intervals:
        """Make intervals from :meth:`to_json`.

        >>> Intervals.from_json({"unit": "speaker", "n": 24, "accuracy": [0.38, 0.47]}).accuracy.n
        24
        """
        unit, n, level = values["unit"], values["n"], values.get("level", LEVEL)
        limits = {name: values[name] for name in SCORES if values.get(name)}
        each = {name: Interval(low, high, level, unit, n) for name, (low, high) in limits.items()}
        return cls(unit, n, level, values.get("method", METHOD), **each)


@dataclass(frozen=True)
class Spread:
    """Standard deviations (ddof 1) of a score, as fractions.

    Attributes
    ----------
    seeds : float or None, over seeds; None for one seed
    units : float or None, over speakers or words; None below :data:`FEWEST_UNITS`
    """

    seeds: float | None
    units: float | None


@dataclass(frozen=True)
class Scored:
    """Scores of one set of predictions.

    Attributes
    ----------
    n_test : int, distinct utterances
    scores : dict, name of a score to a fraction
    intervals : Intervals
    spread : dict, name of a score to :class:`Spread`; empty where it was not computed
    per_class : dict, emotion to :class:`~ser_core.metrics.classification.ClassScores`; may be empty
    confusion : list of lists of int, rows are the truth; may be empty
    """

    n_test: int
    scores: dict[str, float]
    intervals: Intervals
    spread: dict[str, Spread]
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes; empty ones are left out."""
        values = {"n_test": self.n_test, "scores": self.scores, "intervals": self.intervals.to_json()}
        for name in ("spread", "per_class"):
            if part := getattr(self, name):
                values[name] = {key: vars(value) for key, value in part.items()}
        return values | ({"confusion": self.confusion} if self.confusion else {})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scored:
        """Make scores from :meth:`to_json`."""
        return cls(
            values["n_test"],
            values["scores"],
            Intervals.from_json(values["intervals"]),
            {name: Spread(**value) for name, value in values.get("spread", {}).items()},
            {name: ClassScores(**value) for name, value in values.get("per_class", {}).items()},
            values.get("confusion", []),
        )


def jackknife(values_without: np.ndarray, whole: float, level: float = LEVEL) -> tuple[float, float]:
    """Compute an interval from the estimates that leave out one unit each.

    Parameters
    ----------
    values_without : float [units]
        the estimate without each unit
    whole : float
        the estimate with all units
    level : float, default 0.95
        confidence level, 0 to 1

    Returns
    -------
    low, high : float
        not clipped to 0..1

    Examples
    --------
    >>> low, high = jackknife(np.array([0.5, 0.6, 0.7, 0.6]), 0.6)
    >>> round(low, 3), round(high, 3)
    (0.21, 0.99)
    """
    from scipy.special import stdtrit  # what scipy.stats.t.ppf calls; scipy.stats takes half a second to load

    n = len(values_without)
    pseudo = n * whole - (n - 1) * np.asarray(values_without, dtype=float)
    half = stdtrit(n - 1, 0.5 + level / 2.0) * pseudo.std(ddof=1) / np.sqrt(n)
    return float(whole - half), float(whole + half)


def unit_of(predictions: pd.DataFrame) -> str:
    """Choose the unit of intervals and paired tests.

    Parameters
    ----------
    predictions : DataFrame
        ``speaker``, ``text``

    Returns
    -------
    str
        ``"speaker"`` with four speakers or more, ``"word"`` with fewer but four texts or more, else ``"none"``
    """
    if predictions["speaker"].nunique() >= FEWEST_UNITS:
        return "speaker"
    return "word" if predictions["text"].nunique() >= FEWEST_UNITS else "none"


def intervals(predictions: pd.DataFrame, labels: Classes, unit: str | None = None, level: float = LEVEL) -> Intervals:
    """Compute the interval of every score.

    Parameters
    ----------
    predictions : DataFrame
        ``truth``, ``prediction``, ``speaker``, ``text``; one row per utterance
    labels : sequence of str
        the corpus's labels
    unit : str, optional
        ``"speaker"`` or ``"word"``; by default that of :func:`unit_of`
    level : float, default 0.95

    Returns
    -------
    Intervals
        limits within 0..1; None for a score below :data:`FEWEST_UNITS` units or without any spread
    """
    unit = unit or unit_of(predictions)
    column = {"speaker": "speaker", "word": "text"}.get(unit)
    count = int(predictions[column].nunique()) if column else 0
    if column is None or count < FEWEST_UNITS:
        return Intervals("none", count, level, NO_METHOD)
    each = confusions_by(predictions, column, labels)
    limits = {
        name: Interval(max(0.0, low), min(1.0, high), level, unit, count)
        for name, (low, high) in jackknife_scores(each, level).items()
        if high - low > PRINTED
    }
    return Intervals(unit, count, level, METHOD, **limits)


def confusions_by(predictions: pd.DataFrame, column: str, labels: Classes) -> np.ndarray:
    """Compute the confusion matrix of each unit.

    Parameters
    ----------
    predictions : DataFrame
        ``truth``, ``prediction`` and the column
    column : str
        ``"speaker"`` or ``"text"``
    labels : sequence of str

    Returns
    -------
    int [units, labels, labels]
        the units sorted by name
    """
    unit, names = predictions[column].factorize(sort=True)
    return unit_confusions(unit, predictions["truth"], predictions["prediction"], labels, units=len(names))


def jackknife_scores(matrices: np.ndarray, level: float = LEVEL) -> dict[str, tuple[float, float]]:
    """Compute the interval of every score from confusion matrices.

    Parameters
    ----------
    matrices : int or float [units, labels, labels]
        one per speaker or word
    level : float, default 0.95

    Returns
    -------
    dict of str to (low, high)
        not clipped to 0..1
    """
    total = matrices.sum(axis=0)
    whole, without = scores_from_confusion(total), scores_from_confusion(total - matrices)
    return {name: jackknife(without[name], whole[name], level) for name in SCORES}


def spread(frames: Sequence[pd.DataFrame], labels: Classes) -> dict[str, Spread]:
    """Compute the standard deviation of each score over seeds, and over speakers.

    Parameters
    ----------
    frames : list of DataFrame
        one per seed (``truth``, ``prediction``, ``speaker``, ``text``), all of the same utterances
    labels : sequence of str

    Returns
    -------
    dict
        score to :class:`Spread`: of the seeds' scores (None with one seed), and of the units' own scores with the seeds
        averaged (None below four units). The score of a unit is over the classes that it has
    """
    column = "text" if unit_of(frames[0]) == "word" else "speaker"
    each = [confusions_by(frame, column, labels) for frame in frames]
    by_seed = [scores_from_confusion(matrices.sum(axis=0)) for matrices in each]
    own = scores_from_confusion(np.mean(each, axis=0))
    return {
        name: Spread(
            seeds=float(np.std([scores[name] for scores in by_seed], ddof=1)) if len(by_seed) > 1 else None,
            units=float(np.std(own[name], ddof=1)) if len(own[name]) >= FEWEST_UNITS else None,
        )
        for name in SCORES
    }


def score_predictions(frame: pd.DataFrame, labels: Classes) -> Scored:
    """Compute scores, intervals, scores per class and the confusion matrix of predictions.

    Parameters
    ----------
    frame : DataFrame
        ``truth``, ``prediction``, ``speaker``, ``text``; one row per utterance
    labels : sequence of str
        the corpus's labels

    Returns
    -------
    Scored
        ``spread`` is empty: it needs several seeds
    """
    matrix = confusion(frame["truth"], frame["prediction"], labels)
    return Scored(
        n_test=len(frame),
        scores=scores_from_confusion(matrix),
        intervals=intervals(frame, labels),
        spread={},
        per_class=per_class(frame["truth"], frame["prediction"], labels),
        confusion=matrix.tolist(),
    )
