"""Protocols: who trains, who validates, who tests.

``speaker`` (the default everywhere): no speaker is both in test and elsewhere. ``random``: six folds stratified over
utterances, what most published figures use. The folds of the known corpora are frozen in ``ser_core/folds/*.csv``,
which anyone can read and compare: the columns that are not numbers are looked up in the utterance table, the numbered
ones say on which side such an utterance stands in that fold. A user's own corpus is dealt by the same rules.
"""

from dataclasses import dataclass
from importlib import resources

import numpy as np

from ser_core.errors import SerError

SIDES = ("train", "validation", "test")
PROTOCOLS: dict[str, str] = {
    "speaker": "no speaker both in test and elsewhere",
    "random": "six folds stratified over utterances; a speaker's voice is on every side",
}
RANDOM_FOLDS = 6
SEED = 2026
"""Of the dealt folds; frozen with them."""


@dataclass(frozen=True)
class Split:
    """The three sides of one fold, as tuples of utterance ids in the table's order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def deal_speakers(table, *, folds: int | None = None):
    """Folds by speaker: shuffled, women then men, they are dealt into ``folds`` groups; fold k tests group k and
    validates on group k + 1.

    Parameters
    ----------
    table : DataFrame with ``speaker`` and ``sex``
    folds : int, 3 or more; by default six, or the number of speakers if that is smaller

    Returns
    -------
    DataFrame: ``speaker`` and one column a fold
    """
    speakers = table[["speaker", "sex"]].drop_duplicates("speaker").sort_values(["sex", "speaker"])
    count = len(speakers)
    if "unknown" in set(speakers["speaker"]):
        raise SerError("protocol speaker: some utterances have no speaker; add the column or use --protocol random")
    folds = min(folds or RANDOM_FOLDS, count)
    if folds < 3:
        raise SerError(f"protocol speaker: {count} speaker(s) cannot fill three sides; use --protocol random")
    shuffled = speakers.sample(frac=1.0, random_state=SEED).sort_values("sex", kind="stable")
    group = {speaker: i % folds for i, speaker in enumerate(shuffled["speaker"])}
    return _numbered(speakers[["speaker"]].sort_values("speaker"), [group[s] for s in sorted(group)], folds)


def deal_random(table, *, folds: int = RANDOM_FOLDS):
    """Folds over utterances: within each emotion the shuffled ids are dealt in turn, going on where the last emotion
    ended, so that classes and sizes are even to one; fold k tests group k and validates on group k + 1.

    Returns
    -------
    DataFrame: ``id`` and one column a fold
    """
    random = np.random.default_rng(SEED)
    group: dict[str, int] = {}
    for _, ids in sorted(table.groupby("emotion")["id"]):
        for name in random.permutation(sorted(ids)):
            group[name] = len(group) % folds
    return _numbered(table[["id"]].sort_values("id"), [group[name] for name in sorted(group)], folds)


def _numbered(keys, groups: list[int], folds: int):
    frame = keys.reset_index(drop=True).copy()
    for fold in range(folds):
        sides = {fold: "test", (fold + 1) % folds: "validation"}
        frame[str(fold)] = [sides.get(group, "train") for group in groups]
    return frame


def frozen(corpus: str, protocol: str):
    """The frozen folds of one source corpus as a DataFrame of strings, or None where there are none.

    The demo corpora have the actors and words of the real ones and share their ``speaker`` folds.
    """
    import pandas as pd

    name = corpus.removeprefix("demo_") if protocol == "speaker" else corpus
    file = resources.files("ser_core.folds") / f"{name}-{protocol}.csv"
    if not file.is_file():
        return None
    with file.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, dtype=str, comment="#")


def _folds_of(table, protocol: str):
    """Frozen or dealt folds of a table that holds one source corpus."""
    if protocol not in PROTOCOLS:
        raise SerError(f"protocol {protocol!r}: not known; choose among {', '.join(PROTOCOLS)}")
    known = frozen(table["corpus"].iloc[0], protocol)
    if known is not None:
        return known
    return deal_speakers(table) if protocol == "speaker" else deal_random(table)


def _fold_columns(frame) -> list[str]:
    return [column for column in frame.columns if column.isdigit()]


def folds(table, protocol: str) -> int:
    """Number of folds of an utterance table under a protocol: the largest among its source corpora."""
    return max(len(_fold_columns(_folds_of(part, protocol))) for _, part in table.groupby("corpus"))


def split(table, protocol: str, fold: int) -> Split:
    """The three sides of one fold.

    A composed corpus (RavTess) takes fold k of each source, counted modulo that source's number of folds: the six
    RAVDESS folds, with the two TESS actresses in turn between training and test.

    Parameters
    ----------
    table : utterance table
    protocol : one of :data:`PROTOCOLS`
    fold : int, from 0

    Raises
    ------
    SerError
        for an unknown protocol, a fold that does not exist, or an utterance that no fold names
    """
    count = folds(table, protocol)
    if not 0 <= fold < count:
        raise SerError(f"fold {fold}: protocol {protocol} has folds 0 to {count - 1} on this corpus")
    side: dict[str, str] = {}
    for _, part in table.groupby("corpus"):
        known = _folds_of(part, protocol)
        columns = _fold_columns(known)
        keys = [column for column in known.columns if column not in columns]
        joined = part.merge(known[[*keys, columns[fold % len(columns)]]], on=keys, how="left")
        column = joined[columns[fold % len(columns)]]
        if column.isna().any():
            stranger = joined.loc[column.isna(), "id"].iloc[0]
            raise SerError(f"{stranger}: stands in no fold of protocol {protocol}; is it a file of this corpus?")
        side |= dict(zip(joined["id"], column))
    chosen = {name: tuple(i for i in table["id"] if side[i] == name) for name in SIDES}
    return Split(**chosen)
