"""Assign speakers, texts and utterances to folds.

The frozen folds come from these rules (:mod:`ser_core.protocols.folds.make`), and so do those of a user's own corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted

if TYPE_CHECKING:
    import pandas as pd

RANDOM_FOLDS = 6
"""Number of folds over utterances, and the largest number over speakers unless one is given."""
SEED = 2026
"""Random seed of the folds; frozen with them."""
ORIGINAL = "original"
"""Column of a leaky fold file that holds the originals."""


def _speaker_groups(
    table: pd.DataFrame, folds: int | None, protocol: str, fewest: int = 3
) -> tuple[dict[str, int], int]:
    """Assign every speaker to a group, women then men in turn; return speaker to group and the number of groups."""
    speakers = table[["speaker", "sex"]].drop_duplicates("speaker").sort_values(["sex", "speaker"])
    count = len(speakers)
    if "unknown" in set(speakers["speaker"]):
        raise SerError(f"protocol {protocol}: some utterances have no speaker; add the column or use --protocol random")
    folds = min(folds or RANDOM_FOLDS, count)
    if folds < fewest:
        raise SerError(
            f"protocol {protocol}: {counted(count, 'speaker')} cannot fill its subsets; use --protocol random"
        )
    shuffled = speakers.sample(frac=1.0, random_state=SEED).sort_values("sex", kind="stable")
    return {speaker: i % folds for i, speaker in enumerate(shuffled["speaker"])}, folds


def assign_speakers(table: pd.DataFrame, *, folds: int | None = None, protocol: str = "speaker") -> pd.DataFrame:
    """Assign speakers to folds: fold k tests group k and validates on group k + 1.

    Speakers are shuffled and assigned to the groups in turn, women then men.

    Parameters
    ----------
    table : DataFrame
        utterance table; ``speaker`` and ``sex`` are used
    folds : int, optional
        3 or more (``cross``: 2); by default six, or the number of speakers if that is smaller
    protocol : str
        name that an error message gives

    Returns
    -------
    DataFrame
        ``speaker`` and one column per fold

    Raises
    ------
    SerError
        if an utterance has no speaker, or there are too few speakers
    """
    groups, folds = _speaker_groups(table, folds, protocol, fewest=2 if protocol == "cross" else 3)
    speakers = table[["speaker"]].drop_duplicates("speaker").sort_values("speaker")
    return folds_of_groups(speakers, [groups[speaker] for speaker in sorted(groups)], folds)


def refuse_other_speakers(table: pd.DataFrame) -> pd.DataFrame:
    """Refuse a corpus whose speakers a protocol does not name.

    Raises
    ------
    SerError
        always: the corpora that it names have frozen folds
    """
    raise SerError(
        f"protocol reslstm-5: names the actors of RAVDESS, {table['corpus'].iloc[0]} has others; use --protocol speaker"
    )


def split_texts(table: pd.DataFrame) -> dict[str, int]:
    """Split the texts of a corpus into two halves.

    The texts spoken with the same emotions are shuffled and assigned to the halves in turn.

    Parameters
    ----------
    table : DataFrame
        utterance table; ``text`` and ``emotion`` are used

    Returns
    -------
    dict
        text to 0 or 1

    Raises
    ------
    SerError
        if an utterance has no text, or all have the same
    """
    if "unknown" in set(table["text"]):
        raise SerError("protocol speaker-text: some utterances have no text; add the column or use --protocol speaker")
    kinds: dict[tuple[str, ...], list[str]] = {}
    for text, emotions in sorted(table.groupby("text")["emotion"]):
        kinds.setdefault(tuple(sorted(set(emotions))), []).append(text)
    random = np.random.default_rng(SEED)
    half: dict[str, int] = {}
    for _, texts in sorted(kinds.items()):
        for text in random.permutation(texts):
            half[str(text)] = len(half) % 2
    if len(half) < 2:
        raise SerError(
            "protocol speaker-text: all utterances have the same text, which cannot be held out; use --protocol speaker"
        )
    return half


def assign_speakers_and_texts(
    table: pd.DataFrame | None, *, group: dict[str, int] | None = None, half: dict[str, int] | None = None
) -> pd.DataFrame:
    """Assign speakers and texts to folds: two folds per group of speakers, one for each half of the texts.

    Fold 2k + h tests the speakers of group k with the texts of half h. The other speakers have the texts of the other
    half: those of group k + 1 validate, the rest train. All other utterances are in no subset. Each utterance is
    tested once.

    Parameters
    ----------
    table : DataFrame
        utterance table; ``speaker``, ``sex``, ``text`` and ``emotion`` are used. None if group and half are given
    group : dict, optional
        speaker to number of group; by default that of :func:`assign_speakers`
    half : dict, optional
        text to 0 or 1; by default :func:`split_texts`

    Returns
    -------
    DataFrame
        ``speaker``, ``text`` and one column per fold

    Raises
    ------
    SerError
        if an utterance has no speaker or no text, or there are too few of either
    """
    import pandas as pd

    speaker_group: dict[str, int] = group or _speaker_groups(table, None, "speaker-text")[0]
    text_half: dict[str, int] = half or split_texts(table)
    count = max(speaker_group.values()) + 1

    def subset(speaker: str, text: str, fold: int) -> str:
        test_speaker = speaker_group[speaker] == fold // 2
        other_text = text_half[text] != fold % 2
        if test_speaker == other_text:
            return "none"
        if test_speaker:
            return "test"
        return "validation" if speaker_group[speaker] == (fold // 2 + 1) % count else "train"

    rows = [
        {"speaker": speaker, "text": text} | {str(fold): subset(speaker, text, fold) for fold in range(2 * count)}
        for speaker in sorted(speaker_group)
        for text in sorted(text_half)
    ]
    return pd.DataFrame(rows)


def _utterance_groups(table: pd.DataFrame, folds: int) -> dict[str, int]:
    """Assign every id to a group: shuffled within each emotion, in turn, continuing from one emotion to the next."""
    random = np.random.default_rng(SEED)
    group: dict[str, int] = {}
    for _, ids in sorted(table.groupby("emotion")["id"]):
        for name in random.permutation(sorted(ids)):
            group[name] = len(group) % folds
    return group


def assign_utterances(table: pd.DataFrame, *, folds: int = RANDOM_FOLDS) -> pd.DataFrame:
    """Assign utterances to folds, stratified by emotion: fold k tests group k and validates on group k + 1.

    Within each emotion the ids are shuffled and assigned to the groups in turn, continuing from one emotion to the
    next. Classes and group sizes therefore differ by one at most.

    Parameters
    ----------
    table : DataFrame
        utterance table; ``id`` and ``emotion`` are used
    folds : int
        number of folds

    Returns
    -------
    DataFrame
        ``id`` and one column per fold
    """
    group = _utterance_groups(table, folds)
    return folds_of_groups(table[["id"]].sort_values("id"), [group[name] for name in sorted(group)], folds)


def assign_clips(pool: pd.DataFrame, *, folds: int = RANDOM_FOLDS) -> pd.DataFrame:
    """Assign the pool of utterances and copies to folds, as :func:`assign_utterances` assigns utterances.

    Parameters
    ----------
    pool : DataFrame
        one row per clip (:func:`ser_core.protocols.splits.pool_copies`); ``id``, ``emotion``, ``copy`` and
        ``utterance`` are used
    folds : int
        number of folds

    Returns
    -------
    DataFrame
        ``id`` of the utterance, ``original`` and one column per copy, with the number of the fold that tests it
    """
    import pandas as pd

    group = _utterance_groups(pool, folds)
    columns: dict[str, list] = {"id": sorted(set(pool["utterance"]))}
    for copy, clips in pool.groupby("copy", sort=False):
        columns[str(copy) or ORIGINAL] = [group[clip] for clip in clips.sort_values("utterance")["id"]]
    return pd.DataFrame(columns).astype(str)


def subset_of_group(group: int, fold: int, folds: int) -> str:
    """Return the subset of a group in a fold.

    >>> [subset_of_group(group, fold=2, folds=3) for group in range(3)]
    ['validation', 'train', 'test']
    """
    return {fold: "test", (fold + 1) % folds: "validation"}.get(group, "train")


def folds_of_groups(keys: pd.DataFrame, groups: Sequence[int], folds: int) -> pd.DataFrame:
    """Return the folds of grouped rows: fold k tests group k, validates on group k + 1 and trains on the others.

    Parameters
    ----------
    keys : DataFrame
        one row per speaker or utterance
    groups : sequence of int [rows]
        number of the group of each row, from 0
    folds : int
        number of groups, and of folds

    Returns
    -------
    DataFrame
        the keys and one column per fold
    """
    frame = keys.reset_index(drop=True).copy()
    for fold in range(folds):
        frame[str(fold)] = [subset_of_group(group, fold, folds) for group in groups]
    return frame
