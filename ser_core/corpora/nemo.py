"""nEMO (Polish).

Origin: Adam Mickiewicz University, Poznań, 2024. Nine actors (4 women, 5 men) say 90 sentences in six emotions. Not
every actor has every sentence in every emotion: MK0 has 450 recordings, MP0 256, the others 538 to 540.

Size: 4,481 utterances, 24 kHz, 16 bit, mono. Neutral 809, sadness 769, anger 749, happiness 749, fear 736,
surprise 669.

File name: ``EB0_anger_1.wav``: speaker, emotion (nouns and adjectives mixed: anger, surprised), number of the sentence.

Oddities: the published table ``data.tsv`` has eight blanks before the name of every speaker. It is not needed here: the
file names say the same. ``nemo:PATH`` reads a folder through the table.

Licence: CC BY-NC-SA 4.0.
"""

import re

from ser_core.corpora.table import Corpus, stem

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "surprised")
EMOTIONS = {
    "neutral": "neutral",
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "surprised": "surprised",
}
WOMEN = ("EB0", "IC0", "KD0", "MK0")
MEN = ("KS0", "MP0", "SM0", "TP0", "WR0")

_NAME = re.compile(rf"([A-Z]{{2}}0)_({'|'.join(EMOTIONS)})_([1-9]|[1-8]\d|90)", re.IGNORECASE)


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no recording of nEMO.

    >>> parse("samples/EB0_anger_1.wav")["emotion"]
    'angry'
    """
    match = _NAME.fullmatch(stem(path) or "")
    if match is None or match[1].upper() not in WOMEN + MEN:
        return None
    speaker, emotion, sentence = match[1].upper(), match[2].lower(), match[3]
    return {
        "id": f"{speaker}_{emotion}_{sentence}",
        "speaker": speaker,
        "sex": "female" if speaker in WOMEN else "male",
        "emotion": EMOTIONS[emotion],
        "text": f"{int(sentence):02d}",
        "intensity": "unknown",
        "take": "1",
    }


CORPUS = Corpus(
    name="nemo",
    title="nEMO",
    labels=LABELS,
    speakers=9,
    expected=4481,
    folder="nemo",
    licence="CC BY-NC-SA 4.0",
    doi="10.48550/arXiv.2404.06292",
    url="https://huggingface.co/datasets/amu-cai/nEMO",
    citation="Christop I (2024). nEMO: Dataset of Emotional Speech in Polish. Proc. LREC-COLING 2024, lrec-main.1059.",
    parse=parse,
)
