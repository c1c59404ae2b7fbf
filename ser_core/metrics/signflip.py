"""Test a sum of paired differences by exchange within units, and invert the test to an interval."""

from __future__ import annotations

import numpy as np

from ser_core.metrics.uncertainty import LEVEL, SPREAD

EXACT_UNITS = 32
"""Maximum number of units for which all 2**units exchanges are counted."""


def signflip_interval(each: np.ndarray, shares: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Compute the interval of a difference as the values that the sign-flip test does not reject.

    Parameters
    ----------
    each : float [units]
        contribution of each unit to the difference, their sum
    shares : float [units]
        what each unit contributes to a difference of 1; they sum to 1
    level : float, default 0.95
        confidence level

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> low, high = signflip_interval(np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]) / 8, np.full(8, 1 / 8))
    >>> round(low, 3), round(high, 3)
    (0.633, 1.067)
    """
    each, shares = np.asarray(each, dtype=float), np.asarray(shares, dtype=float)
    whole = each.sum()
    if len(each) > EXACT_UNITS:
        sums, sums_of_shares = _random_sums(np.stack([each, shares], axis=1)).T
    else:
        sums, sums_of_shares = np.empty(0), np.empty(0)

    def accepted(value: float) -> bool:
        if len(each) <= EXACT_UNITS:
            return signflip(each - value * shares) > 1.0 - level
        reached = np.abs(sums - value * sums_of_shares) >= _limit(each - value * shares)
        return (1 + reached.sum()) / (1 + len(reached)) > 1.0 - level

    reach = max(float(np.abs(each).sum()), SPREAD)
    limits = []
    for sign in (-1.0, 1.0):
        inside, outside = 0.0, reach
        while accepted(whole + sign * outside) and outside < 1e3 * reach:
            inside, outside = outside, 2.0 * outside
        for _ in range(40):
            middle = (inside + outside) / 2.0
            inside, outside = (middle, outside) if accepted(whole + sign * middle) else (inside, middle)
        limits.append(float(whole + sign * inside))
    low, high = limits
    if accepted(0.0):  # 0 may be a limit itself, where the test has a step
        return min(low, 0.0), max(high, 0.0)
    nearest = np.nextafter(0.0, whole)
    return (max(low, nearest), high) if whole > 0 else (low, min(high, nearest))


def signflip(each: np.ndarray, *, flips: int = 50_000, seed: int = 0) -> float:
    """Compute the two-sided p value of a sum of paired differences under exchange within units.

    This is Fisher's randomisation test. Up to :data:`EXACT_UNITS` units all exchanges are counted: the sums of either
    half of the units are sorted, and pairs are counted by bisection. Above that, random exchanges are drawn, and the
    observed one is counted with them.

    Parameters
    ----------
    each : float [units]
        contribution of each unit to the difference
    flips : int, default 50,000
        random exchanges for many units
    seed : int, default 0
        of the random exchanges

    Returns
    -------
    float
        share of exchanges whose sum is at least as far from zero: from 2**(1 - units) to 1

    Examples
    --------
    >>> signflip(np.ones(6))
    0.03125
    """
    each = np.asarray(each, dtype=float)
    limit = _limit(each)
    if limit <= 0:
        return 1.0
    if len(each) > EXACT_UNITS:
        sums = _random_sums(each, flips=flips, seed=seed)
        return float((1 + (np.abs(sums) >= limit).sum()) / (1 + flips))
    left, right = (_sums(half) for half in np.array_split(each, 2))
    left.sort()
    above = len(left) - np.searchsorted(left, limit - right, side="left")
    below = np.searchsorted(left, -limit - right, side="right")
    return float((above.sum() + below.sum()) / 2.0 ** len(each))


def _limit(each: np.ndarray) -> float:
    """Return the distance from zero that counts as reached; rounding depends on the order of the sum."""
    return abs(each.sum()) - 1e-12 * max(1.0, np.abs(each).sum())


def _random_sums(values: np.ndarray, *, flips: int = 50_000, seed: int = 0) -> np.ndarray:
    """Return the sums of ``values`` [units, ...] under random signs of the units: float [flips, ...]."""
    signs = np.random.default_rng(seed).integers(0, 2, (flips, len(values)), dtype=np.int8) * 2 - 1
    return signs @ values


def _sums(values: np.ndarray) -> np.ndarray:
    """Return the sums of ``values`` under every assignment of signs: float [2 ** len(values)]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
