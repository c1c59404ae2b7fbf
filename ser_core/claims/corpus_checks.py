"""Check what a paper prints on its corpora and splits, and statements in words.

The docstring of each check names the fields of a claim that it reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ser_core._utils.errors import SerError
from ser_core.claims.claim_file import Claim
from ser_core.claims.verdicts import CONTRADICTED, HOLDS, IMPOSSIBLE, OPEN, Finding

if TYPE_CHECKING:
    import pandas as pd


def published_utterances(claim: Claim) -> tuple[pd.DataFrame | None, str]:
    """Load the published file list of the corpus of a claim.

    Returns
    -------
    table : DataFrame or None
        utterance table; None if the file list is unavailable
    why : str
        why it is unavailable, else ""

    Raises
    ------
    SerError
        for an unknown corpus
    """
    from ser_core import corpora

    name = claim.words("corpus")
    try:
        return corpora.manifest(name), ""
    except ModuleNotFoundError as error:
        return None, f"not checked: {error.name}, which reads the file list of {name}, is not installed."
    except SerError:
        if name not in corpora.CORPORA:
            raise claim.wrong(f"corpus {name!r}: choose among {', '.join(corpora.CORPORA)}") from None
        return None, f"not checked: the suite has no file list of {name}."


def labels(claim: Claim) -> Finding:
    """Check that the rows of a table are the classes of its corpus.

    Fields: ``table``; the classes as ``corpus`` or ``labels``.
    """
    from ser_core import corpora

    rows = [str(next(iter(row.values()))).lower() for row in claim.table()]
    if claim.has("labels"):
        classes = [name.lower() for name in claim.listed("labels")]
    elif claim.words("corpus") in corpora.CORPORA:
        classes = list(corpora.labels(claim.words("corpus")))
    else:
        raise claim.wrong(f"corpus {claim.words('corpus')!r}: choose among {', '.join(corpora.CORPORA)}")
    unmatched = [f"{name} in the table only" for name in rows if name not in classes]
    unmatched += [f"{name} in the corpus only" for name in classes if name not in rows]
    why = f"The corpus has {len(classes)} classes, the table {len(rows)}"
    why += f": {', '.join(unmatched)}." if unmatched else "."
    verdict = CONTRADICTED if unmatched else HOLDS
    return Finding(f"{len(rows)} classes", f"{len(classes)} classes", verdict, why, len(classes))


def speakers(claim: Claim) -> Finding:
    """Check that a corpus has enough speakers for subsets without a common speaker.

    Fields: ``speakers`` of the corpus, ``sides``: number of subsets (by default 3).
    """
    available, subsets = claim.whole("speakers"), claim.whole("sides", 3)
    filled = min(available, subsets)
    why = f"{available} speakers, each in one subset only, fill {filled} of {subsets} subsets"
    why += "." if filled == subsets else f"; {subsets - filled} would be empty."
    verdict = HOLDS if filled == subsets else IMPOSSIBLE
    return Finding(f"{subsets} subsets", f"{filled} subsets", verdict, why, filled)


def truncation(claim: Claim) -> Finding:
    """Check that no utterance of a corpus is longer than the network input.

    Fields: ``printed`` (words), ``corpus``, ``frames``, ``hop_ms``.
    """
    limit = float(claim.whole("frames") * claim.positive("hop_ms") / 1000)
    table, why = published_utterances(claim)
    if table is None:
        return Finding(claim.words("printed"), "", OPEN, why)
    lengths = table["seconds"].dropna() if "seconds" in table else None
    if lengths is None or lengths.empty:
        return Finding(claim.words("printed"), "", OPEN, "not checked: the file list gives no lengths.")
    longer = int((lengths > limit).sum())
    span = f"{lengths.min():.2f} to {lengths.max():.2f} s, {lengths.mean():.2f} on average"
    why = f"The input holds {limit:.2f} s; the utterances last {span}."
    computed = f"{longer:,} of {len(lengths):,} cut"
    return Finding(claim.words("printed"), computed, CONTRADICTED if longer else HOLDS, why, longer)


def count(claim: Claim) -> Finding:
    """Check a number of utterances against the published file list.

    Fields: ``printed``, ``corpus``; ``emotions`` that are counted (by default all).
    """
    printed, (table, why) = claim.number("printed"), published_utterances(claim)
    if table is None:
        return Finding(f"{printed:,f}", "", OPEN, why)
    counted = table["emotion"].isin(claim.listed("emotions")) if claim.has("emotions") else table["emotion"].notna()
    total = int(counted.sum())
    verdict = HOLDS if total == printed else CONTRADICTED
    return Finding(f"{printed:,f}", f"{total:,}", verdict, "Counted in the published file list.", total)


# Words


def twice(claim: Claim) -> Finding:
    """Compare a statement that the paper makes in two places.

    Fields: ``first``, ``first_where``, ``second``, ``second_where``.
    """
    first, second = claim.words("first"), claim.words("second")
    why = f"{claim.words('first_where')}: {first}; {claim.words('second_where')}: {second}."
    return Finding(first, second, HOLDS if first == second else CONTRADICTED, why)


def no_figure(claim: Claim) -> Finding:
    """Record a claim for which the paper gives no figure.

    Fields: ``printed`` (words).
    """
    return Finding(claim.words("printed"), "no figure", OPEN, "No figure, table or test is given for it anywhere.")
