"""Draw small pictures as HTML and SVG text, without matplotlib, for pages that must answer at once.

A picture has no script and loads nothing. Its shapes stretch with the page, so its text is outside the SVG element.
Nothing is shown by colour alone.
"""

import numpy as np

from ser_core.widgets.rendering import render

BLUE, RED, GREY, PALE = "#0072B2", "#D55E00", "#7b8794", "#e4e7eb"  # as in ser_core.figures.plots
COLUMNS = 800
"""Maximum number of columns of a waveform."""
BARS = 250
"""Maximum number of attention bars; more steps are averaged."""
CELLS = 180
"""Maximum number of windows shown of a long recording; more are averaged."""


def format_seconds(seconds: float) -> str:
    """Format a duration in seconds for people.

    Examples
    --------
    >>> format_seconds(3.21), format_seconds(75)
    ('3.2 s', '1:15')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def envelope(samples: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Compute the lowest and the highest sample of each column of a waveform.

    Parameters
    ----------
    samples : float [samples]
        The waveform.
    columns : int
        Maximum number of columns.

    Returns
    -------
    float [columns or fewer, 2]
        Minimum and maximum per column.

    Examples
    --------
    >>> envelope(np.array([0.0, 2.0, -1.0, 1.0]), columns=2).tolist()
    [[0.0, 2.0], [-1.0, 1.0]]
    """
    samples = np.asarray(samples, float)
    starts = np.linspace(0, len(samples), min(columns, len(samples)), endpoint=False).astype(int)
    return np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)], axis=1)


def axis(seconds: float) -> str:
    """Return a time axis as HTML: five labels from 0 to ``seconds``."""
    return render("axis", ticks=[format_seconds(seconds * place / 4) for place in range(5)])


def _svg(shapes: str, height: int, about: str) -> str:
    """Return an SVG element of a height in pixels; ``about`` describes it to screen readers."""
    from markupsafe import Markup

    return render("svg", shapes=Markup(shapes), height=height, about=about)


def waveform(
    samples: np.ndarray,
    rate: int,
    weights: np.ndarray | None = None,
    times: np.ndarray | None = None,
    *,
    title: str = "Waveform",
) -> str:
    """Draw a waveform, with the network's attention to each moment below it.

    Parameters
    ----------
    samples : float [samples]
        The waveform.
    rate : int, Hz
        Its sampling rate.
    weights, times : float [steps], optional
        Attention weights (sum 1) and the middle of each step in seconds. Without them only the waveform is drawn.
    title : str
        Heading, as plain text.

    Returns
    -------
    str
        HTML.
    """
    seconds = len(samples) / rate
    wave = _svg(_wave_shapes(samples), 120, f"{title}, {format_seconds(seconds)}")
    about, attention = "", None
    if weights is not None and np.sum(np.asarray(times) < seconds) >= 2:
        shapes, about = _attention_shapes(np.asarray(weights, float), np.asarray(times, float), seconds)
        attention = _svg(shapes, 46, about)
    return render("waveform", title=title, wave=wave, attention=attention, about=about, axis=axis(seconds))


def _wave_shapes(samples: np.ndarray) -> str:
    """Return the waveform as a polygon around a zero line, scaled to its largest sample."""
    pairs = envelope(samples)
    top = max(np.abs(pairs).max(initial=0), 1e-9)
    x = (np.arange(len(pairs)) + 0.5) * 1000 / len(pairs)
    upper = " ".join(f"{a:.1f},{60 - 55 * b:.1f}" for a, b in zip(x, pairs[:, 1] / top))
    lower = " ".join(f"{a:.1f},{60 - 55 * b + 0.6:.1f}" for a, b in zip(x[::-1], pairs[::-1, 0] / top))
    line = f'<line x1="0" x2="1000" y1="60" y2="60" stroke="{PALE}"/>'
    return f'{line}<polygon points="{upper} {lower}" fill="{BLUE}"/>'


def _attention_shapes(weights: np.ndarray, times: np.ndarray, seconds: float) -> tuple[str, str]:
    """Return the attention within a recording as bars, and a sentence on where it is strongest."""
    weights, times = weights[times < seconds], times[times < seconds]
    places = np.array_split(np.arange(len(times)), min(BARS, len(times)))
    weights, times = (np.array([values[place].mean() for place in places]) for values in (weights, times))
    between = (times[1:] + times[:-1]) / 2
    starts, ends = np.insert(between, 0, 0.0), np.append(between, min(seconds, 2 * times[-1] - between[-1]))
    high = max(weights.max(), 1e-9)
    shapes = "".join(
        f'<rect x="{1000 * start / seconds:.1f}" width="{max(1000 * (end - start) / seconds - 0.8, 0.5):.1f}" '
        f'y="{46 - 44 * weight / high:.1f}" height="{44 * weight / high:.1f}" fill="{RED}"/>'
        for start, end, weight in zip(starts, ends, weights)
    )
    if high < 1.1 * weights.mean():
        return shapes, "Attention, about equal everywhere"
    return shapes, f"Attention, strongest at {format_seconds(float(times[weights.argmax()]))}"


def bars(probabilities: dict[str, float], *, title: str = "Probabilities") -> str:
    """Draw one bar per label, the most probable first and bold.

    Parameters
    ----------
    probabilities : dict
        Label to probability (0 to 1).
    title : str
        Heading.

    Returns
    -------
    str
        HTML.
    """
    rows = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return render("bars", title=title, rows=[(label, f"{100 * value:.1f}") for label, value in rows])


def windows(parts, labels, seconds: float) -> str:
    """Draw the probabilities of a long recording's windows over time.

    There is one strip per label, darker where the label is more probable, and a table of the same.

    Parameters
    ----------
    parts : sequence of ser_core.inference.predict.WindowPrediction
        The windows, with ``start`` and ``end`` in seconds and ``probabilities``.
    labels : sequence of str
        The labels, one strip each.
    seconds : float, s
        Length of the recording.

    Returns
    -------
    str
        HTML.
    """
    table = np.array([[part.probabilities[label] for label in labels] for part in parts])
    places = np.array_split(np.arange(len(parts)), min(CELLS, len(parts)))
    starts = [parts[place[0]].start for place in places] + [seconds]
    means = [table[place].mean(axis=0) for place in places]
    strips = []
    for column, label in enumerate(labels):
        shapes = "".join(
            f'<rect x="{1000 * start / seconds:.1f}" width="{1000 * (end - start) / seconds + 0.5:.1f}" y="0" '
            f'height="20" fill="{BLUE}" fill-opacity="{mean[column]:.2f}"/>'
            for start, end, mean in zip(starts, starts[1:], means)
        )
        about = f"{label}: {100 * table[:, column].mean():.0f} % on average"
        strips.append((label, _svg(shapes, 20, about)))
    lines = []
    for part in parts[:: max(1, len(parts) // CELLS)]:
        best = max(part.probabilities, key=part.probabilities.get)
        time = f"{format_seconds(part.start)}–{format_seconds(part.end)}"
        lines.append((time, best, f"{100 * part.probabilities[best]:.0f}"))
    return render("windows", count=len(parts), strips=strips, axis=axis(seconds), lines=lines)


def html_table(rows: list[dict]) -> str:
    """Return an HTML table of dicts with the same keys; every value is escaped.

    Examples
    --------
    >>> print(html_table([{"file": "<a>.wav", "emotion": "sad"}]))
    <div class="ser-wide"><table class="ser-table">
    <tr><th scope="col">file</th><th scope="col">emotion</th></tr>
    <tr><td>&lt;a&gt;.wav</td><td>sad</td></tr>
    </table></div>
    """
    return render("table", rows=rows) if rows else ""
