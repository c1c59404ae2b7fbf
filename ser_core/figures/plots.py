"""Figures of corpora, signals, input, training and results: each function draws one matplotlib figure and returns it.

A figure is closed before it is returned, so that a notebook shows it once. Figures that show the paper's accuracies
next to ours are in :mod:`ser_core.figures.claims` and can be called from here. The diagrams (Fig. 1 and 4) are in
:mod:`ser_core.figures.diagrams`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ser_core import corpora
from ser_core.experiments.result import RunResult
from ser_core.figures.claims import claim_versus_ours, step_plot
from ser_core.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LABEL,
    ORANGE,
    PALE,
    PURPLE,
    RED,
    SKY,
    finish,
    legend_below,
    styled,
    subplots,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "attention_over_waveform",
    "augmentation_grid",
    "claim_versus_ours",
    "confusion_matrix",
    "count_plot",
    "durations",
    "feature_maps",
    "latency_bars",
    "step_plot",
    "training_curves",
    "waveform_pair",
]


@styled
def count_plot(table: pd.DataFrame, corpus: str) -> Figure:
    """Draw the utterances per emotion (Fig. 2), stacked by sex, or by source where the corpus has several.

    Parameters
    ----------
    table : DataFrame
        utterance table
    corpus : str
        its name, which gives the order of the emotions
    """
    labels = corpora.labels(corpus)
    by = "corpus" if table["corpus"].nunique() > 1 else "sex"
    groups = sorted(table[by].unique())
    fig, ax = subplots(size=(9.5, 3.8))
    base = np.zeros(len(labels))
    for group, colour, hatch in zip(groups, (BLUE, ORANGE, GREEN), ("", "//", ".."), strict=False):
        counts = table[table[by] == group]["emotion"].value_counts().reindex(labels, fill_value=0).to_numpy()
        name = corpora.corpus_title(group) if by == "corpus" else group
        ax.bar(labels, counts, bottom=base, color=colour, hatch=hatch, edgecolor="white", width=0.72, label=name)
        base += counts
    for place, count in enumerate(base):
        ax.annotate(f"{count:.0f}", (place, count), xytext=(0, 3), textcoords="offset points", ha="center")
    ax.set(
        title=f"Utterances per emotion: {corpora.corpus_title(corpus)}", xlabel="emotion", ylabel="utterances (count)"
    )
    ax.grid(axis="y")
    ax.margins(y=0.12)
    ax.legend(title=by, ncols=1, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(fig)


@styled
def durations(table: pd.DataFrame, corpus: str, *, limit: float = 4.0) -> Figure:
    """Draw the lengths of the utterances per emotion: a box, whiskers over the whole range, one dot per utterance.

    Parameters
    ----------
    table : DataFrame
        utterance table with a column ``seconds``
    corpus : str
        its name
    limit : float, default 4.0
        where 400 frames end, in seconds
    """
    labels = [label for label in corpora.labels(corpus) if (table["emotion"] == label).any()]
    each = [table.loc[table["emotion"] == label, "seconds"].dropna().to_numpy() for label in labels]
    fig, ax = subplots(size=(9.5, 0.42 * len(labels) + 1.5))
    random = np.random.default_rng(0)
    for place, seconds in enumerate(each):
        ax.plot(seconds, place + random.uniform(-0.28, 0.28, len(seconds)), ".", color=SKY, ms=3, alpha=0.5, zorder=1)
    ax.boxplot(
        each,
        positions=range(len(labels)),
        orientation="horizontal",
        whis=(0, 100),
        widths=0.5,
        boxprops={"color": INK},
        medianprops={"color": RED, "linewidth": 2},
        whiskerprops={"color": INK},
        capprops={"color": INK},
    )
    longer = sum(int((seconds > limit).sum()) for seconds in each)
    total = sum(map(len, each))
    ax.axvline(limit, color=RED, ls="--", lw=1.2)
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set(title=f"Length of the utterances: {corpora.corpus_title(corpus)}", xlabel="length (s)", ylabel="emotion")
    note = f"400 frames end at {limit:.2f} s:\n{longer:,} of {total:,} utterances are cut"
    ax.annotate(note, (limit, 1), (6, 2), xycoords=("data", "axes fraction"), textcoords="offset points", color=RED)
    ax.grid(axis="x")
    return finish(fig)


@styled
def waveform_pair(
    samples: np.ndarray,
    changed: np.ndarray,
    rate: int,
    *,
    names: Sequence[str] = ("original", "with noise"),
    title: str = "",
) -> Figure:
    """Draw a recording above its augmented copy, on the same axes (Fig. 3).

    Parameters
    ----------
    samples, changed : float [n]
    rate : int
        sampling rate in Hz
    names : sequence of str
        titles of the two
    title : str
    """
    fig, axes = subplots(2, 1, (9.5, 4.2), sharex=True, sharey=True)
    for ax, signal, name, colour in zip(axes, (samples, changed), names, (BLUE, RED), strict=True):
        ax.plot(np.arange(len(signal)) / rate, signal, color=colour, lw=0.5)
        ax.set(title=name, ylabel="amplitude")
        ax.grid()
    axes[1].set_xlabel("time (s)")
    fig.suptitle(title or "Original and augmented recording", x=0.01, ha="left")
    return finish(fig)


@styled
def augmentation_grid(signals: Mapping[str, np.ndarray], rate: int, *, title: str = "The four augmentations") -> Figure:
    """Draw one line per signal: waveform on the left, mel spectrogram on the right.

    Parameters
    ----------
    signals : dict of float [n]
        samples by name, the original first
    rate : int
        sampling rate in Hz
    title : str
    """
    import librosa

    fig, axes = subplots(len(signals), 2, (9.5, 1.55 * len(signals) + 0.8), sharex=True, squeeze=False)
    top = max(np.abs(signal).max() for signal in signals.values())
    for (left, right), (name, signal) in zip(axes, signals.items(), strict=True):
        left.plot(np.arange(len(signal)) / rate, signal, color=BLUE, lw=0.4)
        left.set_ylim(-1.05 * top, 1.05 * top)
        left.set_title(name, fontsize=10)
        left.set_ylabel("amplitude")
        mel = librosa.feature.melspectrogram(y=signal, sr=rate, n_fft=512, hop_length=160, n_mels=64)
        level = librosa.power_to_db(mel, ref=1.0)
        extent = (0, level.shape[1] * 160 / rate, 0, 1)
        shown = right.imshow(level, aspect="auto", origin="lower", extent=extent, cmap="magma", vmin=-60, vmax=20)
        ticks = [0, 500, 1000, 2000, 4000, 8000]
        right.set_yticks(librosa.hz_to_mel(ticks) / librosa.hz_to_mel(rate / 2), ["0", "0.5", "1", "2", "4", "8"])
        right.set(ylabel="kHz", ylim=(0, 1))
        right.tick_params(axis="y", labelsize=8)
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    fig.colorbar(shown, ax=axes[:, 1], label="power (dB)", shrink=0.6)
    fig.suptitle(title, x=0.01, ha="left")
    return finish(fig)


@styled
def feature_maps(
    features: np.ndarray,
    names: Sequence[str],
    *,
    hop: float = 0.010,
    used: int | None = None,
    title: str = "The network's input",
) -> Figure:
    """Draw the feature matrix of an utterance as an image, channels upwards, in standard deviations.

    Parameters
    ----------
    features : float [frames, channels]
    names : sequence of str
        one per channel
    hop : float, default 0.010
        hop size in seconds
    used : int, optional
        frames before the padding begins
    title : str
    """
    frames, channels = features.shape
    fig, ax = subplots(size=(9.5, 0.115 * channels + 1.6))
    extent = (0, frames * hop, -0.5, channels - 0.5)
    shown = ax.imshow(
        features.T, aspect="auto", origin="lower", extent=extent, cmap="RdBu_r", vmin=-3, vmax=3, interpolation="none"
    )
    step = max(1, channels // 14)
    ax.set_yticks(range(0, channels, step), list(names)[::step], fontsize=8)
    for place in range(14, channels, 14):
        if channels == 42:
            ax.axhline(place - 0.5, color=INK, lw=1)
    if used is not None and used < frames:
        ax.axvline(used * hop, color=INK, ls="--", lw=1)
        ax.annotate("zero padding ", (used * hop, channels - 0.5), (4, -12), textcoords="offset points", fontsize=9)
    ax.set(title=title, xlabel="time (s)", ylabel="channel")
    fig.colorbar(shown, ax=ax, label="z-score (standard deviations)", extend="both", pad=0.01)
    return finish(fig)


@styled
def training_curves(rows: Iterable[RunResult], *, title: str = "Training and validation") -> Figure:
    """Draw accuracy and loss over the epochs (Fig. 5): every run faint, their mean bold while half of them still run.

    Parameters
    ----------
    rows : iterable of RunResult
        a dot on the validation curve marks the kept epoch
    title : str
    """
    fig, axes = subplots(1, 2, (9.5, 3.9))
    runs = [run for run in rows if run.history.get("loss")]
    for ax, key, label, factor in zip(
        axes, ("accuracy", "loss"), ("accuracy (%)", "cross-entropy (nats)"), (100, 1), strict=True
    ):
        for prefix, name, colour, style in (("", "training", BLUE, "-"), ("val_", "validation", RED, "--")):
            curves = [factor * np.asarray(run.history[prefix + key], float) for run in runs]
            for run, curve in zip(runs, curves, strict=True):
                faint = 0.35 if len(curves) > 1 else 1
                ax.plot(np.arange(1, len(curve) + 1), curve, style, color=colour, alpha=faint, lw=1)
                if prefix and run.best_epoch:
                    best = run.best_epoch
                    ax.plot(best, curve[best - 1], "o", color=colour, mec="white", ms=5, alpha=max(faint, 0.7))
            mean = _mean_curve(curves)
            ax.plot(np.arange(1, len(mean) + 1), mean, style, color=colour, lw=2.2, label=name)
        ax.set(title=label.split(" (")[0].capitalize(), xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        ax.grid()
    axes[0].set_ylim(0, 100)
    axes[1].set_ylim(0, 1.08 * axes[1].dataLim.y1)
    axes[0].legend(loc="upper left")
    many = f"{len(runs)} runs faint, their mean bold; " if len(runs) > 1 else ""
    fig.suptitle(f"{title}\n{many}dots: the kept epoch", x=0.01, ha="left", fontsize=11)
    return finish(fig)


def _mean_curve(curves: list[np.ndarray]) -> np.ndarray:
    """Average the curves at the epochs that at least half of them reached."""
    epochs = max(map(len, curves), default=0)
    reached = [[curve[epoch] for curve in curves if epoch < len(curve)] for epoch in range(epochs)]
    return np.array([np.mean(values) for values in reached if 2 * len(values) >= len(curves)])


@styled
def confusion_matrix(matrix: Any, labels: Sequence[str], *, title: str = "Confusion matrix") -> Figure:
    """Draw a confusion matrix: percent of each true emotion (row) by answer (column), the counts below.

    Parameters
    ----------
    matrix : int [labels, labels]
        rows are the truth
    labels : sequence of str
    title : str
    """
    counts = np.asarray(matrix, float)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n = len(labels)
    fig, ax = subplots(size=(0.78 * n + 2.0, 0.6 * n + 1.6))
    shown = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for i in range(n):
        for j in range(n):
            dark = "white" if shares[i, j] > 55 else INK
            bold = "bold" if i == j else "normal"
            ax.text(j, i - 0.12, f"{shares[i, j]:.0f}", ha="center", va="center", color=dark, fontweight=bold)
            ax.text(j, i + 0.24, f"{counts[i, j]:.0f}", ha="center", va="center", color=dark, fontsize=7.5, alpha=0.8)
    ax.set_xticks(range(n), labels, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(n), labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="answer of the network", ylabel="true emotion", title=title)
    fig.colorbar(shown, ax=ax, label="share of the true emotion (%)", shrink=0.85, pad=0.02)
    return finish(fig)


@styled
def attention_over_waveform(
    samples: np.ndarray, rate: int, weights: np.ndarray, *, seconds: float = 4.0, title: str = "Attention"
) -> Figure:
    """Draw attention weights over the recording that they weigh, with the uniform weight as a reference.

    Parameters
    ----------
    samples : float [n]
    rate : int
        sampling rate in Hz
    weights : float [steps]
        sum 1
    seconds : float, default 4.0
        what the weights span together
    title : str
    """
    weights = np.asarray(weights, float)
    edges = np.linspace(0, seconds, len(weights) + 1)
    shown = samples[: int(seconds * rate)]
    fig, ax = subplots(size=(9.5, 2.9))
    ax.plot(np.arange(len(shown)) / rate, shown, color=GREY, lw=0.4)
    top = max(np.abs(shown).max(), 1e-6)
    ax.set(xlim=(0, seconds), ylim=(-1.1 * top, 1.1 * top), xlabel="time (s)", ylabel="amplitude", title=title)
    right = ax.twinx()
    right.spines["right"].set_visible(True)
    right.stairs(100 * weights, edges, color=RED, lw=1.8, fill=False, baseline=None)
    right.stairs(100 * weights, edges, color=RED, fill=True, alpha=0.12)
    right.axhline(100 / len(weights), color=BLUE, ls="--", lw=1.2)
    right.annotate(
        f"equal weights: {100 / len(weights):.1f} %",
        (0.995, 100 / len(weights)),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        color=BLUE,
        fontsize=9,
        bbox=LABEL,
        zorder=5,
    )
    right.set_ylim(0, 100 * max(1.25 * weights.max(), 2 / len(weights)))
    right.set_ylabel("attention weight (%)", color=RED)
    right.tick_params(axis="y", colors=RED)
    if len(samples) < (seconds - 0.3) * rate:
        ax.axvspan(len(samples) / rate, seconds, color=PALE, alpha=0.6, lw=0)
        ax.text((len(samples) / rate + seconds) / 2, -0.95 * top, "padding", ha="center", color=GREY, fontsize=9)
    return finish(fig)


@styled
def latency_bars(
    frame: pd.DataFrame, *, claims: Mapping[str, float] | None = None, title: str = "Latency of one utterance"
) -> Figure:
    """Draw the median and the 95th percentile of the latency, one pair of bars per line.

    Parameters
    ----------
    frame : DataFrame
        ``name``, ``p50`` and ``p95`` in milliseconds; NaN is shown as "not measured"
    claims : dict, optional
        text to milliseconds, drawn as reference lines
    title : str
    """
    fig, ax = subplots(size=(9.5, 0.55 * len(frame) + 1.8))
    span = float(np.nanmax([*frame["p95"], *(claims or {}).values(), 1e-9]))
    for place, line in enumerate(frame.itertuples()):
        if not np.isfinite(line.p50):
            ax.text(0.01 * span, place, "not measured", va="center", color=GREY, style="italic")
            continue
        ax.barh(place, line.p95, height=0.62, color=SKY, label="95th percentile")
        ax.barh(place, line.p50, height=0.62, color=BLUE, label="median")
        text = f"{line.p50:.3g} / {line.p95:.3g} ms"
        ax.annotate(
            text, (line.p95, place), (5, 0), textcoords="offset points", va="center", fontsize=9, bbox=LABEL, zorder=5
        )
    for (text, value), colour in zip((claims or {}).items(), (RED, PURPLE, GREEN), strict=False):
        ax.axvline(value, color=colour, ls="--", lw=1.3, label=text)
    ax.set_yticks(range(len(frame)), frame["name"])
    ax.set_ylim(len(frame) - 0.4, -0.6)
    ax.set(title=title, xlabel="milliseconds per utterance (median / 95th percentile)", xlim=(0, 1.25 * span))
    ax.grid(axis="x")
    legend_below(fig, ax, columns=4)
    return finish(fig)
