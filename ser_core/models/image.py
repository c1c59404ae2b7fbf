"""Build the two image networks of Table II, on a log-mel image repeated on three channels.

``shape`` is (bands, frames), ``classes`` the number of emotions.
"""

import keras
from keras import layers, ops

from ser_core.models import blocks

VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Filters of the convolutions in each stage of VGG-16."""
RESNET = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Filters and number of bottlenecks in each stage of ResNet-50."""


def _three_channels(inputs):
    """Standardise a log-mel image and repeat it: [batch, bands, frames] to [batch, bands, frames, 3]."""
    return ops.repeat(blocks.image(inputs), 3, axis=-1)


def vgg16(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build VGG-16 (Simonyan and Zisserman 2015) with a mean over the image and a softmax: 14,718,792 parameters.

    Its 13 convolutions have 14,714,688. The head that gives the 57,092,000 of Table II is unknown, and none that we
    tried gives this number; here it is the smallest one.
    """
    inputs = keras.Input(shape, name="mel")
    x = _three_channels(inputs)
    for stage, filters in enumerate(VGG, start=1):
        for number, count in enumerate(filters, start=1):
            x = layers.Conv2D(
                count,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv{stage}_{number}",
            )(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{stage}")(x)
    mean = layers.GlobalAveragePooling2D(name="mean", **blocks.FLOAT32)(x)
    return blocks.network(inputs, mean, classes, "vgg16")


def _convolution(x, filters: int, kernel: int, stride: int, name: str, *, relu: bool = True):
    """Apply a convolution without bias, batch normalisation and, unless ``relu`` is False, ReLU."""
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_bn", **blocks.TORCH)(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _bottleneck(x, filters: int, stride: int, name: str):
    """Apply a bottleneck: convolutions 1 x 1, 3 x 3 (with the stride) and 1 x 1, and the shortcut around them."""
    shortcut = x
    if stride > 1 or x.shape[-1] != 4 * filters:
        shortcut = _convolution(x, 4 * filters, 1, stride, f"{name}_around", relu=False)
    x = _convolution(x, filters, 1, 1, f"{name}_1")
    x = _convolution(x, filters, 3, stride, f"{name}_2")
    x = _convolution(x, 4 * filters, 1, 1, f"{name}_3", relu=False)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))


def resnet50(shape: tuple[int, int], classes: int) -> keras.Model:
    """Build ResNet-50 (He et al. 2016), convolutions without bias: 23,524,424 parameters, exact."""
    inputs = keras.Input(shape, name="mel")
    x = _convolution(_three_channels(inputs), 64, 7, 2, "stem")
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, (filters, count) in enumerate(RESNET, start=1):
        for number in range(1, count + 1):
            x = _bottleneck(x, filters, 2 if stage > 1 and number == 1 else 1, f"stage{stage}_{number}")
    mean = layers.GlobalAveragePooling2D(name="mean", **blocks.FLOAT32)(x)
    return blocks.network(inputs, mean, classes, "resnet50")
