"""Score a search over settings both ways: chosen by validation speakers, and chosen by the test, which is a leak.

Chosen honestly, every fold takes the candidate that is best on its own validation utterances. Chosen by the test, all
folds take the one candidate with the highest UAR of the pooled test predictions, as some published systems do. The
difference is what tuning on the test adds. It grows with the number of candidates.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ser_core import corpora, metrics
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.experiments.result import RunResult
from ser_core.experiments.searches import SEARCHES, search_specs
from ser_core.experiments.store import spec_key
from ser_core.metrics import significance, uncertainty
from ser_core.results.formatting import (
    format_difference,
    format_field,
    format_interval,
    format_percent,
    format_score,
    system_title,
    text_frame,
    to_markdown,
)
from ser_core.results.pooling import join_predictions, pool_results, subset_predictions
from ser_core.results.records import PooledResult
from ser_core.training.selection import ORACLE


@dataclass(frozen=True)
class Search:
    """A search, scored both ways."""

    candidates: tuple[PooledResult, ...]  # with the same folds, the best on the test first
    by_validation: tuple[RunResult, ...]  # the run of each fold
    uar: float  # of these, pooled test predictions
    interval: uncertainty.Interval | None
    difference: significance.Difference  # of the best on the test, minus that
    best_epochs: PooledResult | None = None  # the candidate whose epochs, best on the test, reach most: a leak

    @property
    def by_test(self) -> PooledResult:
        """Return the candidate that is best on the test: a leak."""
        return self.candidates[0]


def score_search(results: Iterable[RunResult], folder: str | Path) -> Search:
    """Score a search both ways.

    Parameters
    ----------
    results : iterable of RunResult
        of one system, corpus and protocol; specs that differ in more than the fold are candidates, but for those that
        keep the epoch that is best on the test
    folder : path
        of their predictions

    Returns
    -------
    Search
        over the candidates that have as many folds as the most complete one

    Raises
    ------
    SerError
        for results of several systems, or fewer than two candidates
    """
    pooled = [one for one in pool_results(results, folder) if one.ok]
    if len({(one.spec["corpus"], one.spec["protocol"], one.spec["model"], one.seeds) for one in pooled}) > 1:
        raise SerError("search: has results of several corpora, protocols, systems or seeds; give those of one")
    folds = max((one.folds for one in pooled), key=len, default=())
    complete = [one for one in pooled if one.folds == folds and len(one.seeds) == 1]
    leaks = [one for one in complete if one.spec["keep"] == ORACLE]
    complete = [one for one in complete if one.spec["keep"] != ORACLE]
    if len(complete) < 2:
        raise SerError(
            f"search: {counted(len(complete), 'candidate')} with all its folds in {folder}; two are needed: `ser sweep "
            "reslstm` runs them, --store reads your own results"
        )
    candidates = sorted(complete, key=lambda one: -one.scores["uar"])
    chosen = tuple(_best_on_validation(candidates, fold, folder) for fold in folds)
    honest, tuned = join_predictions(chosen, folder), join_predictions(candidates[0].results, folder)
    labels = candidates[0].labels
    return Search(
        candidates=tuple(candidates),
        by_validation=chosen,
        uar=metrics.uar(honest["truth"], honest["prediction"], labels),
        interval=uncertainty.intervals(honest, labels).uar,
        difference=significance.paired(honest, tuned, labels).uar,
        best_epochs=max(leaks, key=lambda one: one.scores["uar"], default=None),
    )


def _best_on_validation(candidates: list[PooledResult], fold: int, folder: str | Path) -> RunResult:
    """Return the run of a fold with the highest validation UAR; of equals the first by its setting, not by its test."""

    def uar(run: RunResult) -> float:
        frame = subset_predictions(run, folder, "validation")
        return metrics.uar(frame["truth"], frame["prediction"], run.labels)

    runs = [run for one in candidates for run in one.results if run.spec["fold"] == fold]
    return max(sorted(runs, key=lambda run: run.hash), key=uar)


def search_table(search: Search) -> pd.DataFrame:
    """Tabulate the candidates as text: setting, UAR on the test, and the folds that choose it by validation."""
    names = _varied(search)
    rows = [
        {
            "setting": ", ".join(format_field(name, one.spec[name]) for name in names),
            "UAR on test % [95 %]": format_score(one.scores["uar"], *_limits(one)),
            "chosen by validation in fold": ", ".join(
                str(run.spec["fold"]) for run in search.by_validation if run in one.results
            ),
        }
        for one in search.candidates
    ]
    return text_frame(rows, right=("UAR on test % [95 %]",))


def _varied(search: Search) -> list[str]:
    first = search.candidates[0].spec
    return [name for name in first if len({str(one.spec[name]) for one in search.candidates}) > 1]


def _limits(one: PooledResult) -> tuple[float, float]:
    interval = one.intervals.uar if one.intervals else None
    return interval.limits if interval else (float("nan"), float("nan"))


def search_sentence(search: Search) -> str:
    """State the UAR of a search both ways, and what the choice by the test adds."""
    spec, best, epochs = search.by_test.spec, search.by_test, search.best_epochs
    chosen = f" With the epochs, too, chosen by the test: {format_percent(epochs.scores['uar'])} %." if epochs else ""
    where = f"{system_title(spec['model'])} on {corpora.corpus_title(spec['corpus'])}, protocol {spec['protocol']}"
    return (
        f"{where}, {counted(len(search.candidates), 'candidate')}, {counted(len(best.folds), 'fold')}: "
        f"chosen by validation, UAR "
        f"{format_percent(search.uar)} % {format_interval(search.interval)}; chosen by the test, a leak, "
        f"{format_percent(best.scores['uar'])} %. Tuning on the test adds "
        f"{format_difference(search.difference)} points.{chosen}"
    )


def named_search(name: str, results: Iterable[RunResult], folder: str | Path) -> Search:
    """Score a search of :data:`ser_core.experiments.searches.SEARCHES`, from the results of any specs.

    Raises
    ------
    SerError
        for an unknown name, or fewer than two candidates that were run
    """
    specs = search_specs(name)
    wanted = {spec_key(spec) for spec in (*specs, *(replace(spec, keep=ORACLE) for spec in specs))}
    return score_search([result for result in results if spec_key(result.spec) in wanted], folder)


def search_markdown(search: Search) -> str:
    """Format a search: its sentence and its table."""
    return f"{search_sentence(search)}\n\n{to_markdown(search_table(search))}"


def searches_markdown(results: list[RunResult], folder: str | Path) -> str:
    """Format every search of which two candidates or more were run; "" without one."""
    blocks = []
    for name in SEARCHES:
        with contextlib.suppress(SerError):
            blocks.append(f"**What tuning on the test adds**\n\n{search_markdown(named_search(name, results, folder))}")
    return "\n".join(blocks)
