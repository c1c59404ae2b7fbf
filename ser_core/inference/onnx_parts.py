"""Cut the network out of an exported ONNX file, so that it can be given features instead of a waveform.

The Fourier transform of an exported file is a convolution, which every runtime has, and which takes thirty times as
many operations as :mod:`ser_core.features` needs. The file's format is that of protocol buffers; the few fields that
are needed are read here, because the package ``onnx`` is not part of the base install.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ser_core import features
from ser_core.features import FeatureSettings

GRAPH, METADATA = 7, 14  # fields of a model
NODE, CONSTANT, INPUT = 1, 5, 11  # fields of a graph
FEATURES_END = ("Transpose", "Slice", "Pad")
"""Last operators of the features, backwards: cut or pad to a number of frames, then frames before channels."""


@dataclass
class Node:
    """Hold an operator of a graph."""

    operator: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NetworkPart:
    """Hold the network of an exported file without its features."""

    content: bytes  # an ONNX model
    input: str  # name of its input, float32 [batch, frames, channels]
    settings: FeatureSettings


def cut_network(content: bytes) -> NetworkPart | None:
    """Cut the network out of an exported file.

    Parameters
    ----------
    content : bytes
        An ONNX model that ``ser export`` wrote.

    Returns
    -------
    NetworkPart or None
        None where the file is another or a damaged one.
    """
    try:
        fields = list(_fields(content))
        facts = json.loads(dict(_pair(value) for number, value in fields if number == METADATA)["ser"])
        settings = _settings(facts["spec"]) if facts["rate"] == facts["spec"]["rate"] else None
        (graph,) = (value for number, value in fields if number == GRAPH)
        cut = None if settings is None else _cut_graph(graph, settings)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if settings is None or cut is None:
        return None
    made = b"".join(_field(number, cut[0] if number == GRAPH else value) for number, value in fields)
    return NetworkPart(made, cut[1], settings)


def read_facts(content: bytes) -> dict | None:
    """Read what an exported file says of its network; None where it is another or a damaged file.

    Parameters
    ----------
    content : bytes
        An ONNX model.
    """
    try:
        facts = json.loads(dict(_pair(value) for number, value in _fields(content) if number == METADATA)["ser"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def replace_facts(content: bytes, facts: dict) -> bytes:
    """Replace what an exported file says of its network; every other byte stays.

    Parameters
    ----------
    content : bytes
        An ONNX model that :func:`read_facts` can read.
    facts : dict
        JSON-able.
    """
    made = _field(1, b"ser") + _field(2, json.dumps(facts).encode())
    return b"".join(
        _field(number, made if number == METADATA and _pair(value)[0] == "ser" else value)
        for number, value in _fields(content)
    )


def _settings(spec: dict) -> FeatureSettings | None:
    """Return the settings of the features in a stored spec; None for those that are not frame features."""
    name = spec.get("features", spec.get("channels"))
    if name not in features.CHANNELS or name == "wide" or spec["denoise"]:
        return None
    kept = {key: spec[key] for key in ("frames", "znorm", "rate", "normalise")}
    return FeatureSettings(features=name, **kept)


def _cut_graph(graph: memoryview, settings: FeatureSettings) -> tuple[bytes, str] | None:
    """Return a graph that starts from the features, and the name of its input."""
    fields = list(_fields(graph))
    nodes = [_node(value) for number, value in fields if number == NODE]
    place = _features_end(nodes)
    if place is None:
        return None
    (name,), rest = nodes[place].outputs, nodes[place + 1 :]
    used = {one for node in rest for one in node.inputs}
    if used & {one for node in nodes[:place] for one in node.outputs} or "waveform" in used:
        return None
    parts, passed = [], 0
    for number, value in fields:
        passed += number == NODE
        if number == NODE and passed <= place + 1:
            continue
        if number == CONSTANT and _name_of(value, 8) not in used:
            continue
        if number == INPUT:
            value = _input(name, settings.frames, len(features.channel_names(settings.features)))
        parts.append(_field(number, value))
    return b"".join(parts), name


def _features_end(nodes: list[Node]) -> int | None:
    """Return the place of the operator whose output is the features."""
    makers = {name: node for node in nodes for name in node.outputs}
    for place, node in enumerate(nodes):
        chain, one = [], node
        for _ in FEATURES_END:
            chain.append(one.operator)
            if not one.inputs or one.inputs[0] not in makers:
                break
            one = makers[one.inputs[0]]
        if tuple(chain) == FEATURES_END:
            return place
    return None


# Protocol buffers: a message is a list of fields, each a number and a value


def _fields(content: bytes | memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each field of a message: a view of bytes, or an int."""
    place, view = 0, memoryview(content)
    value: Any
    while place < len(view):
        key, place = _integer(view, place)
        value, place = _integer(view, place)
        if key & 7 == 2:  # the length of the value
            value, place = view[place : place + value], place + value
        elif key & 7 != 0 or place > len(view):
            raise ValueError("damaged, or of another kind")
        yield key >> 3, value
    if place != len(view):
        raise ValueError("damaged")


def _integer(view: memoryview, place: int) -> tuple[int, int]:
    """Read a number of variable length, and return it with the place behind it."""
    value = shift = 0
    while True:
        byte = view[place]
        value, shift, place = value | (byte & 0x7F) << shift, shift + 7, place + 1
        if byte < 0x80:
            return value, place


def _number(value: int) -> bytes:
    """Write a number of variable length."""
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _field(number: int, value: bytes | memoryview | int) -> bytes:
    """Write a field."""
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    return b"".join((_number(number << 3 | 2), _number(len(value)), value))


def _pair(value: memoryview) -> tuple[str, str]:
    """Read an entry of the metadata."""
    entry = {number: bytes(text).decode() for number, text in _fields(value)}
    return entry[1], entry[2]


def _name_of(value: memoryview, number: int) -> str:
    """Read the name in a field of a message."""
    return next(bytes(text).decode() for one, text in _fields(value) if one == number)


def _node(value: memoryview) -> Node:
    """Read an operator."""
    node = Node()
    for number, text in _fields(value):
        if number in (1, 2):
            (node.inputs if number == 1 else node.outputs).append(bytes(text).decode())
        elif number == 4:
            node.operator = bytes(text).decode()
    return node


def _input(name: str, frames: int, channels: int) -> bytes:
    """Write the description of an input: float32 [batch, frames, channels]."""
    dimensions = [_field(2, b"batch"), _field(1, frames), _field(1, channels)]
    shape = b"".join(_field(1, dimension) for dimension in dimensions)
    tensor = _field(1, 1) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))
