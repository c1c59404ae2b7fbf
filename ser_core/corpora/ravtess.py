"""RavTess: RAVDESS and TESS together, as the paper composes them.

TESS has no Calm. ``ravtess`` has the seven common emotions, without the 192 Calm utterances of RAVDESS (1,248 + 2,800 =
4,048 utterances). ``ravtess_calm_merged`` relabels them Neutral (1,440 + 2,800 = 4,240), a variant that the paper
mentions and never shows. 26 speakers. The column ``corpus`` of every row names its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ser_core.corpora import ravdess, tess
from ser_core.corpora.table import Corpus

if TYPE_CHECKING:
    import pandas as pd

LABELS = tess.LABELS


def relabel(emotion: str, merged: bool) -> str | None:
    """Return the label of a source emotion in the composition.

    Parameters
    ----------
    emotion : str
        Label in RAVDESS or TESS.
    merged : bool
        Relabel Calm as Neutral; otherwise Calm is left out.

    Returns
    -------
    str or None
        None for an emotion that the composition leaves out.

    Examples
    --------
    >>> relabel("calm", merged=True)
    'neutral'
    """
    if emotion == "calm":
        return "neutral" if merged else None
    return emotion


def _parse(path: str, merged: bool) -> dict[str, str] | None:
    row = ravdess.parse(path) or tess.parse(path)
    if row is None:
        return None
    emotion = relabel(row["emotion"], merged)
    return row | {"emotion": emotion} if emotion else None


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a RAVDESS or TESS path; None for Calm and for any other file."""
    return _parse(path, merged=False)


def parse_calm_merged(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a RAVDESS or TESS path, Calm as Neutral; None for any other file."""
    return _parse(path, merged=True)


def foreign(path: str) -> bool:
    """Return whether a path belongs to neither RAVDESS nor TESS (both may be in one folder)."""
    return parse_calm_merged(path) is None


def compose(corpus: Corpus, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Combine the utterance tables of the parts into one, with the labels of the composition.

    Utterances of an emotion that the composition leaves out are dropped, and do not count as missing.

    Parameters
    ----------
    corpus : Corpus
        The composition.
    tables : sequence of DataFrame
        Utterance tables or manifests of its parts.

    Returns
    -------
    DataFrame
        Sorted by ``id``. In ``attrs``, paths start with the name of their part.
    """
    import pandas as pd

    table = pd.concat([t.assign(emotion=t["emotion"]) for t in tables], ignore_index=True)
    merged = corpus.parse is parse_calm_merged
    table["emotion"] = [relabel(emotion, merged) for emotion in table["emotion"]]
    table = table[table["emotion"].notna()].astype({"emotion": "str"}).sort_values("id", ignore_index=True)
    table.attrs = {}
    if all(t.attrs for t in tables):
        table.attrs = {
            "corpus": corpus.name,
            "expected": corpus.expected,
            "missing": sorted(i for t in tables for i in t.attrs["missing"] if corpus.parse(i + ".wav")),
            "duplicates": [
                f"{t.attrs['corpus']}/{p}" for t in tables for p in t.attrs["duplicates"] if corpus.parse(p)
            ],
            "extra": [f"{t.attrs['corpus']}/{path}" for t in tables for path in t.attrs["extra"] if foreign(path)],
        }
    return table


CORPUS = Corpus(
    name="ravtess",
    title="RavTess (RAVDESS without Calm, and TESS)",
    labels=LABELS,
    speakers=26,
    expected=4048,
    folder="",
    licence="RAVDESS CC BY-NC-SA 4.0; TESS CC BY-NC-ND 4.0",
    doi="10.5281/zenodo.1188976; 10.5683/SP2/E8H2MF",
    url=ravdess.CORPUS.url,
    citation=f"{ravdess.CORPUS.citation} {tess.CORPUS.citation}",
    parse=parse,
    parts=("ravdess", "tess"),
)

CALM_MERGED = replace(
    CORPUS,
    name="ravtess_calm_merged",
    title="RavTess (RAVDESS with Calm as Neutral, and TESS)",
    expected=4240,
    parse=parse_calm_merged,
)
