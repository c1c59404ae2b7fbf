"""What is there of a corpus: which recordings, in which form, what is missing and what is odd."""

from pathlib import Path

import numpy as np
import pandas as pd

from ser_core._utils.errors import SerError
from ser_core.corpora import corpus_title, load, manifest


def is_available(corpus: str) -> bool:
    """Whether any recordings of a corpus can be found."""
    try:
        return len(load(corpus)) > 0
    except SerError:
        return False


def completeness_table(corpora: dict) -> pd.DataFrame:
    """What is there of each corpus, and what is odd.

    corpora : corpus name -> utterance table, or a completeness dict of a row (``expected``, ``found``, ``missing``), or
    None where the corpus is not here
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
    """Utterance table of a corpus with ``seconds``, ``rate`` (Hz), ``channels`` and ``container`` of every recording.

    Only the headers of the files are read; what cannot be opened has NaN. With ``listed`` the published file list
    stands in for a corpus that is not here; ``attrs["source"]`` says which it was ("recordings" or "published list").
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
    for path in table["path"]:
        try:
            header = soundfile.info(path)
            facts = (header.duration, header.samplerate, header.channels, header.format)
        except (soundfile.LibsndfileError, OSError):
            facts = (np.nan, np.nan, np.nan, "not readable")
        for column, fact in zip(columns.values(), facts, strict=True):
            column.append(fact)
    attrs = table.attrs | {"source": "recordings"}
    table = table.assign(**columns)
    table.attrs = attrs
    return table
