"""Make ``scores.json``: predictions of a few utterances, and their scores by scikit-learn (an independent reference).

python tests/golden/make.py
"""

import json
from pathlib import Path

from sklearn import metrics

LABELS = ["neutral", "happy", "sad", "angry"]
TRUTH = [
    "neutral",
    "happy",
    "sad",
    "angry",
    "happy",
    "happy",
    "sad",
    "neutral",
    "angry",
    "angry",
    "sad",
    "happy",
    "neutral",
    "sad",
    "angry",
    "happy",
]
PREDICTION = [
    "neutral",
    "sad",
    "sad",
    "angry",
    "happy",
    "neutral",
    "sad",
    "neutral",
    "happy",
    "angry",
    "angry",
    "happy",
    "happy",
    "sad",
    "angry",
    "sad",
]
SPEAKERS = [f"{number % 4 + 1:02d}" for number in range(len(TRUTH))]


def reference(truth, prediction) -> dict:
    """Scores, confusion matrix and scores per class by scikit-learn."""
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, prediction, labels=LABELS, average="macro", zero_division=0
    )
    each = metrics.precision_recall_fscore_support(truth, prediction, labels=LABELS, average=None, zero_division=0)
    return {
        "scores": {
            "accuracy": metrics.accuracy_score(truth, prediction),
            "uar": metrics.balanced_accuracy_score(truth, prediction),
            "precision": precision,
            "recall": recall,
            "f1": f1,
        },
        "confusion": metrics.confusion_matrix(truth, prediction, labels=LABELS).tolist(),
        "per_class": {
            label: dict(zip(("precision", "recall", "f1", "support"), (value.item() for value in values), strict=True))
            for label, values in zip(LABELS, zip(*each, strict=True), strict=True)
        },
    }


if __name__ == "__main__":
    content = {
        "labels": LABELS,
        "speaker": SPEAKERS,
        "truth": TRUTH,
        "prediction": PREDICTION,
        **reference(TRUTH, PREDICTION),
    }
    Path(__file__).with_name("scores.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
