"""Build the blocks of layers that several networks share."""

import keras
from keras import layers, ops

FLOAT32 = {"dtype": "float32"}
"""Keyword that keeps recurrent layers, attention and classifiers in float32 under any precision policy."""


def scaled(inputs, axis):
    """Standardise inputs with statistics of the training set; :func:`ser_core.training.fit.fit_scaling` sets them.

    Parameters
    ----------
    inputs : tensor [batch, ...]
    axis : int or tuple of int
        axes that keep statistics of their own

    Returns
    -------
    tensor of the same shape
    """
    return layers.Normalization(axis=axis, name="scaling", **FLOAT32)(inputs)


def image(inputs):
    """Standardise a log-mel image pixel by pixel: [batch, bands, frames] to [batch, bands, frames, 1]."""
    return ops.expand_dims(scaled(inputs, (1, 2)), -1)


TORCH = {"momentum": 0.9, "epsilon": 1e-5}
"""Batch normalisation as in PyTorch; the momentum of Keras averages over three epochs of a small corpus."""


def convolutions(x, filters, pools, *, dropout: float = 0.3, activation: str = "relu", name: str = "conv", norm=TORCH):
    """Apply blocks of Conv2D 3 x 3, batch normalisation, activation, max-pooling and dropout.

    The activation is computed after the pooling. It is monotonic, so that the numbers are the same, at a quarter to a
    sixteenth of the cost.

    Parameters
    ----------
    x : tensor [batch, bands, frames, channels]
    filters : sequence of int
        filters of each block
    pools : sequence of int or (int, int)
        max-pooling of each block
    dropout : float, default 0.3
    activation : str, default "relu"
        must be monotonic
    name : str, default "conv"
        prefix of the layers' names
    norm : dict, default :data:`TORCH`
        settings of batch normalisation

    Returns
    -------
    tensor [batch, bands / pools, frames / pools, filters]
    """
    for number, (count, pool) in enumerate(zip(filters, pools, strict=True), start=1):
        x = layers.Conv2D(count, 3, padding="same", name=f"{name}{number}")(x)
        x = layers.BatchNormalization(name=f"{name}{number}_bn", **norm)(x)
        x = layers.MaxPooling2D(pool, name=f"{name}{number}_pool")(x)
        x = layers.Activation(activation, name=f"{name}{number}_{activation}")(x)
        x = layers.Dropout(dropout, name=f"{name}{number}_dropout")(x)
    return x


def encoder(x, *, heads: int, width: int, dropout: float, name: str):
    """Apply a transformer encoder layer with post-norm and ReLU.

    Parameters
    ----------
    x : tensor [batch, steps, d]
    heads : int
        attention heads; divides d
    width : int
        units of the feed-forward layer
    dropout : float
    name : str
        prefix of the layers' names

    Returns
    -------
    tensor [batch, steps, d]
    """
    size = x.shape[-1]
    attended = layers.MultiHeadAttention(heads, size // heads, dropout=dropout, name=f"{name}_attention", **FLOAT32)(
        x, x
    )
    attended = layers.Dropout(dropout, name=f"{name}_dropout1", **FLOAT32)(attended)
    x = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm1", **FLOAT32)(x + attended)
    inner = layers.Dense(width, activation="relu", name=f"{name}_dense1", **FLOAT32)(x)
    inner = layers.Dropout(dropout, name=f"{name}_dropout2", **FLOAT32)(inner)
    inner = layers.Dense(size, name=f"{name}_dense2", **FLOAT32)(inner)
    inner = layers.Dropout(dropout, name=f"{name}_dropout3", **FLOAT32)(inner)
    return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm2", **FLOAT32)(x + inner)


def attention_pooling(hidden, *, use_bias: bool = True, activation: str | None = None, mask=None):
    """Pool steps by attention: a softmax over time gives one weight per step, and the weighted sum.

    Parameters
    ----------
    hidden : tensor [batch, steps, d]
    use_bias : bool, default True
        of the layer that scores the steps
    activation : str, optional
        of the same layer
    mask : bool tensor [batch, steps, 1], optional
        steps where it is false get weight 0

    Returns
    -------
    tensor [batch, d]
    """
    scores = layers.Dense(1, activation=activation, use_bias=use_bias, name="attention_scores", **FLOAT32)(hidden)
    weights = layers.Softmax(axis=1, name="attention", **FLOAT32)(scores, mask=mask)
    weighted = layers.Dot(axes=1, name="attention_sum", **FLOAT32)([weights, hidden])
    return layers.Flatten(name="attention_vector", **FLOAT32)(weighted)


def bilstm(x, units: int, name: str = "bilstm"):
    """Apply a bidirectional LSTM: [batch, steps, d] to [batch, steps, 2 x units]."""
    return layers.Bidirectional(layers.LSTM(units, return_sequences=True, **FLOAT32), name=name, **FLOAT32)(x)


def probabilities(x, classes: int):
    """Compute probabilities by a softmax layer: [batch, d] to [batch, classes]."""
    return layers.Dense(classes, activation="softmax", name="probabilities", **FLOAT32)(x)


def pooled_steps(x, pool: tuple[int, int] = (2, 4)):
    """Max-pool an image into steps in time: [batch, bands, frames, 1] to [batch, frames / 4, bands / 2]."""
    x = layers.MaxPooling2D(pool, name="steps_pool")(x)
    return ops.cast(layers.Permute((2, 1), name="steps")(ops.squeeze(x, -1)), "float32")


def network(inputs, x, classes: int, name: str) -> keras.Model:
    """Add the softmax over the emotions, and make the model.

    Parameters
    ----------
    inputs : tensor
        the network's input
    x : tensor [batch, d]
        its last vector
    classes : int
        number of emotions
    name : str
        name of the model

    Returns
    -------
    keras.Model
    """
    return keras.Model(inputs, probabilities(x, classes), name=name)
