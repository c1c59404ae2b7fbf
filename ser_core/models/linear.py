"""Build linear classifiers of utterance vectors, chosen by folds of training speakers.

The vectors are functionals (eGeMAPS, ComParE, our own) or means of a frozen encoder. A linear classifier with an L2
penalty depends on the utterances only through their inner products. The standard scores are therefore rotated into the
space that the training utterances span: 960 dimensions instead of the 6,373 of ComParE, with the same answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ser_core.models.classical import inner_splits, softmax, uar_scorer

LEVELS = ("as recorded", "peak normalised")
"""What the rows of an input with two levels are computed from."""
C_CHOICES = {
    "logistic regression": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "linear SVM": (0.00001, 0.0001, 0.001, 0.01, 0.1),
}
"""Learner to the values of C, the inverse strength of the penalty, among which it chooses."""
CLASS_WEIGHTS = (None, "balanced")
"""Every utterance counts the same, or every class."""


@dataclass(frozen=True)
class Choice:
    """Describe one candidate of the search."""

    learner: str  # a key of C_CHOICES
    C: float
    class_weight: str | None
    level: int = 0  # row of the input


class LinearClassifier:
    """Classify utterance vectors by logistic regression or a linear SVM, on standard scores.

    Learner, C, class weights and, for an input of two rows, the level of the recordings are chosen together, by the
    UAR over folds of training speakers. The probabilities of the SVM are a softmax of its decision values.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int
    learners : tuple of str, default all
        keys of :data:`C_CHOICES`

    Attributes
    ----------
    chosen : dict
        after ``fit``: the fields of the best :class:`Choice`, and its ``inner_uar``
    parameters : int
        after ``fit``: number of weights
    """

    uses_all_speakers = True  # ``refit`` also takes the validation speakers: nothing is stopped or kept on them

    def __init__(self, classes: int, seed: int, learners: tuple[str, ...] = tuple(C_CHOICES)):
        self.classes, self.seed, self.learners = classes, seed, learners
        self.chosen: dict[str, Any] = {}

    def fit(
        self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None
    ) -> LinearClassifier:
        """Choose by inner folds, then fit to all utterances.

        Parameters
        ----------
        x : float32 [utterances, size] or [utterances, levels, size]
        y : int [utterances]
            class indices
        groups : str [utterances]
            speakers
        strata : str [utterances], optional
            what the inner folds balance, such as the sex of the speaker
        """
        from threadpoolctl import threadpool_limits

        x = x[:, None] if x.ndim == 2 else x
        with threadpool_limits(1):
            scores: dict[Choice, list[float]] = {}
            for train, held_out in inner_splits(y, groups, self.seed, strata):
                for choice, score in self._search(x, y, train, held_out):
                    scores.setdefault(choice, []).append(score)
            best = max(scores, key=lambda choice: float(np.mean(scores[choice])))  # the first of equals
        self.choice = best
        level = {"level": LEVELS[best.level]} if x.shape[1] == len(LEVELS) else {}
        self.chosen = asdict(best) | {"level": None} | level
        if not level:
            del self.chosen["level"]
        self.chosen["inner_uar"] = round(float(np.mean(scores[best])), 6)
        return self.refit(x, y)

    @staticmethod
    def weights(size: int, classes: int) -> int:
        """Return the number of weights for vectors of a size and more than two classes."""
        return classes * (size + 1)

    def refit(
        self, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None, strata: np.ndarray | None = None
    ) -> LinearClassifier:
        """Fit to utterances with what was chosen before."""
        from threadpoolctl import threadpool_limits

        x = x[:, None] if x.ndim == 2 else x
        with threadpool_limits(1):
            self.rotation = Rotation(x[:, self.choice.level])
            self.model = self._learner(self.choice).fit(self.rotation.apply(x[:, self.choice.level]), y)
        self.parameters = self.model.coef_.shape[0] * x.shape[2] + self.model.intercept_.size
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]; a class without training utterances gets 0."""
        x = x[:, None] if x.ndim == 2 else x
        rotated = self.rotation.apply(x[:, self.choice.level])
        if hasattr(self.model, "predict_proba"):
            values = self.model.predict_proba(rotated)
        else:
            decision = self.model.decision_function(rotated)
            values = softmax(np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision)
        full = np.zeros((len(x), self.classes))
        full[:, self.model.classes_] = values
        return full

    def _search(
        self, x: np.ndarray, y: np.ndarray, train: np.ndarray, held_out: np.ndarray
    ) -> Iterator[tuple[Choice, float]]:
        """Yield every candidate with its UAR on one inner fold."""
        for level in range(x.shape[1]):
            rotation = Rotation(x[train, level])
            fitted, tested = rotation.apply(x[train, level]), rotation.apply(x[held_out, level])
            for learner in self.learners:
                for weight in CLASS_WEIGHTS:
                    for c in C_CHOICES[learner]:
                        choice = Choice(learner, c, weight, level)
                        model = self._learner(choice).fit(fitted, y[train])
                        yield choice, uar_scorer(model, tested, y[held_out])

    def _learner(self, choice: Choice) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        common: dict[str, Any] = {"C": choice.C, "class_weight": choice.class_weight, "random_state": self.seed}
        if choice.learner == "linear SVM":
            return LinearSVC(**common, dual=True, max_iter=5000, tol=1e-3)
        return LogisticRegression(**common, max_iter=1000)


def logistic_regression(classes: int, seed: int) -> LinearClassifier:
    """Return a linear classifier that is a logistic regression: the probe on a frozen encoder."""
    return LinearClassifier(classes, seed, ("logistic regression",))


class Rotation:
    """Standardise vectors by training statistics, and rotate them into the space of the training utterances.

    Parameters
    ----------
    x : float [utterances, size]
        training utterances
    """

    def __init__(self, x: np.ndarray):
        x = np.asarray(x, dtype=np.float64)
        self.mean = x.mean(axis=0)
        deviation = x.std(axis=0)
        self.deviation = np.where(deviation > 1e-12 * np.maximum(1.0, np.abs(self.mean)), deviation, np.inf)
        self.basis = None
        if x.shape[1] > len(x):
            scores = (x - self.mean) / self.deviation
            values, vectors = np.linalg.eigh(scores @ scores.T)
            kept = values > values.max(initial=0.0) * 1e-12
            self.basis = scores.T @ (vectors[:, kept] / np.sqrt(values[kept]))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Return float64 [utterances, dimensions]; inner products with training utterances are kept."""
        scores = (np.asarray(x, dtype=np.float64) - self.mean) / self.deviation
        return scores if self.basis is None else scores @ self.basis
