"""The utterance table: what every corpus gives, and how a tree of files becomes one.

A corpus is a :class:`Corpus`: constants and one function, ``parse``, that reads a relative path and says which
utterance it is. Everything else (finding the folder, ignoring what does not belong, keeping one of several copies,
naming what is missing) is the same for all and stands here. No audio is opened.

The table has one row an utterance, sorted by ``id``, and the columns ``id, path, corpus, speaker, sex, emotion, text,
intensity, take`` (all strings). ``table.attrs`` holds ``corpus``, ``expected`` (number of utterances of the complete
corpus), ``missing`` (ids), ``duplicates`` and ``extra`` (paths relative to the corpus folder), and ``folder`` (where
they were found; a composition has none of its own).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser_core._utils.errors import SerError
from ser_core._utils.paths import data_dir

COLUMNS = ("id", "path", "corpus", "speaker", "sex", "emotion", "text", "intensity", "take")

SUFFIXES = (".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3")
"""Containers that are read, the preferred one first (compared without case)."""

LABELS = ("neutral", "calm", "boredom", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""All emotions known here, in the order that every corpus keeps for its own."""

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
"""Spellings of emotion names met in published corpora, lower case, and the one used here."""


@dataclass(frozen=True)
class Remote:
    """A published file: its name, address, checksum (``md5:...`` or ``sha256:...``) and size in bytes.

    Without a checksum the address is that of a Dataverse listing, which names the files and their checksums.
    """

    name: str
    url: str
    checksum: str
    bytes: int


@dataclass(frozen=True)
class Corpus:
    """What is known of a corpus before a single file of it is there.

    ``parse`` takes a path relative to the corpus folder, with forward slashes, and returns ``id, speaker, sex, emotion,
    text, intensity, take`` as strings, or None when the file is no utterance of this corpus. ``parts`` names the
    corpora that a composition draws on (then ``parse`` tries theirs); ``unlisted`` are ids of published utterances
    that the manifest lacks; ``doi`` is that of the data or, where they have none, of the paper that describes them.
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
    parse: Callable[[str], dict | None]
    parts: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    demo: bool = False
    remotes: tuple[Remote, ...] = ()


def stem(path: str) -> str | None:
    """File name without its suffix when the suffix is one of :data:`SUFFIXES`, else None."""
    name = PurePosixPath(path)
    return name.stem if name.suffix.lower() in SUFFIXES else None


def walk(folder: Path, skip: Callable[[str], bool] = lambda name: False) -> Iterator[str]:
    """Relative paths (forward slashes) of the files under ``folder``, in a fixed order.

    Hidden files and folders, ``__MACOSX`` and folders for which ``skip(name)`` holds are left out. Links to folders are
    followed, each folder once, so that a circle ends.
    """
    seen = set()
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
    """The sub-folder of ``parent`` with this name, compared without case; None without one."""
    if not parent.is_dir():
        return None
    there = (child for child in sorted(parent.iterdir()) if child.name.casefold() == name.casefold())
    return next((child for child in there if child.is_dir()), None)


def locate(corpus: Corpus, root: str | os.PathLike | None = None) -> Path:
    """The folder that holds ``corpus``.

    ``root`` is the corpus folder itself or one that holds it; without it ``SER_DATA`` is searched. A sub-folder with
    the usual name (without case) is taken when it holds utterances; else the whole tree is searched for file names of
    this corpus: a given ``root`` is then the folder, and under ``SER_DATA`` what they have in common.

    Raises:
        SerError: there is no such folder, or no file in it belongs to the corpus.
    """
    base = Path(os.path.abspath(Path(root).expanduser())) if root is not None else data_dir()
    named = named_folder(base, corpus.folder)
    if named is not None and any(corpus.parse(path) for path in walk(named)):
        return named
    # Never take the synthetic look-alikes of the demo corpus for the real recordings.
    found = (
        [p for p in walk(base, skip=lambda name: name.startswith("demo")) if corpus.parse(p)] if base.is_dir() else []
    )
    if not found:
        get = f"`ser data fetch {corpus.name}`" if corpus.remotes else f"get it from {corpus.url}"
        where = "--root" if root is not None else "SER_DATA"
        raise SerError(
            f"no {corpus.title} recordings under {base}: {get}, or point {where} at the folder that holds them"
        )
    if root is not None:
        return base
    common = os.path.commonpath([os.path.dirname(base / path) for path in found])
    return Path(common)


def build(corpus: Corpus, folder: Path, canonical: Iterable[str] = ()):
    """The utterance table of the files under ``folder``.

    Args:
        corpus: whose grammar to use.
        folder: where the files are.
        canonical: ids of the complete corpus, when they are known. Names that follow the grammar and are not among
            them count as extra.

    Returns:
        DataFrame [utterances x :data:`COLUMNS`], with the ``attrs`` described in the module's docstring.
    """
    import pandas as pd

    canonical = frozenset(canonical)
    copies: dict[str, list[tuple[str, dict]]] = {}
    extra = []
    for path in walk(folder):
        row = corpus.parse(path)
        if row is None or (canonical and row["id"] not in canonical):
            extra.append(path)
        else:
            copies.setdefault(row["id"], []).append((path, row))
    rows, duplicates = [], []
    for several in copies.values():
        if len(several) > 1:
            several.sort(key=lambda one: _preference(folder, one[0]))
            duplicates += [path for path, _ in several[1:]]
        path, row = several[0]
        rows.append(row | {"path": os.path.join(folder, *path.split("/")), "corpus": corpus.name})
    rows.sort(key=lambda row: row["id"])
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
    table.attrs = {
        "corpus": corpus.name,
        "expected": corpus.expected,
        "missing": sorted(canonical - copies.keys()),
        "duplicates": sorted(duplicates),
        "extra": extra,
        "folder": str(folder),
    }
    return table


def _preference(folder: Path, path: str) -> tuple:
    """Sort key of the copies of one utterance: not empty, preferred container, shallowest, first by name."""
    suffix = PurePosixPath(path).suffix.lower()
    return os.path.getsize(folder / path) == 0, SUFFIXES.index(suffix), path.count("/"), path
