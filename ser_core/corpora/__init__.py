"""Corpora of emotional speech: one module each, one utterance table for all.

    >>> from ser_core import corpora
    >>> table = corpora.load("ravdess")  # doctest: +SKIP
    >>> corpora.labels("tess")
    ('neutral', 'happy', 'sad', 'angry', 'fearful', 'disgust', 'surprised')

``load`` takes the name of a corpus in :data:`CORPORA`, or ``folder:PATH`` or ``csv:PATH`` for recordings of your own
(``folder.py``). No audio is opened; pandas is imported when the first table is made.
"""

import os
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora import cremad, demo, emodb, folder, ravdess, ravtess, savee, table, tess
from ser_core.corpora.table import Corpus

__all__ = ["CORPORA", "Corpus", "canonical_name", "corpus_title", "get_corpus", "is_demo", "labels", "load", "manifest"]

CORPORA: dict[str, Corpus] = {
    "ravdess": ravdess.CORPUS,
    "tess": tess.CORPUS,
    "ravtess": ravtess.CORPUS,
    "ravtess_calm_merged": ravtess.CALM_MERGED,
    "emodb": emodb.CORPUS,
    "savee": savee.CORPUS,
    "cremad": cremad.CORPUS,
    "demo": demo.DEMO_RAVDESS,
    "demo_ravdess": demo.DEMO_RAVDESS,
    "demo_tess": demo.DEMO_TESS,
    "demo_ravtess": demo.DEMO_RAVTESS,
    "demo_ravtess_calm_merged": demo.DEMO_CALM_MERGED,
}


def get_corpus(name: str) -> Corpus:
    """The corpus of this name (a folder or CSV of the user's is read for its labels).

    Raises:
        SerError: there is none.
    """
    if name.lower() in CORPORA:
        return CORPORA[name.lower()]
    if name.startswith(folder.PREFIXES):
        return folder.corpus(name)
    raise SerError(f"no corpus named {name!r}: choose one of {', '.join(CORPORA)}, folder:PATH or csv:PATH")


def canonical_name(name: str) -> str:
    """The name under which results of a corpus are kept: ``demo`` is ``demo_ravdess``; SerError for an unknown one."""
    return name if name.startswith(folder.PREFIXES) else get_corpus(name).name


def load(name: str, root: str | os.PathLike | None = None):
    """The utterance table of a corpus.

    Args:
        name: a key of :data:`CORPORA`, ``folder:PATH`` or ``csv:PATH``.
        root: folder of the corpus, or one that holds it. Default: ``SER_DATA``, and the cache for the demo corpus.

    Returns:
        DataFrame, one row an utterance, sorted by id, with the columns ``table.COLUMNS`` and, in ``attrs``, what the
        complete corpus has and what is missing here (``ser_core.corpora.table``).

    Raises:
        SerError: unknown name, or no recording of this corpus there.
    """
    if name.startswith(folder.PREFIXES):
        return folder.load(name)
    corpus = get_corpus(name)
    if corpus.parts:
        return ravtess.compose(corpus, [load(part, root) for part in corpus.parts])
    embedded = corpus.demo and root is None
    place = demo.unpack() / corpus.folder if embedded else table.locate(corpus, root)
    return table.build(corpus, place, [*manifest(corpus.name)["id"], *corpus.unlisted])


def labels(name: str) -> tuple[str, ...]:
    """The emotions of a corpus in their fixed order: that of every confusion matrix and probability column."""
    return get_corpus(name).labels


def manifest(name: str):
    """The canonical file list of a corpus, without any of its audio.

    Returns:
        DataFrame with the published ``file`` (relative path), ``sha256`` and ``bytes``, for RAVDESS and TESS also
        ``sample_rate`` (Hz), ``channels``, ``frames`` and ``seconds`` (NaN where not known), and the utterance columns
        without ``path``, sorted by ``id``.

    Raises:
        SerError: there is no list for this corpus (a folder or a table of the user's).
    """
    import pandas as pd

    corpus = get_corpus(name)
    if corpus.parts:
        tables = [manifest(part) for part in corpus.parts]
        return ravtess.compose(corpus, tables)
    if corpus.demo:
        listing = demo.listing(corpus)
    else:
        source = Path(__file__).parent / "manifests" / f"{corpus.name}.csv.xz"
        if not source.is_file():
            raise SerError(f"there is no published file list of {name}: only the corpora that come with one have it")
        listing = pd.read_csv(source, dtype={"file": "str", "sha256": "str"})
    if {"frames", "sample_rate"} <= set(listing.columns):
        listing["seconds"] = listing["frames"] / listing["sample_rate"]
    parsed = pd.DataFrame([corpus.parse(file) for file in listing["file"]], dtype="str")
    parsed["corpus"] = corpus.name
    columns = [column for column in table.COLUMNS if column != "path"]
    return pd.concat([parsed[columns], listing], axis=1).sort_values("id", ignore_index=True)


def corpus_title(name: str) -> str:
    """Title of a corpus for people; demo corpora carry the word "demo"."""
    corpus = CORPORA.get(name)
    title = corpus.title if corpus else name
    return title if not is_demo(name) or "demo" in title.lower() else f"{title} (demo)"


def is_demo(corpus: str) -> bool:
    """Whether the corpus is embedded synthetic speech."""
    return corpus.startswith("demo")
