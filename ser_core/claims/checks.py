"""The kinds of check that ``ser audit`` knows: each takes a claim and computes what the paper's own figures allow.

``holds``: the figures agree. ``contradicted``: a computation from the text, or another printed value, says otherwise.
``impossible``: no data of the stated kind give the printed figure. ``cannot be checked``: the paper lacks what it would
take.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ser_core import metrics
from ser_core._utils.errors import SerError
from ser_core.claims import consistency
from ser_core.claims.claim_file import Claim, test_set_sizes
from ser_core.claims.consistency import format_like, rounding_range

HOLDS, CONTRADICTED, IMPOSSIBLE, OPEN = VERDICTS = ("holds", "contradicted", "impossible", "cannot be checked")


@dataclass(frozen=True)
class Finding:
    """What a check found: texts with the printed decimals, the verdict, one sentence why, and the bare number."""

    printed: str
    computed: str
    verdict: str
    why: str
    value: float | None = None


def _utterances(claim: Claim):
    """The published file list of the claim's corpus; None and why where there is none to look at."""
    from ser_core import corpora

    name = claim.words("corpus")
    try:
        return corpora.manifest(name), ""
    except ModuleNotFoundError as error:
        return None, f"not checked: {error.name} is not installed, which reads the file list of {name}."
    except SerError:
        if name not in corpora.CORPORA:
            raise claim.wrong(f"corpus {name!r}: choose among {', '.join(corpora.CORPORA)}") from None
        return None, f"not checked: no file list of {name} comes with the suite."


# Parameters


def parameters(claim: Claim) -> Finding:
    """``printed``, ``layers``; ``channels`` (one or several, the first is ours), ``frames`` of the input."""
    printed, layers = claim.number("printed"), claim.listed("layers")
    channels, frames = claim.listed("channels", int, [1]), claim.whole("frames", 1)
    ways = {(True, True): "one PReLU slope a filter, 'same' padding", (False, True): "a slope a filter and step",
            (False, False): "a slope a filter and step, 'valid' padding"}  # fmt: skip
    found = {}
    try:
        for width in channels:
            for shared, same in ways:
                found[width, shared, same] = consistency.count_parameters(
                    layers, width, frames, shared=shared, same=same
                )
    except ValueError as error:
        raise claim.wrong(str(error)) from None
    ours, counts = next(iter(found.values()))
    totals = [total for total, _ in found.values()]
    convolutions = sum(count for layer, count in zip(layers, counts) if layer.startswith("conv"))
    why = f"The layers as listed hold {ours:,} ({100 * (ours / float(printed or 1) - 1):+.2f} %)"
    if min(totals) < max(totals):
        why += f"; other readings of inputs, PReLU and padding {min(totals):,} to {max(totals):,}"
    if convolutions > printed:
        why += f"; the convolutions alone hold {convolutions:,}"
    hits = [way for way, (total, _) in found.items() if total == printed]
    if hits and ours != printed:
        why += f"; it is met with {hits[0][0]} channels and {ways[hits[0][1:]]}"
    return Finding(f"{printed:,f}", f"{ours:,}", HOLDS if hits else CONTRADICTED, why + ".", ours)


def smallest(claim: Claim) -> Finding:
    """``table``, ``column``, ``row``: the row is said to have the smallest value."""
    column = claim.column()
    (row,) = claim.picked("row", column)
    below = {name: value for name, value in column.items() if value < column[row]}
    least = min(column, key=column.get)
    why = f"{', '.join(below)} has less." if below else "No row has less."
    return Finding(f"{column[row]:,f}", f"{column[least]:,f} ({least})", CONTRADICTED if below else HOLDS, why)


# Scores


def f1(claim: Claim) -> Finding:
    """``precision``, ``recall``, ``f1`` of one class in percent; ``average = true`` for means over classes."""
    precision, recall, printed = (claim.percent(name) for name in ("precision", "recall", "f1"))
    exact, limits = consistency.f1(precision, recall), consistency.f1_range(precision, recall)
    computed = format_like(exact, printed)
    if claim.get("average", False) is True:
        why = "A mean over classes of F1 is not the F1 of the mean precision and recall, so nothing follows."
        return Finding(str(printed), computed, OPEN, why, float(exact))
    agrees = limits[0] <= rounding_range(printed)[1] and rounding_range(printed)[0] <= limits[1]
    finer = printed.scaleb(-1)
    low, high = (format_like(limit, finer) for limit in limits)
    why = f"Precision {precision} and recall {recall}, as rounded, give {low} to {high}."
    return Finding(str(printed), computed, HOLDS if agrees else IMPOSSIBLE, why, float(exact))


def f1_between(claim: Claim) -> Finding:
    """``precision``, ``recall``, ``f1`` of one class: F1 lies between the other two."""
    precision, recall, printed = (claim.percent(name) for name in ("precision", "recall", "f1"))
    low, high = sorted((precision, recall))
    inside = (
        rounding_range(low)[0] <= rounding_range(printed)[1] and rounding_range(printed)[0] <= rounding_range(high)[1]
    )
    place = "within" if inside else "outside"
    why = f"A harmonic mean lies between its two values; {printed} is {place} {low} to {high}."
    return Finding(str(printed), f"{low} to {high}", HOLDS if inside else IMPOSSIBLE, why)


def column_mean(claim: Claim) -> Finding:
    """``printed``, ``table``, ``column``: a total that is some mean of the table's rows."""
    printed, column = claim.number("printed"), claim.column()
    mean, low, high = sum(column.values()) / len(column), min(column.values()), max(column.values())
    computed = format_like(mean, printed)
    if not (
        rounding_range(low)[0] <= rounding_range(printed)[1] and rounding_range(printed)[0] <= rounding_range(high)[1]
    ):
        why = f"The rows run from {low} to {high}, and every mean of them, however weighted, lies between."
        return Finding(str(printed), computed, IMPOSSIBLE, why, float(mean))
    agrees = abs(mean - printed) <= consistency.last_digit(printed)
    why = "The plain mean of the rows." if agrees else "The plain mean differs; one weighted by support may not."
    return Finding(str(printed), computed, HOLDS if agrees else OPEN, why, float(mean))


def fraction(claim: Claim) -> Finding:
    """``printed`` percent, ``tests``: test sets as ``{each, to, from, plus}``, ``{of, percent}`` or ``{sizes}``."""
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
    """``printed`` percent of one class, and how many there are: ``largest``, or ``corpus`` and ``emotion``."""
    printed, least = claim.percent("printed"), consistency.smallest_denominator(claim.percent("printed"))
    if claim.has("largest"):
        largest = claim.whole("largest")
    else:
        table, why = _utterances(claim)
        if table is None:
            return Finding(str(printed), f"{least:,} utterances or more", OPEN, why, least)
        largest = int((table["emotion"] == claim.words("emotion")).sum())
    fits = any(consistency.matching_counts(printed, n) for n in range(least, largest + 1))
    why = f"The smallest n with some k of n at {printed} % is {least:,}; the whole corpus has {largest:,}."
    return Finding(str(printed), f"{least:,} utterances or more", HOLDS if fits else IMPOSSIBLE, why, least)


def least_accuracy(claim: Claim) -> Finding:
    """``recall`` (macro), ``accuracy``, both in percent; ``supports``: counts of the classes, or ``corpus``."""
    recall, printed = claim.percent("recall"), claim.percent("accuracy")
    if claim.has("supports"):
        supports = claim.listed("supports", int)
        if min(supports) < 1:
            raise claim.wrong("supports must be above 0")
    else:
        table, why = _utterances(claim)
        if table is None:
            return Finding(str(printed), "", OPEN, why)
        supports = table["emotion"].value_counts().tolist()
    least = 100 * consistency.minimum_accuracy(float(recall) / 100, supports)
    lowest = 100 * consistency.minimum_accuracy(max(0.0, float(rounding_range(recall)[0])) / 100, supports)
    possible = float(rounding_range(printed)[1]) >= lowest
    why = f"A macro recall of {recall} leaves {format_like(least, printed)} or more on {sum(supports):,} utterances so divided"
    why += "." if possible else "; a recall weighted by support would equal the accuracy."
    computed = f"{format_like(least, printed)} or more"
    return Finding(str(printed), computed, HOLDS if possible else IMPOSSIBLE, why, least)


def one_against_rest(claim: Claim) -> Finding:
    """``printed`` accuracy in percent, ``classes``: what it would be if (TP + TN) / all was averaged over classes."""
    printed, classes = claim.percent("printed"), claim.whole("classes", low=2)
    plain = 100 * metrics.accuracy_from_one_vs_rest(float(printed) / 100, classes)
    why = (
        f"If (TP + TN) / all was taken for each of {classes} classes and averaged, {printed} % stands for "
        f"{format_like(plain, printed)} % of utterances recognised; the text does not say how its formula was used."
    )
    return Finding(str(printed), format_like(plain, printed), OPEN, why, plain)


def rank(claim: Claim) -> Finding:
    """``table``, ``column``, ``best``: rows said to have the highest values; ``also``: further columns to look at."""
    column = claim.column()
    best, places = claim.picked("best", column), {}
    for name in [claim.words("column"), *(claim.listed("also") if claim.has("also") else [])]:
        values = claim.column(name)
        places[name] = [1 + sum(other > values[row] for other in values.values()) for row in best]
    main = places[claim.words("column")]
    why = "; ".join(f"by {name}: " + ", ".join(f"{r} {p}" for r, p in zip(best, places[name])) for name in places)
    right = max(main) <= len(best)
    computed = ", ".join(f"{row}: place {place}" for row, place in zip(best, main))
    why = f"Places among {len(column)} {why}."
    return Finding(" and ".join(best) + " best", computed, HOLDS if right else CONTRADICTED, why)


def step(claim: Claim) -> Finding:
    """``table``, ``column`` in percent, ``before``, ``after``, ``clips``: a difference as a number of test clips."""
    column, clips = claim.column(), claim.whole("clips")
    (before,), (after,) = claim.picked("before", column), claim.picked("after", column)
    points = column[after] - column[before]
    gained = points * clips / 100
    best = consistency.sign_test(abs(round(gained)))
    why = (
        f"{points:+} points are {gained:.1f} of {clips:,} clips; were every changed answer changed for the better, "
        f"a sign test would give p = {best:.3f}. The paper gives no test."
    )
    verdict = OPEN if best > 0.05 and gained > 0 else HOLDS if gained > 0 else CONTRADICTED
    return Finding(f"{points:+} points", f"{gained:.1f} clips of {clips:,}", verdict, why, float(gained))


# Timing


def rtf(claim: Claim) -> Finding:
    """``rtf``, ``latency_ms``, ``seconds`` of audio: latency over length."""
    printed, latency, seconds = claim.positive("rtf"), claim.positive("latency_ms"), claim.positive("seconds")
    exact = latency / 1000 / seconds
    low, high = (value / 1000 / seconds for value in rounding_range(latency))
    agrees = low <= rounding_range(printed)[1] and rounding_range(printed)[0] <= high
    why = f"{latency} ms for {seconds} s of audio."
    return Finding(str(printed), format_like(exact, printed), HOLDS if agrees else CONTRADICTED, why, float(exact))


def implied_length(claim: Claim) -> Finding:
    """``rtf``, ``latency_ms``, ``seconds``: the length of audio that latency and real-time factor imply."""
    factor, latency, printed = claim.positive("rtf"), claim.positive("latency_ms"), claim.positive("seconds")
    exact = latency / 1000 / factor
    low, high = (
        rounding_range(latency)[0] / 1000 / rounding_range(factor)[1],
        rounding_range(latency)[1] / 1000 / max(rounding_range(factor)[0], Decimal("1e-9")),
    )
    agrees = low <= rounding_range(printed)[1] and rounding_range(printed)[0] <= high
    why = f"{latency} ms at a real-time factor of {factor} is {exact:.2f} s of audio."
    return Finding(f"{printed} s", f"{exact:.2f} s", HOLDS if agrees else CONTRADICTED, why, float(exact))


def throughput(claim: Claim) -> Finding:
    """``latency_ms``, ``throughput`` a second: one after the other, 1000 over the latency."""
    latency, printed = claim.positive("latency_ms"), claim.positive("throughput")
    exact = 1000 / latency
    low, high = (1000 / value for value in reversed(rounding_range(latency)))
    agrees = low <= rounding_range(printed)[1] and rounding_range(printed)[0] <= high
    why = f"{latency} ms, as rounded, allow {low:.1f} to {high:.1f} a second."
    return Finding(str(printed), format_like(exact, printed), HOLDS if agrees else CONTRADICTED, why, float(exact))


def same_column(claim: Claim) -> Finding:
    """``table``, ``other``, ``column``: two tables, each said to be measured on its own."""
    first, second = claim.column(), claim.column(table="other")
    shared = [name for name in first if name in second]
    same = [name for name in shared if first[name] == second[name]]
    if not shared:
        raise claim.wrong("the two tables have no row in common")
    alike = len(same) == len(shared)
    why = "All agree to the last digit: two measurements that agree, or one printed twice; the text does not say which."
    computed = f"the same in {len(same)} of {len(shared)} rows"
    return Finding("two measurements", computed, OPEN if alike else HOLDS, why if alike else "The tables differ.")


# The network and its data


def attention_bounds(claim: Claim) -> Finding:
    """``printed`` (words), ``frames``, ``pools``; ``low``, ``high``: what the scores lie between (tanh: -1, 1)."""
    steps = claim.whole("frames", high=10**6)
    for size in claim.listed("pools", int, [1]):
        if size < 1:
            raise claim.wrong("pools must be above 0")
        steps //= size
    if steps < 2:
        raise claim.wrong("fewer than two steps are left")
    bottom, top = (float(claim.number(name, -50, 50)) if claim.has(name) else usual
                   for name, usual in (("low", -1.0), ("high", 1.0)))  # fmt: skip
    low, high = consistency.attention_weight_bounds(steps, bottom, top)
    mass = consistency.minimum_attention(0.5, bottom, top)
    why = (
        f"Scores within [{bottom:g}, {top:g}] leave every one of {steps} steps between {100 * low:.2f} and "
        f"{100 * high:.1f} % (equal: {100 / steps:.1f} %); silence that fills half of the steps keeps "
        f"{100 * mass:.1f} % or more."
    )
    verdict = CONTRADICTED if low > 0.01 / steps else HOLDS
    return Finding(claim.words("printed"), f"{low:.4f} to {high:.3f}", verdict, why, low)


def labels(claim: Claim) -> Finding:
    """``table``, and the classes of its corpus: ``corpus`` or ``labels``."""
    from ser_core import corpora

    rows = [str(next(iter(row.values()))).lower() for row in claim.table()]
    if claim.has("labels"):
        known = [name.lower() for name in claim.listed("labels")]
    elif claim.words("corpus") in corpora.CORPORA:
        known = list(corpora.labels(claim.words("corpus")))
    else:
        raise claim.wrong(f"corpus {claim.words('corpus')!r}: choose among {', '.join(corpora.CORPORA)}")
    odd = [f"{name} in the table only" for name in rows if name not in known]
    odd += [f"{name} in the corpus only" for name in known if name not in rows]
    why = f"The corpus has {len(known)} classes, the table {len(rows)}" + (f": {', '.join(odd)}." if odd else ".")
    return Finding(f"{len(rows)} classes", f"{len(known)} classes", CONTRADICTED if odd else HOLDS, why, len(known))


def speakers(claim: Claim) -> Finding:
    """``speakers`` of a corpus, ``sides`` of a split: sides that can hold a speaker of their own."""
    there, sides = claim.whole("speakers"), claim.whole("sides", 3)
    filled = min(there, sides)
    why = f"{there} speakers, each on one side only, fill {filled} of {sides} sides" + (
        "." if filled == sides else f"; {sides - filled} has none of them."
    )
    return Finding(f"{sides} sides", f"{filled} sides", HOLDS if filled == sides else IMPOSSIBLE, why, filled)


def truncation(claim: Claim) -> Finding:
    """``printed`` (words), ``corpus``, ``frames``, ``hop_ms``: utterances longer than the input."""
    limit = float(claim.whole("frames") * claim.positive("hop_ms") / 1000)
    table, why = _utterances(claim)
    known = table["seconds"].dropna() if table is not None and "seconds" in table else []
    if not len(known):
        return Finding(claim.words("printed"), "", OPEN, why or "not checked: the file list gives no lengths.")
    longer = int((known > limit).sum())
    lengths = f"{known.min():.2f} to {known.max():.2f} s, {known.mean():.2f} on average"
    why = f"The input holds {limit:.2f} s; the utterances last {lengths}."
    computed = f"{longer:,} of {len(known):,} cut"
    return Finding(claim.words("printed"), computed, CONTRADICTED if longer else HOLDS, why, longer)


def count(claim: Claim) -> Finding:
    """``printed``, ``corpus``; ``emotions``: utterances in the published file list."""
    printed, (table, why) = claim.number("printed"), _utterances(claim)
    if table is None:
        return Finding(f"{printed:,f}", "", OPEN, why)
    chosen = table["emotion"].isin(claim.listed("emotions")) if claim.has("emotions") else table["emotion"].notna()
    found = int(chosen.sum())
    verdict = HOLDS if found == printed else CONTRADICTED
    return Finding(f"{printed:,f}", f"{found:,}", verdict, "Counted in the published file list.", found)


def level(claim: Claim) -> Finding:
    """``printed`` (words), ``db``: what standardising per utterance leaves of a difference in level."""
    import numpy as np

    from ser_core import audio, features

    time = np.arange(audio.SAMPLE_RATE) / audio.SAMPLE_RATE
    soft = 0.05 * np.sin(2 * np.pi * 200 * time) * (1.2 + np.sin(2 * np.pi * 3 * time))
    db = float(claim.number("db", 0, 20))
    quiet, loud = (features.zscore(features.rmse(x)[:, None]) for x in (soft, soft * 10 ** (db / 20)))
    largest = float(np.abs(quiet - loud).max())
    why = (
        f"RMSE of a recording and of the same {db:g} dB louder differ by {largest:.3f} standard scores at most (Eq. 4)."
    )
    return Finding(claim.words("printed"), f"{largest:.3f}", CONTRADICTED if largest < 0.001 else HOLDS, why, largest)


# Words


def twice(claim: Claim) -> Finding:
    """``first``, ``first_where``, ``second``, ``second_where``: one thing stated at two places."""
    first, second = claim.words("first"), claim.words("second")
    why = f"{claim.words('first_where')}: {first}; {claim.words('second_where')}: {second}."
    return Finding(first, second, HOLDS if first == second else CONTRADICTED, why)


def no_figure(claim: Claim) -> Finding:
    """``printed`` (words): a claim without any figure."""
    return Finding(claim.words("printed"), "no figure", OPEN, "No figure, table or test is given for it anywhere.")


CHECKS: dict[str, Callable[[Claim], Finding]] = {
    check.__name__: check
    for check in (
        *(parameters, smallest, f1, f1_between, column_mean, fraction, smallest_support, least_accuracy),
        *(one_against_rest, rank, step, rtf, implied_length, throughput, same_column, attention_bounds, labels),
        *(speakers, truncation, count, level, twice, no_figure),
    )
}
