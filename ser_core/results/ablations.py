"""The paper's network with one thing changed at a time: paired differences from the default, and of Neutral."""

import pandas as pd

from ser_core import corpora
from ser_core.claims import paper
from ser_core.experiments.grids import A5
from ser_core.experiments.spec import Spec
from ser_core.metrics import uncertainty
from ser_core.results import tables
from ser_core.results.comparison import (
    LEGEND,
    corrected_p_values,
    format_folds,
    format_score,
    is_default_setting,
    paired_difference,
)
from ser_core.results.tables import format_difference, format_p_value


def reference_row(pooled: list[dict]) -> dict | None:
    """The row of the paper's network from which the others differ least; of several, that nearest the defaults."""
    rows = [one for one in pooled if one["status"] == "ok" and one["spec"]["model"] == A5]
    rows = [one for one in rows if paper.paper_corpus(one["spec"]["corpus"]) == "ravdess"]

    def distance(one: dict) -> tuple[int, int, int]:
        apart = sum(one["spec"][name] != other["spec"].get(name) for other in rows for name in one["spec"])
        return apart, len(tables.format_setting(one["spec"])), -len(one["folds"])

    return min((one for one in rows if is_default_setting(one["spec"])), key=distance, default=None)


def ablated_rows(pooled: list[dict]) -> list[dict]:
    """The rows of the paper's network with something changed, RavTess with Calm merged among them."""
    base = reference_row(pooled)
    corpora = {base["spec"]["corpus"], "ravtess_calm_merged"} if base else set()
    return [
        one for one in pooled if one["spec"]["model"] == A5 and one["spec"]["corpus"] in corpora and one is not base
    ]


def ablation_table(pooled: list[dict], base: dict, folder) -> pd.DataFrame:
    """One line a variation of the paper's network: its score, and the paired difference from ``base``."""
    found = _changes(pooled, base, folder)
    tested = corrected_p_values([change for _, change in found], "accuracy")
    lines = []
    for (one, change), p in zip(found, tested, strict=True):
        same = tables.pool_results(base["rows"], folder, folds=one["folds"])
        same = [other for other in same if other["folds"] == one["folds"] and change]
        neutral = [other["per_class"]["neutral"]["f1"] for other in (one, *same) if "neutral" in other["per_class"]]
        lines.append(
            {
                "changed": changed_fields(base["spec"], one["spec"]),
                "accuracy % [95 %]": format_score(one, "accuracy"),
                "UAR % [95 %]": format_score(one, "uar"),
                "against the default on the same folds, accuracy points [95 %]": format_difference(change["accuracy"])
                if change
                else "–",
                "p": p,
                "F1 of neutral %": tables.format_percent(neutral[0]) if neutral else "–",
                "default's": tables.format_percent(neutral[1]) if len(neutral) == 2 else "–",
                "folds": format_folds(one),
            }
        )
    return pd.DataFrame(lines)


def _changes(pooled: list[dict], base: dict, folder) -> list[tuple[dict, dict | None]]:
    some = [one for one in pooled if one["status"] == "ok" and one["spec"] != base["spec"]]
    return [(one, paired_difference(base, one, folder)) for one in some]


def ablation_sentence(pooled: list[dict], base: dict | None, folder) -> str:
    """Which single changes are told from the default at 5 %, after Holm over those that can be, in words."""
    found = [(one, change) for one, change in _changes(pooled, base, folder) if change] if base else []
    if not found:
        return "Nothing can be said here about single changes."
    untested = [change["n"] for _, change in found if change["accuracy"]["p"] is None]
    tested = uncertainty.holm([change["accuracy"]["p"] for _, change in found])
    clear = [
        f"{changed_fields(base['spec'], one['spec'])} ({format_difference(change['accuracy'])})"
        for (one, change), p in zip(found, tested, strict=True)
        if p is not None and p <= uncertainty.ALPHA
    ]
    count = len(found) - len(untested)
    changes = f"Of {count} changes" if count > 1 else "Of one change" if count else "Of no change"
    told = f"{changes} tested against the default ({tables.format_setting(base['spec']) or 'as the paper'}), told from it at 5 % "
    told += f"after Holm: {'; '.join(clear) or 'none'}."
    if untested:
        told += f" {len(untested)} more were measured on {tables.format_range(untested)} speakers, too few for a test at 5 %."
    return told


def neutral_sentence(pooled: list[dict], base: dict | None, folder) -> str:
    """What all augmented copies together do to the recall of Neutral (the paper: "significantly" better), or ""."""
    techniques = Spec(corpus=base["spec"]["corpus"]).augment if base else ""
    other = "" if base and base["spec"]["augment"] == techniques else techniques
    alike = base["spec"] | {"augment": other} if base else None
    row = next((one for one in pooled if one["spec"] == alike and one["status"] == "ok"), None)
    folds = sorted(set(base["folds"]) & set(row["folds"])) if row else []
    if not folds or "neutral" not in row["labels"]:
        return ""
    frames = []
    for one in (base, row) if other else (row, base):
        used = [tables.subset_predictions(each, folder) for each in one["rows"] if each["spec"]["fold"] in folds]
        frames.append(pd.concat(used, ignore_index=True).query("truth == 'neutral'"))
    found = uncertainty.paired(*frames, row["labels"])["accuracy"]
    before, after = (tables.format_percent((frame["truth"] == frame["prediction"]).mean()) for frame in frames)
    p = f", p {format_p_value(found['p'])}" if found["p"] is not None else ""
    told = f"With augmented copies the recall of Neutral goes from {before} to {after} % ({format_difference(found)} points{p}"
    return f"{told}; {len(folds)} of {base['folds_total']} folds)."


def changed_fields(base: dict, spec: dict) -> str:
    """The fields in which a spec differs from another: "channels wide, no augmentation"."""
    own = ("fold", "seed", "corpus", "frames", "rate")
    told = [
        tables.format_field(name, value) for name, value in spec.items() if name not in own and base.get(name) != value
    ]
    if spec["corpus"] != base["corpus"]:
        told.insert(0, corpora.corpus_title(spec["corpus"]))
    return ", ".join(told)


def ablation_markdown(pooled: list[dict], folder) -> str:
    """The single changes under ``speaker`` on clean audio, as Markdown, with what follows; "" without any."""
    some = [one for one in pooled if one["spec"]["protocol"] == "speaker" and one["spec"]["condition"] == "clean"]
    base = reference_row(some)
    varied = ablated_rows(some)
    if not varied:
        return ""
    default = f"the default: {tables.format_setting(base['spec']) or 'as the paper'}"
    title = f"**One thing changed about A5, {corpora.corpus_title(base['spec']['corpus'])}, protocol `speaker`** ({default})"
    follows = f"{ablation_sentence(varied, base, folder)} {neutral_sentence(some, base, folder)}".strip()
    return f"{title}\n\n{tables.to_markdown(ablation_table(varied, base, folder))}\n{LEGEND}\n\n{follows}\n"
