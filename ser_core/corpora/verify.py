"""Verify the files of a corpus against its published list by SHA-256 (``ser data verify``).

A file in another container than the published one (``.flac`` for ``.wav``) is found, but unverifiable: it holds the
same utterance with another checksum. A file with another spelling of the name (``..._pleasant_surprised.wav`` for
``..._ps.wav``) is compared with the published file of the same utterance.
"""

import hashlib
import os
from pathlib import Path, PurePosixPath

from ser_core._utils.errors import SerError
from ser_core.corpora import CORPORA, formats, get_corpus, load, manifest
from ser_core.corpora.ravtess import foreign
from ser_core.corpora.table import Corpus

LISTS = ("missing", "changed", "duplicates", "extra", "unverifiable")
"""Kinds of files that a report lists."""


def verify(name: str, root: str | os.PathLike | None = None, *, progress: bool = False) -> dict:
    """Verify a corpus against its published file list.

    Parameters
    ----------
    name : str
        A corpus with a published list, or one that holds such a corpus (EmoDB 2).
    root : path, optional
        Folder of the corpus or one that holds it; by default ``SER_DATA``.
    progress : bool, default False
        Show a progress bar on standard error.

    Returns
    -------
    dict
        ``corpus``, ``folder``, ``expected`` and ``found`` (numbers of utterances), and lists of file names relative to
        ``folder``; for a composition they start with the name of the part:

        - ``missing``: published names of missing utterances,
        - ``changed``: published container, other bytes, including empty and truncated files,
        - ``duplicates``: further files of an utterance,
        - ``extra``: files that are no utterance of the corpus,
        - ``unverifiable``: utterances in another container, or without a published checksum.

        ``note`` says which version of the corpus the folder holds, if there are several.

    Raises
    ------
    SerError
        For a corpus without a published list or without recordings.
    """
    corpus = get_corpus(name)
    if not corpus.parts:
        if formats.is_path(corpus.name):
            raise SerError(f"{name} has no published file list to verify it against: name another corpus")
        return _verify(corpus, root, progress)
    parts = [_verify(get_corpus(part), root, progress) for part in corpus.parts]
    report = {
        "corpus": corpus.name,
        "folder": os.path.commonpath([part["folder"] for part in parts]),
        "expected": corpus.expected,
        "found": len(load(name, root)),
    }
    for key in LISTS:
        belongs = foreign if key == "extra" else corpus.parse
        report[key] = [f"{part['corpus']}/{file}" for part in parts for file in part[key] if belongs(file)]
    return report


def _verify(corpus: Corpus, root: str | os.PathLike | None, progress: bool) -> dict:
    from tqdm import tqdm

    table = load(corpus.name, root)
    listed = manifest(corpus.extends or corpus.name)
    published = dict(zip(listed["id"], listed[["file", "sha256", "bytes"]].to_numpy().tolist(), strict=True))
    folder = Path(table.attrs["folder"])
    changed, unverifiable = [], []
    for utterance, path in tqdm(
        zip(table["id"], table["path"], strict=True),
        total=len(table),
        disable=not progress,
        unit="file",
        desc=corpus.name,
    ):
        relative = Path(path).relative_to(folder).as_posix()
        if utterance not in published:
            unverifiable.append(relative)
            continue
        file, checksum, size = published[utterance]
        if os.path.getsize(path) == 0:
            changed.append(relative)
        elif PurePosixPath(path).suffix.lower() != PurePosixPath(file).suffix.lower():
            unverifiable.append(relative)
        elif os.path.getsize(path) != size or sha256(path) != checksum:
            changed.append(relative)
    missing = sorted(set(published) - set(table["id"])) if corpus.extends else table.attrs["missing"]
    report = {
        "corpus": corpus.name,
        "folder": str(folder),
        "expected": corpus.expected,
        "found": len(table),
        "missing": [published.get(utterance, [f"{utterance}.wav"])[0] for utterance in missing],
        "changed": changed,
        "duplicates": list(table.attrs["duplicates"]),
        "extra": list(table.attrs["extra"]),
        "unverifiable": unverifiable,
    }
    note = _other_version(corpus, table, published)
    return report | ({"note": note} if note else {})


def _other_version(corpus: Corpus, table, published: dict) -> str:
    """Say that a folder holds a larger version of the corpus, or what of it is compared; "" if neither applies."""
    if corpus.extends:
        part = get_corpus(corpus.extends)
        inside = len(set(table["id"]) & set(published))
        return (
            f"{inside} of the {part.expected} recordings of {part.title} and {len(table) - inside} others; the others "
            f"({corpus.expected - part.expected} in the complete {corpus.title}) have no published checksum here"
        )
    larger = next((other for other in CORPORA.values() if other.extends == corpus.name), None)
    beyond = [path for path in table.attrs["extra"] if larger and larger.parse(path)]
    if not larger or not beyond:
        return ""
    return (
        f"this is {larger.title}: {len(beyond)} further recordings follow its names; {larger.name} loads them too, "
        f"{corpus.name} the {corpus.expected} of {corpus.title}"
    )


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
