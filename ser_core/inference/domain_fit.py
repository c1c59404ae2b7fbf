"""Fit the statistics of :mod:`ser_core.inference.domain` to training recordings, and store them in an exported network.

``python -m ser_core.inference.domain_fit MODEL.onnx [CORPUS]`` does both; only the metadata of the file change. The
limit is the distance that at most 5 % of the recordings of held-out speakers exceed. For a network that was also
trained on corrupted copies, one such copy of each recording belongs to the training recordings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ser_core import audio
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.audio import corruption
from ser_core.features import voice
from ser_core.inference.domain import SPECTRAL, VALUES, Domain, describe
from ser_core.inference.onnx_parts import read_facts, replace_facts
from ser_core.inference.predict import is_silent, window_starts

FALSE_MARKS = 0.05
"""Largest share of the recordings of held-out speakers that is marked."""
FOLDS = 6
"""Groups of speakers that are held out in turn."""
SHRINKAGE = 0.3
"""Weight of the unit matrix in the correlations, which too few recordings would make singular."""


@dataclass(frozen=True)
class Fit:
    """Hold fitted statistics and what held-out speakers say of them."""

    domain: Domain
    marked: tuple[float, ...]  # share of each fold's recordings, with statistics and limit from the other folds


def describe_recording(samples: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """Describe the windows of a recording, without silent ones.

    Parameters
    ----------
    samples : float [samples]
        Mono.
    rate : int, Hz
        Sampling rate.
    seconds : float, s
        Length of a window.

    Returns
    -------
    ndarray of float64 [windows, VALUES]
    """
    size = round(seconds * rate)
    pieces = [samples[start : start + size] for start in window_starts(len(samples), size, rate)]
    described = [describe(piece, rate) for piece in pieces if len(piece) and not is_silent(piece)]
    return np.stack(described) if described else np.zeros((0, VALUES))


def describe_table(table, rate: int, seconds: float, *, corrupted: bool = False) -> list[np.ndarray]:
    """Describe the recordings of an utterance table, or a corrupted copy of each.

    Parameters
    ----------
    table : pandas.DataFrame
        Utterances; see :func:`ser_core.corpora.load`.
    rate, seconds
        As in :func:`describe_recording`.
    corrupted : bool, default False
        Corrupt each recording in one of the ways of ``voice.CORRUPTED``, in turn.

    Returns
    -------
    list of ndarray [windows, VALUES]
        One per recording.
    """
    from ser_core._utils.segments import sources

    described = []
    for place, source in enumerate(sources(table)):
        samples = audio.read(source, rate=rate)
        if corrupted:
            copy = place % len(voice.CORRUPTED)
            samples = corruption.corrupt(samples, voice.CORRUPTED[copy], rate=rate, copy=copy)
        described.append(describe_recording(np.asarray(samples, dtype=np.float32), rate, seconds))
    return described


def recording_distance(domain: Domain, windows: np.ndarray) -> float:
    """Return the distance of a recording: the mean over its windows [windows, VALUES]; 1 is the limit."""
    return float(np.mean([domain.distance(window) for window in windows])) if len(windows) else float("inf")


def fit(recordings: Sequence[np.ndarray], speakers: Sequence[str], *, pauses: bool = True) -> Fit:
    """Fit the statistics to recordings, and the limit to speakers that are held out in turn.

    Parameters
    ----------
    recordings : sequence of ndarray [windows, VALUES]
        Descriptions of the training recordings, as the network met them: augmented ones, too, where it met such.
    speakers : sequence of str
        Speaker of each recording.
    pauses : bool, default True
        Count pauses, floor and duration. Without them a network is expected to bear recordings that are cut and made
        otherwise.

    Returns
    -------
    Fit

    Raises
    ------
    SerError
        For fewer than three speakers.
    """
    names = np.asarray(speakers, dtype=str)
    groups = np.array_split(np.unique(names), min(FOLDS, len(np.unique(names))))
    if len(groups) < 3:
        raise SerError(f"{counted(len(groups), 'speaker')}; at least 3 are needed to choose the limit")
    values = VALUES if pauses else SPECTRAL
    folds = [np.flatnonzero(np.isin(names, group)) for group in groups]
    held_out = []
    for fold in folds:
        others = np.setdiff1d(np.arange(len(names)), fold)
        domain = _statistics(np.concatenate([recordings[int(place)] for place in others])[:, :values])
        held_out.append(np.array([recording_distance(domain, recordings[int(place)]) for place in fold]))
    marked = []
    for k, distances in enumerate(held_out):
        limit = _limit(np.concatenate([other for j, other in enumerate(held_out) if j != k]))
        marked.append(float((distances > limit).mean()))
    whole = _statistics(np.concatenate(list(recordings))[:, :values])
    return Fit(replace(whole, limit=_limit(np.concatenate(held_out))), tuple(marked))


def _limit(distances: np.ndarray) -> float:
    """Return the least distance that at most :data:`FALSE_MARKS` of the recordings exceed."""
    return float(np.quantile(distances, 1.0 - FALSE_MARKS, method="higher"))


def _statistics(windows: np.ndarray) -> Domain:
    """Return mean, deviation and inverse correlations of windows [windows, values], with the limit 1."""
    mean, scale = windows.mean(axis=0), np.maximum(windows.std(axis=0), 1e-6)
    z = (windows - mean) / scale
    correlations = (1.0 - SHRINKAGE) * (z.T @ z) / len(z) + SHRINKAGE * np.eye(len(mean))
    return Domain(mean, scale, np.linalg.inv(correlations), 1.0)


def store(path: Path, domain: Domain) -> None:
    """Store statistics in the metadata of an exported network; its graph and its weights keep their bytes.

    Parameters
    ----------
    path : Path
        The ONNX file.
    domain : Domain
        The statistics.

    Raises
    ------
    SerError
        Where the file is no network by ``ser export``.
    """
    content = path.read_bytes()
    facts = read_facts(content)
    if facts is None:
        raise SerError(f"{path}: not a network by `ser export` (its metadata are missing)")
    write_atomically(path, replace_facts(content, facts | {"domain": domain.to_json()}))


def fit_exported(path: Path, corpus: str, *, pauses: bool = True) -> Fit:
    """Fit the statistics of an exported network to the corpus that it was trained on, and store them in its file.

    Parameters
    ----------
    path : Path
        The ONNX file.
    corpus : str
        Name of the corpus.
    pauses : bool, default True
        As in :func:`fit`.

    Raises
    ------
    SerError
        Where the file or the corpus cannot be used.
    """
    from ser_core import corpora
    from ser_core.inference.checks import check_facts

    facts = read_facts(path.read_bytes()) if path.is_file() else None
    if facts is None:
        raise SerError(f"{path}: not a network by `ser export`; give the .onnx file")
    table, window = corpora.load(corpus), check_facts(facts, path)
    recordings, speakers = describe_table(table, *window), list(table["speaker"])
    if facts["spec"]["features"] == "voice_corrupted":  # the network was trained on corrupted copies, too
        recordings, speakers = recordings + describe_table(table, *window, corrupted=True), speakers + speakers
    made = fit(recordings, speakers, pauses=pauses)
    store(path, made.domain)
    return made


def main(words: list[str]) -> None:
    """Run the command.

    Parameters
    ----------
    words : list of str
        The file, and the corpus; by default ``ravdess``.

    Raises
    ------
    SerError
        For other words, and where the file or the corpus cannot be used.
    """
    if len(words) not in (1, 2):
        raise SerError("python -m ser_core.inference.domain_fit MODEL.onnx [CORPUS]")
    made = fit_exported(Path(words[0]), words[1] if len(words) == 2 else "ravdess")
    print(json.dumps({"limit": made.domain.limit, "marked": made.marked}))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SerError as problem:
        sys.exit(f"domain_fit: {problem}")
