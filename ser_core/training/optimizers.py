"""Make the optimiser of a training: Adam with L2 weight decay as PyTorch has it, and warm restarts of the rate."""

from __future__ import annotations

import functools
import math
from typing import Any

OPTIMIZERS: dict[str, tuple[str, dict[str, float]]] = {
    "adam": ("Adam", {}),
    "rmsprop": ("RMSprop", {}),
    "sgd": ("SGD", {"momentum": 0.8, "weight_decay": 0.001}),  # decoupled from the gradient
}
"""Optimizer by name: the class in ``keras.optimizers``, and its settings besides the learning rate."""
LOWEST = 0.01
"""Share of the learning rate at the end of a period, before it restarts."""


@functools.cache
def adam_with_decay() -> Any:
    """Return the class of Adam that adds ``decay`` times a weight to its gradient (L2), and let Keras know it by name.

    Keras' own ``weight_decay`` is decoupled from the gradient (AdamW). PyTorch's Adam adds it before the moments, and
    to every trainable parameter.
    """
    import keras

    @keras.saving.register_keras_serializable(package="ser")
    class AdamWithDecay(keras.optimizers.Adam):
        def __init__(self, learning_rate: float = 0.001, decay: float = 0.0, **settings: Any):
            super().__init__(learning_rate, **settings)
            self.decay = decay

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(
                gradient + self.decay * keras.ops.cast(variable, gradient.dtype), variable, learning_rate
            )

        def get_config(self) -> dict[str, Any]:
            return super().get_config() | {"decay": self.decay}

    return AdamWithDecay


def make_optimizer(name: str, learning_rate: float, decay: float) -> Any:
    """Make an optimiser of Keras.

    Parameters
    ----------
    name : str
        one of :data:`OPTIMIZERS`
    learning_rate : float
    decay : float
        L2 weight decay, for ``adam`` only; 0 for none
    """
    import keras

    if decay:
        return adam_with_decay()(learning_rate, decay=decay)
    kind, settings = OPTIMIZERS[name]
    return getattr(keras.optimizers, kind)(learning_rate, **settings)


def restarted_rate(learning_rate: float, epoch: int, period: int) -> float:
    """Return the learning rate of an epoch under a cosine with warm restarts (Loshchilov and Hutter, ICLR 2017, Eq. 5).

    Parameters
    ----------
    learning_rate : float
        at the beginning of each period
    epoch : int
        from 0
    period : int
        epochs from one restart to the next; 0 keeps the rate

    Examples
    --------
    >>> [round(restarted_rate(1.0, epoch, 2), 3) for epoch in range(4)]
    [1.0, 0.505, 1.0, 0.505]
    """
    if not period:
        return learning_rate
    share = 0.5 * (1.0 + math.cos(math.pi * (epoch % period) / period))
    return learning_rate * (LOWEST + (1.0 - LOWEST) * share)
