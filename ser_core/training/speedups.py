"""How a training runs, never what it computes: the same sums on one thread in a fraction of the time.

Nothing here is kept in a network: ``hasten`` is switched off again before it leaves the house. Batch normalisation and
the reading of arrays are TensorFlow's business; with another backend both stay Keras' own.
"""

import math

import numpy as np

UNROLL_STEPS = 64
"""Recurrent layers of more steps are not unrolled: building the graph would take longer than it saves."""
FUSED_SIZE = 65_536
"""Batch normalisation of fewer numbers an utterance stays as it is: there is nothing to save."""


def enable_fast_kernels(model, on: bool) -> None:
    """Prepare a network for training, before its first step, or put it back as it was.

    * Recurrent layers run step by step without a loop: half the time. Layers that are given a mask (``padding
      masked``) stay loops: Keras, unrolled, does not carry a mask backwards as its loop does.
    * Batch normalisation of images is one operation, where Keras passes over the image some twenty times.
    """
    import keras

    for layer in model.layers:
        inner = (
            (layer.forward_layer, layer.backward_layer) if isinstance(layer, keras.layers.Bidirectional) else (layer,)
        )
        for cell in inner:
            if isinstance(cell, keras.layers.RNN):
                steps = None if isinstance(layer.input, list) else layer.input.shape[1]
                cell.unroll = on and (steps or UNROLL_STEPS + 1) <= UNROLL_STEPS
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.__dict__.pop("call", None)
            if on and keras.backend.backend() == "tensorflow" and _is_worth_fusing(layer):
                layer.call = _fused_batch_norm(layer)


def _is_worth_fusing(layer) -> bool:
    usual = layer.scale and layer.center and not layer.renorm and layer.axis in (-1, len(layer.input.shape) - 1)
    return usual and math.prod(side or 1 for side in layer.input.shape[1:]) >= FUSED_SIZE


def _fused_batch_norm(layer):
    """The ``call`` of a batch normalisation over the last axis, as one operation, in training and in judging."""
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
            known = layer.moving_mean.value, layer.moving_variance.value
            return tf.reshape(normalise(flat, scale, offset, *known, epsilon, is_training=False)[0], shape)
        outputs, mean, variance = normalise(flat, scale, offset, epsilon=epsilon)
        count = tf.cast(tf.size(flat) // flat.shape[-1], "float32")
        variance *= (count - 1.0) / count  # the operation divides by count - 1, Keras by count
        for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + value * (1.0 - layer.momentum))
        return tf.reshape(outputs, shape)

    return call


def batches(x: np.ndarray, y=None, *, size: int) -> dict:
    """Arrays in batches, in their order, for Keras' ``fit``, ``evaluate`` and ``predict``.

    Parameters
    ----------
    x : [n, *shape], inputs
    y : [n], targets; a dict of such by the names of the outputs; or None
    size : utterances a batch; the last one may be shorter

    Returns
    -------
    dict of keyword arguments

    Given arrays, Keras has TensorFlow tune how they are read, by a loop that sleeps for 10, 20, 40 ... ms and that, on
    one thread, the end of every epoch waits for: up to half the time went there.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return {"x": x, "batch_size": size} if y is None else {"x": x, "y": y, "batch_size": size}
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    arrays = tf.data.Dataset.from_tensor_slices(x if y is None else (x, y))
    whole = len(x) % size == 0  # then the graph knows the size of a batch, as it does from arrays
    return {"x": arrays.batch(size, drop_remainder=whole).with_options(options)}
