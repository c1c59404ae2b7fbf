"""Build the paper's network (Table I, II.D.2 to II.D.5) and the four steps of its ablation (Tables V and VI).

The paper leaves open the padding of the convolutions, how the slope of PReLU is shared, and whether the 64 units are
per direction. Here: ``same`` padding, one slope per filter, 64 units per direction. This gives 469,257 parameters at 42
channels and 8 classes. The published 240,840 cannot be reached: the convolutions of Table I alone have 278,848 weights.
With depthwise-separable Conv2 and Conv3, and the rest as published, there are 241,097 (``lite``).

Only the convolutions follow the precision policy under which a network is built; the layers after them are float32.
With ``masked`` the frames after the end of an utterance are ignored. The paper pads with zeros and masks nothing, so
that the network can detect how long a recording is.
"""

import keras
from keras import layers, ops

CONVOLUTIONS = ((64, 3), (128, 5), (256, 7))
"""Filters and kernel size of Conv1 to Conv3 (Table I); each with PReLU, max-pooling by 2 and dropout 0.3."""
DROPOUT = 0.3
UNITS = 64
FLOAT32 = {"dtype": "float32"}
DENSE = (128, 64)


def spoken(inputs):
    """Mark the frames that belong to the utterance.

    The frames after the last one that differs from zero are padding; the first frame never is.

    Parameters
    ----------
    inputs : tensor [batch, frames, channels]

    Returns
    -------
    bool tensor [batch, frames, 1]
    """
    differs = ops.cast(ops.any(ops.not_equal(inputs, 0.0), axis=-1, keepdims=True), "float32")
    following = ops.flip(ops.cumsum(ops.flip(differs, axis=1), axis=1), axis=1)
    return ops.greater(ops.concatenate([ops.ones_like(following[:, :1]), following[:, 1:]], axis=1), 0.0)


def _convolutions(x, mask=None, *, separable: bool = False):
    """Apply Table I: [batch, frames, channels] to [batch, frames / 8, 256], and the mask of these steps.

    With a ``mask`` [batch, frames, 1] padding is zero before every convolution and is left out of every maximum. The
    steps of an utterance then do not depend on the length of its padding.
    """
    for number, (filters, kernel) in enumerate(CONVOLUTIONS, start=1):
        kind = layers.SeparableConv1D if separable and number > 1 else layers.Conv1D
        x = kind(filters, kernel, padding="same", name=f"conv{number}")(x)
        x = layers.PReLU(shared_axes=[1], name=f"conv{number}_prelu")(x)
        if mask is not None:
            x = ops.where(mask, x, -1e9)
            steps = layers.MaxPooling1D(2, name=f"mask{number}_pool", **FLOAT32)(ops.cast(mask, "float32"))
            mask = ops.greater(steps, 0.0)
        x = layers.MaxPooling1D(2, name=f"conv{number}_pool")(x)
        if mask is not None:
            x = ops.where(mask, x, 0.0)
        x = layers.Dropout(DROPOUT, name=f"conv{number}_dropout")(x)
    return x, mask


def _steps(mask) -> dict:
    """Return the argument ``mask`` [batch, steps] of a layer, or no argument."""
    return {} if mask is None else {"mask": ops.squeeze(mask, -1)}


def _bilstm(x, mask=None):
    """Apply the bidirectional LSTM: [batch, steps, d] to [batch, steps, 128]."""
    forward = layers.LSTM(UNITS, return_sequences=True, **FLOAT32)
    hidden = layers.Bidirectional(forward, name="bilstm", **FLOAT32)(x, **_steps(mask))
    return hidden if mask is None else ops.where(mask, hidden, 0.0)


def _attention(hidden, mask=None):
    """Pool by attention (Eq. 5 and 6): a softmax of tanh(W h + b) over time, and the weighted sum of the outputs."""
    scores = layers.Dense(1, activation="tanh", name="attention_scores", **FLOAT32)(hidden)
    scores = scores if mask is None else ops.where(mask, scores, -1e9)
    weights = layers.Softmax(axis=1, name="attention", **FLOAT32)(scores)
    weighted = layers.Dot(axes=1, name="attention_sum", **FLOAT32)([weights, hidden])
    return layers.Flatten(name="attention_vector", **FLOAT32)(weighted)


def _mean(x, mask=None):
    """Compute the mean over time."""
    return layers.GlobalAveragePooling1D(name="mean_over_time", **FLOAT32)(x, **_steps(mask))


def _classifier(inputs, x, classes: int, name: str):
    """Add the classifier (II.D.5): dense 128 and 64 with PReLU and dropout, softmax."""
    for number, units in enumerate(DENSE, start=1):
        x = layers.Dense(units, name=f"dense{number}", **FLOAT32)(x)
        x = layers.PReLU(name=f"dense{number}_prelu", **FLOAT32)(x)
        x = layers.Dropout(DROPOUT, name=f"dense{number}_dropout", **FLOAT32)(x)
    outputs = layers.Dense(classes, activation="softmax", name="probabilities", **FLOAT32)(x)
    return keras.Model(inputs, outputs, name=name)


def full(shape: tuple[int, int], classes: int, *, masked: bool = False) -> keras.Model:
    """Build A5, the paper's network: 469,257 parameters at 42 channels and 8 classes (240,840 claimed).

    Parameters
    ----------
    shape : (frames, channels)
    classes : int
        number of emotions
    masked : bool, default False
        ignore the frames after the end of an utterance
    """
    inputs = keras.Input(shape, name="features")
    x, mask = _convolutions(inputs, spoken(inputs) if masked else None)
    return _classifier(inputs, _attention(_bilstm(x, mask), mask), classes, "cnn_bilstm_attention")


def lite(shape: tuple[int, int], classes: int, *, masked: bool = False) -> keras.Model:
    """Build A5 with depthwise-separable Conv2 and Conv3: 241,097 parameters at 42 channels and 8 classes.

    Parameters as in :func:`full`.
    """
    inputs = keras.Input(shape, name="features")
    x, mask = _convolutions(inputs, spoken(inputs) if masked else None, separable=True)
    return _classifier(inputs, _attention(_bilstm(x, mask), mask), classes, "cnn_bilstm_attention_lite")


def cnn(shape: tuple[int, int], classes: int, *, masked: bool = False) -> keras.Model:
    """Build A1 (39 channels: 320,584 parameters) or A2 (42 channels: 321,160 parameters).

    Convolutions, mean over time, classifier. Parameters as in :func:`full`.
    """
    inputs = keras.Input(shape, name="features")
    return _classifier(inputs, _mean(*_convolutions(inputs, spoken(inputs) if masked else None)), classes, "cnn")


def cnn_lstm(shape: tuple[int, int], classes: int, *, masked: bool = False) -> keras.Model:
    """Build A3: 378,760 parameters at 42 channels and 8 classes.

    Convolutions, LSTM of 64 units, mean over time, classifier. Parameters as in :func:`full`.
    """
    inputs = keras.Input(shape, name="features")
    x, mask = _convolutions(inputs, spoken(inputs) if masked else None)
    hidden = layers.LSTM(UNITS, return_sequences=True, name="lstm", **FLOAT32)(x, **_steps(mask))
    return _classifier(inputs, _mean(hidden, mask), classes, "cnn_lstm")


def cnn_bilstm(shape: tuple[int, int], classes: int, *, masked: bool = False) -> keras.Model:
    """Build A4, A5 with equal weights instead of attention: 469,128 parameters at 42 channels and 8 classes.

    Parameters as in :func:`full`.
    """
    inputs = keras.Input(shape, name="features")
    x, mask = _convolutions(inputs, spoken(inputs) if masked else None)
    return _classifier(inputs, _mean(_bilstm(x, mask), mask), classes, "cnn_bilstm")
