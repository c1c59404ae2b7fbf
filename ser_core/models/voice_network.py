"""Build the small network on voice functionals: from scratch, or taught by a frozen speech encoder.

The input is :mod:`ser_core.features.voice`: a row for the recording as it is, and one for each copy at another speed.
Two perceptrons with one hidden layer are trained with :mod:`ser_core.training.mixing`, and their probabilities are
averaged. Nothing is stopped or kept on validation speakers, so in the end these are learnt too.

The robust form has one perceptron for clean and one for corrupted recordings. The second one is also trained with
corrupted copies (:mod:`ser_core.audio.corruption`), further rows of the input. A logistic regression on the same
functionals tells clean from corrupted recordings; its probabilities are the shares of the two in the answer.

The distilled form has a further input row, which only training uses: the vector of a Whisper encoder. In every
training set, a logistic regression on that vector answers for speakers that it was not fitted to. Its answers are part
of the targets. A tested speaker is never among those that it was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core.features import voice, whisper
from ser_core.models.classical import inner_folds, softmax

if TYPE_CHECKING:
    import keras
    from sklearn.linear_model import LogisticRegression

NETWORKS = 2
"""Perceptrons whose probabilities are averaged."""
UNITS = 128
LIMIT = 4.0
"""Standard scores of the inputs are limited to this."""
INPUT_DROPOUT, DROPOUT = 0.2, 0.5
TEACHER_C = 0.01
"""Inverse strength of the penalty of the teacher's logistic regressions."""
TEACHER_SHARE = 0.7
"""Share of the teacher's answers in the targets."""
CLEAN_SHARE = 0.2
"""Share of the copies without corruption in the training of the perceptron for corrupted recordings."""
GATE_C = 0.001
"""Inverse strength of the penalty of the logistic regression that tells clean from corrupted recordings."""


def perceptron(size: int, classes: int, **layers: float) -> keras.Model:
    """Build a perceptron with one hidden layer, uncompiled.

    Parameters
    ----------
    size : int
        number of inputs
    classes : int
        number of emotions
    **layers
        ``input_dropout`` and ``dropout``, by default 0.2 and 0.5: shares that are left out before and after the
        hidden layer

    Returns
    -------
    keras.Model
        from float32 [batch, size] to probabilities [batch, classes]
    """
    import keras

    given = keras.Input((size,))
    return keras.Model(given, _answer(given, classes, 0, **layers), name="voice_network")


def _answer(x, classes: int, number: int = 0, *, input_dropout: float = INPUT_DROPOUT, dropout: float = DROPOUT):
    """Apply the layers of a perceptron, named by its number, to [batch, size]: probabilities [batch, classes]."""
    from keras import layers

    x = layers.Dropout(input_dropout, name=f"input_dropout_{number}")(x)
    x = layers.Dense(UNITS, name=f"hidden_{number}")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"normalization_{number}")(x)
    x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return layers.Dense(classes, activation="softmax", name=f"answer_{number}")(x)


class VoiceNetwork:
    """Classify voice functionals by small networks, trained from scratch.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int

    Attributes
    ----------
    chosen : dict
        after ``fit``: what the row says of the training
    parameters : int
        after ``fit``: number of trainable weights
    """

    uses_all_speakers = True  # ``refit`` also takes the validation speakers: nothing is stopped or kept on them
    trained = "mixing"  # its ``fit`` takes ``training.mixing.fit_mixed``
    copies = len(voice.SPEEDS)  # rows of the input with which the networks are trained
    layers: tuple[dict[str, Any], ...] = ({},) * NETWORKS  # settings of each ``perceptron``

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict[str, Any] = {"networks": NETWORKS, "teacher": "none"}

    def fit(
        self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None, *,
        fit_network: Callable[..., Any],
    ) -> VoiceNetwork:  # fmt: skip
        """Fit to inputs [utterances, rows, size], class indices, speakers and their sex.

        ``fit_network`` is :func:`ser_core.training.mixing.fit_mixed`.
        """
        self.fit_network = fit_network
        return self.refit(x, y, groups, strata)

    def refit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None) -> VoiceNetwork:
        """Fit again, to other utterances."""
        from ser_core.models import count_parameters

        copies = self._functionals(x).astype(np.float64)
        self.mean = copies.mean(axis=(0, 1))
        self.deviation = copies.std(axis=(0, 1)) + 1e-6
        scores = self._scores(x)
        targets = self.targets(x, y, groups, strata)
        self.networks = [self._train(number, scores, targets) for number in range(NETWORKS)]
        self.parameters = sum(map(count_parameters, self.networks))
        return self

    @classmethod
    def weights(cls, size: int, classes: int) -> int:
        """Return the number of weights for a number of classes; of the input only the functionals count."""
        from ser_core.models import count_parameters

        return NETWORKS * count_parameters(perceptron(voice.SIZE, classes))

    def _train(self, number: int, scores: np.ndarray, targets: np.ndarray, **settings: Any) -> keras.Model:
        """Train one of the perceptrons on standard scores [utterances, copies, size]."""
        seed, layers = self.seed * NETWORKS + number, self.layers[number]
        return self.fit_network(
            lambda: perceptron(scores.shape[-1], self.classes, **layers), scores, targets, seed=seed, **settings
        )

    def targets(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
        """Return what the networks are to answer: float [utterances, classes]."""
        return np.eye(self.classes)[y]

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]; only the row of the recording as it is counts."""
        scores = self._scores(x[:, :1])[:, 0]
        return np.mean([network.predict(scores, batch_size=256, verbose=0) for network in self.networks], axis=0)

    def as_network(self) -> keras.Model:
        """Return one network that gives what ``predict_proba`` gives: from functionals [batch, size], not scaled."""
        import keras

        given = keras.Input((voice.SIZE,))
        x = keras.layers.Normalization(mean=self.mean, variance=np.square(self.deviation), name="scores")(given)
        x = keras.ops.clip(x, -LIMIT, LIMIT)
        answers = [_answer(x, self.classes, number) for number in range(len(self.networks))]
        whole = keras.Model(given, self._mixture(x, answers), name="voice_network")
        for number, network in enumerate(self.networks):
            trained = [layer for layer in network.layers if layer.weights]
            for layer, name in zip(trained, ("hidden", "normalization", "answer"), strict=True):
                whole.get_layer(f"{name}_{number}").set_weights(layer.get_weights())
        return whole

    def _mixture(self, x, answers: list):
        """Mix the answers of the networks to standard scores [batch, size], in Keras."""
        import keras

        return keras.layers.Average(name="average")(answers)

    def _functionals(self, x: np.ndarray) -> np.ndarray:
        return x[:, : self.copies, : voice.SIZE]

    def _scores(self, x: np.ndarray) -> np.ndarray:
        scores = (self._functionals(x) - self.mean) / self.deviation
        return np.clip(scores, -LIMIT, LIMIT).astype(np.float32)


class RobustVoiceNetwork(VoiceNetwork):
    """Classify voice functionals by one small network for clean recordings, and one for corrupted recordings.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int

    Attributes
    ----------
    gate : LogisticRegression
        after ``fit``: its second probability is that of a corrupted recording, from standard scores
    """

    copies = len(voice.SPEEDS) + len(voice.CORRUPTED)
    layers = ({}, {"input_dropout": 0.1, "dropout": 0.35})  # corruption takes the place of some dropout

    def __init__(self, classes: int, seed: int):
        super().__init__(classes, seed)
        self.chosen["corrupted_copies"] = len(voice.CORRUPTED)

    def refit(
        self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None
    ) -> RobustVoiceNetwork:
        """Fit again, to other utterances: both networks, then what tells clean from corrupted recordings."""
        super().refit(x, y, groups, strata)
        self.gate = self._fit_gate(self._scores(x))
        self.parameters += self.gate.coef_.size + 1
        return self

    @classmethod
    def weights(cls, size: int, classes: int) -> int:
        """Return the number of weights, with those of the gate."""
        return super().weights(size, classes) + voice.SIZE + 1

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]; only the row of the recording as it is counts."""
        scores = self._scores(x[:, :1])[:, 0]
        answers = (network.predict(scores, batch_size=256, verbose=0) for network in self.networks)
        shares = self.gate.predict_proba(scores).T.astype(np.float32)
        return sum(share[:, None] * answer for share, answer in zip(shares, answers, strict=True))

    def as_network(self) -> keras.Model:
        """Return one network that gives what ``predict_proba`` gives: from functionals [batch, size], not scaled."""
        whole = super().as_network()
        whole.get_layer("gate").set_weights([self.gate.coef_.T, self.gate.intercept_])
        return whole

    def _mixture(self, x, answers: list):
        from keras import layers

        corrupted = layers.Dense(1, activation="sigmoid", name="gate")(x)
        clean = layers.Rescaling(-1.0, offset=1.0, name="clean")(corrupted)
        shares = zip(("clean_share", "corrupted_share"), (clean, corrupted), answers, strict=True)
        return layers.Add(name="mixture")(
            [layers.Multiply(name=name)([share, answer]) for name, share, answer in shares]
        )

    def _train(self, number: int, scores: np.ndarray, targets: np.ndarray, **settings: Any) -> keras.Model:
        speeds = len(voice.SPEEDS)
        if number == 0:
            return super()._train(number, scores[:, :speeds], targets)
        corrupted = scores.shape[1] - speeds
        shares = [CLEAN_SHARE / speeds] * speeds + [(1.0 - CLEAN_SHARE) / corrupted] * corrupted
        return super()._train(number, scores, targets, shares=tuple(shares))

    def _fit_gate(self, scores: np.ndarray) -> LogisticRegression:
        """Fit the logistic regression to one clean and one corrupted copy of each utterance."""
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        random, each, speeds = np.random.default_rng(self.seed), np.arange(len(scores)), len(voice.SPEEDS)
        clean = scores[each, random.integers(0, speeds, len(each))]
        corrupted = scores[each, random.integers(speeds, scores.shape[1], len(each))]
        with threadpool_limits(1):
            return LogisticRegression(C=GATE_C, max_iter=300).fit(
                np.concatenate([clean, corrupted]).astype(np.float64), np.repeat([0, 1], len(each))
            )


class DistilledVoiceNetwork(VoiceNetwork):
    """Classify voice functionals by small networks, taught by Whisper encoders.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int
    teacher : str, default "whisper_tiny_en_base"
        one of ``whisper.COMBINATIONS``: the encoders whose vectors are in the last row of the input
    """

    def __init__(self, classes: int, seed: int, teacher: str = "whisper_tiny_en_base"):
        super().__init__(classes, seed)
        self.teacher = teacher
        self.chosen["teacher"] = whisper.title(teacher)

    def targets(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
        """Return the labels, mixed with the teacher's answers for speakers that it was not fitted to."""
        from threadpoolctl import threadpool_limits

        sizes = [2 * whisper.CHECKPOINTS[name].size for name in whisper.COMBINATIONS[self.teacher]]
        row = x[:, len(voice.SPEEDS), : sum(sizes)].astype(np.float64)
        answers = np.zeros((len(y), self.classes))
        with threadpool_limits(1):
            for train, held_out in inner_folds(y, groups, self.seed, strata).split(x, y):
                for vectors in np.split(row, np.cumsum(sizes)[:-1], axis=1):
                    answers[held_out] += self._teach(vectors[train], y[train], vectors[held_out])
        return (1 - TEACHER_SHARE) * np.eye(self.classes)[y] + TEACHER_SHARE * softmax(answers)

    def _teach(self, vectors: np.ndarray, y: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Fit one logistic regression, and return its logarithms of probabilities, at least -30."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(vectors)
        regression = LogisticRegression(C=TEACHER_C, class_weight="balanced", max_iter=300, random_state=self.seed)
        regression.fit(scaler.transform(vectors), y)
        logarithms = np.full((len(asked), self.classes), -30.0)
        with np.errstate(divide="ignore"):
            logarithms[:, regression.classes_] = regression.predict_log_proba(scaler.transform(asked))
        return np.maximum(logarithms, -30.0)
