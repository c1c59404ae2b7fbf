"""The two image networks of Table II, on a mel image that is repeated on three channels."""

import keras
from keras import layers, ops

from ser_core.models import blocks

VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
RESNET = ((64, 3), (128, 4), (256, 6), (512, 3))


def _three_channels(inputs):
    return ops.repeat(blocks.image(inputs), 3, axis=-1)


def vgg16(shape: tuple[int, int], classes: int) -> keras.Model:
    """VGG-16's 13 convolutions (14,714,688) under a mean over the image and the softmax: 14,718,792 parameters.

    Simonyan and Zisserman 2015. The head that gives the 57,092,000 of Table II is not known and none that was tried
    reaches it; this is the smallest.
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
    """Convolution without bias, batch normalisation and, mostly, ReLU."""
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_bn", **blocks.TORCH)(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _bottleneck(x, filters: int, stride: int, name: str):
    """1 x 1, 3 x 3 (which strides), 1 x 1 to four times the filters, and the way around them."""
    around = x
    if stride > 1 or x.shape[-1] != 4 * filters:
        around = _convolution(x, 4 * filters, 1, stride, f"{name}_around", relu=False)
    x = _convolution(x, filters, 1, 1, f"{name}_1")
    x = _convolution(x, filters, 3, stride, f"{name}_2")
    x = _convolution(x, 4 * filters, 1, 1, f"{name}_3", relu=False)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([around, x]))


def resnet50(shape: tuple[int, int], classes: int) -> keras.Model:
    """ResNet-50 (He et al. 2016), convolutions without bias: 23,524,424 parameters, exact."""
    inputs = keras.Input(shape, name="mel")
    x = _convolution(_three_channels(inputs), 64, 7, 2, "stem")
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, (filters, count) in enumerate(RESNET, start=1):
        for number in range(1, count + 1):
            x = _bottleneck(x, filters, 2 if stage > 1 and number == 1 else 1, f"stage{stage}_{number}")
    mean = layers.GlobalAveragePooling2D(name="mean", **blocks.FLOAT32)(x)
    return blocks.network(inputs, mean, classes, "resnet50")
