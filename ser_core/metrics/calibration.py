"""Score predicted probabilities: calibration, and abstention at a confidence threshold."""

import numpy as np

BINS = 15
"""Of a reliability diagram (Guo et al. 2017, section 2)."""


RISK = 0.2
"""Share of wrong answers that a summary accepts when it counts how many answers can be given."""


def brier_score(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, summed over labels: 0 to 2 (Brier 1950, Eq. 2)."""
    p = np.asarray(probabilities, float)
    return float(np.sum((p - np.eye(p.shape[1])[truth]) ** 2, axis=1).mean())


def overconfidence(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean confidence minus accuracy: above 0 the network promises more than it keeps."""
    confidence, right = confidence_and_correctness(probabilities, truth)
    return float(confidence.mean() - right.mean())


def confidence_and_correctness(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each answer, float [n], and whether it is right, float [n] of 0 and 1."""
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
    confidence, right = confidence_and_correctness(probabilities, truth)
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


def area_under_risk_coverage(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean risk over all coverages (AURC, Geifman et al. 2019): the error rate for confidence that tells nothing."""
    return float(risk_coverage(confidence, right)[1].mean())


def coverage_at_risk(confidence: np.ndarray, right: np.ndarray, risk: float = RISK) -> float:
    """Largest coverage whose risk is at most ``risk``; 0 where there is none. The threshold is chosen on these data."""
    coverage, found = risk_coverage(confidence, right)
    return float(coverage[found <= risk].max(initial=0.0))


def confidence_threshold(confidence: np.ndarray, right: np.ndarray, risk: float = RISK) -> float:
    """The confidence from which on answers are given so that at most ``risk`` of them are wrong; infinite for none."""
    confidence = np.asarray(confidence, float)
    levels = np.unique(confidence)
    kept = [np.mean(1.0 - np.asarray(right)[confidence >= level]) <= risk for level in levels]
    return float(levels[np.argmax(kept)]) if any(kept) else float("inf")
