"""The protocol ladder: one network under every protocol, and the difference between neighbouring protocols.

A *rung* is the network under one protocol; the rungs follow :data:`ORDER`, below the paper's claim. A *step* is the
difference to the rung above on the utterances that both protocols test, paired over speakers. ``leaky`` is scored on
original clips, as the other protocols are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.experiments.grids import A5
from ser_core.metrics import significance, uncertainty
from ser_core.metrics.significance import Difference
from ser_core.metrics.uncertainty import Interval
from ser_core.results import pool_cache
from ser_core.results.formatting import (
    difference_columns,
    format_percent,
    format_setting,
    limit_columns,
    numeric_frame,
)
from ser_core.results.pooling import join_predictions, merge_calm
from ser_core.results.records import PooledResult

ORDER = ("leaky", "random", "speaker", "speaker-text", "cross")
CLAIM = "claim"
ALLOWED = {
    CLAIM: "as printed in the paper",
    "leaky": "training contains augmented copies of test clips",
    "random": "no copies; test speakers are also in training",
    "speaker": "test speakers are not in training",
    "speaker-text": "neither test speakers nor test sentences are in training",
    "cross": "training on another corpus",
}
FREE = {"corpus", "test_corpus", "protocol", "fold", "seed", "epochs", "patience"}
"""Fields in which the rungs of a ladder may differ."""


@dataclass(frozen=True)
class LadderStep:
    """Difference between a protocol and the protocol above it.

    Attributes
    ----------
    change : Difference
        in accuracy; with interval and p only where both test the same utterances
    above, below : float
        the two accuracies, fractions
    utterances : int
        tested by both; 0 where the step is not paired
    unit : str
    n : int
        units of the interval and the test
    levels : str
        text for the two accuracies where they differ from those of the two rungs, otherwise ""
    """

    change: Difference
    above: float
    below: float
    utterances: int = 0
    unit: str = "none"
    n: int = 0
    levels: str = ""


@dataclass(frozen=True, eq=False)
class Rung:
    """One network under one protocol, or what the paper claims.

    Attributes
    ----------
    protocol, name : str
        ``claim`` or the protocol; ``name`` adds the test corpus
    accuracy : float
        fraction; under ``leaky`` on the original clips
    interval : Interval or None
    chance : float or None
    unit : str
    n : int
        units of the interval
    n_test : int
        distinct utterances; 0 for the claim
    folds, folds_total, seeds
        of the results
    setting, key : str
        setting of the network as text, and a key that compares settings
    listeners_accuracy : float or None
        accuracy with calm counted as neutral, for the test that listeners took
    all_clips : float or None
        ``leaky``: accuracy with the augmented test clips
    demo : bool
    labels : tuple of str
    frame : DataFrame or None
        test predictions, one row per utterance and seed
    step : LadderStep or None
        against the rung above
    """

    protocol: str
    name: str
    accuracy: float
    demo: bool
    interval: Interval | None = None
    chance: float | None = None
    unit: str = "none"
    n: int = 0
    n_test: int = 0
    folds: tuple[int, ...] = ()
    folds_total: int | None = None
    seeds: tuple[int, ...] = ()
    setting: str = ""
    key: str = ""
    listeners_accuracy: float | None = None
    all_clips: float | None = None
    labels: tuple[str, ...] = ()
    frame: Any = None
    step: LadderStep | None = None

    @property
    def is_claim(self) -> bool:
        """Whether this is the figure printed in the paper."""
        return self.protocol == CLAIM


def ladder_rows(pooled: list[PooledResult], folder, corpus: str, model: str = A5) -> list[Rung]:
    """Make the ladder of one network on one corpus, the claim first.

    Of several settings the one with ``leaky`` is used, otherwise the one with most protocols. A protocol that was
    measured only under another setting has that setting. A step compares both rungs under the setting of the lower one
    where the upper one was measured under it.

    Parameters
    ----------
    pooled : list of PooledResult
        of any protocols
    folder : path
        of their predictions
    corpus, model : str

    Returns
    -------
    list of Rung
        empty where fewer than two protocols were measured
    """
    matches = [result for result in pooled if result.ok and result.spec["model"] == model]
    matches = [
        result
        for result in matches
        if result.spec["corpus"] == corpus and result.spec.get("condition", "clean") == "clean"
    ]
    groups: dict[str, dict[str, PooledResult]] = {}  # setting to protocol to the result of most folds
    for result in sorted(matches, key=lambda result: -len(result.folds)):
        groups.setdefault(setting_key(result), {}).setdefault(result.spec["protocol"], result)
    main = max(groups.values(), key=lambda own: (len(own) > 1 and "leaky" in own, len(own)), default={})
    best = dict(main)
    for own in sorted(groups.values(), key=len, reverse=True):
        best = own | best
    chosen = [best[protocol] for protocol in ORDER if protocol in best]
    if len(chosen) < 2:
        return []
    rungs = [make_rung(result, folder) for result in chosen]
    claimed = next((result.claimed_accuracy for result in chosen if result.claimed_accuracy), None)
    if claimed:
        rungs.insert(0, Rung(CLAIM, CLAIM, claimed, rungs[0].demo))
    ladder = rungs[:1]
    for above, below in zip(rungs, rungs[1:], strict=False):
        like = groups[below.key].get(above.protocol)  # the rung above under the setting of the lower rung
        other = like is not None and like is not best[above.protocol]
        step = _step(make_rung(like, folder) if like is not None and other else above, below)
        ladder.append(replace(below, step=replace(step, levels=_levels(step, above, below, other))))
    return ladder


def setting_key(result: PooledResult) -> str:
    """Return what results under different protocols have in common where only :data:`FREE` fields differ."""
    return str(sorted((name, value) for name, value in result.spec.items() if name not in FREE))


def make_rung(result: PooledResult, folder) -> Rung:
    """Score one pooled result as a rung of a ladder; ``leaky`` on the original clips."""
    spec = result.spec
    frame = join_predictions(result.results, folder)
    all_clips = None
    if "copy" in frame:
        all_clips = _accuracy(frame)
        frame = frame[frame["copy"] == ""]
    intervals = uncertainty.intervals(frame, result.labels)
    target = f" to {corpora.corpus_title(spec['test_corpus'])}" if spec.get("test_corpus") else ""
    return Rung(
        protocol=spec["protocol"],
        name=spec["protocol"] + target,
        accuracy=_accuracy(frame),
        demo=corpora.is_demo(spec["corpus"]),
        interval=intervals.accuracy,
        chance=result.chance,
        unit=intervals.unit,
        n=intervals.n,
        n_test=frame["id"].nunique(),
        folds=result.folds,
        folds_total=result.folds_total,
        seeds=result.seeds,
        setting=format_setting(spec) or "default",
        key=setting_key(result),
        listeners_accuracy=_accuracy(merge_calm(frame)) if result.calm_is_neutral else None,
        all_clips=all_clips,
        labels=result.labels,
        frame=frame,
    )


def _accuracy(frame) -> float:
    return float(np.mean(frame["truth"] == frame["prediction"]))


def _step(above: Rung, below: Rung) -> LadderStep:
    """Compute the step to the lower rung, with an interval and p where both test the same utterances."""
    plain = LadderStep(Difference(below.accuracy - above.accuracy), above.accuracy, below.accuracy)
    if above.is_claim or above.labels != below.labels:
        return plain
    shared = set(above.frame["id"]) & set(below.frame["id"])
    if not shared:
        return plain
    upper, lower = (rung.frame[rung.frame["id"].isin(shared)] for rung in (above, below))
    differences = pool_cache.paired(upper, lower, above.labels)
    return LadderStep(
        change=differences.accuracy,
        above=_accuracy(upper),
        below=_accuracy(lower),
        utterances=len(shared),
        unit=differences.unit,
        n=differences.n,
    )


def _levels(step: LadderStep, above: Rung, below: Rung, other: bool) -> str:
    """Format the accuracies of a step where they are not those of the rungs: " (94.2 to 39.0, no augmentation)"."""
    fewer = 0 < step.utterances < max(below.n_test, above.n_test)
    if not (fewer or other):
        return ""
    text = f" ({format_percent(step.above)} to {format_percent(step.below)}"
    text += f" on {step.utterances:,} shared utterances" if fewer else ""
    return text + (f", {below.setting})" if other else ")")


def corrected_steps(ladder: list[Rung]) -> list[float | None]:
    """Correct the p values of the steps by Holm's method; None for a rung whose step is not tested."""
    return significance.holm([rung.step.change.p if rung.step else None for rung in ladder])


def ladder_corpora(pooled: list[PooledResult]) -> list[str]:
    """List the corpora on which the paper's network was measured under two protocols or more."""
    protocols: dict[str, set[str]] = {}
    for result in pooled:
        if result.ok and result.spec["model"] == A5:
            protocols.setdefault(result.spec["corpus"], set()).add(result.spec["protocol"])
    return [name for name, measured in protocols.items() if len(measured) > 1]


def unmeasured_protocols(ladder: list[Rung]) -> list[str]:
    """List the protocols that a ladder lacks."""
    measured = {rung.protocol for rung in ladder}
    return [name for name in ORDER if name not in measured]


def ladder_table(ladder: list[Rung]) -> pd.DataFrame:
    """Tabulate the ladder, one row per protocol.

    Returns
    -------
    DataFrame
        numeric: ``accuracy`` and ``step`` with ``_low`` and ``_high``, ``all_clips`` (fractions, NaN where missing),
        ``p`` of the step after Holm, ``n_test``, ``units``, ``folds``, ``folds_total``; text: ``protocol``, ``name``,
        ``unit``, ``setting``, ``levels`` of the step; ``seeds`` (tuple)
    """
    rows = []
    for rung, p in zip(ladder, corrected_steps(ladder), strict=True):
        rows.append(
            {
                "protocol": rung.protocol,
                "name": rung.name,
                **limit_columns("accuracy", rung.accuracy, rung.interval),
                **difference_columns("step", rung.step.change if rung.step else None),
                "p": np.nan if p is None else p,
                "levels": rung.step.levels if rung.step else "",
                "all_clips": np.nan if rung.all_clips is None else rung.all_clips,
                "n_test": rung.n_test,
                "units": rung.n,
                "unit": rung.unit,
                "setting": rung.setting,
                "folds": len(rung.folds),
                "folds_total": rung.folds_total,
                "seeds": rung.seeds,
            }
        )
    return numeric_frame(rows, ("n_test", "units", "folds", "folds_total"))


def power_table(ladder: list[Rung]) -> pd.DataFrame:
    """Tabulate the paired steps and the minimum difference that each test detects with 80 % power.

    Returns
    -------
    DataFrame
        numeric: ``step`` with ``_low`` and ``_high``, ``minimum_detectable`` (fractions), ``p`` after Holm, ``units``;
        text: ``protocol``, ``levels``, ``unit``
    """
    tested = [(rung.protocol, rung.step) for rung in ladder if rung.step and rung.step.change.p is not None]
    corrected = significance.holm([step.change.p for _, step in tested])
    rows = []
    for (protocol, step), p in zip(tested, corrected, strict=True):
        least = step.change.minimum_detectable
        rows.append(
            {
                "protocol": protocol,
                **difference_columns("step", step.change),
                "levels": step.levels,
                "p": p,
                "minimum_detectable": np.nan if least is None else least,
                "units": step.n,
                "unit": step.unit,
            }
        )
    return numeric_frame(rows, ("units",))
