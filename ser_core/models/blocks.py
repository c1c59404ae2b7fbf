"""Pieces that several networks share."""

import keras
from keras import layers, ops

FLOAT32 = {"dtype": "float32"}
"""Recurrent layers, attention and classifiers are pinned to float32 whatever the precision policy."""


def scaled(inputs, axis):
    """Standard scores whose means and deviations ``training.fit_scaling`` takes from the training side."""
    return layers.Normalization(axis=axis, name="scaling", **FLOAT32)(inputs)


def image(inputs):
    """A log-mel image [bands, frames], scaled pixel by pixel, as [bands, frames, 1]."""
    return ops.expand_dims(scaled(inputs, (1, 2)), -1)


TORCH = {"momentum": 0.9, "epsilon": 1e-5}
"""Batch normalisation as sources in PyTorch have it; Keras' own remembers three epochs of a corpus as small as this."""


def convolutions(x, filters, pools, *, dropout: float = 0.3, activation: str = "relu", name: str = "conv", norm=TORCH):
    """Blocks of Conv2D 3 x 3 ``same``, batch normalisation (``norm``: its settings), activation, max-pooling, dropout.

    The activation stands after the pooling: it rises, so the numbers are the same, of a quarter to a sixteenth as many.
    """
    for number, (count, pool) in enumerate(zip(filters, pools, strict=True), start=1):
        x = layers.Conv2D(count, 3, padding="same", name=f"{name}{number}")(x)
        x = layers.BatchNormalization(name=f"{name}{number}_bn", **norm)(x)
        x = layers.MaxPooling2D(pool, name=f"{name}{number}_pool")(x)
        x = layers.Activation(activation, name=f"{name}{number}_{activation}")(x)
        x = layers.Dropout(dropout, name=f"{name}{number}_dropout")(x)
    return x


def encoder(x, *, heads: int, width: int, dropout: float, name: str):
    """A transformer encoder layer, post-norm, ReLU: [batch, steps, d] to the same."""
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
    """One weight a step by a softmax over time, and the weighted sum: [batch, steps, d] to [batch, d].

    Where ``mask`` [batch, steps, 1] is false the weight is 0.
    """
    scores = layers.Dense(1, activation=activation, use_bias=use_bias, name="attention_scores", **FLOAT32)(hidden)
    weights = layers.Softmax(axis=1, name="attention", **FLOAT32)(scores, mask=mask)
    weighted = layers.Dot(axes=1, name="attention_sum", **FLOAT32)([weights, hidden])
    return layers.Flatten(name="attention_vector", **FLOAT32)(weighted)


def bilstm(x, units: int, name: str = "bilstm"):
    """Both directions, every step: [batch, steps, 2 x units]."""
    return layers.Bidirectional(layers.LSTM(units, return_sequences=True, **FLOAT32), name=name, **FLOAT32)(x)


def probabilities(x, classes: int):
    """Softmax over the emotions."""
    return layers.Dense(classes, activation="softmax", name="probabilities", **FLOAT32)(x)


def pooled_steps(x, pool: tuple[int, int] = (2, 4)):
    """An image [bands, frames, 1], max-pooled, as steps in time: [frames / 4, bands / 2]."""
    x = layers.MaxPooling2D(pool, name="steps_pool")(x)
    return ops.cast(layers.Permute((2, 1), name="steps")(ops.squeeze(x, -1)), "float32")


def network(inputs, x, classes: int, name: str) -> keras.Model:
    """The softmax on top, and all of it as a model."""
    return keras.Model(inputs, probabilities(x, classes), name=name)
