"""Score predicted classes: confusion matrix, accuracy, UAR, and precision, recall and F1 per class.

Every function takes the truth first, the prediction second, and the label set of the corpus third. A held-out fold
may lack a class, and a network may never predict one, so the label set is never taken from the data. A class with no
utterance in the truth has no recall and is left out of the mean over classes, as in scikit-learn's
``balanced_accuracy_score``. A class that is never predicted has precision 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Classes = Sequence[Any] | np.ndarray
"""The class of each utterance, or the label set: names of emotions, or their indices."""


def confusion(truth: Classes, prediction: Classes, labels: Classes) -> np.ndarray:
    """Compute the confusion matrix.

    Parameters
    ----------
    truth, prediction : sequence of str or int [utterances]
    labels : sequence of str or int
        every class, in a fixed order

    Returns
    -------
    int [labels, labels]
        rows are the truth, columns the prediction

    Raises
    ------
    ValueError
        for sequences of different length, or a value that is not among the labels

    Examples
    --------
    >>> confusion(["sad", "sad"], ["sad", "angry"], ["sad", "angry"]).tolist()
    [[1, 1], [0, 0]]
    """
    return unit_confusions(np.zeros(len(truth), dtype=np.int64), truth, prediction, labels, units=1)[0]


def unit_confusions(
    unit: np.ndarray, truth: Classes, prediction: Classes, labels: Classes, *, units: int
) -> np.ndarray:
    """Compute the confusion matrix of each unit, such as a speaker, in one pass.

    Parameters
    ----------
    unit : int [utterances]
        number of the unit of each utterance, from 0; utterances with -1 are left out
    truth, prediction : sequence of str or int [utterances]
    labels : sequence of str or int
        every class, in a fixed order
    units : int
        number of units

    Returns
    -------
    int [units, labels, labels]
        rows are the truth, columns the prediction

    Raises
    ------
    ValueError
        as :func:`confusion`

    Examples
    --------
    >>> unit_confusions(np.array([0, 1, 1]), [3, 3, 4], [3, 4, 4], [3, 4], units=2).tolist()
    [[[1, 0], [0, 0]], [[0, 1], [0, 1]]]
    """
    if len(truth) != len(prediction):
        raise ValueError(f"{len(truth)} truths and {len(prediction)} predictions: give one of each per utterance")
    index = {label: i for i, label in enumerate(labels)}
    (true, unknown), (predicted, others) = _numbers(truth, index), _numbers(prediction, index)
    if unknown | others:
        raise ValueError(f"not among the labels: {sorted(unknown | others)}")
    count, kept = len(index), np.asarray(unit) >= 0
    places = (np.asarray(unit)[kept] * count + true[kept]) * count + predicted[kept]
    return np.bincount(places, minlength=units * count * count).reshape(units, count, count)


def _numbers(values: Classes, index: dict[Any, int]) -> tuple[np.ndarray, set[Any]]:
    """Return the number of each value's label, and the values that are no labels; each distinct value is looked up."""
    if hasattr(values, "factorize"):
        codes, distinct = values.factorize(use_na_sentinel=False)
    else:
        distinct, codes = np.unique(np.asarray(values), return_inverse=True)
    known = list(distinct)
    unknown = {value for value in known if value not in index}
    table = np.array([index.get(value, -1) for value in known], dtype=np.int64)
    return table[codes] if len(known) else np.zeros(0, dtype=np.int64), unknown


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def class_scores(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Compute precision, recall, F1 and support of each class from confusion matrices.

    Parameters
    ----------
    matrix : int or float [..., labels, labels]

    Returns
    -------
    dict of str to array [..., labels]
        ``precision``, ``recall``, ``f1`` (fractions, 0 to 1) and ``support`` (utterances)
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).astype(float)
    support, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2.0 * hits, support + predicted),
        "support": support,
    }


def scores_from_confusion(matrix: np.ndarray) -> dict[str, Any]:
    """Compute accuracy, UAR, and macro precision, recall and F1 from confusion matrices.

    ``uar`` and ``recall`` are the same number: the mean of the recalls over the classes present in the truth.

    Parameters
    ----------
    matrix : int or float [..., labels, labels]

    Returns
    -------
    dict of str to float or array [...]
        fractions, 0 to 1; NaN for an empty matrix; floats for one matrix, arrays for a stack of them
    """
    each = class_scores(matrix)
    present = each["support"] > 0
    classes = present.sum(axis=-1)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.where(present, values, 0.0).sum(axis=-1)
        return np.divide(total, classes, out=np.full(np.shape(total), np.nan), where=classes > 0)

    hits, count = np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1))
    result = {
        "accuracy": np.divide(hits, count, out=np.full(np.shape(hits), np.nan), where=count > 0),
        "uar": mean(each["recall"]),
        **{name: mean(each[name]) for name in ("precision", "recall", "f1")},
    }
    return {name: float(value) for name, value in result.items()} if matrix.ndim == 2 else result


def one_vs_rest_accuracy(matrix: np.ndarray) -> float:
    """Compute accuracy as Eq. 1 of section III.B, (TP + TN) / all, averaged over the classes.

    Each class is taken against the rest. A mistake has true negatives in every class but two, so the result is
    1 - 2 (1 - accuracy) / classes: 0.78 for guessing among eight. It is one possible reading of the paper's figures;
    this suite does not use it for its own.

    Parameters
    ----------
    matrix : int [labels, labels]

    Returns
    -------
    float
        0 to 1; NaN for an empty matrix

    Examples
    --------
    >>> one_vs_rest_accuracy(np.array([[1, 1], [0, 2]]))
    0.75
    """
    accuracy, classes = scores_from_confusion(np.asarray(matrix))["accuracy"], len(matrix)
    return 1.0 - 2.0 * (1.0 - accuracy) / classes


def accuracy_from_one_vs_rest(as_printed: float, classes: int) -> float:
    """Compute the accuracy that gives a :func:`one_vs_rest_accuracy`.

    Parameters
    ----------
    as_printed : float
        accuracy by Eq. 1, fraction
    classes : int

    Returns
    -------
    float
        fraction; below 0 where no accuracy gives this value

    Examples
    --------
    >>> accuracy_from_one_vs_rest(0.75, classes=2)
    0.75
    """
    return 1.0 - classes * (1.0 - as_printed) / 2.0


def scores(truth: Classes, prediction: Classes, labels: Classes) -> dict[str, float]:
    """Compute all scores of section III.B; Eq. 1 is read as plain accuracy.

    Parameters
    ----------
    truth, prediction, labels
        as in :func:`confusion`

    Returns
    -------
    dict of str to float
        as in :func:`scores_from_confusion`
    """
    return scores_from_confusion(confusion(truth, prediction, labels))


def accuracy(truth: Classes, prediction: Classes, labels: Classes) -> float:
    """Compute the fraction of correct predictions; parameters as in :func:`confusion`."""
    return scores(truth, prediction, labels)["accuracy"]


def uar(truth: Classes, prediction: Classes, labels: Classes) -> float:
    """Compute the unweighted average recall: the mean over classes of their recalls.

    Parameters
    ----------
    truth, prediction, labels
        as in :func:`confusion`

    Returns
    -------
    float
        0 to 1; NaN without utterances

    Examples
    --------
    >>> uar(["sad", "sad", "happy"], ["sad", "happy", "happy"], ["happy", "sad"])
    0.75
    """
    return scores(truth, prediction, labels)["uar"]


def f1(truth: Classes, prediction: Classes, labels: Classes) -> float:
    """Compute the macro F1: the mean over classes of 2 TP / (2 TP + FN + FP); parameters as in :func:`confusion`."""
    return scores(truth, prediction, labels)["f1"]


def cross_entropy(truth: Classes, probabilities: np.ndarray, labels: Classes) -> float:
    """Compute the mean of -ln of the probability of the true class.

    Parameters
    ----------
    truth : sequence of str or int [utterances]
    probabilities : float [utterances, labels]
        clipped at 1e-7, as in training
    labels : sequence of str or int
        in the order of the probabilities

    Returns
    -------
    float
        nats
    """
    index = {label: i for i, label in enumerate(labels)}
    of_truth = np.asarray(probabilities, dtype=np.float64)[np.arange(len(truth)), [index[t] for t in truth]]
    return float(-np.log(np.clip(of_truth, 1e-7, 1.0)).mean())


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class against the rest.

    Attributes
    ----------
    precision, recall, f1 : float, fractions, 0 to 1
    support : int, utterances of the class in the truth
    """

    precision: float
    recall: float
    f1: float
    support: int


def per_class(truth: Classes, prediction: Classes, labels: Classes) -> dict[str, ClassScores]:
    """Compute precision, recall, F1 and support of each label.

    Parameters
    ----------
    truth, prediction, labels
        as in :func:`confusion`

    Returns
    -------
    dict of label to ClassScores

    Examples
    --------
    >>> per_class(["sad", "sad"], ["sad", "angry"], ["sad", "angry"])["sad"].recall
    0.5
    """
    each = class_scores(confusion(truth, prediction, labels))
    return {
        label: ClassScores(
            precision=float(each["precision"][i]),
            recall=float(each["recall"][i]),
            f1=float(each["f1"][i]),
            support=int(each["support"][i]),
        )
        for i, label in enumerate(labels)
    }
