"""Fit a network to a continuous label by the concordance correlation (CCC) of each batch, with early stopping.

The loss is 1 - CCC, as in MSP-Podcast's challenges: a squared error would pull the predictions towards the mean. The
epoch with the highest CCC on the validation utterances is kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.metrics import regression
from ser_core.training import batch_norm, fit, speedups
from ser_core.training.optimizers import make_optimizer, restarted_rate

EPSILON = 1e-7
"""Added to the denominator of the loss, which is 0 for a batch of equal values."""


@dataclass
class RegressionFit:
    """How a training went.

    Attributes
    ----------
    history : dict of name to list of float
        ``loss`` (1 - CCC of the batches, mean) and ``val_ccc`` per epoch
    best_epoch : int
        the epoch that is kept, from 1
    seconds : float
    mean, deviation : float
        of the training labels, by which the network's output is scaled back
    """

    mean: float
    deviation: float
    history: dict[str, list[float]] = field(default_factory=lambda: {"loss": [], "val_ccc": []})
    best_epoch: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.history["loss"])


def ccc_loss(truth: Any, prediction: Any) -> Any:
    """Compute 1 - CCC of a batch, for Keras; see :func:`ser_core.metrics.regression.ccc`.

    Parameters
    ----------
    truth, prediction : tensor [batch, 1]

    Returns
    -------
    tensor []
        0 to 2
    """
    from keras import ops

    x, y = (ops.reshape(ops.cast(values, "float32"), (-1,)) for values in (truth, prediction))
    a, b = x - ops.mean(x), y - ops.mean(y)
    spread = ops.mean(a * a) + ops.mean(b * b) + ops.square(ops.mean(x) - ops.mean(y))
    return 1.0 - 2.0 * ops.mean(a * b) / (spread + EPSILON)


def fit_regression(
    network, train, validation, config: fit.TrainingConfig, *, progress: bool = True, label: str = ""
) -> RegressionFit:
    """Train a network on a continuous label; it ends with the weights of the epoch that is kept.

    Parameters
    ----------
    network : keras.Model
        that of :func:`ser_core.models.regression_head.with_regression_head`, not compiled
    train, validation : (float32 [n, *shape], float [n])
        inputs and labels
    config : TrainingConfig
        ``patience`` counts epochs without a higher validation CCC
    progress : bool, default True
        show a bar on standard error
    label : str
        title of the bar

    Returns
    -------
    RegressionFit

    Raises
    ------
    SerError
        for training labels that are all equal, or a network that gives no numbers
    """
    from tqdm import tqdm

    x, y = train[0], np.asarray(train[1], dtype=np.float64)
    done = RegressionFit(float(y.mean()), float(y.std()))
    if not done.deviation > 0:
        raise SerError(f"{label}: all training labels are {y[0]:g}; there is nothing to learn")
    target = ((y - done.mean) / done.deviation).astype(np.float32)[:, None]
    optimizer = make_optimizer(config.optimizer, config.learning_rate, config.weight_decay)
    network.compile(optimizer=optimizer, loss=ccc_loss, jit_compile=False)
    speedups.create_variables(network, target)
    start, best, kept = time.perf_counter(), -np.inf, network.get_weights()
    bar = tqdm(total=config.epochs, desc=label, unit="epoch", disable=None if progress else True)
    while done.epochs < config.epochs and done.epochs - done.best_epoch < config.patience:
        if config.restarts:
            network.optimizer.learning_rate = restarted_rate(config.learning_rate, done.epochs, config.restarts)
        order = np.random.default_rng([config.seed, done.epochs]).permutation(len(x))
        batches = speedups.batches(x[order], target[order], size=config.batch)
        loss = network.fit(**batches, shuffle=False, verbose=0).history["loss"][0]
        if config.batch_norm == "precise":
            batch_norm.recompute_statistics(network, x, fit.EVALUATION_BATCH)
        predicted = predict(network, validation[0], done)
        if not np.isfinite(predicted).all():
            raise SerError(f"{label}: epoch {done.epochs + 1} gives no numbers; lower the learning rate")
        score = float(np.nan_to_num(regression.ccc(validation[1], predicted), nan=0.0))
        done.history["loss"].append(round(float(loss), 6))
        done.history["val_ccc"].append(round(score, 6))
        if score > best:
            best, kept, done.best_epoch = score, network.get_weights(), done.epochs
        bar.update()
        bar.set_postfix(loss=f"{loss:.3f}", val_ccc=f"{score:.3f}")
    bar.close()
    network.set_weights(kept)
    done.seconds = time.perf_counter() - start
    return done


def predict(network, x: np.ndarray, done: RegressionFit) -> np.ndarray:
    """Predict the label on the corpus's own scale: float64 [utterances]."""
    values = network.predict(**speedups.batches(x, size=fit.EVALUATION_BATCH), verbose=0)
    return np.asarray(values, dtype=np.float64)[:, 0] * done.deviation + done.mean
