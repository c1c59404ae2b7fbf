"""Utterance tables from the lists of other tools: which column means what, where its files are, which subset is which.

Each format reads its files into entries, plain dicts with the keys of :data:`ENTRY_KEYS`; :func:`collect` checks them
and makes the utterance table. The rules are the same for all formats:

- a recording that is listed and does not exist is ``missing``; a list of which no recording exists is refused;
- an utterance without an emotion is left out and named in ``attrs["unlabelled"]``;
- emotions get the names used here (``table.SPELLINGS``), any other name is kept in lower case;
- ``id`` is that of the list where it has one, else the path without suffix, followed by the limits of a segment.
"""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core._utils.segments import parse_limits, segment_mark
from ser_core._utils.words import counted
from ser_core.corpora import folder
from ser_core.corpora.folder import NO_LABEL, read_number
from ser_core.corpora.table import SUFFIXES, utterance_frame

ENTRY_KEYS = (
    "file", "at", "id", "emotion", "speaker", "sex", "text", "intensity", "take", "start", "end",
    "arousal", "valence", "dominance", "folds",
)  # fmt: skip
"""``file``: path as listed; ``at``: where it is listed, for messages; ``folds``: fold number to name of its subset."""

COLUMN_NAMES = {
    "emotion": (
        "emotion", "emo", "emotion_label", "emotion_category", "emo_class", "emoclass", "label", "labels", "category",
    ),
    "speaker": ("speaker", "speaker_id", "speakerid", "spk", "spk_id", "spkr_id", "spkrid", "actor", "subject"),
    "sex": ("sex", "gender", "speaker_gender", "speaker_sex"),
    "text": ("text", "sentence", "transcription", "transcript", "normalized_text", "utterance", "sentence_id"),
    "intensity": ("intensity", "emotion_intensity", "level"),
    "take": ("take", "repetition"),
    "start": ("start", "start_time"),
    "end": ("end", "end_time"),
    "arousal": ("arousal", "activation", "emo_act", "emoact"),
    "valence": ("valence", "emo_val", "emoval"),
    "dominance": ("dominance", "emo_dom", "emodom"),
    "split": ("split", "subset", "partition", "split_set", "side", "set"),
}  # fmt: skip
"""Names that a column of the utterance table has in other tools, compared in lower case, the preferred one first."""

SEXES = folder.SEXES | {
    **dict.fromkeys(("w", "woman", "women", "girl", "feminine"), "female"),
    **dict.fromkeys(("man", "men", "boy", "masculine"), "male"),
}
"""Words for a sex; any other word is ``unknown``."""

SUBSETS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""Names of a subset, in lower case."""

SHARE = 5
"""Where a published partition has no validation subset, one in five training utterances (or speakers) validates."""


def find_columns(names: Iterable[str]) -> dict[str, str]:
    """Return which of the columns of a list is which column of the utterance table (:data:`COLUMN_NAMES`).

    >>> find_columns(["file", "Gender", "emo", "spkID", "label"])
    {'emotion': 'emo', 'sex': 'Gender'}
    """
    present = {str(name).strip().lower(): name for name in reversed(list(names))}
    chosen = {}
    for column, known in COLUMN_NAMES.items():
        match = next((present[name] for name in known if name in present), None)
        if match is not None:
            chosen[column] = match
    return chosen


def entry_of(line: dict, columns: dict[str, str], file: str, at: str) -> dict:
    """Return the entry of one line of a list whose columns were found by :func:`find_columns`."""
    entry = {column: line[name] for column, name in columns.items() if column != "split"}
    if "split" in columns:
        entry["folds"] = {"0": str(line[columns["split"]])}
    return entry | {"file": file, "at": at}


def read_lines(where: Path) -> list[str]:
    """Return the lines of a text file in UTF-8; SerError for one that cannot be read."""
    try:
        with where.open(encoding="utf-8-sig") as file:  # other separators, such as U+2028, are parts of a text
            return file.read().removesuffix("\n").split("\n")
    except OSError as error:
        raise SerError(f"cannot read {where}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SerError(f"{where}: not UTF-8 text; convert it, for example with iconv") from None


def read_table(where: Path, wanted: Iterable[str], separators: str = ",;\t") -> list[tuple[int, dict[str, str]]]:
    """Return the lines of a table with a header, and their numbers.

    Parameters
    ----------
    where : Path
        CSV file
    wanted : iterable of str
        columns that must be there
    separators : str
        characters that may separate cells; that which the header has most is taken

    Raises
    ------
    SerError
        for a file that cannot be read, a missing column, or a line with another number of cells
    """
    try:
        with where.open(encoding="utf-8-sig", newline="") as handle:
            header = handle.readline()
            handle.seek(0)
            rows = list(csv.reader(handle, delimiter=max(separators, key=header.count)))
    except OSError as error:
        raise SerError(f"cannot read {where}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise SerError(f"{where}: not a CSV table in UTF-8; convert it, for example with iconv") from None
    names = [name.strip() for name in rows[0]] if rows else []
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise SerError(
            f"{where}: no column {', '.join(lacking)} in its first line; found {', '.join(names) or 'nothing'}"
        )
    lines = []
    for number, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise SerError(
                f"{where}, row {number}: {counted(len(cells), 'cell')} under {counted(len(names), 'column')}"
            )
        lines.append((number, dict(zip(names, (cell.strip() for cell in cells), strict=True))))
    if not lines:
        raise SerError(f"{where}: no line below the header")
    return lines


def read_json_lines(where: Path) -> list[tuple[int, dict]]:
    """Return the objects of a JSON Lines file and the numbers of their lines; SerError for a line that is none."""
    lines = []
    for number, text in enumerate(read_lines(where), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise SerError(f"{where}, line {number}: not a JSON object; wanted one object per line")
        lines.append((number, value))
    if not lines:
        raise SerError(f"{where}: holds no line")
    return lines


def find_base(files: Iterable[str], root: Path) -> Path:
    """Return the folder that listed paths start from: ``root``, one of the folders above it, or the current one.

    Kaldi and EmoBox list paths from the folder in which their recipes run. The first folder in which one of the first
    files exists is taken; ``root`` where there is none.
    """
    first = [file for _, file in zip(range(50), files)]
    for base in (root, *root.parents, Path.cwd()):
        if any(os.path.isfile(base / file) for file in first):
            return base
    return root


def normalise_label(value) -> str | None:
    """Return the emotion of a cell by its name here; None for an empty cell."""
    text = "" if value is None else str(value).strip()
    return None if text.lower() in NO_LABEL else folder.normalise_emotion(text)


def _text(value, default: str = "unknown") -> str:
    text = "" if value is None else str(value).strip()
    return default if text.lower() in NO_LABEL else text


def utterance(entry: dict, base: str) -> dict:
    """Return the row of the utterance table of an entry (``emotion`` may be None).

    Parameters
    ----------
    entry : dict
        see :data:`ENTRY_KEYS`
    base : str
        folder that its path starts from, as does the ``id`` where the list gives none

    Raises
    ------
    SerError
        for limits or numbers that cannot be meant
    """
    at = entry["at"]
    file = str(entry["file"])
    full = os.path.abspath(os.path.join(base, os.path.expanduser(file)))
    limits = parse_limits(entry, at, file)
    inside = os.path.join(base, "")
    relative = full[len(inside) :] if full.startswith(inside) else os.path.relpath(full, base)
    name = os.path.splitext(relative)[0].replace(os.sep, "/") + segment_mark(limits["start"], limits["end"])
    sex = _text(entry.get("sex")).lower()
    intensity = _text(entry.get("intensity")).lower()
    row = {
        "id": _text(entry.get("id"), name),
        "path": full,
        "speaker": _text(entry.get("speaker")),
        "sex": SEXES.get(sex, "unknown"),
        "emotion": normalise_label(entry.get("emotion")),
        "text": _text(entry.get("text")),
        "intensity": folder.INTENSITIES.get(intensity, "unknown"),
        "take": _text(entry.get("take"), "01"),
        **limits,
    }
    for number in ("arousal", "valence", "dominance"):
        row[number] = read_number(entry.get(number), f"{at}: {number}")
    for fold, subset in (entry.get("folds") or {}).items():
        row[fold] = SUBSETS.get(subset.strip().lower(), "none")
    return row


def collect(entries: Iterable[dict], name: str, root: Path, *, base: Path | None = None, scale: str = "",
            exists: Callable[[str], bool] = os.path.isfile):  # fmt: skip
    """Make the utterance table of the entries of a list.

    Parameters
    ----------
    entries : iterable of dict
        see :data:`ENTRY_KEYS`
    name : str
        of the corpus, ``KIND:PATH``
    root : Path
        folder of the list
    base : Path, optional
        folder that its paths start from; by default ``root``
    scale : str, optional
        of the continuous labels, such as "1 to 7"; kept in ``attrs``
    exists : function
        whether a recording is there

    Returns
    -------
    DataFrame
        the utterance table, with the usual ``attrs`` and ``unlabelled`` (ids left out)

    Raises
    ------
    SerError
        for an utterance that is listed twice, or a list of which no recording can be used
    """
    base = base or root
    rows: list[dict] = []
    missing, unlabelled, extra = [], [], []
    seen: dict[str, str] = {}
    for entry in entries:
        row = utterance(entry, str(base))
        if os.path.splitext(row["path"])[1].lower() not in SUFFIXES:
            extra.append(str(entry["file"]))
            continue
        if row["id"] in seen:
            raise SerError(f"{entry['at']}: {row['id']} is listed already ({seen[row['id']]})")
        seen[row["id"]] = entry["at"]
        if row["emotion"] is None:
            unlabelled.append(row["id"])
        elif exists(row["path"]):
            rows.append(row | {"corpus": name})
        else:
            missing.append(row["id"])
    if not rows:
        raise SerError(f"{name}: {_nothing(len(missing), len(unlabelled), len(extra), base)}")
    fill_validation(rows)
    return utterance_frame(
        rows,
        corpus=name,
        expected=len(rows) + len(missing),
        missing=sorted(missing),
        duplicates=[],
        extra=extra,
        folder=str(base),
        unlabelled=sorted(unlabelled),
        **({"scale": scale} if scale else {}),
    )


def _nothing(missing: int, unlabelled: int, extra: int, base: Path) -> str:
    """Say why none of the listed utterances can be used."""
    if missing:
        return f"none of its recordings exists ({missing:,} named); their paths start from {base}"
    if unlabelled:
        return f"none of its utterances has an emotion ({unlabelled:,} listed)"
    if extra:
        return f"none of its files is audio ({extra:,} found; wanted {', '.join(SUFFIXES)})"
    return "lists no utterance"


def fill_validation(rows: list[dict]) -> None:
    """Give each fold without a validation subset one, out of its training utterances.

    With three folds or more it is what the next fold tests. Otherwise it is one in :data:`SHARE` speakers where at
    least :data:`SHARE` are named, else one in :data:`SHARE` utterances of each emotion, in the order of a hash of the
    name: always the same ones.

    Parameters
    ----------
    rows : list of dict
        rows of the utterance table; changed in place
    """
    folds = sorted({key for row in rows for key in row if key.isdigit()}, key=int)
    without = [fold for fold in folds if not any(row.get(fold) == "validation" for row in rows)]
    tested = {fold: {row["id"] for row in rows if row.get(fold) == "test"} for fold in folds}
    for place, fold in enumerate(folds):
        train = [row for row in rows if row.get(fold) == "train"]
        if fold not in without or not train:
            continue
        chosen = tested[folds[(place + 1) % len(folds)]] if len(folds) >= 3 else _held_out(train)
        for row in train:
            if row["id"] in chosen:
                row[fold] = "validation"


def _held_out(train: list[dict]) -> set[str]:
    """Ids of the training utterances that validate."""
    order = lambda name: hashlib.sha256(name.encode()).hexdigest()  # noqa: E731
    speakers = sorted({row["speaker"] for row in train}, key=order)
    if len(speakers) >= SHARE and "unknown" not in speakers:
        chosen = set(speakers[: len(speakers) // SHARE])
        return {row["id"] for row in train if row["speaker"] in chosen}
    held_out = set()
    for emotion in {row["emotion"] for row in train}:
        ids = sorted((row["id"] for row in train if row["emotion"] == emotion), key=order)
        held_out |= set(ids[: max(1, len(ids) // SHARE)] if len(ids) > 1 else [])
    return held_out
