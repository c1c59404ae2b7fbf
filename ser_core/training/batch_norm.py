"""Recompute the statistics of batch normalisation without dropout.

Moving statistics are gathered in training, with dropout on. Dropout keeps the mean of a layer's output but raises its
variance. A normalisation behind dropout therefore uses too large a variance at inference: "variance shift" (Li et al.
2019, CVPR, "Understanding the disharmony between dropout and batch normalization by variance shift").

The remedy is the mean and variance over the training set without dropout ("precise BatchNorm", Wu and Johnson 2021,
"Rethinking 'Batch' in BatchNorm").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ser_core._utils.errors import SerError

if TYPE_CHECKING:
    import keras

KINDS = ("moving", "precise")
"""Statistics that a network uses at inference: those gathered in training (the usual), or recomputed ones."""

ENOUGH = 512
"""Largest number of utterances for the statistics; of an image, each gives a channel thousands of values."""


def recompute_statistics(model: keras.Model, x: np.ndarray, size: int) -> None:
    """Recompute the mean and variance of every batch normalisation from training inputs, without dropout.

    All normalisations are measured in one pass, in which each normalises by its batch. The batches are then pooled: the
    mean variance within them, plus the variance of their means.

    Parameters
    ----------
    model : keras.Model
        network, changed in place; its weights and the random state of its dropout stay the same
    x : float32 [n, *shape]
        training inputs; of more than :data:`ENOUGH`, this many are drawn with a fixed seed
    size : int
        batch size in utterances

    Raises
    ------
    SerError
        for a network without batch normalisation
    """
    import keras

    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        raise SerError(f"batch_norm precise: network {model.name} has no batch normalisation; leave the option out")
    if len(x) > ENOUGH:
        x = x[np.sort(np.random.default_rng(0).permutation(len(x))[:ENOUGH])]
    counts: list[int] = []
    means: list[list[np.ndarray]] = [[] for _ in layers]
    variances: list[list[np.ndarray]] = [[] for _ in layers]
    with _batch_statistics_without_dropout(model, layers):
        for start in range(0, len(x), size):
            batch = x[start : start + size]
            model(batch, training=True)
            counts.append(len(batch))
            for layer, mean, variance in zip(layers, means, variances, strict=True):
                mean.append(np.asarray(layer.moving_mean, np.float64))
                variance.append(np.asarray(layer.moving_variance, np.float64))
    for layer, mean, variance in zip(layers, means, variances, strict=True):
        centre = np.average(mean, axis=0, weights=counts)
        layer.moving_mean.assign(centre)
        layer.moving_variance.assign(np.average(variance + np.square(mean - centre), axis=0, weights=counts))


@contextmanager
def _batch_statistics_without_dropout(model: keras.Model, normalisations: list) -> Iterator[None]:
    """Switch dropout off, and make the moving statistics those of the last batch."""
    import keras

    dropouts = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]
    rates, momenta = [layer.rate for layer in dropouts], [layer.momentum for layer in normalisations]
    try:
        for layer in dropouts:
            layer.rate = 0.0
        for layer in normalisations:
            layer.momentum = 0.0
        yield
    finally:
        for layer, rate in zip(dropouts, rates, strict=True):
            layer.rate = rate
        for layer, momentum in zip(normalisations, momenta, strict=True):
            layer.momentum = momentum
