"""Table of the subset of every utterance in every fold of a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.protocols import balance, splits

if TYPE_CHECKING:
    import pandas as pd


def load_utterances(corpus: str) -> pd.DataFrame:
    """Load the utterance table of a corpus, from the published file list if it has one; that needs no recordings."""
    return corpora.manifest(corpus) if corpora.is_listed(corpus) else corpora.load(corpus)


def utterance_sides(corpus: str, protocol: str, test_corpus: str | None = None) -> pd.DataFrame:
    """Return the subset of every utterance in every fold.

    Parameters
    ----------
    corpus : str
        name of a corpus
    protocol : str
        one of :data:`ser_core.protocols.splits.PROTOCOLS` or its aliases
    test_corpus : str, optional
        corpus that ``cross`` tests on

    Returns
    -------
    DataFrame
        ``id``, ``corpus``, ``speaker``, ``text``, ``emotion`` and one column per fold ("train", "validation", "test" or
        "none"), sorted by id; one row per utterance, under ``leaky`` one per clip, under ``cross`` of both corpora,
        where ids that both have begin with the name of the first

    Raises
    ------
    SerError
        for an unknown corpus or protocol, or one that the corpus cannot fill

    Examples
    --------
    >>> utterance_sides("tess", "speaker")["0"].value_counts().sort_index().to_dict()
    {'test': 1400, 'train': 1162, 'validation': 238}
    """
    import pandas as pd

    protocol = splits.canonical_protocol(protocol)
    table = load_utterances(corpus)
    count = splits.fold_count(table, protocol)
    target, clips = None, table
    if protocol == "cross":
        if not test_corpus:
            raise SerError("protocol cross: needs a corpus to test on; name it with --test-corpus")
        labels = shared_labels(corpus, test_corpus)
        target = load_utterances(test_corpus)
        if set(table["id"]) & set(target["id"]):  # two folders with the same names of files
            table = table.assign(id=f"{corpus}: " + table["id"])
        table, target = (utterances[utterances["emotion"].isin(labels)] for utterances in (table, target))
        clips = pd.concat([table, target], ignore_index=True)
    elif protocol == "leaky":
        clips = splits.pool_copies(table)
    frame = clips[["id", "corpus", "speaker", "text", "emotion"]].sort_values("id", ignore_index=True)
    for fold in range(count):
        split = splits.split(table, protocol, fold, target=target)
        subset = {clip: name for name in splits.SIDES for clip in getattr(split, name)}
        frame[str(fold)] = [subset.get(clip, "none") for clip in frame["id"]]
    return frame


def describe_balance(frame: pd.DataFrame, corpus: str, test_corpus: str | None = None) -> list[str]:
    """Say which subsets have speakers of one sex, or lack an emotion.

    Parameters
    ----------
    frame : DataFrame
        that of :func:`utterance_sides`
    corpus : str
    test_corpus : str, optional

    Returns
    -------
    list of str
        sentences of :func:`ser_core.protocols.balance.sentences`
    """
    sexes: dict[str, str] = {}
    for name in (corpus, test_corpus):
        if name:
            table = load_utterances(name)
            sexes |= dict(zip(table["speaker"], table["sex"], strict=True))
    known = frame.assign(sex=[sexes.get(speaker, "unknown") for speaker in frame["speaker"]])
    folds = [
        {"fold": int(column), "one_sex": balance.one_sex(part), "lacking": balance.lacking_emotions(part)}
        for column in frame
        if column.isdigit()
        for part in [known.assign(side=frame[column])]
    ]
    return balance.sentences(folds)


def shared_labels(corpus: str, target: str) -> tuple[str, ...]:
    """Return the emotions that a corpus shares with the test corpus, in the order of the first.

    >>> shared_labels("ravdess", "tess")
    ('neutral', 'happy', 'sad', 'angry', 'fearful', 'disgust', 'surprised')
    """
    in_target = set(corpora.labels(target))
    return tuple(label for label in corpora.labels(corpus) if label in in_target)
