"""Corpora of emotional speech: one module per corpus, the same utterance table for all.

>>> from ser_core import corpora
>>> table = corpora.load("ravdess")  # doctest: +SKIP
>>> corpora.labels("tess")
('neutral', 'happy', 'sad', 'angry', 'fearful', 'disgust', 'surprised')

:func:`load` takes a key of :data:`CORPORA`, ``folder:PATH`` or ``csv:PATH`` for the user's own recordings
(:mod:`ser_core.corpora.folder`), or ``KIND:PATH`` for a corpus in the format of another tool
(:mod:`ser_core.corpora.formats`). No audio is opened; pandas is imported when the first table is made.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core._utils.errors import SerError
from ser_core._utils.lazy import attach_modules
from ser_core._utils.words import near
from ser_core.corpora import cremad, demo, emodb, formats, nemo, ravdess, ravtess, savee, table, tess
from ser_core.corpora.table import Corpus

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CORPORA",
    "Corpus",
    "canonical_name",
    "corpus_title",
    "get_corpus",
    "is_demo",
    "is_listed",
    "labels",
    "load",
    "manifest",
]

attach_modules(__name__)

CORPORA: dict[str, Corpus] = {
    "ravdess": ravdess.CORPUS,
    "tess": tess.CORPUS,
    "ravtess": ravtess.CORPUS,
    "ravtess_calm_merged": ravtess.CALM_MERGED,
    "emodb": emodb.CORPUS,
    "emodb2": emodb.CORPUS_2,
    "savee": savee.CORPUS,
    "nemo": nemo.CORPUS,
    "cremad": cremad.CORPUS,
    "demo": demo.DEMO_RAVDESS,
    "demo_ravdess": demo.DEMO_RAVDESS,
    "demo_tess": demo.DEMO_TESS,
    "demo_ravtess": demo.DEMO_RAVTESS,
    "demo_ravtess_calm_merged": demo.DEMO_CALM_MERGED,
}
"""All known corpora by name."""
MANIFESTS = Path(__file__).parent / "manifests"
"""Published file lists, ``NAME.csv.xz``: one row per file with the columns file, sha256 and bytes."""


def get_corpus(name: str) -> Corpus:
    """Return the description of a corpus.

    Parameters
    ----------
    name : str
        Key of :data:`CORPORA` (case is ignored), ``folder:PATH``, ``csv:PATH`` or ``KIND:PATH``; the latter are read.

    Returns
    -------
    Corpus

    Raises
    ------
    SerError
        For an unknown name.

    Examples
    --------
    >>> get_corpus("RAVDESS").expected
    1440
    """
    if name.lower() in CORPORA:
        return CORPORA[name.lower()]
    if formats.is_path(name):
        return formats.corpus(name)
    kinds = f"{', '.join(f'{kind}:PATH' for kind in formats.KINDS[:-1])} or {formats.KINDS[-1]}:PATH"
    raise SerError(f"no corpus named {name!r}{near(name, CORPORA)}; choose one of {', '.join(CORPORA)}, {kinds}")


def canonical_name(name: str) -> str:
    """Return the name under which results of a corpus are stored.

    Raises
    ------
    SerError
        For an unknown name.

    Examples
    --------
    >>> canonical_name("demo")
    'demo_ravdess'
    """
    return name if formats.is_path(name) else get_corpus(name).name


def load(name: str, root: str | os.PathLike | None = None) -> pd.DataFrame:
    """Load the utterance table of a corpus.

    Parameters
    ----------
    name : str
        Key of :data:`CORPORA`, ``folder:PATH``, ``csv:PATH`` or ``KIND:PATH`` (:data:`formats.FORMATS`).
    root : path, optional
        Folder of the corpus, or one that holds it. By default ``SER_DATA``; for the demo corpus the cache.

    Returns
    -------
    DataFrame
        One row per utterance, sorted by id, with the columns ``table.COLUMNS``. ``attrs`` holds the size of the
        complete corpus and the missing utterances (:mod:`ser_core.corpora.table`).

    Raises
    ------
    SerError
        For an unknown name, or a folder without recordings of this corpus.
    """
    if formats.is_path(name):
        return formats.load(name)
    corpus = get_corpus(name)
    if corpus.parts:
        return ravtess.compose(corpus, [load(part, root) for part in corpus.parts])
    embedded = corpus.demo and root is None
    corpus_folder = demo.unpack() / corpus.folder if embedded else table.locate(corpus, root)
    if is_listed(corpus.name):
        return table.build(corpus, corpus_folder, [*manifest(corpus.name)["id"], *corpus.unlisted])
    if not corpus.extends:
        return table.build(corpus, corpus_folder)
    utterances, part = table.build(corpus, corpus_folder), get_corpus(corpus.extends)
    if not set(utterances["id"]) - set(manifest(part.name)["id"]):
        raise SerError(
            f"{corpus_folder} holds {part.title} ({len(utterances)} of {part.expected} utterances) and nothing that "
            f"only {corpus.title} ({corpus.expected}) has; load it as {part.name}"
        )
    return utterances


def labels(name: str) -> tuple[str, ...]:
    """Return the emotions of a corpus, in the order of every confusion matrix and probability column."""
    return get_corpus(name).labels


def manifest(name: str) -> pd.DataFrame:
    """Load the published file list of a corpus; its audio is not needed.

    Parameters
    ----------
    name : str
        Key of :data:`CORPORA`.

    Returns
    -------
    DataFrame
        One row per utterance, sorted by ``id``: the published ``file`` (relative path), ``sha256``, ``bytes``, and the
        utterance columns without ``path``. RAVDESS and TESS also have ``sample_rate`` (Hz), ``channels``, ``frames``
        and ``seconds`` (NaN where unknown).

    Raises
    ------
    SerError
        For a corpus without a published list, such as a folder or CSV of the user's own recordings.
    """
    corpus = get_corpus(name)
    path = _manifest_path(corpus)
    return _read_manifest(corpus, path.stat().st_mtime_ns if path.is_file() else None).copy()


@lru_cache(maxsize=32)
def _read_manifest(corpus: Corpus, changed: int | None) -> pd.DataFrame:
    """Read and parse the published file list of a corpus, once for each time at which it changed."""
    import pandas as pd

    if corpus.parts:
        tables = [manifest(part) for part in corpus.parts]
        return ravtess.compose(corpus, tables)
    if corpus.demo:
        listing = demo.listing(corpus)
    else:
        if not _manifest_path(corpus).is_file():
            raise SerError(f"{corpus.name}: no published file list; it would be {MANIFESTS / corpus.name}.csv.xz")
        listing = pd.read_csv(_manifest_path(corpus), dtype={"file": "str", "sha256": "str"})
    if {"frames", "sample_rate"} <= set(listing.columns):
        listing["seconds"] = listing["frames"] / listing["sample_rate"]
    parsed = pd.DataFrame([corpus.parse(file) for file in listing["file"]], dtype="str")
    parsed["corpus"] = corpus.name
    columns = [column for column in table.COLUMNS if column != "path"]
    return pd.concat([parsed[columns], listing], axis=1).sort_values("id", ignore_index=True)


def corpus_title(name: str) -> str:
    """Return the title of a corpus for people; that of a demo corpus contains the word "demo".

    >>> corpus_title("emodb")
    'EmoDB'
    """
    corpus = CORPORA.get(name)
    title = corpus.title if corpus else name
    return title if not is_demo(name) or "demo" in title.lower() else f"{title} (demo)"


def is_listed(name: str) -> bool:
    """Return whether a corpus has a published list of all its files (:func:`manifest`).

    >>> is_listed("emodb"), is_listed("emodb2"), is_listed("folder:voices")
    (True, False, False)
    """
    corpus = CORPORA.get(name)
    if corpus is None or corpus.extends:
        return False
    return corpus.demo or all(_manifest_path(CORPORA[part]).is_file() for part in corpus.parts or (name,))


def _manifest_path(corpus: Corpus) -> Path:
    return MANIFESTS / f"{corpus.name}.csv.xz"


def is_demo(corpus: str) -> bool:
    """Return whether a corpus is embedded synthetic speech."""
    return corpus.startswith("demo")
