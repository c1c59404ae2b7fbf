"""Split an utterance table into training, validation and test.

``speaker`` is the default everywhere: no speaker is both in test and elsewhere. ``speaker-text`` also keeps sentences
apart. ``random`` stratifies over utterances, as most published figures do. ``leaky`` does the same over utterances and
augmented copies together, to show the effect of such a leak. ``official`` takes the folds that a corpus comes with.
``cross`` tests on another corpus. ``reslstm-5`` is ``speaker`` with the actors of one published system.

The folds of the known corpora are frozen in ``ser_core/protocols/folds/*.csv``, which anyone can read and compare.
Columns whose name is not a number are matched with the utterance table. Each numbered column gives the subset of an
utterance in that fold, or "none". ``*-leaky.csv`` has one column per copy, with the number of the fold that tests it.
A user's own corpus is split by the same rules.

TESS has two speakers, who cannot fill three subsets. ``speaker`` tests one actress and trains on the other, whose
held-out words are the validation set. The best epoch is thus chosen on the voice of the training actress.
``speaker-text`` also halves the words, which gives four folds: each actress with each half of the words. The other
actress trains with the other half, less her validation words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from ser_core._utils.errors import SerError
from ser_core._utils.words import near
from ser_core.audio.augmentation import TECHNIQUES
from ser_core.protocols import fold_rules
from ser_core.protocols.speakers import check_speakers

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("train", "validation", "test")
"""Names of the subsets, as in result files and fold files."""
PROTOCOLS: dict[str, str] = {
    "speaker": "no speaker both in test and elsewhere",
    "speaker-text": "no speaker and no sentence both in test and elsewhere",
    "reslstm-5": "no speaker both in test and elsewhere; the five RAVDESS folds of ResLSTM-SA",
    "random": "six folds stratified over utterances; every speaker is in training, validation and test",
    "leaky": "augmented before splitting: copies of test utterances are in training; included to show the leak",
    "official": "the folds that the corpus comes with, such as a published partition",
    "cross": "trained on one corpus, tested on another, on the emotions that both have",
}
"""Name of a protocol to what it guarantees."""
RULES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "speaker": fold_rules.assign_speakers,
    "speaker-text": fold_rules.assign_speakers_and_texts,
    "reslstm-5": fold_rules.refuse_other_speakers,
    "random": fold_rules.assign_utterances,
}
"""Protocol to the function that computes its folds where none are frozen."""
NEEDED = dict.fromkeys(("speaker-text", "cross"), ("speaker", "emotion", "text")) | {"official": ()}
"""Protocol to the columns that it needs besides id and corpus, where they are not speaker and emotion."""
ALIASES = {"speaker-independent": "speaker", "cross-corpus": "cross"}
"""Other accepted names of protocols."""
COPY_MARK = "::"
"""Separates the id of an utterance from the name of a copy."""


@dataclass(frozen=True)
class Split:
    """Hold the utterance ids of one fold: training, validation and test, in the order of the table.

    Under ``leaky`` they are ids of clips: that of an utterance, or ``<id>::<copy>`` for an augmented copy of it
    (:func:`pool_copies`).
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Split(train: {len(self.train)}, validation: {len(self.validation)}, test: {len(self.test)} ids)"


def canonical_protocol(name: str) -> str:
    """Return the name of a protocol as results store it.

    >>> canonical_protocol("speaker-independent")
    'speaker'
    """
    return ALIASES.get(name, name)


def copy_names(techniques: Sequence[str], copies: int = 1) -> tuple[str, ...]:
    """Return the names of augmented copies: the technique, and a number from the second copy on.

    >>> copy_names(("noise", "pitch"), copies=2)
    ('noise', 'noise-2', 'pitch', 'pitch-2')
    """
    return tuple(name if copy == 0 else f"{name}-{copy + 1}" for name in techniques for copy in range(copies))


def original_of(clip: str) -> str:
    """Return the id of the utterance that a clip is a copy of, or the id of the clip itself.

    >>> original_of("03-01-01-01-01-01-01::noise-2")
    '03-01-01-01-01-01-01'
    """
    name, mark, copy = clip.rpartition(COPY_MARK)
    return name if mark and copy.split("-")[0] in TECHNIQUES else clip


def pool_copies(table: pd.DataFrame, copies: Sequence[str] = tuple(TECHNIQUES)) -> pd.DataFrame:
    """Append augmented copies to an utterance table: the pool that ``leaky`` splits.

    Parameters
    ----------
    table : DataFrame
        utterance table
    copies : sequence of str
        names of the copies (:func:`copy_names`); by default one per technique

    Returns
    -------
    DataFrame
        one row per clip with two more columns: ``copy`` ("" for an original) and ``utterance``, the id of the
        original; ``id`` is that of the clip
    """
    import pandas as pd

    parts = [table.assign(copy="", utterance=table["id"])]
    for copy in copies:
        parts.append(table.assign(id=table["id"] + COPY_MARK + copy, copy=copy, utterance=table["id"]))
    return pd.concat(parts, ignore_index=True)


def frozen_folds(corpus: str, protocol: str) -> pd.DataFrame | None:
    """Read the frozen folds of one source corpus.

    The demo corpora have the actors and words of the real ones, and share their folds by speaker and text.

    Parameters
    ----------
    corpus, protocol : str
        name of a source corpus, and one of :data:`PROTOCOLS`

    Returns
    -------
    DataFrame or None
        all columns as strings; None if the corpus has no frozen folds under this protocol

    Examples
    --------
    >>> frozen_folds("ravdess", "speaker").shape
    (24, 7)
    """
    import pandas as pd

    name = corpus if protocol in ("random", "leaky") else corpus.removeprefix("demo_")
    file = resources.files("ser_core.protocols.folds") / f"{name}-{protocol}.csv"
    if not file.is_file():
        return None
    with file.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, dtype=str, comment="#")


def can_split(corpus: str, protocol: str) -> bool:
    """Return whether a protocol may have folds on a corpus: ``reslstm-5`` names the actors of RAVDESS.

    >>> can_split("ravdess", "reslstm-5"), can_split("tess", "reslstm-5"), can_split("tess", "speaker")
    (True, False, True)
    """
    return RULES.get(protocol) is not fold_rules.refuse_other_speakers or frozen_folds(corpus, protocol) is not None


def _folds_of(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Return frozen or computed folds of a table with one source corpus, under any protocol but ``leaky``."""
    if protocol not in PROTOCOLS:
        raise SerError(
            f"protocol {protocol!r}: not known{near(protocol, PROTOCOLS)}; choose among {', '.join(PROTOCOLS)}"
        )
    if protocol == "official":
        return _official_folds(table)
    corpus = table["corpus"].iloc[0]
    frozen = frozen_folds(corpus, protocol)
    if frozen is not None:
        return frozen
    if protocol in ("speaker", "speaker-text", "cross"):
        check_speakers(table, protocol)
    if protocol == "cross":  # the test set is the other corpus: the test group of this one trains
        frozen = frozen_folds(corpus, "speaker")
        folds = fold_rules.assign_speakers(table, protocol="cross") if frozen is None else frozen
        return folds.replace("test", "train")
    if protocol not in RULES:
        raise SerError(f"protocol {protocol}: has no function that assigns its folds; add it to splits.RULES")
    return RULES[protocol](table)


def _official_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the folds that a corpus comes with: the numbered columns of its utterance table."""
    columns = _fold_columns(table)
    if not columns:
        corpus = table["corpus"].iloc[0]
        raise SerError(f"protocol official: {corpus} comes with no folds of its own; use --protocol speaker")
    return table[["id", *columns]]


def folds_digest(table: pd.DataFrame) -> str:
    """Compute the hash of the folds that a corpus comes with (protocol ``official``): 16 hexadecimal digits."""
    folds = _official_folds(table).sort_values("id")
    return hashlib.sha256(folds.to_csv(index=False, lineterminator="\n").encode()).hexdigest()[:16]


def _fold_columns(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if column.isdigit()]


def fold_count(table: pd.DataFrame, protocol: str) -> int:
    """Return the number of folds of an utterance table under a protocol.

    Parameters
    ----------
    table : DataFrame
        utterance table
    protocol : str
        one of :data:`PROTOCOLS` or :data:`ALIASES`

    Returns
    -------
    int
        the largest number among the source corpora

    Raises
    ------
    SerError
        for an unknown protocol, one that the corpus cannot fill, or a missing column
    """
    protocol = canonical_protocol(protocol)
    _check_columns(table, protocol)
    if protocol == "leaky":
        return fold_rules.RANDOM_FOLDS
    return max(len(_fold_columns(_folds_of(part, protocol))) for _, part in table.groupby("corpus"))


def check_fold(fold: int, count: int, protocol: str) -> None:
    """Raise an error where a protocol with a number of folds does not have this one."""
    if not 0 <= fold < count:
        raise SerError(f"fold {fold}: protocol {protocol} has folds 0 to {count - 1} on this corpus")


def _check_columns(table: pd.DataFrame, protocol: str) -> None:
    """Raise an error where a table lacks a column that a protocol needs."""
    needed = ("id", "corpus", *NEEDED.get(protocol, ("speaker", "emotion")))
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise SerError(
            f"protocol {protocol}: the table lacks the column {lacking[0]}; it needs {', '.join(needed)}, and "
            "load_corpus gives them"
        )


def split(
    table: pd.DataFrame,
    protocol: str,
    fold: int,
    *,
    copies: Sequence[str] = tuple(TECHNIQUES),
    target: pd.DataFrame | None = None,
) -> Split:
    """Split an utterance table into training, validation and test for one fold.

    A composed corpus (RavTess) takes fold k of each source, modulo the number of folds of that source. RavTess thus has
    the six RAVDESS folds, with the two TESS actresses alternating between training and test.

    Parameters
    ----------
    table : DataFrame
        utterance table
    protocol : str
        one of :data:`PROTOCOLS` or :data:`ALIASES`
    fold : int
        number of the fold, from 0
    copies : sequence of str
        names of the augmented copies that ``leaky`` pools with the utterances (:func:`copy_names`)
    target : DataFrame, optional
        utterance table of the corpus that ``cross`` tests on; all of it is the test set

    Returns
    -------
    Split
        ids of the three subsets

    Raises
    ------
    SerError
        for an unknown protocol, a fold that does not exist, or an utterance that is in no fold
    """
    protocol = canonical_protocol(protocol)
    count = fold_count(table, protocol)
    check_fold(fold, count, protocol)
    if protocol == "cross" and target is None:
        raise SerError("protocol cross: needs a corpus to test on; name it with --test-corpus")
    subset: dict[str, str] = {}
    for _, part in table.groupby("corpus"):
        subset |= _leaky_subsets(part, fold, copies) if protocol == "leaky" else _subsets(part, protocol, fold)
    ids = pool_copies(table, copies)["id"] if protocol == "leaky" else table["id"]
    members = {name: tuple(i for i in ids if subset[i] == name) for name in SIDES}
    if target is not None and protocol == "cross":
        members["test"] = tuple(target["id"])
    return Split(**members)


def _subsets(part: pd.DataFrame, protocol: str, fold: int) -> dict[str, str]:
    """Map the utterance ids of one source corpus to subsets."""
    folds = _folds_of(part, protocol)
    columns = _fold_columns(folds)
    keys = [column for column in folds.columns if column not in columns]
    number = columns[fold % len(columns)]
    joined = part[["id", *(key for key in keys if key != "id")]].merge(folds[[*keys, number]], on=keys, how="left")
    _check_all_in_fold(joined, number, protocol)
    return dict(zip(joined["id"], joined[number]))


def _leaky_subsets(part: pd.DataFrame, fold: int, copies: Sequence[str]) -> dict[str, str]:
    """Map the clip ids of one source corpus to subsets."""
    folds = frozen_folds(part["corpus"].iloc[0], "leaky")
    if folds is None or not set(copies) <= set(folds.columns):
        folds = fold_rules.assign_clips(pool_copies(part, copies))
    joined = part[["id"]].merge(folds, on="id", how="left")
    _check_all_in_fold(joined, fold_rules.ORIGINAL, "leaky")
    subset: dict[str, str] = {}
    for copy in ("", *copies):
        clips = joined["id"] + (COPY_MARK + copy if copy else "")
        groups = joined[copy or fold_rules.ORIGINAL]
        for clip, group in zip(clips, groups):
            subset[clip] = fold_rules.subset_of_group(int(group), fold, fold_rules.RANDOM_FOLDS)
    return subset


def _check_all_in_fold(joined: pd.DataFrame, column: str, protocol: str) -> None:
    if joined[column].isna().any():
        unmatched = joined.loc[joined[column].isna(), "id"].iloc[0]
        raise SerError(f"{unmatched}: is in no fold of protocol {protocol}; is it a file of this corpus?")
