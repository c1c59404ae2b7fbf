"""Make the tables of the model card that compare: with other systems, between groups of speakers, under degradation.

Every figure comes from the published results of the six folds, which ``choice.json`` names, and from those of other
systems on the same utterances. A table whose results are not published is left out.
"""

from __future__ import annotations

from pathlib import Path

from ser_core import models
from ser_core.experiments.result import RunResult
from ser_core.experiments.store import load_rows
from ser_core.results import comparison, robustness, subgroups
from ser_core.results.formatting import (
    format_difference,
    format_field,
    format_percent,
    format_test,
    system_title,
    text_frame,
    to_markdown,
)
from ser_core.results.pooling import pool_results
from ser_core.results.records import PooledResult
from ser_core.training.selection import RULES

RIVALS = {
    "a1": "",
    "cnn_bilstm_attention": "noise,stretch,shift,pitch",
    "linear_compare": "",
    "whisper_tiny_en_base": "",
}
"""Systems that the network is compared with, and their augmentation."""
CONDITIONS = ("clean", "white:20", "white:10", "babble:20", "babble:10", "telephone", "reverb:0.6", "codec:opus:8")
"""Rows of the table of degraded recordings; see :mod:`ser_core.audio.degradation`."""
SEED = 0
"""Of the networks in that table, the clean row included."""
BESIDE = ("voice_network", "cnn_bilstm_attention", "a1")
"""Networks that stand beside the shipped one there."""


def shipped_result(choice: dict, results: list[RunResult], folder: Path) -> PooledResult:
    """Pool the results of the chosen network's folds."""
    (pooled,) = pool_results([one for one in results if one.hash in choice["rows"]], folder)
    return pooled


def _comparable(result: PooledResult, choice: dict) -> bool:
    """Return whether a result is of the same utterances, clean, with an epoch that the test did not choose."""
    spec, own = result.spec, choice["spec"]
    same = all(spec[name] == own[name] for name in ("corpus", "protocol", "test_corpus", "condition", "adapt"))
    return same and spec["keep"] in RULES and spec["batch_norm"] == "moving" and len(result.folds) == 6


def rivals(choice: dict, results: list[RunResult], folder: Path) -> list[PooledResult]:
    """Pool the results of the systems that the network is compared with; of several settings the best."""
    rows = [one for one in results if one.ok and RIVALS.get(one.spec["model"]) == one.spec["augment"]]
    rows = [one for one in rows if one.hash not in choice["rows"]]
    pooled = [one for one in pool_results(rows, folder) if _comparable(one, choice)]
    found = []
    for model in RIVALS:
        of_model = [one for one in pooled if one.spec["model"] == model and one.spec["denoise"] is False]
        if of_model:
            found.append(max(of_model, key=lambda one: one.scores["uar"]))
    return found


def _names(pooled: list[PooledResult]) -> list[str]:
    """Name systems, networks with their augmentation and the rule that kept the epoch."""
    names = []
    for one in pooled:
        augmented = "with" if one.spec["augment"] else "without"
        network = models.get_model(one.spec["model"]).kind == "network"
        own = f", {augmented} augmentation, {format_field('keep', one.spec['keep'])}" if network else ""
        names.append(f"{system_title(one.spec['model'])}{own}")
    return names


def comparison_section(choice: dict, folder: Path) -> list[str]:
    """Return the section that compares the network with other systems on the same utterances, as Markdown."""
    results = load_rows(folder)
    own, others = shipped_result(choice, results, folder), rivals(choice, results, folder)
    if not others:
        return []
    changes = [comparison.paired_difference(other, own, folder) for other in others]
    corrected = comparison.corrected_p_values(changes, "uar")
    rows = []
    for other, name, change, p in zip(others, _names(others), changes, corrected, strict=True):
        rows.append({
            "system": name,
            "weights": f"{other.parameters:,}" if other.parameters else "",
            "its UAR % [95 %]": comparison.describe_score(other, "uar"),
            "this network's minus its, points [95 %]": format_difference(change.uar) if change else "",
            "p": format_test(p),
        })  # fmt: skip
    table = to_markdown(text_frame(rows, right=set(rows[0]) - {"system"}))
    return [
        "## Against other systems",
        "",
        "On the same test utterances (RAVDESS, protocol `speaker`, 6 folds); paired differences over speakers, p by "
        "Holm over the rows. Of the rules that keep a network's epoch the one with the best test UAR is shown, in its "
        "favour. The encoders' weights are not counted in a probe's.",
        "",
        *table.splitlines(),
        "",
    ]


def groups_section(choice: dict, folder: Path) -> list[str]:
    """Return the section on groups of speakers and utterances, and the lowest speakers, as Markdown."""
    own = shipped_result(choice, load_rows(folder), folder)
    groups = subgroups.format_groups(subgroups.group_table(own, folder))
    speakers = subgroups.format_speakers(subgroups.speaker_table(own, folder))
    return [
        "## For whom",
        "",
        *to_markdown(groups).splitlines(),
        "",
        "The speakers with the lowest and the highest UAR:",
        "",
        *to_markdown(speakers).splitlines(),
        "",
        subgroups.subgroup_sentence(own, folder),
        "",
    ]


def conditions_section(choice: dict, folder: Path) -> list[str]:
    """Return the section on degraded recordings, beside the paper's networks, as Markdown."""
    measured = [one for one in load_rows(folder) if one.spec["protocol"] == "speaker" and one.spec["seed"] == SEED]
    families = robustness.group_by_system(measured, folder)
    hashes = set(choice["rows"])
    own = [family for family in families if hashes & {run.hash for run in family["clean"].results}]
    if not own:
        return []
    beside = [
        max(of_model, key=len)
        for model in BESIDE
        if (of_model := [family for family in families if family["clean"].spec["model"] == model])
    ]
    changes = robustness.differences_from_clean(own[0], folder)
    names = _names([family["clean"] for family in beside])
    rows = []
    for condition in CONDITIONS:
        if condition not in own[0]:
            continue
        change = changes.get(condition)
        row = {
            "test recordings": condition,
            "this network, UAR % [95 %]": comparison.describe_score(own[0][condition], "uar"),
            "against clean, points [95 %]": format_difference(change) if change else "",
        }
        for name, family in zip(names, beside, strict=True):
            row[f"{name}, UAR %"] = (
                comparison.describe_score(family[condition], "uar") if condition in family else "not measured"
            )
        rows.append(row)
    return [
        "## On degraded recordings",
        "",
        f"The fold networks of seed {SEED}, tested on degraded copies of their test recordings: noise at 20 or 10 dB, "
        "reverberation of 0.6 s, a telephone band, Opus at 8 kbit/s. A network that is called robust was trained on "
        "corruptions of these kinds, drawn at random, though never with these recordings or speakers; the others were "
        "trained without. Mains hum and clicks are not among them, and turn many answers.",
        "",
        *to_markdown(text_frame(rows, right=set(rows[0]) - {"test recordings"})).splitlines(),
        "",
    ]


def cross_section(choice: dict, folder: Path) -> list[str]:
    """Return the section on other corpora, trained on RAVDESS alone, as Markdown."""
    model = choice["spec"]["model"]
    rows = [one for one in load_rows(folder) if one.ok and one.spec["protocol"] == "cross"]
    own = [
        one
        for one in pool_results([row for row in rows if row.spec["model"] == model], folder)
        if one.spec["corpus"] == choice["spec"]["corpus"] and one.spec["adapt"] == "none"
    ]
    if not own:
        return []
    entries = []
    for one in own:
        entries.append({
            "test corpus": one.spec["test_corpus"],
            "shared emotions": len(one.labels),
            "UAR % [95 %]": comparison.describe_score(one, "uar"),
            "chance %": format_percent(1 / len(one.labels)),
            "test utterances": f"{one.n_test:,}",
        })  # fmt: skip
    return [
        "## On other corpora",
        "",
        "Trained on RAVDESS, tested on all of another corpus, over the emotions that both have.",
        "",
        *to_markdown(text_frame(entries, right=set(entries[0]) - {"test corpus"})).splitlines(),
        "",
    ]
