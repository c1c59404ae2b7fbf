"""Hugging Face audio folders: ``audiofolder:PATH``.

``metadata.csv`` or ``metadata.jsonl``, in PATH or in sub-folders, lists recordings by ``file_name``, relative to its
own folder. Its columns are read by :data:`listing.COLUMN_NAMES`. Without such a file the folder of a recording is its
emotion. A sub-folder of PATH named after a subset (``train``, ``validation``, ``test``) gives the protocol
``official``.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing
from ser_core.corpora.table import SUFFIXES, stem, walk

METADATA = ("metadata.csv", "metadata.jsonl")


def read(name: str, where: Path):
    """Read the utterance table of an audio folder.

    Parameters
    ----------
    name : str
        of the corpus, ``audiofolder:PATH``
    where : Path
        the folder

    Raises
    ------
    SerError
        for a missing folder, a metadata file without ``file_name`` or an emotion, or a folder without audio
    """
    if not where.is_dir():
        raise SerError(f"no folder {where}: audiofolder:PATH takes a folder with metadata.csv or metadata.jsonl")
    paths = list(walk(where))
    metadata = [path for path in paths if PurePosixPath(path).name in METADATA]
    if any(PurePosixPath(path).name == "metadata.parquet" for path in paths):
        raise SerError(f"{where}: metadata.parquet is not read; write it as metadata.csv or metadata.jsonl")
    entries = (entry for path in metadata for entry in _listed(where, path)) if metadata else _by_folder(where, paths)
    return listing.collect(entries, name, where)


def _listed(where: Path, path: str) -> Iterator[dict]:
    """Entries of one metadata file."""
    file = where / path
    lines = listing.read_table(file, []) if file.suffix == ".csv" else listing.read_json_lines(file)
    names = list(dict.fromkeys(key for _, line in lines for key in line))
    if "file_name" not in names and "audio_file_name" not in names:
        raise SerError(f"{file}: no column file_name; found {', '.join(names)}")
    columns = listing.find_columns(names)
    if "emotion" not in columns:
        raise SerError(f"{file}: no column emotion or label; found {', '.join(names)}")
    for number, line in lines:
        whole = dict.fromkeys(names) | line
        listed = whole.get("file_name") or whole.get("audio_file_name")
        at = f"{file}, line {number}"
        if not listed:
            raise SerError(f"{at}: no file_name")
        relative = (PurePosixPath(path).parent / str(listed)).as_posix()
        entry = listing.entry_of(whole, columns, relative, at)
        yield entry | {"folds": entry.get("folds") or _subset(relative)}


def _by_folder(where: Path, paths: list[str]) -> Iterator[dict]:
    """Entries of recordings whose folder is their emotion."""
    count = 0
    for path in paths:
        folders = PurePosixPath(path).parts[:-1]
        if stem(path) is None or not folders or folders[-1].lower() in listing.SUBSETS:
            continue
        count += 1
        yield {"file": path, "at": str(where / path), "emotion": folders[-1], "folds": _subset(path)}
    if not count:
        raise SerError(
            f"{where}: neither {' nor '.join(METADATA)}, nor a sub-folder for each emotion with audio "
            f"({', '.join(SUFFIXES)})"
        )


def _subset(path: str) -> dict[str, str] | None:
    first = PurePosixPath(path).parts[0].lower()
    return {"0": first} if first in listing.SUBSETS else None
