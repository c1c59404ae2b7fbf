"""Calibrate the confidence of a network by temperature scaling (Guo et al. 2017): divide its logits by one number."""

import numpy as np

from ser_core._utils.errors import SerError

TEMPERATURES = np.geomspace(0.25, 8.0, 701)
"""Temperatures that can be fitted, in steps of half a percent; all predictions right would drive it to 0."""
FLOOR = 1e-30
"""Lowest probability whose logarithm is taken."""


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Compute the softmax of the logarithms divided by the temperature (Guo et al. 2017, Eq. 9).

    The logarithms are the network's logits up to one constant per utterance, which softmax ignores. The predicted
    class stays the same.

    Parameters
    ----------
    probabilities : float [..., labels]
    temperature : float
        above 1 lowers the confidence, below 1 raises it

    Returns
    -------
    float64 [..., labels]
        they sum to 1

    Examples
    --------
    >>> apply_temperature([0.9, 0.1], 2.0).round(2).tolist()
    [0.75, 0.25]
    """
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), FLOOR)) / temperature
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def negative_log_likelihood(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean of -ln of the probability of the true label.

    Parameters
    ----------
    probabilities : float [utterances, labels]
    truth : int [utterances]
        index of the true label

    Returns
    -------
    float
        nats
    """
    of_truth = np.asarray(probabilities, dtype=np.float64)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(of_truth, FLOOR)).mean())


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Fit the temperature of :data:`TEMPERATURES` that minimises the cross-entropy.

    The cross-entropy is convex in 1 / temperature, so its one minimum is found by bisection.

    Parameters
    ----------
    probabilities : float [utterances, labels]
        of utterances outside the training subset
    truth : int [utterances]
        index of the true label

    Returns
    -------
    float
        1 where no temperature lowers the cross-entropy, such as for equal probabilities

    Raises
    ------
    SerError
        without utterances
    """
    if len(truth) == 0:
        raise SerError("temperature: no validation utterance to fit it on")

    def cost(temperature: float) -> float:
        return negative_log_likelihood(apply_temperature(probabilities, temperature), truth)

    low, high = 0, len(TEMPERATURES) - 1
    while low < high:
        middle = (low + high) // 2
        if cost(TEMPERATURES[middle]) <= cost(TEMPERATURES[middle + 1]):
            high = middle
        else:
            low = middle + 1
    temperature = float(round(TEMPERATURES[low], 4))
    return temperature if cost(temperature) < cost(1.0) - 1e-12 else 1.0
