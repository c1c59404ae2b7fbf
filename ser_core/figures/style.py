"""The common style of all figures: colours, matplotlib settings, layout and legends.

Colours are those of Okabe and Ito, which colour-blind readers can distinguish. No figure relies on colour alone.
"""

from __future__ import annotations

import contextlib
import functools
import html
import io
import re
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, SKY, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#1f2933", "#7b8794", "#e4e7eb"

LABEL: dict[str, Any] = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1}
"""Background of text that is drawn over lines."""

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.titlesize": 12.5,
    "figure.titleweight": "bold",
}


OWN = ("backend", "interactive", "toolbar", "timezone", "date.epoch", "savefig.directory", "tk.", "webagg.")
"""Beginnings of settings that say how figures are shown, not what they look like; these stay the user's."""

FEW_MARKS = 3000
"""Points and shapes up to which a figure is shown as SVG."""

Parameters = ParamSpec("Parameters")


@contextlib.contextmanager
def usual_style() -> Iterator[bool]:
    """Put matplotlib's defaults and :data:`STYLE` in the place of the user's ``matplotlibrc``.

    Yields
    ------
    bool
        whether the user's settings differ from the defaults
    """
    usual = {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(OWN)}
    differs = any(matplotlib.rcParams[name] != value for name, value in usual.items())
    with plt.rc_context(usual | STYLE):
        yield differs


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Draw a figure under :data:`STYLE`, whatever the user's ``matplotlibrc`` says (decorator)."""

    @functools.wraps(draw)
    def draw_styled(*args: Parameters.args, **options: Parameters.kwargs) -> Figure:
        with usual_style() as differs:
            figure = draw(*args, **options)
            if differs:  # the texts of ticks are made when they are drawn: now, not under the user's settings
                figure.draw_without_rendering()
            return figure

    return draw_styled


def subplots(rows: int = 1, columns: int = 1, size: tuple[float, float] = (9.5, 4), **options: Any) -> Any:
    """Make a figure and its axes, as ``plt.subplots`` does, with a layout in which nothing overlaps.

    Parameters
    ----------
    rows, columns : int, default 1
    size : tuple of float, default (9.5, 4)
        width and height in inches
    **options
        further arguments of ``plt.subplots``
    """
    return plt.subplots(rows, columns, figsize=size, layout="constrained", **options)


def finish(figure: Figure) -> Figure:
    """Close a figure and return it, so that a notebook shows it only once; with few marks it is also shown as SVG."""
    plt.close(figure)
    if count_marks(figure) <= FEW_MARKS:
        figure._repr_svg_ = lambda: figure_svg(figure)  # type: ignore[attr-defined]
    return figure


def count_marks(figure: Figure) -> float:
    """Return the number of points and shapes of a figure; infinite with an image."""
    count = 0.0
    for ax in figure.axes:
        if ax.images or any(isinstance(group, QuadMesh) for group in ax.collections):
            return float("inf")
        count += sum(np.size(line.get_xdata()) for line in ax.lines)
        count += sum(np.shape(patch.get_path().vertices)[0] for patch in ax.patches)
        for group in ax.collections:
            paths = sum(np.shape(path.vertices)[0] for path in group.get_paths())
            count += max(np.shape(group.get_offsets())[0], paths)
    return count


def figure_svg(figure: Figure, about: str = "") -> str:
    """Return a figure as an SVG element without a fixed size; its text stays text.

    Parameters
    ----------
    figure : Figure
    about : str, default ""
        alternative text
    """
    file = io.StringIO()
    with usual_style(), plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ser"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", file.getvalue(), flags=re.DOTALL)
    width = 96 * figure.get_figwidth()
    opening = f'<svg role="img" aria-label="{html.escape(about)}" '
    opening += f'style="width:{width:.0f}px;stroke-linejoin:round;stroke-linecap:butt" '
    text = text[text.index("<svg") :].replace("<svg ", opening, 1)
    return re.sub(r' width="\S+pt" height="\S+pt"', "", text, count=1)


def legend_below(fig: Figure, ax: Any, columns: int) -> None:
    """Draw a legend below the axes, with one entry per label."""
    handles, names = ax.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    fig.legend(list(unique.values()), list(unique), loc="outside lower center", ncols=columns, fontsize=9)
