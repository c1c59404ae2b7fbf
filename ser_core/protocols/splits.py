"""Protocols: who trains, who validates, who tests.

``speaker`` (the default everywhere): no speaker is both in test and elsewhere. ``speaker-text``: no speaker and no
sentence. ``random``: six folds stratified over utterances, what most published figures use. ``leaky``: the same over
the utterances and their augmented copies together, there to be shown up. ``cross``: another corpus is tested on.

The folds of the known corpora are frozen in ``ser_core/protocols/folds/*.csv``, which anyone can read and compare: the columns
that are not numbers are looked up in the utterance table, the numbered ones say on which side such an utterance stands
in that fold ("none": on no side). ``*-leaky.csv`` has a column a copy, with the number of the fold that tests it. A
user's own corpus is dealt by the same rules.

What two speakers allow (TESS): three sides without a common speaker cannot be filled. ``speaker`` tests one actress and
trains on the other, whose held-out words validate; so the validation side is of the training voice, and chooses the
epoch for that voice. ``speaker-text`` halves the words besides: four folds, each actress on each half, trained on the
other actress with the other half, of which some words validate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.audio.augmentation import TECHNIQUES

SIDES = ("train", "validation", "test")
PROTOCOLS: dict[str, str] = {
    "speaker": "no speaker both in test and elsewhere",
    "speaker-text": "no speaker and no sentence both in test and elsewhere",
    "random": "six folds stratified over utterances; a speaker's voice is on every side",
    "leaky": "augmented before splitting: copies of a test utterance are in training; present to be shown up",
    "cross": "trained on one corpus, tested on another, on the emotions that both have",
}
ALIASES = {"speaker-independent": "speaker", "cross-corpus": "cross"}
"""Names that are accepted for a protocol besides its own."""
RANDOM_FOLDS = 6
SEED = 2026
"""Of the dealt folds; frozen with them."""
ORIGINAL, COPY_MARK = "original", "::"


@dataclass(frozen=True)
class Split:
    """The three sides of one fold, as tuples of utterance ids in the table's order.

    Under ``leaky`` they are the ids of clips: an utterance's own, or ``<id>::<copy>`` for a copy of it (:func:`pool`).
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def canonical_protocol(name: str) -> str:
    """Return the name under which results of a protocol are kept.

    >>> canonical_protocol("speaker-independent")
    'speaker'
    """
    return ALIASES.get(name, name)


def copy_names(techniques: Sequence[str], copies: int = 1) -> tuple[str, ...]:
    """Names of augmented copies: the technique, from the second copy on with its number ("noise", "noise-2")."""
    return tuple(name if copy == 0 else f"{name}-{copy + 1}" for name in techniques for copy in range(copies))


def original_of(clip: str) -> str:
    """The utterance that a clip is a copy of: its id up to ``::<copy>``."""
    name, mark, copy = clip.rpartition(COPY_MARK)
    return name if mark and copy.split("-")[0] in TECHNIQUES else clip


def pool_copies(table, copies: Sequence[str] = tuple(TECHNIQUES)):
    """The utterances, and below them a copy of each for every name in ``copies``: what ``leaky`` splits.

    Returns
    -------
    DataFrame with two columns more than ``table``: ``copy`` ("" for an original) and ``utterance``, the id of what it
    is a copy of; ``id`` is the clip's own
    """
    import pandas as pd

    parts = [table.assign(copy="", utterance=table["id"])]
    for copy in copies:
        parts.append(table.assign(id=table["id"] + COPY_MARK + copy, copy=copy, utterance=table["id"]))
    return pd.concat(parts, ignore_index=True)


def _speaker_groups(table, folds: int | None, protocol: str, fewest: int = 3) -> tuple[dict[str, int], int]:
    """Speaker to number of group, women then men dealt in turn, and the number of groups."""
    speakers = table[["speaker", "sex"]].drop_duplicates("speaker").sort_values(["sex", "speaker"])
    count = len(speakers)
    if "unknown" in set(speakers["speaker"]):
        raise SerError(f"protocol {protocol}: some utterances have no speaker; add the column or use --protocol random")
    folds = min(folds or RANDOM_FOLDS, count)
    if folds < fewest:
        raise SerError(f"protocol {protocol}: {count} speaker(s) cannot fill its sides; use --protocol random")
    shuffled = speakers.sample(frac=1.0, random_state=SEED).sort_values("sex", kind="stable")
    return {speaker: i % folds for i, speaker in enumerate(shuffled["speaker"])}, folds


def deal_speakers(table, *, folds: int | None = None, protocol: str = "speaker"):
    """Folds by speaker: shuffled, women then men, they are dealt into ``folds`` groups; fold k tests group k and
    validates on group k + 1.

    Parameters
    ----------
    table : DataFrame with ``speaker`` and ``sex``
    folds : int, 3 or more (``cross``: 2); by default six, or the number of speakers if that is smaller
    protocol : what is said in an error

    Returns
    -------
    DataFrame: ``speaker`` and one column a fold
    """
    group, folds = _speaker_groups(table, folds, protocol, fewest=2 if protocol == "cross" else 3)
    speakers = table[["speaker"]].drop_duplicates("speaker").sort_values("speaker")
    return _numbered(speakers, [group[s] for s in sorted(group)], folds)


def split_texts(table) -> dict[str, int]:
    """Text to 0 or 1: among the texts spoken with the same emotions, shuffled, every other one."""
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
        raise SerError("protocol speaker-text: all say the same text, which cannot be held out; use --protocol speaker")
    return half


def deal_speaker_text(table, *, group: dict[str, int] | None = None, half: dict[str, int] | None = None):
    """Folds by speaker and text: two a group of speakers, one for each half of the texts.

    Fold 2k + h tests the speakers of group k with the texts of half h; the others train with the other half, and those
    of group k + 1 among them validate with it. The rest is on no side. Each utterance is tested once.

    Parameters
    ----------
    table : DataFrame with ``speaker``, ``sex``, ``text``, ``emotion``
    group : speaker to number of group; by default as :func:`deal_speakers` deals them
    half : text to 0 or 1; by default :func:`halves`

    Returns
    -------
    DataFrame: ``speaker``, ``text`` and one column a fold
    """
    import pandas as pd

    group = group or _speaker_groups(table, None, "speaker-text")[0]
    half = half or split_texts(table)
    count = max(group.values()) + 1

    def side(speaker: str, text: str, fold: int) -> str:
        tested, other = group[speaker] == fold // 2, half[text] != fold % 2
        if tested == other:
            return "none"
        return "test" if tested else ("validation" if group[speaker] == (fold // 2 + 1) % count else "train")

    rows = [
        {"speaker": speaker, "text": text} | {str(fold): side(speaker, text, fold) for fold in range(2 * count)}
        for speaker in sorted(group)
        for text in sorted(half)
    ]
    return pd.DataFrame(rows)


def _groups(table, folds: int) -> dict[str, int]:
    """Id to number of group: within each emotion shuffled and dealt in turn, going on where the last one ended."""
    random = np.random.default_rng(SEED)
    group: dict[str, int] = {}
    for _, ids in sorted(table.groupby("emotion")["id"]):
        for name in random.permutation(sorted(ids)):
            group[name] = len(group) % folds
    return group


def deal_random(table, *, folds: int = RANDOM_FOLDS):
    """Folds over utterances: within each emotion the shuffled ids are dealt in turn, going on where the last emotion
    ended, so that classes and sizes are even to one; fold k tests group k and validates on group k + 1.

    Returns
    -------
    DataFrame: ``id`` and one column a fold
    """
    group = _groups(table, folds)
    return _numbered(table[["id"]].sort_values("id"), [group[name] for name in sorted(group)], folds)


def deal_leaky(table, copies: Sequence[str] = tuple(TECHNIQUES), *, folds: int = RANDOM_FOLDS):
    """The pool of utterances and copies, dealt as :func:`deal_random` deals utterances.

    Returns
    -------
    DataFrame: ``id``, and ``original`` and one column a copy with the number of the fold that tests it
    """
    import pandas as pd

    group = _groups(pool_copies(table, copies), folds)
    ids = sorted(table["id"])
    columns = {ORIGINAL: [group[i] for i in ids]}
    columns |= {copy: [group[f"{i}{COPY_MARK}{copy}"] for i in ids] for copy in copies}
    return pd.DataFrame({"id": ids} | columns).astype(str)


def _side(group: int, fold: int, folds: int) -> str:
    return {fold: "test", (fold + 1) % folds: "validation"}.get(group, "train")


def _numbered(keys, groups: list[int], folds: int):
    frame = keys.reset_index(drop=True).copy()
    for fold in range(folds):
        frame[str(fold)] = [_side(group, fold, folds) for group in groups]
    return frame


def frozen_folds(corpus: str, protocol: str):
    """The frozen folds of one source corpus as a DataFrame of strings, or None where there are none.

    The demo corpora have the actors and words of the real ones and share their folds by speaker and text.
    """
    import pandas as pd

    name = corpus if protocol in ("random", "leaky") else corpus.removeprefix("demo_")
    file = resources.files("ser_core.protocols.folds") / f"{name}-{protocol}.csv"
    if not file.is_file():
        return None
    with file.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, dtype=str, comment="#")


def _folds_of(table, protocol: str):
    """Frozen or dealt folds of a table that holds one source corpus; of any protocol but ``leaky``."""
    if protocol not in PROTOCOLS:
        raise SerError(f"protocol {protocol!r}: not known; choose among {', '.join(PROTOCOLS)}")
    corpus = table["corpus"].iloc[0]
    known = frozen_folds(corpus, protocol)
    if known is not None:
        return known
    if protocol == "cross":  # the other corpus is tested on: what would be tested here trains
        known = frozen_folds(corpus, "speaker")
        return (deal_speakers(table, protocol="cross") if known is None else known).replace("test", "train")
    deal = {"speaker": deal_speakers, "speaker-text": deal_speaker_text, "random": deal_random}
    return deal[protocol](table)


def _fold_columns(frame) -> list[str]:
    return [column for column in frame.columns if column.isdigit()]


def fold_count(table, protocol: str) -> int:
    """Number of folds of an utterance table under a protocol: the largest among its source corpora."""
    protocol = canonical_protocol(protocol)
    if protocol == "leaky":
        return RANDOM_FOLDS
    return max(len(_fold_columns(_folds_of(part, protocol))) for _, part in table.groupby("corpus"))


def split(table, protocol: str, fold: int, *, copies: Sequence[str] = tuple(TECHNIQUES), target=None) -> Split:
    """The three sides of one fold.

    A composed corpus (RavTess) takes fold k of each source, counted modulo that source's number of folds: the six
    RAVDESS folds, with the two TESS actresses in turn between training and test.

    Parameters
    ----------
    table : utterance table
    protocol : one of :data:`PROTOCOLS`
    fold : int, from 0
    copies : the augmented copies that ``leaky`` pools with the utterances (:func:`copy_names`)
    target : utterance table of the corpus that ``cross`` tests on, all of it

    Raises
    ------
    SerError
        for an unknown protocol, a fold that does not exist, or an utterance that no fold names
    """
    protocol = canonical_protocol(protocol)
    count = fold_count(table, protocol)
    if not 0 <= fold < count:
        raise SerError(f"fold {fold}: protocol {protocol} has folds 0 to {count - 1} on this corpus")
    if protocol == "cross" and target is None:
        raise SerError("protocol cross: needs a corpus to test on; name it with --test-corpus")
    side: dict[str, str] = {}
    for _, part in table.groupby("corpus"):
        side |= _leaky_sides(part, fold, copies) if protocol == "leaky" else _sides(part, protocol, fold)
    ids = pool_copies(table, copies)["id"] if protocol == "leaky" else table["id"]
    chosen = {name: tuple(i for i in ids if side[i] == name) for name in SIDES}
    if protocol == "cross":
        chosen["test"] = tuple(target["id"])
    return Split(**chosen)


def _sides(part, protocol: str, fold: int) -> dict[str, str]:
    """Id to side, of one source corpus."""
    known = _folds_of(part, protocol)
    columns = _fold_columns(known)
    keys = [column for column in known.columns if column not in columns]
    number = columns[fold % len(columns)]
    joined = part[["id", *(key for key in keys if key != "id")]].merge(known[[*keys, number]], on=keys, how="left")
    _known(joined, number, protocol)
    return dict(zip(joined["id"], joined[number]))


def _leaky_sides(part, fold: int, copies: Sequence[str]) -> dict[str, str]:
    """Id of clip to side, of one source corpus."""
    known = frozen_folds(part["corpus"].iloc[0], "leaky")
    if known is None or not set(copies) <= set(known.columns):
        known = deal_leaky(part, copies)
    joined = part[["id"]].merge(known, on="id", how="left")
    _known(joined, ORIGINAL, "leaky")
    side = {}
    for copy in ("", *copies):
        names = joined["id"] + (COPY_MARK + copy if copy else "")
        side |= {name: _side(int(g), fold, RANDOM_FOLDS) for name, g in zip(names, joined[copy or ORIGINAL])}
    return side


def _known(joined, column: str, protocol: str) -> None:
    if joined[column].isna().any():
        stranger = joined.loc[joined[column].isna(), "id"].iloc[0]
        raise SerError(f"{stranger}: stands in no fold of protocol {protocol}; is it a file of this corpus?")
