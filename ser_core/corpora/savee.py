"""SAVEE, the Surrey Audio-Visual Expressed Emotion database: the audio.

Origin: University of Surrey, 2008 to 2011. Four men (DC, JE, JK, KL), students and researchers, read TIMIT sentences in
seven emotions: 15 per emotion (3 common to all, 2 of that emotion, 10 generic) and 30 neutral.

Size: 480 utterances, 44.1 kHz, 16 bit. Neutral 120, every other emotion 60.

File name: ``DC/a01.wav``, and ``DC_a01.wav`` where the tree is flat: speaker, emotion (a anger, d disgust, f fear,
h happiness, n neutral, sa sadness, su surprise), number of the sentence within the emotion.

Oddities: file names repeat across speakers, so the folder or the prefix is needed. The names do not identify the
sentence, and no list of the sentences comes with the files. We read numbers 01 to 03 as the three common ones (``text``
is ``common01`` to ``common03``, the same in every emotion) and every other number as a different sentence.

Licence: for research, after registration with the authors.
"""

import re
from pathlib import PurePosixPath

from ser_core.corpora.table import Corpus, stem

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}
SPEAKERS = ("DC", "JE", "JK", "KL")

_NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?(a|d|f|h|n|sa|su)(\d\d)", re.IGNORECASE)


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no recording of SAVEE.

    >>> parse("DC/sa03.wav")["text"]
    'common03'
    """
    match = _NAME.fullmatch(stem(path) or "")
    if match is None:
        return None
    speaker = (match[1] or PurePosixPath(path).parent.name).upper()
    code, number = match[2].lower(), match[3]
    if speaker not in SPEAKERS or not 1 <= int(number) <= (30 if code == "n" else 15):
        return None
    return {
        "id": f"{speaker}_{code}{number}",
        "speaker": speaker,
        "sex": "male",
        "emotion": EMOTIONS[code],
        "text": f"common{number}" if int(number) <= 3 else f"{code}{number}",
        "intensity": "unknown",
        "take": "01",
    }


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    labels=LABELS,
    speakers=4,
    expected=480,
    folder="savee",
    licence="for research, after registration",
    doi="10.4018/978-1-61520-919-4.ch017",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    citation=(
        "Jackson P, Haq S (2014). Surrey Audio-Visual Expressed Emotion (SAVEE) Database. University of Surrey, "
        "Guildford. Described in: Haq S, Jackson PJB (2010). Multimodal emotion recognition. In: Machine Audition: "
        "Principles, Algorithms and Systems. IGI Global, 398-423."
    ),
    parse=parse,
)
