"""TESS, the Toronto Emotional Speech Set.

Origin: University of Toronto, Psychology Department, 2010 (Dataverse record 2020). Two actresses, one of 26 (YAF) and
one of 64 years (OAF), say "Say the word ..." with 200 target words in seven emotions.

Size: 2,800 utterances (2 x 200 x 7), 24,414 Hz, 16 bit, mono, 2.06 s on average.

File name: ``OAF_back_angry.wav``: speaker, target word, emotion (angry, disgust, fear, happy, neutral, ps, sad; ps is
pleasant surprise).

Oddities of the published files: ``OA_bite_neutral.wav`` lacks the F of OAF; ``OAF_food_fear.wav`` has 96 kHz;
``YAF_germ_angry.wav`` and ``YAF_neat_fear.wav`` are AIFF files with a .wav name. Common copies write
``pleasant_surprise`` or ``pleasant_surprised`` for ps, mix upper and lower case, are flat or have one folder per
speaker and emotion, or hold every file twice (5,600 files).

Licence: CC BY-NC-ND 4.0.
"""

import re

from ser_core.corpora.table import SPELLINGS, Corpus, Remote, stem

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")

_NAME = re.compile(
    r"(OAF?|YAF?)_([a-z]+)_(angry|anger|disgust|fear|fearful|happy|neutral|sad|ps|(?:pleasant[_ ]?)?surprised?)",
    re.IGNORECASE,
)
_CANONICAL = {"fearful": "fear", "surprised": "ps"}


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no recording of TESS.

    >>> parse("OAF_back_pleasant_surprised.wav")["id"]
    'OAF_back_ps'
    """
    match = _NAME.fullmatch(stem(path) or "")
    if match is None:
        return None
    speaker, word, spelling = match[1].upper()[0] + "AF", match[2].lower(), match[3].lower()
    emotion = "surprised" if "surprise" in spelling else SPELLINGS[spelling]
    return {
        "id": f"{speaker}_{word}_{_CANONICAL.get(emotion, emotion)}",
        "speaker": speaker,
        "sex": "female",
        "emotion": emotion,
        "text": word,
        "intensity": "unknown",
        "take": "01",
    }


CORPUS = Corpus(
    name="tess",
    title="TESS",
    labels=LABELS,
    speakers=2,
    expected=2800,
    folder="tess",
    licence="CC BY-NC-ND 4.0",
    doi="10.5683/SP2/E8H2MF",
    url="https://doi.org/10.5683/SP2/E8H2MF",
    citation=(
        "Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS). Borealis, V1. "
        "https://doi.org/10.5683/SP2/E8H2MF"
    ),
    parse=parse,
    remotes=(
        Remote(
            name="TESS",
            url="https://borealisdata.ca/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
            checksum="",
            bytes=0,
        ),
    ),
)
