"""ESD, the Emotional Speech Dataset: ``esd:PATH``.

PATH is the folder that holds the speakers' folders ``0001`` to ``0020``, each with a folder per emotion. Speakers 1 to
10 speak Mandarin, 11 to 20 English. The 350 sentences of a speaker are said in each of five emotions, in blocks of 350
numbers: ``text`` is the language and the number within the block, the same for all speakers of the language. The
folders ``train``, ``evaluation`` and ``test`` are the protocol ``official`` where they exist; they share all speakers.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing
from ser_core.corpora.table import walk

WOMEN = ("0001", "0002", "0003", "0007", "0009", "0015", "0016", "0017", "0018", "0019")
SENTENCES = 350
SUBSETS = {"train": "train", "evaluation": "validation", "test": "test"}

_PATH = re.compile(
    r"(?:.*/)?(00(?:0[1-9]|1\d|20))/(Angry|Happy|Neutral|Sad|Surprise)/(?:(train|evaluation|test)/)?\1_(\d{6})\.(\w+)",
    re.IGNORECASE,
)


def read(name: str, where: Path):
    """Read the utterance table of ESD.

    Parameters
    ----------
    name : str
        of the corpus, ``esd:PATH``
    where : Path
        the folder that holds ``0001`` to ``0020``

    Raises
    ------
    SerError
        for a folder without such files
    """
    if not where.is_dir():
        raise SerError(f"no folder {where}: esd:PATH takes the folder that holds 0001 to 0020")
    return listing.collect(_entries(where), name, where)


def _entries(where: Path) -> Iterator[dict]:
    count = 0
    for path in walk(where):
        match = _PATH.fullmatch(path)
        if match is None:
            continue
        count += 1
        speaker, emotion, subset, number, _ = match.groups()
        language = "zh" if int(speaker) <= 10 else "en"
        yield {
            "id": f"{speaker}_{number}",
            "file": path,
            "at": str(where / path),
            "emotion": emotion,
            "speaker": speaker,
            "sex": "female" if speaker in WOMEN else "male",
            "text": f"{language}-{(int(number) - 1) % SENTENCES + 1:03d}",
            "folds": {"0": SUBSETS[subset.lower()]} if subset else None,
        }
    if not count:
        raise SerError(f"{where}: no file such as 0011/Angry/0011_000351.wav in it")
