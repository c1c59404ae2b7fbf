"""Whether a network knows when it errs: calibration of its probabilities, and what it gains by keeping silent.

Probabilities are [utterances, labels], truths are indices into the labels. The temperature that mends them is fitted
on each row's own validation utterances and judged on its test utterances, which it has never seen. A network's
*confidence* is the probability of its answer.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.experiments import store
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
from ser_core.results import tables

# Scores of probabilities


# Abstention


# Rows


@dataclass(frozen=True)
class CalibratedAnswers:
    """Test utterances of rows that are alike but for fold and seed, below one another."""

    table: object  # DataFrame: id, speaker, sex, text, intensity, truth, prediction; one line an utterance and seed
    labels: tuple[str, ...]
    truth: np.ndarray  # int [n], index into the labels
    before: np.ndarray  # float [n, labels], as the network gave them
    after: np.ndarray  # float [n, labels], each row's at the temperature fitted on its validation utterances
    temperatures: tuple[float, ...]  # one a row
    answered: np.ndarray  # bool [n], at least as confident as validation asked for a risk of RISK


def calibrated_answers(rows: Sequence[dict], folder) -> CalibratedAnswers:
    """The test predictions of rows before and after the temperature.

    rows : result rows, alike but for fold and seed; those with status "error" are left out
    folder : where their predictions (``<hash>.parquet``) lie

    Raises
    ------
    SerError
        for rows of several specs, or none
    """
    import pandas as pd

    rows = [row for row in rows if row["status"] == "ok"]
    alike = {json.dumps({k: v for k, v in row["spec"].items() if k not in ("fold", "seed")}) for row in rows}
    if len(alike) != 1:
        raise SerError(f"calibration: rows of {len(alike)} specs given; give the folds and seeds of one")
    labels = list(rows[0]["labels"])
    index = {label: i for i, label in enumerate(labels)}
    tests, before, after, temperatures, answered = [], [], [], [], []
    for row in rows:
        sides = dict(list(store.load_predictions(row, folder).groupby("side")))
        if "validation" not in sides:
            raise SerError(f"calibration: {row['hash']} has no validation predictions to fit a temperature on")
        truth = {side: part["truth"].map(index).to_numpy() for side, part in sides.items()}
        given = {side: part[labels].to_numpy(np.float64) for side, part in sides.items()}
        found = temperature_scaling.fit_temperature(given["validation"], truth["validation"])
        mended = {side: temperature_scaling.apply_temperature(p, found) for side, p in given.items()}
        threshold = confidence_threshold(*confidence_and_correctness(mended["validation"], truth["validation"]))
        tests.append(sides["test"].drop(columns=labels))
        before.append(given["test"])
        after.append(mended["test"])
        temperatures.append(found)
        answered.append(mended["test"].max(axis=1) >= threshold)
    table = pd.concat(tests, ignore_index=True)
    return CalibratedAnswers(
        table, tuple(labels), table["truth"].map(index).to_numpy(), np.concatenate(before), np.concatenate(after),
        tuple(temperatures), np.concatenate(answered),
    )  # fmt: skip


def answer_confidence(found: CalibratedAnswers, *, after: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (float [n]) and whether the answer is right (0 or 1, [n]), for the functions of abstention."""
    return confidence_and_correctness(found.after if after else found.before, found.truth)


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "nll": temperature_scaling.negative_log_likelihood,
    "brier": brier_score,
    "overconfidence": overconfidence,
    "aurc": lambda p, truth: area_under_risk_coverage(*confidence_and_correctness(p, truth)),
}
"""(probabilities, truth) -> a score whose interval is the jackknife's over speakers."""


def calibration_intervals(found: CalibratedAnswers) -> dict:
    """95 % intervals over speakers of each of :data:`SCORES`, before and after, and of the change by the temperature.

    Returns
    -------
    dict: score to ``{"before": [low, high], "after": ..., "change": ...}`` or None each; ``unit`` and ``n``. Over words
    where there are fewer than four speakers, as :func:`ser_core.metrics.uncertainty.unit_of` has it.
    """
    unit = uncertainty.unit_of(found.table)
    column = found.table[{"speaker": "speaker", "word": "text"}.get(unit, "speaker")].to_numpy()
    units = np.unique(column)
    result: dict = {"unit": unit, "n": len(units)}
    for name, score in SCORES.items():
        each = [
            [score(p[kept], found.truth[kept]) for p in (found.before, found.after)]
            for kept in (column != one for one in units if unit != "none")
        ]
        whole = [score(p, found.truth) for p in (found.before, found.after)]
        result[name] = dict.fromkeys(("before", "after", "change"))
        if len(each) >= uncertainty.FEWEST_UNITS:
            without = np.array(each)
            pairs = zip(("before", "after"), without.T, whole, strict=True)
            result[name] = {side: list(uncertainty.jackknife(values, value)) for side, values, value in pairs}
            changes = without[:, 1] - without[:, 0]
            result[name]["change"] = list(uncertainty.jackknife(changes, whole[1] - whole[0]))
    return result


def calibration_summary(rows: Sequence[dict], folder) -> dict:
    """Calibration and abstention of one system in plain numbers, JSON-able.

    Parameters
    ----------
    rows : result rows alike but for fold and seed
    folder : where their Parquet files lie

    Returns
    -------
    dict
        ``corpus``, ``protocol``, ``condition``, ``folds``, ``seeds``, ``n_test`` (answers, every seed counted),
        ``accuracy``;
        ``temperature``: ``{"mean", "low", "high"}`` over the rows (geometric mean; one fitted a row);
        ``ece``, ``ece_equal_mass`` (fractions, :data:`BINS` bins), ``nll`` (nats), ``brier`` (0 to 2),
        ``overconfidence`` and ``aurc`` (fractions): each ``{"before": value, "after": value}`` the temperature;
        ``intervals`` of the last four (:func:`intervals`);
        ``abstention``: at the ``risk`` :data:`RISK`, ``coverage`` of the threshold chosen on the test answers
        themselves, and ``validated``: the ``coverage`` and the ``risk`` (None without an answer) that thresholds
        chosen on validation utterances reach on the test.

    Raises
    ------
    SerError
        see :func:`answers`
    """
    found = calibrated_answers(rows, folder)
    specs = [row["spec"] for row in rows if row["status"] == "ok"]
    confidence, right = answer_confidence(found)
    temperatures = np.array(found.temperatures)
    scores = SCORES | {
        "ece": expected_calibration_error,
        "ece_equal_mass": lambda p, truth: expected_calibration_error(p, truth, equal_mass=True),
    }
    answered = found.answered
    return {
        **{name: specs[0][name] for name in ("corpus", "protocol", "condition")},
        "folds": sorted({spec["fold"] for spec in specs}),
        "seeds": sorted({spec["seed"] for spec in specs}),
        "n_test": len(right),
        "accuracy": float(right.mean()),
        "temperature": {
            "mean": float(np.exp(np.log(temperatures).mean())),
            "low": float(temperatures.min()),
            "high": float(temperatures.max()),
        },
        **{
            name: {"before": score(found.before, found.truth), "after": score(found.after, found.truth)}
            for name, score in scores.items()
        },
        "intervals": calibration_intervals(found),
        "abstention": {
            "risk": RISK,
            "coverage": coverage_at_risk(confidence, right),
            "validated": {
                "coverage": float(answered.mean()),
                "risk": float(1.0 - right[answered].mean()) if answered.any() else None,
            },
        },
    }


def calibration_table(pooled: list[dict], folder):
    """One line a pooled row: what its probabilities are worth, before and after the temperature.

    pooled : rows of one protocol from :func:`ser_core.results.tables.pool_results`; folder : of their predictions

    Raises
    ------
    SerError
        for rows of several protocols
    """
    import pandas as pd

    tables.results_table(pooled)  # refuses a mixture of protocols
    lines = []
    for one in (one for one in pooled if one["status"] == "ok"):
        told = calibration_summary(one["rows"], folder)
        limits, kept = told["intervals"]["overconfidence"], told["abstention"]["validated"]
        points = {side: f"{100 * told['overconfidence'][side]:+.1f}" for side in ("before", "after")}
        points |= {side: f"{points[side]} {tables.format_interval(limits[side])}" for side in points if limits[side]}
        t = told["temperature"]
        lines.append(
            {
                "corpus": corpora.corpus_title(told["corpus"]),
                "network": one["spec"]["model"],
                "setting": tables.format_setting(one["spec"]) or "default",
                "accuracy %": tables.format_percent(told["accuracy"]),
                "temperature": f"{t['mean']:.2f} ({t['low']:.2f} to {t['high']:.2f})",
                "ECE, points": " to ".join(tables.format_percent(told["ece"][side]) for side in ("before", "after")),
                "cross-entropy, nats": " to ".join(f"{told['nll'][side]:.2f}" for side in ("before", "after")),
                "overconfidence before, points [95 %]": points["before"],
                "after": points["after"],
                "AURC %": tables.format_percent(told["aurc"]["after"]),
                f"answered for {100 * RISK:.0f} % wrong": tables.format_percent(kept["coverage"]) + " %",
                "really wrong": "–" if kept["risk"] is None else tables.format_percent(kept["risk"]) + " %",
                "folds": f"{len(one['folds'])} of {one['folds_total'] or '?'}",
            }
        )
    return pd.DataFrame(lines)


def calibration_sentence(told: dict) -> str:
    """One sentence on calibration from a :func:`summary`."""
    before, after = told["ece"]["before"], told["ece"]["after"]
    over = told["overconfidence"]["before"]
    kind = "overconfident" if over > 0 else "underconfident"
    does = "mends" if after < before else "does not mend"
    return (
        f"{corpora.corpus_title(told['corpus'])}: {kind} by {100 * abs(over):.1f} points; a temperature of "
        f"{told['temperature']['mean']:.2f} {does} it (ECE {100 * before:.1f} to {100 * after:.1f} points)."
    )


def abstention_sentence(told: dict) -> str:
    """One sentence on abstention from a :func:`summary`."""
    kept = told["abstention"]["validated"]
    really = "no answer at all"
    if kept["risk"] is not None:
        share, wrong = tables.format_percent(kept["coverage"], 0), tables.format_percent(kept["risk"], 0)
        really = f"answers to {share} % of the utterances, {wrong} % of them wrong"
    return (
        f"{corpora.corpus_title(told['corpus'])}: an AURC of {tables.format_percent(told['aurc']['after'])} % against an error "
        f"rate of {tables.format_percent(1 - told['accuracy'])} %; the threshold that keeps "
        f"{100 * told['abstention']['risk']:.0f} % wrong on validation gives, on the test, {really}."
    )
