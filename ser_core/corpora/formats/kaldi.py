"""Kaldi and ESPnet data folders: ``kaldi:PATH``.

``wav.scp`` names the recordings; where there is ``segments`` the utterances are parts of them, else each recording is
one. ``utt2spk`` gives the speaker, ``utt2gender`` or ``spk2gender`` the sex, ``utt2emo`` the emotion and ``text`` the
text. Without ``utt2emo`` the first word of ``text`` is the emotion, as in ESPnet's recipes, with or without ``<>``.
The ``id`` is Kaldi's utterance id.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.formats import listing


def read(name: str, where: Path):
    """Read the utterance table of a Kaldi data folder.

    Parameters
    ----------
    name : str
        of the corpus, ``kaldi:PATH``
    where : Path
        the folder that holds ``wav.scp``

    Raises
    ------
    SerError
        for a missing file, a recording that is the output of a command, or an utterance that another file lacks
    """
    recordings = dict(_recordings(where / "wav.scp"))
    base = listing.find_base(recordings.values(), where)
    return listing.collect(_entries(where, recordings), name, where, base=base)


def _recordings(where: Path) -> Iterator[tuple[str, str]]:
    """Recording id and path of each line of ``wav.scp``."""
    for key, value in read_map(where).items():
        if value.endswith("|") or value.startswith("|"):
            raise SerError(
                f"{where}: {key} is the output of a command ({value[:40]}...): commands are not run; "
                "write the recordings to files and list those"
            )
        if value.rpartition(":")[2].isdigit() and ".ark" in value:
            raise SerError(f"{where}: {key} lies in an archive ({value}); write the recordings to files and list those")
        yield key, value


def _entries(where: Path, recordings: dict[str, str]) -> Iterator[dict]:
    optional = {
        key: read_map(where / key) if (where / key).is_file() else {}
        for key in ("segments", "utt2spk", "spk2gender", "utt2gender", "utt2emo", "text")
    }
    if not optional["utt2emo"] and not optional["text"]:
        raise SerError(f"{where}: neither utt2emo nor text is there, which would give the emotions")
    parts = optional["segments"] or {key: key for key in recordings}
    for key, value in parts.items():
        at = f"{where / ('segments' if optional['segments'] else 'wav.scp')}, {key}"
        limits: dict[str, str] = {}
        recording = value
        if optional["segments"]:
            recording, limits = _segment(value, at)
        if recording not in recordings:
            raise SerError(f"{at}: recording {recording} is not in wav.scp")
        speaker = optional["utt2spk"].get(key)
        emotion, text = optional["utt2emo"].get(key), optional["text"].get(key, "")
        if not optional["utt2emo"]:
            emotion, _, text = text.partition(" ")
            emotion = emotion.strip("<>")
        yield {
            "id": key,
            "file": recordings[recording],
            "at": at,
            "emotion": emotion,
            "speaker": speaker,
            "sex": optional["utt2gender"].get(key) or optional["spk2gender"].get(speaker or ""),
            "text": text.strip(),
            **limits,
        }


def _segment(value: str, at: str) -> tuple[str, dict]:
    """Recording and limits of a line of ``segments``; an end of -1 is that of the recording."""
    words = value.split()
    if len(words) not in (3, 4):  # a fourth is the channel
        raise SerError(f"{at}: wanted a recording, a start and an end, found {value!r}")
    recording, start, end = words[:3]
    with contextlib.suppress(ValueError):
        end = "" if float(end) == -1 else end
    return recording, {"start": start, "end": end}


def read_map(where: Path) -> dict[str, str]:
    """Read a Kaldi file: a key, white space and the rest of the line, which may be empty.

    Raises
    ------
    SerError
        for a missing file, or a key that is there twice
    """
    if not where.is_file():
        raise SerError(f"{where}: no such file; kaldi:PATH takes a data folder with wav.scp and utt2emo or text")
    values: dict[str, str] = {}
    for number, line in enumerate(listing.read_lines(where), 1):
        if not line.strip():
            continue
        key, *rest = line.strip().split(maxsplit=1)
        if key in values:
            raise SerError(f"{where}, line {number}: {key} is there already")
        values[key] = rest[0] if rest else ""
    if not values:
        raise SerError(f"{where}: is empty")
    return values
