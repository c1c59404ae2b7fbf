"""One number that mends a network's confidence (Guo et al. 2017): its logits are divided by the temperature."""

import numpy as np

from ser_core._utils.errors import SerError

TEMPERATURES = np.geomspace(0.25, 8.0, 701)
"""What can be fitted, in steps of half a percent; answers that are all right would drive it to 0."""
FLOOR = 1e-30
"""Least probability whose logarithm is taken."""


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of the logarithms divided by the temperature (Guo et al. 2017, Eq. 9): the answers stay the same.

    The logarithms are the network's logits but for a constant a row, which softmax takes no notice of. Gives float64
    [..., labels] that sum to 1; above a temperature of 1 they are less sure.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), FLOOR)) / temperature
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def negative_log_likelihood(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean of -log of the probability given to the truth, in nats."""
    right = np.asarray(probabilities, dtype=np.float64)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(right, FLOOR)).mean())


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of :data:`TEMPERATURES` that makes the cross-entropy least.

    The cross-entropy is convex in 1 / temperature, so there is one minimum, found by halving. Probabilities that no
    temperature betters (all equal, say) keep 1.

    Parameters
    ----------
    probabilities : float [utterances, labels], of utterances that were not trained on
    truth : int [utterances], index of the right label

    Raises
    ------
    SerError
        where there is no utterance
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
    found = float(round(TEMPERATURES[low], 4))
    return found if cost(found) < cost(1.0) - 1e-12 else 1.0
