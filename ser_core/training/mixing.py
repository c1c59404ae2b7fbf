"""Train a small network for a fixed number of epochs on mixed copies of its training utterances.

Each epoch takes one copy of every utterance (such as a faster one), in a new order. Pairs of utterances and their
targets are mixed ("mixup": H. Zhang et al., ICLR 2018), and the targets are smoothed. AdamW (I. Loshchilov and
F. Hutter, ICLR 2019) follows a rate that rises, then falls along a cosine. No epoch is chosen, so no validation
utterances are needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core.training import speedups

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class MixingConfig:
    """Configure a training for a fixed number of epochs."""

    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.001  # at its highest, after a tenth of the steps
    weight_decay: float = 0.05
    mixing: float = 0.4  # both parameters of the Beta distribution of the share of the first utterance
    smoothing: float = 0.1  # share of the target that is spread over all classes
    shares: tuple[float, ...] | None = None  # probability of each copy; None for equal ones
    seed: int = 0


def mixed(x: np.ndarray, targets: np.ndarray, config: MixingConfig, random: np.random.Generator):
    """Mix the utterances of one epoch in pairs, within batches; all pairs of a batch have the same share.

    Parameters
    ----------
    x : float32 [n, *shape]
        one copy of each utterance, in the order of the epoch
    targets : float32 [n, classes]
    config : MixingConfig
    random : numpy.random.Generator

    Returns
    -------
    x : float32 [n, *shape]
    targets : float32 [n, classes]
        each row sums to 1
    """
    share = np.empty(len(x), dtype=np.float32)
    partner = np.empty(len(x), dtype=int)
    for start in range(0, len(x), config.batch):
        size = min(config.batch, len(x) - start)
        share[start : start + size] = random.beta(config.mixing, config.mixing)
        partner[start : start + size] = start + random.permutation(size)
    wide = share.reshape(-1, *(1,) * (x.ndim - 1))
    return wide * x + (1 - wide) * x[partner], share[:, None] * targets + (1 - share[:, None]) * targets[partner]


def fit_mixed(build: Callable[[], keras.Model], x: np.ndarray, targets: np.ndarray, **settings: Any) -> keras.Model:
    """Build and train a network.

    Parameters
    ----------
    build : function without arguments
        returns the network, not compiled; called once the seeds are set
    x : float32 [utterances, copies, *shape]
        inputs; copy 0 is the utterance as it is
    targets : float [utterances, classes]
        probabilities of the emotions: of one class, or the answers of a teacher
    **settings
        fields of :class:`MixingConfig`

    Returns
    -------
    keras.Model
        after the last epoch
    """
    from ser_core.training import fit

    config = MixingConfig(**settings)
    fit.prepare_backend(config.seed)
    import keras  # after the settings of the account are out of the way

    network = build()
    steps = config.epochs * max(1, len(x) // config.batch)
    warm_up = math.ceil(steps / 10)
    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 25, max(1, steps - warm_up), alpha=0.0,
        warmup_target=config.learning_rate, warmup_steps=warm_up,
    )  # fmt: skip
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=config.weight_decay), "categorical_crossentropy", jit_compile=False
    )
    smoothed = ((1 - config.smoothing) * targets + config.smoothing / targets.shape[1]).astype(np.float32)
    speedups.create_variables(network, smoothed)
    whole = max(1, len(x) // config.batch) * config.batch  # the rest waits for an epoch of another order
    for number in range(config.epochs):
        random = np.random.default_rng([config.seed, number])
        order = random.permutation(len(x))[:whole]
        if config.shares is None:
            copy = random.integers(0, x.shape[1], len(order))
        else:
            copy = random.choice(x.shape[1], len(order), p=config.shares)
        batch_x, batch_y = mixed(x[order, copy], smoothed[order], config, random)
        network.fit(**speedups.batches(batch_x, batch_y, size=config.batch), shuffle=False, verbose=0)
    return network
