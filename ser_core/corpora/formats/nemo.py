"""nEMO's table: ``nemo:PATH``.

PATH is ``data.tsv`` or the folder that holds it and ``samples``. The published table has eight blanks before the name
of every speaker, which are no part of it, and names ``.wav`` files; a recording in another container with the same name
is taken where that is missing. ``text`` is the number of the sentence, which the file name ends with. Emotions are
nouns and adjectives mixed (anger, surprised).
"""

from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing
from ser_core.corpora.table import SUFFIXES

COLUMNS = ("file_id", "emotion", "speaker_id", "gender")


def read(name: str, where: Path):
    """Read the utterance table of nEMO.

    Parameters
    ----------
    name : str
        of the corpus, ``nemo:PATH``
    where : Path
        ``data.tsv``, or the folder that holds it

    Raises
    ------
    SerError
        for a missing table or column, or a file name of another form
    """
    file = where / "data.tsv" if where.is_dir() else where
    lines = listing.read_table(file, COLUMNS, separators="\t")
    folder = file.parent / "samples"
    found = [path for path in folder.glob("*") if path.suffix in SUFFIXES]
    present = {path.stem: path.name for path in sorted(found, key=lambda path: -SUFFIXES.index(path.suffix))}
    return listing.collect(_entries(lines, file, present), name, file.parent, base=folder)


def _entries(lines, file: Path, present: dict[str, str]) -> Iterator[dict]:
    for number, line in lines:
        at = f"{file}, row {number}"
        stem = Path(line["file_id"]).stem
        sentence = stem.rpartition("_")[2]
        if not sentence.isdigit():
            raise SerError(f"{at}: file_id is {line['file_id']!r}, wanted SPEAKER_emotion_SENTENCE.wav")
        yield {
            "file": present.get(stem, line["file_id"]),
            "at": at,
            "emotion": line["emotion"],
            "speaker": line["speaker_id"],
            "sex": line["gender"],
            "text": f"{int(sentence):02d}",
        }
