"""Write frame features as nodes of an ONNX graph, from waveforms [batch, samples] on.

Framing, window and Fourier transform are one convolution whose kernels are the windowed cosines and sines.
"""

from typing import Any

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError

HALVED_FROM = 256
"""Fewest values of a constant that is worth storing in 16 bits."""
HALF_LARGEST = 65_504.0
"""Largest number that 16 bits hold."""


class Graph:
    """Collect the nodes and constants of a graph in order, and number their names."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.constants: list = []
        self.half = False  # whether large constants that are added from now on are stored in 16 bits
        self.images: dict[str, str] = {}  # name of a sequence to the name of the same values as an image

    def constant(self, value, kind=np.float32) -> str:
        """Add a constant, by default as float32, and return its name.

        With ``half`` a large one is stored in 16 bits and cast to float32, which a runtime does once, when it loads.
        """
        from onnx import TensorProto, numpy_helper

        values = np.ascontiguousarray(value, dtype=kind)
        small = values.size < HALVED_FROM or kind is not np.float32 or np.abs(values).max() > HALF_LARGEST
        halved = self.half and not small
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values.astype(np.float16) if halved else values, name))
        return self.add("Cast", name, to=TensorProto.FLOAT) if halved else name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes) -> str:
        """Add a node with one output, and return the name of the output."""
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def integers(self, *values: int) -> str:
        """Add a constant of int64, and return its name."""
        return self.constant(values, np.int64)

    def prune(self, outputs: list[str]) -> None:
        """Remove the nodes and constants on which none of the outputs depends."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                needed |= set(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.constants = [constant for constant in self.constants if constant.name in needed]


def add_features(graph: Graph, waveform: str, settings: features.FeatureSettings) -> str:
    """Add the nodes that turn a waveform into the network's input; see :func:`ser_core.features.to_input`.

    Parameters
    ----------
    graph : Graph
        gets the nodes
    waveform : str
        name of the input, float32 [batch, samples]
    settings : FeatureSettings
        with ``normalise`` the waveform is scaled to a peak of 1 first

    Returns
    -------
    str
        name of the network's input, float32 [batch, frames, channels]

    Raises
    ------
    SerError
        for settings that have no graph: the feature set ``wide``, other inputs, noise reduction
    """
    if settings.features not in features.CHANNELS or settings.features == "wide" or settings.denoise:
        what = "noise reduction" if settings.denoise else f"the input {settings.features}"
        known = ", ".join(name for name in features.CHANNELS if name != "wide")
        raise SerError(f"{what}: cannot be written as ONNX; the channels {known} without noise reduction can")
    if settings.normalise:
        waveform = scale_to_peak(graph, waveform)
    static = _static(graph, graph.add("Unsqueeze", waveform, graph.integers(1)), settings.rate)
    first = _delta(graph, static)
    channels = graph.add("Concat", static, first, _delta(graph, first), axis=1)
    order = features.CHANNELS["42"]
    selected = [order.index(name) for name in features.channel_names(settings.features)]
    x = channels if selected == list(range(42)) else graph.add("Gather", channels, graph.integers(*selected), axis=1)
    if settings.znorm:
        x = _zscore(graph, x)
    padded = graph.add("Pad", x, graph.integers(0, 0, 0, 0, 0, settings.frames), graph.constant(0.0))
    cut = graph.add("Slice", padded, graph.integers(0), graph.integers(settings.frames), graph.integers(2))
    return graph.add("Transpose", cut, perm=[0, 2, 1])


def scale_to_peak(graph: Graph, waveform: str) -> str:
    """Add the nodes that scale waveforms [batch, samples] to a peak of 1; silence stays as it is."""
    peak = graph.add("ReduceMax", graph.add("Abs", waveform), axes=[1], keepdims=1)
    return graph.add("Div", waveform, graph.add("Max", peak, graph.constant(1e-30)))


def fourier_kernels(frame: int) -> np.ndarray:
    """Compute the kernels of a Fourier transform: windowed cosines, then sines, of every bin.

    Parameters
    ----------
    frame : int
        length of a frame, samples

    Returns
    -------
    ndarray of float64 [2 x (frame // 2 + 1), frame]

    Examples
    --------
    >>> fourier_kernels(400).shape
    (402, 400)
    """
    time = np.arange(frame)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * time / frame)
    angle = 2.0 * np.pi * (np.outer(np.arange(frame // 2 + 1), time) % frame) / frame
    return np.concatenate([np.cos(angle), np.sin(angle)]) * window


def _static(graph: Graph, x: str, rate: int) -> str:
    """Add 13 MFCC and RMSE: [batch, 1, samples] to [batch, 14, frames]."""
    frame, hop = features.frame_sizes(rate)
    bins = frame // 2 + 1
    kernels = graph.constant(fourier_kernels(frame)[:, None, :])
    framing: dict[str, Any] = {"strides": [hop], "pads": [frame // 2, frame // 2]}
    spectrum = graph.add("Conv", x, kernels, kernel_shape=[frame], **framing)
    squared = graph.add("Mul", spectrum, spectrum)
    filters = np.hstack([features.mel_filters(rate, frame)] * 2)  # adds the squares of both parts and weights the bins
    assert filters.shape[1] == 2 * bins
    mel = graph.add("Max", graph.add("MatMul", graph.constant(filters), squared), graph.constant(1e-10))
    decibel = graph.add("Mul", graph.add("Log", mel), graph.constant(10.0 / np.log(10.0)))
    loudest = graph.add("ReduceMax", decibel, axes=[1, 2], keepdims=1)
    floor = graph.add("Sub", loudest, graph.constant(features.DYNAMIC_RANGE_DB))
    cosines = graph.constant(features.dct_matrix(features.N_MFCC, features.N_MELS))
    mfcc = graph.add("MatMul", cosines, graph.add("Max", decibel, floor))
    energy = graph.add(
        "AveragePool", graph.add("Mul", x, x), kernel_shape=[frame], count_include_pad=1, **framing
    )  # fmt: skip
    return graph.add("Concat", mfcc, graph.add("Sqrt", energy), axis=1)


def _delta(graph: Graph, x: str) -> str:
    """Add deltas (Eq. 1) of [batch, 14, frames] along time; the edge frames are repeated beyond the ends."""
    n, count = features.DELTA_N, features.N_MFCC + 1
    padded = graph.add("Pad", x, graph.integers(0, 0, n, 0, 0, n), mode="edge")
    slope = np.arange(-n, n + 1) / (2.0 * sum(k * k for k in range(1, n + 1)))
    kernel = graph.constant(np.tile(slope, (count, 1, 1)))
    return graph.add("Conv", padded, kernel, group=count, kernel_shape=[2 * n + 1])


def _zscore(graph: Graph, x: str) -> str:
    """Add z-scores (Eq. 4) of [batch, channels, frames] along time; a constant channel becomes 0.

    The first frame is subtracted before. This changes no score and keeps a constant channel exactly constant.
    """
    first = graph.add("Slice", x, graph.integers(0), graph.integers(1), graph.integers(2))
    shifted = graph.add("Sub", x, first)
    centred = graph.add("Sub", shifted, graph.add("ReduceMean", shifted, axes=[2], keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[2], keepdims=1)
    deviation = graph.add("Sqrt", variance)
    varies = graph.add("Greater", deviation, graph.constant(1e-8))
    return graph.add("Div", centred, graph.add("Where", varies, deviation, graph.constant(1e30)))
