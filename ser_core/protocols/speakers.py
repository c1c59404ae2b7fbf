"""Whether the speakers of an utterance table are speakers: those that coincide with emotions, those written two ways.

The speaker of a user's own recording is taken from its name or its list. ``angry/angry_01.wav`` fits the grammar
``<emotion>/<speaker>_...`` by accident: each emotion is then a "speaker", and a split by speaker tests emotions that it
never trained.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from ser_core._utils.errors import SerError

if TYPE_CHECKING:
    import pandas as pd


def coincidence(table: pd.DataFrame) -> str:
    """Say that speakers coincide with emotions or with sentences; "" where they do not.

    Speaker and emotion coincide where each speaker has one emotion only, and each emotion one speaker, or two
    utterances or more are known of a speaker on average. Speaker and sentence coincide where each speaker has one
    sentence and each sentence one speaker. Speakers of one utterance each say nothing.

    Parameters
    ----------
    table : DataFrame
        ``speaker``, ``emotion``, ``text``

    Returns
    -------
    str

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"speaker": list("aabb"), "emotion": ["sad", "sad", "calm", "calm"], "text": "unknown"})
    >>> coincidence(table)
    'speaker and emotion coincide (a: sad, b: calm)'
    """
    for column, word in (("emotion", "emotion"), ("text", "sentence")):
        known = table[~table["speaker"].isin(("unknown", "")) & ~table[column].isin(("unknown", ""))]
        pairs = known[["speaker", column]].drop_duplicates()
        if pairs[column].nunique() < 2 or not pairs["speaker"].is_unique or len(known) == len(pairs):
            continue
        several = column == "emotion" and len(known) >= 2 * len(pairs)
        if pairs[column].is_unique or several:
            shown = [f"{speaker}: {value}" for speaker, value in pairs.head(3).itertuples(index=False)]
            more = ", ..." if len(pairs) > 3 else ""
            return f"speaker and {word} coincide ({', '.join(shown)}{more})"
    return ""


def check_speakers(table: pd.DataFrame, protocol: str) -> None:
    """Check that a table can be split by speaker.

    Raises
    ------
    SerError
        where speakers coincide with emotions or sentences (:func:`coincidence`)
    """
    if found := coincidence(table):
        raise SerError(
            f"protocol {protocol}: {found}, so that these are no speakers; name files <speaker>_..., list the speakers "
            "with csv:PATH, or use --protocol random"
        )


def alike_speakers(table: pd.DataFrame) -> list[list[str]]:
    """Return the speakers whose names differ only in case or in their Unicode form: perhaps they are one.

    Examples
    --------
    >>> import pandas as pd
    >>> alike_speakers(pd.DataFrame({"speaker": ["Ben", "ann", "ben", "ben"]}))
    [['Ben', 'ben']]
    """
    groups: dict[str, set[str]] = {}
    for name in set(table["speaker"]):
        groups.setdefault(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()), set()).add(
            name
        )
    return sorted(sorted(names) for names in groups.values() if len(names) > 1)


def describe_alike(table: pd.DataFrame) -> list[str]:
    """Return a line for each group of :func:`alike_speakers`."""
    lines = []
    for names in alike_speakers(table):
        escaped = len({ascii(name.casefold()) for name in names}) > 1  # two forms of a letter look the same
        shown = " and ".join(ascii(name)[1:-1] if escaped else name for name in names)
        lines.append(f"speakers {shown} differ only in case or Unicode form; they count as {len(names)} speakers")
    return lines
