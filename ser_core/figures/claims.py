"""Figures that show the paper's accuracies next to ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ser_core.claims import paper
from ser_core.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, finish, legend_below, styled, subplots
from ser_core.metrics.uncertainty import Scored
from ser_core.results.configurations import Step
from ser_core.results.formatting import format_setting, system_title, tested_on
from ser_core.results.pooling import check_one_protocol
from ser_core.results.records import PooledResult


@dataclass(frozen=True)
class Bar:
    """One bar of :func:`claim_versus_ours`; ``claimed`` and ``chance`` are fractions."""

    label: str
    scored: Scored
    claimed: float | None = None
    chance: float | None = None
    leaky: bool = False


@styled
def claim_versus_ours(
    pooled: list[PooledResult], *, names: Sequence[str] | None = None, title: str = "The paper's accuracy and ours"
) -> Figure:
    """Draw the paper's accuracy and ours, with 95 % intervals and the level of chance.

    Parameters
    ----------
    pooled : list of PooledResult
        of one protocol. The line of human listeners appears only when every result is RAVDESS with its eight classes;
        their accuracy with calm counted as neutral is then shown too.
    names : sequence of str, optional
        names of the results where there are many: then each has one line, and only its eight classes are shown
    title : str

    Raises
    ------
    SerError
        for several protocols
    """
    check_one_protocol(pooled)
    measured = [result for result in pooled if result.ok]
    bars = _bars(pooled, names)
    fig, ax = subplots(size=(9.5, (0.45 if names else 0.8) * len(bars) + 1.7))
    for place, bar in enumerate(bars):
        _draw_bar(ax, place, bar)
    people = paper.LISTENERS
    if measured and not names and all(result.calm_is_neutral for result in measured):
        name = f"human listeners, {people['accuracy']} % (audio only, neutral = calm)"
        ax.axvline(people["accuracy"], color=GREEN, ls="--", lw=1.6, label=name)
    ax.set_yticks(range(len(bars)), [bar.label for bar in bars])
    for label, bar in zip(ax.get_yticklabels(), bars, strict=True):
        label.set_color(RED if bar.leaky else INK)
    ax.invert_yaxis()
    ax.set(xlim=(0, 138), xlabel="accuracy on test utterances (%)", title=title)
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis="x")
    legend_below(fig, ax, columns=3)
    return finish(fig)


def _bars(pooled: list[PooledResult], names: Sequence[str] | None) -> list[Bar]:
    """Make one bar per result, and one with calm counted as neutral where that was scored."""
    bars = []
    for result, name in zip(pooled, names or [""] * len(pooled), strict=True):
        if result.scored is None:
            continue
        leaky = result.spec["protocol"] == "leaky"
        parts = (
            tested_on(result.spec),
            system_title(result.spec["model"]),
            format_setting(result.spec),
            "leaky" if leaky else "",
        )
        label = name or "\n".join(filter(None, parts))
        bars.append(Bar(label, result.scored, result.claimed_accuracy, result.chance, leaky))
        if result.calm_is_neutral and not name:
            bars.append(Bar(label.replace("\n", ", neutral = calm\n", 1), result.calm_is_neutral))
    return bars


def _draw_bar(ax: Any, place: int, bar: Bar) -> None:
    """Draw one bar with its interval, the claim and chance."""
    ours = 100 * bar.scored.scores["accuracy"]
    interval = bar.scored.intervals.accuracy
    text = f"{ours:.1f}"
    ax.barh(place, ours, height=0.55, color=BLUE, label="measured here")
    if interval and np.all(np.isfinite(interval.limits)):
        low, high = 100 * np.array(interval.limits)
        half = (high - low) / 2
        ax.errorbar(low + half, place, xerr=half, color=INK, lw=2, capsize=4, label="95 % interval")
        text += f" [{low:.1f}, {high:.1f}]"
    if bar.claimed is not None:
        value = 100 * bar.claimed
        ax.plot(value, place, "D", mfc="white", mec=RED, mew=2, ms=9, label="printed in the paper", ls="none")
        ax.annotate(f"{value:.2f}", (value, place), (0, 9), textcoords="offset points", ha="center", color=RED)
    ax.text(104, place, text, va="center", weight="bold")
    if bar.chance:
        ax.plot([100 * bar.chance] * 2, [place - 0.36, place + 0.36], color=ORANGE, lw=2.5, label="chance")


@styled
def step_plot(steps: list[Step], *, title: str = "What each part adds") -> Figure:
    """Draw differences in points of accuracy, measured (with 95 % intervals) and printed, one line per step.

    Parameters
    ----------
    steps : list of Step
        from :func:`ser_core.results.configurations.configuration_steps`
    title : str
    """
    fig, ax = subplots(size=(9.5, 0.6 * max(1, len(steps)) + 1.8))
    for place, step in enumerate(steps):
        if step.ours.difference is None:
            continue
        ax.plot(100 * step.ours.difference, place, "o", color=BLUE, ms=8, label="measured here")
        if step.ours.interval:
            limits = 100 * np.array(step.ours.interval.limits)
            ax.plot(limits, [place, place], color=INK, lw=2, label="95 % interval")
        ax.plot(
            100 * step.paper, place, "D", mfc="white", mec=RED, mew=2, ms=8, ls="none", label="printed in the paper"
        )
    ax.axvline(0.0, color=GREY, ls="--")
    ax.set_yticks(range(len(steps)), [step.name for step in steps])
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.set(xlabel="difference in accuracy (percentage points)", title=title)
    ax.grid(axis="x")
    if steps:
        legend_below(fig, ax, columns=3)
    return finish(fig)
