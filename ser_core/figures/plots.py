"""Figures: each function takes data, draws one matplotlib figure and returns it.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers; nothing is told by colour alone. A
figure is closed before it is returned, so that a notebook shows it once. The diagrams (Fig. 1 and 4) are in
:mod:`ser_core.figures.diagrams`.
"""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ser_core import corpora
from ser_core.claims import paper
from ser_core.results.configurations import Step
from ser_core.results.formatting import format_setting, tested_on
from ser_core.results.pooling import check_one_protocol
from ser_core.results.records import PooledResult

BLUE, ORANGE, GREEN, SKY, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#1f2933", "#7b8794", "#e4e7eb"

LABEL = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1}  # behind text that stands on lines

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


def subplots(rows: int = 1, columns: int = 1, size: tuple[float, float] = (9.5, 4), **options):
    """``plt.subplots`` with ``size`` in inches (width, height) and a layout that lets nothing overlap."""
    return plt.subplots(rows, columns, figsize=size, layout="constrained", **options)


def finish(figure: Figure) -> Figure:
    """The figure, closed: shown where it is returned to, and not a second time by the notebook."""
    plt.close(figure)
    return figure


@plt.rc_context(STYLE)
def count_plot(table, corpus: str) -> Figure:
    """Fig. 2: utterances per emotion, stacked by the speakers' sex, or by source where the corpus has several.

    table : utterance table; corpus : its name, which gives the order of the emotions
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


@plt.rc_context(STYLE)
def durations(table, corpus: str, *, limit: float = 4.0) -> Figure:
    """Length of every utterance per emotion: box, whiskers over the whole range, and one dot each.

    table : with a column ``seconds``; limit : where 400 frames end, in seconds
    """
    labels = [label for label in corpora.labels(corpus) if (table["emotion"] == label).any()]
    each = [table.loc[table["emotion"] == label, "seconds"].dropna().to_numpy() for label in labels]
    fig, ax = subplots(size=(9.5, 0.42 * len(labels) + 1.5))
    dice = np.random.default_rng(0)
    for place, seconds in enumerate(each):
        ax.plot(seconds, place + dice.uniform(-0.28, 0.28, len(seconds)), ".", color=SKY, ms=3, alpha=0.5, zorder=1)
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


@plt.rc_context(STYLE)
def waveform_pair(samples, changed, rate: int, *, names=("original", "with noise"), title="") -> Figure:
    """Fig. 3: a recording above its augmented copy, on the same axes. Samples float [n], rate in Hz."""
    fig, axes = subplots(2, 1, (9.5, 4.2), sharex=True, sharey=True)
    for ax, one, name, colour in zip(axes, (samples, changed), names, (BLUE, RED), strict=True):
        ax.plot(np.arange(len(one)) / rate, one, color=colour, lw=0.5)
        ax.set(title=name, ylabel="amplitude")
        ax.grid()
    axes[1].set_xlabel("time (s)")
    fig.suptitle(title or "Original and augmented recording", x=0.01, ha="left")
    return finish(fig)


@plt.rc_context(STYLE)
def augmentation_grid(signals: dict, rate: int, *, title="The four augmentations") -> Figure:
    """One line a signal: waveform on the left, mel spectrogram on the right.

    signals : name -> samples float [n], the original first; rate : Hz
    """
    import librosa

    fig, axes = subplots(len(signals), 2, (9.5, 1.55 * len(signals) + 0.8), sharex=True, squeeze=False)
    top = max(np.abs(one).max() for one in signals.values())
    for (left, right), (name, one) in zip(axes, signals.items(), strict=True):
        left.plot(np.arange(len(one)) / rate, one, color=BLUE, lw=0.4)
        left.set_ylim(-1.05 * top, 1.05 * top)
        left.set_title(name, fontsize=10)
        left.set_ylabel("amplitude")
        mel = librosa.feature.melspectrogram(y=one, sr=rate, n_fft=512, hop_length=160, n_mels=64)
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


@plt.rc_context(STYLE)
def feature_maps(
    features, names, *, hop: float = 0.010, used: int | None = None, title="The network's input"
) -> Figure:
    """The feature matrix of one utterance as an image, channels upwards, in standard deviations.

    features : float [frames, channels]; names : one a channel; used : frames before the padding begins
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


@plt.rc_context(STYLE)
def training_curves(rows, *, title="Training and validation") -> Figure:
    """Draw accuracy and loss over the epochs (Fig. 5): every run faint, their mean bold while half of them still run.

    Parameters
    ----------
    rows : iterable of RunResult
        the epoch that was kept is marked by a dot on the validation curve
    """
    fig, axes = subplots(1, 2, (9.5, 3.9))
    rows = [row for row in rows if row.history.get("loss")]
    for ax, key, label, factor in zip(
        axes, ("accuracy", "loss"), ("accuracy (%)", "cross-entropy (nats)"), (100, 1), strict=True
    ):
        for side, name, colour, style in (("", "training", BLUE, "-"), ("val_", "validation", RED, "--")):
            curves = [factor * np.asarray(row.history[side + key], float) for row in rows]
            for row, curve in zip(rows, curves, strict=True):
                faint = 0.35 if len(curves) > 1 else 1
                ax.plot(np.arange(1, len(curve) + 1), curve, style, color=colour, alpha=faint, lw=1)
                if side and row.best_epoch:
                    best = row.best_epoch
                    ax.plot(best, curve[best - 1], "o", color=colour, mec="white", ms=5, alpha=max(faint, 0.7))
            mean = _mean_curve(curves)
            ax.plot(np.arange(1, len(mean) + 1), mean, style, color=colour, lw=2.2, label=name)
        ax.set(title=label.split(" (")[0].capitalize(), xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        ax.grid()
    axes[0].set_ylim(0, 100)
    axes[1].set_ylim(0, 1.08 * axes[1].dataLim.y1)
    axes[0].legend(loc="upper left")
    many = f"{len(rows)} runs faint, their mean bold; " if len(rows) > 1 else ""
    fig.suptitle(f"{title}\n{many}dots: the kept epoch", x=0.01, ha="left", fontsize=11)
    return finish(fig)


def _mean_curve(curves: list[np.ndarray]) -> np.ndarray:
    """Mean over the curves at the epochs that at least half of them reached."""
    epochs = max(map(len, curves), default=0)
    reached = [[curve[epoch] for curve in curves if epoch < len(curve)] for epoch in range(epochs)]
    return np.array([np.mean(values) for values in reached if 2 * len(values) >= len(curves)])


@plt.rc_context(STYLE)
def confusion_matrix(matrix, labels, *, title="Confusion matrix") -> Figure:
    """Share of each true emotion (row) given each answer (column), in percent, with the number of utterances below."""
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


@plt.rc_context(STYLE)
def attention_over_waveform(samples, rate: int, weights, *, seconds: float = 4.0, title="Attention") -> Figure:
    """Attention weights over the recording that they weigh, with the uniform weight as a reference.

    samples : float [n] at ``rate`` Hz; weights : float [T], sum 1; seconds : what the T weights span together
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


@plt.rc_context(STYLE)
def claim_versus_ours(pooled: list[PooledResult], *, names=None, title="The paper's accuracy and ours") -> Figure:
    """Draw the paper's accuracy and ours, with 95 % intervals and the level of chance.

    Parameters
    ----------
    pooled : list of PooledResult
        of one protocol. The line of human listeners appears only when every result is RAVDESS with its eight classes;
        their accuracy with calm counted as neutral is then shown too.
    names : list of str, optional
        names of the results where there are many: one line each, and eight classes alone
    """
    check_one_protocol(pooled)
    bars = []
    for one, name in zip(pooled, names or [None] * len(pooled), strict=True):
        if not one.ok:
            continue
        leaky = one.spec["protocol"] == "leaky"
        parts = tested_on(one.spec), one.spec["model"], format_setting(one.spec), "leaky" if leaky else ""
        label = name or "\n".join(filter(None, parts))
        bars.append((label, one.scored, one.claimed_accuracy, one.chance, leaky))
        if one.calm_is_neutral and not name:
            merged = label.replace("\n", ", neutral = calm\n", 1)
            bars.append((merged, one.calm_is_neutral, None, None, False))
    fig, ax = subplots(size=(9.5, (0.45 if names else 0.8) * len(bars) + 1.7))
    for place, (_, scored, claimed, chance, _) in enumerate(bars):
        ours = 100 * scored.scores["accuracy"]
        interval = scored.intervals.accuracy
        text = f"{ours:.1f}"
        ax.barh(place, ours, height=0.55, color=BLUE, label="measured here")
        if interval and np.all(np.isfinite(interval.limits)):
            low, high = 100 * np.array(interval.limits)
            half = (high - low) / 2
            ax.errorbar(low + half, place, xerr=half, color=INK, lw=2, capsize=4, label="95 % interval")
            text += f" [{low:.1f}, {high:.1f}]"
        if claimed is not None:
            value = 100 * claimed
            ax.plot(value, place, "D", mfc="white", mec=RED, mew=2, ms=9, label="printed in the paper", ls="none")
            ax.annotate(f"{value:.2f}", (value, place), (0, 9), textcoords="offset points", ha="center", color=RED)
        ax.text(104, place, text, va="center", weight="bold")
        if chance:
            ax.plot([100 * chance] * 2, [place - 0.36, place + 0.36], color=ORANGE, lw=2.5, label="chance")
    people = paper.LISTENERS
    measured = [one for one in pooled if one.ok]
    if measured and not names and all(one.calm_is_neutral for one in measured):
        name = f"human listeners, {people['accuracy']} % (audio only, neutral = calm)"
        ax.axvline(people["accuracy"], color=GREEN, ls="--", lw=1.6, label=name)
    ax.set_yticks(range(len(bars)), [name for name, *_ in bars])
    for label, (*_, leaky) in zip(ax.get_yticklabels(), bars, strict=True):
        label.set_color(RED if leaky else INK)
    ax.invert_yaxis()
    ax.set(xlim=(0, 138), xlabel="accuracy on test utterances (%)", title=title)
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis="x")
    legend_below(fig, ax, columns=3)
    return finish(fig)


def legend_below(fig: Figure, ax, columns: int) -> None:
    """One legend entry per label, below the axes."""
    handles, names = ax.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    fig.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=columns, fontsize=9)


@plt.rc_context(STYLE)
def latency_bars(frame, *, claims: dict | None = None, title="Latency of one utterance") -> Figure:
    """Median and 95th percentile of the latency, one pair of bars a line.

    frame : DataFrame with ``name``, ``p50`` and ``p95`` in milliseconds; NaN is shown as "not measured"
    claims : text -> milliseconds, drawn as reference lines
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


@plt.rc_context(STYLE)
def step_plot(steps: list[Step], *, title="What each part adds") -> Figure:
    """Draw differences in points of accuracy, measured (with 95 % intervals) and printed, one line per step.

    Parameters
    ----------
    steps : list of Step
        from :func:`ser_core.results.configurations.configuration_steps`
    """
    fig, ax = subplots(size=(9.5, 0.6 * max(1, len(steps)) + 1.8))
    for place, step in enumerate(steps):
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
