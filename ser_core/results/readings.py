"""The readings that the paper's text allows: its network on unseen speakers under every rule that keeps an epoch.

The text says both "early stopping based on validation loss" (II.D.5) and "trained for 300 epochs" (III.A), gives two
learning rates, and leaves open how often a recording is augmented, whether padding is masked and what is normalised.
Here every measured reading stands beside the claim, together with the epoch that is best on the test utterances. That
epoch is a leak. It shows what no honest choice of the epoch can exceed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.audio.augmentation import TECHNIQUES
from ser_core.claims import paper
from ser_core.experiments.grids import A5
from ser_core.experiments.result import RunResult
from ser_core.results.formatting import (
    fold_columns,
    format_folds_and_seeds,
    format_interval,
    format_percent,
    format_score,
    numeric_frame,
    score_columns,
    setting_words,
    text_frame,
    to_markdown,
)
from ser_core.results.pooling import pool_results
from ser_core.results.records import PooledResult
from ser_core.training.selection import KEEP, ORACLE

OPEN = ("augment", "copies", "learning_rate", "patience", "znorm", "normalise", "padding", "keep", "precision")
"""Fields of a spec in which readings may differ."""
RULE_TITLES = {
    "loss": "lowest validation loss",
    "uar": "highest validation UAR",
    "last": "last epoch",
    ORACLE: "best epoch on test (leak)",
}
"""Rule that keeps an epoch to its title."""


@dataclass(frozen=True)
class Reading:
    """One reading of the text, measured under some or all rules that keep an epoch."""

    title: str
    results: dict[str, PooledResult]  # by rule

    @property
    def first(self) -> PooledResult:
        """Return the result under the first measured rule."""
        return next(iter(self.results.values()))

    @property
    def honest(self) -> list[PooledResult]:
        """Return the results whose epoch was not chosen on test utterances."""
        return [result for rule, result in self.results.items() if rule != ORACLE]


def measured_readings(results: Iterable[RunResult], folder: str | Path) -> list[Reading]:
    """Select the results of the paper's network on unseen speakers that its text allows.

    Parameters
    ----------
    results : iterable of RunResult
        of any specs; those with another protocol, model, condition or setting are ignored
    folder : path
        of their predictions

    Returns
    -------
    list of Reading
        the most complete first, then by accuracy
    """
    pooled = pool_results(filter(_is_reading, results), folder)
    groups: dict[str, dict[str, PooledResult]] = {}
    for result in pooled:
        if result.ok:
            key = json.dumps(result.spec | {"keep": None}, sort_keys=True)
            groups.setdefault(key, {})[result.spec["keep"]] = result
    readings = [
        Reading(_title(group), {rule: group[rule] for rule in KEEP if rule in group}) for group in groups.values()
    ]
    readings = [reading for reading in readings if reading.honest]
    return sorted(readings, key=lambda reading: (-len(reading.first.folds), -_best(reading).scores["accuracy"]))


def _is_reading(result: RunResult) -> bool:
    from ser_core.experiments.spec import Spec

    spec = result.spec
    if (spec["model"], spec["protocol"], spec["condition"]) != (A5, "speaker", "clean"):
        return False
    if paper.paper_corpus(spec["corpus"]) != "ravdess" or spec["augment"] not in ("", ",".join(TECHNIQUES)):
        return False
    usual = Spec()
    same = (name for name in vars(usual) if name not in (*OPEN, "corpus", "fold", "seed", "epochs"))
    return all(spec[name] == getattr(usual, name) for name in same) and spec["epochs"] == usual.epochs


def _title(group: dict[str, PooledResult]) -> str:
    """Describe a reading by its augmentation and the settings that differ from the defaults, without the rule."""
    spec = next(iter(group.values())).spec | {"keep": "loss"}
    return ", ".join(["four techniques of augmentation"] * bool(spec["augment"]) + setting_words(spec))


def _best(reading: Reading) -> PooledResult:
    return max(reading.honest, key=lambda result: result.scores["accuracy"])


def readings_table(readings: list[Reading]) -> pd.DataFrame:
    """Tabulate the readings: one row per reading and rule.

    Returns
    -------
    DataFrame
        numeric: ``accuracy`` and ``uar`` with ``_low`` and ``_high`` (fractions), ``folds``, ``folds_total``; text:
        ``reading``, ``rule`` (of :data:`KEEP`); ``seeds`` (tuple); ``best_epoch`` (mean over folds and seeds)
    """
    rows = [
        {
            "reading": reading.title,
            "rule": rule,
            **score_columns(result, "accuracy", "uar"),
            "best_epoch": float(np.mean([run.best_epoch for run in result.results if run.best_epoch])),
            **fold_columns(result),
        }
        for reading in readings
        for rule, result in reading.results.items()
    ]
    return numeric_frame(rows, ("folds", "folds_total"))


def format_readings(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`readings_table` as text."""
    rows = [
        {
            "reading of the text": row.reading,
            "epoch that is kept": RULE_TITLES[row.rule],
            "accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high),
            "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
            "mean epoch": f"{row.best_epoch:.0f}",
            "folds": format_folds_and_seeds(row.folds, row.folds_total, row.seeds),
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("accuracy % [95 %]", "UAR % [95 %]", "mean epoch"))


def readings_sentence(readings: list[Reading]) -> str:
    """State whether any measured reading reaches the paper's claim, and what the best epoch on test would reach."""
    if not readings:
        return "No reading of the text was measured."
    complete = [reading for reading in readings if len(reading.first.folds) == len(readings[0].first.folds)]
    best = max(complete, key=lambda reading: _best(reading).scores["accuracy"])
    result = _best(best)
    where = corpora.corpus_title(result.spec["corpus"])
    score = f"{format_percent(result.scores['accuracy'])} % {format_interval(_interval(result))}"
    folds = format_folds_and_seeds(len(result.folds), result.folds_total, result.seeds)
    found = f"{score} ({best.title}; {RULE_TITLES[result.spec['keep']]}; {folds})"
    leak = [reading.results[ORACLE].scores["accuracy"] for reading in complete if ORACLE in reading.results]
    above = f" The epoch that is best on test, a leak, reaches {format_percent(max(leak))} %." if leak else ""
    claim = result.claimed_accuracy
    if corpora.is_demo(result.spec["corpus"]) or claim is None:
        return f"On {where} the best reading reaches {found}.{above} Synthetic speech cannot test the paper's claim."
    reached = [reading for reading in readings for each in reading.honest if each.scores["accuracy"] >= claim]
    verb = "A reading" if reached else "No measured reading"
    whole = " of those on all folds" if len(complete) < len(readings) else ""
    count = "one reading" if len(readings) == 1 else f"{len(readings)} readings"
    return (
        f"{verb} of the text reaches the claimed {format_percent(claim, 2)} % on unseen speakers of {where} "
        f"({count} measured). The best{whole} reaches {found}.{above}"
    )


def _interval(result: PooledResult):
    return result.intervals.accuracy if result.intervals else None


def readings_markdown(results: Iterable[RunResult], folder: str | Path) -> str:
    """Format the readings with their sentence; "" where none was measured under more than one rule."""
    readings = measured_readings(results, folder)
    if not any(len(reading.results) > 1 for reading in readings):
        return ""
    table = to_markdown(format_readings(readings_table(readings)))
    title = "**The benefit of the doubt: every measured reading of the text, protocol `speaker`**"
    return f"{title}\n\n{table}\n\n{readings_sentence(readings)}\n"
