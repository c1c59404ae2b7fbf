"""Linear classifiers: against scikit-learn without the rotation, and the choice of level, learner and C."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from ser_core.models import linear


def vectors(n=48, size=200, classes=3, seed=0, shift=1.0):
    """More dimensions than utterances; the first ones carry the class."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = random.normal(size=(n, size)) * np.linspace(0.1, 10.0, size) + 5.0
    x[:, :classes] += shift * np.eye(classes)[y]
    return x.astype(np.float32), y, np.array([f"s{i // 3 % 8}" for i in range(n)])


@pytest.mark.parametrize("size", [20, 200])
def test_the_rotation_keeps_inner_products_of_standard_scores(size):
    x, _, _ = vectors(size=size)
    unseen = vectors(n=9, size=size, seed=1)[0]
    scaler = StandardScaler().fit(x.astype(np.float64))
    rotation = linear.Rotation(x)
    expected = scaler.transform(unseen.astype(np.float64)) @ scaler.transform(x.astype(np.float64)).T
    assert np.allclose(rotation.apply(unseen) @ rotation.apply(x).T, expected, atol=1e-6)


def test_a_constant_dimension_has_no_effect():
    x, _, _ = vectors(size=20)
    with_constant = np.column_stack([x, np.full(len(x), 3.0, dtype=np.float32)])
    assert np.allclose(linear.Rotation(with_constant).apply(with_constant)[:, -1], 0.0)


@pytest.mark.parametrize("learner", linear.C_CHOICES)
def test_the_answers_are_those_of_scikit_learn_on_all_dimensions(learner, monkeypatch):
    x, y, groups = vectors()
    unseen = vectors(n=30, seed=1)[0]
    monkeypatch.setattr(linear, "C_CHOICES", {learner: (0.01,)})
    monkeypatch.setattr(linear, "CLASS_WEIGHTS", (None,))
    fitted = linear.LinearClassifier(3, 0, (learner,)).fit(x, y, groups)
    scaler = StandardScaler().fit(x.astype(np.float64))
    z, tested = scaler.transform(x.astype(np.float64)), scaler.transform(unseen.astype(np.float64))
    if learner == "linear SVM":
        direct = LinearSVC(C=0.01, dual=True, max_iter=5000, tol=1e-6, random_state=0).fit(z, y)
        decision = direct.decision_function(tested)
        assert np.mean(fitted.predict_proba(unseen).argmax(axis=1) == decision.argmax(axis=1)) > 0.95
    else:
        direct = LogisticRegression(C=0.01, max_iter=1000, tol=1e-8).fit(z, y)
        assert np.allclose(fitted.predict_proba(unseen), direct.predict_proba(tested), atol=1e-3)
    assert fitted.parameters == 3 * (200 + 1)


def test_the_level_that_tells_the_emotion_is_chosen():
    x, y, groups = vectors(size=10, shift=8.0)
    noise = np.random.default_rng(5).normal(size=x.shape).astype(np.float32)
    for level, pair in enumerate([(x, noise), (noise, x)]):
        chosen = linear.LinearClassifier(3, 0).fit(np.stack(pair, axis=1), y, groups).chosen
        assert chosen["level"] == linear.LEVELS[level] and chosen["inner_uar"] > 0.9


def test_refit_keeps_the_choice_and_learns_further_utterances():
    x, y, groups = vectors(size=10, shift=8.0)
    fitted = linear.LinearClassifier(4, 0).fit(x, y, groups)
    before, chosen = fitted.predict_proba(x), dict(fitted.chosen)
    more = np.concatenate([x, x[:3] + 20.0])
    fitted.refit(more, np.concatenate([y, [3, 3, 3]]))
    assert fitted.chosen == chosen and (before[:, 3] == 0.0).all()
    assert (fitted.predict_proba(x[:3] + 20.0).argmax(axis=1) == 3).all()
