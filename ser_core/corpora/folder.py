"""The user's own recordings: a folder with one sub-folder per emotion, or a CSV that lists them.

``folder:PATH``: every audio file in a sub-folder is an utterance; the sub-folder is its emotion. In nested folders
(``anna/angry/01.wav``), the innermost one with a known emotion name counts, else the outermost. The speaker is taken
from file names such as ``<speaker>_...``, otherwise it is ``unknown``. The ``speaker`` protocol needs these names.
``id`` is the relative path without suffix.

``csv:PATH``: a UTF-8 table with a header and the columns ``path`` (relative to the CSV) and ``emotion``. The columns
``speaker``, ``sex`` (female, male), ``text``, ``intensity`` (normal, strong), ``take``, ``start`` and ``end`` of a
segment (seconds), ``arousal``, ``valence`` and ``dominance`` (numbers) are optional. The separator is a comma,
semicolon or tab. Listed files that do not exist are ``missing``. A column named twice, and limits of segments under
other names or in other units, are refused; of a name that is nearly a known one, a warning says that it is ignored.

Known spellings of emotions (``Anger``, ``fear``, ``surprise``: ``table.SPELLINGS``) become the labels of the other
corpora, so that a network trained on one of them can be tested. Any other name is kept, in lower case.
"""

from __future__ import annotations

import csv
import difflib
import math
import os
import re
import unicodedata
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ser_core._utils.errors import SerError, SerWarning
from ser_core._utils.paths import expand
from ser_core._utils.segments import parse_limits, segment_mark
from ser_core._utils.words import counted
from ser_core.corpora.table import LABELS, SPELLINGS, SUFFIXES, Corpus, build, stem, utterance_frame

if TYPE_CHECKING:
    import pandas as pd

PREFIXES = ("folder:", "csv:")
"""What the name of such a corpus starts with."""
SEXES = {"female": "female", "f": "female", "male": "male", "m": "male", "unknown": "unknown", "": "unknown"}
"""Accepted spellings of the column ``sex`` (lower case), and the value of each."""
INTENSITIES = {"normal": "normal", "strong": "strong", "unknown": "unknown", "": "unknown"}
"""Accepted spellings of the column ``intensity`` (lower case), and the value of each."""


def normalise_emotion(name: str) -> str:
    """Return the label of an emotion, whatever its spelling: known synonyms are joined, others in lower case.

    >>> normalise_emotion("Pleasant-Surprise")
    'surprised'
    >>> normalise_emotion("Awe")
    'awe'
    """
    name = unicodedata.normalize("NFC", name)  # file systems keep "é" in two forms
    plain = "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())
    return SPELLINGS.get(plain, plain)


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no audio file in a sub-folder.

    >>> parse("Anger/ben_01.flac")["speaker"]
    'ben'
    """
    name, folders = stem(path), PurePosixPath(path).parts[:-1]
    if name is None or not folders:
        return None
    known = [folder for folder in folders if normalise_emotion(folder) in LABELS]
    return {
        "id": str(PurePosixPath(path).with_suffix("")),
        "speaker": (name.split("_")[0] if "_" in name else "") or "unknown",
        "sex": "unknown",
        "emotion": normalise_emotion(known[-1] if known else folders[0]),
        "text": "unknown",
        "intensity": "unknown",
        "take": "01",
    }


def describe(name: str, labels: tuple[str, ...] = (), speakers: int = 0, expected: int = 0) -> Corpus:
    """Describe a folder or CSV as a corpus.

    Parameters
    ----------
    name : str
        ``folder:PATH`` or ``csv:PATH``.
    labels : tuple of str, optional
    speakers, expected : int, default 0
        Numbers of speakers and utterances, if known.

    Returns
    -------
    Corpus
    """
    path = name.partition(":")[2]
    return Corpus(
        name=name,  # with its folder: two folders may have the same name
        title=f"your own recordings ({Path(path).name})",
        labels=labels,
        speakers=speakers,
        expected=expected,
        folder="",
        licence="your own recordings",
        doi="",
        url="",
        citation="",
        parse=parse,
    )


def load(name: str) -> pd.DataFrame:
    """Load the utterance table of ``folder:PATH`` or ``csv:PATH``, with the usual ``attrs``.

    Parameters
    ----------
    name : str
        ``folder:PATH`` or ``csv:PATH``.

    Returns
    -------
    DataFrame
        One row per utterance (:mod:`ser_core.corpora.table`).

    Raises
    ------
    SerError
        For a folder or file that does not exist or holds nothing usable, or an invalid line of the CSV.
    """
    kind, path = name.split(":", 1)
    where = expand(path)
    return _load_folder(name, where) if kind == "folder" else _load_csv(name, where)


def corpus(name: str) -> Corpus:
    """Return the description of ``folder:PATH`` or ``csv:PATH``; its labels are those of its utterances."""
    table = load(name)
    return describe(name, labels(table), table["speaker"].nunique(), table.attrs["expected"])


def labels(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the emotions of an utterance table: the known ones in their usual order, then the others by name."""
    emotions = set(table["emotion"])
    return tuple(label for label in LABELS if label in emotions) + tuple(sorted(emotions - set(LABELS)))


def _load_folder(name: str, where: Path) -> pd.DataFrame:
    if not where.is_dir():
        raise SerError(f"no folder {where}: folder:PATH needs one with a sub-folder for each emotion")
    table = build(describe(name), where)
    if table.empty:
        raise SerError(
            f"no audio in sub-folders of {where}: make one for each emotion, with {', '.join(SUFFIXES)} files"
        )
    table.attrs |= {"corpus": name, "expected": len(table)}
    return table


def _load_csv(name: str, where: Path) -> pd.DataFrame:
    lines = read_csv(where)
    rows, missing = [], []
    seen: dict[str, int] = {}
    listed = name_twins([utterance(line, where, number) for number, line in lines])
    for (number, line), row in zip(lines, listed, strict=True):
        if row["id"] in seen:
            raise SerError(f"{where}, line {number}: {line['path']} is listed in line {seen[row['id']]} already")
        seen[row["id"]] = number
        if os.path.isfile(row["path"]):
            rows.append(row | {"corpus": name})
        else:
            missing.append(row["id"])
    if not rows:
        raise SerError(
            f"{where}: none of its files exists ({len(lines):,} named); paths are relative to the folder of the CSV"
        )
    return utterance_frame(
        rows,
        corpus=name,
        expected=len(lines),
        missing=sorted(missing),
        duplicates=[],
        extra=[],
        folder=str(where.parent),
    )


def name_twins(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep apart files whose names differ in the suffix alone (``a.wav``, ``a.flac``): their ids get the suffix.

    Parameters
    ----------
    rows : list of dict
        ``id`` and ``path``

    Returns
    -------
    list of dict
        the same rows in the same order; a file that is listed twice has the same id twice
    """
    files: dict[str, set[str]] = {}
    for row in rows:
        files.setdefault(row["id"], set()).add(row["path"])
    return [row | {"id": _with_suffix(row)} if len(files[row["id"]]) > 1 else row for row in rows]


def _with_suffix(row: dict[str, Any]) -> str:
    """Return the id of an utterance with the suffix of its file, before the limits of a segment."""
    mark = segment_mark(row.get("start"), row.get("end"))
    return row["id"].removesuffix(mark) + PurePosixPath(row["path"]).suffix + mark


def read_csv(where: Path) -> list[tuple[int, dict[str, str]]]:
    """Read the lines of a CSV with the columns ``path`` and ``emotion``.

    Parameters
    ----------
    where : Path
        UTF-8 text; comma, semicolon or tab.

    Returns
    -------
    list of (int, dict)
        Line number, and column name (lower case) to value.

    Raises
    ------
    SerError
        For a file that cannot be read, lacks a column or has a line of another length.
    """
    try:
        with where.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=header.count))
            rows = [(reader.line_num, values) for values in reader]
    except OSError as error:
        raise SerError(f"cannot read {where}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SerError(f"{where} is no UTF-8 text: csv:PATH needs a table with the columns path and emotion") from None
    except csv.Error as error:
        raise SerError(f"{where}, line {reader.line_num}: no CSV ({error}); is a quote left open?") from None
    columns = [column.strip().lower() for column in rows[0][1]] if rows else []
    if not {"path", "emotion"} <= set(columns):
        found = header.strip()[:200]
        raise SerError(f"{where}: the first line must name the columns path and emotion, found {found!r}")
    _check_columns(columns, where)
    lines = []
    for number, values in rows[1:]:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(columns):
            raise SerError(
                f"{where}, line {number}: {counted(len(values), 'value')} for {counted(len(columns), 'column')}"
            )
        lines.append((number, dict(zip(columns, (value.strip() for value in values), strict=True))))
    if not lines:
        raise SerError(f"{where}: no line below the header")
    return lines


NO_LABEL = ("", "nan", "none", "null", "<na>", "nat")
"""Cells without a value, in lower case."""
CONTINUOUS = ("arousal", "valence", "dominance")
"""Columns of continuous labels."""
KNOWN = ("path", "emotion", "speaker", "sex", "text", "intensity", "take", "start", "end", *CONTINUOUS)
"""Columns that are read."""
LIMITS = re.compile(
    r"(start|end|begin|onset|offset|stop|xmin|xmax|tmin|tmax)([ _-]?(time|s|ms|sec|seconds|samples?|frames?))?"
)
"""Columns that tools give the limits of a segment by other names or in other units."""


def _check_columns(columns: list[str], where: Path) -> None:
    """Refuse a column named twice, and limits of segments that would be ignored; warn of a name nearly known."""
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise SerError(f"{where}: the column {twice[0]} is named twice; leave one")
    others = [column for column in columns if LIMITS.fullmatch(column)]
    if others and not {"start", "end"} & set(columns):
        raise SerError(
            f"{where}: the column {others[0]} would be ignored; the limits of a segment are start and end, in seconds"
        )
    for column in columns:
        alike = [] if column in KNOWN else difflib.get_close_matches(column, set(KNOWN) - set(columns), 1, 0.75)
        if alike:
            warnings.warn(f"{where}: the column {column} is ignored; is it {alike[0]}?", SerWarning, stacklevel=2)


def read_number(value, at: str) -> float | None:
    """Return the number of a cell, None for an empty one; SerError for anything else."""
    text = "" if value is None else str(value).strip()
    if text.lower() in NO_LABEL:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SerError(f"{at}: {text!r} is not a number")
    return number


def utterance(line: dict[str, str], where: Path, number: int) -> dict[str, Any]:
    """Check one line of the CSV, and return its utterance columns.

    Parameters
    ----------
    line : dict
        Column name to value, from :func:`read_csv`.
    where : Path
        The CSV; relative paths start from its folder.
    number : int
        Line number, for messages.

    Returns
    -------
    dict
        All columns of ``table.COLUMNS`` but ``corpus``, and those of ``table.NUMBERS`` (None where there is none).

    Raises
    ------
    SerError
        For an empty path or emotion, a file that is no audio, an unknown sex or intensity, or limits of a segment that
        are no time.
    """
    path, label = line["path"], normalise_emotion(line["emotion"])
    for value, column in ((path, "path"), (label, "emotion")):
        if not value:
            raise SerError(f"{where}, line {number}: empty {column}")
    if stem(PurePosixPath(path).as_posix()) is None:
        raise SerError(f"{where}, line {number}: {path} is no audio file ({', '.join(SUFFIXES)})")
    full = os.path.abspath(where.parent / os.path.expanduser(path))
    choices = {}
    for column, allowed in (("sex", SEXES), ("intensity", INTENSITIES)):
        value = line.get(column, "").lower()
        if value not in allowed:
            accepted = " or ".join(sorted(set(allowed.values())))
            raise SerError(f"{where}, line {number}: {column} is {value!r}, must be {accepted}")
        choices[column] = allowed[value]
    limits = parse_limits(line, f"{where}, line {number}", path)
    relative = PurePosixPath(Path(os.path.relpath(full, where.parent)).as_posix())
    return {
        "id": str(relative.with_suffix("")) + segment_mark(limits["start"], limits["end"]),
        "path": full,
        "speaker": line.get("speaker") or "unknown",
        "emotion": label,
        "text": line.get("text") or "unknown",
        "take": line.get("take") or "01",
        **choices,
        **limits,
        **{name: read_number(line.get(name), f"{where}, line {number}: {name}") for name in CONTINUOUS},
    }
