"""Small pictures as HTML and SVG text, for pages that must answer at once: no matplotlib, no script, nothing fetched.

Shapes stretch with the page, so their text stands outside the SVG. Nothing is told by colour alone.
"""

import html

import numpy as np

BLUE, RED, GREY, PALE = "#0072B2", "#D55E00", "#7b8794", "#e4e7eb"  # as in ser_core.figures.plots
COLUMNS = 800
"""Columns of a waveform, at most."""
BARS = 250
"""Bars of attention, at most; more are averaged."""
CELLS = 180
"""Windows shown of a long recording, at most; more are averaged."""


def format_seconds(seconds: float) -> str:
    """``3.2`` to "3.2 s", ``75`` to "1:15"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def envelope(samples: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Lowest and highest sample of each column: float [columns or fewer, 2] from [samples]."""
    samples = np.asarray(samples, float)
    starts = np.linspace(0, len(samples), min(columns, len(samples)), endpoint=False).astype(int)
    return np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)], axis=1)


def axis(seconds: float) -> str:
    """A time axis: five labels from 0 to ``seconds``."""
    ticks = "".join(f"<span>{format_seconds(seconds * place / 4)}</span>" for place in range(5))
    return f'<div class="ser-axis" aria-hidden="true">{ticks}</div>'


def _svg(shapes: str, height: int, about: str) -> str:
    return (
        f'<svg class="ser-svg" viewBox="0 0 1000 {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(about)}" style="height:{height}px">{shapes}</svg>'
    )


def waveform(samples: np.ndarray, rate: int, weights=None, times=None, *, title: str = "Waveform") -> str:
    """The waveform, and below it the attention that the network paid to each moment.

    samples : float [n] at ``rate`` Hz
    weights, times : float [steps], attention (sum 1) and the middle of each step in seconds; None leaves it out
    """
    seconds = len(samples) / rate
    pairs = envelope(samples)
    top = max(np.abs(pairs).max(initial=0), 1e-9)
    x = (np.arange(len(pairs)) + 0.5) * 1000 / len(pairs)
    upper = " ".join(f"{a:.1f},{60 - 55 * b:.1f}" for a, b in zip(x, pairs[:, 1] / top))
    lower = " ".join(f"{a:.1f},{60 - 55 * b + 0.6:.1f}" for a, b in zip(x[::-1], pairs[::-1, 0] / top))
    line = f'<line x1="0" x2="1000" y1="60" y2="60" stroke="{PALE}"/>'
    wave = _svg(f'{line}<polygon points="{upper} {lower}" fill="{BLUE}"/>', 120, f"{title}, {format_seconds(seconds)}")
    if weights is None or np.sum(np.asarray(times) < seconds) < 2:
        return f'<div class="ser-panel"><h4>{title}</h4>{wave}{axis(seconds)}</div>'
    weights, times = np.asarray(weights, float), np.asarray(times, float)
    weights, times = weights[times < seconds], times[times < seconds]
    places = np.array_split(np.arange(len(times)), min(BARS, len(times)))
    weights, times = (np.array([one[place].mean() for place in places]) for one in (weights, times))
    between = (times[1:] + times[:-1]) / 2
    starts, ends = np.insert(between, 0, 0.0), np.append(between, min(seconds, 2 * times[-1] - between[-1]))
    high = max(weights.max(), 1e-9)
    bars = "".join(
        f'<rect x="{1000 * start / seconds:.1f}" width="{max(1000 * (end - start) / seconds - 0.8, 0.5):.1f}" '
        f'y="{46 - 44 * weight / high:.1f}" height="{44 * weight / high:.1f}" fill="{RED}"/>'
        for start, end, weight in zip(starts, ends, weights)
    )
    peak = float(times[weights.argmax()])
    level = high < 1.1 * weights.mean()
    about = "Attention, about equal everywhere" if level else f"Attention, strongest at {format_seconds(peak)}"
    return f'<div class="ser-panel"><h4>{title}</h4>{wave}<h4>{about}</h4>{_svg(bars, 46, about)}{axis(seconds)}</div>'


def bars(probabilities: dict[str, float], *, title: str = "Probabilities") -> str:
    """One bar a label, the most probable first and bold."""
    rows = sorted(probabilities.items(), key=lambda pair: -pair[1])
    lines = "".join(
        f'<tr{" class=ser-first" if place == 0 else ""}><th scope="row">{html.escape(label)}</th>'
        f'<td><span class="ser-bar" style="width:{100 * value:.1f}%"></span></td><td>{100 * value:.1f} %</td></tr>'
        for place, (label, value) in enumerate(rows)
    )
    return f'<div class="ser-panel"><h4>{title}</h4><table class="ser-bars">{lines}</table></div>'


def windows(parts, labels, seconds: float) -> str:
    """The probabilities of a long recording's windows over time: one row a label, the darker the more probable.

    parts : the windows, with ``start`` and ``end`` in seconds and ``probabilities``, label to fraction
    """
    table = np.array([[part.probabilities[label] for label in labels] for part in parts])
    places = np.array_split(np.arange(len(parts)), min(CELLS, len(parts)))
    starts = [parts[place[0]].start for place in places] + [seconds]
    means = [table[place].mean(axis=0) for place in places]
    rows = []
    for column, label in enumerate(labels):
        cells = "".join(
            f'<rect x="{1000 * start / seconds:.1f}" width="{1000 * (end - start) / seconds + 0.5:.1f}" y="0" '
            f'height="20" fill="{BLUE}" fill-opacity="{mean[column]:.2f}"/>'
            for start, end, mean in zip(starts, starts[1:], means)
        )
        about = f"{label}: {100 * table[:, column].mean():.0f} % on average"
        rows.append(f'<div class="ser-row"><span>{html.escape(label)}</span>{_svg(cells, 20, about)}</div>')
    listed = "".join(
        f"<tr><td>{format_seconds(part.start)}–{format_seconds(part.end)}</td><td>{html.escape(best)}</td>"
        f"<td>{100 * part.probabilities[best]:.0f} %</td></tr>"
        for part in parts[:: max(1, len(parts) // CELLS)]
        for best in [max(part.probabilities, key=part.probabilities.get)]
    )
    return (
        f'<div class="ser-panel"><h4>Over time: {len(parts)} windows</h4>{"".join(rows)}'
        f'<div class="ser-row"><span></span>{axis(seconds)}</div>'
        '<details><summary>the windows as a table</summary><div class="ser-wide"><table class="ser-table">'
        "<tr><th>time</th><th>most probable</th><th>probability</th></tr>"
        f"{listed}</table></div></details></div>"
    )


def html_table(rows: list[dict]) -> str:
    """A table of dicts with the same keys; every value is escaped."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{html.escape(str(key))}</th>' for key in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f'<div class="ser-wide"><table class="ser-table"><tr>{head}</tr>{body}</table></div>'
