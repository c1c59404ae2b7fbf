"""Pool the folds and average the seeds of results whose specs are otherwise equal."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_core import metrics
from ser_core._utils.content_cache import remember
from ser_core._utils.errors import SerError, SerWarning
from ser_core.claims import paper
from ser_core.corpora import CORPORA, load, manifest
from ser_core.experiments.result import ERROR, Completeness, RunResult
from ser_core.experiments.store import claimed, load_predictions
from ser_core.metrics import uncertainty
from ser_core.metrics.uncertainty import Scored
from ser_core.protocols import splits
from ser_core.results import pool_cache
from ser_core.results.records import PooledResult


def pool_results(
    results: Iterable[RunResult], folder: str | Path, *, folds: Iterable[int] | None = None
) -> list[PooledResult]:
    """Pool the folds and average the seeds of results whose specs differ only in fold and seed.

    Scores are computed on the test utterances of all folds together, per seed, and then averaged over the seeds. A
    seed with fewer folds than the most complete seed is left out, and listed in ``seeds_left_out``.

    Parameters
    ----------
    results : iterable of RunResult
        of any specs; failed ones are counted and left out
    folder : path
        where the predictions (``<hash>.parquet``) are
    folds : iterable of int, optional
        only these folds, for a comparison with results on them

    Returns
    -------
    list of PooledResult
        one per spec, in the order of first appearance
    """
    groups: dict[str, list[RunResult]] = {}
    for run in results:
        if folds is None or run.spec["fold"] in folds:
            groups.setdefault(json.dumps(run.setting, sort_keys=True), []).append(run)
    return [_pooled(json.loads(key), group, Path(folder)) for key, group in groups.items()]


def _pooled(spec: dict, group: list[RunResult], folder: Path) -> PooledResult:
    good = [run for run in group if run.ok]
    failed = [run for run in group if not run.ok]
    common: dict[str, Any] = {
        "spec": spec,
        "errors": tuple(run.error or "" for run in failed),
        "unavailable": any(run.unavailable for run in failed),
        "folds_total": folds_total(spec["corpus"], spec["protocol"]),
        "claimed": claimed(spec),
    }
    if not good:
        return PooledResult(status="error", **common)
    used, folds, seeds, left_out = _complete_seeds(good)
    try:
        key = pool_cache.key_of("pooled", used.values(), folder, spec, folds, seeds)
        scored = remember(
            pool_cache.KIND,
            key,
            lambda: _pool_runs(spec, used, folds, seeds, folder),
            PooledResult.to_json,
            PooledResult.from_json,
        )
    except SerError:
        readable = _with_predictions(good, folder)
        if all(run.ok for run in readable):
            raise
        return _pooled(spec, [*failed, *readable], folder)
    return replace(scored, **common, seeds_left_out=left_out, results=tuple(used.values()))


def _with_predictions(good: list[RunResult], folder: Path) -> list[RunResult]:
    """Return results whose predictions can be read; the others are named, and become failed results."""
    checked = []
    for run in good:
        try:
            _check_predictions(run, subset_predictions(run, folder), good[0])
            checked.append(run)
        except SerError as error:
            warnings.warn(f"{error}; passed over", SerWarning, stacklevel=2)
            checked.append(replace(run, status=ERROR, error=str(error)))
    return checked


def _check_predictions(run: RunResult, frame: pd.DataFrame, first: RunResult) -> None:
    if frame.empty or len(frame) != run.n_test or run.labels != first.labels:
        raise SerError(f"{run.hash}: its predictions are not those of its row, or its labels are not {first.hash}'s")


def _pool_runs(
    spec: dict, used: dict[tuple[int, int], RunResult], folds: tuple[int, ...], seeds: tuple[int, ...], folder: Path
) -> PooledResult:
    """Score the test utterances of all folds together, averaged over the seeds."""
    results = tuple(used.values())
    labels = results[0].labels
    tested = {place: subset_predictions(run, folder) for place, run in used.items()}
    for place, run in used.items():
        _check_predictions(run, tested[place], results[0])
    frames = [pd.concat([tested[seed, fold] for fold in folds], ignore_index=True) for seed in seeds]
    whole = _score(frames, labels)
    everything = pd.concat(frames, ignore_index=True)
    answers = everything["truth"], everything["prediction"], labels
    times = len(seeds) * (len(folds) if spec["protocol"] == "cross" else 1)  # each fold tests the whole other corpus
    return PooledResult(
        spec=spec,
        status="ok",
        folds=folds,
        seeds=seeds,
        labels=labels,
        n_test=whole.n_test,
        scores=whole.scores,
        intervals=whole.intervals,
        spread=whole.spread,
        per_class={
            label: metrics.ClassScores(own.precision, own.recall, own.f1, round(own.support / times))
            for label, own in metrics.per_class(*answers).items()
        },
        confusion=metrics.confusion(*answers).tolist(),
        parts=_by_corpus(frames, labels),
        by_copy=_by_copy(frames, labels),
        calm_is_neutral=_calm_is_neutral(frames, labels) if _as_listeners(spec, labels) else None,
        parameters=results[0].parameters,
        completeness=_completeness(results),
    )


def _complete_seeds(
    good: list[RunResult],
) -> tuple[dict[tuple[int, int], RunResult], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Choose the largest set of folds that a seed has: results by (seed, fold), folds, seeds, seeds left out."""
    by_seed: dict[int, dict[int, RunResult]] = {}
    for run in good:
        by_seed.setdefault(run.spec["seed"], {})[run.spec["fold"]] = run
    sets = Counter(frozenset(own) for own in by_seed.values())
    largest = max(sets, key=lambda fold_set: (len(fold_set), sets[fold_set], sorted(fold_set)))
    folds, seeds = tuple(sorted(largest)), tuple(sorted(seed for seed, own in by_seed.items() if largest <= set(own)))
    used = {(seed, fold): by_seed[seed][fold] for seed in seeds for fold in folds}
    return used, folds, seeds, tuple(sorted(set(by_seed) - set(seeds)))


def _score(frames: list[pd.DataFrame], labels: Sequence[str]) -> Scored:
    """Average the scores over seeds (one frame each), with intervals over the units of all frames together."""
    each = [metrics.scores(frame["truth"], frame["prediction"], labels) for frame in frames]
    return Scored(
        n_test=count_utterances(frames[0]),
        scores={name: float(np.mean([scores[name] for scores in each])) for name in each[0]},
        intervals=uncertainty.intervals(pd.concat(frames, ignore_index=True), labels),
        spread=uncertainty.spread(frames, labels),
        per_class={},
        confusion=[],
    )


def _as_listeners(spec: dict, labels: Sequence[str]) -> bool:
    """Return whether listeners took the same test: clean RAVDESS recordings, all eight emotions."""
    tested = spec.get("test_corpus") or spec["corpus"], spec.get("condition", "clean"), len(labels)
    return tested == (paper.LISTENERS["corpus"], "clean", paper.LISTENERS["classes"])


def _by_corpus(frames: list[pd.DataFrame], labels: Sequence[str]) -> dict[str, Scored]:
    """Score each source of a composed corpus; empty for a corpus with one source."""
    names = sorted(set().union(*(frame["corpus"] for frame in frames)))
    if len(names) < 2:
        return {}
    return {name: _score([frame[frame["corpus"] == name] for frame in frames], labels) for name in names}


def _by_copy(frames: list[pd.DataFrame], labels: Sequence[str]) -> dict[str, Scored]:
    """Score original and augmented test clips under ``leaky``; empty under other protocols."""
    if any("copy" not in frame for frame in frames):
        return {}
    original = [frame["copy"] == "" for frame in frames]
    return {
        "original": _score([frame[own] for frame, own in zip(frames, original, strict=True)], labels),
        "augmented": _score([frame[~own] for frame, own in zip(frames, original, strict=True)], labels),
    }


def _calm_is_neutral(frames: list[pd.DataFrame], labels: Sequence[str]) -> Scored:
    return _score([merge_calm(frame) for frame in frames], [label for label in labels if label != "calm"])


def merge_calm(frame: pd.DataFrame) -> pd.DataFrame:
    """Count calm as neutral, in truth and prediction."""
    return frame.assign(**{side: frame[side].replace("calm", "neutral") for side in ("truth", "prediction")})


def count_utterances(frame: pd.DataFrame) -> int:
    """Count the distinct utterances of predictions, however many folds test each."""
    return int(frame[["corpus", "id"]].drop_duplicates().shape[0])


def folds_total(corpus: str, protocol: str) -> int | None:
    """Count the folds of a protocol on a corpus; None where its file list and recordings are missing."""
    try:
        return _listed_folds(corpus, protocol) if corpus in CORPORA else splits.fold_count(load(corpus), protocol)
    except SerError:
        return None


@lru_cache(maxsize=256)
def _listed_folds(corpus: str, protocol: str) -> int:
    """Count the folds of a protocol on a corpus with a published file list, which never changes."""
    return splits.fold_count(_listing(corpus), protocol)


@lru_cache(maxsize=16)
def _listing(corpus: str) -> pd.DataFrame:
    """Load the published file list of a corpus once."""
    return manifest(corpus)


def _completeness(results: Sequence[RunResult]) -> Completeness:
    known = [run.completeness for run in results if run.completeness]
    if not known:
        return Completeness()
    missing = sorted({name for completeness in known for name in completeness.missing})
    return Completeness(known[0].expected, known[0].found, tuple(missing))


def subset_predictions(result: RunResult, folder: str | Path, side: str = "test") -> pd.DataFrame:
    """Load the predictions of one subset, ``test`` or ``validation``, of one result.

    Parameters
    ----------
    result : RunResult
    folder : path
        where its predictions are
    side : str, default "test"
        ``test`` or ``validation``

    Returns
    -------
    DataFrame
        one row per utterance: the columns of the Parquet file, and ``prediction``, the most probable label
    """
    frame = load_predictions(result, Path(folder))
    return frame[frame["side"] == side].reset_index(drop=True)


def join_predictions(results: Iterable[RunResult], folder: str | Path) -> pd.DataFrame:
    """Load and concatenate the test predictions of several results."""
    return pd.concat([subset_predictions(run, folder) for run in results], ignore_index=True)


def select_clean(pooled: list[PooledResult]) -> list[PooledResult]:
    """Select the results on clean recordings; other conditions have separate tables."""
    return [result for result in pooled if result.spec.get("condition", "clean") == "clean"]


def by_protocol(pooled: list[PooledResult]) -> dict[str, list[PooledResult]]:
    """Group pooled results by protocol, in the order of ``splits.PROTOCOLS`` (``speaker`` first)."""
    groups: dict[str, list[PooledResult]] = {name: [] for name in splits.PROTOCOLS}
    for result in pooled:
        groups.setdefault(result.spec["protocol"], []).append(result)
    return {name: group for name, group in groups.items() if group}


def check_one_protocol(pooled: list[PooledResult]) -> None:
    """Check that all results have the same protocol, as scores of several protocols are not comparable.

    Raises
    ------
    SerError
        for pooled results of several protocols
    """
    protocols = sorted(by_protocol(pooled))
    if len(protocols) > 1:
        raise SerError(f"a table cannot mix the protocols {', '.join(protocols)}: make one table each")
