"""Build networks on vectors, frames and waveforms: Issa et al., 1D CNN-LSTM, ResLSTM-SA, CLSTM, two residual ones.

``shape`` is that of one utterance's input, ``classes`` the number of emotions.
"""

import keras
from keras import layers, ops

from ser_core.models import blocks
from ser_core.models.blocks import FLOAT32


def issa(shape: tuple[int], classes: int) -> keras.Model:
    """Build the CNN of Issa et al. 2020 on 193 means: 518,280 parameters at 8 classes. Near.

    The layers follow public descriptions. Standardising with statistics of the training set is ours. RMSprop, 0.00001.
    """
    inputs = keras.Input(shape, name="means")
    x = ops.expand_dims(blocks.scaled(inputs, -1), -1)
    x = layers.Conv1D(256, 5, padding="same", activation="relu", name="conv1")(x)
    x = layers.Conv1D(128, 5, padding="same", activation="relu", name="conv2")(x)
    x = layers.Dropout(0.1, name="dropout1")(x)
    x = layers.MaxPooling1D(8, name="pool")(x)
    for number in (3, 4, 5):
        x = layers.Conv1D(128, 5, padding="same", activation="relu", name=f"conv{number}")(x)
    x = layers.Dropout(0.2, name="dropout2")(x)
    x = layers.Conv1D(128, 5, padding="same", activation="relu", name="conv6")(x)
    return blocks.network(inputs, layers.Flatten(name="vector", **FLOAT32)(x), classes, "issa")


def cnn_lstm_1d(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build the 1D CNN-LSTM of Zhao et al. 2019 on the waveform: 137,288 parameters, exact.

    Conv1D 64/64/128/128 with batch normalisation, ELU and pools of 4, then an LSTM of 64 units. ELU is applied after
    the pooling, which gives the same numbers, as it is monotonic.
    """
    inputs = keras.Input(shape, name="waveform")
    x = inputs
    for number, filters in enumerate((64, 64, 128, 128), start=1):
        x = layers.Conv1D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"conv{number}_bn")(x)
        x = layers.MaxPooling1D(4, name=f"conv{number}_pool")(x)
        x = layers.Activation("elu", name=f"conv{number}_elu")(x)
    last = layers.LSTM(64, name="lstm", **FLOAT32)(x)
    return blocks.network(inputs, last, classes, "cnn_lstm_1d")


def reslstm_sa(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build ResLSTM-SA (Krasnoproshin and Vashkevich 2026) on 34 MFCC and 12 chroma: 46,332 parameters, exact.

    A small reference network: an LSTM with a residual connection, a second one of 64 units, attention without bias.
    Padded frames are masked. Its authors standardise over all their data; here only over the training set.
    """
    inputs = keras.Input(shape, name="mfcc_chroma")
    width = shape[-1]
    mask = ops.any(ops.not_equal(inputs, 0.0), axis=-1)
    x = blocks.scaled(inputs, -1)
    forward = layers.LSTM(width, return_sequences=True, name="lstm1", **FLOAT32)(x)
    x = layers.BatchNormalization(name="bn1", **FLOAT32)(layers.Add(name="residual", **FLOAT32)([x, forward]))
    hidden = layers.LSTM(64, return_sequences=True, name="lstm2", **FLOAT32)(x)
    scores = layers.Dense(1, use_bias=False, name="attention_scores", **FLOAT32)(hidden)
    masked = ops.where(ops.expand_dims(mask, -1), scores, -1e9)
    weights = layers.Softmax(axis=1, name="attention", **FLOAT32)(masked)
    vector = layers.Flatten(name="attention_vector", **FLOAT32)(layers.Dot(axes=1, **FLOAT32)([weights, hidden]))
    vector = layers.BatchNormalization(name="bn2", **FLOAT32)(vector)
    vector = layers.Dropout(0.3, name="dropout", **FLOAT32)(vector)
    return blocks.network(inputs, vector, classes, "reslstm_sa")


def _residual(x, filters: int, stride: int, name: str):
    """Apply two 3 x 3 convolutions with batch normalisation, and a shortcut of pooling and a 1 x 1 convolution."""
    shortcut = layers.AveragePooling2D(stride, padding="same", name=f"{name}_around_pool")(x)
    shortcut = layers.Conv2D(filters, 1, name=f"{name}_around")(shortcut)
    for number in (1, 2):
        x = layers.Conv2D(filters, 3, strides=stride if number == 1 else 1, padding="same", name=f"{name}_{number}")(x)
        x = layers.BatchNormalization(name=f"{name}_{number}_bn")(x)
        if number == 1:
            x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))


def resnet_cnn_transformer(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build residual blocks, plain convolutions and an encoder in parallel ([25]): 202,584 parameters. Reconstruction.

    On 40 MFCC: residual blocks of 16/32/64 filters with stride 2, convolutions 16/32/64 pooled by 2/4/4, and two
    encoder layers (d 64, 4 heads, FF 256) on means of four frames. The three vectors are concatenated.
    """
    inputs = keras.Input(shape, name="mfcc40")
    x = ops.expand_dims(inputs, -1)
    residual = x
    for number, filters in enumerate((16, 32, 64), start=1):
        residual = _residual(residual, filters, 2, f"residual{number}")
    residual = layers.GlobalAveragePooling2D(name="residual_mean", **FLOAT32)(residual)
    plain = blocks.convolutions(x, (16, 32, 64), (2, 4, 4))
    plain = layers.GlobalAveragePooling2D(name="conv_mean", **FLOAT32)(plain)
    steps = layers.AveragePooling1D(4, name="steps_pool", **FLOAT32)(inputs)
    steps = layers.Dense(64, name="steps", **FLOAT32)(steps)
    for number in (1, 2):
        steps = blocks.encoder(steps, heads=4, width=256, dropout=0.3, name=f"encoder{number}")
    steps = layers.GlobalAveragePooling1D(name="encoder_mean", **FLOAT32)(steps)
    joined = layers.Concatenate(name="joined", **FLOAT32)([residual, plain, steps])
    return blocks.network(inputs, joined, classes, "resnet_cnn_transformer")


def clstm(shape: tuple[int, int], classes: int, heads: dict[str, int]) -> keras.Model:
    """Build the CLSTM of Mustaqeem and Kwon 2020 with a centre loss: 130,248 parameters. Reconstruction.

    The waveform is cut into segments of a tenth of a second, each arranged as 40 by 40 samples. Four ConvLSTM layers of
    8/8/16/16 filters follow: the first three have stride 2, the last has a residual connection. Then comes a GRU of 64
    units. The centre loss is a second softmax, over the negative squared distances to one learnt centre per class.

    Parameters
    ----------
    shape : (samples, 1)
    classes : int
        number of emotions
    heads : dict of int
        number of values of the further label ``emotion``; empty for no centre loss
    """
    inputs = keras.Input(shape, name="waveform")
    width = 40
    count = shape[0] // (width * width)
    x = ops.reshape(inputs[:, : count * width * width, :], (-1, count, width, width, 1))
    for number, (filters, stride) in enumerate(((8, 2), (8, 2), (16, 2), (16, 1)), start=1):
        shortcut = x if number == 4 else None
        x = layers.ConvLSTM2D(
            filters, 3, strides=stride, padding="same", return_sequences=True, name=f"convlstm{number}", **FLOAT32
        )(x)
        x = layers.BatchNormalization(name=f"convlstm{number}_bn", **FLOAT32)(x)
        if shortcut is not None:
            x = layers.Add(name="residual", **FLOAT32)([shortcut, x])
    x = ops.reshape(x, (-1, count, x.shape[2] * x.shape[3] * x.shape[4]))
    vector = layers.GRU(64, name="gru", **FLOAT32)(x)
    outputs = [blocks.probabilities(vector, classes)]
    if heads:
        centred = ops.expand_dims(vector, 1) - _centres(vector, heads["emotion"])
        outputs.append(layers.Softmax(name="emotion", **FLOAT32)(-ops.sum(ops.square(centred), axis=-1)))
    return keras.Model(inputs, outputs if heads else outputs[0], name="clstm")


def _centres(vector, classes: int):
    """Return one learnt centre per class, the same for every utterance, by built-in layers: [batch, classes, d]."""
    size = vector.shape[-1]
    ones = ops.ones_like(vector[:, :1])
    flat = layers.Dense(classes * size, use_bias=False, name="centres", **FLOAT32)(ones)
    return ops.reshape(flat, (-1, classes, size))


def gated_residual(shape: tuple[int, int], classes: int, heads: dict[str, int]) -> keras.Model:
    """Build the gated residual network of Zeng et al. 2019: 206,572 parameters with sex and intensity. Reconstruction.

    Five blocks of 16/32/64/64/64 filters on the log-mel image. Each is a convolution times the sigmoid of another, plus
    a 1 x 1 shortcut, pooled by 2. The mean over the image feeds a softmax per label.

    Parameters
    ----------
    shape : (bands, frames)
    classes : int
        number of emotions
    heads : dict of int
        number of values of each further label
    """
    inputs = keras.Input(shape, name="mel")
    x = blocks.image(inputs)
    for number, filters in enumerate((16, 32, 64, 64, 64), start=1):
        value = layers.Conv2D(filters, 3, padding="same", name=f"value{number}")(x)
        gate = layers.Conv2D(filters, 3, padding="same", activation="sigmoid", name=f"gate{number}")(x)
        shortcut = layers.Conv2D(filters, 1, name=f"around{number}")(x)
        x = layers.Add(name=f"add{number}")([shortcut, layers.Multiply(name=f"gated{number}")([value, gate])])
        x = layers.BatchNormalization(name=f"bn{number}")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{number}")(x)
    mean = layers.GlobalAveragePooling2D(name="mean", **FLOAT32)(x)
    mean = layers.Dropout(0.3, name="dropout", **FLOAT32)(mean)
    outputs = [blocks.probabilities(mean, classes)]
    outputs += [layers.Dense(n, activation="softmax", name=name, **FLOAT32)(mean) for name, n in heads.items()]
    return keras.Model(inputs, outputs if heads else outputs[0], name="gated_residual")
