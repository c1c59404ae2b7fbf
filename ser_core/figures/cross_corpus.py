"""Figure of the scores on a corpus that the networks were not trained on."""

import numpy as np
from matplotlib.figure import Figure

from ser_core.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, finish, styled, subplots
from ser_core.results.cross_corpus import Change
from ser_core.training import adaptation

COLOURS = {"zero": BLUE, "none": BLUE, "masked": GREEN, "corpus": SKY, "speaker": ORANGE, "coral": PURPLE}


@styled
def plot_cross_corpus_scores(changes: list[Change], field: str, *, title: str) -> Figure:
    """Draw the UAR of every direction and choice as a dot with its 95 % interval, and a mark at chance.

    Parameters
    ----------
    changes : list of Change
        from :func:`ser_core.results.cross_corpus.adaptation_changes`
    field : str
        ``padding`` or ``adapt``
    title : str
    """
    fig, ax = subplots(size=(9.5, 0.42 * max(1, len(changes)) + 1.9))
    names = []
    for place, change in enumerate(changes):
        result, choice = change.result, change.choice
        score = 100 * result.scores["uar"]
        if result.intervals and result.intervals.uar:
            ax.plot(100 * np.array(result.intervals.uar.limits), [place, place], color=INK, lw=2, label="95 % interval")
        ax.plot(score, place, "o", color=COLOURS.get(choice, GREY), ms=8, label="measured here")
        ax.plot([100 * result.chance] * 2, [place - 0.4, place + 0.4], color=RED, lw=2, label="chance")
        ax.text(101, place, f"{score:.1f}", va="center", weight="bold")
        described = adaptation.KINDS[choice] if field == "adapt" else f"{choice} padding"
        names.append(f"{change.direction}: {described}")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(1, len(names)) - 0.5, -0.5)
    ax.set(xlim=(0, 110), xlabel="UAR on the other corpus (%)", title=title)
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis="x")
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    fig.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, fontsize=9)
    return finish(fig)
