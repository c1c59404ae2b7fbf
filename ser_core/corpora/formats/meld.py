"""MELD's tables: ``meld:PATH``.

PATH is the folder that holds ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv``, or folders with
them. The published clips are videos (``dia0_utt3.mp4``): the extra ``containers`` reads their sound, or write it to
audio files of the same name in the same folder. ``StartTime`` and ``EndTime`` are places in the episode, not in the
clip, and are ignored. ``official`` is the published split. Speakers are characters; those beyond the six friends have
no sex here.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing
from ser_core.corpora.table import stem, walk

TABLES = {"train": "train_sent_emo.csv", "dev": "dev_sent_emo.csv", "test": "test_sent_emo.csv"}
CLIPS = {
    "train": ("train_splits", "train"),
    "dev": ("dev_splits_complete", "dev_splits", "dev"),
    "test": ("output_repeated_splits_test", "test_splits", "test"),
}
"""Folders of the clips of each subset, below PATH or the folder of the table."""
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
FRIENDS = {
    "Chandler": "male", "Joey": "male", "Ross": "male", "Monica": "female", "Phoebe": "female", "Rachel": "female",
}  # fmt: skip


def read(name: str, where: Path):
    """Read the utterance table of MELD.

    Parameters
    ----------
    name : str
        of the corpus, ``meld:PATH``
    where : Path
        the folder that holds the tables

    Raises
    ------
    SerError
        for a folder without the tables, or a table that lacks a column
    """
    paths = list(walk(where)) if where.is_dir() else []
    tables = {subset: path for subset, file in TABLES.items() for path in paths if path.rpartition("/")[2] == file}
    if not tables:
        raise SerError(f"{where}: holds none of {', '.join(TABLES.values())}")
    clips = _clips(paths)
    return listing.collect(_entries(where, tables, clips), name, where)


def _clips(paths: list[str]) -> dict[tuple[str, str], str]:
    """Subset and name of a clip to the path of its sound."""
    found: dict[tuple[str, str], str] = {}
    for path in paths:
        folder = os.path.basename(os.path.dirname(path)).lower()
        for subset, names in CLIPS.items():
            name = stem(path)
            if folder in names and name:
                found.setdefault((subset, name), path)
    return found


def _entries(where: Path, tables: dict[str, str], clips: dict[tuple[str, str], str]) -> Iterator[dict]:
    for subset, path in tables.items():
        for number, line in listing.read_table(where / path, COLUMNS, separators=","):
            clip = f"dia{line['Dialogue_ID']}_utt{line['Utterance_ID']}"
            speaker = line["Speaker"]
            yield {
                "id": f"{subset}/{clip}",
                "file": clips.get((subset, clip), f"{CLIPS[subset][0]}/{clip}.wav"),
                "at": f"{where / path}, row {number}",
                "emotion": line["Emotion"],
                "speaker": speaker,
                "sex": FRIENDS.get(speaker),
                "text": line["Utterance"],
                "folds": {"0": subset},
            }
