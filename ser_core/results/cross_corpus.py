"""Cross-corpus results: the matrix, the padding cue and adaptation, from pooled results of ``cross``.

A *system* is a network with its setting apart from padding and adaptation. Its plain results have zero padding and no
adaptation, as in the paper.
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
    to_markdown,
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
    difference: Difference | None  # None for the plain result and for unpaired results


def cross_rows(pooled: list[PooledResult]) -> list[PooledResult]:
    """Select the successful results of the protocol ``cross`` on clean recordings."""
    return [result for result in select_clean(pooled) if result.ok and result.spec["protocol"] == "cross"]


def rows_by_system(pooled: list[PooledResult]) -> dict[str, list[PooledResult]]:
    """Group the results of ``cross`` by the name of the system: network and setting."""
    systems: dict[str, list[PooledResult]] = {}
    for result in cross_rows(pooled):
        title, setting = system_title(result.spec["model"]), format_setting(result.spec | PLAIN)
        systems.setdefault(f"{title}, {setting}" if setting else title, []).append(result)
    return systems


def other_pairs(results: Iterable[RunResult], specs: Iterable[Spec]) -> list[RunResult]:
    """Select the results of ``cross`` between corpora that these specs do not pair."""
    pairs = {(spec.corpus, spec.test_corpus) for spec in specs}
    cross = [result for result in results if result.ok and result.spec.get("test_corpus")]
    return [result for result in cross if (result.spec["corpus"], result.spec["test_corpus"]) not in pairs]


def is_plain(result: PooledResult, adapt: str = PLAIN["adapt"]) -> bool:
    """Return whether a result has zero padding and no adaptation, or another one that is named."""
    return all(result.spec[name] == usual for name, usual in (PLAIN | {"adapt": adapt}).items())


def short_title(corpus: str) -> str:
    """Return the title of a corpus; for a demo corpus its name, which is shorter."""
    return corpus if corpora.is_demo(corpus) else corpora.corpus_title(corpus)


def direction(result: PooledResult) -> str:
    """Name the two corpora of a result: "RAVDESS → TESS"."""
    return f"{short_title(result.spec['corpus'])} → {short_title(result.spec['test_corpus'])}"


def cross_matrix(pooled: list[PooledResult], score: str = "uar", adapt: str = "none") -> pd.DataFrame:
    """Tabulate a score for every pair of corpora of a system.

    Parameters
    ----------
    pooled : list of PooledResult
        of one system; those with zero padding are used
    score : str, default "uar"
    adapt : str, default "none"
        adaptation of the results that are used

    Returns
    -------
    DataFrame
        one row per pair: ``trained_on``, ``tested_on`` (titles), ``score``, ``score_low``, ``score_high`` (fractions)
    """
    rows = []
    for result in (result for result in pooled if is_plain(result, adapt)):
        value, low, high = score_columns(result, score).values()
        titles = {
            "trained_on": short_title(result.spec["corpus"]),
            "tested_on": short_title(result.spec["test_corpus"]),
        }
        rows.append(titles | {"score": value, "score_low": low, "score_high": high})
    return pd.DataFrame(rows, columns=["trained_on", "tested_on", "score", "score_low", "score_high"])


def format_matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`cross_matrix` with one row per training corpus and one column per test corpus."""
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


def shared_emotions(pooled: list[PooledResult]) -> pd.DataFrame:
    """Tabulate each direction: shared emotions, emotions left out, chance, utterances and unit.

    Returns
    -------
    DataFrame
        numeric: ``chance``, ``answer_share`` (of the most frequent answer; fractions), ``emotions``, ``n_test``,
        ``units``, ``folds``, ``folds_total``; text: ``direction``, ``labels``, ``left_out``, ``answer``, ``unit``
    """
    rows = []
    for result in filter(is_plain, pooled):
        lost = [f"{emotion} ({count:,} of {short_title(name)})" for name, counts in result.results[0].left_out.items()
                for emotion, count in counts.items()]  # fmt: skip
        answer, share = most_frequent_answer(result)
        rows.append(
            {
                "direction": direction(result),
                "emotions": len(result.labels),
                "labels": ", ".join(result.labels),
                "left_out": ", ".join(lost) or "none",
                "chance": result.chance,
                "answer": answer,
                "answer_share": share,
                "n_test": result.n_test,
                "units": result.intervals.n if result.intervals else 0,
                "unit": result.intervals.unit if result.intervals else "none",
                **fold_columns(result),
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


def most_frequent_answer(result: PooledResult) -> tuple[str, float]:
    """Return the most frequent answer of a network and its share; near 1 the answer ignores the recording."""
    answers = np.array(result.confusion).sum(axis=0)
    return result.labels[int(answers.argmax())], float(answers.max() / answers.sum())


def format_answer(emotion: str, share: float) -> str:
    """Format the most frequent answer: "fear, 98 %"."""
    return f"{emotion}, {format_percent(share, 0)} %"


def adaptation_changes(pooled: list[PooledResult], folder, field: str) -> list[Change]:
    """Compare masked padding, or each adaptation, with the plain result of the same direction.

    Parameters
    ----------
    pooled : list of PooledResult
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
    pooled = [result for result in pooled if result.spec[other] == PLAIN[other]]
    changes = []
    for plain in filter(is_plain, pooled):
        changed = [result for result in pooled if direction(result) == direction(plain) and not is_plain(result)]
        if changed:
            changes.append(Change(direction(plain), PLAIN[field], plain, None))
        for result in sorted(changed, key=lambda result: _place(result.spec[field])):
            paired = comparison.paired_difference(plain, result, folder)
            changes.append(Change(direction(result), result.spec[field], result, paired.uar if paired else None))
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
    """Describe in one sentence how many of the changes are significant, and which."""
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


def matrix_markdown(pooled: list[PooledResult], folder) -> str:
    """Format the matrix of every system that was measured between three corpora or more, with adaptation off and on.

    Parameters
    ----------
    pooled : list of PooledResult
        of any protocol; those of ``cross`` on clean recordings are used
    folder : path
        of their predictions

    Returns
    -------
    str
        Markdown; "" without such a system
    """
    blocks = []
    for name, own in rows_by_system(pooled).items():
        if len({result.spec["corpus"] for result in filter(is_plain, own)}) < 3:
            continue
        blocks.append(f"**Every corpus to every other, protocol `cross`, UAR in percent: {name}**\n")
        for kind, description in adaptation.KINDS.items():
            table = cross_matrix(own, adapt=kind)
            if not table.empty:
                blocks.append(f"Adaptation {kind} ({description}):\n\n{to_markdown(format_matrix(table))}")
        blocks.append(f"{changes_sentence(adaptation_changes(own, folder, 'adapt'), 'Adaptation')}\n")
        blocks.append(to_markdown(format_emotions(shared_emotions(own))))
    return "\n".join(blocks)
