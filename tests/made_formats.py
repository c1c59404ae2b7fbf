"""Ten utterances written in the formats of other tools: five speakers, two emotions, segments and whole recordings."""

import csv
import json
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
SPEAKERS = {"anna": "female", "ben": "male", "carla": "female", "dan": "male", "eva": "female"}


def utterances() -> list[dict]:
    """Id, file, limits and facts of ten utterances: a long recording of each speaker in two parts, but one in files."""
    rows = []
    for speaker, sex in SPEAKERS.items():
        for number, (emotion, start, end) in enumerate((("happy", 0.0, 1.25), ("angry", 1.25, 2.5))):
            row = {"speaker": speaker, "sex": sex, "emotion": emotion, "text": f"s{number}"}
            if speaker == "eva":
                rows.append(
                    row | {"id": f"wav/eva-{number}", "file": f"wav/eva-{number}.wav", "start": None, "end": None}
                )
            else:
                name = f"wav/{speaker}@{start:g}-{end:g}"
                rows.append(row | {"id": name, "file": f"wav/{speaker}.wav", "start": start, "end": end})
    return rows


def write_audio(root: Path) -> None:
    """Write the recordings below ``root``: noise of another colour for each."""
    (root / "wav").mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(sorted({row["file"] for row in utterances()})):
        random = np.random.default_rng(number)
        length = RATE * (1 if "eva" in file else 3)
        samples = np.cumsum(random.standard_normal(length)) if number % 2 else random.standard_normal(length)
        soundfile.write(root / file, 0.5 * samples / np.abs(samples).max(), RATE, subtype="PCM_16")


def write_nkululeko(root: Path) -> str:
    """A segmented index with durations as pandas writes them, and a column that has no meaning here."""
    clock = lambda seconds: "" if seconds is None else f"0 days 00:00:{seconds:09.6f}"  # noqa: E731
    with (root / "list.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "start", "end", "emotion", "speaker", "gender", "text", "age"])
        for row in utterances():
            limits = [clock(row["start"]), clock(row["end"])]
            table.writerow([row["file"], *limits, row["emotion"], row["speaker"], row["sex"], row["text"], 30])
    return f"nkululeko:{root / 'list.csv'}"


def write_audiofolder(root: Path) -> str:
    """``metadata.jsonl`` with the names of columns that Hugging Face's data sets use."""
    lines = []
    for row in utterances():
        line = {"file_name": row["file"], "label": {"happy": "happiness", "angry": "Anger"}[row["emotion"]]}
        line |= {"speaker_id": row["speaker"], "gender": row["sex"], "transcription": row["text"]}
        lines.append(line | ({"start": row["start"], "end": row["end"]} if row["end"] else {}))
    (root / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"audiofolder:{root}"


def write_kaldi(root: Path) -> str:
    """A data folder with paths from the folder above, as a recipe has them."""
    data = root / "data" / "train"
    data.mkdir(parents=True)
    rows = sorted(utterances(), key=lambda row: row["id"])
    recordings = {Path(row["file"]).stem: row["file"] for row in rows}
    files = {
        "wav.scp": recordings,
        "segments": {
            row["id"]: f"{Path(row['file']).stem} {row['start'] or 0.0:.2f} {row['end'] or -1:.2f}" for row in rows
        },
        "utt2spk": {row["id"]: row["speaker"] for row in rows},
        "spk2gender": {name: sex[0] for name, sex in SPEAKERS.items()},
        "utt2emo": {row["id"]: row["emotion"] for row in rows},
        "text": {row["id"]: row["text"] for row in rows},
    }
    for name, lines in files.items():
        (data / name).write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return f"kaldi:{data}"


def write_emobox(root: Path, folds: int = 5) -> str:
    """A data set's JSON Lines, label map and folds (each tests one speaker; no validation subset)."""
    data = root / "data" / "made"
    lines = {}
    for row in utterances():
        line = {"key": f"made-{row['id']}", "dataset": "made", "wav": row["file"], "type": "raw", "sample_rate": RATE}
        line |= {"emo": row["emotion"][:3], "channel": 1, "task": "category", "length": 1.25}
        line |= {"speaker": row["speaker"], "gender": row["sex"], "text": row["text"]}
        lines[row["id"]] = line | ({"start_time": row["start"], "end_time": row["end"]} if row["end"] else {})
    subsets = {"made.jsonl": list(lines)}
    for number, speaker in enumerate(list(SPEAKERS)[:folds], 1):
        tested = {row["id"] for row in utterances() if row["speaker"] == speaker}
        subsets[f"fold_{number}/made_test_fold_{number}.jsonl"] = sorted(tested)
        subsets[f"fold_{number}/made_train_fold_{number}.jsonl"] = sorted(set(lines) - tested)
    for name, ids in subsets.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("".join(json.dumps(lines[key]) + "\n" for key in ids))
    (data / "label_map.json").write_text(json.dumps({"hap": "Happy", "ang": "Angry"}))
    return f"emobox:{data}"


def write_audformat(root: Path, split: str | None = None) -> str:
    """A database with a segmented table of emotions, a filewise one of speakers, and sexes in a misc table."""
    import audformat
    import pandas as pd

    rows = utterances()
    files = {row["file"]: row["speaker"] for row in rows}
    database = audformat.Database("made")
    database.schemes["emotion"] = audformat.Scheme(labels=["happiness", "anger"])
    database.schemes["text"] = audformat.Scheme("str")
    database.schemes["gender"] = audformat.Scheme(labels=["female", "male"])
    database["speakers"] = audformat.MiscTable(pd.Index(list(SPEAKERS), dtype="string", name="speaker"))
    database["speakers"]["gender"] = audformat.Column(scheme_id="gender")
    database["speakers"]["gender"].set(list(SPEAKERS.values()))
    database.schemes["speaker"] = audformat.Scheme(labels="speakers", dtype="str")
    database["files"] = audformat.Table(audformat.filewise_index(list(files)))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set(list(files.values()))
    if split:
        database.splits["dev"] = audformat.Split(type=split)
    index = audformat.segmented_index(
        [row["file"] for row in rows],
        [pd.Timedelta(row["start"] or 0.0, unit="s") for row in rows],
        [pd.NaT if row["end"] is None else pd.Timedelta(row["end"], unit="s") for row in rows],
    )
    database["emotion"] = audformat.Table(index, split_id="dev" if split else None)
    database["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set([{"happy": "happiness", "angry": "anger"}[row["emotion"]] for row in rows])
    database["emotion"]["text"] = audformat.Column(scheme_id="text")
    database["emotion"]["text"].set([row["text"] for row in rows])
    database.save(str(root))
    return f"audformat:{root}"


WRITERS = {
    "nkululeko": write_nkululeko,
    "audiofolder": write_audiofolder,
    "kaldi": write_kaldi,
    "emobox": write_emobox,
    "audformat": write_audformat,
}
