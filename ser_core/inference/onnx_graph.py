"""Build one ONNX graph of a trained network that starts from the waveform: features, layers, temperature.

The graph is made with ``onnx.helper`` from standard operators of one operator set, so that every ONNX runtime can run
it. The features come from :mod:`ser_core.features.onnx_features`.
"""

from collections.abc import Callable

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core.features.onnx_features import Graph, add_features, scale_to_peak
from ser_core.features.onnx_voice import add_voice_functionals, remove_offset
from ser_core.inference.saved_models import averaged_steps

OPSET, IR_VERSION = 17, 8
"""Operator set and file version, readable from ONNX 1.12 (2022) on."""


# Layers: a Keras tensor [batch, steps, channels] keeps its order; operators with channels first are transposed


def _transposed(graph: Graph, x: str) -> str:
    """Swap steps and channels."""
    return graph.add("Transpose", x, perm=[0, 2, 1])


def _as_image(graph: Graph, x: str) -> str:
    """Turn [batch, steps, channels] into [batch, channels, 1, steps]: runtimes have their fastest code for images."""
    return graph.images.get(x) or graph.add("Unsqueeze", _transposed(graph, x), graph.integers(2))


def _from_image(graph: Graph, image: str) -> str:
    """Turn [batch, channels, 1, steps] into [batch, steps, channels]; the image stays at hand for the next layer."""
    x = _transposed(graph, graph.add("Squeeze", image, graph.integers(2)))
    graph.images[x] = image
    return x


def _each_value(graph: Graph, x: str, build: Callable[..., str]) -> str:
    """Add operators that act on each value, to the image where it is at hand.

    ``build(x, constant)`` adds them; ``constant(values)`` adds a constant [channels] or [1 or steps, channels].
    """
    image = graph.images.get(x)
    if image is None:
        return build(x, graph.constant)
    return _from_image(graph, build(image, lambda values: graph.constant(np.atleast_2d(values).T[:, None, :])))


def _activation(graph: Graph, x: str, function) -> str:
    """Add an activation function of Keras."""
    name = getattr(function, "__name__", str(function))
    if name == "linear":
        return x
    if name == "softmax":
        return graph.add("Softmax", x, axis=-1)
    operators = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "elu": "Elu", "softplus": "Softplus"}
    if name not in operators:
        raise SerError(f"activation {name}: cannot be written as ONNX; {', '.join(operators)} and softmax can")
    return _each_value(graph, x, lambda y, constant: graph.add(operators[name], y))


def _same(length: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Return Keras' ``same`` padding before and after."""
    outputs = -(-length // stride)
    total = max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - length)
    return total // 2, total - total // 2


def _pads(layer, kernel: int, stride: int, dilation: int = 1) -> list[int]:
    """Return the padding of a layer before and after."""
    if layer.padding == "valid":
        return [0, 0]
    if layer.padding == "causal":
        return [(kernel - 1) * dilation, 0]
    return list(_same(layer.input.shape[1], kernel, stride, dilation))


def _convolved(graph: Graph, x: str, layer, kernel: np.ndarray, group: int = 1, bias: str | None = None) -> str:
    """Add a convolution over steps with a Keras kernel [width, in, out]."""
    weights = graph.constant(kernel.transpose(2, 1, 0)[:, :, None, :])
    width, stride, dilation = kernel.shape[0], layer.strides[0], layer.dilation_rate[0]
    before, after = _pads(layer, width, stride, dilation)
    y = graph.add(
        "Conv", _as_image(graph, x), weights, *([bias] if bias else []), group=group, kernel_shape=[1, width],
        strides=[1, stride], dilations=[1, dilation], pads=[0, before, 0, after],
    )  # fmt: skip
    return _from_image(graph, y)


def _conv1d(graph: Graph, layer, x: str) -> str:
    kernel = np.asarray(layer.kernel)
    bias = graph.constant(layer.bias) if layer.use_bias else None
    return _activation(graph, _convolved(graph, x, layer, kernel, layer.groups, bias), layer.activation)


def _separable(graph: Graph, layer, x: str) -> str:
    depthwise, pointwise = np.asarray(layer.depthwise_kernel), np.asarray(layer.pointwise_kernel)
    width, count, times = depthwise.shape
    each = depthwise.reshape(width, 1, count * times)
    y = graph.add("MatMul", _convolved(graph, x, layer, each, group=count), graph.constant(pointwise[0]))
    if layer.use_bias:
        y = graph.add("Add", y, graph.constant(layer.bias))
    return _activation(graph, y, layer.activation)


def _pooling(operator: str):
    def convert(graph: Graph, layer, x: str) -> str:
        size, stride = layer.pool_size[0], layer.strides[0]
        before, after = _pads(layer, size, stride)
        y = graph.add(
            operator, _as_image(graph, x), kernel_shape=[1, size], strides=[1, stride], pads=[0, before, 0, after]
        )  # fmt: skip
        return _from_image(graph, y)

    return convert


def _over_time(operator: str):
    def convert(graph: Graph, layer, x: str) -> str:
        return graph.add(operator, x, axes=[1], keepdims=int(layer.keepdims))

    return convert


def _prelu(graph: Graph, layer, x: str) -> str:
    """Add PReLU by plain operators, which runtimes compute several times as fast as the operator PRelu."""
    alpha = np.asarray(layer.alpha)

    def build(y: str, constant: Callable[..., str]) -> str:
        if (alpha >= 0.0).all() and (alpha <= 1.0).all():
            return graph.add("Max", y, graph.add("Mul", y, constant(alpha)))
        falling = graph.add("Mul", graph.add("Min", y, graph.constant(0.0)), constant(alpha))
        return graph.add("Add", graph.add("Relu", y), falling)

    return _each_value(graph, x, build)


def _dense(graph: Graph, layer, x: str) -> str:
    return _activation(graph, _logits(graph, layer, x), layer.activation)


def _logits(graph: Graph, layer, x: str) -> str:
    y = graph.add("MatMul", x, graph.constant(layer.kernel))
    return graph.add("Add", y, graph.constant(layer.bias)) if layer.use_bias else y


def _softmax(graph: Graph, layer, x: str) -> str:
    return graph.add("Softmax", x, axis=int(layer.axis))


def _dot(graph: Graph, layer, first: str, second: str) -> str:
    if layer.axes not in (1, [1, 1], (1, 1)) or layer.normalize or len(layer.input[0].shape) != 3:
        raise SerError(f"layer {layer.name} (Dot): only axes=1 of [batch, steps, channels] can be written as ONNX")
    return graph.add("MatMul", _transposed(graph, first), second)


def _normalization(graph: Graph, layer, x: str) -> str:
    moved = graph.add("Sub", x, graph.constant(layer.mean))
    return graph.add("Div", moved, graph.constant(np.maximum(np.sqrt(np.asarray(layer.variance)), 1e-7)))


def _batch_normalization(graph: Graph, layer, x: str) -> str:
    if layer.axis not in (-1, len(layer.input.shape) - 1):
        raise SerError(f"layer {layer.name} (BatchNormalization): only the last axis can be written as ONNX")
    scale = 1.0 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    scale = scale * np.asarray(layer.gamma) if layer.scale else scale
    offset = (np.asarray(layer.beta) if layer.center else 0.0) - np.asarray(layer.moving_mean) * scale
    return _each_value(
        graph, x, lambda y, constant: graph.add("Add", graph.add("Mul", y, constant(scale)), constant(offset))
    )


def _gates(matrix: np.ndarray) -> np.ndarray:
    """Reorder the gates from Keras' columns i, f, c, o to ONNX' rows i, o, f, c."""
    i, f, c, o = np.split(np.asarray(matrix), 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1).T


def _lstm(graph: Graph, layer, x: str, backward=None) -> str:
    """Add an LSTM of one or two directions, from [batch, steps, in] to [batch, steps, out] or the last [batch, out]."""
    from onnx import helper

    directions = [layer] + ([backward] if backward is not None else [])
    names = {getattr(lstm, part).__name__ for lstm in directions for part in ("activation", "recurrent_activation")}
    if names != {"tanh", "sigmoid"} or layer.stateful:
        raise SerError(
            f"layer {layer.name} (LSTM): only tanh and sigmoid, without a kept state, can be written as ONNX"
        )
    units = layer.units
    kernels = graph.constant(np.stack([_gates(lstm.cell.kernel) for lstm in directions]))
    recurrent = graph.constant(np.stack([_gates(lstm.cell.recurrent_kernel) for lstm in directions]))
    zeros = np.zeros(4 * units, np.float32)
    both = [np.r_[_gates(lstm.cell.bias) if lstm.use_bias else zeros, zeros] for lstm in directions]
    biases = graph.constant(np.stack(both))
    steps = graph.add("Transpose", x, perm=[1, 0, 2])
    direction = "bidirectional" if len(directions) == 2 else "reverse" if layer.go_backwards else "forward"
    every, last = f"t{len(graph.nodes)}", f"t{len(graph.nodes)}_last"
    node = helper.make_node(
        "LSTM", [steps, kernels, recurrent, biases], [every, last], name=every,
        hidden_size=units, direction=direction,
    )  # fmt: skip
    graph.nodes.append(node)
    if layer.return_sequences:  # [steps, directions, batch, units]
        y = graph.add("Transpose", every, perm=[2, 0, 1, 3])
        return graph.add("Reshape", y, graph.integers(0, 0, len(directions) * units))
    y = graph.add("Transpose", last, perm=[1, 0, 2])
    return graph.add("Reshape", y, graph.integers(0, len(directions) * units))


def _bidirectional(graph: Graph, layer, x: str) -> str:
    forward, backward = layer.forward_layer, layer.backward_layer
    if type(forward).__name__ != "LSTM" or layer.merge_mode != "concat":
        raise SerError(f"layer {layer.name} (Bidirectional): only LSTM, concatenated, can be written as ONNX")
    return _lstm(graph, forward, x, backward)


def _flatten(graph: Graph, layer, x: str) -> str:
    return graph.add("Flatten", x, axis=1)


def _add(graph: Graph, layer, *parts: str) -> str:
    y = parts[0]
    for part in parts[1:]:
        y = graph.add("Add", y, part)
    return y


def _average(graph: Graph, layer, *parts: str) -> str:
    return graph.add("Mean", *parts)


def _multiply(graph: Graph, layer, *parts: str) -> str:
    y = parts[0]
    for part in parts[1:]:
        y = graph.add("Mul", y, part)
    return y


def _rescaling(graph: Graph, layer, x: str) -> str:
    scaled = graph.add("Mul", x, graph.constant(layer.scale))
    return graph.add("Add", scaled, graph.constant(layer.offset))


def _clip(graph: Graph, layer, x: str) -> str:
    return graph.add("Clip", x, *(graph.constant(np.float32(limit)) for limit in (layer.x_min, layer.x_max)))


def _concatenate(graph: Graph, layer, *parts: str) -> str:
    return graph.add("Concat", *parts, axis=int(layer.axis))


def _identity(graph: Graph, layer, x: str) -> str:
    """Add nothing: the layer only acts in training."""
    return x


LAYERS: dict[str, Callable[..., str]] = {
    "Activation": lambda graph, layer, x: _activation(graph, x, layer.activation),
    "Add": _add,
    "Average": _average,
    "AveragePooling1D": _pooling("AveragePool"),
    "BatchNormalization": _batch_normalization,
    "Bidirectional": _bidirectional,
    "Clip": _clip,
    "Concatenate": _concatenate,
    "Conv1D": _conv1d,
    "Dense": _dense,
    "Dot": _dot,
    "Dropout": _identity,
    "Flatten": _flatten,
    "GlobalAveragePooling1D": _over_time("ReduceMean"),
    "GlobalMaxPooling1D": _over_time("ReduceMax"),
    "LSTM": _lstm,
    "MaxPooling1D": _pooling("MaxPool"),
    "Multiply": _multiply,
    "Normalization": _normalization,
    "PReLU": _prelu,
    "ReLU": lambda graph, layer, x: _each_value(graph, x, lambda y, constant: graph.add("Relu", y)),
    "Rescaling": _rescaling,
    "SeparableConv1D": _separable,
    "Softmax": _softmax,
    "SpatialDropout1D": _identity,
}
"""Converter of each Keras layer, by its class: from (graph, layer, input names) to the output's name."""


def add_network(graph: Graph, network, features_name: str, temperature: float) -> list[str]:
    """Add the layers of a Keras network to a graph.

    Attention has equal weights where a network takes the mean over time. Other networks have no attention.

    Parameters
    ----------
    graph : Graph
        The graph, which has the features.
    network : keras.Model
        From [batch, frames, channels] to probabilities.
    features_name : str
        Name of the features in the graph.
    temperature : float
        Temperature of the probabilities.

    Returns
    -------
    list of str
        Names of the outputs: probabilities, and attention where there is one.

    Raises
    ------
    SerError
        For a layer that cannot be written as ONNX.
    """
    from keras import tree

    names = {id(network.inputs[0]): features_name}
    attention, steps = None, averaged_steps(network)
    for layer in network.operations:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        if kind not in LAYERS:
            raise SerError(f"layer {layer.name} ({kind}): cannot be written as ONNX; {', '.join(LAYERS)} can")
        given = [names[id(tensor)] for tensor in tree.flatten(layer.input)]
        if layer.output is network.outputs[0]:
            return [_probabilities(graph, layer, given, temperature), *([attention] if attention else [])]
        names[id(layer.output)] = LAYERS[kind](graph, layer, *given)
        if layer.name == "mean_over_time" and steps:
            attention = _equal_weights(graph, given[0], steps)
        if layer.name == "attention":
            attention = graph.add("Flatten", names[id(layer.output)], axis=1, output="attention")
    raise SerError(f"network {network.name}: its output is not made by its last layer")


def _equal_weights(graph: Graph, x: str, steps: int) -> str:
    """Add the attention of a network that takes the mean over time of [batch, steps, channels]: [batch, steps]."""
    batch = graph.add("Shape", x, start=0, end=1)
    shape = graph.add("Concat", batch, graph.integers(steps), axis=0)
    return graph.add("Expand", graph.constant(np.full((1, steps), 1.0 / steps)), shape, output="attention")


def _probabilities(graph: Graph, layer, given: list[str], temperature: float) -> str:
    """Add the last layer: a dense softmax, whose logits are divided by the temperature, or a mixture of such."""
    if type(layer).__name__ in ("Add", "Average"):
        mixed = LAYERS[type(layer).__name__](graph, layer, *given)
        mean = graph.add("Max", mixed, graph.constant(1e-30))
        scores = graph.add("Div", graph.add("Log", mean), graph.constant(temperature))
        return graph.add("Softmax", scores, axis=-1, output="probabilities")
    if type(layer).__name__ != "Dense" or getattr(layer.activation, "__name__", "") != "softmax":
        raise SerError(f"last layer {layer.name}: must be Dense with softmax, or a mixture of such, in an ONNX file")
    logits = graph.add("Div", _logits(graph, layer, *given), graph.constant(temperature))
    return graph.add("Softmax", logits, axis=-1, output="probabilities")


def model(network, settings: features.FeatureSettings, *, temperature: float, labels: int, facts: str,
          half: bool = False):  # fmt: skip
    """Build the ONNX model of a network, from the waveform to probabilities.

    Parameters
    ----------
    network : keras.Model
        From [batch, frames, channels] to probabilities.
    settings : FeatureSettings
        What makes its input.
    temperature : float
        Temperature of the probabilities.
    labels : int
        Number of labels.
    facts : str
        JSON text, stored in the metadata under ``ser``.
    half : bool, default False
        Store the weights in 16 bits; they are computed with in 32.

    Returns
    -------
    onnx.ModelProto
        Input ``waveform``: float32 [batch, samples], mono at ``settings.rate`` Hz; a batch of 1 for voice functionals,
        because the utterances differ in what counts as speech. Outputs ``probabilities``
        [batch, labels] and, where the network attends or takes the mean over time, ``attention`` [batch, steps].

    Raises
    ------
    SerError
        For features or a layer that cannot be written as ONNX.
    """
    graph = Graph()
    voiced = settings.features == "voice_functionals"
    if voiced:
        waveform = remove_offset(graph, "waveform")
        waveform = scale_to_peak(graph, waveform) if settings.normalise else waveform
        features_name = add_voice_functionals(graph, waveform, settings.rate)
    else:
        features_name = add_features(graph, "waveform", settings)
    graph.half = half
    outputs = add_network(graph, network, features_name, temperature)
    return _finished(graph, "waveform", [1 if voiced else "batch", "samples"], outputs, labels, facts)


def network_model(network):
    """Build the ONNX model of a network alone, from its features to probabilities.

    Parameters
    ----------
    network : keras.Model
        From [batch, frames, channels] to probabilities.

    Returns
    -------
    onnx.ModelProto
        Input ``features``: float32 [batch, frames, channels]. Outputs as for :func:`model`, temperature 1.

    Raises
    ------
    SerError
        For a layer that cannot be written as ONNX.
    """
    graph = Graph()
    outputs = add_network(graph, network, "features", 1.0)
    return _finished(graph, "features", ["batch", *network.input_shape[1:]], outputs, network.output_shape[-1], "{}")


def _finished(graph: Graph, given: str, shape: list, outputs: list[str], labels: int, facts: str):
    """Make a checked model of a graph with one input."""
    import onnx
    from onnx import TensorProto, helper

    graph.prune(outputs)
    batch = shape[0]
    shapes: dict[str, list[str | int | None]] = {"probabilities": [batch, labels], "attention": [batch, "steps"]}
    made = helper.make_graph(
        graph.nodes,
        "ser",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        graph.constants,
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="ser_core")
    whole.ir_version = IR_VERSION
    helper.set_model_props(whole, {"ser": facts})
    onnx.checker.check_model(whole, full_check=True)
    return whole
