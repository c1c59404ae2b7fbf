"""What printed figures allow: the arithmetic behind ``ser audit``. Pure functions of numbers.

A printed figure stands for a range: ``Decimal("98.10")`` keeps its two decimals, and rounding to the nearest makes it
of anything from 98.095 to 98.105. All comparisons with counts are exact fractions.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import count


def last_digit(printed: Decimal) -> Decimal:
    """One step of the last printed digit: 0.01 for 98.10, 1 for 12."""
    return Decimal(1).scaleb(min(0, printed.as_tuple().exponent))


def rounding_range(printed: Decimal) -> tuple[Decimal, Decimal]:
    """The values that round to a printed figure: half a step of the last digit to each side, ends included."""
    return printed - last_digit(printed) / 2, printed + last_digit(printed) / 2


def format_like(value, printed: Decimal) -> str:
    """A computed value with as many decimals as the printed figure, thousands apart: ``469,257``, ``86.21``."""
    exact = value if isinstance(value, Decimal) else Decimal(Fraction(value).numerator) / Fraction(value).denominator
    return f"{exact.quantize(last_digit(printed), rounding=ROUND_HALF_UP):,f}"


# Shares of whole counts


def matching_counts(percent: Decimal, n: int, *, cut: bool = False) -> range:
    """The k for which k of n is printed as ``percent``, rounded to the nearest or ``cut`` off; may be empty."""
    low, high = (percent, percent + last_digit(percent)) if cut else rounding_range(percent)
    first, last = math.ceil(Fraction(low) * n / 100), math.floor(Fraction(high) * n / 100)
    if cut and last * 100 == high * n:
        last -= 1  # it would be printed as the next figure
    return range(max(0, first), min(last, n) + 1)


def smallest_denominator(percent: Decimal) -> int:
    """The smallest n of which some k of n rounds to ``percent``: at most 10**(decimals + 2)."""
    return next(n for n in count(1) if matching_counts(percent, n))


def nearest_fraction(percent: Decimal, sizes: Iterable[int]) -> tuple[int, int]:
    """The k of n nearest to ``percent`` among test sets of these sizes: (k, n)."""
    aim = Fraction(percent) / 100
    pairs = ((min(n, max(0, round(aim * n))), n) for n in sizes)
    return min(pairs, key=lambda pair: abs(Fraction(*pair) - aim))


def sizes_of_whole_speakers(each: int, most: int, *, fewest: int = 1, plus: int = 0) -> list[int]:
    """Sizes of test sets of whole speakers with ``each`` utterances: ``plus`` + each x (fewest to most)."""
    return [plus + each * speakers for speakers in range(fewest, most + 1)]


def sizes_of_shares(total: int, percents: Sequence[int]) -> list[int]:
    """Sizes of a test set of so many percent of ``total``; where that is no whole number, the one below and above."""
    exact = [Fraction(total * percent, 100) for percent in percents]
    return sorted({size for value in exact for size in (math.floor(value), math.ceil(value)) if size > 0})


# Scores


def f1(precision, recall):
    """Harmonic mean of precision and recall, in their unit; 0 where both are 0 (Eq. 4 of III.B for one class)."""
    return 2 * precision * recall / (precision + recall) if precision + recall else precision * 0


def f1_range(precision: Decimal, recall: Decimal) -> tuple[Decimal, Decimal]:
    """Lowest and highest F1 of a class whose precision and recall print as given: F1 rises with either."""
    (low_p, high_p), (low_r, high_r) = rounding_range(precision), rounding_range(recall)
    return f1(max(low_p, Decimal(0)), max(low_r, Decimal(0))), f1(min(high_p, 100), min(high_r, 100))


def minimum_accuracy(recall: float, supports: Sequence[int]) -> float:
    """The lowest accuracy (fraction) that a macro recall (fraction) leaves possible on a test set of these supports.

    The recalls of C classes sum to C x recall. What is missed costs most in the largest classes, so these are emptied
    first.
    """
    missed, lost = len(supports) * (1 - recall), 0.0
    for support in sorted(supports, reverse=True):
        here = min(1.0, max(0.0, missed))
        lost, missed = lost + here * support, missed - here
    return 1 - lost / sum(supports)


def sign_test(clips: int) -> float:
    """Two-sided p of the sign test when ``clips`` answers changed and every one of them for the better."""
    return min(1.0, 2.0 * 0.5**clips)


# Attention


def attention_weight_bounds(steps: int, low: float = -1.0, high: float = 1.0) -> tuple[float, float]:
    """Lowest and highest weight of one step under a softmax over ``steps`` scores within [low, high] (Eq. 5: tanh)."""
    spread = math.exp(high - low)
    return 1 / (1 + (steps - 1) * spread), 1 / (1 + (steps - 1) / spread)


def minimum_attention(share: float, low: float = -1.0, high: float = 1.0) -> float:
    """The least attention that can lie together on a ``share`` of the steps (0 to 1), scores within [low, high]."""
    return share / (share + (1 - share) * math.exp(high - low))


# Parameters


def _lstm(width: int, units: int, biases: int = 1) -> int:
    return 4 * units * (width + units + biases)


def _encoder(width: int, inner: int) -> int:
    return 4 * (width * width + width) + (width * inner + inner) + (inner * width + width) + 4 * width


def count_parameters(
    layers: Sequence[str], width: int, steps: int, *, shared: bool = True, same: bool = True
) -> tuple[int, list[int]]:
    """Trainable parameters of a network given as a list of layers, from the textbook formula of each.

    Parameters
    ----------
    layers : words and numbers, one string a layer: ``conv1d FILTERS KERNEL``, ``separable1d FILTERS KERNEL``
        (depthwise, then 1 x 1), ``conv2d FILTERS KERNEL``, ``batchnorm``, ``prelu``, ``pool SIZE``, ``lstm UNITS``,
        ``bilstm UNITS`` (each with a further number for two biases a gate, as PyTorch has), ``encoder INNER`` (a
        transformer layer), ``attention`` (one score a step, with bias), ``mean``, ``dense UNITS``, ``width N`` (what
        follows is given N values: a branch begins, or branches are joined)
    width, steps : channels and frames of the input
    shared : one slope of PReLU a channel, else one a channel and step
    same : convolutions keep the number of steps, else they lose kernel - 1

    Returns
    -------
    the total, and the count of each layer

    Raises
    ------
    ValueError
        for a layer that is none of these
    """
    counts = []
    for layer in layers:
        kind, *sizes = str(layer).split() or [""]
        found = 0
        try:
            numbers = [int(size) for size in sizes]
            if any(number < 1 for number in numbers):
                raise ValueError
            match kind, numbers:
                case "conv1d", [filters, kernel]:
                    found = width * kernel * filters + filters
                case "separable1d", [filters, kernel]:
                    found = width * kernel + width * filters + filters
                case "conv2d", [filters, kernel]:
                    found = width * kernel * kernel * filters + filters
                case "batchnorm", []:
                    found = 2 * width
                case "prelu", []:
                    found = width if shared else width * steps
                case "pool", [size]:
                    steps //= size
                case "lstm" | "bilstm", [units, *biases] if len(biases) < 2:
                    directions = 2 if kind == "bilstm" else 1
                    found, width = directions * _lstm(width, units, *biases), directions * units
                case "encoder", [inner]:
                    found = _encoder(width, inner)
                case "attention", []:
                    found, steps = width + 1, 1
                case "mean", []:
                    steps = 1
                case "dense", [units]:
                    found, width = width * units + units, units
                case "width", [size]:
                    width, steps = size, 1
                case _:
                    raise ValueError
        except ValueError:
            raise ValueError(f"layer {layer!r}: not known") from None
        if kind in ("conv1d", "separable1d", "conv2d"):
            width, steps = numbers[0], steps if same else steps - numbers[1] + 1
        counts.append(found)
    return sum(counts), counts
