"""Rank the systems of a corpus and protocol by UAR, and say which is best, by how much and how certain that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.claims import paper
from ser_core.experiments import store
from ser_core.experiments.grids import A5
from ser_core.experiments.result import RunResult
from ser_core.experiments.settings import differing_fields
from ser_core.metrics import significance
from ser_core.results.comparison import corrected_p_values, paired_difference
from ser_core.results.formatting import (
    DASH,
    difference_columns,
    fold_columns,
    format_difference,
    format_field,
    format_folds,
    format_folds_and_seeds,
    format_p_value,
    format_score,
    format_signed,
    format_weights,
    frozen_weights,
    is_missing,
    no_break,
    numeric_frame,
    score_columns,
    setting_words,
    settings_words,
    system_title,
    text_frame,
    to_markdown,
)
from ser_core.results.pooling import pool_results, select_clean
from ser_core.results.records import Comparison, PooledResult
from ser_core.training.selection import ORACLE

BETTER, WORSE, ALIKE, REFERENCE, UNTESTED = "better", "worse", "no significant difference", "reference", "not tested"


@dataclass(frozen=True)
class Leaderboard:
    """The results of one corpus and protocol on all folds, the best UAR first.

    Attributes
    ----------
    corpus, protocol : str
    ranked : tuple of PooledResult
    reference : PooledResult or None
        the paper's network, or another system, under its best setting; where it has no result on all folds, that on
        most folds; None where it was not measured
    changes : tuple of (Comparison or None)
        paired differences from the reference
    p : tuple of (float or None)
        of the differences in UAR, after Holm
    partial : tuple of PooledResult
        results on fewer folds, which are not ranked
    """

    corpus: str
    protocol: str
    ranked: tuple[PooledResult, ...]
    reference: PooledResult | None
    changes: tuple[Comparison | None, ...]
    p: tuple[float | None, ...]
    partial: tuple[PooledResult, ...]

    @property
    def common(self) -> list[str]:
        """Return the settings that all ranked networks share; a classical system has no training to set."""
        networks = [result for result in self.ranked if any(run.epochs for run in result.results)]
        first, *others = [setting_words(result.spec) for result in networks or self.ranked]
        return [word for word in first if all(word in words for words in others)]

    def verdict(self, i: int) -> str:
        """Describe in words how a ranked result compares with the reference."""
        change, p = self.changes[i], self.p[i]
        if self.ranked[i] is self.reference:
            return REFERENCE
        if change is None or p is None or change.uar.difference is None:
            return UNTESTED
        if p > significance.ALPHA:
            return ALIKE
        return BETTER if change.uar.difference > 0 else WORSE


def leaderboards(
    pooled: list[PooledResult], folder: str | Path, protocol: str = "speaker", reference: str = A5
) -> list[Leaderboard]:
    """Rank the results of every corpus under a protocol.

    Parameters
    ----------
    pooled : list of PooledResult
        of any corpora and protocols; results on degraded recordings are ignored
    folder : path
        of their predictions
    protocol : str, default "speaker"
    reference : str, default A5
        system that the others are compared with

    Returns
    -------
    list of Leaderboard
        one per corpus with a result on all folds, the one with most results first
    """
    groups: dict[str, list[PooledResult]] = {}
    for result in select_clean(pooled):
        if result.ok and result.spec["protocol"] == protocol:
            groups.setdefault(result.spec["corpus"], []).append(result)
    boards = [_rank(corpus, protocol, group, folder, reference) for corpus, group in groups.items()]
    return sorted((board for board in boards if board.ranked), key=lambda board: -len(board.ranked))


def _rank(corpus: str, protocol: str, group: list[PooledResult], folder: str | Path, system: str) -> Leaderboard:
    complete = [result for result in group if len(result.folds) == result.folds_total]
    ranked = sorted(complete, key=lambda result: -result.scores["uar"])
    reference = next((result for result in ranked if result.spec["model"] == system), None)
    partial = sorted((result for result in group if result not in complete), key=lambda r: -r.scores["uar"])
    if reference is None:
        candidates = [result for result in partial if result.spec["model"] == system]
        reference = max(candidates, key=lambda result: len(result.folds), default=None)
    changes = [
        paired_difference(reference, result, folder) if reference and result is not reference else None
        for result in ranked
    ]
    p = corrected_p_values(changes, "uar")
    return Leaderboard(corpus, protocol, tuple(ranked), reference, tuple(changes), tuple(p), tuple(partial))


def own_leaderboard(
    own: Mapping[str, Iterable[RunResult]], corpus: str, protocol: str = "speaker", reference: str = A5
) -> Leaderboard:
    """Rank your own results among the published ones of a corpus, or the stored ones where none is published.

    Parameters
    ----------
    own : dict
        name to show, to the results of all folds
    corpus : str
    protocol : str, default "speaker"
    reference : str, default A5
        system that the others are compared with, or one of your names

    Returns
    -------
    Leaderboard
        your results with fewer folds are in ``partial``

    Raises
    ------
    SerError
        where nothing was measured on all folds
    """
    corpus, folder = corpora.canonical_name(corpus), store.store_dir()
    rows: list[RunResult] = []
    for place in (store.published_dir(), folder):
        found = [run for run in store.load_rows(place) if run.spec["corpus"] == corpus and ":" not in run.spec["model"]]
        rows = rows or [run for run in found if run.spec["protocol"] == protocol and run.spec["keep"] != ORACLE]
    pooled = pool_results(rows, folder)
    for name, results in own.items():
        pooled += [replace(one, spec=one.spec | {"model": name}) for one in pool_results(results, folder)]
    boards = leaderboards([one for one in pooled if one.spec["corpus"] == corpus], folder, protocol, reference)
    if not boards:
        raise SerError(f"{corpus}, protocol {protocol}: nothing was measured on all folds; run every fold")
    return boards[0]


def leaderboard_table(board: Leaderboard) -> pd.DataFrame:
    """Tabulate a leaderboard.

    Returns
    -------
    DataFrame
        numeric: ``rank``, ``uar`` and ``accuracy`` with ``_low`` and ``_high``, ``difference`` in UAR from the
        reference with ``_low`` and ``_high`` (fractions), ``p`` after Holm, ``parameters``, ``frozen``
        (weights of an encoder that is not trained), ``folds``, ``folds_total``; text: ``system``,
        ``verdict``, ``setting`` (what differs from the common one); ``seeds``
    """
    common, settings = board.common, settings_words([result.spec for result in board.ranked])
    rows = [
        {
            "rank": i + 1,
            "system": system_title(result.spec["model"]),
            "setting": ", ".join(word for word in words if word not in common),
            **score_columns(result, "uar", "accuracy"),
            **difference_columns("difference", change.uar if change else None),
            "p": np.nan if p is None else p,
            "verdict": board.verdict(i),
            "parameters": result.parameters,
            "frozen": frozen_weights(result.spec["model"]),
            **fold_columns(result),
        }
        for i, (result, words, change, p) in enumerate(zip(board.ranked, settings, board.changes, board.p, strict=True))
    ]
    return numeric_frame(rows, ("rank", "parameters", "frozen", "folds", "folds_total"))


def format_leaderboard(table: pd.DataFrame, reference: str = "A5") -> pd.DataFrame:
    """Format :func:`leaderboard_table` as text; ``reference`` is the short name of the system compared with.

    Where nothing was compared, the columns of the comparison are left out.
    """
    rows = [
        {
            "rank": str(row.rank),
            "system": row.system,
            "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
            f"points above {reference} [95 %]": format_signed(row.difference, row.difference_low, row.difference_high),
            f"compared with {reference}": row.verdict
            if is_missing(row.p)
            else f"{row.verdict} {no_break(f'(p {format_p_value(row.p)})')}",
            "accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high),
            "weights": format_weights(row.parameters, row.frozen),
            "folds and seeds": no_break(format_folds_and_seeds(row.folds, row.folds_total, row.seeds)),
            "setting": row.setting or DASH,
        }
        for row in table.itertuples()
    ]
    compared = (f"points above {reference} [95 %]", f"compared with {reference}")
    if len(table) and table["difference"].isna().all() and REFERENCE not in set(table["verdict"]):
        rows = [{name: value for name, value in row.items() if name not in compared} for row in rows]
    left = {"system", compared[1], "setting", "folds and seeds"}
    return text_frame(rows, right=set(rows[0]) - left if rows else ())


def leaderboard_sentence(board: Leaderboard, folder: str | Path) -> str:
    """State the best system, its lead over the paper's network and over the next system, and how certain both are."""
    best = board.ranked[0]
    demo = " (demo)" if corpora.is_demo(board.corpus) else ""
    score = format_score(*score_columns(best, "uar").values())
    title = corpora.corpus_title(board.corpus)
    text = f"On {title}{'' if 'demo' in title.lower() else demo}, protocol {board.protocol}, "
    text += f"{_named(best, board)} is best of {len(board.ranked)}: UAR {score} % (chance {100 * best.chance:.1f} %)"
    if best is board.reference:
        text += "; it is the paper's network itself" if best.spec["model"] == A5 else ""
    elif board.reference and board.changes[0]:
        text += f", {format_difference(board.changes[0].uar)} points compared with {_reference_name(board)}"
        text += f"{_shared_folds(board, 0)} ({_certainty(board.p[0])})"
    following = next((result for result in board.ranked[1:] if result.spec["model"] != best.spec["model"]), None)
    if following is None or following is board.reference:
        return f"{text}."
    lead = paired_difference(following, best, folder)
    if lead is None or lead.uar.difference is None:
        return f"{text}."
    return f"{text}. It leads {_named(following, board)} by {format_difference(lead.uar)} ({_certainty(lead.uar.p)})."


def _reference_name(board: Leaderboard) -> str:
    model = board.reference.spec["model"] if board.reference else A5
    return "the paper's network" if model == A5 else system_title(model)


def _shared_folds(board: Leaderboard, i: int) -> str:
    """Say on which folds a difference was measured, where not on all of them."""
    change = board.changes[i]
    if change is None or len(change.folds) == len(board.ranked[i].folds):
        return ""
    return f" on the {counted(len(change.folds), 'fold')} that both have"


def _certainty(p: float | None) -> str:
    if p is None:
        return UNTESTED
    return f"p {format_p_value(p)}" if p <= significance.ALPHA else f"not significant, p {format_p_value(p)}"


def _named(result: PooledResult, board: Leaderboard) -> str:
    alike = [other for other in board.ranked if other.spec["model"] == result.spec["model"]]
    words = [word for word in setting_words(result.spec) if word not in board.common]
    return system_title(result.spec["model"]) + (f" ({', '.join(words)})" if len(alike) > 1 and words else "")


def reference_lines(board: Leaderboard) -> list[tuple[str, float]]:
    """Return what the scores are to be compared with, in percent: chance and human listeners."""
    lines = [("chance", 100 * board.ranked[0].chance)]
    if board.corpus == paper.LISTENERS["corpus"]:
        accuracy: Any = paper.LISTENERS["accuracy"]
        lines.append(("accuracy of human listeners (neutral and calm as one answer)", accuracy))
    return lines


def common_setting(board: Leaderboard) -> str:
    """Describe the settings of the networks, what the others are compared with, and the test, in a few sentences."""
    lines = "; ".join(f"{name} {value:.1f} %" for name, value in reference_lines(board))
    text = f"For comparison: {lines}."
    if board.common:
        text = f"Setting of the networks: {', '.join(board.common)}. {text}"
    units = {change.unit for change in board.changes if change and change.unit != "none"}
    if not board.reference or not units:
        return text
    training = "with augmented copies" if board.reference.spec["augment"] else "without augmented copies"
    reference = f"{system_title(board.reference.spec['model'])}, {training}"
    if keep := differing_fields(board.reference.spec).get("keep"):
        reference += f", {format_field('keep', keep)}"
    if len(board.reference.folds) != board.reference.folds_total:
        folds = format_folds(len(board.reference.folds), board.reference.folds_total)
        reference += f", on {folds} folds; differences are on the folds that both have"
    return f"{text} Reference: {reference}. p: sign-flip test over {' and '.join(sorted(units))}s, after Holm."


def leaderboard_markdown(pooled: list[PooledResult], folder: str | Path, protocol: str = "speaker") -> str:
    """Format the leaderboards of every corpus: title, sentence, common setting, table, and what is not ranked."""
    blocks = []
    for board in leaderboards(pooled, folder, protocol):
        title = f"**Leaderboard: {corpora.corpus_title(board.corpus)}, protocol `{protocol}`**"
        table = to_markdown(format_leaderboard(leaderboard_table(board)))
        partial = sorted({system_title(result.spec["model"]) for result in board.partial})
        note = f"\nNot ranked, on fewer folds: {'; '.join(partial)}.\n" if partial else ""
        sentence = leaderboard_sentence(board, folder)
        blocks.append(f"{title}\n\n{sentence}\n\n{common_setting(board)}\n\n{table}{note}")
    return "\n".join(blocks)
