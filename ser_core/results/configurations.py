"""Tables V and VI: the configurations A1 to A5, and what each part of the network adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.claims import paper
from ser_core.experiments.grids import A5, TABLES
from ser_core.metrics import significance
from ser_core.metrics.significance import Difference
from ser_core.results.comparison import corrected_p_values, is_default_setting, paired_difference
from ser_core.results.formatting import (
    DASH,
    difference_columns,
    fold_columns,
    format_count,
    format_folds_and_seeds,
    format_points,
    format_score,
    format_signed,
    format_test,
    is_missing,
    numeric_frame,
    score_columns,
    text_frame,
)
from ser_core.results.records import Comparison, PooledResult

STEPS: dict[str, str | None] = {"a1": None, "a2": "a1", "a3": "a2", "a4": "a3", A5: "a4"}
"""Each configuration and the one before it."""
STEP_P = "p of the step"


@dataclass(frozen=True)
class Step:
    """Difference in accuracy between two neighbouring configurations: what a part of the network adds."""

    name: str
    paper: float  # fraction
    ours: Difference  # p after Holm over the steps of the table


def configurations_table(pooled: list[PooledResult], folder, number: str) -> pd.DataFrame:
    """Tabulate Table V or VI: one row per configuration, the paper's and ours, and what each step adds.

    Parameters
    ----------
    pooled : list of PooledResult
        those of one table, from :func:`configuration_results`
    folder : path
        of their predictions
    number : str
        "V" or "VI"

    Returns
    -------
    DataFrame
        numeric: ``claimed``, ``claimed_step``, ``accuracy``, ``uar`` and ``step`` with ``_low`` and ``_high``
        (fractions), ``p`` of the step after Holm, ``test_units``, ``parameters``, ``folds``, ``folds_total``; text:
        ``configuration``, ``status``, ``test_unit``; ``seeds`` (tuple)
    """
    by_model = {result.spec["model"]: result for result in pooled if result.ok}
    printed = {row["configuration"]: row for row in paper.table(number)}
    names = paper.ABLATIONS | {A5: "A5"}
    changes = {model: _change(by_model, model, folder) for model in STEPS}
    tested = dict(zip(changes, corrected_p_values(list(changes.values()), "accuracy"), strict=True))
    rows, before = [], np.nan
    for model in TABLES["table5"][1]:
        claim = printed[names[model]]
        attention = ", attention" if claim["attention"] else ""
        result, change, p = by_model.get(model), changes[model], tested[model]
        row: dict[str, Any] = {
            "configuration": f"{names[model]}: {claim['features']}, {claim['temporal']}{attention}",
            "status": "ok" if result else "not measured here",
            "claimed": claim["accuracy"] / 100,
            "claimed_step": (claim["accuracy"] - before) / 100,
            **score_columns(result or PooledResult({}, "error"), "accuracy", "uar"),
            **difference_columns("step", change.accuracy if change else None),
            "p": np.nan if p is None else p,
            "test_units": change.n if change else None,
            "test_unit": change.unit if change else None,
            "parameters": result.parameters if result else None,
            **fold_columns(result or PooledResult({}, "error")),
        }
        before = claim["accuracy"]
        rows.append(row)
    return numeric_frame(rows, ("test_units", "parameters", "folds", "folds_total"))


def format_configurations(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`configurations_table` as text."""
    rows = []
    for row in table.itertuples():
        ok = row.status == "ok"
        rows.append(
            {
                "configuration": row.configuration,
                "paper: accuracy %": f"{100 * row.claimed:.2f}",
                "paper: step": format_points(row.claimed_step, 2),
                "ours: accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high)
                if ok
                else row.status,
                "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
                "our step, accuracy points [95 %]": format_signed(row.step, row.step_low, row.step_high),
                STEP_P: format_test(row.p, row.test_units if is_missing(row.p) else None, row.test_unit),
                "parameters": format_count(row.parameters),
                "folds": format_folds_and_seeds(row.folds, row.folds_total, row.seeds) if ok else DASH,
            }
        )
    return text_frame(rows, right=set(rows[0]) - {"configuration"} if rows else ())


def _change(by_model: dict[str, PooledResult], model: str, folder) -> Comparison | None:
    """Compare a configuration with the one before it; None where either was not measured."""
    first, second = by_model.get(STEPS[model] or ""), by_model.get(model)
    return paired_difference(first, second, folder) if first and second else None


def configuration_results(pooled: list[PooledResult]) -> dict[str, list[PooledResult]]:
    """Select the results of Tables V ("V", RAVDESS) and VI ("VI", RavTess); of several settings the most complete."""
    groups: dict[tuple[str, ...], list[PooledResult]] = {}
    for result in pooled:
        spec = result.spec
        number = "VI" if paper.paper_corpus(spec["corpus"]) == "ravtess" else "V"
        if spec["model"] in STEPS and is_default_setting(spec) and spec["corpus"] != "ravtess_calm_merged":
            groups.setdefault((number, spec["corpus"], spec["protocol"], spec["augment"]), []).append(result)
    fullest: dict[str, list[PooledResult]] = {}
    for (number, *_), group in groups.items():
        if len(group) > len(fullest.get(number, [])):
            fullest[number] = group
    return dict(sorted(fullest.items()))


def configuration_steps(pooled: list[PooledResult], folder, number: str) -> list[Step]:
    """Compute what each part adds to the accuracy, printed and ours; steps that were not measured are left out."""
    by_model = {result.spec["model"]: result for result in pooled if result.ok}
    printed = {row["configuration"]: row["accuracy"] for row in paper.table(number)}
    names = paper.ABLATIONS | {A5: "A5"}
    steps = []
    for model, before in STEPS.items():
        change = _change(by_model, model, folder)
        if before and change:
            claimed = (printed[names[model]] - printed[names[before]]) / 100
            steps.append(Step(f"{names[before]} to {names[model]}", claimed, change.accuracy))
    tested = significance.holm([step.ours.p for step in steps])
    return [replace(step, ours=replace(step.ours, p=p)) for step, p in zip(steps, tested, strict=True)]


def configurations_sentence(pooled: list[PooledResult], folder, number: str) -> str:
    """Name the significant steps of Table V or VI in one sentence."""
    corpus = corpora.corpus_title(pooled[0].spec["corpus"])
    steps = configuration_steps(pooled, folder, number)
    tested = [(step, step.ours.p) for step in steps if step.ours.p is not None]
    if not tested:
        return f"{corpus}: no two neighbouring configurations share six or more test speakers."
    clear = [f"{step.name} ({format_points(step.ours.difference)})" for step, p in tested if p <= significance.ALPHA]
    counted = f"of {len(tested)} tested steps" if len(tested) > 1 else "of one tested step"
    return f"{corpus}: {counted}, significant at 5 % after Holm: {'; '.join(clear or ['none'])}."
