"""Inventory of a corpus: available recordings, their formats, missing utterances and ignored files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ser_core._utils.errors import SerError
from ser_core._utils.segments import sample_range, sources
from ser_core.corpora import corpus_title, load, manifest


def is_available(corpus: str) -> bool:
    """Return whether any recordings of a corpus are found."""
    try:
        return len(load(corpus)) > 0
    except SerError:
        return False


def completeness_table(corpora: Mapping[str, pd.DataFrame | dict | None]) -> pd.DataFrame:
    """Return how complete each corpus is, and how many files are ignored.

    Parameters
    ----------
    corpora : mapping of str to DataFrame, dict or None
        Corpus name to its utterance table, or to the completeness of a result (``expected``, ``found``, ``missing``).
        None for a corpus without recordings.

    Returns
    -------
    DataFrame
        One row per corpus, formatted as text.
    """
    lines = []
    for name, table in corpora.items():
        facts = table if isinstance(table, dict) or table is None else {"found": len(table), **table.attrs}
        facts = facts or {}
        missing = list(facts.get("missing", []))
        named = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        expected, found = facts.get("expected"), facts.get("found", 0)
        lines.append(
            {
                "corpus": corpus_title(name),
                "expected": f"{expected:,}" if expected else "–",
                "found": f"{found:,}" if facts else "not here",
                "missing": named or ("none" if facts else "–"),
                "copies ignored": len(facts["duplicates"]) if "duplicates" in facts else "–",
                "other files ignored": len(facts["extra"]) if "extra" in facts else "–",
            }
        )
    return pd.DataFrame(lines)


def read_headers(name: str, *, listed: bool = False) -> pd.DataFrame:
    """Read the duration, rate, channels and container of every recording of a corpus from its header.

    Parameters
    ----------
    name : str
        A corpus.
    listed : bool, default False
        Use the published file list of a corpus without recordings.

    Returns
    -------
    DataFrame
        The utterance table with ``seconds``, ``rate`` (Hz), ``channels`` and ``container``; NaN for a file that cannot
        be opened. ``attrs["source"]`` is "recordings" or "published list".

    Raises
    ------
    SerError
        For a corpus without recordings, unless ``listed``.
    """
    import soundfile

    try:
        table = load(name)
    except SerError:
        if not listed:
            raise
        table = manifest(name).rename(columns={"sample_rate": "rate"})
        for column in ("seconds", "rate", "channels"):
            table[column] = table.get(column, np.nan)
        table["container"] = [Path(file).suffix.lstrip(".").upper() for file in table["file"]]
        table.attrs = {"corpus": name, "expected": len(table), "missing": [], "source": "published list"}
        return table
    columns: dict[str, list] = {"seconds": [], "rate": [], "channels": [], "container": []}
    for source in sources(table):
        try:
            header = soundfile.info(os.fspath(source))
            seconds = sample_range(source, header.samplerate, header.frames)[1] / header.samplerate
            seconds = seconds if header.frames < 2**55 else np.nan  # a FLAC file that names no length
            facts = (seconds, header.samplerate, header.channels, header.format)
        except (soundfile.LibsndfileError, OSError):
            facts = (np.nan, np.nan, np.nan, "not readable")
        for values, fact in zip(columns.values(), facts, strict=True):
            values.append(fact)
    attrs = table.attrs | {"source": "recordings"}
    table = table.assign(**columns)
    table.attrs = attrs
    return table
