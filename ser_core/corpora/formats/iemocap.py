"""IEMOCAP's evaluation files: ``iemocap:PATH``, and its usual four classes: ``iemocap4:PATH``.

PATH is the folder that holds ``Session1`` to ``Session5``. The summary lines of ``dialog/EmoEvaluation/*.txt`` give the
emotion and the mean valence, activation and dominance (1 to 5); ``sentences/wav`` holds the recordings, and
``dialog/transcriptions`` the texts. Utterances without agreement (``xxx``) or of another emotion (``oth``) are
left out.

The speaker is the session and the letter before the utterance's number: ``Ses01F_impro01_M003`` is said by the man of
session 1. The ``F`` of ``Ses01F`` says who wears the markers, not who speaks: as the speaker it mixes two voices.

``official`` are the usual five folds: fold k tests one session and validates on the next. ``iemocap4`` keeps neutral,
happy, sad and angry, with ``exc`` counted as happy.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing
from ser_core.corpora.table import named_folder

EMOTIONS = {
    "neu": "neutral", "hap": "happy", "sad": "sad", "ang": "angry", "fea": "fearful", "dis": "disgust",
    "sur": "surprised", "exc": "excited", "fru": "frustrated", "oth": None, "xxx": None,
}  # fmt: skip
FOUR: dict[str, str | None] = {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"}
SESSIONS = 5
SCALE = "1 to 5"

_LINE = re.compile(
    r"\[\d+\.\d+ - \d+\.\d+\]\t(Ses(0[1-5])[FM]_\w+_([FM])(\d{3}|XX\d))\t(\w{3})\t\[([\d.]+), ([\d.]+), ([\d.]+)\]"
)
_TEXT = re.compile(r"(\w+) \[[\d.]+-[\d.]+\]: (.*)")


def read(name: str, where: Path):
    """Read the utterance table of IEMOCAP, all emotions.

    Parameters
    ----------
    name : str
        of the corpus, ``iemocap:PATH``
    where : Path
        the folder that holds ``Session1`` to ``Session5``

    Raises
    ------
    SerError
        for a folder without evaluation files
    """
    return listing.collect(_entries(where, EMOTIONS), name, where, scale=SCALE)


def read_four(name: str, where: Path):
    """Read the utterance table of IEMOCAP's four usual classes; see :func:`read`."""
    return listing.collect(_entries(where, FOUR), name, where, scale=SCALE)


def _entries(where: Path, emotions: dict[str, str | None]) -> Iterator[dict]:
    files = [
        (number, path)
        for number in range(1, SESSIONS + 1)
        for path in sorted((where / f"Session{number}" / "dialog" / "EmoEvaluation").glob("Ses*.txt"))
    ]
    if not files:
        inside = named_folder(where, "IEMOCAP_full_release")
        hint = f"; try {inside}" if inside else ""
        raise SerError(f"{where}: no Session1/dialog/EmoEvaluation/*.txt in it{hint}")
    for session, path in files:
        texts = _texts(path.parents[1] / "transcriptions" / path.name)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            match = _LINE.match(line)
            if match is None:
                continue
            utterance, who = match[1], match[3]
            yield {
                "id": utterance,
                "file": f"Session{session}/sentences/wav/{path.stem}/{utterance}.wav",
                "at": f"{path}, line {number}",
                "emotion": emotions.get(match[5]),
                "speaker": f"Ses{match[2]}{who}",
                "sex": who,
                "text": texts.get(utterance),
                "take": match[4],
                "valence": match[6],
                "arousal": match[7],
                "dominance": match[8],
                "folds": _folds(session),
            }


def _folds(session: int) -> dict[str, str]:
    """Subset of a session in each fold."""
    subset = {0: "test", 1: "validation"}
    return {str(fold): subset.get((session - 1 - fold) % SESSIONS, "train") for fold in range(SESSIONS)}


def _texts(where: Path) -> dict[str, str]:
    """Text of each utterance of a dialogue; empty without a transcription."""
    if not where.is_file():
        return {}
    lines = where.read_text(encoding="utf-8", errors="replace").splitlines()
    return {match[1]: match[2].strip() for line in lines if (match := _TEXT.match(line))}
