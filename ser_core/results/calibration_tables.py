"""Calibration of a network's probabilities, and the effect of abstention.

Probabilities are [utterances, labels], truths are indices into the labels. The temperature is fitted on each result's
validation utterances and evaluated on its test utterances, which the fit does not use. A network's *confidence* is the
probability of its answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.metrics import temperature_scaling, uncertainty
from ser_core.metrics.calibration import (
    RISK,
    area_under_risk_coverage,
    brier_score,
    confidence_and_correctness,
    confidence_threshold,
    coverage_at_risk,
    expected_calibration_error,
    overconfidence,
)
from ser_core.metrics.uncertainty import Interval
from ser_core.results.formatting import (
    DASH,
    fold_columns,
    format_folds,
    format_percent,
    format_points,
    format_setting,
    is_missing,
    limit_columns,
    numeric_frame,
    system_title,
    text_frame,
)
from ser_core.results.pooling import check_one_protocol
from ser_core.results.records import PooledResult


@dataclass(frozen=True, eq=False)
class CalibratedAnswers:
    """Concatenated test predictions of results that differ only in fold and seed."""

    table: pd.DataFrame  # id, speaker, sex, text, intensity, truth, prediction; one row per utterance and seed
    labels: tuple[str, ...]
    truth: np.ndarray  # int [n], index into the labels
    before: np.ndarray  # float [n, labels], as the network gave them
    after: np.ndarray  # float [n, labels], at the temperature fitted on the result's validation utterances
    temperatures: tuple[float, ...]  # one per result
    answered: np.ndarray  # bool [n], confidence at least the validation threshold for RISK


@dataclass(frozen=True)
class BeforeAfter:
    """A score of probabilities before and after the temperature."""

    before: float
    after: float


@dataclass(frozen=True)
class ChangeIntervals:
    """Intervals of a score before and after the temperature, and of the change; None below four units."""

    before: Interval | None = None
    after: Interval | None = None
    change: Interval | None = None


@dataclass(frozen=True)
class Abstention:
    """Risk and coverage of a network that answers only where it is confident.

    ``coverage`` is that of the threshold chosen on the test answers for ``risk``. Thresholds chosen on validation
    utterances reach ``validated_coverage`` and ``validated_risk`` on test utterances. The latter is None without an
    answer.
    """

    risk: float
    coverage: float
    validated_coverage: float
    validated_risk: float | None


@dataclass(frozen=True)
class CalibrationSummary:
    """Calibration and abstention of one system.

    Attributes
    ----------
    corpus, protocol, condition, folds, seeds
        of the results
    n_test : int
        answers, every seed counted
    accuracy : float
    temperature, lowest_temperature, highest_temperature : float
        geometric mean over the results, and the range
    ece, ece_equal_mass : BeforeAfter
        expected calibration error, fractions
    nll : BeforeAfter
        cross-entropy, nats
    brier : BeforeAfter
        0 to 2
    overconfidence, aurc : BeforeAfter
        fractions
    intervals : dict
        score (``nll``, ``brier``, ``overconfidence``, ``aurc``) to :class:`ChangeIntervals`
    unit, n
        of the intervals
    abstention : Abstention
    """

    corpus: str
    protocol: str
    condition: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    n_test: int
    accuracy: float
    temperature: float
    lowest_temperature: float
    highest_temperature: float
    ece: BeforeAfter
    ece_equal_mass: BeforeAfter
    nll: BeforeAfter
    brier: BeforeAfter
    overconfidence: BeforeAfter
    aurc: BeforeAfter
    intervals: dict[str, ChangeIntervals]
    unit: str
    n: int
    abstention: Abstention

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return asdict(self) | {"folds": list(self.folds), "seeds": list(self.seeds)}


def calibrated_answers(results: Sequence[RunResult], folder) -> CalibratedAnswers:
    """Load the test predictions of results before and after the temperature.

    Parameters
    ----------
    results : sequence of RunResult
        that differ only in fold and seed; failed ones are left out
    folder : path
        where their predictions (``<hash>.parquet``) are

    Raises
    ------
    SerError
        for results of several specs, or none
    """
    results = [result for result in results if result.ok]
    alike = {json.dumps(result.setting) for result in results}
    if len(alike) != 1:
        raise SerError(f"calibration: results of {len(alike)} specs; pass the folds and seeds of one spec")
    labels = list(results[0].labels)
    index = {label: i for i, label in enumerate(labels)}
    tests, before, after, temperatures, answered = [], [], [], [], []
    for result in results:
        sides = dict(list(store.load_predictions(result, folder).groupby("side")))
        if "validation" not in sides:
            raise SerError(f"calibration: {result.hash} has no validation predictions to fit a temperature on")
        truth = {side: part["truth"].map(index).to_numpy() for side, part in sides.items()}
        raw = {side: part[labels].to_numpy(np.float64) for side, part in sides.items()}
        temperature = temperature_scaling.fit_temperature(raw["validation"], truth["validation"])
        scaled = {side: temperature_scaling.apply_temperature(p, temperature) for side, p in raw.items()}
        threshold = confidence_threshold(*confidence_and_correctness(scaled["validation"], truth["validation"]))
        tests.append(sides["test"].drop(columns=labels))
        before.append(raw["test"])
        after.append(scaled["test"])
        temperatures.append(temperature)
        answered.append(scaled["test"].max(axis=1) >= threshold)
    table = pd.concat(tests, ignore_index=True)
    return CalibratedAnswers(
        table, tuple(labels), table["truth"].map(index).to_numpy(), np.concatenate(before), np.concatenate(after),
        tuple(temperatures), np.concatenate(answered),
    )  # fmt: skip


def answer_confidence(answers: CalibratedAnswers, *, after: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return confidence (float [n]) and correctness (0 or 1, [n]), for the functions of abstention."""
    return confidence_and_correctness(answers.after if after else answers.before, answers.truth)


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "nll": temperature_scaling.negative_log_likelihood,
    "brier": brier_score,
    "overconfidence": overconfidence,
    "aurc": lambda p, truth: area_under_risk_coverage(*confidence_and_correctness(p, truth)),
}
"""Scores of (probabilities, truth) whose intervals are computed by the jackknife over speakers."""


def calibration_intervals(answers: CalibratedAnswers) -> tuple[dict[str, ChangeIntervals], str, int]:
    """Compute 95 % intervals of each of :data:`SCORES`, before and after the temperature, and of the change.

    Returns
    -------
    intervals : dict of ChangeIntervals
        by the score's name
    unit : str
        ``word`` where there are fewer than four speakers; see :func:`ser_core.metrics.uncertainty.unit_of`
    n : int
        number of units
    """
    unit = uncertainty.unit_of(answers.table)
    column = answers.table[{"speaker": "speaker", "word": "text"}.get(unit, "speaker")].to_numpy()
    units = np.unique(column)
    count = len(units)
    intervals = {}
    for name, score in SCORES.items():
        each = [
            [score(p[mask], answers.truth[mask]) for p in (answers.before, answers.after)]
            for mask in (column != left_out for left_out in units if unit != "none")
        ]
        whole = [score(p, answers.truth) for p in (answers.before, answers.after)]
        intervals[name] = ChangeIntervals()
        if len(each) >= uncertainty.FEWEST_UNITS:
            without = np.array(each)
            limits = [
                uncertainty.jackknife(without[:, 0], whole[0]),
                uncertainty.jackknife(without[:, 1], whole[1]),
                uncertainty.jackknife(without[:, 1] - without[:, 0], whole[1] - whole[0]),
            ]
            intervals[name] = ChangeIntervals(*(Interval(low, high, unit=unit, n=count) for low, high in limits))
    return intervals, unit, count


def calibration_summary(results: Sequence[RunResult], folder) -> CalibrationSummary:
    """Summarise the calibration and abstention of one system.

    Parameters
    ----------
    results : sequence of RunResult
        that differ only in fold and seed
    folder : path
        where their Parquet files are

    Raises
    ------
    SerError
        see :func:`calibrated_answers`
    """
    answers = calibrated_answers(results, folder)
    specs = [result.spec for result in results if result.ok]
    confidence, right = answer_confidence(answers)
    temperatures = np.array(answers.temperatures)
    scores = SCORES | {
        "ece": expected_calibration_error,
        "ece_equal_mass": lambda p, truth: expected_calibration_error(p, truth, equal_mass=True),
    }
    intervals, unit, count = calibration_intervals(answers)
    return CalibrationSummary(
        corpus=specs[0]["corpus"],
        protocol=specs[0]["protocol"],
        condition=specs[0]["condition"],
        folds=tuple(sorted({spec["fold"] for spec in specs})),
        seeds=tuple(sorted({spec["seed"] for spec in specs})),
        n_test=len(right),
        accuracy=float(right.mean()),
        temperature=float(np.exp(np.log(temperatures).mean())),
        lowest_temperature=float(temperatures.min()),
        highest_temperature=float(temperatures.max()),
        **{
            name: BeforeAfter(score(answers.before, answers.truth), score(answers.after, answers.truth))
            for name, score in scores.items()
        },
        intervals=intervals,
        unit=unit,
        n=count,
        abstention=Abstention(
            risk=RISK,
            coverage=coverage_at_risk(confidence, right),
            validated_coverage=float(answers.answered.mean()),
            validated_risk=float(1.0 - right[answers.answered].mean()) if answers.answered.any() else None,
        ),
    )


def calibration_table(pooled: list[PooledResult], folder) -> pd.DataFrame:
    """Tabulate the calibration of each pooled result, before and after temperature scaling.

    Parameters
    ----------
    pooled : list of PooledResult
        of one protocol
    folder : path
        of their predictions

    Returns
    -------
    DataFrame
        numeric: ``accuracy``, ``ece_before``, ``ece_after``, ``nll_before``, ``nll_after``, ``before`` and ``after``
        (overconfidence, each with ``_low`` and ``_high``), ``aurc``, ``answered``, ``wrong`` (fractions),
        ``temperature`` with ``_low`` and ``_high`` (range over the results), ``folds``, ``folds_total``; text:
        ``corpus``, ``network``, ``setting``

    Raises
    ------
    SerError
        for several protocols
    """
    check_one_protocol(pooled)
    rows = []
    for result in (result for result in pooled if result.ok):
        summary = calibration_summary(result.results, folder)
        limits, wrong = summary.intervals["overconfidence"], summary.abstention.validated_risk
        rows.append(
            {
                "corpus": corpora.corpus_title(summary.corpus),
                "network": system_title(result.spec["model"]),
                "setting": format_setting(result.spec) or "default",
                "accuracy": summary.accuracy,
                "temperature": summary.temperature,
                "temperature_low": summary.lowest_temperature,
                "temperature_high": summary.highest_temperature,
                "ece_before": summary.ece.before,
                "ece_after": summary.ece.after,
                "nll_before": summary.nll.before,
                "nll_after": summary.nll.after,
                **limit_columns("before", summary.overconfidence.before, limits.before),
                **limit_columns("after", summary.overconfidence.after, limits.after),
                "aurc": summary.aurc.after,
                "answered": summary.abstention.validated_coverage,
                "wrong": np.nan if wrong is None else wrong,
                **fold_columns(result),
            }
        )
    return numeric_frame(rows, ("folds", "folds_total"))


def format_calibration(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`calibration_table` as text."""
    rows = [
        {
            "corpus": row.corpus,
            "network": row.network,
            "setting": row.setting,
            "accuracy %": format_percent(row.accuracy),
            "temperature": f"{row.temperature:.2f} ({row.temperature_low:.2f} to {row.temperature_high:.2f})",
            "ECE, points": f"{format_percent(row.ece_before)} to {format_percent(row.ece_after)}",
            "cross-entropy, nats": f"{row.nll_before:.2f} to {row.nll_after:.2f}",
            "overconfidence before, points [95 %]": _format_points(row.before, row.before_low, row.before_high),
            "after": _format_points(row.after, row.after_low, row.after_high),
            "AURC %": format_percent(row.aurc),
            f"answered at {100 * RISK:.0f} % accepted risk": f"{format_percent(row.answered)} %",
            "wrong on test": DASH if is_missing(row.wrong) else f"{format_percent(row.wrong)} %",
            "folds": format_folds(row.folds, row.folds_total),
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=set(rows[0]) - {"corpus", "network", "setting"} if rows else ())


def _format_points(value: float, low: float, high: float) -> str:
    """Format signed points with limits in plain percent: "+12.3 [10.1, 14.5]"."""
    return format_points(value) + ("" if is_missing(low) else f" [{100 * low:.1f}, {100 * high:.1f}]")


def calibration_sentence(summary: CalibrationSummary) -> str:
    """Describe the calibration in one sentence."""
    before, after = summary.ece.before, summary.ece.after
    over = summary.overconfidence.before
    kind = "overconfident" if over > 0 else "underconfident"
    does = "corrects" if after < before else "does not correct"
    return (
        f"{corpora.corpus_title(summary.corpus)}: {kind} by {100 * abs(over):.1f} points; a temperature of "
        f"{summary.temperature:.2f} {does} it (ECE {100 * before:.1f} to {100 * after:.1f} points)."
    )


def abstention_sentence(summary: CalibrationSummary) -> str:
    """Describe abstention in one sentence."""
    abstention = summary.abstention
    really = "answers no test utterance"
    if abstention.validated_risk is not None:
        share, wrong = format_percent(abstention.validated_coverage, 0), format_percent(abstention.validated_risk, 0)
        really = f"answers {share} % of the test utterances, {wrong} % of them wrong"
    return (
        f"{corpora.corpus_title(summary.corpus)}: an AURC of {format_percent(summary.aurc.after)} % against an error "
        f"rate of {format_percent(1 - summary.accuracy)} %; the threshold chosen for "
        f"{100 * abstention.risk:.0f} % wrong answers on validation {really}."
    )
