"""``ser data verify``: the files of a corpus against its canonical list, by SHA-256.

A file in another container than the published one (``.flac`` for ``.wav``) holds the same utterance and cannot be
compared: it is found, and unverifiable. A name that is spelt otherwise (``OA_bite_neutral.wav``, ``..._ps`` and
``..._pleasant_surprised``) is compared with the canonical file of the same utterance.
"""

import hashlib
import os
from pathlib import Path, PurePosixPath

from ser_core._utils.errors import SerError
from ser_core.corpora import get_corpus, load, manifest
from ser_core.corpora.ravtess import foreign
from ser_core.corpora.table import Corpus

LISTS = ("missing", "changed", "duplicates", "extra", "unverifiable")


def verify(name: str, root: str | os.PathLike | None = None, *, progress: bool = False) -> dict:
    """Compare a corpus with its canonical list.

    Args:
        name: a corpus that has such a list (all but ``folder:`` and ``csv:``).
        root: folder of the corpus or one that holds it. Default: ``SER_DATA``.
        progress: show a progress bar on standard error.

    Returns:
        dict: ``corpus``, ``folder``, ``expected`` and ``found`` (numbers of utterances), and lists of file names:
        ``missing`` (canonical names), ``changed`` (published container, other bytes; empty and cut files too),
        ``duplicates`` (further files of an utterance that was found), ``extra`` (no utterance of the corpus),
        ``unverifiable`` (found, not comparable). The last four are relative to ``folder``; for a composition all start
        with the name of the part.

    Raises:
        SerError: there is no list, or no recording of the corpus.
    """
    corpus = get_corpus(name)
    if not corpus.parts:
        if corpus.name.startswith(("folder:", "csv:")):
            raise SerError(f"{name} has no published file list to verify it against")
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
    listed = manifest(corpus.name)
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
    return {
        "corpus": corpus.name,
        "folder": str(folder),
        "expected": corpus.expected,
        "found": len(table),
        "missing": [published.get(utterance, [f"{utterance}.wav"])[0] for utterance in table.attrs["missing"]],
        "changed": changed,
        "duplicates": list(table.attrs["duplicates"]),
        "extra": list(table.attrs["extra"]),
        "unverifiable": unverifiable,
    }


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
