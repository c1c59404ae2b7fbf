"""On frozen self-supervised encoders (:mod:`ser_core.features.encoders`): a linear and an attention probe, a mixture of experts.

The probes are learners as in :mod:`ser_core.models.classical`: the layer is chosen by folds of training speakers. The
mixture is a network and weighs the layers itself.
"""

import numpy as np

from ser_core.models.classical import inner_folds, uar_scorer

C_CHOICES = (0.001, 0.01, 0.1)
"""Inverse strengths of the penalty; smaller than the classical systems', for hundreds of inputs an utterance."""
EPOCHS, PATIENCE, RATE = 100, 10, 0.003
"""Of the attention probe: epochs at most, epochs without a better loss, learning rate of Adam."""
SPECTRAL = 294
"""Functionals of 42 channels, which the mixture finds in the last row of its input."""
EXPERT_UNITS = 64


def _layer(x: np.ndarray, layer: int) -> np.ndarray:
    return x[:, layer]


class LinearProbe:
    """Mean over time of one layer, standard scores, multinomial logistic regression.

    Layer and C are chosen together, by UAR over folds of training speakers.
    """

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict = {}

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> "LinearProbe":
        """``x`` float [n, layers, size]: the mean of each layer over time."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler
        from threadpoolctl import threadpool_limits

        probe = Pipeline([
            ("layer", FunctionTransformer(_layer)),
            ("scores", StandardScaler()),
            ("regression", LogisticRegression(max_iter=1000)),
        ])  # fmt: skip
        choices = {"layer__kw_args": [{"layer": i} for i in range(x.shape[1])], "regression__C": C_CHOICES}
        search = GridSearchCV(probe, choices, scoring=uar_scorer, cv=inner_folds(y, groups, self.seed))
        with threadpool_limits(1):  # small matrices: more threads of BLAS wait for each other, ten times as long
            self.search = search.fit(x, y, groups=groups)
        best = search.best_params_
        self.chosen = {"layer": best["layer__kw_args"]["layer"], "C": best["regression__C"]}
        self.chosen["inner_uar"] = round(float(search.best_score_), 6)
        regression = search.best_estimator_["regression"]
        self.parameters = regression.coef_.size + regression.intercept_.size
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        full = np.zeros((len(x), self.classes))
        full[:, self.search.classes_] = self.search.predict_proba(x)
        return full


def true_steps(x: np.ndarray) -> np.ndarray:
    """Which steps are speech: bool [n, steps]; padding is zero in all layers."""
    return np.any(x != 0.0, axis=(2, 3))


class AttentionProbe:
    """One layer in steps of time, standard scores, attention over the steps, softmax.

    The layer is the one that the linear probe chooses on the means of the steps. The network is trained on the first of
    the inner folds, with early stopping on the speakers which that fold holds out.
    """

    trained = True  # its ``fit`` takes a function that trains networks

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict = {}

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, *, fit_network) -> "AttentionProbe":
        """``x`` float [n, steps, layers, size], zeros after the end of an utterance.

        ``fit_network`` is :func:`ser_core.training.fit.fit_in_memory`: this room knows networks, not how to train them.
        """
        from ser_core import models

        counts = np.maximum(1, true_steps(x).sum(axis=1))
        linear = LinearProbe(self.classes, self.seed).fit(x.sum(axis=1) / counts[:, None, None], y, groups)
        self.layer = linear.chosen["layer"]
        train, held_out = next(inner_folds(y, groups, self.seed).split(x, y, groups))
        layer = np.ascontiguousarray(x[:, :, self.layer])
        self.network, best_epoch = fit_network(
            lambda: attention_network((x.shape[1], x.shape[3]), self.classes),
            (layer[train], y[train]), (layer[held_out], y[held_out]),
            epochs=EPOCHS, patience=PATIENCE, learning_rate=RATE, seed=self.seed,
        )  # fmt: skip
        self.chosen = {"layer": self.layer, "inner_uar": linear.chosen["inner_uar"], "epochs": best_epoch}
        self.parameters = models.count_parameters(self.network)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self.network.predict(np.ascontiguousarray(x[:, :, self.layer]), batch_size=128, verbose=0)


def attention_network(shape: tuple[int, int], classes: int):
    """Attention over the steps [steps, size] that are not padding, softmax: size + 1 + (size + 1) x classes."""
    import keras
    from keras import layers, ops

    from ser_core.models import blocks

    inputs = keras.Input(shape, name="steps")
    speech = ops.any(ops.not_equal(inputs, 0.0), axis=-1, keepdims=True)
    pooled = blocks.attention_pooling(blocks.scaled(inputs, -1), mask=speech)
    return blocks.network(inputs, layers.Dropout(0.5, name="dropout")(pooled), classes, "attention_probe")


def mixture_of_experts(shape: tuple[int, int], classes: int):
    """Mixture of a self-supervised and a spectral expert [11] (Hyeon et al. 2024), a reconstruction.

    Input [layers + 1, width]: the mean of each layer over time, then the functionals of 42 channels, padded with zeros;
    every value is scaled on the training side. The layers are summed with weights that are the same for all utterances
    (a softmax over one number a layer). Each expert is a hidden layer of 64 and a softmax over the emotions; a gate, a
    softmax over both experts' inputs, mixes their probabilities. 71,275 parameters at 8 classes.
    """
    import keras
    from keras import layers, ops

    from ser_core.models import blocks

    inputs = keras.Input(shape, name="layers_and_functionals")
    x = blocks.scaled(inputs, (1, 2))
    hidden, spectral = x[:, :-1], x[:, -1, :SPECTRAL]
    one = ops.ones_like(x[:, 0, :1])
    equal = {"use_bias": False, "kernel_initializer": "zeros", **blocks.FLOAT32}
    weights = layers.Dense(shape[0] - 1, activation="softmax", name="layer_weights", **equal)(one)
    learnt = layers.Dot(axes=1, name="layer_sum", **blocks.FLOAT32)([weights, hidden])
    answers = ops.stack([_expert(learnt, classes, "ssl"), _expert(spectral, classes, "spectral")], axis=1)
    both = ops.concatenate([learnt, spectral], axis=-1)
    gate = layers.Dense(2, activation="softmax", name="gate", **blocks.FLOAT32)(both)
    mixed = layers.Dot(axes=1, name="probabilities", **blocks.FLOAT32)([gate, answers])
    return keras.Model(inputs, mixed, name="moe_ssl_spectral")


def _expert(x, classes: int, name: str):
    from keras import layers

    from ser_core.models.blocks import FLOAT32

    x = layers.Dense(EXPERT_UNITS, activation="relu", name=f"{name}_dense", **FLOAT32)(x)
    x = layers.Dropout(0.5, name=f"{name}_dropout", **FLOAT32)(x)
    return layers.Dense(classes, activation="softmax", name=f"{name}_expert", **FLOAT32)(x)
