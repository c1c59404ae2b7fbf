"""Figure of the protocol ladder: one network under every protocol."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ser_core import corpora
from ser_core.claims import paper
from ser_core.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, finish, legend_below, styled, subplots
from ser_core.results.formatting import format_difference
from ser_core.results.protocol_ladder import ALLOWED, Rung


@styled
def plot_protocol_ladder(ladder: list[Rung], corpus: str) -> Figure:
    """Draw the ladder: one bar per protocol with its interval and the step from the bar above; ``leaky`` in red.

    RAVDESS has the line of human listeners, and circles where the network is scored as they were (neutral = calm).

    Parameters
    ----------
    ladder : list of Rung
        from :func:`ser_core.results.protocol_ladder.ladder_rows`
    corpus : str
    """
    fig, ax = subplots(size=(9.5, 0.85 * len(ladder) + 1.9))
    for place, rung in enumerate(ladder):
        _draw_rung(ax, place, rung)
    if any(rung.listeners_accuracy is not None for rung in ladder):
        people = paper.LISTENERS["accuracy"]
        ax.axvline(people, color=GREEN, ls="--", lw=1.6, label=f"human listeners, {people} % (neutral = calm)")
    names = [f"{rung.name}\n{ALLOWED[rung.protocol]}" for rung in ladder]
    ax.set_yticks(range(len(ladder)), names, fontsize=9)
    for tick, rung in zip(ax.get_yticklabels(), ladder, strict=True):
        tick.set_color(RED if rung.protocol == "leaky" else INK)
    ax.set_ylim(len(ladder) - 0.5, -0.6)
    ax.set(xlim=(0, 150), xlabel="accuracy on test utterances (%)")
    title = f"Protocol ladder: one network under every protocol, {corpora.corpus_title(corpus)}"
    fig.suptitle("\n".join(textwrap.wrap(title, 75)), x=0.01, ha="left")
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis="x")
    legend_below(fig, ax, columns=3)
    return finish(fig)


def _draw_rung(ax: Any, place: int, rung: Rung) -> None:
    """Draw one bar with its interval, its step, chance, and the accuracy as listeners were scored."""
    value = 100 * rung.accuracy
    claim, leak = rung.is_claim, rung.protocol == "leaky"
    label = "printed in the paper" if claim else "leak by design" if leak else "measured here"
    face = "white" if claim else RED if leak else BLUE
    ax.barh(place, value, height=0.5, color=face, edgecolor=RED if claim or leak else BLUE, lw=1.5, label=label)
    text = f"{value:.2f}" if claim else f"{value:.1f}"
    if rung.interval:
        low, high = 100 * np.array(rung.interval.limits)
        middle, half = (low + high) / 2, (high - low) / 2
        ax.errorbar(middle, place, xerr=half, color=INK, lw=2, capsize=4, label="95 % interval")
        text += f" [{low:.1f}, {high:.1f}]"
    ax.text(103, place, text, va="center", weight="bold")
    if rung.step:
        step = f"↓ {format_difference(rung.step.change)} points" + rung.step.levels.replace(" (", "\n(")
        ax.text(103, place - 0.5, step, va="center", fontsize=8.5, color=GREY, linespacing=0.95)
    if rung.listeners_accuracy is not None:
        circle = {"mfc": "white", "mec": GREEN, "mew": 2, "ms": 7, "ls": "none"}
        ax.plot(100 * rung.listeners_accuracy, place, "o", label="neutral = calm", **circle)
    if rung.chance is not None:
        ax.plot([100 * rung.chance] * 2, [place - 0.33, place + 0.33], color=ORANGE, lw=2.5, label="chance")
