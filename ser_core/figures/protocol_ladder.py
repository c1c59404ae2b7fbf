"""Draw the protocol ladder: one network under every protocol."""

import textwrap

import numpy as np
from matplotlib import pyplot as plt

from ser_core import corpora
from ser_core.claims import paper
from ser_core.figures import plots
from ser_core.results.formatting import format_difference
from ser_core.results.protocol_ladder import ALLOWED, Rung


def plot_protocol_ladder(ladder: list[Rung], corpus: str):
    """Draw the ladder: one bar per protocol with its interval, and what each step takes away; ``leaky`` in red.

    RAVDESS has the line of human listeners, and circles where the network is scored as they were (neutral = calm).
    """
    with plt.rc_context(plots.STYLE):
        fig, ax = plots.subplots(size=(9.5, 0.85 * len(ladder) + 1.9))
        for place, rung in enumerate(ladder):
            value = 100 * rung.accuracy
            claim, leak = rung.is_claim, rung.protocol == "leaky"
            label = "printed in the paper" if claim else "leak by design" if leak else "measured here"
            face = "white" if claim else plots.RED if leak else plots.BLUE
            edge = plots.RED if claim or leak else plots.BLUE
            ax.barh(place, value, height=0.5, color=face, edgecolor=edge, lw=1.5, label=label)
            text = f"{value:.2f}" if claim else f"{value:.1f}"
            if rung.interval:
                low, high = 100 * np.array(rung.interval.limits)
                ax.errorbar((low + high) / 2, place, xerr=(high - low) / 2, color=plots.INK, lw=2, capsize=4,
                            label="95 % interval")  # fmt: skip
                text += f" [{low:.1f}, {high:.1f}]"
            ax.text(103, place, text, va="center", weight="bold")
            if rung.step:
                told = f"↓ {format_difference(rung.step.change)} points" + rung.step.levels.replace(" (", "\n(")
                ax.text(103, place - 0.5, told, va="center", fontsize=8.5, color=plots.GREY, linespacing=0.95)
            if rung.listeners_accuracy is not None:
                ax.plot(100 * rung.listeners_accuracy, place, "o", mfc="white", mec=plots.GREEN, mew=2, ms=7, ls="none",
                        label="neutral = calm")  # fmt: skip
            if not claim:
                ax.plot(
                    [100 * rung.chance] * 2, [place - 0.33, place + 0.33], color=plots.ORANGE, lw=2.5, label="chance"
                )
        if any(rung.listeners_accuracy is not None for rung in ladder):
            people = paper.LISTENERS["accuracy"]
            ax.axvline(
                people, color=plots.GREEN, ls="--", lw=1.6, label=f"human listeners, {people} % (neutral = calm)"
            )
        names = [f"{rung.name}\n{ALLOWED[rung.protocol]}" for rung in ladder]
        ax.set_yticks(range(len(ladder)), names, fontsize=9)
        for tick, rung in zip(ax.get_yticklabels(), ladder, strict=True):
            tick.set_color(plots.RED if rung.protocol == "leaky" else plots.INK)
        ax.set_ylim(len(ladder) - 0.5, -0.6)
        ax.set(xlim=(0, 150), xlabel="accuracy on test utterances (%)")
        title = f"Protocol ladder: one network under every protocol, {corpora.corpus_title(corpus)}"
        fig.suptitle("\n".join(textwrap.wrap(title, 75)), x=0.01, ha="left")
        ax.set_xticks(range(0, 101, 20))
        ax.grid(axis="x")
        plots.legend_below(fig, ax, columns=3)
        return plots.finish(fig)
