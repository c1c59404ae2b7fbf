"""Build classical systems: an SVM, a forest, a Gaussian mixture or hidden Markov model per emotion.

A learner has ``fit(x, y, groups, strata)`` and ``predict_proba(x)``. ``x`` holds float32 inputs of
:data:`ser_core.features.inputs.INPUTS`, ``y`` class indices, ``groups`` the speaker of each utterance, ``strata`` the
sex of the speaker. Everything, scaling included, is fitted on training utterances only. Hyperparameters are chosen by
folds of training speakers.
"""

from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted

C_CHOICES = (0.1, 1.0, 10.0, 100.0)
"""Values of C among which the SVM chooses."""
INNER_FOLDS = 4
"""Folds of training speakers, or one per speaker where these are fewer."""


def inner_folds(y: np.ndarray, groups: np.ndarray, seed: int, strata: np.ndarray | None = None):
    """Return folds within the training set: by speaker, or stratified over utterances for a single speaker.

    The speakers of each stratum are dealt in turn. On RAVDESS, where the sexes alternate, dealing all speakers in
    turn would make folds of one sex.

    Parameters
    ----------
    y : int [utterances]
        class indices
    groups : str [utterances]
        speakers
    seed : int
        of the stratified folds
    strata : str [utterances], optional
        what every fold gets its share of, such as the sex of the speaker

    Returns
    -------
    scikit-learn splitter

    Examples
    --------
    >>> inner_folds(np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"]), seed=0).get_n_splits()
    2
    """
    from sklearn.model_selection import PredefinedSplit, StratifiedKFold

    strata = np.zeros(len(groups)) if strata is None else strata
    speakers = sorted(set(zip(strata.tolist(), groups.tolist(), strict=True)))
    if len(set(groups)) < 2:
        return StratifiedKFold(min(INNER_FOLDS, int(np.bincount(y).min())), shuffle=True, random_state=seed)
    fold: dict[str, int] = {}
    for _, speaker in speakers:
        fold.setdefault(speaker, len(fold) % min(INNER_FOLDS, len(set(groups))))
    return PredefinedSplit([fold[speaker] for speaker in groups.tolist()])


def inner_splits(
    y: np.ndarray, groups: np.ndarray, seed: int, strata: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the inner folds that can be used: those that train at least two classes.

    A single speaker with fewer than two utterances of a class gets folds over utterances that are not stratified.

    Parameters
    ----------
    y, groups, seed, strata
        as in :func:`inner_folds`

    Returns
    -------
    list of (int [training utterances], int [held-out utterances])
        places among the utterances

    Raises
    ------
    SerError
        for utterances of one class, or so few that every fold would train one class alone

    Examples
    --------
    >>> [(train.tolist(), held_out.tolist()) for train, held_out in inner_splits(
    ...     np.array([0, 1, 0, 0]), np.array(["a", "a", "b", "b"]), seed=0)]  # speaker b has one class
    [([0, 1], [2, 3])]
    """
    from sklearn.model_selection import KFold

    classes, counts = np.unique(y, return_counts=True)
    if len(set(groups)) > 1:
        splitter = inner_folds(y, groups, seed, strata)
    elif counts.min() > 1:
        splitter = inner_folds(np.searchsorted(classes, y), groups, seed)
    else:
        splitter = KFold(max(2, min(INNER_FOLDS, len(y))), shuffle=True, random_state=seed) if len(y) > 1 else None
    every = list(splitter.split(y[:, None], y)) if splitter else []
    usable = [(train, held_out) for train, held_out in every if len(set(y[train])) > 1]
    if not usable:
        raise SerError(
            f"{counted(len(y), 'training utterance')} of {counted(len(classes), 'emotion')} and "
            f"{counted(len(set(groups)), 'speaker')}: too few to "
            "choose the settings of a classical system; use another fold or protocol, or more recordings"
        )
    return usable


def softmax(scores: np.ndarray) -> np.ndarray:
    """Compute the softmax of each row.

    Parameters
    ----------
    scores : float [utterances, classes]

    Returns
    -------
    ndarray of float [utterances, classes]
        each row sums to 1

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def uar_scorer(estimator, x: np.ndarray, y: np.ndarray) -> float:
    """Compute the UAR over the classes of ``y``, as a scorer of scikit-learn.

    Parameters
    ----------
    estimator : fitted scikit-learn estimator
    x : float [utterances, ...]
    y : int [utterances]
        class indices

    Returns
    -------
    float
        0 to 1
    """
    from sklearn.metrics import recall_score

    return recall_score(y, estimator.predict(x), labels=np.unique(y), average="macro")


class SupportVectorMachine:
    """Classify functionals by an SVM with an RBF kernel, on standard scores.

    C is chosen by UAR over folds of training speakers. The probabilities are a softmax of the one-against-rest decision
    values: their order is that of the SVM, their size is not calibrated.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int

    Attributes
    ----------
    chosen : dict
        after ``fit``: ``C`` and its ``inner_uar``
    """

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict[str, Any] = {}

    def fit(
        self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None
    ) -> "SupportVectorMachine":
        """Fit to inputs [utterances, functionals], class indices, speakers, and what the inner folds balance."""
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        machine = SVC(decision_function_shape="ovr", break_ties=True, cache_size=500, random_state=self.seed)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), machine), {"svc__C": C_CHOICES}, scoring=uar_scorer,
            cv=inner_splits(y, groups, self.seed, strata),
        )  # fmt: skip
        self.search = search.fit(x, y)
        self.chosen = {"C": search.best_params_["svc__C"], "inner_uar": round(float(search.best_score_), 6)}
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]."""
        scores = self.search.decision_function(x)
        if scores.ndim == 1:  # two classes
            scores = np.stack([-scores, scores], axis=1)
        return _spread(softmax(scores), self.search.classes_, self.classes)


def _spread(values: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Spread the columns of the classes present in training over all classes; the others get zeros."""
    full = np.zeros((len(values), classes))
    full[:, present] = values
    return full


class RandomForest:
    """Classify vectors by a random forest with fixed settings, which needs no scaling and chooses nothing.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int
    """

    TREES, SMALLEST_LEAF = 200, 5

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict[str, Any] = {}

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None) -> "RandomForest":
        """Fit to vectors [utterances, size] and class indices; speakers have no effect."""
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            self.TREES, min_samples_leaf=self.SMALLEST_LEAF, class_weight="balanced", random_state=self.seed, n_jobs=1
        )
        self.forest = forest.fit(x, y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]: means over the trees."""
        return _spread(self.forest.predict_proba(x), self.forest.classes_, self.classes)


def true_frames(x: np.ndarray) -> list[np.ndarray]:
    """Return the frames of each utterance without its padding, which is zero in all channels.

    Parameters
    ----------
    x : float [utterances, frames, channels]

    Returns
    -------
    list of ndarray [frames, channels]
        an utterance of zeros keeps one frame

    Examples
    --------
    >>> [len(frames) for frames in true_frames(np.array([[[1.0], [2.0], [0.0]], [[0.0], [0.0], [0.0]]]))]
    [2, 1]
    """
    return [frames[np.any(frames != 0.0, axis=1)] if np.any(frames) else frames[:1] for frames in x]


class _ModelPerClass:
    """Fit one model per emotion, and compare their likelihoods per frame: mixtures and hidden Markov models."""

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict[str, Any] = {}

    def _fit_class(self, utterances: list[np.ndarray]) -> Any:
        raise NotImplementedError

    def _log_likelihood(self, model: Any, frames: np.ndarray) -> float:
        """Return the log-likelihood per frame."""
        raise NotImplementedError

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None):
        """Fit to inputs [utterances, frames, channels] and class indices; speakers have no effect."""
        self.models = {
            label: self._fit_class([frames for frames, truth in zip(true_frames(x), y) if truth == label])
            for label in sorted(set(y))
        }
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]: a softmax of the log-likelihoods per frame."""
        scores = np.array(
            [[self._log_likelihood(model, frames) for model in self.models.values()] for frames in true_frames(x)]
        )
        return _spread(softmax(scores), np.array(list(self.models)), self.classes)


class GaussianMixtures(_ModelPerClass):
    """Classify frames by one mixture of 16 diagonal Gaussians per emotion.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int
    """

    COMPONENTS = 16

    def _fit_class(self, utterances: list[np.ndarray]) -> Any:
        from sklearn.mixture import GaussianMixture

        frames = np.concatenate(utterances)
        count = min(self.COMPONENTS, len(frames))
        mixture = GaussianMixture(count, covariance_type="diag", reg_covar=1e-3, random_state=self.seed, max_iter=100)
        return mixture.fit(frames)

    def _log_likelihood(self, model: Any, frames: np.ndarray) -> float:
        return model.score(frames)  # scikit-learn's score is the mean over frames


class HiddenMarkovModels(_ModelPerClass):
    """Classify utterances by one left-to-right hidden Markov model per emotion.

    A model has five states, each a mixture of two diagonal Gaussians. To initialise it, each utterance is cut into five
    equal parts, and each state is fitted to its part. The frames are z-scored: one more frame of mean 0 and variance
    ``PRIOR`` in each Gaussian keeps the variance of a Gaussian with few frames above zero.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int
    """

    STATES, COMPONENTS, PRIOR = 5, 2, 0.1

    def _fit_class(self, utterances: list[np.ndarray]) -> Any:
        import logging

        from hmmlearn.hmm import GMMHMM

        logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # it warns of states with few frames
        stay = np.eye(self.STATES) * 0.5 + np.eye(self.STATES, k=1) * 0.5
        stay[-1, -1] = 1.0
        model = GMMHMM(
            self.STATES, self.COMPONENTS, covariance_type="diag", n_iter=15, tol=1.0, random_state=self.seed,
            init_params="", params="tmcw", weights_prior=2.0, means_weight=1.0, covars_prior=-1.0,
            covars_weight=self.PRIOR / 2,
        )  # fmt: skip
        model.startprob_, model.transmat_ = np.eye(self.STATES)[0], stay
        parts = [np.array_split(frames, self.STATES) for frames in utterances]
        mixtures = [self._initial_state(np.concatenate(part)) for part in zip(*parts)]
        for name in ("weights_", "means_", "covars_"):
            setattr(model, name, np.stack([mixture[name] for mixture in mixtures]))
        return model.fit(np.concatenate(utterances), [len(frames) for frames in utterances])

    def _initial_state(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Return the initial weights, means and variances of one state's mixture."""
        from sklearn.mixture import GaussianMixture

        frames = frames if len(frames) > 1 else np.zeros((2, frames.shape[1]))
        mixture = GaussianMixture(
            self.COMPONENTS, covariance_type="diag", reg_covar=self.PRIOR, random_state=self.seed
        ).fit(frames)
        return {"weights_": mixture.weights_, "means_": mixture.means_, "covars_": mixture.covariances_}

    def _log_likelihood(self, model: Any, frames: np.ndarray) -> float:
        return model.score(frames) / len(frames)
