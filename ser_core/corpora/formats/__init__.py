"""Corpora in the formats of other tools: one module per format, each with a function ``read(name, path)``.

A corpus is named ``KIND:PATH``, with a key of :data:`FORMATS`. ``docs/formats.md`` says for each format what is mapped
to which column of the utterance table, and what is ignored.
"""

import hashlib
from collections.abc import Callable

from ser_core._utils.errors import SerError
from ser_core._utils.paths import expand
from ser_core.corpora import folder
from ser_core.corpora.formats import (
    audformat,
    audiofolder,
    emobox,
    esd,
    iemocap,
    kaldi,
    meld,
    msp_podcast,
    nemo,
    nkululeko,
)
from ser_core.corpora.table import COLUMNS, NUMBERS, Corpus, check_table

FORMATS: dict[str, Callable] = {
    "audformat": audformat.read,
    "emobox": emobox.read,
    "nkululeko": nkululeko.read,
    "kaldi": kaldi.read,
    "audiofolder": audiofolder.read,
    "iemocap": iemocap.read,
    "iemocap4": iemocap.read_four,
    "msp-podcast": msp_podcast.read,
    "meld": meld.read,
    "esd": esd.read,
    "nemo": nemo.read,
}
"""Kind of a corpus to the function that reads its utterance table."""

KINDS = ("folder", "csv", *FORMATS)
"""Kinds of a corpus that is named ``KIND:PATH``."""


def is_path(name: str) -> bool:
    """Return whether a corpus is named by kind and path.

    >>> is_path("kaldi:data/train"), is_path("ravdess"), is_path("C:/ravdess")
    (True, False, False)
    """
    return name.partition(":")[0] in KINDS and ":" in name


def load(name: str):
    """Load the utterance table of a corpus named ``KIND:PATH``.

    Raises
    ------
    SerError
        for a list or a folder that cannot be used
    """
    kind, path = name.split(":", 1)
    try:
        table = FORMATS[kind](name, expand(path.partition("#")[0])) if kind in FORMATS else folder.load(name)
    except OSError as error:  # a name that is too long, a folder that cannot be read
        raise SerError(f"{name[:300]}: cannot be read ({error.strerror or error})") from None
    return check_table(table, name)


def corpus(name: str) -> Corpus:
    """Return the :class:`Corpus` of ``KIND:PATH``: its labels are those of its utterances."""
    table = load(name)
    return folder.describe(name, folder.labels(table), table["speaker"].nunique(), table.attrs["expected"])


def describe(table) -> dict:
    """Describe what was read of a corpus.

    Parameters
    ----------
    table : DataFrame
        utterance table

    Returns
    -------
    dict
        ``hash`` (:func:`table_digest`), ``speakers`` (those that are named), ``emotions`` (each with its number of
        utterances), ``continuous`` (labels) and their ``scale``; numbers of ``utterances``, ``segments``, ``folds`` (of
        the protocol ``official``), and of what was left out: ``missing``, ``unlabelled``, ``extra``
    """
    counts = table["emotion"].value_counts()
    return {
        "hash": table_digest(table),
        "utterances": len(table),
        "speakers": len(set(table["speaker"]) - {"unknown"}),
        "emotions": {label: int(counts[label]) for label in folder.labels(table)},
        "segments": int(table["start"].notna().sum()) if "start" in table else 0,
        "folds": sum(name.isdigit() for name in table),
        "continuous": [name for name in NUMBERS if name in table and name not in ("start", "end")],
        "scale": table.attrs.get("scale", ""),
        **{key: len(table.attrs.get(key, ())) for key in ("missing", "unlabelled", "extra")},
    }


def table_digest(table) -> str:
    """Hash the utterances of a table, wherever their recordings are: 16 hexadecimal digits.

    Parameters
    ----------
    table : DataFrame
        utterance table; all columns count but ``path``, ``corpus`` and those of a published partition

    Returns
    -------
    str
        the same for the same utterances in whatever format they are listed
    """
    names = [name for name in (*COLUMNS, *NUMBERS) if name in table and name not in ("path", "corpus")]
    return hashlib.sha256(table[names].to_csv(index=False, lineterminator="\n").encode()).hexdigest()[:16]
