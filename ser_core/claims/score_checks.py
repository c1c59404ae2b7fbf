"""Check printed scores: F1, means, percentages of test sets, accuracy, ranks and differences.

The docstring of each check names the fields of a claim that it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ser_core import metrics
from ser_core.claims import consistency
from ser_core.claims.claim_file import Claim, test_set_sizes
from ser_core.claims.consistency import format_like, ranges_overlap, rounding_range
from ser_core.claims.corpus_checks import published_utterances
from ser_core.claims.verdicts import CONTRADICTED, HOLDS, IMPOSSIBLE, OPEN, Finding


def f1(claim: Claim) -> Finding:
    """Check that the F1 of a class follows from its precision and recall.

    Fields: ``precision``, ``recall``, ``f1`` in percent; ``average = true`` for means over classes.
    """
    precision, recall, printed = (claim.percent(name) for name in ("precision", "recall", "f1"))
    exact, limits = consistency.f1(precision, recall), consistency.f1_range(precision, recall)
    computed = format_like(exact, printed)
    if claim.get("average", False) is True:
        why = "A mean over classes of F1 is not the F1 of the mean precision and recall, so nothing follows."
        return Finding(str(printed), computed, OPEN, why, float(exact))
    agrees = ranges_overlap(limits, rounding_range(printed))
    finer = printed.scaleb(-1)
    low, high = (format_like(limit, finer) for limit in limits)
    why = f"Precision {precision} and recall {recall}, as rounded, give {low} to {high}."
    return Finding(str(printed), computed, HOLDS if agrees else IMPOSSIBLE, why, float(exact))


def f1_between(claim: Claim) -> Finding:
    """Check that the F1 of a class lies between its precision and recall.

    Fields: ``precision``, ``recall``, ``f1`` in percent.
    """
    precision, recall, printed = (claim.percent(name) for name in ("precision", "recall", "f1"))
    low, high = sorted((precision, recall))
    inside = _rounds_within(printed, low, high)
    place = "within" if inside else "outside"
    why = f"A harmonic mean lies between its two values; {printed} is {place} {low} to {high}."
    return Finding(str(printed), f"{low} to {high}", HOLDS if inside else IMPOSSIBLE, why)


def _rounds_within(printed: Decimal, low: Decimal, high: Decimal) -> bool:
    """Return whether a printed figure may lie between two printed figures, all as rounded."""
    return ranges_overlap((rounding_range(low)[0], rounding_range(high)[1]), rounding_range(printed))


def column_mean(claim: Claim) -> Finding:
    """Check that a printed total is a mean of the rows of a table.

    Fields: ``printed``, ``table``, ``column``.
    """
    printed, column = claim.number("printed"), claim.column()
    mean = sum(column.values(), Decimal(0)) / len(column)
    low, high = min(column.values()), max(column.values())
    computed = format_like(mean, printed)
    if not _rounds_within(printed, low, high):
        why = f"The rows range from {low} to {high}, and every mean of them, however weighted, lies between."
        return Finding(str(printed), computed, IMPOSSIBLE, why, float(mean))
    agrees = abs(mean - printed) <= consistency.last_digit(printed)
    why = "The plain mean of the rows." if agrees else "The plain mean differs; one weighted by support may not."
    return Finding(str(printed), computed, HOLDS if agrees else OPEN, why, float(mean))


def fraction(claim: Claim) -> Finding:
    """Check that a percentage is k of n for some possible test set.

    Fields: ``printed`` in percent, ``tests``: test sets as ``{each, to, from, plus}``, ``{of, percent}`` or
    ``{sizes}``.
    """
    printed = claim.percent("printed")
    sizes = test_set_sizes(claim)
    possible = [n for n in sizes if consistency.matching_counts(printed, n)]
    k, n = consistency.nearest_fraction(printed, possible or sizes)
    share = Decimal(100 * k) / n
    computed = f"{format_like(share, printed)} = {k:,} of {n:,}"
    least = consistency.smallest_denominator(printed)
    if possible:
        why = f"{computed} is one of them; the smallest test set of any kind that allows it has {least:,}."
        return Finding(str(printed), computed, HOLDS, why, float(share))
    cut = [size for size in sizes if consistency.matching_counts(printed, size, cut=True)]
    tried = f"any of {len(sizes)} single test sets of {sizes[0]:,} to {sizes[-1]:,}"
    why = f"No k of n on {tried if len(sizes) > 1 else f'a test set of {sizes[0]:,}'} rounds to it"
    why += f" (cut off instead of rounded: {', '.join(f'{size:,}' for size in cut)})" if cut else ""
    why += f"; the nearest is {computed}. A mean over folds or runs could give it."
    return Finding(str(printed), computed, IMPOSSIBLE, why, float(share))


def smallest_support(claim: Claim) -> Finding:
    """Check that a class is large enough for the printed percentage.

    Fields: ``printed`` in percent; the size of the class as ``largest``, or ``corpus`` and ``emotion``.
    """
    printed = claim.percent("printed")
    least = consistency.smallest_denominator(printed)
    if claim.has("largest"):
        largest = claim.whole("largest")
    else:
        table, why = published_utterances(claim)
        if table is None:
            return Finding(str(printed), f"{least:,} utterances or more", OPEN, why, least)
        largest = int((table["emotion"] == claim.words("emotion")).sum())
    fits = any(consistency.matching_counts(printed, n) for n in range(least, largest + 1))
    why = f"The smallest n with some k of n at {printed} % is {least:,}; the whole corpus has {largest:,}."
    return Finding(str(printed), f"{least:,} utterances or more", HOLDS if fits else IMPOSSIBLE, why, least)


def least_accuracy(claim: Claim) -> Finding:
    """Check that an accuracy is possible with the printed macro recall.

    Fields: ``recall`` (macro) and ``accuracy`` in percent; ``supports``, the number of utterances per class, or
    ``corpus``.
    """
    recall, printed = claim.percent("recall"), claim.percent("accuracy")
    supports: Sequence[int]
    if claim.has("supports"):
        supports = claim.listed("supports", int)
        if min(supports) < 1:
            raise claim.wrong("supports must be above 0")
    else:
        table, why = published_utterances(claim)
        if table is None:
            return Finding(str(printed), "", OPEN, why)
        supports = table["emotion"].value_counts().tolist()
    least = 100 * consistency.minimum_accuracy(float(recall) / 100, supports)
    lowest = 100 * consistency.minimum_accuracy(max(0.0, float(rounding_range(recall)[0])) / 100, supports)
    possible = float(rounding_range(printed)[1]) >= lowest
    utterances = f"{sum(supports):,} utterances with these class sizes"
    why = f"A macro recall of {recall} leaves an accuracy of {format_like(least, printed)} or more on {utterances}"
    why += "." if possible else "; a recall weighted by support would equal the accuracy."
    computed = f"{format_like(least, printed)} or more"
    return Finding(str(printed), computed, HOLDS if possible else IMPOSSIBLE, why, least)


def one_against_rest(claim: Claim) -> Finding:
    """Compute the accuracy behind a printed one, if that was (TP + TN) / all averaged over classes.

    Fields: ``printed`` accuracy in percent, ``classes``.
    """
    printed, classes = claim.percent("printed"), claim.whole("classes", low=2)
    plain = 100 * metrics.accuracy_from_one_vs_rest(float(printed) / 100, classes)
    computed = format_like(plain, printed)
    why = (
        f"If (TP + TN) / all was computed for each of {classes} classes and averaged, {printed} % means that "
        f"{computed} % of utterances are recognised; the text does not say how its formula was used."
    )
    return Finding(str(printed), computed, OPEN, why, plain)


def rank(claim: Claim) -> Finding:
    """Check that rows have the highest values of a column.

    Fields: ``table``, ``column``, ``best``: the rows; ``also``: further columns to report.
    """
    column = claim.column()
    best = claim.picked("best", column)
    places: dict[str, list[int]] = {}
    for name in [claim.words("column"), *(claim.listed("also") if claim.has("also") else [])]:
        values = claim.column(name)
        places[name] = [1 + sum(other > values[row] for other in values.values()) for row in best]
    main = places[claim.words("column")]
    by_column = [
        f"by {name}: " + ", ".join(f"{row} {place}" for row, place in zip(best, ranks))
        for name, ranks in places.items()
    ]
    why = f"Places among {len(column)} {'; '.join(by_column)}."
    computed = ", ".join(f"{row}: place {place}" for row, place in zip(best, main))
    verdict = HOLDS if max(main) <= len(best) else CONTRADICTED
    return Finding(" and ".join(best) + " best", computed, verdict, why)


def step(claim: Claim) -> Finding:
    """Compute a difference of two scores as a number of test clips, and the best p that it allows.

    Fields: ``table``, ``column`` in percent, the rows ``before`` and ``after``, ``clips`` of the test set.
    """
    column, clips = claim.column(), claim.whole("clips")
    (before,), (after,) = claim.picked("before", column), claim.picked("after", column)
    points = column[after] - column[before]
    gained = points * clips / 100
    best = consistency.sign_test(abs(round(gained)))
    why = (
        f"{points:+} points are {gained:.1f} of {clips:,} clips; if all changed predictions were improvements, "
        f"a sign test would give p = {best:.3f}. The paper gives no test."
    )
    verdict = OPEN if best > 0.05 and gained > 0 else HOLDS if gained > 0 else CONTRADICTED
    return Finding(f"{points:+} points", f"{gained:.1f} clips of {clips:,}", verdict, why, float(gained))
