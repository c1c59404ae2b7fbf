"""Audit splits for leakage before anything is trained.

Leaks: a speaker both in test and elsewhere; the same recording both in test and elsewhere, as a copy of the file, its
samples or its waveform (:mod:`ser_core.protocols.duplicates`), or as an augmented copy.

Warnings: sentences both in test and elsewhere; copies both in training and validation; acoustic cues that predict the
emotion, or the corpus, without speech content; a subset with speakers of one sex, or without an emotion.

Notes: what validation shares with training, which a protocol may allow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core import corpora
from ser_core._utils import content_cache
from ser_core._utils.errors import SerError
from ser_core._utils.paths import expand
from ser_core._utils.segments import sources
from ser_core.corpora import folder
from ser_core.features import usable
from ser_core.protocols import acoustic_cues, assignment, balance, duplicates, splits
from ser_core.protocols.leak_words import in_words

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 3
"""Utterances with copies that are named per fold."""
USED_COLUMNS = ("id", "speaker", "text", "emotion", "corpus", "sex")
"""Columns that decide, with the recordings, what acoustic cues predict."""
CODE = ("audio", "features", "metrics", "models/classical.py", "protocols/acoustic_cues.py", "protocols/duplicates.py")
"""Modules after whose change it is measured again, in the package."""
LIBRARIES = ("numpy", "scipy", "scikit-learn", "soundfile", "soxr")

SIDE_NAMES = {
    **{name: name for name in splits.SIDES},
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("val", "valid", "dev", "development"), "validation"),
    **dict.fromkeys(("testing", "eval", "evaluation"), "test"),
}
"""Accepted name of a subset to the name used here."""
COPY_NAME = re.compile(
    r"^(.+?)[_\-.: ]+(?:noisy?|noise|stretch\w*|speed|shift\w*|pitch\w*|aug\w*|copy|echo|reverb|gain|tempo)[\w\-]*$",
    re.IGNORECASE,
)
"""File name of an augmented copy; the first group is the original."""


def audit_protocol(
    corpus: str,
    protocol: str,
    fold: int | None = None,
    *,
    test_corpus: str | None = None,
    cues: bool = True,
    progress: bool = True,
) -> dict[str, Any]:
    """Audit the folds of a corpus under a protocol.

    Without recordings, only what the published file list shows is audited.

    Parameters
    ----------
    corpus : str
        name of a corpus
    protocol : str
        one of :data:`ser_core.protocols.splits.PROTOCOLS` or its aliases
    fold : int, optional
        one fold; by default all
    test_corpus : str, optional
        corpus that ``cross`` tests on
    cues : bool
        also measure what the acoustic cues predict; the result is the same for all protocols of a corpus
    progress : bool
        show progress bars on a terminal

    Returns
    -------
    dict
        that of :func:`audit_split`, with ``corpus``, ``protocol`` and ``promise`` (what the protocol guarantees)

    Raises
    ------
    SerError
        for an unknown corpus, protocol or fold
    """
    import pandas as pd

    protocol = splits.canonical_protocol(protocol)
    names = [corpus, test_corpus] if protocol == "cross" and test_corpus else [corpus]
    subsets = assignment.utterance_sides(corpus, protocol, test_corpus)
    numbers = [column for column in subsets if column.isdigit()]
    if fold is not None and str(fold) not in numbers:
        raise SerError(f"fold {fold}: protocol {protocol} has folds 0 to {len(numbers) - 1} on {corpus}")
    numbers = numbers if fold is None else [str(fold)]
    known = [_recordings(name) for name in names]
    if len(known) > 1 and subsets["id"].str.startswith(f"{corpus}: ").any():  # both have the same ids
        known[0] = known[0].assign(id=f"{corpus}: " + known[0]["id"])
    recordings = pd.concat(known, ignore_index=True).drop_duplicates("id")
    originals = [splits.original_of(clip) for clip in subsets["id"]] if protocol == "leaky" else subsets["id"]
    clips = subsets.assign(utterance=originals)
    table = clips.merge(recordings, left_on="utterance", right_on="id", suffixes=("", "_known")).drop(
        columns="id_known"
    )
    folds = {int(number): dict(zip(subsets["id"], subsets[number])) for number in numbers}
    result = audit_split(table, folds, cues=cues, progress=progress)
    audited = {
        "corpus": corpora.canonical_name(corpus),
        "protocol": protocol,
        "promise": splits.PROTOCOLS[protocol],
    }
    return audited | ({"test_corpus": test_corpus} if protocol == "cross" else {}) | result


def _recordings(name: str) -> pd.DataFrame:
    """Return ``id``, ``path`` ("" without audio), ``sex`` and ``published`` (SHA-256 or "") of recordings."""
    try:
        table = corpora.load(name)
    except SerError:
        table = corpora.manifest(name).assign(path="")
    published: dict[str, str] = {}
    if corpora.is_listed(name):
        listed = corpora.manifest(name)
        published = dict(zip(listed["id"], listed["sha256"]))
    limits = [column for column in ("start", "end") if column in table]
    found = table[["id", "path", "sex", *limits]].assign(published=[published.get(key) or "" for key in table["id"]])
    return _without_unusable(found)


def _without_unusable(table: pd.DataFrame) -> pd.DataFrame:
    """Take the path from utterances whose recordings cannot be used; the column ``unusable`` says why."""
    reasons = usable.find_unusable(table[table["path"] != ""])
    paths = ["" if key in reasons else path for key, path in zip(table["id"], table["path"], strict=True)]
    return table.assign(path=paths, unusable=[reasons.get(key, "") for key in table["id"]])


def audit_split_file(path: str | Path, *, progress: bool = True) -> dict[str, Any]:
    """Audit a user-defined split, given as a CSV file.

    Parameters
    ----------
    path : str or Path
        CSV with the columns ``path`` (relative to the CSV), ``emotion``, ``speaker``, ``side`` (train, validation or
        test), and ``text`` if it is known
    progress : bool
        show progress bars on a terminal

    Returns
    -------
    dict
        that of :func:`audit_split`, with ``split``, the path of the CSV

    Raises
    ------
    SerError
        for a file that cannot be read, a missing column, or an unknown name of a subset
    """
    import pandas as pd

    source = Path(os.path.realpath(expand(path)))
    rows: list[dict[str, Any]] = []
    subset: dict[str, str] = {}
    for number, line in folder.read_csv(source):
        lacking = [column for column in ("speaker", "side") if column not in line]
        if lacking:
            raise SerError(
                f"{source}: no column {', '.join(lacking)}; found are {', '.join(line)}; needed are path, "
                f"emotion, speaker, side"
            )
        row = folder.utterance(line, source, number)
        name = SIDE_NAMES.get(line["side"].lower())
        if name is None:
            raise SerError(f"{source}, line {number}: side is {line['side']!r}, wanted train, validation or test")
        row["path"] = row["path"] if os.path.isfile(row["path"]) else ""
        if row["id"] in subset:
            row["id"] += f" (line {number})"
        subset[row["id"]] = name
        rows.append(row | {"corpus": source.name, "published": "", "utterance": row["id"]})
    table = pd.DataFrame(rows)
    if not (table["path"] != "").any():
        raise SerError(
            f"{source}: none of its files exists ({len(rows):,} named); paths are relative to the folder of the CSV"
        )
    table = _without_unusable(table)
    table["utterance"] = named_copies(list(table["id"]))
    return {"split": str(source)} | audit_split(table, {0: subset}, progress=progress)


def audit_corpus(corpus: str, *, progress: bool = False) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Audit every protocol of a corpus but ``cross``.

    Parameters
    ----------
    corpus : str
        name of a corpus
    progress : bool
        show progress bars on a terminal

    Returns
    -------
    rows : list of dict
        one row per protocol, for a table; for a protocol that the corpus cannot fill, the row says why
    cues : list of dict
        what the acoustic cues predict, which is the same for all protocols
    """
    rows: list[dict[str, Any]] = []
    cues: list[dict[str, Any]] = []
    for protocol in splits.PROTOCOLS:
        if protocol in ("cross", "official") or not splits.can_split(corpus, protocol):
            continue  # needs two corpora, one that comes with folds, or the speakers that it names
        try:
            result = audit_protocol(corpus, protocol, cues=not rows, progress=progress)
        except SerError as error:
            rows.append({"protocol": f"`{protocol}`", "verdict": str(error)})
            continue
        cues = cues or result["cues"]
        rows.append(
            {
                "protocol": f"`{protocol}`",
                "folds": len(result["folds"]),
                "speakers in test and elsewhere": len(result["speakers"]),
                "sentences": len(result["sentences"]),
                "copied recordings": sum(bool(pair["leaks_in"]) for pair in result["copies"]),
                "utterances with augmented copies": result["augmented"],
                "verdict": "no leak" if result["ok"] else "**leak**",
            }
        )
    return rows, cues


def named_copies(ids: Sequence[str]) -> list[str]:
    """Return the original of each id by its name, or the id itself: ``a_noise`` is a copy of ``a`` if ``a`` is listed.

    >>> named_copies(["a", "a_noise", "b-pitch2"])
    ['a', 'a', 'b-pitch2']
    """
    listed = set(ids)
    originals = []
    for name in ids:
        match = COPY_NAME.match(name)
        originals.append(match[1] if match and match[1] in listed else name)
    return originals


def audit_split(
    table: pd.DataFrame, folds: dict[int, dict[str, str]], *, cues: bool = True, progress: bool = True
) -> dict[str, Any]:
    """Audit one or several folds of a split.

    Parameters
    ----------
    table : DataFrame
        one row per clip: ``id``, ``path`` ("" without audio), ``published`` (SHA-256 or ""), ``utterance`` (id of the
        original, or its own), ``corpus``, ``speaker``, ``emotion``; where known ``text`` and ``sex``
    folds : dict
        number of the fold to a dict of id to subset
    cues : bool
        also measure what the acoustic cues predict
    progress : bool
        show progress bars on a terminal

    Returns
    -------
    dict
        ``utterances``; ``recordings`` (number examined); ``folds`` (per fold its sizes, ``speakers`` and ``sentences``
        both in test and elsewhere, ``copies``, ``augmented``, ``one_sex``, ``lacking``);
        ``speakers``, ``sentences`` and ``augmented``, the number of utterances with copies (of all folds);
        ``copies`` (every pair, with the folds that it leaks in); ``cues`` and ``without_speech`` (see
        :mod:`ser_core.protocols.acoustic_cues`); in words ``leaks``, ``warnings`` and
        ``notes``; ``ok`` (no leak)
    """
    table = table.assign(**{name: "unknown" for name in ("sex", "text") if name not in table})
    originals = table[table["utterance"] == table["id"]]
    examined = originals[originals["path"] != ""]
    duplicated = duplicates.find_duplicates(sources(examined), progress=progress)
    pairs = _copied_pairs(originals, examined, duplicated)
    per_fold = [_audit_fold(table, number, subset, pairs) for number, subset in folds.items()]
    for pair in pairs:
        pair["leaks_in"] = [fold["fold"] for fold in per_fold if pair in fold["copies"]]
    result = {
        "utterances": len(table),
        "recordings": len(examined),
        "speakers": sorted({name for fold in per_fold for name in fold["speakers"]}),
        "sentences": sorted({name for fold in per_fold for name in fold["sentences"]}),
        "copies": pairs,
        "augmented": len({name for fold in per_fold for name in fold["augmented_of"]}),
        **(_predicted(examined, duplicated, progress) if cues else {"cues": [], "without_speech": []}),
        "folds": [
            fold
            | {"copies": [[pair["first"], pair["second"]] for pair in fold["copies"]]}
            | {"augmented_of": fold["augmented_of"][:EXAMPLES]}
            for fold in per_fold
        ],
    }
    return result | in_words(result, table, per_fold)


def _predicted(examined: pd.DataFrame, duplicated: dict[str, Any], progress: bool) -> dict[str, Any]:
    """Return what the acoustic cues and the baseline without speech predict, kept by the content of the recordings."""
    columns = [name for name in USED_COLUMNS if name in examined]
    facts = {name: examined[name].tolist() for name in columns}
    parts = [content_cache.code_digest(CODE, LIBRARIES), duplicated["digests"], duplicated["facts"], facts]
    return content_cache.remember(
        "cues",
        content_cache.name_of(parts),
        lambda: {
            "cues": acoustic_cues.predict_from_cues(examined, duplicated),
            "without_speech": acoustic_cues.predict_without_speech(examined, progress=progress),
        },
    )


def _copied_pairs(originals: pd.DataFrame, examined: pd.DataFrame, duplicated: dict) -> list[dict[str, Any]]:
    """Return recordings that are the same, each pair once, with the surest kind of evidence."""
    kinds: dict[tuple[str, str], tuple[str, float]] = {}

    def add(first: str, second: str, kind: str, correlation: float) -> None:
        if first != second:
            kinds.setdefault((min(first, second), max(first, second)), (kind, correlation))

    def add_equal(names, keys, kind: str) -> None:
        groups: dict[str, list[str]] = {}
        for name, key in zip(names, keys, strict=True):
            if isinstance(key, str) and key:
                groups.setdefault(key, []).append(name)
        for group in groups.values():
            for place, name in enumerate(group):
                for other in group[place + 1 :]:
                    add(name, other, kind, 1.0)

    digests = duplicated["digests"]
    add_equal(examined["id"], digests, "same bytes")
    add_equal(originals["id"], originals["published"], "same bytes as published")
    add_equal(examined["id"], [duplicated["facts"][digest]["audio"] for digest in digests], "same audio")
    names: dict[str, list[str]] = {}
    for name, digest in zip(examined["id"], digests, strict=True):
        names.setdefault(digest, []).append(name)
    for first_digest, second_digest, kind, correlation in duplicated["pairs"]:
        for first in names[first_digest]:
            for second in names[second_digest]:
                add(first, second, kind, correlation)
    return [
        {"first": first, "second": second, "kind": kind, "correlation": correlation}
        for (first, second), (kind, correlation) in sorted(kinds.items())
    ]


def _audit_fold(table: pd.DataFrame, number: int, subset: dict[str, str], pairs: list[dict]) -> dict[str, Any]:
    """Return what the subsets of one fold share."""
    table = table.assign(side=[subset[name] for name in table["id"]])
    parts = {name: table[table["side"] == name] for name in splits.SIDES}
    test, elsewhere = parts["test"], table[table["side"].isin(("train", "validation"))]

    def shared(first: pd.DataFrame, second: pd.DataFrame, column: str) -> list[str]:
        return sorted((set(first[column]) & set(second[column])) - {"unknown", ""})

    located = [(pair, {subset[pair["first"]], subset[pair["second"]]} - {"none"}) for pair in pairs]
    augmented = sorted(set(test["utterance"]) & set(elsewhere["utterance"]))
    return {
        "fold": number,
        **{name: len(part) for name, part in parts.items()},
        "speakers": shared(test, elsewhere, "speaker"),
        "sentences": shared(test, elsewhere, "text"),
        "copies": [pair for pair, places in located if "test" in places and len(places) > 1],
        "copies_in_validation": [
            [pair["first"], pair["second"]] for pair, places in located if places == {"train", "validation"}
        ],
        "augmented": len(augmented),
        "augmented_of": augmented,
        "one_sex": balance.one_sex(table),
        "lacking": balance.lacking_emotions(table),
        "validation_speakers": shared(parts["validation"], parts["train"], "speaker"),
        "validation_sentences": shared(parts["validation"], parts["train"], "text"),
    }
