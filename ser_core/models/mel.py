"""Build networks on the log-mel image of 128 bands and 563 frames, whole or in seven chunks of 128 frames.

They are [26], [27] and [32] of the paper, in the form of public notebooks. These share one convolutional branch: blocks
of Conv2D 3 x 3, batch normalisation, ReLU, max-pooling, dropout. The image is standardised pixel by pixel with
statistics of the training set. The optimizer is SGD (0.01, momentum 0.8, weight decay 0.001). ``shape`` is
(bands, frames) or (chunks, bands, frames), ``classes`` the number of emotions.
"""

import keras
from keras import layers, ops

from ser_core.models import blocks

FILTERS, POOLS = (16, 32, 64, 64), (2, 4, 4, 4)
"""Filters and max-pooling of the convolutional branch."""
UNITS = 128
"""Units of a BiLSTM per direction."""


def _branch(x):
    """Apply the convolutional branch: 60,576 parameters, a vector of 256 from a whole image."""
    return layers.Flatten(name="conv_vector", **blocks.FLOAT32)(blocks.convolutions(x, FILTERS, POOLS))


def parallel_cnn_transformer(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build convolutions in parallel with a transformer encoder: 395,176 parameters, exact.

    The encoder has four post-norm layers (d 64, 4 heads, FF 512) without positions.
    """
    inputs = keras.Input(shape, name="mel")
    x = blocks.image(inputs)
    steps = blocks.pooled_steps(x)
    for number in range(1, 5):
        steps = blocks.encoder(steps, heads=4, width=512, dropout=0.4, name=f"encoder{number}")
    steps = layers.GlobalAveragePooling1D(name="encoder_mean", **blocks.FLOAT32)(steps)
    joined = layers.Concatenate(name="joined", **blocks.FLOAT32)([_branch(x), steps])
    return blocks.network(inputs, joined, classes, "parallel_cnn_transformer")


def lstm_attention(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build a BiLSTM with attention: 199,945 parameters (200,969 with the two biases of PyTorch).

    Max-pooling (2, 4), a BiLSTM of 128 units per direction, attention.
    """
    inputs = keras.Input(shape, name="mel")
    hidden = blocks.bilstm(blocks.pooled_steps(blocks.image(inputs)), UNITS)
    return blocks.network(inputs, blocks.attention_pooling(hidden), classes, "lstm_attention")


def parallel_cnn_attention(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build convolutions in parallel with a BiLSTM and attention: 262,569 parameters (263,593 in PyTorch).

    The two vectors are concatenated to one of 512.
    """
    inputs = keras.Input(shape, name="mel")
    x = blocks.image(inputs)
    attended = blocks.attention_pooling(blocks.bilstm(blocks.pooled_steps(x), UNITS))
    joined = layers.Concatenate(name="joined", **blocks.FLOAT32)([_branch(x), attended])
    return blocks.network(inputs, joined, classes, "parallel_cnn_attention")


def base_cnn(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build the convolutional branch alone: 62,632 parameters. Reconstruction."""
    inputs = keras.Input(shape, name="mel")
    return blocks.network(inputs, _branch(blocks.image(inputs)), classes, "base_cnn")


def _each_chunk(inputs, filters, pools, dropout: float):
    """Apply the same convolutions to every chunk: [batch, chunks, bands, frames] to [batch, chunks, d]."""
    count, bands, frames = inputs.shape[1:]
    scaled = blocks.scaled(inputs, (1, 2, 3))
    x = blocks.convolutions(ops.reshape(scaled, (-1, bands, frames, 1)), filters, pools, dropout=dropout)
    return ops.cast(ops.reshape(x, (-1, count, x.shape[1] * x.shape[2] * x.shape[3])), "float32")


def cnn_lstm(shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Build convolutions on seven chunks, then an LSTM: 147,560 parameters. Near.

    Convolutions 16/32/64/128 give a vector of 128 per chunk; the last step of an LSTM of 64 units is classified.
    """
    inputs = keras.Input(shape, name="mel_chunks")
    x = _each_chunk(inputs, (16, 32, 64, 128), POOLS, 0.4)
    last = layers.LSTM(64, name="lstm", **blocks.FLOAT32)(x)
    return blocks.network(inputs, last, classes, "cnn_lstm")


def cnn_transformer(shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Build convolutions on seven chunks, then a transformer encoder: 5,284,328 parameters. Reconstruction.

    Convolutions 16/32/64 give a vector of 1,024 per chunk. The published abstract fixes the chunks and the encoder, not
    its size (here one layer, 4 heads, FF 512).
    """
    inputs = keras.Input(shape, name="mel_chunks")
    x = _each_chunk(inputs, (16, 32, 64), (2, 4, 4), 0.3)
    x = blocks.encoder(x, heads=4, width=512, dropout=0.3, name="encoder")
    mean = layers.GlobalAveragePooling1D(name="encoder_mean", **blocks.FLOAT32)(x)
    return blocks.network(inputs, mean, classes, "cnn_transformer")


def cnn_lstm_2d(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build the 2D CNN-LSTM of Zhao et al. 2019: 656,072 parameters. Near.

    Conv2D 64/64/128/128 with ELU and pools 2/4/4/4; the last step of an LSTM of 256 units is classified.
    """
    inputs = keras.Input(shape, name="mel")
    x = blocks.convolutions(blocks.image(inputs), (64, 64, 128, 128), POOLS, dropout=0.0, activation="elu", norm={})
    x = layers.Permute((2, 1, 3), name="time_first")(x)
    x = ops.cast(ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3])), "float32")
    last = layers.LSTM(256, name="lstm", **blocks.FLOAT32)(x)
    return blocks.network(inputs, last, classes, "cnn_lstm_2d")


def cnn_blstm_attention(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build convolutions, a BLSTM over time and attention: 577,737 parameters. Reconstruction.

    Two blocks of Conv2D 32/64 are pooled (2, 2) and (4, 4); the BLSTM has 64 units per direction. The source names only
    the parts.
    """
    inputs = keras.Input(shape, name="mel")
    x = blocks.convolutions(blocks.image(inputs), (32, 64), ((2, 2), (4, 4)))
    x = layers.Permute((2, 1, 3), name="time_first")(x)
    x = ops.cast(ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3])), "float32")
    hidden = blocks.bilstm(x, 64)
    return blocks.network(inputs, blocks.attention_pooling(hidden), classes, "cnn_blstm_attention")
