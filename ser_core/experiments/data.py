"""Load the training, validation and test subsets of a run as tables, and compute the network inputs of each.

This is the only module that augments or degrades a recording. Only training utterances have augmented copies, except
under ``leaky``, which pools utterances and copies before the split. A condition (noise, reverberation, ...) degrades
the test subset only. The corrupted copies of a robust network are part of its input (``features.voice``).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core._utils.segments import Segment, sources
from ser_core._utils.words import counted
from ser_core.audio.augmentation import parse_techniques
from ser_core.experiments.spec import Spec
from ser_core.features import cache, inputs, usable
from ser_core.protocols import splits
from ser_core.training import adaptation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Subsets:
    """The utterances of one run, by subset.

    Attributes
    ----------
    labels : tuple of str
        emotions, in the order of the network's outputs
    train, validation, test : DataFrame
        rows of the utterance table (``id``, ``emotion``, ...); under ``leaky`` also ``copy``
    tested : DataFrame
        the whole utterance table of the test corpus
    left_out : dict
        under ``cross``: corpus to emotion to number of utterances whose emotion the other corpus lacks
    """

    labels: tuple[str, ...]
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    tested: pd.DataFrame
    left_out: dict[str, dict[str, int]]

    def get(self, side: str) -> pd.DataFrame:
        """Return a subset by its name: ``train``, ``validation`` or ``test``."""
        return getattr(self, side)


def augmented_copies(spec: Spec) -> tuple[str, ...]:
    """Return the names of the augmented copies of a spec (:func:`ser_core.protocols.splits.copy_names`).

    >>> augmented_copies(Spec(corpus="demo", augment="noise,shift"))
    ('noise', 'shift')
    """
    return splits.copy_names(parse_techniques(spec.augment or ""), spec.copies)


def load_subsets(spec: Spec, table: pd.DataFrame | None = None) -> Subsets:
    """Split the corpus of a spec into training, validation and test utterances.

    Parameters
    ----------
    spec : Spec
        its corpus, protocol and fold; under ``cross`` both corpora keep the emotions that both have
    table : DataFrame, optional
        utterance table of the corpus; by default it is loaded

    Returns
    -------
    Subsets

    Raises
    ------
    SerError
        for two corpora with common recordings, for fewer than two emotions, or for an empty subset
    """
    table = usable.load(spec.corpus) if table is None else table
    labels, target, left_out = corpora.labels(spec.corpus), None, {}
    if spec.test_corpus:
        target = usable.load(spec.test_corpus)
        if set(table["path"]) & set(target["path"]):
            raise SerError(f"{spec.test_corpus}: holds recordings of {spec.corpus}; test on a corpus that does not")
        labels = tuple(label for label in labels if label in corpora.labels(spec.test_corpus))
        for name, utterances in ((spec.corpus, table), (spec.test_corpus, target)):
            left_out[name] = _emotion_counts(utterances[~utterances["emotion"].isin(labels)])
        table, target = (part[part["emotion"].isin(labels)].reset_index(drop=True) for part in (table, target))
    if len(labels) < 2:
        both = f" and {spec.test_corpus} share" if spec.test_corpus else ": has"
        found = f"only {counted(len(labels), 'emotion')} ({', '.join(labels)})" if labels else "no emotion"
        raise SerError(f"{spec.corpus}{both} {found}; two are needed")
    split = splits.split(table, spec.protocol, spec.fold, copies=augmented_copies(spec), target=target)
    clips = splits.pool_copies(table, augmented_copies(spec)) if spec.protocol == "leaky" else table
    parts = {side: clips[clips["id"].isin(getattr(split, side))] for side in splits.SIDES}
    if target is not None:
        parts["test"] = target
    for side, part in parts.items():
        if part.empty:
            raise SerError(
                f"{spec.corpus}, protocol {spec.protocol}, fold {spec.fold}: the {side} subset is empty; "
                "choose another fold or protocol"
            )
    return Subsets(labels, **parts, tested=table if target is None else target, left_out=left_out)


def _emotion_counts(table: pd.DataFrame) -> dict[str, int]:
    """Return the number of utterances of each emotion."""
    return {emotion: int(count) for emotion, count in sorted(table["emotion"].value_counts().items())}


def feature_jobs(spec: Spec, sides: Subsets, side: str) -> list[cache.Job]:
    """List the features to compute for one subset, without those of augmented training copies.

    Parameters
    ----------
    spec : Spec
    sides : Subsets
    side : str
        ``train``, ``validation`` or ``test``; only ``test`` is degraded by the spec's condition

    Returns
    -------
    list of Job
        one per row of the subset
    """
    part = sides.get(side)
    if "copy" in part:
        jobs = cache.jobs_for(part.assign(id=part["utterance"]), spec.settings)
        jobs = [replace(job, **copy_treatment(spec, copy)) if copy else job for job, copy in zip(jobs, part["copy"])]
    else:
        jobs = cache.jobs_for(part, spec.settings)
    if side != "test" or spec.condition == "clean":
        return jobs
    from ser_core.audio import degradation

    if spec.adapt == "none" and (asked := inputs.get_input(spec.features).asked):
        jobs = [replace(job, raw=inputs.get_input(asked).raw) for job in jobs]
    if not degradation.needs_other_speakers(spec.condition):
        return [replace(job, condition=spec.condition) for job in jobs]
    voices = babble_talkers(part, sides.tested)
    return [replace(job, condition=spec.condition, others=paths) for job, paths in zip(jobs, voices, strict=True)]


def copy_treatment(spec: Spec, copy: str) -> dict[str, Any]:
    """Return the fields of a :class:`ser_core.features.cache.Job` that make an augmented copy, by the copy's name.

    >>> treatment = copy_treatment(Spec(corpus="demo", seed=3), "noise-2")
    >>> treatment["technique"], treatment["seed"], treatment["copy"]
    ('noise', 3, 1)
    """
    technique, _, number = copy.partition("-")
    return {"technique": technique, "seed": spec.seed, "copy": int(number or 1) - 1, "ranges": spec.ranges}


def copy_jobs(spec: Spec, sides: Subsets) -> list[list[cache.Job]]:
    """List the features to compute for the augmented copies of training utterances.

    Returns
    -------
    list of list of Job
        one list per copy; empty under ``leaky``, whose subsets already contain the copies
    """
    if spec.protocol == "leaky":
        return []
    return [cache.jobs_for(sides.train, spec.settings, **copy_treatment(spec, copy)) for copy in augmented_copies(spec)]


def babble_talkers(part: pd.DataFrame, table: pd.DataFrame) -> list[tuple[str | Segment, ...]]:
    """Draw the recordings of other speakers that make the babble noise of each utterance.

    The draw is seeded by the utterance's id. The :data:`ser_core.audio.degradation.TALKERS` recordings are by
    different speakers as far as the table has enough of them.

    Parameters
    ----------
    part : DataFrame
        utterances to degrade: ``id``, ``speaker``
    table : DataFrame
        utterance table to draw from

    Returns
    -------
    list of tuple of str or Segment
        sources of the recordings, one tuple per row of ``part``

    Raises
    ------
    SerError
        for fewer than two speakers, or an unknown speaker
    """
    from ser_core.audio.degradation import TALKERS

    by_speaker: dict[str, list[str | Segment]] = {}
    for speaker, source in zip(table["speaker"], sources(table), strict=True):
        by_speaker.setdefault(speaker, []).append(source)
    by_speaker = {speaker: sorted(recordings, key=str) for speaker, recordings in by_speaker.items()}
    if len(by_speaker) < 2 or "unknown" in by_speaker:
        raise SerError("condition babble: needs recordings of at least two speakers, all of them named")
    chosen = []
    for key, speaker in zip(part["id"], part["speaker"], strict=True):
        random = np.random.default_rng(zlib.crc32(key.encode()))
        others = random.permutation(sorted(set(by_speaker) - {speaker}))
        turns = [str(others[i % len(others)]) for i in range(TALKERS)]
        chosen.append(tuple(by_speaker[name][random.integers(len(by_speaker[name]))] for name in turns))
    return chosen


def required_jobs(spec: Spec, sides: Subsets) -> list[cache.Job]:
    """List every feature that a run needs.

    A run under a condition does not train, so that it needs training features only for adaptation.
    """
    jobs = [job for side in ("validation", "test") for job in feature_jobs(spec, sides, side)]
    if spec.condition == "clean" or spec.adapt != "none":
        jobs += feature_jobs(spec, sides, "train")
    if spec.condition == "clean":
        jobs += [job for batch in copy_jobs(spec, sides) for job in batch]
    return jobs


def network_inputs(spec: Spec, sides: Subsets, wanted: Sequence[str] = splits.SIDES) -> dict[str, np.ndarray]:
    """Compute the network inputs of subsets, adapted to the target corpus where ``spec.adapt`` asks for it.

    Parameters
    ----------
    spec : Spec
    sides : Subsets
    wanted : sequence of str, default all three
        names of the subsets to return

    Returns
    -------
    dict
        subset to float32 [utterances, *shape]; in ``train``, the augmented copies follow the utterances, copy by copy
    """
    if spec.adapt != "none":
        return adaptation.adapted_inputs(spec, sides, _raw(spec, sides), wanted)
    matrices = {}
    for side in wanted:
        batches = [feature_jobs(spec, sides, side), *(copy_jobs(spec, sides) if side == "train" else [])]
        matrices[side] = np.concatenate([cache.input_matrix(batch, spec.settings, workers=1) for batch in batches])
    return matrices


def _raw(spec: Spec, sides: Subsets) -> dict[str, list[np.ndarray]]:
    """Return the raw features of every subset; in ``train``, those of the augmented copies follow."""
    batches = {side: feature_jobs(spec, sides, side) for side in splits.SIDES}
    if spec.condition == "clean":
        batches["train"] += [job for batch in copy_jobs(spec, sides) for job in batch]
    return {side: cache.raw_features(batch, workers=1) for side, batch in batches.items()}
