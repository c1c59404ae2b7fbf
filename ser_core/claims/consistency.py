"""Arithmetic of printed figures, as pure functions of numbers.

A printed figure means a range. ``Decimal("98.10")`` keeps its two decimals: rounding to the nearest gives it for any
value from 98.095 to 98.105. All comparisons with counts are exact fractions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import count


def last_digit(printed: Decimal) -> Decimal:
    """Return one step of the last printed digit.

    >>> last_digit(Decimal("98.10")), last_digit(Decimal("12"))
    (Decimal('0.01'), Decimal('1'))
    """
    exponent = printed.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{printed}: not a finite number")
    return Decimal(1).scaleb(min(0, exponent))


def rounding_range(printed: Decimal) -> tuple[Decimal, Decimal]:
    """Return the range of values that round to a printed figure: half a step of its last digit either way, inclusive.

    >>> rounding_range(Decimal("98.10"))
    (Decimal('98.095'), Decimal('98.105'))
    """
    return printed - last_digit(printed) / 2, printed + last_digit(printed) / 2


def ranges_overlap(first: tuple[Decimal, Decimal], second: tuple[Decimal, Decimal]) -> bool:
    """Return whether two ranges (low, high) have a value in common, ends included."""
    return first[0] <= second[1] and second[0] <= first[1]


def format_like(value: Decimal | Fraction | float, printed: Decimal) -> str:
    """Format a computed value with as many decimals as a printed figure, and commas between thousands.

    >>> format_like(86.2138, Decimal("95.13")), format_like(469257, Decimal("240840"))
    ('86.21', '469,257')
    """
    exact = value if isinstance(value, Decimal) else Decimal(Fraction(value).numerator) / Fraction(value).denominator
    return f"{exact.quantize(last_digit(printed), rounding=ROUND_HALF_UP):,f}"


# Percentages of whole counts


def matching_counts(percent: Decimal, n: int, *, cut: bool = False) -> range:
    """Return the counts k for which k of n is printed as a percentage.

    Parameters
    ----------
    percent : Decimal
        printed percentage
    n : int
        size of the test set
    cut : bool
        decimals were cut off; by default rounded to the nearest

    Returns
    -------
    range
        may be empty

    Examples
    --------
    >>> list(matching_counts(Decimal("33.3"), 3)), list(matching_counts(Decimal("33.3"), 4))
    ([1], [])
    """
    low, high = (percent, percent + last_digit(percent)) if cut else rounding_range(percent)
    first, last = math.ceil(Fraction(low) * n / 100), math.floor(Fraction(high) * n / 100)
    if cut and last * 100 == high * n:
        last -= 1  # it would be printed as the next figure
    return range(max(0, first), min(last, n) + 1)


def smallest_denominator(percent: Decimal) -> int:
    """Return the smallest n of which some k of n rounds to a percentage: at most 10**(decimals + 2).

    >>> smallest_denominator(Decimal("99.89"))
    870
    """
    return next(n for n in count(1) if matching_counts(percent, n))


def nearest_fraction(percent: Decimal, sizes: Iterable[int]) -> tuple[int, int]:
    """Return the k of n nearest to a percentage among test sets of the given sizes, as (k, n)."""
    aim = Fraction(percent) / 100
    pairs = ((min(n, max(0, round(aim * n))), n) for n in sizes)
    return min(pairs, key=lambda pair: abs(Fraction(*pair) - aim))


def sizes_of_whole_speakers(each: int, most: int, *, fewest: int = 1, plus: int = 0) -> list[int]:
    """Return the sizes of test sets of whole speakers.

    Parameters
    ----------
    each : int
        utterances per speaker
    most, fewest : int
        largest and smallest number of speakers
    plus : int
        utterances of every test set, in addition to those of the speakers

    Returns
    -------
    list of int

    Examples
    --------
    >>> sizes_of_whole_speakers(52, 2, fewest=0, plus=1400)
    [1400, 1452, 1504]
    """
    return [plus + each * speakers for speakers in range(fewest, most + 1)]


def sizes_of_shares(total: int, percents: Sequence[int]) -> list[int]:
    """Return the sizes of test sets of given percentages of a corpus, rounded down and up to whole numbers.

    >>> sizes_of_shares(4048, [10, 25])
    [404, 405, 1012]
    """
    exact = [Fraction(total * percent, 100) for percent in percents]
    return sorted({size for value in exact for size in (math.floor(value), math.ceil(value)) if size > 0})


# Scores


def f1(precision, recall):
    """Compute the harmonic mean of precision and recall, in their unit; 0 if both are 0 (Eq. 4 of III.B).

    >>> f1(90.0, 60.0)
    72.0
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else precision * 0


def f1_range(precision: Decimal, recall: Decimal) -> tuple[Decimal, Decimal]:
    """Compute the lowest and highest F1 of a class from precision and recall as printed, in percent."""
    (low_p, high_p), (low_r, high_r) = rounding_range(precision), rounding_range(recall)
    return f1(max(low_p, Decimal(0)), max(low_r, Decimal(0))), f1(min(high_p, 100), min(high_r, 100))


def minimum_accuracy(recall: float, supports: Sequence[int]) -> float:
    """Compute the lowest accuracy that is possible with a macro recall.

    The recalls of C classes sum to C x recall. A missed utterance costs most in the largest classes, so these are
    emptied first.

    Parameters
    ----------
    recall : float
        macro recall, 0 to 1
    supports : sequence of int [classes]
        utterances per class in the test set

    Returns
    -------
    float
        accuracy, 0 to 1

    Examples
    --------
    >>> minimum_accuracy(0.5, [30, 10])
    0.25
    """
    missed, lost = len(supports) * (1 - recall), 0.0
    for support in sorted(supports, reverse=True):
        share = min(1.0, max(0.0, missed))
        lost, missed = lost + share * support, missed - share
    return 1 - lost / sum(supports)


def sign_test(clips: int) -> float:
    """Compute the two-sided p of a sign test if ``clips`` predictions changed and all were improvements.

    >>> sign_test(4)
    0.125
    """
    return min(1.0, 2.0 * 0.5**clips)


# Attention


def attention_weight_bounds(steps: int, low: float = -1.0, high: float = 1.0) -> tuple[float, float]:
    """Compute the lowest and highest attention weight of one step under a softmax.

    Parameters
    ----------
    steps : int
        number of steps
    low, high : float
        range of the scores; by default that of tanh (Eq. 5)

    Returns
    -------
    tuple of float
        lowest and highest weight, 0 to 1
    """
    spread = math.exp(high - low)
    return 1 / (1 + (steps - 1) * spread), 1 / (1 + (steps - 1) / spread)


def minimum_attention(share: float, low: float = -1.0, high: float = 1.0) -> float:
    """Compute the smallest total attention on a share of the steps.

    Parameters
    ----------
    share : float
        share of the steps, 0 to 1
    low, high : float
        range of the scores; by default that of tanh (Eq. 5)

    Returns
    -------
    float
        0 to 1
    """
    return share / (share + (1 - share) * math.exp(high - low))


# Parameters


def _lstm(width: int, units: int, biases: int = 1) -> int:
    return 4 * units * (width + units + biases)


def _encoder(width: int, inner: int) -> int:
    return 4 * (width * width + width) + (width * inner + inner) + (inner * width + width) + 4 * width


def _count_layer(
    kind: str, numbers: list[int], width: int, steps: int, *, shared: bool, same: bool
) -> tuple[int, int, int]:
    """Return the parameters of one layer, and the channels and steps of its output; ValueError if it is unknown."""
    match kind, numbers:
        case "conv1d", [filters, kernel]:
            return width * kernel * filters + filters, filters, steps if same else steps - kernel + 1
        case "separable1d", [filters, kernel]:
            return width * kernel + width * filters + filters, filters, steps if same else steps - kernel + 1
        case "conv2d", [filters, kernel]:
            return width * kernel * kernel * filters + filters, filters, steps if same else steps - kernel + 1
        case "batchnorm", []:
            return 2 * width, width, steps
        case "prelu", []:
            return width if shared else width * steps, width, steps
        case "pool", [size]:
            return 0, width, steps // size
        case "lstm" | "bilstm", [units, *biases] if len(biases) < 2:
            directions = 2 if kind == "bilstm" else 1
            return directions * _lstm(width, units, *biases), directions * units, steps
        case "encoder", [inner]:
            return _encoder(width, inner), width, steps
        case "attention", []:
            return width + 1, width, 1
        case "mean", []:
            return 0, width, 1
        case "dense", [units]:
            return width * units + units, units, steps
        case "width", [size]:
            return 0, size, 1
    raise ValueError(f"layer {kind}: not known")


def count_parameters(
    layers: Sequence[str], width: int, steps: int, *, shared: bool = True, same: bool = True
) -> tuple[int, list[int]]:
    """Count the trainable parameters of a network given as a list of layers.

    Parameters
    ----------
    layers : sequence of str
        ``conv1d FILTERS KERNEL``, ``separable1d FILTERS KERNEL`` (depthwise, then 1 x 1), ``conv2d FILTERS KERNEL``,
        ``batchnorm``, ``prelu``, ``pool SIZE``, ``lstm UNITS``, ``bilstm UNITS`` (each with another number for two
        biases per gate, as in PyTorch), ``encoder INNER`` (a transformer layer), ``attention`` (one score per step,
        with bias), ``mean``, ``dense UNITS``, ``width N`` (the next layer has N inputs, as where branches begin or
        join)
    width, steps : int
        channels and frames of the input
    shared : bool
        PReLU has one slope per channel; otherwise one per channel and step
    same : bool
        convolutions keep the number of steps; otherwise they lose kernel - 1

    Returns
    -------
    total : int
        number of parameters
    counts : list of int [layers]
        number of parameters per layer

    Raises
    ------
    ValueError
        for an unknown layer

    Examples
    --------
    >>> count_parameters(["conv1d 32 5", "mean", "dense 4"], width=40, steps=200)
    (6564, [6432, 0, 132])
    """
    counts = []
    for layer in layers:
        kind, *sizes = str(layer).split() or [""]
        try:
            numbers = [int(size) for size in sizes]
            if any(number < 1 for number in numbers):
                raise ValueError
            parameters, width, steps = _count_layer(kind, numbers, width, steps, shared=shared, same=same)
        except ValueError:
            raise ValueError(f"layer {layer!r}: not known") from None
        counts.append(parameters)
    return sum(counts), counts
