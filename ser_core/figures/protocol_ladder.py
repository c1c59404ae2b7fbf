"""Draw the protocol ladder: one network under every protocol."""

import textwrap

import numpy as np
from matplotlib import pyplot as plt

from ser_core import corpora
from ser_core.claims import paper
from ser_core.figures import plots
from ser_core.results import tables
from ser_core.results.protocol_ladder import ALLOWED, CLAIM


def plot_protocol_ladder(found: list[dict], corpus: str):
    """The ladder as a figure: a bar a rung with its interval, and what each step takes away; ``leaky`` in red.

    For RAVDESS the line of human listeners, and circles where the network is scored as they were (neutral = calm).
    """

    with plt.rc_context(plots.STYLE):
        fig, ax = plots.subplots(size=(9.5, 0.85 * len(found) + 1.9))
        for place, one in enumerate(found):
            value = 100 * one["accuracy"]
            claim, leak = one["protocol"] == CLAIM, one["protocol"] == "leaky"
            label = "printed in the paper" if claim else "leak by design" if leak else "measured here"
            face = "white" if claim else plots.RED if leak else plots.BLUE
            edge = plots.RED if claim or leak else plots.BLUE
            ax.barh(place, value, height=0.5, color=face, edgecolor=edge, lw=1.5, label=label)
            text = f"{value:.2f}" if claim else f"{value:.1f}"
            if one["interval"]:
                low, high = 100 * np.array(one["interval"])
                ax.errorbar((low + high) / 2, place, xerr=(high - low) / 2, color=plots.INK, lw=2, capsize=4,
                            label="95 % interval")  # fmt: skip
                text += f" [{low:.1f}, {high:.1f}]"
            ax.text(103, place, text, va="center", weight="bold")
            if one["step"]:
                told = f"↓ {tables.format_difference(one['step'])} points" + one["step"]["apart"].replace(" (", "\n(")
                ax.text(103, place - 0.5, told, va="center", fontsize=8.5, color=plots.GREY, linespacing=0.95)
            if one["like_listeners"] is not None:
                ax.plot(100 * one["like_listeners"], place, "o", mfc="white", mec=plots.GREEN, mew=2, ms=7, ls="none",
                        label="neutral = calm")  # fmt: skip
            if not claim:
                ax.plot(
                    [100 * one["chance"]] * 2, [place - 0.33, place + 0.33], color=plots.ORANGE, lw=2.5, label="chance"
                )
        if any(one["like_listeners"] is not None for one in found):
            people = paper.LISTENERS["accuracy"]
            ax.axvline(
                people, color=plots.GREEN, ls="--", lw=1.6, label=f"human listeners, {people} % (neutral = calm)"
            )
        names = [f"{one['name']}\n{ALLOWED[one['protocol']]}" for one in found]
        ax.set_yticks(range(len(found)), names, fontsize=9)
        for tick, one in zip(ax.get_yticklabels(), found, strict=True):
            tick.set_color(plots.RED if one["protocol"] == "leaky" else plots.INK)
        ax.set_ylim(len(found) - 0.5, -0.6)
        ax.set(xlim=(0, 150), xlabel="accuracy on test utterances (%)")
        title = f"The ladder: one network, protocol by protocol, {corpora.corpus_title(corpus)}"
        fig.suptitle("\n".join(textwrap.wrap(title, 75)), x=0.01, ha="left")
        ax.set_xticks(range(0, 101, 20))
        ax.grid(axis="x")
        plots.legend_below(fig, ax, columns=3)
        return plots.finish(fig)
