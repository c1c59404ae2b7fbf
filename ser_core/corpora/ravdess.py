"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: the speech part, audio only.

Origin: SMART Lab, Ryerson University, Toronto, 2018. 24 professional actors (12 women, 12 men; odd numbers are men)
say two statements twice in eight emotions at two intensities (neutral has only the normal one).

Size: 1,440 utterances, 48 kHz, 16 bit, 2.94 to 5.27 s, 3.70 s on average. Neutral 96, every other emotion 192.

File name: ``03-01-EE-II-SS-RR-AA.wav``: 03 audio only, 01 speech, emotion 01 to 08, intensity 01 normal or 02 strong,
statement 01 "Kids are talking by the door" or 02 "Dogs are sitting by the door", repetition 01 or 02, actor 01 to 24.

Oddities of the published files: five are stereo with two identical channels; two of actor 07 are the same bytes
(``03-01-03-01-02-01-07`` and ``03-01-03-01-02-02-07``). Common copies hold every file twice, once per actor and
once in a nested ``audio_speech_actors_01-24``. Song (``03-02-...``) and video (``01-...``, ``02-...``) do not belong
to it.

Licence: CC BY-NC-SA 4.0.
"""

import re

from ser_core.corpora.table import Corpus, Remote, stem

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}

_NAME = re.compile(r"03-01-0([1-8])-(0[12])-(0[12])-(0[12])-([0-2][0-9])")


def parse(path: str) -> dict[str, str] | None:
    """Return the utterance columns of a relative path, or None if it is no speech recording of RAVDESS.

    >>> parse("Actor_12/03-01-06-02-01-02-12.wav")["emotion"]
    'fearful'
    """
    match = _NAME.fullmatch(stem(path) or "")
    if match is None:
        return None
    emotion, intensity, statement, repetition, actor = match.groups()
    if not 1 <= int(actor) <= 24 or (emotion == "1" and intensity == "02"):
        return None
    return {
        "id": match.group(),
        "speaker": actor,
        "sex": "male" if int(actor) % 2 else "female",
        "emotion": LABELS[int(emotion) - 1],
        "text": statement,
        "intensity": "normal" if intensity == "01" else "strong",
        "take": repetition,
    }


CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS",
    labels=LABELS,
    speakers=24,
    expected=1440,
    folder="ravdess",
    licence="CC BY-NC-SA 4.0",
    doi="10.5281/zenodo.1188976",
    url="https://doi.org/10.5281/zenodo.1188976",
    citation=(
        "Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS): "
        "A dynamic, multimodal set of facial and vocal expressions in North American English. PLoS ONE 13(5): e0196391."
    ),
    parse=parse,
    remotes=(
        Remote(
            name="Audio_Speech_Actors_01-24.zip",
            url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            checksum="md5:bc696df654c87fed845eb13823edef8a",
            bytes=208_468_073,
        ),
    ),
)
