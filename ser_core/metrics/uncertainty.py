"""Intervals that know that utterances of one speaker are not independent.

A score's 95 % interval is taken over speakers: the jackknife leaves out one speaker at a time, and Student's t with
(speakers - 1) degrees of freedom turns the spread of the pseudo-values into an interval. For accuracy with equally
many utterances a speaker this is exactly the t interval of the speakers' accuracies. With fewer than four speakers no
interval over speakers is given; where a test set has a single speaker (TESS, one actress to the other), an interval
over words may be, and is labelled so.

Two systems are compared on the same utterances by the sign-flip test over speakers: were both alike, the two answers
to all utterances of a speaker could as well be exchanged. McNemar's test on utterances takes those of one speaker for
independent and is wrong by far. The tests of a table are corrected together by Holm's step-down method.
"""

import numpy as np

from ser_core import metrics
from ser_core.metrics import uncertainty

LEVEL = 0.95
FEWEST_UNITS = 4
FEWEST_TESTED = 6
"""Over five units no exchange of answers is rarer than 2 in 2**5, 6.25 %: a test at 5 % cannot find anything."""
SPREAD = 1e-9
"""An interval narrower than this is none: units that are all alike say nothing about how far others could differ."""
SCORES = ("accuracy", "uar", "precision", "recall", "f1")
TESTED = ("accuracy", "uar")
"""Scores that are sums over speakers once the truth is fixed, so that exchanging answers is flipping a sign."""
PRINTED = 5e-4
"""An interval of a score narrower than this would be printed as one number twice, and is none."""
ALPHA, POWER = 0.05, 0.8
EXACT_UNITS = 32
"""Up to so many units every one of the 2**units exchanges is counted."""


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
        name: [max(0.0, low), min(1.0, high)] if high - low > PRINTED else None
        for name, (low, high) in jackknife_scores(each, level).items()
    }


def jackknife_scores(matrices: np.ndarray, level: float = LEVEL) -> dict[str, tuple[float, float]]:
    """Interval of every score from the units' confusion matrices [units, labels, labels], not cut to 0..1."""
    total = matrices.sum(axis=0)
    whole, without = metrics.scores_from_confusion(total), metrics.scores_from_confusion(total - matrices)
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
        score to ``{"difference": float, "interval": [low, high] or None}``, for accuracy and UAR also ``p`` (of
        :func:`signflip`; None below :data:`FEWEST_TESTED` units) and ``found`` (:func:`detectable`; None below four);
        ``unit``, ``n`` (units), ``level``

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
    before, after = (metrics.scores_from_confusion(each.sum(axis=0)) for each in matrices)
    without = [metrics.scores_from_confusion(each.sum(axis=0) - each) for each in matrices]
    count = len(matrices[0])
    result: dict = {"unit": unit if count >= FEWEST_UNITS else "none", "n": count, "level": level}
    for name in SCORES:
        limits = None
        if count >= FEWEST_UNITS:
            low, high = jackknife(without[1][name] - without[0][name], after[name] - before[name], level)
            limits = [low, high] if high - low > SPREAD else None
        result[name] = {"difference": after[name] - before[name], "interval": limits}
    for name, each in contributions(*matrices).items():
        tested, enough = count >= FEWEST_TESTED, count >= FEWEST_UNITS
        result[name] |= {
            "p": signflip(each) if tested else None,
            "found": minimum_detectable_effect(each) if enough else None,
        }
    return result


def contributions(first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """What each unit adds to the difference in accuracy and in UAR: float [units] each; the sum is the difference.

    first, second : confusion matrices [units, labels, labels] of two systems on the same utterances
    """
    gained = np.diagonal(second - first, axis1=1, axis2=2)
    support = first.sum(axis=(0, 2))
    present = support > 0
    return {
        "accuracy": gained.sum(axis=1) / support.sum(),
        "uar": (gained[:, present] / support[present]).mean(axis=1),
    }


def signflip(each: np.ndarray, *, flips: int = 50_000, seed: int = 0) -> float:
    """Two-sided p value of a sum of paired differences under exchange within units (Fisher's randomisation test).

    Up to :data:`EXACT_UNITS` units all exchanges are counted (the sums of either half of the units are sorted, and
    pairs counted by bisection); above that ``flips`` random ones, seeded, with the observed one among them.

    Parameters
    ----------
    each : float [units], what each unit adds to the difference
    flips, seed : for many units

    Returns
    -------
    float, the share of exchanges whose sum is at least as far from zero: from 2**(1 - units) to 1
    """
    each = np.asarray(each, dtype=float)
    limit = abs(each.sum()) - 1e-12 * max(1.0, np.abs(each).sum())  # sums in another order are the same sum
    if limit <= 0:
        return 1.0
    if len(each) > EXACT_UNITS:
        random = np.random.default_rng(seed)
        signs = random.integers(0, 2, (flips, len(each)), dtype=np.int8) * 2 - 1
        return float((1 + (np.abs(signs @ each) >= limit).sum()) / (1 + flips))
    left, right = (_sums(half) for half in np.array_split(each, 2))
    left.sort()
    above = len(left) - np.searchsorted(left, limit - right, side="left")
    below = np.searchsorted(left, -limit - right, side="right")
    return float((above.sum() + below.sum()) / 2.0 ** len(each))


def _sums(values: np.ndarray) -> np.ndarray:
    """The sums of ``values`` under every assignment of signs: float [2 ** len(values)]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def holm(values: list[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p values (Scand. J. Statist. 6, 1979), in the order given; None stays None."""
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * value))
        adjusted[place] = highest
    return adjusted


def paired_power(difference: float, deviation: float, units: int, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired test over ``units`` finds a true ``difference`` (noncentral t).

    difference, deviation : mean and standard deviation of the units' differences, in the same unit
    """
    from scipy.stats import nct, t

    limit = t.ppf(1 - alpha / 2, units - 1)
    shift = abs(difference) / deviation * np.sqrt(units)
    return float(nct.sf(limit, units - 1, shift) + nct.cdf(-limit, units - 1, shift))


def minimum_detectable_effect(
    each: np.ndarray, units: int | None = None, alpha: float = ALPHA, wanted: float = POWER
) -> float | None:
    """The smallest true difference that such a comparison finds with probability ``wanted``.

    Parameters
    ----------
    each : float [units], what each unit adds to the observed difference; its spread is taken as the true one
    units : so many units as the corpus has; by default those observed

    Returns
    -------
    float in the unit of the summed difference, or None where the units do not differ
    """
    from scipy.optimize import brentq
    from scipy.stats import t

    units = units or len(each)
    deviation = float(np.std(len(each) * np.asarray(each), ddof=1))
    if deviation < SPREAD:
        return None
    highest = (2 * t.ppf(1 - alpha / 2, units - 1) + 3) * deviation / np.sqrt(units)
    return brentq(lambda value: paired_power(value, deviation, units, alpha) - wanted, 0.0, highest)


def spread(frames, labels) -> dict:
    """How far a score moves from seed to seed, apart from how far it moves from speaker to speaker.

    Parameters
    ----------
    frames : one DataFrame a seed (``truth``, ``prediction``, ``speaker``, ``text``), all of the same utterances

    Returns
    -------
    dict
        score to ``{"seeds": float or None, "units": float or None}``, standard deviations (ddof 1): of the seeds'
        scores, None with one seed; and of the units' pseudo-values, the seeds averaged, None below four units
    """
    unit = unit_of(frames[0])
    column = "text" if unit == "word" else "speaker"
    each = []
    for frame in frames:
        parts = [part for _, part in frame.groupby(column)]
        each.append(np.stack([metrics.confusion(part["truth"], part["prediction"], labels) for part in parts]))
    whole = [metrics.scores_from_confusion(one.sum(axis=0)) for one in each]
    mean = np.mean(each, axis=0)
    total, without = (
        metrics.scores_from_confusion(mean.sum(axis=0)),
        metrics.scores_from_confusion(mean.sum(axis=0) - mean),
    )
    count = len(mean)
    found = {}
    for name in SCORES:
        pseudo = count * total[name] - (count - 1) * without[name]
        found[name] = {
            "seeds": float(np.std([one[name] for one in whole], ddof=1)) if len(whole) > 1 else None,
            "units": float(np.std(pseudo, ddof=1)) if count >= FEWEST_UNITS else None,
        }
    return found


def score_predictions(frame, labels) -> dict:
    """Scores, intervals over speakers, per class and confusion of predictions."""
    matrix = metrics.confusion(frame["truth"], frame["prediction"], labels)
    return {
        "n_test": len(frame),
        "scores": metrics.scores_from_confusion(matrix),
        "intervals": uncertainty.intervals(frame, labels),
        "per_class": metrics.per_class(frame["truth"], frame["prediction"], labels),
        "confusion": matrix.tolist(),
    }
