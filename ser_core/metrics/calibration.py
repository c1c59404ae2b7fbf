"""Score predicted probabilities: calibration, and abstention at a confidence threshold.

The confidence of a prediction is its highest probability. ``truth`` is the index of the true label in the order of
the probabilities, ``probabilities`` are fractions that sum to 1 per utterance.
"""

import numpy as np

BINS = 15
"""Bins of a reliability diagram (Guo et al. 2017, section 2)."""


RISK = 0.2
"""Share of wrong predictions that a summary accepts when it counts how many can be answered."""


def brier_score(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean squared distance of the probabilities from the truth (Brier 1950, Eq. 2).

    Parameters
    ----------
    probabilities : float [utterances, labels]
    truth : int [utterances]

    Returns
    -------
    float
        summed over labels, averaged over utterances: 0 to 2

    Examples
    --------
    >>> brier_score([[1.0, 0.0], [0.0, 1.0]], [0, 0])
    1.0
    """
    p = np.asarray(probabilities, float)
    return float(np.sum((p - np.eye(p.shape[1])[truth]) ** 2, axis=1).mean())


def overconfidence(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean confidence minus the accuracy, -1 to 1; positive for an overconfident network.

    Parameters
    ----------
    probabilities : float [utterances, labels]
    truth : int [utterances]
    """
    confidence, right = confidence_and_correctness(probabilities, truth)
    return float(confidence.mean() - right.mean())


def confidence_and_correctness(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each prediction, and whether it is right.

    Parameters
    ----------
    probabilities : float [utterances, labels]
    truth : int [utterances]

    Returns
    -------
    confidence : float [utterances]
        highest probability
    right : float [utterances]
        1 for a right prediction, 0 for a wrong one
    """
    p = np.asarray(probabilities, float)
    return p.max(axis=1), (p.argmax(axis=1) == truth).astype(float)


def reliability(
    probabilities: np.ndarray, truth: np.ndarray, *, bins: int = BINS, equal_mass: bool = False
) -> dict[str, np.ndarray]:
    """Compute the data of a reliability diagram: accuracy and mean confidence in bins of confidence.

    Parameters
    ----------
    probabilities : float [utterances, labels]
    truth : int [utterances]
    bins : int, default 15
    equal_mass : bool, default False
        make bins of equally many utterances in the order of their confidence; otherwise bins have equal width and
        hold (low, high]

    Returns
    -------
    dict of str to array
        one value per bin that is not empty: ``low``, ``high`` (edges), ``count``, ``confidence`` (mean) and
        ``accuracy`` (fraction)
    """
    confidence, right = confidence_and_correctness(probabilities, truth)
    if equal_mass:
        order = np.argsort(confidence, kind="stable")
        members = [part for part in np.array_split(order, bins) if len(part)]
        edges = [(confidence[part[0]], confidence[part[-1]]) for part in members]
    else:
        bin_index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
        filled = np.unique(bin_index)
        members = [np.flatnonzero(bin_index == number) for number in filled]
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
    """Compute the expected calibration error (Guo et al. 2017, Eq. 3).

    This is the mean distance between confidence and accuracy over the bins, weighted by count. It is never negative,
    so few utterances raise it by chance alone. It therefore has no confidence interval here.

    Parameters
    ----------
    probabilities, truth, bins, equal_mass
        as in :func:`reliability`

    Returns
    -------
    float
        0 to 1

    Examples
    --------
    >>> expected_calibration_error([[0.75, 0.25]] * 4, [0, 0, 0, 1])
    0.0
    """
    diagram = reliability(probabilities, truth, bins=bins, equal_mass=equal_mass)
    gap = np.abs(diagram["accuracy"] - diagram["confidence"])
    return float(np.sum(diagram["count"] * gap) / diagram["count"].sum())


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the risk-coverage curve: the share of wrong predictions among the most confident ones.

    Predictions of equal confidence come in random order: the curve is the mean over their orders (El-Yaniv and Wiener
    2010; Geifman and El-Yaniv 2017, section 2).

    Parameters
    ----------
    confidence : float [utterances]
    right : float [utterances]
        1 for a right prediction, 0 for a wrong one

    Returns
    -------
    coverage, risk : float [utterances]
        coverage is 1/n, 2/n, ... 1
    """
    _, level, count = np.unique(-np.asarray(confidence, float), return_inverse=True, return_counts=True)
    wrong = np.bincount(level, weights=1.0 - np.asarray(right, float)) / count
    answered = np.arange(1, len(level) + 1)
    return answered / len(level), np.cumsum(np.repeat(wrong, count)) / answered


def area_under_risk_coverage(confidence: np.ndarray, right: np.ndarray) -> float:
    """Compute the mean risk over all coverages (AURC, Geifman et al. 2019).

    It equals the error rate where confidence is unrelated to correctness. Parameters are those of
    :func:`risk_coverage`.
    """
    return float(risk_coverage(confidence, right)[1].mean())


def coverage_at_risk(confidence: np.ndarray, right: np.ndarray, risk: float = RISK) -> float:
    """Compute the largest coverage whose risk is at most ``risk``.

    The threshold is chosen on the same data, so the result is optimistic.

    Parameters
    ----------
    confidence, right : float [utterances]
        as in :func:`risk_coverage`
    risk : float, default 0.2
        largest accepted share of wrong predictions

    Returns
    -------
    float
        0 to 1; 0 where no coverage has so low a risk
    """
    coverage, risks = risk_coverage(confidence, right)
    return float(coverage[risks <= risk].max(initial=0.0))


def confidence_threshold(confidence: np.ndarray, right: np.ndarray, risk: float = RISK) -> float:
    """Choose the lowest confidence threshold above which at most ``risk`` of the predictions are wrong.

    Parameters
    ----------
    confidence, right : float [utterances]
        as in :func:`risk_coverage`
    risk : float, default 0.2
        largest accepted share of wrong predictions

    Returns
    -------
    float
        predictions with this confidence or more are accepted; infinite where no threshold has so low a risk
    """
    confidence = np.asarray(confidence, float)
    levels = np.unique(confidence)
    acceptable = [np.mean(1.0 - np.asarray(right)[confidence >= level]) <= risk for level in levels]
    return float(levels[np.argmax(acceptable)]) if any(acceptable) else float("inf")
