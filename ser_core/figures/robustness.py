"""Figures of calibration, abstention, groups of speakers, and degraded test recordings.

Each function draws one matplotlib figure and returns it closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ser_core.figures.style import BLUE, GREEN, GREY, INK, LABEL, ORANGE, RED, SKY, finish, styled, subplots
from ser_core.metrics import calibration
from ser_core.results import calibration_tables, robustness, subgroups
from ser_core.results.records import PooledResult

if TYPE_CHECKING:
    import pandas as pd

GROUP_COLOURS = {"female": ORANGE, "male": BLUE, "normal": SKY, "strong": GREEN}


@styled
def reliability_diagram(
    answers: calibration_tables.CalibratedAnswers, *, equal_mass: bool = False, title: str = "Reliability"
) -> Figure:
    """Draw accuracy against confidence, before and after temperature scaling, above the share of answers per bin.

    Parameters
    ----------
    answers : CalibratedAnswers
        from :func:`ser_core.results.calibration_tables.calibrated_answers`
    equal_mass : bool, default False
        bins with equal numbers of answers instead of equal width
    title : str
    """
    fig, axes = subplots(2, 2, (9.5, 5.2), sharex=True, sharey="row", height_ratios=(3, 1))
    mean = np.exp(np.mean(np.log(answers.temperatures)))
    titles = ("as the network gives them", f"at the temperature of validation (mean {mean:.2f})")
    for column, (p, name) in enumerate(zip((answers.before, answers.after), titles, strict=True)):
        above, below = axes[:, column]
        bins = calibration.reliability(p, answers.truth, equal_mass=equal_mass)
        share = 100 * bins["count"] / bins["count"].sum()
        width = np.maximum(bins["high"] - bins["low"], 0.004)
        above.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2)
        above.bar(bins["low"], bins["accuracy"], width, align="edge", color=SKY, edgecolor="white")
        gaps = above.vlines(bins["confidence"], bins["accuracy"], bins["confidence"], color=RED, lw=2)
        above.plot(bins["confidence"], bins["accuracy"], "o", color=BLUE, ms=5)
        error = calibration.expected_calibration_error(p, answers.truth, equal_mass=equal_mass)
        text = f"ECE {100 * error:.1f} points"
        above.annotate(text, (0.04, 0.9), xycoords="axes fraction", bbox=LABEL)
        above.set_title(name, fontsize=10)
        above.set(xlim=(0, 1), ylim=(0, 1))
        above.grid()
        below.bar(bins["low"], share, width, align="edge", color=GREY, edgecolor="white")
        below.set_xlabel("confidence (probability of the answer)")
        below.grid(axis="y")
    axes[0, 0].set_ylabel("accuracy (fraction)")
    axes[1, 0].set_ylabel("answers (%)")
    handles = [gaps, Line2D([], [], color=GREY, ls="--"), Line2D([], [], color=BLUE, marker="o", ls="none")]
    names = ["gap between confidence and accuracy", "perfect calibration", "mean of a bin"]
    fig.legend(handles, names, loc="outside lower center", ncols=3, fontsize=9)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11)
    return finish(fig)


@styled
def risk_against_coverage(
    answers: calibration_tables.CalibratedAnswers, *, title: str = "Risk against coverage"
) -> Figure:
    """Draw the share of wrong answers among the most confident ones, for the network, chance and a perfect order.

    Parameters
    ----------
    answers : CalibratedAnswers
        from :func:`ser_core.results.calibration_tables.calibrated_answers`
    title : str
    """
    confidence, right = calibration_tables.answer_confidence(answers)
    coverage, risk = calibration.risk_coverage(confidence, right)
    error = 1.0 - right.mean()
    perfect = np.maximum(0.0, 1.0 - right.mean() / coverage)
    fig, ax = subplots(size=(9.5, 4))
    first = max(0, int(0.02 * len(coverage)) - 1)  # the risk of the first few answers is noise
    ax.plot(100 * coverage[first:], 100 * risk[first:], color=BLUE, lw=2, label="by the network's confidence")
    ax.axhline(100 * error, color=GREY, ls="--", label=f"by chance: {100 * error:.1f} %")
    ax.plot(100 * coverage, 100 * perfect, color=GREEN, ls=":", lw=2, label="by a perfect order")
    ax.axhline(100 * calibration.RISK, color=RED, lw=1, ls="-.", label=f"accepted risk: {100 * calibration.RISK:.0f} %")
    reached = calibration.coverage_at_risk(confidence, right)
    if reached:
        ax.plot(100 * reached, 100 * risk[round(reached * len(coverage)) - 1], "o", color=RED, ms=8, mec="white")
        text = f"{100 * reached:.0f} % answered"
        ax.annotate(text, (100 * reached, 100 * calibration.RISK), (8, -14), textcoords="offset points", bbox=LABEL)
    area = calibration.area_under_risk_coverage(confidence, right)
    ax.set(
        title=f"{title} (area under the curve {100 * area:.1f} %)", xlabel="coverage: utterances answered (%)",
        ylabel="risk: wrong among them (%)", xlim=(0, 100), ylim=(0, None),
    )  # fmt: skip
    ax.grid()
    fig.legend(loc="outside lower center", ncols=4, fontsize=9)
    return finish(fig)


@styled
def scores_by_group(result: PooledResult, folder, *, title: str = "Scores by group and by speaker") -> Figure:
    """Draw UAR by sex and intensity with intervals over speakers, and every speaker as a dot.

    Parameters
    ----------
    result : PooledResult
    folder : path
        of its predictions
    title : str
    """
    groups = [group for column in subgroups.COLUMNS for group in subgroups.scores_by_group(result, folder, column)]
    fig, (left, right) = subplots(1, 2, (9.5, 0.42 * max(len(groups), 4) + 2.0), width_ratios=(1, 1.2))
    _draw_groups(left, groups, result.chance)
    _draw_speakers(right, subgroups.scores_by_speaker(result, folder), result.chance)
    fig.suptitle(title, x=0.01, ha="left")
    return finish(fig)


def _draw_groups(ax: Any, groups: list[subgroups.GroupScores], chance: float) -> None:
    """Draw one bar per group with its interval."""
    for place, group in enumerate(groups):
        value = 100 * group.scored.scores["uar"]
        ax.barh(place, value, height=0.6, color=GROUP_COLOURS.get(group.group, GREY))
        interval, end = group.scored.intervals.uar, value
        if interval:
            ax.plot(100 * np.array(interval.limits), [place, place], color=INK, lw=2)
            end = 100 * interval.high
        ax.annotate(f"{value:.1f}", (end, place), (5, 0), textcoords="offset points", va="center", bbox=LABEL)
    if not groups:
        ax.annotate("one sex, one intensity:\nno groups to compare", (0.1, 0.5), xycoords="axes fraction", color=GREY)
    ax.set_yticks(range(len(groups)), [f"{group.column}: {group.group}" for group in groups])
    ax.axvline(100 * chance, color=GREY, ls="--")
    over = " over speakers" if all(group.scored.intervals.unit == "speaker" for group in groups) else ""
    ax.set(xlim=(0, 100), xlabel=f"UAR (%), 95 % interval{over}", title="by group")
    if groups:
        ax.invert_yaxis()
    ax.grid(axis="x")


def _draw_speakers(ax: Any, table: pd.DataFrame, chance: float) -> None:
    """Draw one dot per speaker, and name the lowest and the highest."""
    marks = {"female": "o", "male": "s"}
    for sex, part in table.groupby("sex"):
        colour = GROUP_COLOURS.get(sex, GREY)
        ax.plot(part.index + 1, 100 * part["uar"], marks.get(sex, "D"), color=colour, ms=6, mec="white", label=sex)
    for place in dict.fromkeys((0, len(table) - 1)):
        line = table.iloc[place]
        shift = (4, -14) if place == 0 else (-4, 8)
        ax.annotate(
            f"speaker {line['speaker']}: {100 * line['uar']:.1f}", (place + 1, 100 * line["uar"]), shift,
            textcoords="offset points", ha="left" if place == 0 else "right", fontsize=9, bbox=LABEL,
        )  # fmt: skip
    ax.axhline(100 * chance, color=GREY, ls="--", label="chance")
    ax.set(ylim=(0, 100), xlabel="speakers, by UAR (rank)", ylabel="UAR (%)", title="by speaker")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.grid(axis="y")
    ax.legend(fontsize=9, loc="upper left")


@styled
def noise_curves(family: robustness.Family, *, title: str = "UAR against the signal-to-noise ratio") -> Figure:
    """Draw UAR under white noise and babble, with intervals over speakers; clean speech and chance are lines.

    Parameters
    ----------
    family : dict
        from :func:`ser_core.results.robustness.group_by_system`
    title : str
    """
    fig, ax = subplots(size=(9.5, 4.2))
    ticks: set[float] = set()
    for kind, colour, mark in (("white", BLUE, "o-"), ("babble", RED, "s--")):
        frame = robustness.noise_curve(family, kind)
        if len(frame):
            ticks |= set(frame["value"])
            ax.plot(frame["value"], 100 * frame["uar"], mark, color=colour, lw=2, label=kind)
            ax.fill_between(
                frame["value"], 100 * frame["uar_low"], 100 * frame["uar_high"], color=colour, alpha=0.15, lw=0
            )
    _draw_clean(ax.axhspan, ax.axhline, family)
    ax.set_xticks(sorted(ticks))
    ax.invert_xaxis()
    ax.set(title=title, xlabel="signal-to-noise ratio over active speech (dB)", ylabel="UAR (%)")
    ax.set_ylim(0, max(60.0, 1.1 * ax.dataLim.y1))
    ax.grid()
    fig.legend(loc="outside lower center", ncols=4, fontsize=9)
    return finish(fig)


def _draw_clean(band: Any, line: Any, family: robustness.Family) -> None:
    """Draw the score of clean speech with its band, and chance."""
    clean = family[robustness.CLEAN]
    if clean.intervals and clean.intervals.uar:
        band(*(100 * np.array(clean.intervals.uar.limits)), color=GREEN, alpha=0.12, lw=0)
    line(100 * clean.scores["uar"], color=GREEN, lw=1.5, label=f"clean: {100 * clean.scores['uar']:.1f} %")
    line(100 * clean.chance, color=GREY, ls="--", label=f"chance: {100 * clean.chance:.1f} %")


@styled
def condition_bars(
    family: robustness.Family, *, title: str = "UAR under reverberation, telephone and codecs"
) -> Figure:
    """Draw UAR under every condition except noise, with intervals over speakers; clean speech and chance are lines.

    Parameters
    ----------
    family : dict
        from :func:`ser_core.results.robustness.group_by_system`
    title : str
    """
    colours = {"reverb": SKY, "telephone": ORANGE, "codec": BLUE}
    shown = {name: result for name, result in family.items() if name.split(":")[0] in colours}
    fig, ax = subplots(size=(9.5, 0.45 * max(1, len(shown)) + 2.0))
    for place, (name, result) in enumerate(shown.items()):
        value, interval = 100 * result.scores["uar"], result.intervals.uar if result.intervals else None
        ax.barh(place, value, height=0.6, color=colours[name.split(":")[0]])
        if interval:
            ax.plot(100 * np.array(interval.limits), [place, place], color=INK, lw=2)
        end = 100 * interval.high if interval else value
        ax.annotate(f"{value:.1f}", (end, place), (5, 0), textcoords="offset points", va="center", bbox=LABEL, zorder=5)
    _draw_clean(ax.axvspan, ax.axvline, family)
    ax.set_yticks(range(len(shown)), [_condition_title(name) for name in shown])
    ax.set_ylim(max(1, len(shown)) - 0.4, -0.6)
    ax.set(title=title, xlabel="UAR (%), 95 % interval over speakers", xlim=(0, max(60.0, 1.12 * ax.dataLim.x1)))
    ax.grid(axis="x")
    fig.legend(loc="outside lower center", ncols=3, fontsize=9)
    return finish(fig)


def _condition_title(condition: str) -> str:
    """Format a condition with its unit: "reverb, 0.6 s", "codec mp3, 16 kbit/s"."""
    kind, *values = condition.split(":")
    if kind == "codec":
        unit = f"quality {values[1]} of 10" if values[0] == "vorbis" else f"{values[1]} kbit/s"
        return f"codec {values[0]}, {unit}"
    return ", ".join([kind, *(f"{value} {robustness.UNITS[kind]}" for value in values)])
