"""Scores as plain functions: truth first, prediction second, the labels fixed by the corpus.

A held-out fold may lack a class, or a network may never predict one. The label set is therefore always given, never
taken from the data. A class with no utterance in the truth has no recall and is left out of the mean over classes
(as scikit-learn's ``balanced_accuracy_score`` does); a class never predicted has precision 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def confusion(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Confusion matrix: int [labels, labels], rows are the truth, columns the prediction.

    Raises
    ------
    ValueError
        for sequences of different length or a value that is no label
    """
    if len(truth) != len(prediction):
        raise ValueError(f"{len(truth)} truths and {len(prediction)} predictions")
    index = {label: i for i, label in enumerate(labels)}
    unknown = (set(truth) | set(prediction)) - set(index)
    if unknown:
        raise ValueError(f"not among the labels: {sorted(unknown)}")
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(matrix, ([index[t] for t in truth], [index[p] for p in prediction]), 1)
    return matrix


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def class_scores(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall, F1 (fractions) and support: [..., labels] from confusion matrices [..., labels, labels]."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).astype(float)
    support, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2.0 * hits, support + predicted),
        "support": support,
    }


def scores_from_confusion(matrix: np.ndarray) -> dict:
    """Accuracy, UAR, and macro precision, recall and F1 from a confusion matrix; fractions, 0 to 1.

    ``uar`` and ``recall`` are the same number: the mean of the recalls over the classes present in the truth. Of a
    stack of matrices [..., labels, labels] each score is an array [...]; of an empty matrix it is NaN.
    """
    each = class_scores(matrix)
    present = each["support"] > 0
    classes = present.sum(axis=-1)

    def mean(values):
        total = np.where(present, values, 0.0).sum(axis=-1)
        return np.divide(total, classes, out=np.full(np.shape(total), np.nan), where=classes > 0)

    hits, count = np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1))
    found = {
        "accuracy": np.divide(hits, count, out=np.full(np.shape(hits), np.nan), where=count > 0),
        "uar": mean(each["recall"]),
        **{name: mean(each[name]) for name in ("precision", "recall", "f1")},
    }
    return {name: float(value) for name, value in found.items()} if matrix.ndim == 2 else found


def one_vs_rest_accuracy(matrix: np.ndarray) -> float:
    """Eq. 1 of III.B, (TP + TN) / all, taken for each class against the rest and averaged over the classes.

    True negatives count for every class but two of a mistake, so this is 1 - 2 (1 - accuracy) / classes: 0.78 for
    guessing among eight. A possible reading of the paper's figures, not of ours. NaN for an empty matrix.
    """
    accuracy, classes = scores_from_confusion(np.asarray(matrix))["accuracy"], len(matrix)
    return 1.0 - 2.0 * (1.0 - accuracy) / classes


def accuracy_from_one_vs_rest(as_printed: float, classes: int) -> float:
    """The accuracy (fraction) behind an :func:`accuracy_as_printed`; below 0 where none is."""
    return 1.0 - classes * (1.0 - as_printed) / 2.0


def scores(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """All scores of III.B (Eq. 1 read as plain accuracy): see :func:`scores_of`."""
    return scores_from_confusion(confusion(truth, prediction, labels))


def accuracy(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> float:
    """Fraction of correct predictions."""
    return scores(truth, prediction, labels)["accuracy"]


def uar(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> float:
    """Unweighted average recall: the mean over classes of the fraction found."""
    return scores(truth, prediction, labels)["uar"]


def f1(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> float:
    """Macro F1: the mean over classes of 2 TP / (2 TP + FN + FP)."""
    return scores(truth, prediction, labels)["f1"]


def cross_entropy(truth: Sequence[str], probabilities: np.ndarray, labels: Sequence[str]) -> float:
    """Mean of -ln of the probability [utterances, labels] given to the truth, clipped at 1e-7 as in training."""
    index = {label: i for i, label in enumerate(labels)}
    given = np.asarray(probabilities, dtype=np.float64)[np.arange(len(truth)), [index[t] for t in truth]]
    return float(-np.log(np.clip(given, 1e-7, 1.0)).mean())


@dataclass(frozen=True)
class ClassScores:
    """Scores of one emotion against the rest: fractions, and the number of its utterances."""

    precision: float
    recall: float
    f1: float
    support: int


def per_class(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> dict[str, ClassScores]:
    """Compute precision, recall, F1 and support of each label.

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
