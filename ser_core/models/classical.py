"""Classical systems: SVM on functionals, one mixture a class, one hidden Markov model a class.

A learner has ``fit(x, y, groups)`` and ``predict_proba(x)``: inputs float32 as ``inputs.INPUTS`` gives them, ``y``
class indices, ``groups`` the speaker of each utterance. All that is fitted, scaling too, is fitted on the training
side; what is chosen is chosen by folds of training speakers.
"""

import numpy as np

C_CHOICES = (0.1, 1.0, 10.0, 100.0)
INNER_FOLDS = 4


def inner_folds(y: np.ndarray, groups: np.ndarray, seed: int):
    """Folds inside the training side: by speaker where there are enough, else stratified over utterances."""
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    speakers = len(set(groups))
    if speakers >= 2:
        return GroupKFold(min(INNER_FOLDS, speakers))
    return StratifiedKFold(min(INNER_FOLDS, int(np.bincount(y).min())), shuffle=True, random_state=seed)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Rows of scores to rows that sum to 1."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def uar_scorer(estimator, x: np.ndarray, y: np.ndarray) -> float:
    """Unweighted average recall over the classes that are there, as scikit-learn asks for a score."""
    from sklearn.metrics import recall_score

    return recall_score(y, estimator.predict(x), labels=np.unique(y), average="macro")


class SupportVectorMachine:
    """Standard scores, then an RBF machine; C by UAR over folds of training speakers.

    The probabilities are a softmax of the one-against-rest decision values: their order is the machine's, their size
    is not calibrated.
    """

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict = {}

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> "SupportVectorMachine":
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        machine = SVC(decision_function_shape="ovr", break_ties=True, cache_size=500, random_state=self.seed)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), machine), {"svc__C": C_CHOICES}, scoring=uar_scorer,
            cv=inner_folds(y, groups, self.seed),
        )  # fmt: skip
        self.search = search.fit(x, y, groups=groups)
        self.chosen = {"C": search.best_params_["svc__C"], "inner_uar": round(float(search.best_score_), 6)}
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        scores = self.search.decision_function(x)
        if scores.ndim == 1:  # two classes
            scores = np.stack([-scores, scores], axis=1)
        return _spread(softmax(scores), self.search.classes_, self.classes)


def _spread(values: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Columns of the classes that training had, zeros for those that it lacked."""
    full = np.zeros((len(values), classes))
    full[:, found] = values
    return full


def true_frames(x: np.ndarray) -> list[np.ndarray]:
    """The frames of each utterance without the padding, which is zero in all channels."""
    return [one[np.any(one != 0.0, axis=1)] if np.any(one) else one[:1] for one in x]


class _OneModelAClass:
    """Common to mixtures and Markov models: fit one for each emotion, answer by the likelihood per frame."""

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict = {}

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray):
        self.models = {
            label: self._one([f for f, truth in zip(true_frames(x), y) if truth == label]) for label in sorted(set(y))
        }
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        frames = true_frames(x)
        scores = np.array([[model.score(one) / self._per(one) for model in self.models.values()] for one in frames])
        return _spread(softmax(scores), np.array(list(self.models)), self.classes)


class GaussianMixtures(_OneModelAClass):
    """One mixture of 16 diagonal Gaussians an emotion, on frames."""

    COMPONENTS = 16

    def _one(self, utterances: list[np.ndarray]):
        from sklearn.mixture import GaussianMixture

        frames = np.concatenate(utterances)
        count = min(self.COMPONENTS, len(frames))
        mixture = GaussianMixture(count, covariance_type="diag", reg_covar=1e-3, random_state=self.seed, max_iter=100)
        return mixture.fit(frames)

    def _per(self, frames: np.ndarray) -> int:
        return 1  # scikit-learn's score is the mean over frames


class HiddenMarkovModels(_OneModelAClass):
    """One left-to-right hidden Markov model an emotion: five states, each a mixture of two diagonal Gaussians.

    It starts flat: each utterance is cut into five equal parts, and each state is fitted to its part. As the frames are
    z-scored, one more frame of mean 0 and variance :attr:`PRIOR` in each Gaussian keeps one that hardly any frame
    visits from having no variance.
    """

    STATES, COMPONENTS, PRIOR = 5, 2, 0.1

    def _one(self, utterances: list[np.ndarray]):
        import logging

        from hmmlearn.hmm import GMMHMM

        logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # a state that few frames visit is no news
        stay = np.eye(self.STATES) * 0.5 + np.eye(self.STATES, k=1) * 0.5
        stay[-1, -1] = 1.0
        model = GMMHMM(
            self.STATES, self.COMPONENTS, covariance_type="diag", n_iter=15, tol=1.0, random_state=self.seed,
            init_params="", params="tmcw", weights_prior=2.0, means_weight=1.0, covars_prior=-1.0,
            covars_weight=self.PRIOR / 2,
        )  # fmt: skip
        model.startprob_, model.transmat_ = np.eye(self.STATES)[0], stay
        parts = [np.array_split(one, self.STATES) for one in utterances]
        mixtures = [self._state(np.concatenate(part)) for part in zip(*parts)]
        for name in ("weights_", "means_", "covars_"):
            setattr(model, name, np.stack([mixture[name] for mixture in mixtures]))
        return model.fit(np.concatenate(utterances), [len(one) for one in utterances])

    def _state(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Weights, means and variances of one state's mixture at the start."""
        from sklearn.mixture import GaussianMixture

        frames = frames if len(frames) > 1 else np.zeros((2, frames.shape[1]))
        found = GaussianMixture(
            self.COMPONENTS, covariance_type="diag", reg_covar=self.PRIOR, random_state=self.seed
        ).fit(frames)
        return {"weights_": found.weights_, "means_": found.means_, "covars_": found.covariances_}

    def _per(self, frames: np.ndarray) -> int:
        return len(frames)
