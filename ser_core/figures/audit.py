"""Figures of the paper's arithmetic: each function draws one matplotlib figure and returns it closed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ser_core.claims import consistency
from ser_core.figures.style import BLUE, GREEN, GREY, INK, LABEL, ORANGE, PALE, RED, finish, styled, subplots

if TYPE_CHECKING:
    import pandas as pd


@styled
def printed_f1(rows: list[dict[str, Any]], name: str, *, title: str = "F1 as printed and recomputed") -> Figure:
    """Draw F1 per class as printed and as recomputed, over a bar from precision to recall.

    Parameters
    ----------
    rows : list of dict
        ``precision``, ``recall`` and ``f1`` in percent
    name : str
        key of the class
    title : str
    """
    fig, ax = subplots(size=(9.5, 0.4 * len(rows) + 1.4))
    for place, row in enumerate(rows):
        precision, recall = float(row["precision"]), float(row["recall"])
        ax.plot([precision, recall], [place, place], color=PALE, lw=9, solid_capstyle="butt", zorder=1)
        ax.plot([precision, recall], [place, place], "|", color=GREY, ms=15, zorder=1)
        follows = consistency.f1(precision, recall)
        ax.plot([follows, float(row["f1"])], [place, place], color=GREY, lw=1, zorder=2)
        ax.plot(follows, place, "o", color=BLUE, ms=8, label="2PR / (P + R)" if not place else None, zorder=3)
        ax.plot(float(row["f1"]), place, "D", color=RED, ms=6, label="as printed" if not place else None, zorder=4)
    ax.plot([], [], color=PALE, lw=9, label="from precision to recall")
    ax.set_yticks(range(len(rows)), [str(row[name]) for row in rows])
    ax.invert_yaxis()
    ax.set(title=title, xlabel="F1 (%)")
    ax.grid(axis="x")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(fig)


@styled
def possible_shares(printed: Decimal, each: int, most: int, *, unit: str = "actors", near: float = 0.3) -> Figure:
    """Draw every k of n near a printed percentage, for test sets of 1 to ``most`` speakers.

    Parameters
    ----------
    printed : Decimal
        percentage as printed
    each : int
        utterances per speaker
    most : int
        largest number of speakers
    unit : str, default "actors"
        name of the speakers
    near : float, default 0.3
        range shown around the printed percentage, in percentage points
    """
    aim, step = float(printed), float(consistency.last_digit(printed))
    fig, ax = subplots(size=(9.5, 4))
    hits = []
    for speakers, n in enumerate(consistency.sizes_of_whole_speakers(each, most), start=1):
        shares = 100 * np.arange(n + 1) / n
        shares = shares[np.abs(shares - aim) <= near]
        ax.plot(np.full(len(shares), speakers), shares, "_", color=BLUE, ms=11, mew=1.3)
        hits += [speakers] if consistency.matching_counts(printed, n) else []
    ax.axhspan(aim - step / 2, aim + step / 2, color=RED, alpha=0.5, lw=0, zorder=0)
    possible = (
        f"possible with {', '.join(map(str, hits))} {unit}"
        if hits
        else f"possible with no whole number of {unit} up to {most}"
    )
    ax.annotate(
        f"{printed} %: {possible}", (0.5, aim), (0, 4), textcoords="offset points", color=RED, bbox=LABEL, zorder=5
    )
    ax.set(
        title=f"Possible percentages near {printed} %", xlabel=f"{unit} in the test set ({each} utterances each)",
        ylabel="k of n (%)", xlim=(0.3, most + 0.7), ylim=(aim - near, aim + near),
    )  # fmt: skip
    ax.set_xticks(range(1, most + 1))
    return finish(fig)


@styled
def attention_against_time(
    measured: pd.DataFrame | None = None, *, title: str = "Attention on silence: bounds of Eq. 5 and measurements"
) -> Figure:
    """Draw attention on silence or padding against its share of the time, within the bounds of tanh scores.

    Parameters
    ----------
    measured : DataFrame, optional
        of :func:`ser_core.results.attention.measure_attention`; without it only the bounds are drawn
    title : str
    """
    fig, ax = subplots(size=(6.4, 5))
    time = np.linspace(0, 1, 201)
    least = np.array([consistency.minimum_attention(share) for share in time])
    most = 1 - least[::-1]
    ax.fill_between(time, least, most, color=PALE, lw=0, label="possible with tanh scores")
    ax.plot(time, least, color=INK, lw=1)
    ax.plot(time, most, color=INK, lw=1)
    ax.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="equal weights")
    ax.plot([0, 1], [0, 0], color=GREEN, lw=2, clip_on=False, label="suppressed")
    if measured is not None:
        for kind, colour, marker in (("silence", ORANGE, "o"), ("padding", RED, "x")):
            part = measured[(measured["kind"] == kind) & (measured["time"] > 0)]
            ax.plot(part["time"], part["attention"], marker, color=colour, ms=5, alpha=0.8, label=kind)
    ax.set(title=title, xlabel="share of the input's time", ylabel="share of attention", xlim=(0, 1), ylim=(0, 1))
    ax.legend(loc="upper left")
    return finish(fig)
