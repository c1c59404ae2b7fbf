"""Whether a network knows when it errs: calibration of its probabilities, and what it gains by keeping silent.

Probabilities are [utterances, labels], truths are indices into the labels. The temperature that mends them is fitted
on each row's own validation utterances and judged on its test utterances, which it has never seen. A network's
*confidence* is the probability of its answer.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ser_core import experiment, statistics, tables, tempering
from ser_core.errors import SerError

BINS = 15
"""Of a reliability diagram (Guo et al. 2017, section 2)."""
RISK = 0.2
"""Share of wrong answers that a summary accepts when it counts how many answers can be given."""


# Scores of probabilities


def brier(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, summed over labels: 0 to 2 (Brier 1950, Eq. 2)."""
    p = np.asarray(probabilities, float)
    return float(np.sum((p - np.eye(p.shape[1])[truth]) ** 2, axis=1).mean())


def overconfidence(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean confidence minus accuracy: above 0 the network promises more than it keeps."""
    confidence, right = _answers(probabilities, truth)
    return float(confidence.mean() - right.mean())


def _answers(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, float)
    return p.max(axis=1), (p.argmax(axis=1) == truth).astype(float)


def reliability(
    probabilities: np.ndarray, truth: np.ndarray, *, bins: int = BINS, equal_mass: bool = False
) -> dict[str, np.ndarray]:
    """The data of a reliability diagram: the network's answers in bins of confidence.

    Parameters
    ----------
    bins : int
    equal_mass : bool
        bins of equally many utterances (they follow one another by confidence) instead of bins of equal width, which
        are (low, high]

    Returns
    -------
    dict of arrays, one value a bin that holds an utterance: ``low``, ``high`` (edges), ``count``, ``confidence`` (mean)
    and ``accuracy`` (fraction right)
    """
    confidence, right = _answers(probabilities, truth)
    if equal_mass:
        order = np.argsort(confidence, kind="stable")
        members = [part for part in np.array_split(order, bins) if len(part)]
        edges = [(confidence[part[0]], confidence[part[-1]]) for part in members]
    else:
        place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
        filled = np.unique(place)
        members = [np.flatnonzero(place == number) for number in filled]
        edges = [(number / bins, (number + 1) / bins) for number in filled]
    return {
        "low": np.array([low for low, _ in edges]),
        "high": np.array([high for _, high in edges]),
        "count": np.array([len(part) for part in members]),
        "confidence": np.array([confidence[part].mean() for part in members]),
        "accuracy": np.array([right[part].mean() for part in members]),
    }


def expected_calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, *, bins: int = BINS, equal_mass: bool = False
) -> float:
    """Mean distance between confidence and accuracy over the bins, weighted by count (Guo et al. 2017, Eq. 3): 0 to 1.

    It is never negative, so that few utterances raise it by chance alone; no interval is put around it.
    """
    found = reliability(probabilities, truth, bins=bins, equal_mass=equal_mass)
    gap = np.abs(found["accuracy"] - found["confidence"])
    return float(np.sum(found["count"] * gap) / found["count"].sum())


# Abstention


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of wrong answers among the most confident ones, as their number grows.

    Answers of one confidence come in random order: the curve is the mean over their orders (El-Yaniv and Wiener 2010;
    Geifman and El-Yaniv 2017, section 2).

    Returns
    -------
    coverage, risk : float [utterances], coverage = 1/n, 2/n, ... 1
    """
    _, place, count = np.unique(-np.asarray(confidence, float), return_inverse=True, return_counts=True)
    wrong = np.bincount(place, weights=1.0 - np.asarray(right, float)) / count
    answered = np.arange(1, len(place) + 1)
    return answered / len(place), np.cumsum(np.repeat(wrong, count)) / answered


def area_under_risk(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean risk over all coverages (AURC, Geifman et al. 2019): the error rate for confidence that tells nothing."""
    return float(risk_coverage(confidence, right)[1].mean())


def coverage_at(confidence: np.ndarray, right: np.ndarray, risk: float = RISK) -> float:
    """Largest coverage whose risk is at most ``risk``; 0 where there is none. The threshold is chosen on these data."""
    coverage, found = risk_coverage(confidence, right)
    return float(coverage[found <= risk].max(initial=0.0))


def threshold_for(confidence: np.ndarray, right: np.ndarray, risk: float = RISK) -> float:
    """The confidence from which on answers are given so that at most ``risk`` of them are wrong; infinite for none."""
    confidence = np.asarray(confidence, float)
    levels = np.unique(confidence)
    kept = [np.mean(1.0 - np.asarray(right)[confidence >= level]) <= risk for level in levels]
    return float(levels[np.argmax(kept)]) if any(kept) else float("inf")


# Rows


@dataclass(frozen=True)
class Answers:
    """Test utterances of rows that are alike but for fold and seed, below one another."""

    table: object  # DataFrame: id, speaker, sex, text, intensity, truth, prediction; one line an utterance and seed
    labels: tuple[str, ...]
    truth: np.ndarray  # int [n], index into the labels
    before: np.ndarray  # float [n, labels], as the network gave them
    after: np.ndarray  # float [n, labels], each row's at the temperature fitted on its validation utterances
    temperatures: tuple[float, ...]  # one a row
    answered: np.ndarray  # bool [n], at least as confident as validation asked for a risk of RISK


def answers(rows: Sequence[dict], folder) -> Answers:
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
        sides = dict(list(experiment.load_predictions(row, folder).groupby("side")))
        if "validation" not in sides:
            raise SerError(f"calibration: {row['hash']} has no validation predictions to fit a temperature on")
        truth = {side: part["truth"].map(index).to_numpy() for side, part in sides.items()}
        given = {side: part[labels].to_numpy(np.float64) for side, part in sides.items()}
        found = tempering.fit(given["validation"], truth["validation"])
        mended = {side: tempering.tempered(p, found) for side, p in given.items()}
        threshold = threshold_for(*_answers(mended["validation"], truth["validation"]))
        tests.append(sides["test"].drop(columns=labels))
        before.append(given["test"])
        after.append(mended["test"])
        temperatures.append(found)
        answered.append(mended["test"].max(axis=1) >= threshold)
    table = pd.concat(tests, ignore_index=True)
    return Answers(
        table, tuple(labels), table["truth"].map(index).to_numpy(), np.concatenate(before), np.concatenate(after),
        tuple(temperatures), np.concatenate(answered),
    )  # fmt: skip


def confidence_of(found: Answers, *, after: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (float [n]) and whether the answer is right (0 or 1, [n]), for the functions of abstention."""
    return _answers(found.after if after else found.before, found.truth)


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "nll": tempering.negative_log_likelihood,
    "brier": brier,
    "overconfidence": overconfidence,
    "aurc": lambda p, truth: area_under_risk(*_answers(p, truth)),
}
"""(probabilities, truth) -> a score whose interval is the jackknife's over speakers."""


def intervals(found: Answers) -> dict:
    """95 % intervals over speakers of each of :data:`SCORES`, before and after, and of the change by the temperature.

    Returns
    -------
    dict: score to ``{"before": [low, high], "after": ..., "change": ...}`` or None each; ``unit`` and ``n``. Over words
    where there are fewer than four speakers, as :func:`ser_core.statistics.unit_of` has it.
    """
    unit = statistics.unit_of(found.table)
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
        if len(each) >= statistics.FEWEST_UNITS:
            without = np.array(each)
            pairs = zip(("before", "after"), without.T, whole, strict=True)
            result[name] = {side: list(statistics.jackknife(values, value)) for side, values, value in pairs}
            changes = without[:, 1] - without[:, 0]
            result[name]["change"] = list(statistics.jackknife(changes, whole[1] - whole[0]))
    return result


def summary(rows: Sequence[dict], folder) -> dict:
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
    found = answers(rows, folder)
    specs = [row["spec"] for row in rows if row["status"] == "ok"]
    confidence, right = confidence_of(found)
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
        "intervals": intervals(found),
        "abstention": {
            "risk": RISK,
            "coverage": coverage_at(confidence, right),
            "validated": {
                "coverage": float(answered.mean()),
                "risk": float(1.0 - right[answered].mean()) if answered.any() else None,
            },
        },
    }


def table(pooled: list[dict], folder):
    """One line a pooled row: what its probabilities are worth, before and after the temperature.

    pooled : rows of one protocol from :func:`ser_core.tables.pool`; folder : of their predictions

    Raises
    ------
    SerError
        for rows of several protocols
    """
    import pandas as pd

    tables.results_table(pooled)  # refuses a mixture of protocols
    lines = []
    for one in (one for one in pooled if one["status"] == "ok"):
        told = summary(one["rows"], folder)
        limits, kept = told["intervals"]["overconfidence"], told["abstention"]["validated"]
        points = {side: f"{100 * told['overconfidence'][side]:+.1f}" for side in ("before", "after")}
        points |= {side: f"{points[side]} {tables.interval(limits[side])}" for side in points if limits[side]}
        t = told["temperature"]
        lines.append(
            {
                "corpus": tables.corpus_title(told["corpus"]),
                "network": one["spec"]["model"],
                "setting": tables.setting(one["spec"]) or "default",
                "accuracy %": tables.percent(told["accuracy"]),
                "temperature": f"{t['mean']:.2f} ({t['low']:.2f} to {t['high']:.2f})",
                "ECE, points": " to ".join(tables.percent(told["ece"][side]) for side in ("before", "after")),
                "cross-entropy, nats": " to ".join(f"{told['nll'][side]:.2f}" for side in ("before", "after")),
                "overconfidence before, points [95 %]": points["before"],
                "after": points["after"],
                "AURC %": tables.percent(told["aurc"]["after"]),
                f"answered for {100 * RISK:.0f} % wrong": tables.percent(kept["coverage"]) + " %",
                "really wrong": "–" if kept["risk"] is None else tables.percent(kept["risk"]) + " %",
                "folds": f"{len(one['folds'])} of {one['folds_total'] or '?'}",
            }
        )
    return pd.DataFrame(lines)


def conclusion(told: dict) -> str:
    """One sentence on calibration from a :func:`summary`."""
    before, after = told["ece"]["before"], told["ece"]["after"]
    over = told["overconfidence"]["before"]
    kind = "overconfident" if over > 0 else "underconfident"
    does = "mends" if after < before else "does not mend"
    return (
        f"{tables.corpus_title(told['corpus'])}: {kind} by {100 * abs(over):.1f} points; a temperature of "
        f"{told['temperature']['mean']:.2f} {does} it (ECE {100 * before:.1f} to {100 * after:.1f} points)."
    )


def silence(told: dict) -> str:
    """One sentence on abstention from a :func:`summary`."""
    kept = told["abstention"]["validated"]
    really = "no answer at all"
    if kept["risk"] is not None:
        share, wrong = tables.percent(kept["coverage"], 0), tables.percent(kept["risk"], 0)
        really = f"answers to {share} % of the utterances, {wrong} % of them wrong"
    return (
        f"{tables.corpus_title(told['corpus'])}: an AURC of {tables.percent(told['aurc']['after'])} % against an error "
        f"rate of {tables.percent(1 - told['accuracy'])} %; the threshold that keeps "
        f"{100 * told['abstention']['risk']:.0f} % wrong on validation gives, on the test, {really}."
    )
