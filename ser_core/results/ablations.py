"""The paper's network with one thing changed at a time: paired differences from the default, and those of Neutral."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.claims import paper
from ser_core.experiments.grids import A5
from ser_core.experiments.spec import Spec
from ser_core.metrics import significance
from ser_core.results.comparison import LEGEND, corrected_p_values, is_default_setting, paired_difference
from ser_core.results.formatting import (
    difference_columns,
    fold_columns,
    format_difference,
    format_field,
    format_folds_and_seeds,
    format_p_value,
    format_percent,
    format_range,
    format_score,
    format_setting,
    format_signed,
    format_test,
    is_missing,
    numeric_frame,
    score_columns,
    setting_words,
    text_frame,
    to_markdown,
)
from ser_core.results.pooling import join_predictions, pool_results
from ser_core.results.records import Comparison, PooledResult


@dataclass(frozen=True)
class Variation:
    """One changed setting of the paper's network, and its paired difference from the default."""

    changed: str
    result: PooledResult
    change: Comparison | None  # None where the two share no fold, or other emotions


def reference_row(pooled: list[PooledResult]) -> PooledResult | None:
    """Select the result of the paper's network from which the others differ least; of several, nearest the defaults."""
    some = [one for one in pooled if one.ok and one.spec["model"] == A5]
    some = [one for one in some if paper.paper_corpus(one.spec["corpus"]) == "ravdess"]

    def distance(one: PooledResult) -> tuple[int, int, int]:
        apart = sum(one.spec[name] != other.spec.get(name) for other in some for name in one.spec)
        return apart, len(setting_words(one.spec)), -len(one.folds)

    return min((one for one in some if is_default_setting(one.spec)), key=distance, default=None)


def ablated_rows(pooled: list[PooledResult]) -> list[PooledResult]:
    """Select the results of the paper's network with something changed, RavTess with Calm merged among them."""
    base = reference_row(pooled)
    names = {base.spec["corpus"], "ravtess_calm_merged"} if base else set()
    return [one for one in pooled if one.spec["model"] == A5 and one.spec["corpus"] in names and one is not base]


def variations(pooled: list[PooledResult], base: PooledResult, folder) -> list[Variation]:
    """Compare each changed setting that was measured with the default, on the folds that both have."""
    return [
        Variation(changed_fields(base.spec, one.spec), one, paired_difference(base, one, folder))
        for one in pooled
        if one.ok and one.spec != base.spec
    ]


def ablation_table(pooled: list[PooledResult], base: PooledResult, folder) -> pd.DataFrame:
    """Tabulate the variations of the paper's network: scores, and the paired difference from ``base``.

    Returns
    -------
    DataFrame
        numeric: ``accuracy``, ``uar`` and ``difference`` (of accuracy) with ``_low`` and ``_high``, ``neutral_f1`` and
        ``default_neutral_f1`` (on the same folds; fractions), ``p`` after Holm, ``test_units``, ``folds``,
        ``folds_total``; text: ``changed``, ``test_unit``; ``seeds`` (tuple)
    """
    each = variations(pooled, base, folder)
    rows = []
    for one, p in zip(each, corrected_p_values([one.change for one in each], "accuracy"), strict=True):
        same = pool_results(base.results, folder, folds=one.result.folds) if one.change else []
        same = [other for other in same if other.folds == one.result.folds]
        neutral = [own.per_class["neutral"].f1 for own in (one.result, *same) if "neutral" in own.per_class]
        rows.append(
            {
                "changed": one.changed,
                **score_columns(one.result, "accuracy", "uar"),
                **difference_columns("difference", one.change.accuracy if one.change else None),
                "p": np.nan if p is None else p,
                "test_units": one.change.n if one.change else None,
                "test_unit": one.change.unit if one.change else None,
                "neutral_f1": neutral[0] if neutral else np.nan,
                "default_neutral_f1": neutral[1] if len(neutral) == 2 else np.nan,
                **fold_columns(one.result),
            }
        )
    return numeric_frame(rows, ("test_units", "folds", "folds_total"))


def format_ablation(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`ablation_table` as text."""
    rows = [
        {
            "changed": row.changed,
            "accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high),
            "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
            "difference from the default on the same folds, accuracy points [95 %]": format_signed(
                row.difference, row.difference_low, row.difference_high
            ),
            "p": format_test(row.p, row.test_units if is_missing(row.p) else None, row.test_unit),
            "F1 of neutral %": format_percent(row.neutral_f1),
            "F1 of neutral %, default": format_percent(row.default_neutral_f1),
            "folds": format_folds_and_seeds(row.folds, row.folds_total, row.seeds),
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=set(rows[0]) - {"changed"} if rows else ())


def ablation_sentence(pooled: list[PooledResult], base: PooledResult | None, folder) -> str:
    """Name the single changes that differ significantly from the default at 5 %, after Holm over those tested."""
    each = [(one.changed, one.change) for one in variations(pooled, base, folder) if one.change] if base else []
    if base is None or not each:
        return "No single change was measured."
    untested = [change.n for _, change in each if change.accuracy.p is None]
    tested = corrected_p_values([change for _, change in each], "accuracy")
    clear = [
        f"{changed} ({format_difference(change.accuracy)})"
        for (changed, change), p in zip(each, tested, strict=True)
        if p is not None and p <= significance.ALPHA
    ]
    count = len(each) - len(untested)
    changes = f"Of {count} changes" if count > 1 else "Of one change" if count else "Of no change"
    default = format_setting(base.spec) or "as the paper"
    sentence = f"{changes} tested against the default ({default}), significantly different from it at 5 % "
    sentence += f"after Holm: {'; '.join(clear) or 'none'}."
    if untested:
        sentence += (
            f" {len(untested)} more were measured on {format_range(untested)} speakers, too few for a test at 5 %."
        )
    return sentence


def neutral_sentence(pooled: list[PooledResult], base: PooledResult | None, folder) -> str:
    """Describe what all augmented copies together do to the recall of Neutral, or "".

    The paper says that they make it "significantly" better.
    """
    if base is None:
        return ""
    techniques = Spec(corpus=base.spec["corpus"]).augment
    other = "" if base.spec["augment"] == techniques else techniques
    alike = base.spec | {"augment": other}
    match = next((one for one in pooled if one.spec == alike and one.ok), None)
    folds = sorted(set(base.folds) & set(match.folds)) if match else []
    if match is None or not folds or "neutral" not in match.labels:
        return ""
    frames = []
    for one in (base, match) if other else (match, base):
        used = [result for result in one.results if result.spec["fold"] in folds]
        frames.append(join_predictions(used, folder).query("truth == 'neutral'"))
    change = significance.paired(frames[0], frames[1], match.labels).accuracy
    before, after = (format_percent((frame["truth"] == frame["prediction"]).mean()) for frame in frames)
    p = f", p {format_p_value(change.p)}" if change.p is not None else ""
    return (
        f"With augmented copies the recall of Neutral goes from {before} to {after} % ({format_difference(change)} "
        f"points{p}; {len(folds)} of {base.folds_total} folds)."
    )


def changed_fields(base: dict, spec: dict) -> str:
    """Describe the fields in which a spec differs from another: "features wide, no augmentation"."""
    own = ("fold", "seed", "corpus", "frames", "rate")
    words = [format_field(name, value) for name, value in spec.items() if name not in own and base.get(name) != value]
    if spec["corpus"] != base["corpus"]:
        words.insert(0, corpora.corpus_title(spec["corpus"]))
    return ", ".join(words)


def ablation_markdown(pooled: list[PooledResult], folder) -> str:
    """Format the single changes under ``speaker`` on clean audio as Markdown, with the result; "" without any."""
    some = [one for one in pooled if one.spec["protocol"] == "speaker" and one.spec["condition"] == "clean"]
    base = reference_row(some)
    varied = ablated_rows(some)
    if base is None or not varied:
        return ""
    default = f"default: {format_setting(base.spec) or 'as the paper'}"
    corpus = corpora.corpus_title(base.spec["corpus"])
    title = f"**Single changes to A5, {corpus}, protocol `speaker`** ({default})"
    sentences = f"{ablation_sentence(varied, base, folder)} {neutral_sentence(some, base, folder)}".strip()
    text = to_markdown(format_ablation(ablation_table(varied, base, folder)))
    return f"{title}\n\n{text}\n{LEGEND}\n\n{sentences}\n"
