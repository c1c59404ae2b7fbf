"""Cross-corpus results: the matrix, the padding cue and adaptation, from pooled results of ``cross``.

A *system* is a network with its setting, apart from padding and adaptation, in which its results may differ. Its plain
results are those with zero padding and no adaptation, as the paper's network is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import Spec
from ser_core.metrics import significance
from ser_core.metrics.significance import Difference
from ser_core.results import comparison
from ser_core.results.formatting import (
    DASH,
    difference_columns,
    fold_columns,
    format_difference,
    format_folds,
    format_percent,
    format_score,
    format_setting,
    format_signed,
    format_units,
    numeric_frame,
    score_columns,
    system_title,
    text_frame,
)
from ser_core.results.pooling import select_clean
from ser_core.results.records import PooledResult
from ser_core.training import adaptation

PLAIN = {"padding": "zero", "adapt": "none"}
APART = ("corpus", "test_corpus", *PLAIN)


@dataclass(frozen=True)
class Change:
    """One choice of padding or adaptation, and its paired difference in UAR from the plain result."""

    direction: str
    choice: str
    result: PooledResult
    difference: Difference | None  # None for the plain result itself, and where nothing could be paired


def cross_rows(pooled: list[PooledResult]) -> list[PooledResult]:
    """Select the results of the protocol ``cross`` that were measured, on recordings as they are."""
    return [one for one in select_clean(pooled) if one.ok and one.spec["protocol"] == "cross"]


def rows_by_system(pooled: list[PooledResult]) -> dict[str, list[PooledResult]]:
    """Group the results of ``cross`` by the name of the system: network and setting."""
    systems: dict[str, list[PooledResult]] = {}
    for one in cross_rows(pooled):
        title, setting = system_title(one.spec["model"]), format_setting(one.spec | PLAIN)
        systems.setdefault(f"{title}, {setting}" if setting else title, []).append(one)
    return systems


def other_pairs(results: Iterable[RunResult], specs: Iterable[Spec]) -> list[RunResult]:
    """Select the results of ``cross`` between corpora that these specs do not pair."""
    pairs = {(spec.corpus, spec.test_corpus) for spec in specs}
    cross = [result for result in results if result.ok and result.spec.get("test_corpus")]
    return [result for result in cross if (result.spec["corpus"], result.spec["test_corpus"]) not in pairs]


def is_plain(one: PooledResult) -> bool:
    """Return whether a result has zero padding and no adaptation."""
    return all(one.spec[name] == usual for name, usual in PLAIN.items())


def short_title(corpus: str) -> str:
    """Return the title of a corpus, or the plain name of a demo corpus, whose title is long."""
    return corpus if corpora.is_demo(corpus) else corpora.corpus_title(corpus)


def direction(one: PooledResult) -> str:
    """Name the two corpora of a result: "RAVDESS → TESS"."""
    return f"{short_title(one.spec['corpus'])} → {short_title(one.spec['test_corpus'])}"


def cross_matrix(some: list[PooledResult], score: str = "uar") -> pd.DataFrame:
    """Tabulate a score for every pair of corpora that one system was measured on.

    Parameters
    ----------
    some : list of PooledResult
        of one system; the plain ones are used
    score : str, default "uar"

    Returns
    -------
    DataFrame
        one row per pair: ``trained_on``, ``tested_on`` (titles), ``score``, ``score_low``, ``score_high`` (fractions)
    """
    rows = []
    for one in filter(is_plain, some):
        value, low, high = score_columns(one, score).values()
        titles = {"trained_on": short_title(one.spec["corpus"]), "tested_on": short_title(one.spec["test_corpus"])}
        rows.append(titles | {"score": value, "score_low": low, "score_high": high})
    return pd.DataFrame(rows, columns=["trained_on", "tested_on", "score", "score_low", "score_high"])


def format_matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`cross_matrix` with a row per training and a column per test corpus, "–" where not measured."""
    names = list(dict.fromkeys([*table["trained_on"], *table["tested_on"]]))
    texts = {
        (row.trained_on, row.tested_on): format_score(row.score, row.score_low, row.score_high)
        for row in table.itertuples()
    }
    rows = [
        {"trained on": source} | {f"tested on {name}": texts.get((source, name), DASH) for name in names}
        for source in names
    ]
    return text_frame(rows, right=[f"tested on {name}" for name in names])


def shared_emotions(some: list[PooledResult]) -> pd.DataFrame:
    """Tabulate what each direction is about: shared emotions, those left out, chance, utterances, unit.

    Returns
    -------
    DataFrame
        numeric: ``chance``, ``answer_share`` (of the most frequent answer; fractions), ``emotions``, ``n_test``,
        ``units``, ``folds``, ``folds_total``; text: ``direction``, ``labels``, ``left_out``, ``answer``, ``unit``
    """
    rows = []
    for one in filter(is_plain, some):
        lost = [f"{emotion} ({count:,} of {short_title(name)})" for name, counts in one.results[0].left_out.items()
                for emotion, count in counts.items()]  # fmt: skip
        answer, share = most_frequent_answer(one)
        rows.append(
            {
                "direction": direction(one),
                "emotions": len(one.labels),
                "labels": ", ".join(one.labels),
                "left_out": ", ".join(lost) or "none",
                "chance": one.chance,
                "answer": answer,
                "answer_share": share,
                "n_test": one.n_test,
                "units": one.intervals.n if one.intervals else 0,
                "unit": one.intervals.unit if one.intervals else "none",
                **fold_columns(one),
            }
        )
    return numeric_frame(rows, ("n_test", "units", "folds", "folds_total"))


def format_emotions(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`shared_emotions` as text."""
    rows = [
        {
            "direction": row.direction,
            "emotions in common": f"{row.emotions}: {row.labels}",
            "left out": row.left_out,
            "chance %": format_percent(row.chance),
            "most frequent answer": format_answer(row.answer, row.answer_share),
            "test utterances": f"{row.n_test:,}",
            "interval over": format_units(row.units, row.unit),
            "folds": format_folds(row.folds, row.folds_total),
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("emotions in common", "chance %", "test utterances", "interval over", "folds"))


def most_frequent_answer(one: PooledResult) -> tuple[str, float]:
    """Find the emotion that a network answers most often, and its share; near 1 it ignores the recording."""
    answers = np.array(one.confusion).sum(axis=0)
    return one.labels[int(answers.argmax())], float(answers.max() / answers.sum())


def format_answer(emotion: str, share: float) -> str:
    """Format the most frequent answer: "fear, 98 %"."""
    return f"{emotion}, {format_percent(share, 0)} %"


def adaptation_changes(some: list[PooledResult], folder, field: str) -> list[Change]:
    """Compare masked padding, or each adaptation, with the plain result of the same direction.

    Parameters
    ----------
    some : list of PooledResult
        of one system
    folder : path
        of their predictions
    field : str
        ``padding`` or ``adapt``

    Returns
    -------
    list of Change
        plain results first in each direction
    """
    other = next(name for name in PLAIN if name != field)
    some = [one for one in some if one.spec[other] == PLAIN[other]]
    changes = []
    for plain in filter(is_plain, some):
        changed = [one for one in some if direction(one) == direction(plain) and not is_plain(one)]
        if changed:
            changes.append(Change(direction(plain), PLAIN[field], plain, None))
        for one in sorted(changed, key=lambda one: _place(one.spec[field])):
            paired = comparison.paired_difference(plain, one, folder)
            changes.append(Change(direction(one), one.spec[field], one, paired.uar if paired else None))
    return changes


def _place(choice: str) -> int:
    return list(adaptation.KINDS).index(choice) if choice in adaptation.KINDS else 0


def changes_table(changes: list[Change]) -> pd.DataFrame:
    """Tabulate :func:`adaptation_changes`.

    Returns
    -------
    DataFrame
        numeric: ``uar``, ``accuracy`` and ``difference`` (of UAR) with ``_low`` and ``_high``, ``answer_share``
        (fractions), ``folds``, ``folds_total``; text: ``direction``, ``choice``, ``answer``
    """
    rows = []
    for change in changes:
        answer, share = most_frequent_answer(change.result)
        rows.append(
            {
                "direction": change.direction,
                "choice": change.choice,
                **score_columns(change.result, "uar", "accuracy"),
                **difference_columns("difference", change.difference),
                "answer": answer,
                "answer_share": share,
                **fold_columns(change.result),
            }
        )
    return numeric_frame(rows, ("folds", "folds_total"))


def format_changes(table: pd.DataFrame, field: str) -> pd.DataFrame:
    """Format :func:`changes_table` as text; ``field`` is ``padding`` or ``adapt``."""
    against = f"against {field} {PLAIN[field]}, UAR points [95 %]"
    rows = [
        {
            "direction": row.direction,
            field: row.choice if field == "padding" else f"{row.choice}: {adaptation.KINDS[row.choice]}",
            "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
            "accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high),
            against: format_signed(row.difference, row.difference_low, row.difference_high),
            "most frequent answer": format_answer(row.answer, row.answer_share),
            "folds": format_folds(row.folds, row.folds_total),
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("UAR % [95 %]", "accuracy % [95 %]", against, "folds"))


def significant_changes(changes: list[Change]) -> list[Change]:
    """Select the changes that are significant at 5 %, after Holm over all of them."""
    tested = significance.holm([change.difference.p if change.difference else None for change in changes])
    return [change for change, p in zip(changes, tested, strict=True) if p is not None and p <= significance.ALPHA]


def changes_sentence(changes: list[Change], what: str) -> str:
    """Say in one sentence how many of the changes are significant, and which."""
    tested = [change for change in changes if change.difference and change.difference.interval]
    if not tested:
        return f"{what}: no difference could be tested."
    named = [
        f"{change.choice}, {change.direction} ({format_difference(change.difference)} points)"
        for change in significant_changes(changes)
        if change.difference
    ]
    return f"{what}: of {len(tested)} differences {len(named)} significant at 5 % after Holm" + (
        f": {'; '.join(named)}." if named else "."
    )
