"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset: the audio.

Origin: University of Pennsylvania and Ursinus College, 2014. 91 actors (43 women, 48 men, 20 to 74 years) say twelve
sentences in six emotions: one sentence (IEO) at three intensity levels, the others without a level.

Size: 7,442 utterances, 16 kHz, 16 bit, mono. Neutral 1,087, every other emotion 1,271.

File name: ``1001_DFA_ANG_XX.wav``: actor, sentence, emotion (ANG, DIS, FEA, HAP, NEU, SAD), level (LO, MD, HI, XX
unspecified). ``intensity`` is strong for HI, normal for LO and MD, else unknown; ``take`` is the published level.

Oddities: one file is called ``1040_ITH_SAD_X.wav``, with one X. ``1076_MTI_SAD_XX.wav`` is reported to be silent. Our
checksum list has 7,439 of the 7,442 files. The other three (``UNLISTED``) are reported to be byte-identical to a file
with another emotion (1006_TIE_HAP, 1013_WSI_DIS and 1017_IWW_ANG). They are loaded if present, and ``ser data verify``
lists them as unverifiable. The published repository also holds MP3 copies of all files, which count as duplicates.

Licence: Open Database License (ODbL) 1.0, contents under the Database Contents License (DbCL) 1.0.
"""

import re

from ser_core.corpora.table import Corpus, stem

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust")
EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
# fmt: off
WOMEN = frozenset((
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028, 1029, 1030, 1037,
    1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063, 1072, 1073, 1074, 1075, 1076, 1078,
    1079, 1082, 1084, 1089, 1091,
))
# fmt: on
UNLISTED = ("1006_TIE_NEU_XX", "1013_WSI_SAD_XX", "1017_IWW_FEA_XX")

_INTENSITY = {"LO": "normal", "MD": "normal", "HI": "strong", "XX": "unknown"}
_NAME = re.compile(rf"(10\d\d)_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(LO|MD|HI|XX?)", re.IGNORECASE)


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no recording of CREMA-D.

    >>> parse("AudioWAV/1001_DFA_ANG_XX.wav")["emotion"]
    'angry'
    """
    match = _NAME.fullmatch(stem(path) or "")
    if match is None or not 1001 <= int(match[1]) <= 1091:
        return None
    speaker, sentence, emotion, level = (part.upper() for part in match.groups())
    level = "XX" if level == "X" else level
    published = "X" if (speaker, sentence, emotion) == ("1040", "ITH", "SAD") else level
    return {
        "id": f"{speaker}_{sentence}_{emotion}_{published}",
        "speaker": speaker,
        "sex": "female" if int(speaker) in WOMEN else "male",
        "emotion": EMOTIONS[emotion],
        "text": sentence,
        "intensity": _INTENSITY[level],
        "take": level,
    }


CORPUS = Corpus(
    name="cremad",
    title="CREMA-D",
    labels=LABELS,
    speakers=91,
    expected=7442,
    folder="cremad",
    licence="ODbL 1.0 (contents DbCL 1.0)",
    doi="10.1109/TAFFC.2014.2336244",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    citation=(
        "Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: Crowd-sourced Emotional Multimodal "
        "Actors Dataset. IEEE Transactions on Affective Computing 5(4): 377-390."
    ),
    parse=parse,
    unlisted=UNLISTED,
)
