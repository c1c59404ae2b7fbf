"""Speed up training on one thread without changing what it computes.

Where the time of a step of A5 goes (batch of 32, float32, one thread of a processor with AVX-512; 113 ms): convolutions
54, PReLU, pooling and dropout 20, BiLSTM and attention 33, classifier and Adam 5. The products alone, 8 GFLOP, would
take 48 ms at the 165 GFLOP/s of a large matrix product. Tried and dropped, since each changes the last digits of the
published results: one fused operation for PReLU, pooling and dropout (XLA; 7 % of a step), one operation per weight for
Adam (3 %), the BiLSTM with hand-written gradients (4 %), XLA for the whole step (none). What halves a step is
``precision="mixed_bfloat16"``.

The fast kernels are switched off again before a network is saved. With another backend than TensorFlow, batch
normalisation and the reading of arrays stay those of Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

UNROLL_STEPS = 64
"""Recurrent layers with more steps are not unrolled: building the graph would take longer than it saves."""
FUSED_SIZE = 65_536
"""Batch normalisation of fewer values per utterance is not fused: it would save nothing."""


def enable_fast_kernels(model: keras.Model, on: bool) -> None:
    """Switch the fast kernels of a network on before its first training step, or off again.

    * Recurrent layers are unrolled. This saves 4 to 5 % of a training step of A5 (processor time, one thread) and costs
      three seconds to build. It is kept because a loop rounds differently, so that published results would change.
      Layers with a mask (``padding masked``) remain loops: unrolled, Keras does not carry a mask backwards as its
      loop does.
    * Batch normalisation of images is one operation, where Keras passes over the image about twenty times.

    Parameters
    ----------
    model : keras.Model
        network, changed in place
    on : bool
        on, or off
    """
    import keras

    for layer in model.layers:
        inner = (
            (layer.forward_layer, layer.backward_layer) if isinstance(layer, keras.layers.Bidirectional) else (layer,)
        )
        for recurrent in inner:
            if isinstance(recurrent, keras.layers.RNN):
                steps = None if isinstance(layer.input, list) else layer.input.shape[1]
                recurrent.unroll = on and (steps or UNROLL_STEPS + 1) <= UNROLL_STEPS
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.__dict__.pop("call", None)
            if on and keras.backend.backend() == "tensorflow" and _is_worth_fusing(layer):
                layer.call = _fused_batch_norm(layer)


def create_variables(model: keras.Model, y: np.ndarray | dict[str, np.ndarray]) -> None:
    """Create the variables of a compiled network's optimizer, losses and metrics before its first training step.

    TensorFlow builds the graph of a step twice where the first one creates variables: four of the 9 s until A5 starts.

    Parameters
    ----------
    model : keras.Model
        network, compiled; changed in place
    y : [n], or a dict of such arrays
        targets, as for :func:`batches`
    """
    import keras

    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    outputs = [keras.ops.zeros((1, *one.shape[1:]), one.dtype) for one in model.outputs]
    given = outputs if len(outputs) > 1 else outputs[0]
    targets = keras.tree.map_structure(lambda values: keras.ops.convert_to_tensor(values[:1]), y)
    model.compute_loss(None, targets, given)
    model.compute_metrics(None, targets, given)
    model.reset_metrics()


def _is_worth_fusing(layer: keras.layers.BatchNormalization) -> bool:
    """Return whether a batch normalisation is over the last axis, with scale and offset, and large enough."""
    usual = layer.scale and layer.center and not layer.renorm and layer.axis in (-1, len(layer.input.shape) - 1)
    return usual and math.prod(length or 1 for length in layer.input.shape[1:]) >= FUSED_SIZE


def _fused_batch_norm(layer: keras.layers.BatchNormalization) -> Callable:
    """Return the ``call`` of a batch normalisation over the last axis as one operation, for training and inference."""
    import tensorflow as tf

    plain = layer.call

    def call(inputs, training=None, mask=None):
        if mask is not None:
            return plain(inputs, training=training, mask=mask)
        shape = tf.shape(inputs)
        flat = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, (shape[0], 1, -1, inputs.shape[-1]))
        scale, offset, epsilon = tf.cast(layer.gamma, "float32"), tf.cast(layer.beta, "float32"), layer.epsilon
        normalise = tf.compat.v1.nn.fused_batch_norm
        if not training or not layer.trainable:
            moving = layer.moving_mean.value, layer.moving_variance.value
            return tf.reshape(normalise(flat, scale, offset, *moving, epsilon, is_training=False)[0], shape)
        outputs, mean, variance = normalise(flat, scale, offset, epsilon=epsilon)
        count = tf.cast(tf.size(flat) // flat.shape[-1], "float32")
        variance *= (count - 1.0) / count  # the operation divides by count - 1, Keras by count
        for statistic, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            statistic.assign(statistic * layer.momentum + value * (1.0 - layer.momentum))
        return tf.reshape(outputs, shape)

    return call


def batches(x: np.ndarray, y: np.ndarray | dict[str, np.ndarray] | None = None, *, size: int) -> dict[str, Any]:
    """Return arrays in batches, in their order, as arguments of Keras' ``fit``, ``evaluate`` and ``predict``.

    Given arrays, Keras lets TensorFlow tune how they are read. On one thread, the end of every epoch waits for that
    tuning loop, which sleeps for 10, 20, 40 ... ms. This took up to half of the time.

    Parameters
    ----------
    x : [n, *shape]
        inputs
    y : [n], or a dict of such arrays, optional
        targets; in a dict, by the names of the outputs
    size : int
        batch size in utterances; the last batch may be shorter

    Returns
    -------
    dict
        keyword arguments
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return {"x": x, "batch_size": size} if y is None else {"x": x, "y": y, "batch_size": size}
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices(x if y is None else (x, y))
    divisible = len(x) % size == 0  # then the graph knows the batch size, as it does for arrays
    return {"x": dataset.batch(size, drop_remainder=divisible).with_options(options)}
