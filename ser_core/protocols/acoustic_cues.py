"""Acoustic cues of a recording that have nothing to do with speech, and what they predict.

Length, silence at the ends, level, DC offset and sampling rate may differ between emotions or corpora. A network can
then use them instead of the voice. So can it use what peak normalisation writes into the silence
(:mod:`ser_core.features.without_speech`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import audio
from ser_core.metrics import uncertainty

if TYPE_CHECKING:
    import pandas as pd

CUES = ("seconds", "leading_silence", "trailing_silence", "peak_dbfs", "rms_dbfs", "dc_offset", "rate", "channels")
QUIET_DB = 40.0
"""Frames this far below the loudest one count as silence at the ends (dB)."""
WITHOUT_SPEECH = {
    "without_speech": "length, level, noise floor and edges",
    "first_250ms": "the first 250 ms",
}
"""Inputs without speech, and what they are in words."""
LEVELS = {False: "as recorded", True: "peak normalised"}
"""Whether recordings are normalised, in words."""
MIN_RECORDINGS = 24
"""Smallest number of recordings for which a classifier is fitted on the cues."""


def measure_cues(samples: np.ndarray, rate: int) -> dict[str, Any]:
    """Measure the acoustic cues of a recording.

    Parameters
    ----------
    samples : float [samples, channels]
        decoded recording, full scale 1
    rate : int
        sampling rate in Hz

    Returns
    -------
    dict
        the :data:`CUES` (lengths in s, levels in dBFS, rate in Hz) and ``audio``, the digest of samples and rate
    """
    mono = samples.mean(axis=1, dtype=np.float64)
    width = max(1, rate // 100)
    levels = np.sqrt(np.mean(np.square(mono[: len(mono) // width * width] - mono.mean()).reshape(-1, width), axis=1))
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-QUIET_DB / 20))
    ends = (loud[0], len(levels) - 1 - loud[-1]) if len(loud) else (len(levels), len(levels))
    return {
        "audio": hashlib.sha256(samples.tobytes() + str((rate, samples.shape)).encode()).hexdigest()[:32],
        "seconds": len(samples) / rate,
        "leading_silence": float(ends[0]) / 100,
        "trailing_silence": float(ends[1]) / 100,
        **audio.measure_level(samples),
        "rate": rate,
        "channels": samples.shape[1],
    }


def predict_from_cues(examined: pd.DataFrame, duplicated: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure how well the cues alone predict the emotion and the corpus.

    A random forest is cross-validated over speakers, so that it is tested on unseen ones.

    Parameters
    ----------
    examined : DataFrame
        one row per recording: ``speaker``, ``text``, ``emotion``, ``corpus`` and, where known, ``sex``
    duplicated : dict
        that of :func:`ser_core.protocols.duplicates.find_duplicates` for the same recordings

    Returns
    -------
    list of dict
        per target ``target``, ``uar``, ``interval`` (95 %, or None), ``over`` (its unit), ``chance`` (all fractions),
        ``strongest`` (the most important cue) and ``warning`` (the UAR is above chance). Targets with one label, fewer
        than 24 recordings or one speaker are left out
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_predict

    from ser_core.models.classical import inner_folds

    facts, digests = duplicated["facts"], duplicated["digests"]
    values = np.array([[facts[digest][cue] for cue in CUES] for digest in digests])
    results: list[dict[str, Any]] = []
    for target in ("emotion", "corpus"):
        labels = sorted(set(examined[target])) if len(examined) else []
        speakers = examined["speaker"]
        if len(labels) < 2 or len(examined) < MIN_RECORDINGS or speakers.nunique() < 2:
            continue
        forest = RandomForestClassifier(100, min_samples_leaf=5, max_features=None, random_state=0, n_jobs=1)
        truth = examined[target].to_numpy()
        sex = examined["sex"].to_numpy() if "sex" in examined else None
        folds = inner_folds(np.zeros(len(truth), int), speakers.to_numpy(), 0, sex)
        prediction = cross_val_predict(forest, values, truth, cv=folds)
        frame = examined[["speaker", "text"]].assign(truth=truth, prediction=prediction)
        strongest = CUES[int(forest.fit(values, truth).feature_importances_.argmax())]
        results.append({"target": target, **_above_chance(frame, labels), "strongest": strongest})
    return results


def predict_without_speech(examined: pd.DataFrame, *, progress: bool = True) -> list[dict[str, Any]]:
    """Measure how well a baseline without speech predicts the emotion, as recorded and after peak normalisation.

    The random forest of the model ``without_speech`` is cross-validated over speakers. Features are cached.

    Parameters
    ----------
    examined : DataFrame
        one row per recording: ``id``, ``path``, ``speaker``, ``text``, ``emotion`` and, where known, ``sex``
    progress : bool
        show progress bars on a terminal

    Returns
    -------
    list of dict
        per input and level ``input`` (a key of :data:`WITHOUT_SPEECH`), ``normalised``, ``uar``, ``interval`` (95 %, or
        None), ``over`` (its unit), ``chance`` (fractions) and ``warning`` (the UAR is above chance). Empty for one
        emotion, fewer than 24 recordings or one speaker
    """
    from ser_core.features import FeatureSettings, cache, inputs
    from ser_core.models.classical import RandomForest, inner_folds

    labels = sorted(set(examined["emotion"])) if len(examined) else []
    if len(labels) < 2 or len(examined) < MIN_RECORDINGS or examined["speaker"].nunique() < 2:
        return []
    truth = examined["emotion"].map(labels.index).to_numpy()
    sex = examined["sex"].to_numpy() if "sex" in examined else None
    folds = inner_folds(np.zeros(len(truth), int), examined["speaker"].to_numpy(), 0, sex)
    each = [
        FeatureSettings(features=name, frames=inputs.get_input(name).frames, normalise=normalise)
        for name in WITHOUT_SPEECH
        for normalise in LEVELS
    ]
    cache.ensure_cached((job for one in each for job in cache.jobs_for(examined, one)), progress=progress)
    results = []
    for settings in each:
        x = cache.input_matrix(cache.jobs_for(examined, settings), settings, workers=1, progress=progress)
        prediction = np.empty(len(truth), dtype=int)
        for train, held_out in folds.split(x, truth):
            forest = RandomForest(len(labels), 0).fit(x[train], truth[train], truth[train])
            prediction[held_out] = forest.predict_proba(x[held_out]).argmax(axis=1)
        frame = examined[["speaker", "text"]].assign(
            truth=examined["emotion"], prediction=[labels[index] for index in prediction]
        )
        results.append({"input": settings.features, "normalised": settings.normalise} | _above_chance(frame, labels))
    return results


def _above_chance(frame: pd.DataFrame, labels: list[str]) -> dict[str, Any]:
    """Return the UAR of predictions, its interval, and whether it is above chance."""
    scored = uncertainty.score_predictions(frame, labels)
    uar, chance, interval = scored.scores["uar"], 1 / len(labels), scored.intervals.uar
    no_variance = interval is None and scored.intervals.unit != "none"  # all units have the same score
    return {
        "uar": uar,
        "interval": interval and list(interval.limits),
        "over": scored.intervals.unit,
        "chance": chance,
        "warning": uar > chance if no_variance else bool(interval and interval.low > chance),
    }
