"""EmoDB, the Berlin Database of Emotional Speech (German).

Origin: Technical University of Berlin, 1997 to 1999, published 2005. Ten actors (5 women, 5 men) say ten sentences in
seven emotions. The corpus has the recordings that at least 80 % of the listeners recognised and 60 % found natural.

Size: 535 utterances, 16 kHz, 16 bit, mono. Anger 127, boredom 81, neutral 79, happiness 71, fear 69, sadness 62,
disgust 46.

File name: ``03a01Fa.wav``: speaker (03, 08 to 16), sentence (a01, a02, a04, a05, a07 short; b01, b02, b03, b09, b10
long), emotion by its German name (W Wut, L Langeweile, E Ekel, A Angst, F Freude, T Trauer, N neutral), version.

Version 2 (``emodb2``) has 816 files of the same speakers and with the same names, among them those that the listeners
did not agree on. This suite has no list of them: every file with such a name counts. ``ser data verify`` compares the
files of version 1 and says which version a folder holds.

Oddities: the published archive also holds label files (``lablaut``, ``labsilb``, ``silb``), which are not audio.

Licence: free for research; the authors ask for the citation of the 2005 paper.
"""

import re
from dataclasses import replace

from ser_core.corpora.table import Corpus, stem

LABELS = ("neutral", "boredom", "happy", "sad", "angry", "fearful", "disgust")
EMOTIONS = {
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
WOMEN = ("08", "09", "13", "14", "16")
MEN = ("03", "10", "11", "12", "15")

_NAME = re.compile(r"(\d\d)(a0[12457]|b0[1239]|b10)([WLEAFTN])([a-z])", re.IGNORECASE)


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no recording of EmoDB.

    >>> parse("wav/03a01Fa.wav")["emotion"]
    'happy'
    """
    match = _NAME.fullmatch(stem(path) or "")
    if match is None or match[1] not in WOMEN + MEN:
        return None
    speaker, text, emotion, version = match[1], match[2].lower(), match[3].upper(), match[4].lower()
    return {
        "id": f"{speaker}{text}{emotion}{version}",
        "speaker": speaker,
        "sex": "female" if speaker in WOMEN else "male",
        "emotion": EMOTIONS[emotion],
        "text": text,
        "intensity": "unknown",
        "take": version,
    }


CORPUS = Corpus(
    name="emodb",
    title="EmoDB",
    labels=LABELS,
    speakers=10,
    expected=535,
    folder="emodb",
    licence="free for research, with citation",
    doi="10.21437/Interspeech.2005-446",
    url="http://emodb.bilderbar.info/",
    citation=(
        "Burkhardt F, Paeschke A, Rolfes M, Sendlmeier WF, Weiss B (2005). A database of German emotional speech. "
        "Proc. Interspeech 2005, 1517-1520."
    ),
    parse=parse,
)
CORPUS_2 = replace(CORPUS, name="emodb2", title="EmoDB 2", expected=816, folder="emodb2", extends="emodb")
