"""Score predictions: classification, calibration, uncertainty, significance.

The functions of ``classification`` are reached through the package: ``metrics.uar(truth, prediction, labels)``.
"""

from ser_core._utils.lazy import attach_modules
from ser_core.metrics.classification import (
    ClassScores,
    accuracy,
    accuracy_from_one_vs_rest,
    class_scores,
    confusion,
    cross_entropy,
    f1,
    one_vs_rest_accuracy,
    per_class,
    scores,
    scores_from_confusion,
    uar,
)

__all__ = [
    "ClassScores",
    "accuracy",
    "accuracy_from_one_vs_rest",
    "class_scores",
    "confusion",
    "cross_entropy",
    "f1",
    "one_vs_rest_accuracy",
    "per_class",
    "scores",
    "scores_from_confusion",
    "uar",
]

attach_modules(__name__)
