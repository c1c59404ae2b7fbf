"""Compare systems: paired differences, and the numeric table of systems behind Tables II and IV.

A result with fewer folds than another is not ranked against it. Its row also has the score of the paper's network on
the same folds. Differences are tested by sign-flip over speakers, and the tests of a table are corrected together
(Holm).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ser_core import corpora, models
from ser_core._utils.content_cache import remember
from ser_core._utils.errors import SerError, SerWarning
from ser_core._utils.words import near
from ser_core.experiments.grids import A5, TABLES
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import Spec
from ser_core.metrics import significance
from ser_core.protocols import splits
from ser_core.results import pool_cache
from ser_core.results.formatting import (
    ALIKE,
    DASH,
    fold_columns,
    format_difference,
    format_folds_and_seeds,
    format_percent,
    format_score,
    format_setting,
    format_test,
    format_weights,
    frozen_weights,
    is_missing,
    numeric_frame,
    score_columns,
    setting_words,
    settings_words,
    system_title,
    text_frame,
)
from ser_core.results.pooling import check_one_protocol, join_predictions, pool_results
from ser_core.results.records import Comparison, PooledResult, Results

LEGEND = (
    "*p: sign-flip test over speakers on the same test utterances, corrected over the tests of the table (Holm). "
    f"{ALIKE}: not significant at 5 %. Fewer than six speakers are not tested, as no difference could be significant. "
    "Each interval is of one score alone.*"
)
EARLY_EPOCHS = 2
"""Below or at this number of epochs a kept network has learnt little."""
AGAINST = "against A5 (UAR), p"
CUT = {"augment", "precision", "epochs", "batch_norm"}
"""Fields of the training effort, in which a result may differ from the defaults and still represent its system."""


def paired_difference(first: PooledResult, second: PooledResult, folder) -> Comparison | None:
    """Compare two pooled results on the folds that both have; None where they share none, or no utterances.

    Parameters
    ----------
    first, second : PooledResult
        the difference is the second minus the first
    folder : path
        of their predictions
    """
    folds = tuple(sorted(set(first.folds) & set(second.folds)))
    if not folds or first.labels != second.labels:
        return None
    runs = [[run for run in result.results if run.spec["fold"] in folds] for result in (first, second)]
    key = pool_cache.key_of("paired", [*runs[0], *runs[1]], folder, len(runs[0]))
    try:
        differences = remember(
            pool_cache.KIND,
            key,
            lambda: significance.paired(
                join_predictions(runs[0], folder), join_predictions(runs[1], folder), first.labels
            ),
            significance.PairedDifferences.to_json,
            significance.PairedDifferences.from_json,
        )
    except ValueError as error:  # predictions of other utterances or speakers, in a damaged store
        names = ", ".join(run.hash for side in runs for run in side)
        warnings.warn(f"not compared: {' '.join(str(error).split())} ({names})", SerWarning, stacklevel=2)
        return None
    spec = second.spec
    return Comparison(
        first=first.spec["model"],
        second=spec["model"],
        corpus=spec["corpus"],
        test_corpus=spec.get("test_corpus"),
        protocol=spec["protocol"],
        folds=folds,
        differences=differences,
        first_setting=format_setting(first.spec) or "default",
        second_setting=format_setting(spec) or "default",
    )


def compare(
    results: Results, first: str, second: str, *, corpus: str | None = None, protocol: str = "speaker"
) -> Comparison:
    """Compare two systems on the same test utterances.

    Of several settings of a system those are compared that share most folds, then those that differ least from each
    other and from the defaults. The result names both settings, and how many other pairs there were.

    Parameters
    ----------
    results : Results
    first, second : str
        names of systems; the difference is the second minus the first
    corpus : str, optional
        by default the first corpus on which both were measured
    protocol : str, default "speaker"

    Raises
    ------
    SerError
        for a system without results there, or two that share no fold
    """
    protocol = splits.canonical_protocol(protocol)
    clean = [run for run in results.select(protocol=protocol, condition="clean") if run.ok]
    if corpus is not None:
        corpus = corpora.canonical_name(corpus)
        clean = [run for run in clean if run.spec["corpus"] == corpus]
    where = f"{corpus or 'any corpus'}, protocol {protocol}"
    for name in (first, second):
        if not any(run.spec["model"] == name for run in clean):
            known = sorted({run.spec["model"] for run in clean})
            titles = {key: model.title for key, model in models.MODELS.items()}
            raise SerError(
                f"system {name}: no results on {where}{near(name, known, titles)}; "
                f"systems with results: {', '.join(known) or 'none'}"
            )
    pooled = pool_results([run for run in clean if run.spec["model"] in (first, second)], results.folder)
    pairs = _comparable_pairs(pooled, first, second)
    comparison = paired_difference(*min(pairs, key=_dissimilarity), results.folder) if pairs else None
    if comparison is None:
        raise SerError(f"{first} and {second}: share no fold on {where}; run both on the same folds")
    return replace(comparison, passed_over=len(pairs) - 1)


def _comparable_pairs(pooled: list[PooledResult], first: str, second: str) -> list[tuple[PooledResult, PooledResult]]:
    """List the pairs of results of two systems on the first corpus (and test corpus) that both were measured on."""

    def by_corpora(name: str) -> dict[tuple[str, str | None], list[PooledResult]]:
        groups: dict[tuple[str, str | None], list[PooledResult]] = {}
        for result in pooled:
            if result.spec["model"] == name:
                groups.setdefault((result.spec["corpus"], result.spec["test_corpus"]), []).append(result)
        return groups

    before, after = by_corpora(first), by_corpora(second)
    shared = next((place for place in before if place in after), None)
    return [] if shared is None else [(left, right) for left in before[shared] for right in after[shared]]


def _dissimilarity(pair: tuple[PooledResult, PooledResult]) -> tuple[int, int, int]:
    """Rank a pair: most shared folds first, then the most similar settings, then those closest to the defaults."""
    shared = len(set(pair[0].folds) & set(pair[1].folds))
    left, right = (set(setting_words(result.spec)) for result in pair)
    return -shared, len(left ^ right), len(left | right)


def corrected_p_values(changes: Sequence[Comparison | None], score: str) -> list[float | None]:
    """Correct the p values of the paired differences of a table by Holm's method; None where untested."""
    return significance.holm([change.get(score).p if change else None for change in changes])


def systems_table(pooled: list[PooledResult], folder) -> pd.DataFrame:
    """Tabulate systems: one row per pooled result, those with most folds first, then by UAR.

    Parameters
    ----------
    pooled : list of PooledResult
        of one corpus and protocol
    folder : path
        of their predictions

    Returns
    -------
    DataFrame
        numeric: ``claimed``, ``accuracy`` and ``uar`` with ``_low`` and ``_high``, ``reference_uar`` (A5 on the same
        folds; fractions), ``p`` (against A5, after Holm), ``parameters``, ``frozen`` (of an encoder),
        ``claimed_parameters``, ``minutes`` per fold, ``folds``, ``folds_total``, ``units`` of the result,
        ``test_units`` of the paired test; text: ``system``, ``fidelity``, ``setting``, ``status`` (``ok``, ``failed``
        or ``not measured here``), ``test_unit``; ``seeds``
    """
    check_one_protocol(pooled)
    pooled = sort_rows(pooled)
    changes = [_against(result, pooled, folder) if result.ok else None for result in pooled]
    rows = []
    settings = settings_words([result.spec for result in pooled])
    corrected = corrected_p_values(changes, "uar")
    for result, setting, change, p in zip(pooled, settings, changes, corrected, strict=True):
        model = models.MODELS.get(result.spec["model"])
        minutes = [run.seconds["training"] / 60 for run in result.results]
        row: dict[str, Any] = {
            "system": system_title(result.spec["model"]),
            "fidelity": model.fidelity if model else "own",
            "setting": ", ".join(setting) or "default",
            "status": "ok" if result.ok else "not measured here" if result.unavailable else "failed",
            "claimed": np.nan if result.claimed_accuracy is None else result.claimed_accuracy,
            **score_columns(result, "accuracy", "uar"),
            "units": result.intervals.n if result.intervals else 0,
            "reference_uar": _reference(result, pooled, folder) if result.ok else np.nan,
            "p": np.nan if p is None else p,
            "test_units": change.n if change else None,
            "test_unit": change.unit if change else None,
            "parameters": result.parameters,
            "frozen": frozen_weights(result.spec["model"]),
            "claimed_parameters": model.claimed if model else None,
            "minutes": sum(minutes) / len(minutes) if minutes else np.nan,
        }
        rows.append(row | fold_columns(result))
    return numeric_frame(
        rows, ("units", "test_units", "parameters", "frozen", "claimed_parameters", "folds", "folds_total")
    )


def format_systems(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`systems_table` as text, without columns that have no information."""
    rows = []
    for row in table.itertuples():
        ok = row.status == "ok"
        few = not is_missing(row.test_units) and (is_missing(row.p) or row.test_units < row.units)
        rows.append(
            {
                "system": row.system,
                "fidelity to source": row.fidelity,
                "setting": row.setting,
                "paper: accuracy %": format_percent(row.claimed, 2),
                "ours: accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high)
                if ok
                else row.status,
                "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
                "A5 on these folds: UAR %": format_percent(row.reference_uar),
                AGAINST: format_test(row.p, row.test_units if few else None, row.test_unit),
                "parameters": format_weights(row.parameters, row.frozen),
                "claimed parameters": format_weights(row.claimed_parameters),
                "minutes per fold": _format_minutes(row.minutes),
                "folds": format_folds_and_seeds(row.folds, row.folds_total, row.seeds) if ok else DASH,
            }
        )
    hidden = {
        "setting": (table["setting"] == "default").all(),
        "claimed parameters": not (table["claimed_parameters"].fillna(0) > 0).any(),
        "A5 on these folds: UAR %": table["reference_uar"].isna().all(),
        AGAINST: table["p"].isna().all() and table["test_units"].isna().all(),
    }
    rows = [{name: value for name, value in row.items() if not hidden.get(name, False)} for row in rows]
    return text_frame(rows, right=set(rows[0]) - {"system", "fidelity to source", "setting"} if rows else ())


def _format_minutes(mean: float) -> str:
    return DASH if is_missing(mean) else "<0.1" if mean < 0.1 else f"{mean:.1f}"


def sort_rows(pooled: list[PooledResult]) -> list[PooledResult]:
    """Sort pooled results: most folds first, then by UAR."""
    return sorted(pooled, key=lambda result: (-len(result.folds), -result.scores.get("uar", 0.0)))


def significant_differences(pooled: list[PooledResult], folder) -> list[str]:
    """Name the systems whose UAR differs significantly from the paper's network at 5 %, after Holm.

    Each has its difference in points: "SVM, ComParE +11.8 [+6.3, +17.4]".
    """
    good = [result for result in pooled if result.ok]
    changes = [_against(result, good, folder) for result in good]
    return [
        f"{name} {format_difference(change.uar)}"
        for name, change, p in zip(system_names(good), changes, corrected_p_values(changes, "uar"), strict=True)
        if change is not None and p is not None and p <= significance.ALPHA
    ]


def system_names(pooled: list[PooledResult]) -> list[str]:
    """Name the system of each result, with its setting where a system has several: "CNN-LSTM (epochs 40)"."""
    titles = [system_title(result.spec["model"]) for result in pooled]
    settings = [set(setting_words(result.spec)) for result in pooled]
    names = []
    for title, own in zip(titles, settings, strict=True):
        alike = [other for other, name in zip(settings, titles, strict=True) if name == title]
        apart = sorted(own - alike[0].intersection(*alike))
        names.append(f"{title} ({', '.join(apart)})" if apart else title)
    return names


def early_stopped_sentence(pooled: list[PooledResult]) -> str:
    """Name the networks whose kept epoch is among the first :data:`EARLY_EPOCHS`, in one sentence, or ""."""
    systems = []
    for result, name in zip(pooled, system_names(pooled), strict=True):
        folds = []
        for run in result.results:
            if run.best_epoch and run.best_epoch <= EARLY_EPOCHS < (run.epochs or 0):
                seed = f", seed {run.spec['seed']}" if len(result.seeds) > 1 else ""
                rise = _rise(run.history.get("val_accuracy"), run.best_epoch)
                folds.append(f"fold {run.spec['fold']}{seed}: epoch {run.best_epoch} of {run.epochs}{rise}")
        if folds:
            systems.append(f"{name} ({'; '.join(folds)})")
    if not systems:
        return ""
    return (
        f"The epoch with the lowest validation loss is kept. It is one of the first {EARLY_EPOCHS} for: "
        f"{', '.join(systems)}."
    )


def unmeasured_sentence(pooled: list[PooledResult], table: str) -> str:
    """Name the systems of a table of the paper that have no result, in one sentence, or ""."""
    measured = {result.spec["model"] for result in pooled}
    missing = [system_title(name) for name in TABLES[table][1] if name not in measured]
    return f"Not measured yet: {', '.join(missing)}." if missing else ""


def _rise(accuracy: list[float] | None, best_epoch: int) -> str:
    """Describe the validation accuracy at the kept epoch, and its maximum; "" if unknown."""
    if not accuracy:
        return ""
    at_best, highest = format_percent(accuracy[best_epoch - 1]), format_percent(max(accuracy))
    return f", validation accuracy {at_best} %, maximum {highest} %"


def describe_score(result: PooledResult, score: str) -> str:
    """Format a score of a pooled result with its interval: "42.7 [38.0, 47.4]", with no-break spaces."""
    return format_score(*score_columns(result, score).values())


def _a5_results(result: PooledResult, pooled: list[PooledResult]) -> list[RunResult]:
    """Select the results of the paper's network with the same augmentation as another system's."""
    if result.spec["model"] == A5:
        return []
    return [
        run
        for other in pooled
        if other.spec["model"] == A5 and other.spec["augment"] == result.spec["augment"]
        for run in other.results
        if is_default_setting(other.spec)
    ]


def _reference(result: PooledResult, pooled: list[PooledResult], folder) -> float:
    """Return the UAR of the paper's network with the same augmentation on the folds of another result, or NaN."""
    alike = pool_results(_a5_results(result, pooled), folder, folds=result.folds)
    return next((other.scores["uar"] for other in alike if other.folds == result.folds), np.nan)


def _against(result: PooledResult, pooled: list[PooledResult], folder) -> Comparison | None:
    """Compare a system with the paper's network on shared folds; None without any."""
    alike = pool_results(_a5_results(result, pooled), folder, folds=result.folds)
    return paired_difference(max(alike, key=lambda other: len(other.folds)), result, folder) if alike else None


def is_default_setting(spec: dict) -> bool:
    """Return whether a spec has the default setting, apart from :data:`CUT`, with all augmented copies or none."""
    default = Spec(corpus=spec["corpus"], model=spec["model"])
    if spec["augment"] not in ("", default.augment):
        return False
    own = {"corpus", "protocol", "test_corpus", "fold", "seed", "model"}
    if spec["features"] == "mel_small":
        own |= {"features", "frames", "rate"}
    return {name for name, value in spec.items() if name not in own and value != getattr(default, name)} <= CUT
