"""Corpora of emotional speech: one module each, one utterance table for all.

    >>> from ser_core import corpora
    >>> table = corpora.load("ravdess")  # doctest: +SKIP
    >>> corpora.labels("tess")
    ('neutral', 'happy', 'sad', 'angry', 'fearful', 'disgust', 'surprised')

``load`` takes the name of a corpus in :data:`CORPORA`, or ``folder:PATH`` or ``csv:PATH`` for recordings of your own
(``folder.py``). No audio is opened; pandas is imported when the first table is made.
"""

import os

from ser_core._utils.errors import SerError
from ser_core.corpora import cremad, demo, emodb, folder, ravdess, ravtess, savee, table, tess
from ser_core.corpora.table import Corpus, manifest

__all__ = ["CORPORA", "Corpus", "canonical", "labels", "load", "lookup", "manifest"]

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
