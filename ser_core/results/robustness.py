"""Scores on degraded test recordings: noise, reverberation, telephone and codecs.

A *family* is a system under its conditions, ``clean`` first: a dict of condition to :class:`PooledResult`, on the same
folds. Differences from clean are paired: the same network, the same utterances.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.audio import degradation
from ser_core.experiments.result import RunResult
from ser_core.metrics import calibration
from ser_core.metrics.significance import Difference
from ser_core.results import calibration_tables, comparison
from ser_core.results.formatting import (
    difference_columns,
    format_folds,
    format_percent,
    format_points,
    format_score,
    format_setting,
    format_signed,
    score_columns,
    text_frame,
)
from ser_core.results.pooling import pool_results
from ser_core.results.records import PooledResult

CLEAN = "clean"
UNITS = {"white": "dB", "babble": "dB", "reverb": "s"}
"""Unit of each kind of condition that has a number."""

Family = dict[str, PooledResult]
"""Results of a system by condition, including ``clean``."""


def group_by_system(results: Iterable[RunResult], folder) -> list[Family]:
    """Group results by system, for systems measured under ``clean`` and another condition.

    Each family has the folds that most of its conditions have. A condition without all of these folds is left out, and
    so is a system without clean results, because differences are paired.

    Parameters
    ----------
    results : iterable of RunResult
        including those on clean test audio
    folder : path
        of their predictions
    """
    groups: dict[str, Family] = {}
    for result in pool_results([run for run in results if run.ok], folder):
        alike = {name: value for name, value in result.spec.items() if name != "condition"}
        groups.setdefault(repr(sorted(alike.items(), key=str)), {})[result.spec["condition"]] = result
    families = []
    for group in groups.values():
        if CLEAN not in group or len(group) < 2:
            continue
        counts = Counter(result.folds for name, result in group.items() if name != CLEAN)
        folds = max(counts, key=lambda candidate: (counts[candidate], len(candidate), candidate))
        family = {}
        for name in sort_conditions(group):
            if set(folds) <= set(group[name].folds):
                (family[name],) = pool_results(group[name].results, folder, folds=folds)
        if CLEAN in family and len(family) > 1:
            families.append(family)
    return families


def sort_conditions(names: Iterable[str]) -> list[str]:
    """Sort conditions as in ``degradation.STANDARD``, ``clean`` first, others last."""
    known = (CLEAN, *degradation.STANDARD)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def noise_curve(family: Family, kind: str) -> pd.DataFrame:
    """Tabulate UAR against the number in the names of one kind of condition.

    Parameters
    ----------
    family : dict
    kind : str
        a key of :data:`UNITS`

    Returns
    -------
    DataFrame
        one row per condition, by falling SNR or rising reverberation time: ``value`` (dB or s), ``uar``, ``uar_low``
        and ``uar_high`` (fractions; the 95 % interval, NaN where missing)
    """
    rows = []
    for name, result in family.items():
        if name.split(":")[0] == kind:
            rows.append({"value": float(name.split(":")[1]), **score_columns(result, "uar")})
    frame = pd.DataFrame(rows, columns=["value", "uar", "uar_low", "uar_high"])
    return frame.sort_values("value", ascending=kind == "reverb", ignore_index=True)


def differences_from_clean(family: Family, folder) -> dict[str, Difference]:
    """Compute the paired difference of UAR from clean, per condition."""
    changes = {
        name: comparison.paired_difference(family[CLEAN], result, folder)
        for name, result in family.items()
        if name != CLEAN
    }
    return {name: change.uar for name, change in changes.items() if change}


def retained_performance(family: Family) -> dict[str, float]:
    """Compute the retained share of the UAR above chance per condition: 1 as under clean, 0 at chance."""
    chance, whole = family[CLEAN].chance, family[CLEAN].scores["uar"] - family[CLEAN].chance
    return {
        name: (result.scores["uar"] - chance) / whole if whole > 0 else float("nan")
        for name, result in family.items()
        if name != CLEAN
    }


def _half(family: Family) -> float:
    """Return the UAR halfway between chance and clean."""
    clean = family[CLEAN]
    return clean.chance + (clean.scores["uar"] - clean.chance) / 2.0


def half_performance_snr(family: Family, kind: str) -> float | None:
    """Find the SNR in dB at which half of the UAR above chance is retained, by linear interpolation.

    Parameters
    ----------
    family : dict
    kind : str
        "white" or "babble"

    Returns
    -------
    float or None
        None where the curve does not cross the half
    """
    half = _half(family)
    frame = noise_curve(family, kind)
    values, scores = frame["value"].to_numpy(), frame["uar"].to_numpy()
    for i in range(len(values) - 1):
        if scores[i] >= half > scores[i + 1]:
            part = (scores[i] - half) / (scores[i] - scores[i + 1])
            return float(values[i] + part * (values[i + 1] - values[i]))
    return None


def robustness_table(family: Family, folder) -> pd.DataFrame:
    """Tabulate a family per condition: scores, the paired difference from clean, and overconfidence.

    Returns
    -------
    DataFrame
        ``condition``; numeric: ``uar``, ``accuracy`` and ``difference`` (of UAR from clean) with ``_low`` and
        ``_high``, ``retained`` (of the UAR above chance), ``overconfidence`` (after the temperature fitted on clean
        validation utterances); fractions, NaN where missing
    """
    changes, left = differences_from_clean(family, folder), retained_performance(family)
    rows = []
    for name, result in family.items():
        answers = calibration_tables.calibrated_answers(result.results, folder)
        rows.append(
            {
                "condition": name,
                **score_columns(result, "uar", "accuracy"),
                **difference_columns("difference", changes.get(name)),
                "retained": left.get(name, np.nan),
                "overconfidence": calibration.overconfidence(answers.after, answers.truth),
            }
        )
    return pd.DataFrame(rows)


def format_robustness(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`robustness_table` as text."""
    rows = [
        {
            "condition": row.condition,
            "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
            "accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high),
            "against clean, UAR points [95 %]": format_signed(row.difference, row.difference_low, row.difference_high),
            "retained UAR above chance %": format_percent(row.retained, 0),
            "overconfidence, points": format_points(row.overconfidence),
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=set(rows[0]) - {"condition"} if rows else ())


def robustness_title(family: Family) -> str:
    """Name a family: "RAVDESS, cnn_bilstm_attention, protocol speaker, 6 of 6 folds, seed 0"."""
    result = family[CLEAN]
    setting = format_setting(result.spec)
    parts = [corpora.corpus_title(result.spec["corpus"]), result.spec["model"], *([setting] if setting else [])]
    seeds = f"seed{'s' if len(result.seeds) > 1 else ''} {', '.join(map(str, result.seeds))}"
    folds = f"{format_folds(len(result.folds), result.folds_total)} folds"
    return ", ".join([*parts, f"protocol {result.spec['protocol']}", folds, seeds])


def half_performance_text(family: Family, kind: str) -> str:
    """Describe where half of the UAR above chance is lost: "white at 12 dB", "white at 20 dB already", or ""."""
    crossing = half_performance_snr(family, kind)
    if crossing is not None:
        return f"{kind} at {crossing:.0f} dB"
    weakest = noise_curve(family, kind).head(1)
    return "".join(f"{kind} at {row.value:.0f} dB already" for row in weakest.itertuples() if row.uar < _half(family))


def robustness_sentence(family: Family) -> str:
    """Describe in one sentence the worst condition, and the noise level that halves the UAR above chance."""
    left = retained_performance(family)
    worst = min(left, key=lambda name: left[name])
    noises = [words for kind in ("white", "babble") if (words := half_performance_text(family, kind))]
    return (
        f"{robustness_title(family)}: {worst} leaves {format_percent(left[worst], 0)} % of the UAR above chance; "
        f"half of it is lost under {' and '.join(noises) or 'no measured noise'}."
    )
