"""Markdown of all results: the tables of the published results, and a table of every system in a store."""

from __future__ import annotations

from ser_core import corpora, models
from ser_core.claims import paper
from ser_core.experiments.grids import A5, LITE
from ser_core.experiments.result import RunResult
from ser_core.results import ablations, configurations, cross_corpus, ladder_text, searches, tables
from ser_core.results.comparison import (
    AGAINST,
    LEGEND,
    early_stopped_sentence,
    format_systems,
    is_default_setting,
    systems_table,
    unmeasured_sentence,
)
from ser_core.results.formatting import format_setting, tested_on, to_markdown
from ser_core.results.leaderboard import leaderboard_markdown
from ser_core.results.pooling import pool_results
from ser_core.results.readings import readings_markdown
from ser_core.results.records import PooledResult
from ser_core.training.selection import ORACLE


def all_systems_markdown(pooled: list[PooledResult], folder) -> str:
    """Format every system, including user-defined models: a table per corpus, protocol and condition."""
    groups: dict[str, list[PooledResult]] = {}
    for result in pooled:
        title = f"{tested_on(result.spec)}, protocol `{result.spec['protocol']}`"
        condition = result.spec.get("condition", "clean")
        title += "" if condition == "clean" else f", condition `{condition}`"
        groups.setdefault(title, []).append(result)
    return "\n".join(_block(f"**{title}**", group, folder) for title, group in groups.items())


def _block(title: str, pooled: list[PooledResult], folder, *notes: str) -> str:
    """Format a table of systems with its title and notes."""
    frame = format_systems(systems_table(pooled, folder))
    below = filter(None, (LEGEND if AGAINST in frame else "", early_stopped_sentence(pooled), *notes))
    return "\n".join([f"{title}\n\n{to_markdown(frame)}", *(f"{note}\n" for note in below)])


def readme_markdown(results: list[RunResult], folder) -> str:
    """Format all published results: leaderboards, the paper's tables and readings, cross-corpus, single changes.

    Results whose epoch is the best on test, a leak, are shown among the readings only.
    """
    pooled = pool_results([result for result in results if result.spec["keep"] != ORACLE], folder)
    blocks = (
        leaderboard_markdown(pooled, folder),
        published_markdown(pooled, folder),
        readings_markdown(results, folder),
        searches.searches_markdown(results, folder),
        cross_corpus.matrix_markdown(pooled, folder),
    )
    return "\n".join(filter(None, [*blocks, ablations.ablation_markdown(pooled, folder)]))


def published_markdown(pooled: list[PooledResult], folder) -> str:
    """Format the ladder, the paper's network by protocol, and Tables II, IV, V and VI."""
    done = [result for result in pooled if result.ok and models.MODELS.get(result.spec["model"])]
    done = [result for result in done if is_default_setting(result.spec)]
    blocks = [*ladder_text.ladder_markdown(pooled, folder)]
    blocks.append(tables.results_markdown([result for result in done if result.spec["model"] == A5]))
    independent = [result for result in done if result.spec["protocol"] == "speaker"]
    for number, corpus in (("II", "ravdess"), ("IV", "ravtess")):
        group = [result for result in independent if result.spec["corpus"] == corpus]
        group = [
            result
            for result in group
            if result.spec["model"] in (A5, LITE) or not paper.is_proposed(result.spec["model"])
        ]
        if len(group) > 1:
            title = f"**Table {number} and further systems, {corpora.corpus_title(corpus)}, protocol `speaker`**"
            blocks.append(
                _block(title, group, folder, unmeasured_sentence(group, f"table{2 if number == 'II' else 4}"))
            )
    for number, group in configurations.configuration_results(independent).items():
        if len(group) > 1:
            title = f"**Table {number}, {corpora.corpus_title(group[0].spec['corpus'])}, protocol `speaker`**"
            cut = format_setting(group[0].spec)
            setting = f" (setting: {cut})" if cut else ""
            table = configurations.configurations_table(group, folder, number)
            sentence = configurations.configurations_sentence(group, folder, number)
            text = to_markdown(configurations.format_configurations(table))
            blocks.append(f"{title}{setting}\n\n{text}\n{LEGEND}\n\n{sentence}\n")
    return "\n".join(blocks)
