"""The paper's network with one thing changed at a time: paired differences from the default, and of Neutral."""

import pandas as pd

from ser_core import paper, statistics, tables
from ser_core.comparison import LEGEND, corrected, difference, folds_told, scored, usual
from ser_core.matrix import A5
from ser_core.spec import Spec
from ser_core.tables import probability, signed


def default_of(pooled: list[dict]) -> dict | None:
    """The row of the paper's network from which the others differ least; of several, that nearest the defaults."""
    rows = [one for one in pooled if one["status"] == "ok" and one["spec"]["model"] == A5]
    rows = [one for one in rows if paper.corpus_of(one["spec"]["corpus"]) == "ravdess"]

    def distance(one: dict) -> tuple[int, int, int]:
        apart = sum(one["spec"][name] != other["spec"].get(name) for other in rows for name in one["spec"])
        return apart, len(tables.setting(one["spec"])), -len(one["folds"])

    return min((one for one in rows if usual(one["spec"])), key=distance, default=None)


def of(pooled: list[dict]) -> list[dict]:
    """The rows of the paper's network with something changed, RavTess with Calm merged among them."""
    base = default_of(pooled)
    corpora = {base["spec"]["corpus"], "ravtess_calm_merged"} if base else set()
    return [
        one for one in pooled if one["spec"]["model"] == A5 and one["spec"]["corpus"] in corpora and one is not base
    ]


def table(pooled: list[dict], base: dict, folder) -> pd.DataFrame:
    """One line a variation of the paper's network: its score, and the paired difference from ``base``."""
    found = _changes(pooled, base, folder)
    tested = corrected([change for _, change in found], "accuracy")
    lines = []
    for (one, change), p in zip(found, tested, strict=True):
        same = tables.pool(base["rows"], folder, folds=one["folds"])
        same = [other for other in same if other["folds"] == one["folds"] and change]
        neutral = [other["per_class"]["neutral"]["f1"] for other in (one, *same) if "neutral" in other["per_class"]]
        lines.append(
            {
                "changed": changed(base["spec"], one["spec"]),
                "accuracy % [95 %]": scored(one, "accuracy"),
                "UAR % [95 %]": scored(one, "uar"),
                "against the default on the same folds, accuracy points [95 %]": signed(change["accuracy"])
                if change
                else "–",
                "p": p,
                "F1 of neutral %": tables.percent(neutral[0]) if neutral else "–",
                "default's": tables.percent(neutral[1]) if len(neutral) == 2 else "–",
                "folds": folds_told(one),
            }
        )
    return pd.DataFrame(lines)


def _changes(pooled: list[dict], base: dict, folder) -> list[tuple[dict, dict | None]]:
    some = [one for one in pooled if one["status"] == "ok" and one["spec"] != base["spec"]]
    return [(one, difference(base, one, folder)) for one in some]


def conclusion(pooled: list[dict], base: dict | None, folder) -> str:
    """Which single changes are told from the default at 5 %, after Holm over those that can be, in words."""
    found = [(one, change) for one, change in _changes(pooled, base, folder) if change] if base else []
    if not found:
        return "Nothing can be said here about single changes."
    untested = [change["n"] for _, change in found if change["accuracy"]["p"] is None]
    tested = statistics.holm([change["accuracy"]["p"] for _, change in found])
    clear = [
        f"{changed(base['spec'], one['spec'])} ({signed(change['accuracy'])})"
        for (one, change), p in zip(found, tested, strict=True)
        if p is not None and p <= statistics.ALPHA
    ]
    count = len(found) - len(untested)
    changes = f"Of {count} changes" if count > 1 else "Of one change" if count else "Of no change"
    told = (
        f"{changes} tested against the default ({tables.setting(base['spec']) or 'as the paper'}), told from it at 5 % "
    )
    told += f"after Holm: {'; '.join(clear) or 'none'}."
    if untested:
        told += f" {len(untested)} more were measured on {tables.span(untested)} speakers, too few for a test at 5 %."
    return told


def neutral_conclusion(pooled: list[dict], base: dict | None, folder) -> str:
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
        used = [tables.predictions(each, folder) for each in one["rows"] if each["spec"]["fold"] in folds]
        frames.append(pd.concat(used, ignore_index=True).query("truth == 'neutral'"))
    found = statistics.paired(*frames, row["labels"])["accuracy"]
    before, after = (tables.percent((frame["truth"] == frame["prediction"]).mean()) for frame in frames)
    p = f", p {probability(found['p'])}" if found["p"] is not None else ""
    told = f"With augmented copies the recall of Neutral goes from {before} to {after} % ({signed(found)} points{p}"
    return f"{told}; {len(folds)} of {base['folds_total']} folds)."


def changed(base: dict, spec: dict) -> str:
    """The fields in which a spec differs from another: "channels wide, no augmentation"."""
    own = ("fold", "seed", "corpus", "frames", "rate")
    told = [tables.field(name, value) for name, value in spec.items() if name not in own and base.get(name) != value]
    if spec["corpus"] != base["corpus"]:
        told.insert(0, tables.corpus_title(spec["corpus"]))
    return ", ".join(told)


def markdown(pooled: list[dict], folder) -> str:
    """The single changes under ``speaker`` on clean audio, as Markdown, with what follows; "" without any."""
    some = [one for one in pooled if one["spec"]["protocol"] == "speaker" and one["spec"]["condition"] == "clean"]
    base = default_of(some)
    varied = of(some)
    if not varied:
        return ""
    default = f"the default: {tables.setting(base['spec']) or 'as the paper'}"
    title = (
        f"**One thing changed about A5, {tables.corpus_title(base['spec']['corpus'])}, protocol `speaker`** ({default})"
    )
    follows = f"{conclusion(varied, base, folder)} {neutral_conclusion(some, base, folder)}".strip()
    return f"{title}\n\n{tables.to_markdown(table(varied, base, folder))}\n{LEGEND}\n\n{follows}\n"
