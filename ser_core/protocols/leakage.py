"""The leak meter: what a split gives away before anything is trained.

Leaks: a speaker both in test and elsewhere; the same recording both in test and elsewhere, as a copy of the file, of
its samples, of its waveform (:mod:`ser_core.protocols.duplicates`), or as an augmented copy. Warnings: sentences both in test and
elsewhere; copies shared by training and validation; cues that tell the emotion, or the corpus, without any speech.
Notes: what validation shares with training, which a protocol may allow.
"""

import re
from pathlib import Path

import numpy as np

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.corpora import folder
from ser_core.metrics import uncertainty
from ser_core.protocols import assignment, duplicates, splits

SIDE_NAMES = {
    **{name: name for name in splits.SIDES},
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("val", "valid", "dev", "development"), "validation"),
    **dict.fromkeys(("testing", "eval", "evaluation"), "test"),
}
COPY_NAME = re.compile(
    r"^(.+?)[_\-.: ]+(?:noisy?|noise|stretch\w*|speed|shift\w*|pitch\w*|aug\w*|copy|echo|reverb|gain|tempo)[\w\-]*$",
    re.IGNORECASE,
)
FEWEST = 24
"""Utterances below which no classifier is fitted on the cues."""


def audit_protocol(
    corpus: str, protocol: str, fold: int | None = None, *, test_corpus=None, cues=True, progress=True
) -> dict:
    """Audit the folds of a corpus under a protocol; without its recordings, what the published list allows.

    fold : one fold; by default all. cues : whether the telling cues are judged (alike for all protocols).
    Returns what :func:`audit` does, with ``corpus`` and ``protocol``.
    """
    import pandas as pd

    protocol = splits.canonical_protocol(protocol)
    names = [corpus] if protocol != "cross" else [corpus, test_corpus]
    sides = assignment.utterance_sides(corpus, protocol, test_corpus)
    numbers = [column for column in sides if column.isdigit()]
    if fold is not None and str(fold) not in numbers:
        raise SerError(f"fold {fold}: protocol {protocol} has folds 0 to {len(numbers) - 1} on {corpus}")
    numbers = numbers if fold is None else [str(fold)]
    known = pd.concat([_recordings(name) for name in names], ignore_index=True).drop_duplicates("id")
    clips = sides.assign(
        utterance=[splits.original_of(name) for name in sides["id"]] if protocol == "leaky" else sides["id"]
    )
    table = clips.merge(known, left_on="utterance", right_on="id", suffixes=("", "_known")).drop(columns="id_known")
    folds = {int(number): dict(zip(sides["id"], sides[number])) for number in numbers}
    found = audit_split(table, folds, cues=cues, progress=progress)
    told = {"corpus": corpora.canonical_name(corpus), "protocol": protocol, "promise": splits.PROTOCOLS[protocol]}
    return told | ({"test_corpus": test_corpus} if protocol == "cross" else {}) | found


def _recordings(name: str):
    """``id``, ``path`` and ``published`` (SHA-256) of a corpus: of what is here, else of the published list."""
    try:
        table = corpora.load(name)
    except SerError:
        table = corpora.manifest(name).assign(path="")
    published = {}
    if name in corpora.CORPORA:
        listed = corpora.manifest(name)
        published = dict(zip(listed["id"], listed["sha256"]))
    return table[["id", "path"]].assign(published=[published.get(key) or "" for key in table["id"]])


def audit_split_file(path: str | Path, *, progress=True) -> dict:
    """Audit a split of somebody's own: a CSV with ``path`` (from the CSV's folder), ``emotion``, ``speaker``, ``side``
    (train, validation, test), and ``text`` if it is known.

    Raises
    ------
    SerError
        for a file that cannot be read, a missing column, or a side that is none
    """
    import pandas as pd

    where = Path(path).expanduser().resolve()
    rows, side = [], {}
    for number, line in folder.read_csv(where):
        lacking = [column for column in ("speaker", "side") if column not in line]
        if lacking:
            raise SerError(f"{where}: no column {', '.join(lacking)}; wanted are path, emotion, speaker, side")
        row = folder.utterance(line, where, number)
        own = SIDE_NAMES.get(line["side"].lower())
        if own is None:
            raise SerError(f"{where}, line {number}: side is {line['side']!r}, wanted train, validation or test")
        row["path"] = row["path"] if Path(row["path"]).is_file() else ""
        if row["id"] in side:
            row["id"] += f" (line {number})"
        side[row["id"]] = own
        rows.append(row | {"corpus": where.name, "published": "", "utterance": row["id"]})
    table = pd.DataFrame(rows)
    if not (table["path"] != "").any():
        raise SerError(f"{where}: none of its {len(rows)} files is there; paths count from the folder of the CSV")
    table["utterance"] = named_copies(list(table["id"]))
    return {"split": str(where)} | audit_split(table, {0: side}, progress=progress)


def audit_corpus(corpus: str, *, progress=False) -> tuple[list[dict], list[dict]]:
    """Every protocol of a corpus audited: one line each for a table, and the cues, which are alike for all.

    A protocol that the corpus cannot fill is a line that says why.
    """
    lines, cues = [], []
    for protocol in splits.PROTOCOLS:
        if protocol == "cross":  # of two corpora
            continue
        try:
            found = audit_protocol(corpus, protocol, cues=not lines, progress=progress)
        except SerError as error:
            lines.append({"protocol": f"`{protocol}`", "verdict": str(error)})
            continue
        cues = cues or found["cues"]
        copied = sum(bool(pair["leaks_in"]) for pair in found["copies"])
        lines.append(
            {
                "protocol": f"`{protocol}`",
                "folds": len(found["folds"]),
                "speakers in test and elsewhere": len(found["speakers"]),
                "sentences": len(found["sentences"]),
                "copied recordings": copied,
                "utterances with augmented copies": sum(one["augmented"] for one in found["folds"]),
                "verdict": "no leak" if found["ok"] else "**leak**",
            }
        )
    return lines, cues


def named_copies(ids: list[str]) -> list[str]:
    """What each id is a copy of, by its name: ``a_noise`` and ``a-pitch2`` are copies of ``a`` where that is there."""
    there = set(ids)
    found = []
    for name in ids:
        match = COPY_NAME.match(name)
        found.append(match[1] if match and match[1] in there else name)
    return found


def audit_split(table, folds: dict[int, dict[str, str]], *, cues=True, progress=True) -> dict:
    """Audit a split, or several folds.

    Parameters
    ----------
    table : DataFrame with ``id, path`` ("" where there is none), ``published`` (SHA-256 or ""), ``utterance`` (the id
        of what it is a copy of, or its own), ``corpus, speaker, text, emotion``
    folds : number to id to side

    Returns
    -------
    dict
        ``utterances``, ``recordings`` (how many could be examined), ``folds`` (each with its sizes, ``speakers`` and
        ``sentences`` in test and elsewhere, ``copies``, ``augmented``), ``speakers`` and ``sentences`` (of all folds),
        ``copies`` (every pair, with the folds that it leaks in), ``cues``, and in words ``leaks``, ``warnings``,
        ``notes``; ``ok``: no leak
    """
    originals = table[table["utterance"] == table["id"]]
    examined = originals[originals["path"] != ""]
    sound = duplicates.find_duplicates(list(examined["path"]), progress=progress)
    pairs = _pairs(originals, examined, sound)
    lines = [_fold(table, number, side, pairs) for number, side in folds.items()]
    for pair in pairs:
        pair["leaks_in"] = [one["fold"] for one in lines if pair in one["copies"]]
    result = {
        "utterances": len(table),
        "recordings": len(examined),
        "speakers": sorted({name for one in lines for name in one["speakers"]}),
        "sentences": sorted({name for one in lines for name in one["sentences"]}),
        "copies": pairs,
        "cues": _cues(examined, sound) if cues else [],
        "folds": [one | {"copies": [[pair["first"], pair["second"]] for pair in one["copies"]]} for one in lines],
    }
    return result | _told(result, table, lines)


def _pairs(originals, examined, sound) -> list[dict]:
    """Recordings that are the same, each pair once, the surest kind first found."""
    kinds: dict[tuple[str, str], tuple[str, float]] = {}

    def note(first: str, second: str, kind: str, value: float) -> None:
        if first != second:
            kinds.setdefault((min(first, second), max(first, second)), (kind, value))

    def alike(names, keys, kind):
        groups: dict[str, list[str]] = {}
        for name, key in zip(names, keys, strict=True):
            if isinstance(key, str) and key:
                groups.setdefault(key, []).append(name)
        for some in groups.values():
            for place, name in enumerate(some):
                for other in some[place + 1 :]:
                    note(name, other, kind, 1.0)

    digests = sound["digests"]
    alike(examined["id"], digests, "same bytes")
    alike(originals["id"], originals["published"], "same bytes as published")
    alike(examined["id"], [sound["facts"][digest]["audio"] for digest in digests], "same audio")
    names: dict[str, list[str]] = {}
    for name, digest in zip(examined["id"], digests, strict=True):
        names.setdefault(digest, []).append(name)
    for first, second, kind, value in sound["pairs"]:
        for one in names[first]:
            for other in names[second]:
                note(one, other, kind, value)
    return [
        {"first": first, "second": second, "kind": kind, "correlation": value}
        for (first, second), (kind, value) in sorted(kinds.items())
    ]


def _fold(table, number: int, side: dict[str, str], pairs: list[dict]) -> dict:
    """What one fold shares between its sides."""
    table = table.assign(side=[side[name] for name in table["id"]])
    parts = {name: table[table["side"] == name] for name in splits.SIDES}
    test, elsewhere = parts["test"], table[table["side"].isin(("train", "validation"))]

    def shared(first, second, column: str) -> list[str]:
        return sorted((set(first[column]) & set(second[column])) - {"unknown", ""})

    apart = [(pair, {side[pair["first"]], side[pair["second"]]} - {"none"}) for pair in pairs]
    copied = sorted(set(test["utterance"]) & set(elsewhere["utterance"]))
    return {
        "fold": number,
        **{name: len(part) for name, part in parts.items()},
        "speakers": shared(test, elsewhere, "speaker"),
        "sentences": shared(test, elsewhere, "text"),
        "copies": [pair for pair, sides in apart if "test" in sides and len(sides) > 1],
        "copies_in_validation": [
            [pair["first"], pair["second"]] for pair, sides in apart if sides == {"train", "validation"}
        ],
        "augmented": len(copied),
        "augmented_of": copied[:3],
        "validation_speakers": shared(parts["validation"], parts["train"], "speaker"),
        "validation_sentences": shared(parts["validation"], parts["train"], "text"),
    }


def _cues(examined, sound) -> list[dict]:
    """How well the cues alone tell emotion and corpus: a forest, judged on speakers that it has not seen."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold, cross_val_predict

    values = np.array([[sound["facts"][digest][cue] for cue in duplicates.CUES] for digest in sound["digests"]])
    found = []
    for target in ("emotion", "corpus"):
        labels = sorted(set(examined[target])) if len(examined) else []
        groups = examined["speaker"]
        if len(labels) < 2 or len(examined) < FEWEST or groups.nunique() < 2:
            continue
        forest = RandomForestClassifier(100, min_samples_leaf=5, max_features=None, random_state=0, n_jobs=1)
        truth = examined[target].to_numpy()
        cut = GroupKFold(min(5, groups.nunique()))
        answer = cross_val_predict(forest, values, truth, groups=groups.to_numpy(), cv=cut)
        judged = uncertainty.score_predictions(
            examined[["speaker", "text"]].assign(truth=truth, prediction=answer), labels
        )
        interval, chance = judged.intervals.uar, 1 / len(labels)
        alike = interval is None and judged.intervals.unit != "none"  # no unit differs: nothing to doubt
        strongest = duplicates.CUES[int(forest.fit(values, truth).feature_importances_.argmax())]
        found.append(
            {
                "target": target,
                "uar": judged.scores["uar"],
                "interval": interval and list(interval.limits),
                "over": judged.intervals.unit,
                "chance": chance,
                "strongest": strongest,
                "warning": judged.scores["uar"] > chance if alike else bool(interval and interval.low > chance),
            }
        )
    return found


def _told(result: dict, table, lines: list[dict]) -> dict:
    """Leaks, warnings and notes in words."""
    leaks, warnings, notes = [], [], []
    several = len(lines) > 1

    def where(key: str) -> str:
        numbers = [str(one["fold"]) for one in lines if one[key]]
        return f" (fold {', '.join(numbers)})" if several else ""

    if result["speakers"]:
        leaks.append(f"speakers both in test and elsewhere: {_some(result['speakers'])}{where('speakers')}")
    for pair in result["copies"]:
        line = f"{pair['first']} = {pair['second']} ({pair['kind']}, correlation {pair['correlation']:.2f})"
        inside = any([pair["first"], pair["second"]] in one["copies_in_validation"] for one in lines)
        if pair["leaks_in"]:
            folds = f" (fold {', '.join(map(str, pair['leaks_in']))})" if several else ""
            leaks.append(f"the same recording both in test and elsewhere: {line}{folds}")
        elif inside:
            warnings.append(f"the same recording both in training and validation: {line}")
        else:
            notes.append(f"the same recording twice on one side: {line}")
    if any(one["augmented"] for one in lines):
        count = sum(one["augmented"] for one in lines)
        first = next(one["augmented_of"][0] for one in lines if one["augmented"])
        leaks.append(
            f"augmented copies both in test and elsewhere: of {count:,} utterances{where('augmented')}, such as {first}"
        )
    if result["sentences"]:
        warnings.append(f"sentences both in test and elsewhere: {_some(result['sentences'])}{where('sentences')}")
    for cue in result["cues"]:
        spread = _limits(cue["interval"])
        line = (
            f"length, silence at the ends, level, rate and DC alone tell the {cue['target']} at a UAR of "
            f"{100 * cue['uar']:.1f} %{spread}, chance {100 * cue['chance']:.1f} % (strongest: "
            f"{cue['strongest'].replace('_', ' ')})"
        )
        (warnings if cue["warning"] else notes).append(line)
    for kind in ("speakers", "sentences"):
        names = sorted({name for one in lines for name in one[f"validation_{kind}"]})
        if names:
            notes.append(f"validation shares {kind} with training: {_some(names)}{where(f'validation_{kind}')}")
    if not result["recordings"]:
        notes.append("no recording is here: copies are those of the published list, cues were not examined")
    elif result["recordings"] < (table["utterance"] == table["id"]).sum():
        notes.append(f"{result['recordings']:,} recordings are here and were examined")
    if set(table["speaker"]) <= {"unknown", ""}:
        warnings.append("no speaker is known: whether voices are shared cannot be said")
    if set(table["text"]) <= {"unknown", ""}:
        notes.append("no text is known: whether sentences are shared cannot be said")
    return {"leaks": leaks, "warnings": warnings, "notes": notes, "ok": not leaks}


def _limits(limits) -> str:
    """ " [12.0, 15.5]" in percent, or nothing."""
    return f" [{100 * limits[0]:.1f}, {100 * limits[1]:.1f}]" if limits else ""


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
