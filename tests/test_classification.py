"""Scores of classes, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics as sk

from ser_core import metrics

LABELS = ("neutral", "happy", "sad", "angry")


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_scikit_learn(seed):
    random = np.random.default_rng(seed)
    truth, prediction = random.choice(LABELS, 200), random.choice(LABELS, 200)
    ours = metrics.scores(truth, prediction, LABELS)
    p, r, f, _ = sk.precision_recall_fscore_support(truth, prediction, labels=LABELS, average="macro", zero_division=0)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(truth, prediction))
    assert [ours[k] for k in ("precision", "recall", "f1")] == pytest.approx([p, r, f])
    assert ours["uar"] == pytest.approx(sk.balanced_accuracy_score(truth, prediction))
    assert np.array_equal(
        metrics.confusion(truth, prediction, LABELS), sk.confusion_matrix(truth, prediction, labels=LABELS)
    )
    assert metrics.uar(truth, prediction, LABELS) == ours["uar"]


def test_scores_by_hand():
    truth = ["happy", "happy", "sad", "sad", "sad"]
    prediction = ["happy", "sad", "sad", "sad", "angry"]
    each = metrics.per_class(truth, prediction, LABELS)
    assert vars(each["happy"]) == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2})
    assert vars(each["sad"]) == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    assert metrics.accuracy(truth, prediction, LABELS) == pytest.approx(3 / 5)


def test_a_class_absent_from_the_truth_is_not_averaged():
    truth, prediction = ["happy", "happy"], ["happy", "sad"]
    assert (
        metrics.uar(truth, prediction, LABELS)
        == 0.5
        == sk.recall_score(truth, prediction, labels=["happy"], average="macro")
    )
    assert metrics.f1(truth, prediction, LABELS) == pytest.approx(2 / 3)


def test_class_indices_score_like_class_names():
    truth, prediction = [1, 1, 2, 3], np.array([1, 2, 2, 0])
    names = [[LABELS[i] for i in values] for values in (truth, prediction)]
    assert metrics.uar(truth, prediction, range(4)) == metrics.uar(*names, LABELS)


def test_a_class_never_predicted_has_precision_zero():
    assert metrics.per_class(["sad"], ["happy"], LABELS)["sad"] == metrics.ClassScores(0, 0, 0, 1)


@pytest.mark.parametrize(("truth", "prediction"), [(["happy"], []), (["joy"], ["happy"]), (["happy"], ["joy"])])
def test_bad_input_is_an_error(truth, prediction):
    with pytest.raises(ValueError, match="truths and|not among the labels"):
        metrics.confusion(truth, prediction, LABELS)


def test_cross_entropy_is_its_definition():
    p = np.array([[0.7, 0.3], [0.1, 0.9], [1.0, 0.0]])
    assert metrics.cross_entropy(["a", "b", "b"], p, ["a", "b"]) == pytest.approx(
        -(np.log(0.7) + np.log(0.9) + np.log(1e-7)) / 3
    )
