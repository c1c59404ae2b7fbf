"""Segments: utterances that are a part of a longer recording.

An utterance table has the columns ``start`` and ``end`` (seconds) where any of its utterances is a segment; ``end`` is
NaN where the segment lasts to the end of the recording. :func:`sources` turns a table into what the readers take: the
path of a whole recording, or a :class:`Segment`, which is a path too, with its limits.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ser_core._utils.errors import SerError

_CLOCK = re.compile(r"(?:(\d+) days? )?(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording.

    Attributes
    ----------
    path : str
        path of the whole recording, which :func:`os.fspath` gives
    start : float
        seconds from the beginning
    end : float or None
        seconds from the beginning; None for the end of the recording

    Examples
    --------
    >>> str(Segment("talk.wav", 1.5, 2.25))
    'talk.wav@1.5-2.25'
    """

    path: str
    start: float
    end: float | None = None

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path + segment_mark(self.start, self.end)


def segment_mark(start: float | None, end: float | None) -> str:
    """Name a segment after its limits, to the microsecond; nothing for a whole recording.

    >>> segment_mark(1.5, 2.25), segment_mark(0.5, None), segment_mark(0.0, None)
    ('@1.5-2.25', '@0.5-', '')
    """
    if not start and end is None:
        return ""
    return f"@{_plain(start or 0.0)}-{'' if end is None else _plain(end)}"


def _plain(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def parse_seconds(value, name: str) -> float | None:
    """Return the seconds that a cell of a list gives; None for an empty cell, NaN or NaT.

    Parameters
    ----------
    value : str, number or None
        seconds (``1.5``), or a clock time as pandas writes durations (``0 days 00:00:01.500000``, ``00:01.5``)
    name : str
        what to call the cell in an error

    Raises
    ------
    SerError
        for anything else, and for a negative time

    Examples
    --------
    >>> parse_seconds("1.5", "start"), parse_seconds("0 days 00:01:02.250000", "end"), parse_seconds("NaT", "end")
    (1.5, 62.25, None)
    """
    text = "" if value is None else str(value).strip()
    if text.lower() in ("", "nan", "nat", "none", "null"):
        return None
    match = _CLOCK.fullmatch(text)
    if match:
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return 86_400 * days + 3_600 * hours + 60 * minutes + seconds
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise SerError(f"{name} is {text!r}, wanted seconds from 0 on, such as 1.5")
    return number


def parse_limits(line: Mapping, at: str, file: str) -> dict[str, float | None]:
    """Return ``start`` and ``end`` of one line of a list as a table keeps them.

    Parameters
    ----------
    line : mapping
        cells by the name of their column; ``start`` and ``end`` may be missing
    at : str
        where the line is, for messages
    file : str
        the recording, for messages

    Returns
    -------
    dict
        ``start`` and ``end`` in seconds; both None where they leave the whole recording

    Raises
    ------
    SerError
        for cells that are no time, or an end that is not after the start
    """
    start = parse_seconds(line.get("start"), f"{at}: start") or 0.0
    end = parse_seconds(line.get("end"), f"{at}: end")
    if end is not None and end <= start:
        raise SerError(f"{at}: {file}: ends at {end:g} s and starts at {start:g} s; wanted an end after the start")
    whole = start == 0.0 and end is None
    return {"start": None if whole else start, "end": end}


def source_of(row) -> str | Segment:
    """Return what to read for one row (dict or Series) of an utterance table."""
    start, end = row.get("start"), row.get("end")
    start = 0.0 if start is None or math.isnan(start) else float(start)
    end = None if end is None or math.isnan(end) else float(end)
    return Segment(row["path"], start, end) if start or end is not None else row["path"]


def sources(table) -> list[str | Segment]:
    """Return what to read for each row of an utterance table: a path, or a segment of it.

    Parameters
    ----------
    table : DataFrame
        with ``path``, and ``start`` and ``end`` (seconds) where there are segments

    Returns
    -------
    list of str or Segment [utterances]
    """
    paths: dict[str, str] = {}  # a recording of many segments has one path in memory
    each = (paths.setdefault(path, path) for path in table["path"])
    if "start" not in table:
        return list(each)
    limits = zip(each, table["start"].tolist(), table["end"].tolist(), strict=True)
    return [source_of({"path": path, "start": start, "end": end}) for path, start, end in limits]


def sample_range(source, rate: int, frames: int) -> tuple[int, int]:
    """Return the first sample of a source and the number of its samples.

    Parameters
    ----------
    source : str, Segment or bytes
    rate : int
        sampling rate of the recording, Hz
    frames : int
        length of the recording, samples

    Returns
    -------
    first, count : int
        limits are rounded to the nearest sample; (0, ``frames``) for a whole recording. ``first + count`` may be
        beyond the end of the recording.
    """
    if not isinstance(source, Segment):
        return 0, frames
    first = round(source.start * rate)
    return first, (frames if source.end is None else round(source.end * rate)) - first


def as_json(source: str | Segment) -> str | list:
    """Return a source as JSON can keep it: a path, or [path, start, end]; :func:`from_json` is the way back."""
    return [source.path, source.start, source.end] if isinstance(source, Segment) else os.fspath(source)


def from_json(value: str | list) -> str | Segment:
    """Return the source that :func:`as_json` wrote.

    >>> from_json(as_json(Segment("talk.wav", 0.0, 2.0)))
    Segment(path='talk.wav', start=0.0, end=2.0)
    """
    return Segment(*value) if isinstance(value, list) else value
