"""Build models on frozen speech encoders: linear and attention probes, a mixture of experts.

The encoders are those of :mod:`ser_core.features.encoders`; :mod:`ser_core.models.linear` has the probe for one vector
per utterance. The probes are learners as in :mod:`ser_core.models.classical`: the layer is
chosen by folds of training speakers. The mixture is a network that weights the layers itself.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ser_core.models.classical import inner_splits, uar_scorer

C_CHOICES = (0.001, 0.01, 0.1)
"""Inverse strengths of the penalty; smaller than for classical systems, as an utterance has hundreds of inputs."""
EPOCHS, PATIENCE, RATE = 100, 10, 0.003
"""Of the attention probe: maximum epochs, patience of early stopping, learning rate of Adam."""
SPECTRAL = 294
"""Functionals of 42 channels in the last row of the mixture's input."""
EXPERT_UNITS = 64
"""Hidden units of each expert."""


def _select_layer(x: np.ndarray, layer: int) -> np.ndarray:
    return x[:, layer]


class LinearProbe:
    """Classify the mean over time of one encoder layer by multinomial logistic regression, on standard scores.

    The layer and C are chosen together, by UAR over folds of training speakers.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int

    Attributes
    ----------
    chosen : dict
        after ``fit``: ``layer``, ``C`` and their ``inner_uar``
    parameters : int
        after ``fit``: number of weights
    """

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict[str, Any] = {}

    def fit(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None) -> "LinearProbe":
        """Fit to means of layers [utterances, layers, size], class indices, speakers and what inner folds balance."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler
        from threadpoolctl import threadpool_limits

        probe = Pipeline([
            ("layer", FunctionTransformer(_select_layer)),
            ("scores", StandardScaler()),
            ("regression", LogisticRegression(max_iter=1000)),
        ])  # fmt: skip
        choices = {"layer__kw_args": [{"layer": i} for i in range(x.shape[1])], "regression__C": C_CHOICES}
        search = GridSearchCV(probe, choices, scoring=uar_scorer, cv=inner_splits(y, groups, self.seed, strata))
        with threadpool_limits(1):  # small matrices: several threads of BLAS are ten times as slow
            self.search = search.fit(x, y)
        best = search.best_params_
        self.chosen = {"layer": best["layer__kw_args"]["layer"], "C": best["regression__C"]}
        self.chosen["inner_uar"] = round(float(search.best_score_), 6)
        regression = search.best_estimator_["regression"]
        self.parameters = regression.coef_.size + regression.intercept_.size
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities [utterances, classes]."""
        full = np.zeros((len(x), self.classes))
        full[:, self.search.classes_] = self.search.predict_proba(x)
        return full


def true_steps(x: np.ndarray) -> np.ndarray:
    """Mark the steps that belong to the utterance; padding is zero in all layers.

    Parameters
    ----------
    x : float [utterances, steps, layers, size]

    Returns
    -------
    ndarray of bool [utterances, steps]

    Examples
    --------
    >>> true_steps(np.array([1.0, 0.0]).reshape(1, 2, 1, 1))
    array([[ True, False]])
    """
    return np.any(x != 0.0, axis=(2, 3))


class AttentionProbe:
    """Classify the steps of one encoder layer by attention over the steps and a softmax, on standard scores.

    The layer is the one that the linear probe chooses on the means of the steps. The network is trained on the first
    inner fold, with early stopping on the speakers that this fold holds out.

    Parameters
    ----------
    classes : int
        number of emotions
    seed : int

    Attributes
    ----------
    chosen : dict
        after ``fit``: ``layer``, its ``inner_uar`` and the best epoch ``epochs``
    parameters : int
        after ``fit``: trainable parameters of the network
    """

    trained = "early stopping"  # its ``fit`` takes ``training.fit.fit_in_memory``

    def __init__(self, classes: int, seed: int):
        self.classes, self.seed = classes, seed
        self.chosen: dict[str, Any] = {}

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        groups: np.ndarray,
        strata: np.ndarray | None = None,
        *,
        fit_network: Callable,
    ) -> "AttentionProbe":
        """Fit to steps [utterances, steps, layers, size], class indices and speakers.

        Parameters
        ----------
        x : float32 [utterances, steps, layers, size]
            zero after the end of an utterance
        y : int [utterances]
            class indices
        groups : str [utterances]
            speakers
        strata : str [utterances], optional
            what the inner folds balance
        fit_network : callable
            :func:`ser_core.training.fit.fit_in_memory`; this package builds networks and does not train them
        """
        from ser_core import models

        counts = np.maximum(1, true_steps(x).sum(axis=1))
        linear = LinearProbe(self.classes, self.seed).fit(x.sum(axis=1) / counts[:, None, None], y, groups, strata)
        self.layer = linear.chosen["layer"]
        train, held_out = inner_splits(y, groups, self.seed, strata)[0]
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
        """Return probabilities [utterances, classes]."""
        return self.network.predict(np.ascontiguousarray(x[:, :, self.layer]), batch_size=128, verbose=0)


def attention_network(shape: tuple[int, int], classes: int):
    """Build attention over the steps that are not padding, then a softmax.

    It has size + 1 + (size + 1) x classes parameters.

    Parameters
    ----------
    shape : (steps, size)
    classes : int
        number of emotions

    Returns
    -------
    keras.Model
    """
    import keras
    from keras import layers, ops

    from ser_core.models import blocks

    inputs = keras.Input(shape, name="steps")
    speech = ops.any(ops.not_equal(inputs, 0.0), axis=-1, keepdims=True)
    pooled = blocks.attention_pooling(blocks.scaled(inputs, -1), mask=speech)
    return blocks.network(inputs, layers.Dropout(0.5, name="dropout")(pooled), classes, "attention_probe")


def mixture_of_experts(shape: tuple[int, int], classes: int):
    """Build a mixture of a self-supervised and a spectral expert (Hyeon et al. 2024, [11]): 71,275 parameters.

    A reconstruction. Every input is standardised with statistics of the training set. The layers are summed with
    weights that are the same for all utterances: a softmax over one number per layer. Each expert is a hidden layer of
    64 units and a softmax over the emotions. A gate, a softmax over the inputs of both, mixes their probabilities.

    Parameters
    ----------
    shape : (layers + 1, width)
        the mean of each layer over time, then the functionals of 42 channels, padded with zeros
    classes : int
        number of emotions

    Returns
    -------
    keras.Model
    """
    import keras
    from keras import layers, ops

    from ser_core.models import blocks

    inputs = keras.Input(shape, name="layers_and_functionals")
    x = blocks.scaled(inputs, (1, 2))
    hidden, spectral = x[:, :-1], x[:, -1, :SPECTRAL]
    ones = ops.ones_like(x[:, 0, :1])
    equal = {"use_bias": False, "kernel_initializer": "zeros", **blocks.FLOAT32}
    weights = layers.Dense(shape[0] - 1, activation="softmax", name="layer_weights", **equal)(ones)
    layer_sum = layers.Dot(axes=1, name="layer_sum", **blocks.FLOAT32)([weights, hidden])
    experts = ops.stack([_expert(layer_sum, classes, "ssl"), _expert(spectral, classes, "spectral")], axis=1)
    both = ops.concatenate([layer_sum, spectral], axis=-1)
    gate = layers.Dense(2, activation="softmax", name="gate", **blocks.FLOAT32)(both)
    mixed = layers.Dot(axes=1, name="probabilities", **blocks.FLOAT32)([gate, experts])
    return keras.Model(inputs, mixed, name="moe_ssl_spectral")


def _expert(x, classes: int, name: str):
    """Apply one expert: a hidden layer, then a softmax over the emotions."""
    from keras import layers

    from ser_core.models.blocks import FLOAT32

    x = layers.Dense(EXPERT_UNITS, activation="relu", name=f"{name}_dense", **FLOAT32)(x)
    x = layers.Dropout(0.5, name=f"{name}_dropout", **FLOAT32)(x)
    return layers.Dense(classes, activation="softmax", name=f"{name}_expert", **FLOAT32)(x)
