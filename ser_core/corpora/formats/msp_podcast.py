"""MSP-Podcast's consensus labels: ``msp-podcast:PATH``.

PATH is ``labels_consensus.csv`` or the folder of the corpus. The recordings are in ``Audios`` (or ``Audio``) beside the
folder of the labels. Utterances without agreement (``X``) or of another emotion (``O``) are left out. Arousal
(``EmoAct``), valence and dominance are 1 to 7. Speakers that the corpus calls Unknown are unknown, so that the protocol
``speaker`` is refused as long as there are any.

``official``: fold 0 tests Test1, fold 1 Test2; both train on Train and validate on Development. Test3 has no labels.
"""

from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing

EMOTIONS = {
    "A": "angry", "S": "sad", "H": "happy", "U": "surprised", "F": "fearful", "D": "disgust", "C": "contempt",
    "N": "neutral", "O": None, "X": None,
}  # fmt: skip
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
TESTS = ("test1", "test2")
AUDIO = ("Audios", "Audio")
SCALE = "1 to 7"


def read(name: str, where: Path):
    """Read the utterance table of MSP-Podcast.

    Parameters
    ----------
    name : str
        of the corpus, ``msp-podcast:PATH``
    where : Path
        ``labels_consensus.csv``, or a folder that holds it or ``Labels``

    Raises
    ------
    SerError
        for a missing file or column, or a letter that is no emotion of this corpus
    """
    file = where
    if where.is_dir():
        places = (where / "labels_consensus.csv", where / "Labels" / "labels_consensus.csv")
        file = next((place for place in places if place.is_file()), places[0])
    lines = listing.read_table(file, COLUMNS)
    roots = (file.parent, file.parent.parent)
    base = next((root / audio for root in roots for audio in AUDIO if (root / audio).is_dir()), file.parent)
    return listing.collect(_entries(lines, file), name, file.parent, base=base, scale=SCALE)


def _entries(lines, file: Path) -> Iterator[dict]:
    for number, line in lines:
        at = f"{file}, row {number}"
        if line["EmoClass"] not in EMOTIONS:
            raise SerError(f"{at}: EmoClass is {line['EmoClass']!r}, wanted one of {', '.join(EMOTIONS)}")
        speaker = line["SpkrID"]
        yield {
            "file": line["FileName"],
            "at": at,
            "emotion": EMOTIONS[line["EmoClass"]],
            "speaker": "unknown" if speaker.lower() == "unknown" else speaker,
            "sex": line["Gender"],
            "arousal": line["EmoAct"],
            "valence": line["EmoVal"],
            "dominance": line["EmoDom"],
            "folds": {str(fold): _subset(line["Split_Set"].lower(), test) for fold, test in enumerate(TESTS)},
        }


def _subset(split: str, test: str) -> str:
    """Subset of a split in the fold that tests ``test``."""
    return {test: "test"}.get(split, split if split in listing.SUBSETS and split != "test" else "none")
