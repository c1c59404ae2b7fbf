"""Write the folds of a protocol for other tools: CSV, EmoBox's JSON Lines, or an audformat database."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_core import corpora
from ser_core._utils.atomic import reported_storage, write_atomically
from ser_core._utils.errors import SerError
from ser_core.corpora import inventory
from ser_core.protocols import assignment, splits

EMOBOX_SUBSETS = {"train": "train", "validation": "valid", "test": "test"}
AUDFORMAT_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
NEEDS = "--format audformat: needs the package audformat; pip install '.[formats]'"


def export_folds(
    corpus: str, protocol: str, form: str, output: str | os.PathLike, test_corpus: str | None = None
) -> dict:
    """Write the folds of a corpus under a protocol.

    Parameters
    ----------
    corpus, protocol, test_corpus : str
        as for :func:`ser_core.protocols.assignment.utterance_sides`
    form : str
        one of :data:`FORMS`
    output : path
        of the CSV file; for the other forms a folder, made where it is missing

    Returns
    -------
    dict
        ``corpus``, ``protocol``, ``format``, ``folds``, ``utterances``, ``output``

    Raises
    ------
    SerError
        for an unknown form, the protocol ``leaky`` in a form that lists files, or a corpus or protocol that cannot be
        used
    """
    if form not in FORMS:
        raise SerError(f"--format {form}: choose among {', '.join(FORMS)}")
    protocol = splits.canonical_protocol(protocol)
    frame = assignment.utterance_sides(corpus, protocol, test_corpus)
    numbers = [column for column in frame if column.isdigit()]
    path = Path(os.path.expanduser(output))  # as given, for the answer
    write = FORMS[form]
    if write is None:
        write_atomically(path, frame.to_csv(index=False, lineterminator="\n").encode())
    else:
        if protocol == "leaky":
            raise SerError(
                f"--format {form}: protocol leaky holds augmented copies, which are no files; use --format csv"
            )
        names = [corpus, *([test_corpus] if protocol == "cross" and test_corpus else [])]
        write(_with_files(frame, names), numbers, data_set_name(corpus), path)
    return {
        "corpus": corpora.canonical_name(corpus),
        "protocol": protocol,
        "format": form,
        "folds": len(numbers),
        "utterances": len(frame),
        "output": str(path),
    }


def data_set_name(corpus: str) -> str:
    """Return a name for files and folders.

    >>> data_set_name("ravdess"), data_set_name("csv:/data/my list.csv")
    ('ravdess', 'my-list')
    """
    path = corpus.partition(":")[2].partition("#")[0]
    return re.sub(r"[^\w.-]+", "-", Path(path).stem if path else corpus)


def _with_files(frame, names: list[str]):
    """Folds with ``file``, ``sex`` and, where they are known, limits of segments and facts of the recordings."""
    import pandas as pd

    known = pd.concat([_files(name) for name in names], ignore_index=True).drop_duplicates("id")
    return frame.merge(known, on="id", how="left")


def _files(name: str):
    """``id``, ``file``, ``sex``, and where known ``start``, ``end``, ``seconds``, ``rate`` and ``channels``."""
    columns = ["id", "file", "sex", "start", "end", "seconds", "rate", "channels"]
    if corpora.is_listed(name):
        table = corpora.manifest(name).rename(columns={"sample_rate": "rate"})
    else:
        table = inventory.read_headers(name)
        folder = table.attrs.get("folder") or os.path.commonpath(list(table["path"]))
        table["file"] = [Path(os.path.relpath(path, folder)).as_posix() for path in table["path"]]
    return table[[column for column in columns if column in table]]


def _write_emobox(frame, numbers: list[str], name: str, output: Path) -> None:
    """One folder as EmoBox's ``data/NAME``: all utterances, the label map, and a folder per fold, from 1."""
    lines = {row["id"]: json.dumps(_emobox_line(row)) for row in frame.to_dict("records")}
    files = {f"{name}.jsonl": list(lines)}
    for number in numbers:
        fold = int(number) + 1
        for side, subset in EMOBOX_SUBSETS.items():
            files[f"fold_{fold}/{name}_{subset}_fold_{fold}.jsonl"] = list(frame.loc[frame[number] == side, "id"])
    for file, ids in files.items():
        write_atomically(output / name / file, "".join(f"{lines[key]}\n" for key in ids).encode())
    labels = {emotion: emotion.capitalize() for emotion in sorted(set(frame["emotion"]))}
    write_atomically(output / name / "label_map.json", (json.dumps(labels, indent=4) + "\n").encode())


def _emobox_line(row: dict) -> dict:
    """One utterance in EmoBox's fields, followed by those that it has not: ``speaker``, ``gender``, ``text``."""
    data_set = data_set_name(row["corpus"])
    known = {key: value for key, value in row.items() if value == value and value is not None}
    line = {
        "key": f"{data_set}-{row['id']}",
        "dataset": data_set,
        "wav": row["file"],
        "type": "raw",
        "task": "category",
    }
    if "rate" in known:
        line["sample_rate"] = int(known["rate"])
    if "seconds" in known:
        line["length"] = float(known["seconds"])
        if "rate" in known:
            line["num_frame"] = round(known["seconds"] * known["rate"])
    line |= {"emo": row["emotion"], "channel": int(known.get("channels", 1))}
    if "start" in known:
        line |= {"start_time": known["start"], "end_time": known.get("end", known["start"] + known.get("seconds", 0.0))}
    names = {"speaker": "speaker", "sex": "gender", "text": "text"}
    return line | {names[key]: row[key] for key in names if row[key] != "unknown"}


def _write_audformat(frame, numbers: list[str], name: str, output: Path) -> None:
    """A database with a table ``emotion`` of all utterances, and one per fold and subset (``fold-0.train``, ...)."""
    try:
        import audformat
    except ImportError:
        raise SerError(NEEDS) from None
    database = audformat.Database(name)
    database.schemes["emotion"] = audformat.Scheme(labels=sorted(set(frame["emotion"])))
    database.schemes["speaker"] = audformat.Scheme(labels=_speakers(frame))
    database.schemes["text"] = audformat.Scheme("str")
    database.schemes["id"] = audformat.Scheme("str")
    for split in AUDFORMAT_SPLITS.values():
        database.splits[split] = audformat.Split(type=split)
    parts: dict[str, tuple[str | None, Any]] = {"emotion": (None, frame)}
    for number in numbers:
        for side, split in AUDFORMAT_SPLITS.items():
            parts[f"fold-{number}.{split}"] = (split, frame[frame[number] == side])
    for key, (split_id, part) in parts.items():
        database[key] = audformat.Table(_audformat_index(part, audformat), split_id=split_id)
        for column in ("emotion", "speaker", "text", "id"):
            if key == "emotion" or column in ("emotion", "speaker"):
                database[key][column] = audformat.Column(scheme_id=column)
                database[key][column].set(list(part[column]))
    with reported_storage(output):
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=output) as temporary:
            database.save(temporary, storage_format="csv")
            for path in sorted(Path(temporary).iterdir()):
                os.replace(path, output / path.name)


def _speakers(frame) -> dict[str, dict[str, str]]:
    sexes = dict(zip(frame["speaker"], frame["sex"], strict=True))
    return {name: {"gender": sex} for name, sex in sorted(sexes.items())}


def _audformat_index(part, audformat):
    """Filewise, or segmented where any utterance is a segment."""
    import pandas as pd

    if "start" not in part:
        return audformat.filewise_index(list(part["file"]))
    starts = [pd.Timedelta(0 if value != value else value, unit="s") for value in part["start"]]
    ends = [pd.NaT if value != value else pd.Timedelta(value, unit="s") for value in part["end"]]
    return audformat.segmented_index(list(part["file"]), starts, ends)


FORMS: dict[str, Callable | None] = {"csv": None, "emobox": _write_emobox, "audformat": _write_audformat}
"""Forms in which folds are written."""
