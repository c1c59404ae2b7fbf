"""Draw the readings of the paper's text beside its claim."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ser_core import corpora
from ser_core.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, finish, legend_below, styled, subplots
from ser_core.results.readings import RULE_TITLES, Reading
from ser_core.training.selection import ORACLE

COLOURS = {"loss": BLUE, "uar": GREEN, "last": ORANGE, ORACLE: RED}
MARKERS = {"loss": "o", "uar": "s", "last": "^", ORACLE: "x"}


@styled
def readings_plot(readings: Sequence[Reading], *, title: str) -> Figure:
    """Draw the accuracy of every reading under every rule that keeps an epoch, beside chance and the claim.

    Parameters
    ----------
    readings : sequence of Reading
        at least one
    title : str

    Returns
    -------
    Figure
    """
    fig, ax = subplots(size=(9.5, 1.9 + 0.55 * len(readings)))
    for rule, name in RULE_TITLES.items():
        shift = 0.2 * (list(RULE_TITLES).index(rule) - 1.5)
        points = [(i, reading.results[rule]) for i, reading in enumerate(readings) if rule in reading.results]
        if not points:
            continue
        values = [100 * result.scores["accuracy"] for _, result in points]
        heights = [i + shift for i, _ in points]
        ax.plot(values, heights, MARKERS[rule], color=COLOURS[rule], label=name, ms=7, zorder=3)
        for (_, result), height in zip(points, heights, strict=True):
            interval = result.intervals.accuracy if result.intervals else None
            if interval:
                ax.plot([100 * interval.low, 100 * interval.high], [height] * 2, color=COLOURS[rule], lw=1.2, zorder=2)
    first = readings[0].first
    ax.axvline(100 * first.chance, color=GREY, ls=":", lw=1.2, label="chance")
    if first.claimed_accuracy and not corpora.is_demo(first.spec["corpus"]):
        ax.axvline(100 * first.claimed_accuracy, color=INK, ls="--", lw=1.4, label="claimed by the paper")
    ax.set_yticks(range(len(readings)), [_label(reading) for reading in readings])
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xlabel("accuracy on unseen speakers, %")
    ax.grid(axis="x")
    ax.set_title(title)
    legend_below(fig, ax, 3)
    return finish(fig)


def _label(reading: Reading) -> str:
    folds, total = len(reading.first.folds), reading.first.folds_total
    return reading.title if folds == total else f"{reading.title}\n({folds} of {total} folds)"
