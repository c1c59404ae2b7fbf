"""EmoBox metadata in JSON Lines: ``emobox:PATH``.

PATH is the folder of one data set of EmoBox (``data/ravdess``) or a ``.jsonl`` file. Each line has ``key``, ``wav`` and
``emo``; ``start_time`` and ``end_time`` (seconds) make it a segment. ``label_map.json`` in the folder renames emotions;
utterances whose emotion it lacks are left out. The folders ``fold_1``, ``fold_2``, ... give the folds of the protocol
``official``, numbered from 0; EmoBox names no validation subset in most of them (:func:`listing.fill_validation`).

EmoBox's lines have no speaker. It is read from the file name where the data set is one that this suite knows, and from
a field ``speaker`` or ``spk`` where there is one.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora import cremad, emodb, ravdess, savee, tess
from ser_core.corpora.formats import listing

GRAMMARS = {
    "ravdess": ravdess.parse,
    "tess": tess.parse,
    "emodb": emodb.parse,
    "savee": savee.parse,
    "cremad": cremad.parse,
}
"""Data sets whose file names tell speaker, sex and text."""
FOLD_FILE = re.compile(r"_(train|valid|val|dev|test)_fold_?(\d+)\.jsonl$")


def read(name: str, where: Path):
    """Read the utterance table of an EmoBox folder or file.

    Parameters
    ----------
    name : str
        of the corpus, ``emobox:PATH``
    where : Path
        a folder with ``NAME.jsonl`` and ``fold_1/``, ..., or a JSON Lines file

    Raises
    ------
    SerError
        for a missing folder, a line that is no JSON object, or a field that is missing
    """
    root = where if where.is_dir() else where.parent
    lines = _lines(where)
    folds = read_folds(root)
    base = listing.find_base((str(line.get("wav")) for _, _, line in lines), root)
    return listing.collect(_entries(lines, folds, _label_map(root)), name, root, base=base)


def _lines(where: Path) -> list[tuple[Path, int, dict]]:
    """File, number and content of every line: of the data set's file, or of all subsets of its first fold."""
    if where.is_file():
        files = [where]
    elif not where.is_dir():
        raise SerError(f"no folder or file {where}: emobox:PATH takes a data set of EmoBox, such as data/ravdess")
    else:
        files = sorted(where.glob("*.jsonl")) or sorted(where.glob("fold_1/*.jsonl"))
    if not files:
        raise SerError(f"{where}: holds no .jsonl file; EmoBox names it after the data set, such as ravdess.jsonl")
    if len(files) > 1 and files[0].parent == where:
        raise SerError(f"{where}: holds several .jsonl files ({', '.join(file.name for file in files)}); name one")
    return [(file, number, line) for file in files for number, line in listing.read_json_lines(file)]


def _label_map(root: Path) -> dict[str, str] | None:
    where = root / "label_map.json"
    if not where.is_file():
        return None
    try:
        known = json.loads(where.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in known.items()}
    except (ValueError, AttributeError, OSError, RecursionError):
        raise SerError(f"{where}: not a JSON object of emotions and their names") from None


def read_folds(root: Path) -> dict[str, dict[str, str]]:
    """Read the folds of an EmoBox folder: key of an utterance to number of a fold (from 0) to name of the subset."""
    found: dict[str, dict[str, str]] = {}
    files = sorted((int(match[2]), match[1], path) for path in root.glob("fold*/*.jsonl")
                   if (match := FOLD_FILE.search(path.name)))  # fmt: skip
    numbers = {number: str(place) for place, number in enumerate(sorted({number for number, _, _ in files}))}
    for number, subset, path in files:
        for line_number, line in listing.read_json_lines(path):
            key = str(line.get("key") or "")
            if numbers[number] in found.setdefault(key, {}):
                raise SerError(f"{path}, line {line_number}: {key} is in two subsets of fold {number}")
            found[key][numbers[number]] = subset
    return found


def _entries(lines, folds: dict[str, dict[str, str]], names: dict[str, str] | None) -> Iterator[dict]:
    for path, number, line in lines:
        at = f"{path}, line {number}"
        lacking = [field for field in ("key", "wav", "emo") if not line.get(field)]
        if lacking:
            raise SerError(f"{at}: no {', '.join(lacking)}; wanted key, wav and emo")
        key, file, data_set = str(line["key"]), str(line["wav"]), str(line.get("dataset") or "")
        known = GRAMMARS[data_set](Path(file).name) if data_set in GRAMMARS else None
        entry = {field: known[field] for field in ("speaker", "sex", "text", "intensity", "take")} if known else {}
        fields = listing.find_columns(line)
        entry |= {column: line[field] for column, field in fields.items() if column not in ("emotion", "split")}
        emotion = str(line["emo"])
        yield entry | {
            "id": key.removeprefix(f"{data_set}-") if data_set else key,
            "file": file,
            "at": at,
            "emotion": emotion if names is None else names.get(emotion),
            "folds": folds.get(key),
        }
