"""Everything that was measured as Markdown: the README's tables, and a table of every system in a store."""

from __future__ import annotations

from ser_core import corpora, models
from ser_core.claims import paper
from ser_core.experiments.grids import A5, LITE
from ser_core.results import ablations, configurations, ladder_text, tables
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
from ser_core.results.records import PooledResult


def all_systems_markdown(pooled: list[PooledResult], folder) -> str:
    """Format every system, user-defined ones too: a table for each corpus, protocol and condition."""
    groups: dict[str, list[PooledResult]] = {}
    for one in pooled:
        title = f"{tested_on(one.spec)}, protocol `{one.spec['protocol']}`"
        condition = one.spec.get("condition", "clean")
        title += "" if condition == "clean" else f", condition `{condition}`"
        groups.setdefault(title, []).append(one)
    return "\n".join(_block(f"**{title}**", some, folder) for title, some in groups.items())


def _block(title: str, pooled: list[PooledResult], folder, *notes: str) -> str:
    """Format a table of systems with its title above and the notes below."""
    frame = format_systems(systems_table(pooled, folder))
    below = filter(None, (LEGEND if AGAINST in frame else "", early_stopped_sentence(pooled), *notes))
    return "\n".join([f"{title}\n\n{to_markdown(frame)}", *(f"{note}\n" for note in below)])


def readme_markdown(pooled: list[PooledResult], folder) -> str:
    """Format all published results: :func:`published_markdown`, then the single changes."""
    return "\n".join(filter(None, [published_markdown(pooled, folder), ablations.ablation_markdown(pooled, folder)]))


def published_markdown(pooled: list[PooledResult], folder) -> str:
    """Format the ladder, the paper's network by protocol, and Tables II, IV, V and VI."""
    done = [one for one in pooled if one.ok and models.MODELS.get(one.spec["model"])]
    done = [one for one in done if is_default_setting(one.spec)]
    blocks = [*ladder_text.ladder_markdown(pooled, folder)]
    blocks.append(tables.results_markdown([one for one in done if one.spec["model"] == A5]))
    independent = [one for one in done if one.spec["protocol"] == "speaker"]
    for number, corpus in (("II", "ravdess"), ("IV", "ravtess")):
        some = [one for one in independent if one.spec["corpus"] == corpus]
        some = [one for one in some if one.spec["model"] in (A5, LITE) or not paper.is_proposed(one.spec["model"])]
        if len(some) > 1:
            title = f"**Table {number} and further systems, {corpora.corpus_title(corpus)}, protocol `speaker`**"
            blocks.append(_block(title, some, folder, unmeasured_sentence(some, f"table{2 if number == 'II' else 4}")))
    for number, some in configurations.configuration_results(independent).items():
        if len(some) > 1:
            title = f"**Table {number}, {corpora.corpus_title(some[0].spec['corpus'])}, protocol `speaker`**"
            cut = format_setting(some[0].spec)
            setting = f" (setting: {cut})" if cut else ""
            table = configurations.configurations_table(some, folder, number)
            sentence = configurations.configurations_sentence(some, folder, number)
            text = to_markdown(configurations.format_configurations(table))
            blocks.append(f"{title}{setting}\n\n{text}\n{LEGEND}\n\n{sentence}\n")
    return "\n".join(blocks)
