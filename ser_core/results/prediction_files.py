"""Predictions in files of other tools: audformat tables and EmoBox's JSON Lines.

An audformat table has ``file`` (and ``start`` and ``end``) in place of ``id``. It has one column per emotion, or a
column with the predicted emotion. EmoBox's lines have ``key`` and ``pred`` (or ``prediction``), the name of the
predicted emotion. A predicted emotion without probabilities counts as a probability of 1.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ser_core._utils.errors import SerError
from ser_core._utils.recordings import printable
from ser_core._utils.segments import parse_limits, segment_mark
from ser_core.corpora.folder import normalise_emotion

JSON_SUFFIXES = (".jsonl", ".json")
PREDICTED = ("predicted", "prediction", "pred", "emotion")
"""Columns or fields that may hold the predicted emotion, the preferred one first."""
PROBABILITIES = ("probabilities", "probability", "probs", "prob", "scores")
"""Fields of a JSON line that may hold a probability for each emotion, by its name."""
MOST_SHOWN = 20
"""Most columns of a file that a message names."""


def read_json_predictions(path: Path, labels: Sequence[str]):
    """Read EmoBox-style predictions: JSON Lines, or a JSON list of the same objects.

    Parameters
    ----------
    path : Path
    labels : sequence of str
        the emotions

    Returns
    -------
    DataFrame
        ``id`` (the key) and a column for each label

    Raises
    ------
    SerError
        for an unreadable file, or a line without a key or a usable prediction
    """
    import pandas as pd

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror or error}); give a JSON Lines file") from None
    except UnicodeDecodeError:
        raise SerError(f"{path}: not UTF-8 text; give a JSON Lines file") from None
    rows = []
    for number, line in enumerate(_objects(text, path), 1):
        at = f"{path}, line {number}"
        key = line.get("key", line.get("id")) if isinstance(line, dict) else None
        if not key:
            raise SerError(f"{at}: no key; wanted an object with key and pred")
        rows.append({"id": str(key)} | _answer(line, labels, at))
    if not rows:
        raise SerError(f"{path}: holds no prediction")
    return pd.DataFrame(rows)


def _objects(text: str, path: Path) -> list:
    try:
        whole = json.loads(text)
        return whole if isinstance(whole, list) else [whole]
    except (ValueError, RecursionError):
        pass
    objects = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                objects.append(json.loads(line))
            except (ValueError, RecursionError):
                raise SerError(f"{path}, line {number}: not a JSON object; wanted one object per line") from None
    return objects


def _answer(line: dict, labels: Sequence[str], at: str) -> dict[str, float]:
    """Return a probability per label, from the probabilities of a line or its predicted emotion."""
    for field in PROBABILITIES:
        if isinstance(line.get(field), dict):
            named = {normalise_emotion(str(name)): value for name, value in line[field].items()}
            lacking = [label for label in labels if label not in named]
            if lacking:
                raise SerError(f"{at}: {field} lacks {', '.join(lacking)}")
            return {label: named[label] for label in labels}
    for field in PREDICTED:
        if field in line:
            return one_hot(line[field], labels, f"{at}: {field}")
    raise SerError(f"{at}: no prediction; wanted pred (the name of an emotion) or probabilities by emotion")


def one_hot(value, labels: Sequence[str], at: str) -> dict[str, float]:
    """Return a probability of 1 for a predicted emotion.

    >>> one_hot("sad", ["happy", "sad"], "line 1")
    {'happy': 0.0, 'sad': 1.0}

    Raises
    ------
    SerError
        for an emotion that is not among the labels
    """
    name = normalise_emotion(str(value))
    if isinstance(value, bool | int | float) or name not in labels:
        raise SerError(f"{at} is {value!r}, wanted the name of an emotion: {', '.join(labels)}")
    return {label: float(label == name) for label in labels}


def from_audformat(frame, labels: Sequence[str], path: Path):
    """Turn an audformat table of predictions (``file`` in place of ``id``) into ids and probabilities.

    Parameters
    ----------
    frame : DataFrame
        as read from CSV or Parquet: ``file``, perhaps ``start`` and ``end``, and predictions
    labels : sequence of str
        the emotions
    path : Path
        of the file, for messages

    Returns
    -------
    DataFrame
        ``id`` (path without suffix, followed by the limits of a segment) and a column for each label

    Raises
    ------
    SerError
        for invalid limits, or a table without predictions
    """
    import pandas as pd

    ids = []
    for number, row in enumerate(frame.to_dict("records"), 2):
        at = f"{path}, row {number}"
        limits = parse_limits(row, at, str(row["file"]))
        stem = str(PurePosixPath(str(row["file"]).replace("\\", "/")).with_suffix(""))
        ids.append(stem + segment_mark(limits["start"], limits["end"]))
    columns = {normalise_emotion(str(column)): column for column in frame.columns}
    predictions = pd.DataFrame({"id": ids})
    if all(label in columns for label in labels):
        for label in labels:
            predictions[label] = frame[columns[label]].to_numpy()
    else:
        field = next((name for name in PREDICTED if name in frame), None)
        if field is None:
            lacking = [label for label in labels if label not in columns]
            message = lacking_columns(path, lacking, list(frame), ("file", *labels))
            raise SerError(f"{message}; or one of {', '.join(PREDICTED)} with the predicted emotion")
        answers = [
            one_hot(value, labels, f"{path}, row {number}: {field}") for number, value in enumerate(frame[field], 2)
        ]
        predictions = pd.concat([predictions, pd.DataFrame(answers)], axis=1)
    if "side" in frame:
        predictions["side"] = frame["side"].to_numpy()
    return predictions


def lacking_columns(path: Path, lacking: Sequence[str], found: Sequence[str], needed: Sequence[str]) -> str:
    """Return the message for missing columns: which, those of the file, and those that are needed.

    >>> lacking_columns(Path("a.csv"), ["sad"], ["id", "Sad"], ["id", "sad"])
    'a.csv: no column sad; found are id, Sad; needed are id, sad'
    """
    shown = [printable(str(name)) for name in found]
    rest = len(shown) - MOST_SHOWN
    names = ", ".join(shown[:MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
    return f"{path}: no column {', '.join(lacking)}; found are {names or 'none'}; needed are {', '.join(needed)}"


def match_ids(keys: Sequence[str], ids: Iterable[str]) -> list[str]:
    """Return the utterance of a corpus that each key refers to; the key itself without a match.

    A key may start with the name of its corpus (EmoBox: ``ravdess-03-01-...``), or with the folders of a file.

    >>> match_ids(["ravdess-03-01", "Actor_01/03-02.wav", "other"], ["03-01", "03-02"])
    ['03-01', '03-02', 'other']
    """
    known = set(ids)
    last: dict[str, list[str]] = {}
    for name in known:
        last.setdefault(name.rpartition("/")[2], []).append(name)
    matches = []
    for key in keys:
        stem = key.rpartition("/")[2].removesuffix(".wav")
        candidates = [key, key.partition("-")[2], stem, stem.partition("-")[2]]
        match = next((name for name in candidates if name in known), None)
        short = last.get(stem, [])
        matches.append(match or (short[0] if len(short) == 1 else key))
    return matches
