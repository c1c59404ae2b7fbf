"""Build the utterance table of a corpus from the names of its files.

A corpus is a :class:`Corpus`: constants and one function, ``parse``, that maps a relative path to an utterance. The
rest is the same for every corpus: find the folder, ignore other files, keep one of several copies, name missing
utterances. No audio is opened.

The table has one row per utterance, sorted by ``id``. Its columns are ``id, path, corpus, speaker, sex, emotion, text,
intensity, take`` (all strings). Tables of segments and of corpora with continuous labels also have :data:`NUMBERS`, and
corpora that come with folds one column per fold ("0", "1", ...). ``table.attrs`` holds

- ``corpus``: name of the corpus,
- ``expected``: number of utterances of the complete corpus,
- ``missing``: ids of missing utterances,
- ``duplicates``, ``extra``: ignored copies and other files, as paths relative to the corpus folder,
- ``folder``: the corpus folder (not for a composition of several corpora).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ser_core._utils.errors import SerError
from ser_core._utils.paths import data_dir, expand
from ser_core._utils.recordings import SUFFIXES, is_pointer_file
from ser_core._utils.words import counted

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "path", "corpus", "speaker", "sex", "emotion", "text", "intensity", "take")
"""Columns of every utterance table."""

NUMBERS = ("start", "end", "arousal", "valence", "dominance")
"""Columns of numbers that a table has if its corpus gives them: limits of a segment (seconds), continuous labels."""

LABELS = ("neutral", "calm", "boredom", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""All known emotions; every corpus lists its own in this order."""

SPELLINGS = {
    "neutral": "neutral",
    "calm": "calm",
    "bored": "boredom",
    "boredom": "boredom",
    "happy": "happy",
    "happiness": "happy",
    "joy": "happy",
    "sad": "sad",
    "sadness": "sad",
    "angry": "angry",
    "anger": "angry",
    "fear": "fearful",
    "fearful": "fearful",
    "disgust": "disgust",
    "disgusted": "disgust",
    "ps": "surprised",
    "surprise": "surprised",
    "surprised": "surprised",
    "pleasant_surprise": "surprised",
    "pleasant_surprised": "surprised",
}
"""Spellings of emotion names in published corpora (lower case) and the label of each."""


RESERVED = frozenset(
    (*COLUMNS, *NUMBERS, "side", "truth", "prediction", "predicted", "pred", "copy", "utterance", "published", "file")
    + ("confidence", "seconds", "sure", "notes", "error", "key", "index")
)
"""Names of columns in tables of utterances and predictions, which no emotion may have."""
MOST_EMOTIONS, LONGEST_NAME = 256, 100
"""Largest number of emotions of a corpus, and the longest name of one, characters."""


@dataclass(frozen=True)
class Remote:
    """Describe a published file.

    Parameters
    ----------
    name : str
        File name.
    url : str
        Address to download from. Without a checksum it is that of a Dataverse listing, which names the files and their
        checksums.
    checksum : str
        ``md5:...`` or ``sha256:...``; empty for a listing.
    bytes : int
        Size, bytes.
    """

    name: str
    url: str
    checksum: str
    bytes: int


@dataclass(frozen=True)
class Corpus:
    """Describe a corpus, independently of the files on this machine.

    Parameters
    ----------
    name, title : str
        Key of ``CORPORA`` and title for people.
    labels : tuple of str
        Emotions in a fixed order.
    speakers, expected : int
        Numbers of speakers and utterances of the complete corpus.
    folder : str
        Usual name of the corpus folder.
    licence, url, citation : str
    doi : str
        DOI of the data or, if they have none, of the paper that describes them.
    parse : callable (str) -> dict or None
        Maps a path relative to the corpus folder, with forward slashes, to ``id, speaker, sex, emotion, text,
        intensity, take`` (strings). None for a file that is no utterance of this corpus.
    parts : tuple of str, optional
        Corpora of which a composition consists; ``parse`` then tries theirs.
    unlisted : tuple of str, optional
        Ids of published utterances that the manifest lacks.
    extends : str, optional
        Corpus whose recordings are a part of this one, which has no manifest: every valid name counts.
    demo : bool, default False
        Embedded synthetic speech.
    remotes : tuple of Remote, optional
        Published files to download.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    speakers: int
    expected: int
    folder: str
    licence: str
    doi: str
    url: str
    citation: str
    parse: Callable[[str], dict[str, str] | None]
    parts: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    extends: str = ""
    demo: bool = False
    remotes: tuple[Remote, ...] = ()


def stem(path: str) -> str | None:
    """Return the name of an audio file without its suffix, or None for any other file.

    >>> stem("Actor_01/03-01-01-01-01-01-01.WAV")
    '03-01-01-01-01-01-01'
    >>> stem("README.md") is None
    True
    """
    name = PurePosixPath(path)
    return name.stem if name.suffix.lower() in SUFFIXES else None


def walk(folder: Path, skip: Callable[[str], bool] = lambda name: False) -> Iterator[str]:
    """List the files under a folder in a fixed order.

    Hidden files and folders and ``__MACOSX`` are left out. Links to folders are followed. Each folder is visited once,
    so that circular links end.

    Parameters
    ----------
    folder : Path
    skip : callable (str) -> bool, optional
        Folders for whose name it is true are left out.

    Yields
    ------
    str
        Path relative to ``folder``, with forward slashes.
    """
    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders[:] = []
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "__MACOSX" and not skip(n))
        prefix = Path(here).relative_to(folder).as_posix()
        for name in sorted(files):
            if not name.startswith("."):
                yield name if prefix == "." else f"{prefix}/{name}"


def named_folder(parent: Path, name: str) -> Path | None:
    """Return the sub-folder of ``parent`` with this name (case is ignored), or None."""
    if not parent.is_dir():
        return None
    matches = (child for child in sorted(parent.iterdir()) if child.name.casefold() == name.casefold())
    return next((child for child in matches if child.is_dir()), None)


def locate(corpus: Corpus, root: str | os.PathLike | None = None) -> Path:
    """Find the folder that holds a corpus.

    A sub-folder with the usual name (case is ignored) is preferred if it holds utterances. Otherwise the whole tree is
    searched for file names of this corpus. The result is then ``root`` or, under ``SER_DATA``, the common folder of
    these files.

    Parameters
    ----------
    corpus : Corpus
    root : path, optional
        The corpus folder itself or one that holds it; by default ``SER_DATA``.

    Returns
    -------
    Path
        Absolute path of the corpus folder.

    Raises
    ------
    SerError
        For a folder that does not exist or holds no file of the corpus.
    """
    base = expand(root) if root is not None else data_dir()
    named = named_folder(base, corpus.folder)
    if named is not None and any(corpus.parse(path) for path in walk(named)):
        return named
    # The demo corpus has the same file names: never mistake its synthetic clips for real recordings.
    tree = walk(base, skip=lambda name: name.startswith("demo")) if base.is_dir() else ()
    utterances = [path for path in tree if corpus.parse(path)]
    if not utterances:
        source = f"`ser data fetch {corpus.name}`" if corpus.remotes else f"get it from {corpus.url}"
        setting = "root" if root is not None else "SER_DATA"
        raise SerError(
            f"no {corpus.title} recordings under {base}: {source}, or point {setting} at the folder that holds them"
        )
    if root is not None:
        return base
    common = os.path.commonpath([os.path.dirname(base / path) for path in utterances])
    return Path(common)


def build(corpus: Corpus, folder: Path, canonical: Iterable[str] = ()) -> pd.DataFrame:
    """Build the utterance table of the files under a folder.

    Parameters
    ----------
    corpus : Corpus
        Its ``parse`` reads the file names.
    folder : Path
        The corpus folder.
    canonical : iterable of str, optional
        Ids of the complete corpus, if known. Files with a valid name and another id count as extra.

    Returns
    -------
    DataFrame [utterances x :data:`COLUMNS`]
        ``attrs`` as described at the top of this module.
    """
    import pandas as pd

    known_ids = frozenset(canonical)
    copies: dict[str, list[tuple[str, dict[str, str]]]] = {}
    extra = []
    for path in walk(folder):
        row = corpus.parse(path)
        if row is None or (known_ids and row["id"] not in known_ids):
            extra.append(path)
        else:
            copies.setdefault(row["id"], []).append((path, row))
    rows, duplicates = [], []
    for candidates in copies.values():
        if len(candidates) > 1:
            candidates.sort(key=lambda candidate: _preference(folder, candidate[0]))
            duplicates += [path for path, _ in candidates[1:]]
        path, row = candidates[0]
        rows.append(row | {"path": os.path.join(folder, *path.split("/")), "corpus": corpus.name})
    rows.sort(key=lambda row: row["id"])
    _check_unicode(rows)
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
    table.attrs = {
        "corpus": corpus.name,
        "expected": corpus.expected,
        "missing": sorted(known_ids - copies.keys()),
        "duplicates": sorted(duplicates),
        "extra": extra,
        "folder": str(folder),
    }
    return table


def utterance_frame(rows: list[dict[str, Any]], **attrs: Any) -> pd.DataFrame:
    """Build the utterance table of utterances that a list names.

    Parameters
    ----------
    rows : list of dict
        :data:`COLUMNS` of each utterance. Optional: :data:`NUMBERS` (float or None) and the subset in each fold of a
        published partition ("0", "1", ...).
    **attrs
        ``attrs`` of the table.

    Returns
    -------
    DataFrame
        Sorted by ``id``, with :data:`COLUMNS` and those of the other columns that any utterance has.
    """
    import pandas as pd

    rows = sorted(rows, key=lambda row: row["id"])
    _check_unicode(rows)
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
    present = {name for row in rows for name, value in row.items() if value is not None}
    if "start" in present or "end" in present:
        present |= {"start", "end"}
    for name in NUMBERS:
        if name in present:
            table[name] = pd.Series([row.get(name) for row in rows], dtype="float64")
    for fold in sorted((name for name in present if name.isdigit()), key=int):
        table[fold] = [row.get(fold) or "none" for row in rows]
    table.attrs = attrs
    return table


def check_table(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the utterance table of a user's own corpus, whose names come from file names and lists.

    Parameters
    ----------
    table : DataFrame
    name : str
        ``KIND:PATH``, for messages

    Raises
    ------
    SerError
        for emotions that are the name of a column, are not printable, or are too many
    """
    emotions = sorted(set(table["emotion"]))
    for emotion in emotions:
        if emotion.lower() in RESERVED:
            raise SerError(f"{name}: an emotion is called {emotion!r}, which is a column of every result; rename it")
        if not emotion.isprintable() or not 0 < len(emotion) <= LONGEST_NAME:
            raise SerError(f"{name}: {emotion[:LONGEST_NAME]!r} is no name of an emotion; rename it")
    if len(emotions) > MOST_EMOTIONS:
        raise SerError(
            f"{name}: {counted(len(emotions), 'emotion')}; at most {MOST_EMOTIONS} are possible; check the list"
        )
    return table


def _check_unicode(rows: list[dict[str, Any]]) -> None:
    """Refuse names of files, and texts of lists, that are not UTF-8."""
    for row in rows:
        for column in COLUMNS:
            try:
                row[column].encode()
            except UnicodeEncodeError:
                raise SerError(f"{ascii(row['path'])[1:-1]}: its {column} is not UTF-8; rename it") from None


def _preference(folder: Path, path: str) -> tuple:
    """Return the sort key of a copy: not empty or a Git LFS pointer, preferred container, fewest folders, by name."""
    suffix = PurePosixPath(path).suffix.lower()
    hollow = os.path.getsize(folder / path) == 0 or is_pointer_file(folder / path)
    return hollow, SUFFIXES.index(suffix), path.count("/"), path
