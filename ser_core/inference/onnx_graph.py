"""A trained network as one ONNX graph that starts from the waveform: features, layers, temperature.

Everything is written out with ``onnx.helper``; the graph runs wherever ONNX runs, on one operator set, with no operator
of anybody's own. The features come from :mod:`ser_core.features.onnx_features`.
"""

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core.features.onnx_features import Graph, add_features
from ser_core.inference.saved_models import averaged_steps

OPSET, IR_VERSION = 17, 8
"""ONNX 1.12 of 2022 and later read it."""


# Layers: a Keras tensor [batch, steps, channels] keeps its order; operators that want channels first are turned around


def _turned(graph: Graph, x: str) -> str:
    return graph.add("Transpose", x, perm=[0, 2, 1])


def _activation(graph: Graph, x: str, function) -> str:
    name = getattr(function, "__name__", str(function))
    if name == "linear":
        return x
    if name == "softmax":
        return graph.add("Softmax", x, axis=-1)
    known = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "elu": "Elu", "softplus": "Softplus"}
    if name not in known:
        raise SerError(f"activation {name}: cannot be written as ONNX; {', '.join(known)} and softmax can")
    return graph.add(known[name], x)


def _same(length: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Keras' ``same`` padding: what stands before and after."""
    outputs = -(-length // stride)
    total = max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - length)
    return total // 2, total - total // 2


def _pads(layer, kernel: int, stride: int, dilation: int = 1) -> list[int]:
    if layer.padding == "valid":
        return [0, 0]
    if layer.padding == "causal":
        return [(kernel - 1) * dilation, 0]
    return list(_same(layer.input.shape[1], kernel, stride, dilation))


def _convolved(graph: Graph, x: str, layer, kernel: np.ndarray, group: int = 1, bias: str | None = None) -> str:
    """One convolution, channels first, with a Keras kernel [width, in, out]."""
    weights = graph.constant(kernel.transpose(2, 1, 0))
    width, stride, dilation = kernel.shape[0], layer.strides[0], layer.dilation_rate[0]
    return graph.add(
        "Conv", x, weights, *([bias] if bias else []), group=group, kernel_shape=[width], strides=[stride],
        dilations=[dilation], pads=_pads(layer, width, stride, dilation),
    )  # fmt: skip


def _conv1d(graph: Graph, layer, x: str) -> str:
    kernel = np.asarray(layer.kernel)
    bias = graph.constant(layer.bias) if layer.use_bias else None
    y = _convolved(graph, _turned(graph, x), layer, kernel, layer.groups, bias)
    return _activation(graph, _turned(graph, y), layer.activation)


def _separable(graph: Graph, layer, x: str) -> str:
    depthwise, pointwise = np.asarray(layer.depthwise_kernel), np.asarray(layer.pointwise_kernel)
    width, count, times = depthwise.shape
    each = depthwise.reshape(width, 1, count * times)
    y = _turned(graph, _convolved(graph, _turned(graph, x), layer, each, group=count))
    y = graph.add("MatMul", y, graph.constant(pointwise[0]))
    if layer.use_bias:
        y = graph.add("Add", y, graph.constant(layer.bias))
    return _activation(graph, y, layer.activation)


def _pooling(operator: str):
    def convert(graph: Graph, layer, x: str) -> str:
        size, stride = layer.pool_size[0], layer.strides[0]
        y = graph.add(
            operator, _turned(graph, x), kernel_shape=[size], strides=[stride], pads=_pads(layer, size, stride)
        )  # fmt: skip
        return _turned(graph, y)

    return convert


def _over_time(operator: str):
    def convert(graph: Graph, layer, x: str) -> str:
        return graph.add(operator, x, axes=[1], keepdims=int(layer.keepdims))

    return convert


def _prelu(graph: Graph, layer, x: str) -> str:
    return graph.add("PRelu", x, graph.constant(np.asarray(layer.alpha)))


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
    return graph.add("MatMul", _turned(graph, first), second)


def _normalization(graph: Graph, layer, x: str) -> str:
    moved = graph.add("Sub", x, graph.constant(layer.mean))
    return graph.add("Div", moved, graph.constant(np.maximum(np.sqrt(np.asarray(layer.variance)), 1e-7)))


def _batch_normalization(graph: Graph, layer, x: str) -> str:
    if layer.axis not in (-1, len(layer.input.shape) - 1):
        raise SerError(f"layer {layer.name} (BatchNormalization): only the last axis can be written as ONNX")
    scale = 1.0 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    scale = scale * np.asarray(layer.gamma) if layer.scale else scale
    offset = (np.asarray(layer.beta) if layer.center else 0.0) - np.asarray(layer.moving_mean) * scale
    return graph.add("Add", graph.add("Mul", x, graph.constant(scale)), graph.constant(offset))


def _gates(matrix: np.ndarray) -> np.ndarray:
    """The gates' columns from Keras' order i, f, c, o to ONNX' rows i, o, f, c."""
    i, f, c, o = np.split(np.asarray(matrix), 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1).T


def _lstm(graph: Graph, layer, x: str, backward=None) -> str:
    """LSTM, or both directions: [batch, steps, in] to [batch, steps, out] or the last state [batch, out]."""
    from onnx import helper

    cells = [layer] + ([backward] if backward is not None else [])
    names = {getattr(cell, part).__name__ for cell in cells for part in ("activation", "recurrent_activation")}
    if names != {"tanh", "sigmoid"} or layer.stateful:
        raise SerError(f"layer {layer.name} (LSTM): only tanh, sigmoid and no state kept can be written as ONNX")
    units = layer.units
    kernels = graph.constant(np.stack([_gates(cell.cell.kernel) for cell in cells]))
    recurrent = graph.constant(np.stack([_gates(cell.cell.recurrent_kernel) for cell in cells]))
    zeros = np.zeros(4 * units, np.float32)
    biases = [np.r_[_gates(cell.cell.bias) if cell.use_bias else zeros, zeros] for cell in cells]
    steps = graph.add("Transpose", x, perm=[1, 0, 2])
    direction = "bidirectional" if len(cells) == 2 else "reverse" if layer.go_backwards else "forward"
    every, last = f"t{len(graph.nodes)}", f"t{len(graph.nodes)}_last"
    node = helper.make_node(
        "LSTM", [steps, kernels, recurrent, graph.constant(np.stack(biases))], [every, last], name=every,
        hidden_size=units, direction=direction,
    )  # fmt: skip
    graph.nodes.append(node)
    if layer.return_sequences:  # [steps, directions, batch, units]
        y = graph.add("Transpose", every, perm=[2, 0, 1, 3])
        return graph.add("Reshape", y, graph.integers(0, 0, len(cells) * units))
    y = graph.add("Transpose", last, perm=[1, 0, 2])
    return graph.add("Reshape", y, graph.integers(0, len(cells) * units))


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


def _concatenate(graph: Graph, layer, *parts: str) -> str:
    return graph.add("Concat", *parts, axis=int(layer.axis))


def _itself(graph: Graph, layer, x: str) -> str:
    return x


LAYERS = {
    "Activation": lambda graph, layer, x: _activation(graph, x, layer.activation),
    "Add": _add,
    "AveragePooling1D": _pooling("AveragePool"),
    "BatchNormalization": _batch_normalization,
    "Bidirectional": _bidirectional,
    "Concatenate": _concatenate,
    "Conv1D": _conv1d,
    "Dense": _dense,
    "Dot": _dot,
    "Dropout": _itself,
    "Flatten": _flatten,
    "GlobalAveragePooling1D": _over_time("ReduceMean"),
    "GlobalMaxPooling1D": _over_time("ReduceMax"),
    "LSTM": _lstm,
    "MaxPooling1D": _pooling("MaxPool"),
    "Normalization": _normalization,
    "PReLU": _prelu,
    "ReLU": lambda graph, layer, x: graph.add("Relu", x),
    "SeparableConv1D": _separable,
    "Softmax": _softmax,
    "SpatialDropout1D": _itself,
}
"""Name of a Keras layer -> (graph, layer, input names) -> output name."""


def add_network(graph: Graph, network, features_name: str, temperature: float) -> list[str]:
    """The layers of a Keras network; gives the outputs' names: probabilities, and attention.

    A network that takes the mean over time has equal weights; one that does neither has no attention.

    Raises
    ------
    SerError
        for a layer that has no counterpart here
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
    """Attention of a network that takes the mean over time of [batch, steps, channels]: [batch, steps]."""
    batch = graph.add("Shape", x, start=0, end=1)
    shape = graph.add("Concat", batch, graph.integers(steps), axis=0)
    return graph.add("Expand", graph.constant(np.full((1, steps), 1.0 / steps)), shape, output="attention")


def _probabilities(graph: Graph, layer, given: list[str], temperature: float) -> str:
    """The last layer: a dense softmax, whose logits are divided by the temperature."""
    if type(layer).__name__ != "Dense" or getattr(layer.activation, "__name__", "") != "softmax":
        raise SerError(f"layer {layer.name}: the last layer must be Dense with softmax to be written as ONNX")
    logits = graph.add("Div", _logits(graph, layer, *given), graph.constant(temperature))
    return graph.add("Softmax", logits, axis=-1, output="probabilities")


def model(network, settings: features.FeatureSettings, *, temperature: float, labels: int, facts: str):
    """The whole graph.

    Parameters
    ----------
    network : keras.Model from [batch, frames, channels] to probabilities
    settings : what makes its input
    temperature : of the probabilities
    labels : how many there are
    facts : JSON text, kept in the metadata under ``ser``

    Returns
    -------
    onnx.ModelProto with input ``waveform`` float32 [batch, samples] at ``settings.rate`` Hz, mono, and outputs
    ``probabilities`` [batch, labels] and, from a network that attends or takes the mean over time, ``attention``
    [batch, steps]
    """
    import onnx
    from onnx import TensorProto, helper

    graph = Graph()
    outputs = add_network(graph, network, add_features(graph, "waveform", settings), temperature)
    shapes = {"probabilities": ["batch", labels], "attention": ["batch", "steps"]}
    made = helper.make_graph(
        graph.nodes,
        "ser",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        graph.constants,
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="ser_core")
    whole.ir_version = IR_VERSION
    helper.set_model_props(whole, {"ser": facts})
    onnx.checker.check_model(whole, full_check=True)
    return whole
