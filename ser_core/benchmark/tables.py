"""Format a benchmark for people: the tables of ``ser bench``, of notebook 11 and of the README."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ser_core._utils.marks import replace_between
from ser_core.benchmark.records import BACK_TO_BACK, MEASURED, NOW_AND_THEN, OURS, PEER, Benchmark, Curve, Stage, Timing

if TYPE_CHECKING:
    import pandas as pd

OPEN, CLOSE = "<!-- performance -->", "<!-- /performance -->"
"""Marks in the README between which the table stands."""
BUSY = 0.1
"""Share of the processor used by others from which times are called upper bounds."""


def format_time(milliseconds: float | None) -> str:
    """Format a time with three significant digits.

    Examples
    --------
    >>> format_time(3.254), format_time(46.81), format_time(17612.0), format_time(None)
    ('3.25 ms', '46.8 ms', '17.6 s', 'not measured')
    """
    if milliseconds is None:
        return "not measured"
    value, unit = (milliseconds, "ms") if milliseconds < 1000 else (milliseconds / 1000, "s")
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


def format_ratio(timing: Timing | None) -> str:
    """Format how many times as fast as its peer a timing is, with the quartiles over the rounds."""
    ratio = timing.ratio if timing else None
    if ratio is None:
        return "–"
    digits = 1 if ratio.median < 100 else 0
    return f"{ratio.median:.{digits}f}x [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]"


def format_processor(timing: Timing) -> str:
    """Format the processor time of a call, and how many times as much the peer uses."""
    ratio = "" if timing.cpu_ratio is None else f" ({timing.cpu_ratio:.1f}x)"
    return format_time(timing.cpu_ms) + ratio


def stage_lines(stage: Stage) -> list[list[str]]:
    """Return the cells of each timing of a stage: title, way, calls, median, quartiles, processor, memory, ratio."""
    lines = []
    for number, one in enumerate(stage.timings):
        measured = one.status == MEASURED
        spread = f"{format_time(one.p25_ms)} to {format_time(one.p75_ms)}" if measured else one.reason or ""
        mode = "" if one.mode == BACK_TO_BACK else f", {one.mode}"
        lines.append(
            [
                stage.title if number == 0 else "",
                f"{one.name}{mode}",
                format_time(one.p50_ms),
                spread,
                format_processor(one) if measured else "",
                "" if one.memory_mib is None else f"{one.memory_mib:.0f} MiB",
                format_ratio(one) if one.role != PEER else "",
            ]
        )
    if stage.floor:
        lines.append(["", f"floor: {stage.floor.counted}", format_time(stage.floor.ms), "", "", "", ""])
    return lines


HEADINGS = ["stage", "way", "median", "quartiles", "processor time", "memory", "faster than the peer"]


def stages_frame(benchmark: Benchmark) -> pd.DataFrame:
    """Format the stages of a benchmark as a frame of text, one row per way of doing a stage.

    Parameters
    ----------
    benchmark : Benchmark
    """
    from ser_core.results.formatting import text_frame

    rows = [dict(zip(HEADINGS, line)) for stage in benchmark.stages for line in stage_lines(stage)]
    return text_frame(rows, right=("median", "quartiles", "processor time", "memory", "faster than the peer"))


def text_table(rows: list[list[str]], headings: list[str]) -> str:
    """Align rows of cells in columns."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [headings, *rows]
    )


def benchmark_text(benchmark: Benchmark) -> str:
    """Format a benchmark as text for a terminal."""
    rows = [line for stage in (*benchmark.stages, *benchmark.networks) for line in stage_lines(stage)]
    notes = [f"{stage.name}: {note}" for stage in benchmark.stages for note in stage.notes]
    notes += [
        f"{stage.name}: peer and suite differ by at most {stage.difference:.1e}"
        for stage in benchmark.stages
        if stage.difference is not None
    ]
    parts = [machine_text(benchmark)]
    parts += [text_table(rows, HEADINGS)] if rows else []
    parts += ["\n".join(notes)] if notes else []
    parts += [curve_text(curve) for curve in benchmark.growth]
    return "\n\n".join(parts)


def machine_text(benchmark: Benchmark) -> str:
    """Format machine, load and recordings as one paragraph."""
    machine = benchmark.machine
    peaks = ", ".join(
        f"{one.gflops:.0f} GFLOP/s with {one.threads} thread{'s' if one.threads > 1 else ''}" for one in machine.peaks
    )
    load = "unknown" if machine.load is None else f"{machine.load:.1f}"
    bandwidth = machine.peaks[-1].gigabytes if machine.peaks else 0.0
    return (
        f"{machine.processor}, {machine.cores} cores, load {load} before the start; matrix product {peaks}; "
        f"copy {bandwidth:.1f} GB/s; GPU: {machine.gpu or 'none'}. Recordings: {benchmark.material}.{_busy(benchmark)}"
    )


def _busy(benchmark: Benchmark) -> str:
    """Say where other processes used the machine meanwhile."""
    shares = [stage.others for stage in benchmark.stages if stage.others is not None]
    if not shares or max(shares) < BUSY:
        return ""
    return (
        f" Other processes used up to {100 * max(shares):.0f} % of the processor: times are upper bounds, ratios are "
        "of neighbouring calls."
    )


def curve_text(curve: Curve) -> str:
    """Format a growth curve as text."""
    if curve.status != MEASURED:
        return f"{curve.title}: not measured ({curve.reason})"
    rows = []
    slopes = ("", *(f"{value:.3g} ms" for value in curve.per_unit))
    for point, slope in zip(curve.points, slopes):
        memory = "" if point.memory_mib is None else f"{point.memory_mib:.0f} MiB"
        rows.append([f"{point.size:,}", format_time(1000 * point.seconds), memory, slope])
    return f"{curve.title}\n" + text_table(rows, [curve.unit, "time", "peak memory", f"per further {curve.unit}"])


def performance_markdown(benchmark: Benchmark) -> str:
    """Format the README's section: each stage with its peer and the suite, their ratio and the floor."""
    lines = [
        "## Performance",
        "",
        "| what | peer | ser-core | faster [quartiles] | floor |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for stage in benchmark.stages:
        peer, ours = stage.timing(PEER), stage.timing(OURS)
        if peer is None or ours is None or stage.name == "unrolled":
            continue
        if ours.status != MEASURED:
            lines.append(f"| {stage.title} | not measured | not measured | – | – |")
            continue
        bound = format_time(stage.floor.ms) if stage.floor else "–"
        cells = [stage.title, _cell(peer), _cell(ours), format_ratio(ours), bound]
        lines.append(f"| {' | '.join(cells)} |")
        later = stage.timing(OURS, NOW_AND_THEN)
        before = stage.timing(PEER, NOW_AND_THEN)
        if later and before:
            lines.append(f"| – now and then | {_cell(before)} | {_cell(later)} | {format_ratio(later)} | |")
    when = benchmark.when[:10]
    return (
        "\n".join(lines)
        + f"\n\n*{machine_text(benchmark)} Measured {when} by `ser bench`; [Benchmark](docs/benchmark.md) says how.*"
    )


def _cell(timing: Timing) -> str:
    """Format the name and the median of a timing, and its peak memory where known."""
    memory = "" if timing.memory_mib is None else f", {timing.memory_mib:.0f} MiB"
    return f"{timing.name}: {format_time(timing.p50_ms)}{memory}"


def update_readme(path: str | Path, benchmark: Benchmark) -> bool:
    """Replace the section on performance between its marks in a README.

    Returns
    -------
    bool
        whether the file changed

    Raises
    ------
    SerError
        for a file without the two marks
    """
    return replace_between(path, OPEN, CLOSE, f"{performance_markdown(benchmark)}\n", "the figures")
