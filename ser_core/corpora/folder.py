"""Recordings of your own: a folder with one sub-folder an emotion, or a CSV that lists them.

``folder:PATH``: every audio file below a sub-folder is an utterance; the sub-folder is its emotion. Where folders are
nested (``anna/angry/01.wav``), the innermost one with a known emotion name counts, else the outermost. A file named
``<speaker>_...`` is of that speaker, any other of ``unknown``: name your files so, or the protocol that holds speakers
out cannot be used. ``id`` is the relative path without suffix.

``csv:PATH``: a table with a header and the columns ``path`` (relative to the CSV) and ``emotion``; ``speaker``, ``sex``
(female, male), ``text``, ``intensity`` (normal, strong) and ``take`` may be there too. Comma, semicolon or tab, UTF-8.
Files that are listed and not there are ``missing``.

Known spellings of emotions (``Anger``, ``fear``, ``surprise``: ``table.SPELLINGS``) become the names used here, so that
a network trained on another corpus can be tested; any other name is kept, in lower case.
"""

import csv
import os
from pathlib import Path, PurePosixPath

from ser_core._utils.errors import SerError
from ser_core.corpora.table import COLUMNS, LABELS, SPELLINGS, SUFFIXES, Corpus, build, stem

PREFIXES = ("folder:", "csv:")
SEXES = {"female": "female", "f": "female", "male": "male", "m": "male", "unknown": "unknown", "": "unknown"}
INTENSITIES = {"normal": "normal", "strong": "strong", "unknown": "unknown", "": "unknown"}


def normalise_emotion(name: str) -> str:
    """The name used here for an emotion, however it is spelt: known synonyms joined, others in lower case."""
    plain = "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())
    return SPELLINGS.get(plain, plain)


def parse(path: str) -> dict | None:
    """Utterance columns of a path relative to the folder; None when it is no audio or stands in no sub-folder."""
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
    """The :class:`Corpus` of a folder or CSV, as far as it is known."""
    kind, path = name.split(":", 1)
    return Corpus(
        name=f"{kind}:{Path(path).name}",
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


def load(name: str):
    """The utterance table of ``folder:PATH`` or ``csv:PATH``, with the usual ``attrs``.

    Raises:
        SerError: no such folder or file, nothing usable in it, or a line of the CSV that cannot be understood.
    """
    kind, path = name.split(":", 1)
    where = Path(os.path.abspath(Path(path).expanduser()))
    return _load_folder(name, where) if kind == "folder" else _load_csv(name, where)


def corpus(name: str) -> Corpus:
    """The :class:`Corpus` of ``folder:PATH`` or ``csv:PATH``: the labels are those of its utterances."""
    table = load(name)
    return describe(name, labels(table), table["speaker"].nunique(), table.attrs["expected"])


def labels(table) -> tuple[str, ...]:
    """The emotions of a table: the known ones in their usual order, then the others by name."""
    there = set(table["emotion"])
    return tuple(label for label in LABELS if label in there) + tuple(sorted(there - set(LABELS)))


def _load_folder(name: str, where: Path):
    if not where.is_dir():
        raise SerError(f"no folder {where}: folder:PATH wants one with a sub-folder for each emotion")
    table = build(describe(name), where)
    if table.empty:
        raise SerError(
            f"no audio in sub-folders of {where}: make one for each emotion, with {', '.join(SUFFIXES)} files"
        )
    table.attrs |= {"corpus": name, "expected": len(table)}
    return table


def _load_csv(name: str, where: Path):
    import pandas as pd

    lines = read_csv(where)
    rows, missing, seen = [], [], {}
    for number, line in lines:
        row = utterance(line, where, number)
        if row["id"] in seen:
            raise SerError(f"{where}, line {number}: {line['path']} stands in line {seen[row['id']]} already")
        seen[row["id"]] = number
        if os.path.isfile(row["path"]):
            rows.append(row | {"corpus": describe(name).name})
        else:
            missing.append(row["id"])
    if not rows:
        raise SerError(f"{where}: none of its {len(lines)} files is there; paths count from the folder of the CSV")
    rows.sort(key=lambda row: row["id"])
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
    table.attrs = {
        "corpus": name,
        "expected": len(lines),
        "missing": sorted(missing),
        "duplicates": [],
        "extra": [],
        "folder": str(where.parent),
    }
    return table


def read_csv(where: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines of a CSV with their numbers, the column names in lower case."""
    try:
        text = where.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SerError(f"cannot read {where}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SerError(f"{where} is no UTF-8 text: csv:PATH wants a table with the columns path and emotion") from None
    header = text.split("\n", 1)[0]
    reader = csv.reader(text.splitlines(), delimiter=max(",;\t", key=header.count))
    columns = [column.strip().lower() for column in next(reader, [])]
    if not {"path", "emotion"} <= set(columns):
        raise SerError(f"{where}: the first line must name the columns path and emotion, found {header.strip()!r}")
    lines = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise SerError(f"{where}, line {reader.line_num}: {len(cells)} cells under {len(columns)} columns")
        lines.append((reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=True))))
    if not lines:
        raise SerError(f"{where}: no line below the header")
    return lines


def utterance(line: dict[str, str], where: Path, number: int) -> dict[str, str]:
    """Columns of one line of the CSV, checked."""
    path, label = line["path"], normalise_emotion(line["emotion"])
    for value, column in ((path, "path"), (label, "emotion")):
        if not value:
            raise SerError(f"{where}, line {number}: empty {column}")
    if stem(PurePosixPath(path).as_posix()) is None:
        raise SerError(f"{where}, line {number}: {path} is no audio file ({', '.join(SUFFIXES)})")
    full = os.path.abspath(where.parent / Path(path).expanduser())
    choices = {}
    for column, allowed in (("sex", SEXES), ("intensity", INTENSITIES)):
        value = line.get(column, "").lower()
        if value not in allowed:
            wanted = " or ".join(sorted(set(allowed.values())))
            raise SerError(f"{where}, line {number}: {column} is {value!r}, wanted {wanted}")
        choices[column] = allowed[value]
    relative = PurePosixPath(Path(os.path.relpath(full, where.parent)).as_posix())
    return {
        "id": str(relative.with_suffix("")),
        "path": full,
        "speaker": line.get("speaker") or "unknown",
        "emotion": label,
        "text": line.get("text") or "unknown",
        "take": line.get("take") or "01",
        **choices,
    }
