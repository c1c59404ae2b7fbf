"""Add the operators of array arithmetic to an ONNX graph under short names, with time on the last axis."""

from __future__ import annotations

import numpy as np

from ser_core.features.onnx_features import Graph


class Writer:
    """Add the operators of array arithmetic to a graph, under short names.

    Parameters
    ----------
    graph : Graph
        gets the nodes
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.add, self.constant, self.integers = graph.add, graph.constant, graph.integers

    def number(self, value: float) -> str:
        """Add a scalar."""
        return self.constant(np.float32(value))

    def plus(self, a: str, b: str | float) -> str:
        """Add."""
        return self.add("Add", a, b if isinstance(b, str) else self.number(b))

    def minus(self, a: str, b: str | float) -> str:
        """Subtract."""
        return self.add("Sub", a, b if isinstance(b, str) else self.number(b))

    def times(self, a: str, b: str | float) -> str:
        """Multiply."""
        return self.add("Mul", a, b if isinstance(b, str) else self.number(b))

    def over(self, a: str, b: str | float) -> str:
        """Divide."""
        return self.add("Div", a, b if isinstance(b, str) else self.number(b))

    def at_least(self, a: str, b: str | float) -> str:
        """Take the maximum."""
        return self.add("Max", a, b if isinstance(b, str) else self.number(b))

    def square(self, a: str) -> str:
        """Square."""
        return self.add("Mul", a, a)

    def real(self, a: str) -> str:
        """Cast to float32."""
        return self.add("Cast", a, to=1)

    def total(self, a: str, axis: int = -1, keep: int = 1) -> str:
        """Sum along an axis."""
        return self.add("ReduceSum", a, self.integers(axis), keepdims=keep)

    def mean(self, a: str, axis: int = -1, keep: int = 1) -> str:
        """Take the mean along an axis."""
        return self.add("ReduceMean", a, axes=[axis], keepdims=keep)

    def largest(self, a: str, axis: int = -1, keep: int = 1) -> str:
        """Take the maximum along an axis."""
        return self.add("ReduceMax", a, axes=[axis], keepdims=keep)

    def smallest(self, a: str, axis: int = -1, keep: int = 1) -> str:
        """Take the minimum along an axis."""
        return self.add("ReduceMin", a, axes=[axis], keepdims=keep)

    def spread(self, a: str) -> tuple[str, str, str]:
        """Return mean [rows, 1], deviation [rows, 1] and centred values [rows, frames].

        The first value is subtracted before, so that a constant row has a deviation of exactly 0.
        """
        first = self.part(a, 0, 1)
        shifted = self.minus(a, first)
        offset = self.mean(shifted)
        centred = self.minus(shifted, offset)
        return self.plus(first, offset), self.add("Sqrt", self.mean(self.square(centred))), centred

    def part(self, a: str, start: str | int, end: str | int, axis: int = -1) -> str:
        """Slice along an axis."""
        edges = (edge if isinstance(edge, str) else self.integers(edge) for edge in (start, end))
        return self.add("Slice", a, *edges, self.integers(axis))

    def length(self, a: str) -> str:
        """Return the number of columns: int64 [1]."""
        return self.add("Shape", a, start=-1)

    def flat(self, a: str) -> str:
        """Reshape to [values]."""
        return self.add("Reshape", a, self.integers(-1))

    def column(self, a: str) -> str:
        """Reshape to [values, 1], the form in which functionals are joined."""
        return self.add("Reshape", a, self.integers(-1, 1))

    def row(self, a: str) -> str:
        """Reshape to [1, values]."""
        return self.add("Reshape", a, self.integers(1, -1))

    def select(self, a: str, mask: str) -> str:
        """Take the columns where a mask holds."""
        return self.add("Compress", a, mask, axis=-1)

    def choose(self, condition: str, mask: str, other: str) -> str:
        """Return one of two masks; ``Where`` takes no booleans in every runtime."""
        first, second = self.add("And", mask, condition), self.add("And", other, self.add("Not", condition))
        return self.add("Or", first, second)

    def steps(self, a: str) -> str:
        """Return the differences of neighbouring columns."""
        return self.minus(self.part(a, 1, 2**31), self.part(a, 0, -1))

    def or_zeros(self, a: str, least: int, zeros: int) -> str:
        """Return values [1, n], or zeros [1, ``zeros``] where there are fewer than ``least``."""
        count = self.length(a)
        enough = self.add("GreaterOrEqual", count, self.integers(least))
        nothing = self.integers(0)
        both = self.add("Concat", a, self.constant(np.zeros((1, zeros))), axis=-1)
        start = self.add("Where", enough, nothing, count)
        end = self.add("Where", enough, count, self.add("Add", count, self.integers(zeros)))
        return self.part(both, start, end)

    def percentiles(self, a: str, asked: tuple[float, ...]) -> str:
        """Return percentiles of each row: [rows, percentiles], between the two nearest values along a line."""
        from onnx import helper

        count = self.length(a)
        ordered = f"t{len(self.graph.nodes)}"
        node = helper.make_node("TopK", [a, count], [ordered, f"{ordered}_places"], axis=-1, largest=0, sorted=1,
                                name=ordered)  # fmt: skip
        self.graph.nodes.append(node)
        last = self.minus(self.real(count), 1.0)
        place = self.times(self.constant(np.array(asked) / 100.0), last)
        below = self.add("Floor", place)
        above = self.add("Min", self.plus(below, 1.0), last)
        low, high = (self.add("Gather", ordered, self.add("Cast", edge, to=7), axis=-1) for edge in (below, above))
        return self.plus(low, self.times(self.minus(high, low), self.minus(place, below)))
