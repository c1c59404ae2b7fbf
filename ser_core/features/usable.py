"""Leave out the recordings of a corpus that cannot be used, and say which and why.

Published corpora have a silent or a damaged file here and there; one of them must not stop a run over all the others.
What is left out is counted and named: in the row, by ``ser data verify`` and by ``ser leaks``. Where more than
:data:`MOST` of a corpus cannot be used, something else is wrong, and the run stops (``--allow-unusable`` continues).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ser_core import __version__, corpora
from ser_core._utils.errors import SerError
from ser_core._utils.paths import allow_unusable, cache_dir
from ser_core._utils.segments import sources
from ser_core.features import digests as digests_

if TYPE_CHECKING:
    import pandas as pd

MOST = 0.05
"""Largest share of the recordings of a corpus that may be unusable."""
SHOWN = 3
"""Recordings that a message names."""


def find_unusable(table: pd.DataFrame) -> dict[str, str]:
    """Find the utterances of a table whose recordings cannot be used.

    Each file is decoded once; the answer is kept in the cache by the content of the file.

    Parameters
    ----------
    table : DataFrame
        utterance table: ``id``, ``path``

    Returns
    -------
    dict
        id to reason, sorted by id
    """
    store = cache_dir() / "unusable.json"
    kept = digests_.read_texts(store)
    known = kept if kept.get("version") == __version__ else {"version": __version__}
    fresh = dict(known)
    reasons: dict[str, str] = {}
    digests, unreadable = digests_.readable_digests(sources(table))
    decoded, damaged = digests_.decoded_digests({source: key for source, key in digests.items() if key not in known})
    for source, reason in damaged.items():
        if "pip install" not in reason:  # what a package would change is asked again
            fresh[digests[source]] = reason
    for utterance, source in zip(table["id"], sources(table), strict=True):
        reason = unreadable.get(source) or damaged.get(source) or known.get(digests.get(source, ""), "")
        if reason:
            reasons[utterance] = reason
    if fresh != known:
        digests_.write_if_possible(store, json.dumps(fresh).encode())
    return dict(sorted(reasons.items()))


def drop_unusable(table: pd.DataFrame, name: str, *, always: bool = False) -> pd.DataFrame:
    """Return a table without the utterances whose recordings cannot be used.

    Parameters
    ----------
    table : DataFrame
        utterance table
    name : str
        of the corpus, for messages
    always : bool, default False
        however many they are

    Returns
    -------
    DataFrame
        ``attrs["unusable"]`` has the ids that were left out, and the reasons

    Raises
    ------
    SerError
        where more than :data:`MOST` of the recordings cannot be used, unless ``SER_ALLOW_UNUSABLE`` is 1; where none
        can be used
    """
    reasons = find_unusable(table)
    if not reasons:
        return table
    every = len(reasons) == len(table)
    if every or (len(reasons) > MOST * len(table) and not (always or allow_unusable())):
        advice = "" if every else ", or go on without them (--allow-unusable)"
        raise SerError(f"{name}: of {len(table)}, {describe(reasons)} cannot be used; repair them{advice}")
    kept = table[~table["id"].isin(reasons)].reset_index(drop=True)
    kept.attrs = {**table.attrs, "unusable": reasons}
    return kept


def describe(reasons: dict[str, str]) -> str:
    """Say how many recordings cannot be used, which, and why.

    >>> describe({"a/01": "silent"})
    '1 recording (a/01: silent)'
    """
    shown = "; ".join(f"{key}: {reason}" for key, reason in list(reasons.items())[:SHOWN])
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return f"{len(reasons)} recording{'s' if len(reasons) > 1 else ''} ({shown}{more})"


def describe_corpus(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return what ``ser data verify`` can say of a corpus without published checksums, with the keys for one with.

    Parameters
    ----------
    table : DataFrame
        utterance table
    name : str
        of the corpus
    """
    facts = table.attrs
    return {
        "corpus": name,
        "folder": facts.get("folder", ""),
        "expected": facts.get("expected", len(table)),
        "found": len(table),
        "missing": list(facts.get("missing", ())),
        "changed": [],
        "duplicates": list(facts.get("duplicates", ())),
        "extra": list(facts.get("extra", ())),
        "unverifiable": [],
        "note": "your own recordings have no published checksums: whether each can be used was checked",
    }


def load(name: str) -> pd.DataFrame:
    """Load the utterance table of a corpus without recordings that cannot be used; see :func:`drop_unusable`."""
    return drop_unusable(corpora.load(name), name)
