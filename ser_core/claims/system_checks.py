"""Check what a paper prints on its network: parameters, timing, attention and input level.

The docstring of each check names the fields of a claim that it reads.
"""

from __future__ import annotations

from decimal import Decimal

from ser_core.claims import consistency
from ser_core.claims.claim_file import Claim
from ser_core.claims.consistency import format_like, ranges_overlap, rounding_range
from ser_core.claims.verdicts import CONTRADICTED, HOLDS, OPEN, Finding

READINGS = {
    (True, True): "one PReLU slope per filter, 'same' padding",
    (False, True): "one slope per filter and step",
    (False, False): "one slope per filter and step, 'valid' padding",
}
"""Readings of a layer table: (PReLU slopes shared over steps, 'same' padding) to words."""


def parameters(claim: Claim) -> Finding:
    """Check a number of parameters against the layers of the network.

    Fields: ``printed``, ``layers``; ``channels`` (one or several; the first is our reading) and ``frames`` of the
    input.
    """
    printed, layers = claim.number("printed"), claim.listed("layers")
    channels, frames = claim.listed("channels", int, [1]), claim.whole("frames", 1)
    counted: dict[tuple[int, bool, bool], tuple[int, list[int]]] = {}
    try:
        for width in channels:
            for shared, same in READINGS:
                counted[width, shared, same] = consistency.count_parameters(
                    layers, width, frames, shared=shared, same=same
                )
    except ValueError as error:
        raise claim.wrong(str(error)) from None
    ours, counts = next(iter(counted.values()))
    totals = [total for total, _ in counted.values()]
    convolutions = sum(count for layer, count in zip(layers, counts) if layer.startswith("conv"))
    why = f"The layers as listed have {ours:,} ({100 * (ours / float(printed or 1) - 1):+.2f} %)"
    if min(totals) < max(totals):
        why += f"; other readings of inputs, PReLU and padding give {min(totals):,} to {max(totals):,}"
    if convolutions > printed:
        why += f"; the convolutions alone have {convolutions:,}"
    matches = [reading for reading, (total, _) in counted.items() if total == printed]
    if matches and ours != printed:
        width, shared, same = matches[0]
        why += f"; {width} channels and {READINGS[shared, same]} give the printed number"
    return Finding(f"{printed:,f}", f"{ours:,}", HOLDS if matches else CONTRADICTED, why + ".", ours)


def smallest(claim: Claim) -> Finding:
    """Check that a row has the smallest value of a column.

    Fields: ``table``, ``column``, ``row``.
    """
    column = claim.column()
    (row,) = claim.picked("row", column)
    smaller = [name for name, value in column.items() if value < column[row]]
    least = min(column, key=lambda name: column[name])
    why = f"{', '.join(smaller)} has less." if smaller else "No row has less."
    computed = f"{column[least]:,f} ({least})"
    return Finding(f"{column[row]:,f}", computed, CONTRADICTED if smaller else HOLDS, why)


# Timing


def rtf(claim: Claim) -> Finding:
    """Check that a real-time factor is latency over audio length.

    Fields: ``rtf``, ``latency_ms``, ``seconds`` of audio.
    """
    printed, latency, seconds = claim.positive("rtf"), claim.positive("latency_ms"), claim.positive("seconds")
    exact = latency / 1000 / seconds
    low, high = (value / 1000 / seconds for value in rounding_range(latency))
    agrees = ranges_overlap((low, high), rounding_range(printed))
    why = f"{latency} ms for {seconds} s of audio."
    return Finding(str(printed), format_like(exact, printed), HOLDS if agrees else CONTRADICTED, why, float(exact))


def implied_length(claim: Claim) -> Finding:
    """Check the length of audio that latency and real-time factor imply.

    Fields: ``rtf``, ``latency_ms``, ``seconds`` of audio.
    """
    factor, latency, printed = claim.positive("rtf"), claim.positive("latency_ms"), claim.positive("seconds")
    exact = latency / 1000 / factor
    low = rounding_range(latency)[0] / 1000 / rounding_range(factor)[1]
    high = rounding_range(latency)[1] / 1000 / max(rounding_range(factor)[0], Decimal("1e-9"))
    agrees = ranges_overlap((low, high), rounding_range(printed))
    why = f"{latency} ms at a real-time factor of {factor} is {exact:.2f} s of audio."
    return Finding(f"{printed} s", f"{exact:.2f} s", HOLDS if agrees else CONTRADICTED, why, float(exact))


def throughput(claim: Claim) -> Finding:
    """Check that the throughput of utterances processed one by one is 1000 ms over the latency.

    Fields: ``latency_ms``, ``throughput`` per second.
    """
    latency, printed = claim.positive("latency_ms"), claim.positive("throughput")
    exact = 1000 / latency
    low, high = (1000 / value for value in reversed(rounding_range(latency)))
    agrees = ranges_overlap((low, high), rounding_range(printed))
    why = f"{latency} ms, as rounded, allow {low:.1f} to {high:.1f} per second."
    return Finding(str(printed), format_like(exact, printed), HOLDS if agrees else CONTRADICTED, why, float(exact))


def same_column(claim: Claim) -> Finding:
    """Compare a column of two tables that are said to be measured separately.

    Fields: ``table``, ``other``, ``column``.
    """
    first, second = claim.column(), claim.column(table="other")
    shared = [name for name in first if name in second]
    if not shared:
        raise claim.wrong("the two tables have no row in common")
    same = [name for name in shared if first[name] == second[name]]
    computed = f"the same in {len(same)} of {len(shared)} rows"
    if len(same) < len(shared):
        return Finding("two measurements", computed, HOLDS, "The tables differ.")
    why = "All agree to the last digit: two measurements that agree, or one printed twice; the text does not say which."
    return Finding("two measurements", computed, OPEN, why)


# Network and input


def attention_bounds(claim: Claim) -> Finding:
    """Check that attention can suppress steps, given the range of its scores.

    Fields: ``printed`` (words), ``frames``, ``pools``; ``low`` and ``high`` of the scores (by default tanh: -1 and 1).
    """
    steps = claim.whole("frames", high=10**6)
    for size in claim.listed("pools", int, [1]):
        if size < 1:
            raise claim.wrong("pools must be above 0")
        steps //= size
    if steps < 2:
        raise claim.wrong("fewer than two steps are left")
    bottom = float(claim.number("low", -50, 50)) if claim.has("low") else -1.0
    top = float(claim.number("high", -50, 50)) if claim.has("high") else 1.0
    low, high = consistency.attention_weight_bounds(steps, bottom, top)
    mass = consistency.minimum_attention(0.5, bottom, top)
    why = (
        f"Scores within [{bottom:g}, {top:g}] leave each of {steps} steps a weight of {100 * low:.2f} to "
        f"{100 * high:.1f} % (equal: {100 / steps:.1f} %); silence that fills half of the steps keeps "
        f"{100 * mass:.1f} % or more."
    )
    verdict = CONTRADICTED if low > 0.01 / steps else HOLDS
    return Finding(claim.words("printed"), f"{low:.4f} to {high:.3f}", verdict, why, low)


def level(claim: Claim) -> Finding:
    """Compute what standardisation per utterance leaves of a difference in level.

    Fields: ``printed`` (words), ``db``: the difference in dB.
    """
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
