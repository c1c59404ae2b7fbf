"""Networks by name, one plain dict; each family has a file of its own.

Builders take the input shape and the number of classes and return an uncompiled ``keras.Model`` of built-in layers
only, so that a saved ``.keras`` file loads anywhere with ``keras.models.load_model`` and nothing else.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from ser_core.errors import SerError


@dataclass(frozen=True)
class Model:
    """A network that can be asked for by name."""

    title: str  # as tables show it
    build: Callable  # "module:function" resolved by builder(): (shape, classes) -> keras.Model
    channels: str  # the input it was made for, one of features.CHANNELS
    source: str  # where the layers come from
    claimed: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))  # parameters, as printed


def _family(function: str) -> Callable:
    """A builder in ``cnn_bilstm_attention`` that imports Keras only when it is called."""

    def build(shape: tuple[int, int], classes: int):
        module = importlib.import_module("ser_core.models.cnn_bilstm_attention")
        return getattr(module, function)(shape, classes)

    return build


_PROPOSED = "Table I, Eq. 5 and 6, II.D.5"
MODELS: dict[str, Model] = {
    "cnn_bilstm_attention": Model(
        "CNN-BiLSTM-Attention (A5)", _family("full"), "42", _PROPOSED, MappingProxyType({"parameters": 240_840})
    ),
    "cnn_bilstm_attention_lite": Model(
        "CNN-BiLSTM-Attention, lite",
        _family("lite"),
        "42",
        f"{_PROPOSED}; Conv2 and Conv3 depthwise-separable",
        MappingProxyType({"parameters": 240_840}),
    ),
    "a1": Model("A1: CNN, MFCC", _family("cnn"), "39", "Tables V and VI, A1"),
    "a2": Model("A2: CNN, MFCC+RMSE", _family("cnn"), "42", "Tables V and VI, A2"),
    "a3": Model("A3: CNN+LSTM", _family("cnn_lstm"), "42", "Tables V and VI, A3"),
    "a4": Model("A4: CNN+BiLSTM", _family("cnn_bilstm"), "42", "Tables V and VI, A4"),
}


def entry(name: str) -> Model:
    """The entry of a model name, or of a user's own builder ``package.module:function`` (42 channels by default)."""
    if name in MODELS:
        return MODELS[name]
    if ":" not in name:
        raise SerError(
            f"model {name!r}: not known; choose among {', '.join(MODELS)} or your own package.module:function"
        )
    module, function = name.split(":", 1)
    try:
        build = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SerError(f"model {name!r}: cannot be imported ({error}); is it on PYTHONPATH?") from None
    return Model(name, build, "42", "a user's own builder")


def build(name: str, shape: tuple[int, int], classes: int):
    """Build a network by name.

    Parameters
    ----------
    name : one of :data:`MODELS`, or ``package.module:function``
    shape : (frames, channels) of the input
    classes : number of emotions

    Returns
    -------
    keras.Model, uncompiled, from float32 [batch, frames, channels] to probabilities [batch, classes]
    """
    return entry(name).build(shape, classes)


def parameters(model) -> int:
    """Trainable parameters of a Keras model (``count_params`` would add the statistics of batch normalisation)."""
    import math

    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def attention_model(model):
    """A model that gives the attention weights beside the probabilities, or None where the network has none.

    Returns
    -------
    keras.Model with outputs probabilities [batch, classes] and weights [batch, steps], which sum to 1 over the steps;
    a step of the proposed network covers eight frames (80 ms)
    """
    import keras

    names = [layer.name for layer in model.layers]
    if "attention" not in names:
        return None
    weights = keras.layers.Flatten(name="attention_weights", dtype="float32")(model.get_layer("attention").output)
    return keras.Model(model.input, [model.output, weights])
