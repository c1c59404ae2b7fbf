"""Format numbers, settings and tables as text, the last step of every table.

Tables are numeric data frames: scores, limits and differences are fractions, missing values are NaN. Only the last
function of a table turns them into text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_core import models
from ser_core.corpora import corpus_title
from ser_core.experiments.settings import differing_fields, usual_fields
from ser_core.metrics.significance import ALPHA, Difference
from ser_core.metrics.uncertainty import Interval
from ser_core.results.records import PooledResult

DASH = "–"
"""Text for a missing value."""
ALIKE = "≈"
"""Marks a difference that is not significant at 5 %."""


def is_missing(value: Any) -> bool:
    """Return whether a number is None, NaN or infinite.

    >>> is_missing(float("nan")), is_missing(0.0)
    (True, False)
    """
    return value is None or value is pd.NA or not np.isfinite(value)


def format_percent(value: float | None, digits: int = 1) -> str:
    """Format a fraction as percent without the sign, "–" where it is missing.

    >>> format_percent(0.42708)
    '42.7'
    """
    return DASH if value is None or is_missing(value) else f"{100 * value:.{digits}f}"


def format_points(value: float | None, digits: int = 1) -> str:
    """Format a difference of fractions as signed percentage points, "–" where it is missing.

    >>> format_points(-0.031)
    '-3.1'
    """
    return DASH if value is None or is_missing(value) else f"{100 * value:+.{digits}f}"


def format_count(value: int | None) -> str:
    """Format a whole number with thousands separators, "–" where it is missing.

    >>> format_count(469257)
    '469,257'
    """
    return DASH if is_missing(value) else f"{value:,}"


def format_weights(trained: int | None, frozen: int | None = None) -> str:
    """Format the number of trained weights, and apart from it that of a frozen encoder; "–" without either.

    >>> format_weights(469257), format_weights(None), format_weights(6152, 8208384).replace("\N{NO-BREAK SPACE}", " ")
    ('469,257', '–', '6,152 + 8,208,384 frozen')
    """
    own = DASH if is_missing(trained) or not trained else format_count(trained)
    if is_missing(frozen) or not frozen:
        return own
    return ("" if own == DASH else f"{own} + ") + no_break(f"{format_count(frozen)} frozen")


def frozen_weights(model: str) -> int | None:
    """Return the number of weights of a system's frozen encoder; None where it has none, or it is not known."""
    return models.MODELS[model].frozen if model in models.MODELS else None


def format_range(numbers: Collection[int]) -> str:
    """Format the range of whole numbers.

    >>> format_range([9, 5, 7]), format_range([7])
    ('5 to 9', '7')
    """
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def format_limits(low: float | None, high: float | None, digits: int = 1) -> str:
    """Format two fractions as "[lo, hi]" in percent, "–" where they are missing.

    >>> format_limits(0.38, 0.474)
    '[38.0, 47.4]'
    """
    if is_missing(low) or is_missing(high):
        return DASH
    return f"[{format_percent(low, digits)}, {format_percent(high, digits)}]"


def format_interval(interval: Interval | None, digits: int = 1) -> str:
    """Format an interval as "[lo, hi]" in percent, "–" for None."""
    return DASH if interval is None else format_limits(*interval.limits, digits)


def join_limits(text: str, limits: str) -> str:
    """Join a number and its limits by no-break spaces; the number alone where the limits are "–"."""
    return no_break(text if limits == DASH else f"{text} {limits}")


def format_score(value: float | None, low: float | None, high: float | None) -> str:
    """Format a score and its limits as "42.7 [38.0, 47.4]" in percent, with no-break spaces."""
    return join_limits(format_percent(value), format_limits(low, high))


def format_signed(value: float | None, low: float | None, high: float | None) -> str:
    """Format a difference and its limits as "+1.2 [-0.4, +2.8]" in percentage points, with no-break spaces."""
    limits = DASH if is_missing(low) or is_missing(high) else f"[{format_points(low)}, {format_points(high)}]"
    return join_limits(format_points(value), limits)


def format_difference(change: Difference) -> str:
    """Format a paired difference as "+1.2 [-0.4, +2.8]" in percentage points, with no-break spaces."""
    return format_signed(change.difference, *(change.interval.limits if change.interval else (None, None)))


def format_p_value(p: float) -> str:
    """Format a p value with three decimals below 0.1, otherwise two.

    >>> format_p_value(0.0123), format_p_value(0.34), format_p_value(0.0001)
    ('0.012', '0.34', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def format_test(p: float | None, units: int | None = None, unit: str | None = None) -> str:
    """Format the p value of a paired test: "0.003", "0.41 ≈", or "– (4 speakers)" where ``units`` are passed."""
    text = DASH if p is None or is_missing(p) else format_p_value(p) + (f" {ALIKE}" if p > ALPHA else "")
    return no_break(text if is_missing(units) else f"{text} ({units} {unit}s)")


def format_folds(folds: int, total: int | None) -> str:
    """Format a number of folds: "2 of 6", "2 of ?" where the total is unknown.

    >>> format_folds(2, 6)
    '2 of 6'
    """
    return f"{folds} of {'?' if is_missing(total) or not total else total}"


def format_folds_and_seeds(folds: int, total: int | None, seeds: Iterable[int]) -> str:
    """Format folds and seeds.

    >>> format_folds_and_seeds(2, 6, (0, 1))
    '2 of 6; seed 0, 1'
    """
    return f"{format_folds(folds, total)}; seed {', '.join(map(str, seeds))}"


def format_units(units: int | None, unit: str | None) -> str:
    """Format the units of an interval: "24 speakers", "–" where there is no interval."""
    return DASH if unit in (None, "none") else f"{units} {unit}s"


def no_break(text: str) -> str:
    """Replace spaces by no-break spaces."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def system_title(model: str) -> str:
    """Return the title of a system; a user-defined model has its name."""
    return models.MODELS[model].title if model in models.MODELS else model


def tested_on(spec: dict) -> str:
    """Return the title of the corpus of a spec, with that of the test corpus under ``cross``: "RAVDESS → TESS"."""
    return " → ".join(corpus_title(name) for name in (spec["corpus"], spec.get("test_corpus")) if name)


def setting_words(spec: dict) -> list[str]:
    """Describe each field of a spec that differs from the defaults.

    Corpus, protocol, fold, model and seed are left out, as tables have columns for them. The module of a user-defined
    model is not imported.
    """
    return [format_field(name, value) for name, value in differing_fields(spec).items()]


def format_setting(spec: dict) -> str:
    """Describe the setting of a spec: :func:`setting_words` with commas, "" for the defaults."""
    return ", ".join(setting_words(spec))


def settings_words(specs: Sequence[dict]) -> list[list[str]]:
    """Describe the settings of the rows of a table: :func:`setting_words`, with the rule of epoch choice where needed.

    Where rows differ in ``keep`` alone, the one with the default rule names it too: "epoch of the lowest validation
    loss (the default)".
    """
    apart = {"keep", "fold", "seed"}
    keys = [json.dumps({name: value for name, value in spec.items() if name not in apart}, sort_keys=True)
            for spec in specs]  # fmt: skip
    counts, rows = Counter(keys), []
    for spec, key in zip(specs, keys, strict=True):
        words = setting_words(spec)
        if counts[key] > 1 and "keep" not in differing_fields(spec):
            words.append(f"{format_field('keep', usual_fields(spec)['keep'])} (the default)")
        rows.append(words)
    return rows


def format_field(name: str, value: Any) -> str:
    """Describe a field of a spec: "learning rate 0.0001", "no augmentation", "bfloat16"."""
    words = {
        ("augment", ""): "no augmentation",
        ("precision", "mixed_bfloat16"): "bfloat16",
        ("patience", None): "no early stopping",
        ("batch_norm", "precise"): "batch statistics without dropout",
        ("denoise", True): "noise reduction",
        ("keep", "loss"): "epoch of the lowest validation loss",
        ("keep", "uar"): "epoch of the highest validation UAR",
        ("keep", "last"): "last epoch",
        ("keep", "oracle"): "epoch best on test (a leak)",
        ("znorm", False): "no z-norm",
    }
    return words.get((name, value), f"{name.replace('_', ' ')} {'none' if value == '' else value}")


def score_columns(result: PooledResult, *scores: str) -> dict[str, float]:
    """Return scores and their limits as columns: ``uar``, ``uar_low``, ``uar_high``, NaN where missing."""
    columns: dict[str, float] = {}
    for score in scores:
        columns |= limit_columns(
            score, result.scores.get(score), result.intervals.get(score) if result.intervals else None
        )
    return columns


def limit_columns(name: str, value: float | None, interval: Interval | None) -> dict[str, float]:
    """Return a number and its limits as three columns, NaN where missing."""
    low, high = interval.limits if interval else (np.nan, np.nan)
    return {name: np.nan if value is None else value, f"{name}_low": low, f"{name}_high": high}


def difference_columns(name: str, change: Difference | None) -> dict[str, float]:
    """Return a paired difference and its limits as three columns, NaN where missing."""
    return limit_columns(name, change.difference if change else None, change.interval if change else None)


def fold_columns(result: PooledResult) -> dict[str, Any]:
    """Return ``folds``, ``folds_total`` and ``seeds`` of a pooled result as columns."""
    return {"folds": len(result.folds), "folds_total": result.folds_total, "seeds": result.seeds}


def numeric_frame(rows: list[dict], counts: Collection[str] = ()) -> pd.DataFrame:
    """Make a data frame of rows; the columns ``counts`` are whole numbers that may be missing (``Int64``)."""
    frame = pd.DataFrame(rows)
    return frame.astype({name: "Int64" for name in counts if name in frame})


def text_frame(rows: Iterable[dict], right: Collection[str] = ()) -> pd.DataFrame:
    """Make a data frame of text and note, for :func:`to_markdown`, which columns are aligned to the right."""
    frame = pd.DataFrame(rows)
    frame.attrs["right"] = [name for name in frame.columns if name in right]
    return frame


def to_markdown(frame: pd.DataFrame, right: Collection[str] | None = None) -> str:
    """Format a data frame as a Markdown table; bars in its entries are escaped.

    Parameters
    ----------
    frame : DataFrame
    right : collection of str, optional
        columns aligned to the right; by default those noted by :func:`text_frame` and the numeric ones

    >>> print(to_markdown(pd.DataFrame({"fold": [0], "note": ["a|b"]})), end="")
    | fold | note |
    | ---: | --- |
    | 0 | a\\|b |
    """
    named = frame.attrs.get("right", []) if right is None else right
    figures = {name for name in frame if name in named or pd.api.types.is_numeric_dtype(frame[name])}
    entry = lambda value: str(value).replace("|", "\\|").replace("\n", " ")  # noqa: E731
    head = [entry(column) for column in frame.columns]
    rule = ["---:" if column in figures else "---" for column in frame.columns]
    body = [[entry(value) for value in line] for line in frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body]) + "\n"
