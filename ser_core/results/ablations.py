"""Single changes to the paper's network: paired differences from the default, and the recall of Neutral."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.claims import paper
from ser_core.experiments.grids import A5
from ser_core.experiments.spec import Spec
from ser_core.metrics import significance
from ser_core.results import pool_cache
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
    """A changed setting of the paper's network, and its paired difference from the default."""

    changed: str
    result: PooledResult
    change: Comparison | None  # None where the two share no fold or have different emotions


def reference_row(pooled: list[PooledResult]) -> PooledResult | None:
    """Select the default: the result of the paper's network from which the others differ least."""
    candidates = [result for result in pooled if result.ok and result.spec["model"] == A5]
    candidates = [result for result in candidates if paper.paper_corpus(result.spec["corpus"]) == "ravdess"]

    def distance(result: PooledResult) -> tuple[int, int, int]:
        apart = sum(result.spec[name] != other.spec.get(name) for other in candidates for name in result.spec)
        return apart, len(setting_words(result.spec)), -len(result.folds)

    return min((result for result in candidates if is_default_setting(result.spec)), key=distance, default=None)


def ablated_rows(pooled: list[PooledResult]) -> list[PooledResult]:
    """Select the results of the paper's network with a changed setting, including RavTess with Calm merged."""
    base = reference_row(pooled)
    names = {base.spec["corpus"], "ravtess_calm_merged"} if base else set()
    return [
        result
        for result in pooled
        if result.spec["model"] == A5 and result.spec["corpus"] in names and result is not base
    ]


def variations(pooled: list[PooledResult], base: PooledResult, folder) -> list[Variation]:
    """Compare each changed setting that was measured with the default, on the folds that both have."""
    return [
        Variation(changed_fields(base.spec, result.spec), result, paired_difference(base, result, folder))
        for result in pooled
        if result.ok and result.spec != base.spec
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
    varied = variations(pooled, base, folder)
    rows = []
    for variation, p in zip(
        varied, corrected_p_values([variation.change for variation in varied], "accuracy"), strict=True
    ):
        same = pool_results(base.results, folder, folds=variation.result.folds) if variation.change else []
        same = [other for other in same if other.folds == variation.result.folds]
        neutral = [own.per_class["neutral"].f1 for own in (variation.result, *same) if "neutral" in own.per_class]
        rows.append(
            {
                "changed": variation.changed,
                **score_columns(variation.result, "accuracy", "uar"),
                **difference_columns("difference", variation.change.accuracy if variation.change else None),
                "p": np.nan if p is None else p,
                "test_units": variation.change.n if variation.change else None,
                "test_unit": variation.change.unit if variation.change else None,
                "neutral_f1": neutral[0] if neutral else np.nan,
                "default_neutral_f1": neutral[1] if len(neutral) == 2 else np.nan,
                **fold_columns(variation.result),
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
    each = (
        [(variation.changed, variation.change) for variation in variations(pooled, base, folder) if variation.change]
        if base
        else []
    )
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
    """Describe the effect of all augmented copies on the recall of Neutral, or "".

    The paper claims a "significant" improvement.
    """
    if base is None:
        return ""
    techniques = Spec(corpus=base.spec["corpus"]).augment
    other = "" if base.spec["augment"] == techniques else techniques
    alike = base.spec | {"augment": other}
    match = next((result for result in pooled if result.spec == alike and result.ok), None)
    folds = sorted(set(base.folds) & set(match.folds)) if match else []
    if match is None or not folds or "neutral" not in match.labels:
        return ""
    frames = []
    for result in (base, match) if other else (match, base):
        used = [run for run in result.results if run.spec["fold"] in folds]
        frames.append(join_predictions(used, folder).query("truth == 'neutral'"))
    change = pool_cache.paired(frames[0], frames[1], match.labels).accuracy
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
    clean = [
        result for result in pooled if result.spec["protocol"] == "speaker" and result.spec["condition"] == "clean"
    ]
    base = reference_row(clean)
    varied = ablated_rows(clean)
    if base is None or not varied:
        return ""
    default = f"default: {format_setting(base.spec) or 'as the paper'}"
    corpus = corpora.corpus_title(base.spec["corpus"])
    title = f"**Single changes to A5, {corpus}, protocol `speaker`** ({default})"
    sentences = f"{ablation_sentence(varied, base, folder)} {neutral_sentence(clean, base, folder)}".strip()
    text = to_markdown(format_ablation(ablation_table(varied, base, folder)))
    return f"{title}\n\n{text}\n{LEGEND}\n\n{sentences}\n"
