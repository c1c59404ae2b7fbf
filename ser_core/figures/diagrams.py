"""The two diagrams of the paper: the processing steps (Fig. 1) and the network (Fig. 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ser_core.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, PURPLE, RED, SKY, finish, styled

STEPS = (
    ("Recordings", "RAVDESS, TESS, …\none table of utterances", BLUE),
    ("Signal", "mono, 16 kHz,\npeak-normalised", SKY),
    ("Split", "by speaker: training,\nvalidation, test", RED),
    ("Augmentation", "training subset only: noise,\nstretch, shift, pitch", ORANGE),
    ("Features", "13 MFCC + RMSE, Δ, ΔΔ\nz-norm, 400 frames", GREEN),
    ("CNN", "3 × convolution,\nlocal patterns", PURPLE),
    ("BiLSTM", "64 units each way,\ntemporal context", PURPLE),
    ("Attention", "weights over time,\nweighted mean", PURPLE),
    ("Decision", "dense 128, 64,\nsoftmax", PURPLE),
    ("Evaluation", "accuracy, UAR, F1,\nintervals over speakers", BLUE),
)

KINDS = (
    (("Input",), BLUE, "input"),
    (("Conv", "Separable"), GREEN, "convolution"),
    (("LSTM", "Bidirectional", "GRU"), PURPLE, "recurrent"),
    (("Dense",), ORANGE, "dense"),
    (("PReLU", "Activation", "Softmax", "ReLU"), SKY, "activation"),
    (("Pool",), RED, "pooling"),
)


def _box(
    ax: Any,
    x: float,
    y: float,
    width: float,
    height: float,
    colour: str,
    head: str,
    text: str,
    *,
    tail: str = "",
    size: float = 9.5,
) -> None:
    """Draw a rounded box with a coloured edge: bold head, text below it, tail on the right."""
    style = "round,pad=0,rounding_size=0.08"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, fc="white", ec=colour, lw=1.6, zorder=2))
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, fc=colour, ec="none", alpha=0.12, zorder=2.1))
    middle = y + height / 2
    if text:
        ax.text(x + width / 2, y + 0.72 * height, head, ha="center", va="center", weight="bold", size=size, zorder=3)
        ax.text(x + width / 2, y + 0.33 * height, text, ha="center", va="center", size=size - 1.5, zorder=3)
    else:
        ax.text(x + 0.12, middle, head, ha="left", va="center", size=size, zorder=3)
        ax.text(x + width - 0.12, middle, tail, ha="right", va="center", size=size - 0.5, color=INK, zorder=3)


def _arrow(ax: Any, start: tuple[float, float], end: tuple[float, float], **options: Any) -> None:
    arrow: dict[str, Any] = {
        "arrowstyle": "-|>",
        "mutation_scale": 11,
        "color": GREY,
        "lw": 1.4,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.add_patch(FancyArrowPatch(start, end, **(arrow | options), zorder=1.5))


@styled
def workflow(steps: Sequence[tuple[str, str, str]] = STEPS) -> Figure:
    """Draw the steps from the recording to the evaluation (Fig. 1), on two lines.

    Parameters
    ----------
    steps : sequence of tuple of str
        name, description and colour of each step
    """
    columns = math.ceil(len(steps) / 2)
    fig, ax = plt.subplots(figsize=(9.5, 3.3), layout="constrained")
    width, height, across, down = 2.05, 1.15, 2.45, 1.75
    for number, (head, text, colour) in enumerate(steps):
        x, y = across * (number % columns), -down * (number // columns)
        _box(ax, x, y, width, height, colour, head, text)
        if number + 1 == len(steps):
            continue
        if (number + 1) % columns:
            _arrow(ax, (x + width, y + height / 2), (x + across, y + height / 2))
        else:
            half = y - (down - height) / 2
            path = [(x + width / 2, y), (x + width / 2, half), (width / 2, half)]
            ax.plot(*zip(*path, strict=True), color=GREY, lw=1.4, zorder=1)
            _arrow(ax, (width / 2, half), (width / 2, y - down + height))
    ax.set_xlim(-0.1, across * (columns - 1) + width + 0.1)
    ax.set_ylim(-down - 0.1, height + 0.1)
    ax.set_axis_off()
    ax.set_title("From recording to decision (after Fig. 1)", loc="left")
    return finish(fig)


def layers(model: Any) -> list[dict[str, Any]]:
    """List the layers of a Keras model in order.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    list of dict
        ``name``, ``kind`` (class), ``shape`` (output, without the batch), ``parameters`` (trainable) and ``inputs``
        (names of the layers that feed it)
    """
    described = []
    for layer in model.layers:
        output = layer.output[0] if isinstance(layer.output, list) else layer.output
        sources = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
        described.append(
            {
                "name": layer.name,
                "kind": type(layer).__name__,
                "shape": tuple(output.shape[1:]),
                "parameters": sum(math.prod(weight.shape) for weight in layer.trainable_weights),
                "inputs": [source._keras_history.operation.name for source in sources],
            }
        )
    return described


def _connect(
    ax: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    size: tuple[float, float],
    gap: float,
    *,
    neighbour: bool,
) -> None:
    """Draw the connection of two layers, given their lower left corners and their common size.

    ``gap`` is half the space between columns. Layers that are not neighbours are joined by a dashed arc.
    """
    (sx, sy), (x, y), (width, height) = start, end, size
    if not neighbour:
        ends = (sx + width, sy + height / 2), (x + width, y + height / 2)
        _arrow(ax, *ends, connectionstyle="arc3,rad=-0.35", linestyle="--", lw=1)
    elif sx == x:
        _arrow(ax, (x + width / 2, sy), (x + width / 2, y + height))
    else:
        turn = x - gap
        low, high = sy - 0.2, y + height + 0.2
        path = [(sx + width / 2, sy), (sx + width / 2, low), (turn, low), (turn, high), (x + width / 2, high)]
        ax.plot(*zip(*path, strict=True), color=GREY, lw=1.4, zorder=1)
        _arrow(ax, (x + width / 2, high), (x + width / 2, y + height))


@styled
def architecture(model: Any, *, columns: int = 3, title: str = "") -> Figure:
    """Draw the layers of a Keras model, with output shapes and trainable parameters (Fig. 4).

    Layers go from top to bottom and from left to right. Colour and name show the kind of layer. A dashed line joins
    layers that are not neighbours, such as attention and what it weighs.

    Parameters
    ----------
    model : keras.Model
    columns : int, default 3
    title : str, optional
        by default the name of the model
    """
    described = layers(model)
    deep = math.ceil(len(described) / columns)
    width, height, across, down = 4.3, 0.62, 5.0, 0.92
    fig, ax = plt.subplots(figsize=(9.5, 0.46 * deep + 1.1), layout="constrained")
    places = {}
    for number, layer in enumerate(described):
        x, y = across * (number // deep), -down * (number % deep)
        places[layer["name"]] = (x, y)
        colour = next((c for words, c, _ in KINDS if any(word in layer["kind"] for word in words)), GREY)
        shape = " × ".join(map(str, layer["shape"]))
        weights = f"\n{layer['parameters']:,} weights" if layer["parameters"] else ""
        _box(ax, x, y, width, height, colour, layer["name"], "", tail=f"{shape}{weights}", size=8.5)
        previous = described[number - 1]["name"] if number else None
        for source in layer["inputs"]:
            if source in places and source != layer["name"]:
                neighbour = source == previous
                _connect(ax, places[source], (x, y), (width, height), (across - width) / 2, neighbour=neighbour)
    for _, colour, name in KINDS:
        ax.plot([], [], "s", color=colour, mfc=PALE, mew=2, label=name)
    ax.set_xlim(-0.1, across * (columns - 1) + width + 0.3)
    ax.set_ylim(-down * (deep - 1) - 0.3, height + 0.3)
    ax.set_axis_off()
    total = sum(layer["parameters"] for layer in described)
    ax.set_title(f"{title or model.name}: {total:,} trainable parameters (after Fig. 4)", loc="left")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=len(KINDS), fontsize=8.5)
    return finish(fig)
