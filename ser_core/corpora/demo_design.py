"""Design the clips of the demo corpus: speakers, emotions, and how each clip expresses its emotion.

An emotion is a set of deviations from a plain reading (:data:`PROFILES`). Their directions follow the reviews of Murray
and Arnott (1993), Banse and Scherer (1996) and Juslin and Laukka (2003). Speakers differ in voice, in how strongly and
in which way they act an emotion. Clips vary at random, and neighbouring emotions are blended, so that no simple rule
separates them.

All randomness is seeded by the identity of the clip, so that one clip can be made alone.
"""

import zlib
from dataclasses import dataclass

import numpy as np

SEED = 20240
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")  # RAVDESS codes 01 to 08
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")  # RAVDESS statements 01 and 02
TESS_NAMES = {name: name for name in ("angry", "disgust", "happy", "neutral", "sad")}
TESS_NAMES |= {"fear": "fearful", "ps": "surprised"}  # label in the file name -> one of EMOTIONS
WORDS = (
    *("back", "bean", "boat", "chair", "dime", "dog", "food", "gas", "home"),
    *("join", "king", "love", "mouse", "pass", "ring", "sheep", "tough", "youth"),
)
ACTORS = tuple(f"{number:02d}" for number in range(1, 25))
ACTRESSES = ("OAF", "YAF")
MALE_VOICES = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "adam", "max", "lee", "victor", "john")
FEMALE_VOICES = ("f1", "f2", "f3", "f4", "f5", "linda", "steph", "belinda", "Alicia", "Annie", "f2", "f5")

# Parameter -> deviation from the speaker's plain voice for each of EMOTIONS; units in the comments.
PROFILES = {
    #           neutral calm  happy  sad  angry fear disgust surprised
    "pitch": (0.0, -0.8, 3.5, -0.5, 3.0, 5.0, -0.8, 4.5),  # semitones
    "range": (0.0, -0.3, 0.50, -0.5, 0.35, -0.1, 0.15, 0.6),  # log of the factor on the pitch movements
    "final": (0.0, -0.5, 1.0, -2.5, -3.5, 1.0, -2.0, 6.5),  # semitones reached at the end of the utterance
    "accent": (0.0, -0.3, 2.2, -0.4, 2.0, 0.3, 1.2, 1.5),  # semitones on stressed (loud) syllables
    "rate": (0.0, -0.12, 0.13, -0.28, 0.08, 0.20, -0.22, 0.04),  # log of the factor on the speech rate
    "slowing": (0.0, 0.05, -0.16, 0.22, 0.10, -0.16, 0.30, -0.22),  # log rate lost from the first word to the last
    "pause": (0.0, 0.03, -0.03, 0.22, 0.0, 0.12, 0.15, 0.02),  # seconds, somewhere between two words
    "level": (0.0, -2.0, 4.0, -4.0, 8.0, 2.0, 0.5, 4.5),  # dB
    "dynamics": (0.0, -0.12, 0.15, -0.22, 0.45, -0.05, 0.30, 0.12),  # exponent added to the loudness contour
    "fade": (0.0, -1.0, 2.0, -5.5, -1.0, 1.0, -4.5, 5.0),  # dB from the first sound to the last
    "tilt": (0.0, -2.5, 3.0, -5.0, 6.0, 1.0, -0.5, 2.5),  # dB of the band above 1.2 kHz
    "bite": (0.0, -0.1, 0.15, -0.25, 0.45, 0.0, 0.2, 0.1),  # dB more of that band per dB of loudness
    "breath": (0.0, 3.0, 0.0, 7.0, -2.0, 7.0, 1.0, 3.0),  # dB of aspiration
    "jitter": (0.0, -0.002, 0.002, 0.006, 0.012, 0.022, 0.012, 0.004),  # relative, period to period
    "tremor": (0.0, 0.0, 0.05, 0.20, 0.0, 0.55, 0.05, 0.05),  # semitones, and 0.3 of it as a share of the amplitude
    "rough": (0.0, -0.05, 0.0, 0.0, 0.30, 0.05, 0.28, 0.0),  # depth of a 30 to 60 Hz amplitude modulation
    "smile": (0.0, 0.0, 0.06, -0.03, 0.01, 0.01, -0.05, 0.03),  # log shift of the formants
    "inhale": (0.0, 2.0, 1.0, 3.0, -2.0, 10.0, 0.0, 11.0),  # dB of the breath drawn before speaking
    "sigh": (0.0, 3.0, 0.0, 10.0, 0.0, 2.0, 8.0, 0.0),  # dB of the breath let out after it
}
NAMES = tuple(PROFILES)
TABLE = np.array([PROFILES[name] for name in NAMES]).T  # [emotion, parameter]
SPREAD = TABLE.std(axis=0)
# The two emotions with which each of EMOTIONS is most easily confused (likelier first); a clip blends in one of them.
NEIGHBOURS = {"neutral": ("calm", "sad"), "calm": ("neutral", "sad"), "happy": ("surprised", "angry")}
NEIGHBOURS |= {"sad": ("calm", "fearful"), "angry": ("disgust", "happy"), "fearful": ("sad", "surprised")}
NEIGHBOURS |= {"disgust": ("angry", "sad"), "surprised": ("happy", "fearful")}
BLEND = 0.45  # the largest share of the neighbour
OWN_STYLE, OWN_EMOTION, CLIP_JITTER = 0.45, 0.36, 0.42  # in units of SPREAD: per speaker, speaker x emotion, clip
ACTRESS_SPREAD = 0.45  # only two speakers: their styles differ less than those of two actors
STRENGTH = {"normal": 0.95, "strong": 1.35}


@dataclass(frozen=True)
class Clip:
    """Describe one clip: ``name`` is the member of the archive, ``speaker`` an actor number or an actress."""

    name: str
    speaker: str
    emotion: str
    intensity: str
    text: str


@dataclass(frozen=True)
class Voice:
    """Describe the voice of a speaker and the recording conditions."""

    variant: str  # of espeak-ng
    pitch: float  # Hz
    rate: float  # words per minute
    formants: float  # factor on their frequencies
    expressive: float  # factor on PROFILES
    noise: float  # dB below the speech
    colour: float  # of the noise, 0 (white) to 1 (brown)
    room: float  # reverberation time, s
    wet: float  # reverberation relative to the speech


def clips() -> tuple[Clip, ...]:
    """List all clips in the order of the archive.

    Returns
    -------
    tuple of Clip
        24 actors x 8 emotions x 2 statements, then 2 actresses x 18 words x 7 emotions.

    Examples
    --------
    >>> len(clips())
    636
    """
    designed = []
    for index, actor in enumerate(ACTORS):
        for code, emotion in enumerate(EMOTIONS, start=1):
            for statement, text in enumerate(STATEMENTS, start=1):
                # Strong for one of the two statements, the other statement for the next pair of actors.
                strong = emotion != "neutral" and (index // 2 + code + statement) % 2 == 0
                take = 1 + (index // 4 + statement + 1) % 2
                stem = f"03-01-{code:02d}-{1 + strong:02d}-{statement:02d}-{take:02d}-{actor}"
                name = f"demo_ravdess/Actor_{actor}/{stem}.ogg"
                designed.append(Clip(name, actor, emotion, "strong" if strong else "normal", text))
    for actress in ACTRESSES:
        for word in WORDS:
            for label, emotion in TESS_NAMES.items():
                name = f"demo_tess/{actress}_{word}_{label}.ogg"
                designed.append(Clip(name, actress, emotion, "normal", f"Say the word {word}"))
    return tuple(designed)


def seeded_random(*identity) -> np.random.Generator:
    """Return a random generator seeded by ``identity`` (converted to strings), the same on every machine."""
    return np.random.default_rng([SEED, *(zlib.crc32(str(part).encode()) for part in identity)])


def voice(speaker: str) -> Voice:
    """Return the voice of a speaker; odd actors are male, even ones and the actresses female."""
    random = seeded_random("voice", speaker)
    if speaker in ACTRESSES:  # the older actress speaks lower and slower
        older = speaker == "OAF"
        return Voice(*(("f2", 178.0, 182, 0.98) if older else ("f5", 208.0, 192, 1.02)), 1.35, 42.0, 0.5, 0.1, 0.09)
    index = int(speaker) - 1
    male = index % 2 == 0
    variant = (MALE_VOICES if male else FEMALE_VOICES)[index // 2]
    pitch = (112 if male else 200) * 2 ** (random.uniform(-3, 3) / 12)
    rate, formants, expressive = random.uniform([168, 0.94, 0.75], [205, 1.06, 1.25])
    noise, colour, room, wet = random.uniform([34, 0.0, 0.05, 0.0], [50, 0.95, 0.25, 0.36])
    return Voice(variant, pitch, rate, formants, expressive, noise, colour, room, wet)


def expression(clip: Clip) -> dict[str, float]:
    """Compute how a clip deviates from a plain reading.

    Parameters
    ----------
    clip : Clip

    Returns
    -------
    dict of str to float
        Parameter name to value, in the units of :data:`PROFILES`.
    """
    random = seeded_random("clip", clip.name)
    row = EMOTIONS.index(clip.emotion)
    neighbour = EMOTIONS.index(NEIGHBOURS[clip.emotion][int(random.random() < 0.4)])
    share = BLEND * random.beta(1.0, 2.0)
    profile = (1 - share) * TABLE[row] + share * TABLE[neighbour]
    value = profile * voice(clip.speaker).expressive * STRENGTH[clip.intensity]
    spread = SPREAD * (ACTRESS_SPREAD if clip.speaker in ACTRESSES else 1.0)
    value = value + spread * OWN_STYLE * seeded_random("style", clip.speaker).normal(size=len(NAMES))
    value = value + spread * OWN_EMOTION * seeded_random("style", clip.speaker, clip.emotion).normal(size=len(NAMES))
    value = value + spread * CLIP_JITTER * random.normal(size=len(NAMES))
    return dict(zip(NAMES, value.tolist(), strict=True))
