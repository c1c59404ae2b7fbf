"""The features of :mod:`ser_core.features` as nodes of an ONNX graph, from waveforms [batch, samples] on.

Framing, window and Fourier transform are one convolution whose kernels are the windowed cosines and sines.
"""

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError


class Graph:
    """A graph under construction: nodes and constants in order, names counted."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value, kind=np.float32) -> str:
        """A constant's name; floats as float32 unless said otherwise."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=kind), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes) -> str:
        """One node with one output, whose name is given back."""
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)


def add_features(graph: Graph, waveform: str, settings: features.FeatureSettings) -> str:
    """The nodes of :func:`ser_core.features.to_input` after peak normalisation; gives the name of the network's input.

    Raises
    ------
    SerError
        for settings that have no graph: the wider channels, other inputs, noise reduction
    """
    if settings.features not in features.CHANNELS or settings.features == "wide" or settings.denoise:
        what = "noise reduction" if settings.denoise else f"the input {settings.features}"
        known = ", ".join(name for name in features.CHANNELS if name != "wide")
        raise SerError(f"{what}: cannot be written as ONNX; the channels {known} without noise reduction can")
    if settings.normalise:
        peak = graph.add("ReduceMax", graph.add("Abs", waveform), axes=[1], keepdims=1)
        waveform = graph.add("Div", waveform, graph.add("Max", peak, graph.constant(1e-30)))
    static = _static(graph, graph.add("Unsqueeze", waveform, graph.integers(1)), settings.rate)
    first = _delta(graph, static)
    everything = graph.add("Concat", static, first, _delta(graph, first), axis=1)
    order = features.CHANNELS["42"]
    chosen = [order.index(name) for name in features.channel_names(settings.features)]
    x = everything if chosen == list(range(42)) else graph.add("Gather", everything, graph.integers(*chosen), axis=1)
    if settings.znorm:
        x = _zscore(graph, x)
    longer = graph.add("Pad", x, graph.integers(0, 0, 0, 0, 0, settings.frames), graph.constant(0.0))
    cut = graph.add("Slice", longer, graph.integers(0), graph.integers(settings.frames), graph.integers(2))
    return graph.add("Transpose", cut, perm=[0, 2, 1])


def fourier_kernels(frame: int) -> np.ndarray:
    """Windowed cosines, then sines, of every bin: float64 [2 x (frame // 2 + 1), frame]."""
    time = np.arange(frame)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * time / frame)
    angle = 2.0 * np.pi * (np.outer(np.arange(frame // 2 + 1), time) % frame) / frame
    return np.concatenate([np.cos(angle), np.sin(angle)]) * window


def _static(graph: Graph, x: str, rate: int) -> str:
    """13 MFCC and RMSE: [batch, 1, samples] to [batch, 14, frames]."""
    frame, hop = features.frame_sizes(rate)
    bins = frame // 2 + 1
    kernels = graph.constant(fourier_kernels(frame)[:, None, :])
    around = {"strides": [hop], "pads": [frame // 2, frame // 2]}
    spectrum = graph.add("Conv", x, kernels, kernel_shape=[frame], **around)
    squared = graph.add("Mul", spectrum, spectrum)
    adding = np.hstack([features.mel_filters(rate, frame)] * 2)  # sums the squares of both parts and weighs the bins
    assert adding.shape[1] == 2 * bins
    mel = graph.add("Max", graph.add("MatMul", graph.constant(adding), squared), graph.constant(1e-10))
    decibel = graph.add("Mul", graph.add("Log", mel), graph.constant(10.0 / np.log(10.0)))
    loudest = graph.add("ReduceMax", decibel, axes=[1, 2], keepdims=1)
    floor = graph.add("Sub", loudest, graph.constant(features.DYNAMIC_RANGE_DB))
    cosines = graph.constant(features.dct_matrix(features.N_MFCC, features.N_MELS))
    mfcc = graph.add("MatMul", cosines, graph.add("Max", decibel, floor))
    energy = graph.add(
        "AveragePool", graph.add("Mul", x, x), kernel_shape=[frame], count_include_pad=1, **around
    )  # fmt: skip
    return graph.add("Concat", mfcc, graph.add("Sqrt", energy), axis=1)


def _delta(graph: Graph, x: str) -> str:
    """Eq. 1 along time of [batch, 14, frames], the last frame repeated beyond the ends."""
    n, count = features.DELTA_N, features.N_MFCC + 1
    padded = graph.add("Pad", x, graph.integers(0, 0, n, 0, 0, n), mode="edge")
    slope = np.arange(-n, n + 1) / (2.0 * sum(k * k for k in range(1, n + 1)))
    kernel = graph.constant(np.tile(slope, (count, 1, 1)))
    return graph.add("Conv", padded, kernel, group=count, kernel_shape=[2 * n + 1])


def _zscore(graph: Graph, x: str) -> str:
    """Eq. 4 along time of [batch, channels, frames]; a constant channel becomes 0.

    The first frame is taken off before: it changes no score and keeps a constant channel exactly constant.
    """
    first = graph.add("Slice", x, graph.integers(0), graph.integers(1), graph.integers(2))
    moved = graph.add("Sub", x, first)
    centred = graph.add("Sub", moved, graph.add("ReduceMean", moved, axes=[2], keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[2], keepdims=1)
    deviation = graph.add("Sqrt", variance)
    varies = graph.add("Greater", deviation, graph.constant(1e-8))
    return graph.add("Div", centred, graph.add("Where", varies, deviation, graph.constant(1e30)))
