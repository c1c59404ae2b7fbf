"""Intervals that know that utterances of one speaker are not independent.

A score's 95 % interval is taken over speakers: the jackknife leaves out one speaker at a time, and Student's t with
(speakers - 1) degrees of freedom turns the spread of the pseudo-values into an interval. For accuracy with equally
many utterances a speaker this is exactly the t interval of the speakers' accuracies. With fewer than four speakers no
interval over speakers is given; where a test set has a single speaker (TESS, one actress to the other), an interval
over words may be, and is labelled so.
"""

import numpy as np

from ser_core import metrics

LEVEL = 0.95
FEWEST_UNITS = 4
SPREAD = 1e-9
"""An interval narrower than this is none: units that are all alike say nothing about how far others could differ."""
SCORES = ("accuracy", "uar", "precision", "recall", "f1")


def jackknife(values_without: np.ndarray, whole: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval from the estimates that leave out one unit each.

    Parameters
    ----------
    values_without : float [units], the estimate without each unit
    whole : float, the estimate with all
    level : float, 0 to 1

    Returns
    -------
    (low, high), not cut to 0..1
    """
    from scipy.stats import t

    n = len(values_without)
    pseudo = n * whole - (n - 1) * np.asarray(values_without, dtype=float)
    half = t.ppf(0.5 + level / 2.0, n - 1) * pseudo.std(ddof=1) / np.sqrt(n)
    return float(whole - half), float(whole + half)


def unit_of(predictions) -> str:
    """``"speaker"`` with four speakers or more, ``"word"`` with fewer but four texts or more, else ``"none"``."""
    if predictions["speaker"].nunique() >= FEWEST_UNITS:
        return "speaker"
    return "word" if predictions["text"].nunique() >= FEWEST_UNITS else "none"


def intervals(predictions, labels, unit: str | None = None, level: float = LEVEL) -> dict:
    """95 % intervals of every score.

    Parameters
    ----------
    predictions : DataFrame with ``truth``, ``prediction``, ``speaker``, ``text``
    labels : the corpus's labels
    unit : ``"speaker"``, ``"word"`` or None for :func:`unit_of`

    Returns
    -------
    dict: score name to [low, high] within 0..1, or to None; and ``unit``, ``n`` (units), ``level``, ``method``
    """
    unit = unit or unit_of(predictions)
    column = {"speaker": "speaker", "word": "text"}.get(unit)
    groups = [part for _, part in predictions.groupby(column)] if column else []
    result: dict = {"unit": unit, "n": len(groups), "level": level, "method": "jackknife over units, Student's t"}
    if len(groups) < FEWEST_UNITS:
        return result | dict.fromkeys(SCORES) | {"unit": "none", "method": "none: fewer than four units"}
    each = np.stack([metrics.confusion(part["truth"], part["prediction"], labels) for part in groups])
    return result | {
        name: [max(0.0, low), min(1.0, high)] if high - low > SPREAD else None
        for name, (low, high) in jackknife_scores(each, level).items()
    }


def jackknife_scores(matrices: np.ndarray, level: float = LEVEL) -> dict[str, tuple[float, float]]:
    """Interval of every score from the units' confusion matrices [units, labels, labels], not cut to 0..1."""
    total = matrices.sum(axis=0)
    whole, without = metrics.scores_of(total), metrics.scores_of(total - matrices)
    return {name: jackknife(without[name], whole[name], level) for name in SCORES}


def paired(first, second, labels, level: float = LEVEL) -> dict:
    """How much the second system is better than the first on the same test utterances, with intervals over speakers.

    Parameters
    ----------
    first, second : DataFrame with ``id``, ``speaker``, ``text``, ``truth``, ``prediction``; several seeds of a system
        may stand below one another
    labels : the corpus's labels

    Returns
    -------
    dict
        score to ``{"difference": float, "interval": [low, high] or None}``; ``unit``, ``n`` (units), ``level``

    Raises
    ------
    ValueError
        when the two were not tested on the same utterances
    """
    if set(first["id"]) != set(second["id"]):
        raise ValueError("the two systems were not tested on the same utterances")
    unit = unit_of(first)
    column = "text" if unit == "word" else "speaker"
    matrices = []
    for system in (first, second):
        seeds = len(system) / system["id"].nunique()
        parts = dict(list(system.groupby(column)))
        each = [metrics.confusion(parts[k]["truth"], parts[k]["prediction"], labels) for k in sorted(parts)]
        matrices.append(np.stack(each) / seeds)
    before, after = (metrics.scores_of(each.sum(axis=0)) for each in matrices)
    without = [metrics.scores_of(each.sum(axis=0) - each) for each in matrices]
    count = len(matrices[0])
    result: dict = {"unit": unit if count >= FEWEST_UNITS else "none", "n": count, "level": level}
    for name in SCORES:
        limits = None
        if count >= FEWEST_UNITS:
            low, high = jackknife(without[1][name] - without[0][name], after[name] - before[name], level)
            limits = [low, high] if high - low > SPREAD else None
        result[name] = {"difference": after[name] - before[name], "interval": limits}
    return result
