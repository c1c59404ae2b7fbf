"""Statistics of batch normalisation taken anew without dropout, for a network that dropout makes judge by wrong ones.

While a network trains, its moving statistics are gathered with dropout on. Dropout leaves the mean of what follows as
it is and raises the variance, so a normalisation behind dropout judges, where nothing is dropped, by a variance that is
too large: "variance shift" (Li et al. 2019, CVPR, "Understanding the disharmony between dropout and batch normalization
by variance shift"). The remedy is the mean and variance over the training side with nothing dropped ("precise
BatchNorm", Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm").
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ser_core._utils.errors import SerError

KINDS = ("moving", "precise")
"""What a network judges by: statistics gathered while it trained, as sources have it, or those taken anew."""

ENOUGH = 512
"""Utterances, drawn once, that the statistics are taken over: of an image each gives a channel thousands of numbers."""


def recompute_statistics(model, x: np.ndarray, size: int) -> None:
    """Give every batch normalisation the mean and variance of what reaches it from ``x``, with nothing dropped.

    Parameters
    ----------
    model : keras.Model, changed in place; its weights and what drives its dropout stay
    x : float32 [n, *shape], the training inputs; of more than :data:`ENOUGH`, so many are drawn
    size : utterances a batch. Layers before a normalisation normalise by their batch meanwhile, so that one pass does
        for all; the batches are joined as one: the mean variance within them, and the variance of their means

    Raises
    ------
    SerError
        for a network without batch normalisation
    """
    import keras

    found = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    if not found:
        raise SerError(f"batch_norm precise: network {model.name} has no batch normalisation; leave the choice out")
    if len(x) > ENOUGH:
        x = x[np.sort(np.random.default_rng(0).permutation(len(x))[:ENOUGH])]
    counts, means, variances = [], [[] for _ in found], [[] for _ in found]
    with _inference_with_batch_statistics(model, found):
        for start in range(0, len(x), size):
            batch = x[start : start + size]
            model(batch, training=True)
            counts.append(len(batch))
            for layer, mean, variance in zip(found, means, variances, strict=True):
                mean.append(np.asarray(layer.moving_mean, np.float64))
                variance.append(np.asarray(layer.moving_variance, np.float64))
    for layer, mean, variance in zip(found, means, variances, strict=True):
        centre = np.average(mean, axis=0, weights=counts)
        layer.moving_mean.assign(centre)
        layer.moving_variance.assign(np.average(variance + np.square(mean - centre), axis=0, weights=counts))


@contextmanager
def _inference_with_batch_statistics(model, normalisations: list) -> Iterator[None]:
    """Nothing is dropped, and the moving statistics are those of the last batch."""
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
