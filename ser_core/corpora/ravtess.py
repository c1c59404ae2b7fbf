"""RavTess: RAVDESS and TESS together, as the paper composes them.

TESS has no Calm. ``ravtess`` holds the seven emotions that both have and leaves the 192 Calm utterances of RAVDESS out
(1,248 + 2,800 = 4,048 utterances); ``ravtess_calm_merged`` relabels them Neutral (1,440 + 2,800 = 4,240), a variant
that the paper mentions and never shows. 26 speakers. Every row keeps the name of its source in ``corpus``.
"""

from dataclasses import replace

from ser_core.corpora import ravdess, tess
from ser_core.corpora.table import Corpus

LABELS = tess.LABELS


def relabel(emotion: str, merged: bool) -> str | None:
    """The label of a source emotion in the composition: Calm becomes Neutral when ``merged``, else None."""
    if emotion == "calm":
        return "neutral" if merged else None
    return emotion


def _parse(path: str, merged: bool) -> dict | None:
    row = ravdess.parse(path) or tess.parse(path)
    emotion = relabel(row["emotion"], merged) if row else None
    return row | {"emotion": emotion} if emotion else None


def parse(path: str) -> dict | None:
    """Utterance columns of a RAVDESS or TESS path; None for Calm and for anything else."""
    return _parse(path, merged=False)


def parse_calm_merged(path: str) -> dict | None:
    """Utterance columns of a RAVDESS or TESS path, Calm as Neutral; None for anything else."""
    return _parse(path, merged=True)


def foreign(path: str) -> bool:
    """Whether a path belongs to neither part (they may lie in one folder)."""
    return parse_calm_merged(path) is None


def compose(corpus: Corpus, tables: list):
    """One table out of those of the parts, relabelled for ``corpus``.

    Rows whose emotion is not in the composition are dropped. ``attrs`` are joined: ids of dropped utterances are not
    missing, and paths get the name of their part in front.
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
