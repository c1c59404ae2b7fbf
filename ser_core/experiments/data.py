"""What a cell trains, validates and tests on: the three sides of its split as tables, and the network inputs of each.

The only place that augments or changes a recording. Copies are made of training utterances alone, but under
``leaky``, which pools utterances and copies before it splits them. A condition (noise, reverberation, ...) is done to
the test side alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core._utils.segments import Segment, sources
from ser_core.audio.augmentation import parse_techniques
from ser_core.experiments.spec import Spec
from ser_core.features import cache
from ser_core.protocols import splits
from ser_core.training import adaptation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Subsets:
    """The utterances of one cell; ``id``, ``emotion``, ... as in the utterance table, under ``leaky`` also ``copy``."""

    labels: tuple[str, ...]
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    tested: pd.DataFrame  # utterance table of the corpus that is tested on, whole
    left_out: dict  # cross: corpus to emotion to number of utterances that the other corpus has no name for

    def get(self, side: str) -> pd.DataFrame:
        """Return the utterances of a subset: ``train``, ``validation`` or ``test``."""
        return getattr(self, side)


def augmented_copies(spec: Spec) -> tuple[str, ...]:
    """Names of the augmented copies of a spec (``splits.copy_names``)."""
    return splits.copy_names(parse_techniques(spec.augment or ""), spec.copies)


def load_subsets(spec: Spec, table=None) -> Subsets:
    """The sides of a spec.

    Parameters
    ----------
    spec : which corpus, protocol and fold; under ``cross`` both corpora keep the emotions that both have
    table : the corpus's utterance table; by default it is loaded

    Raises
    ------
    SerError
        for corpora that share recordings or fewer than two emotions, or a side that is empty
    """
    table = corpora.load(spec.corpus) if table is None else table
    labels, target, left_out = corpora.labels(spec.corpus), None, {}
    if spec.test_corpus:
        target = corpora.load(spec.test_corpus)
        if set(table["path"]) & set(target["path"]):
            raise SerError(f"{spec.test_corpus}: holds recordings of {spec.corpus}; test on a corpus that does not")
        labels = tuple(label for label in labels if label in corpora.labels(spec.test_corpus))
        names = {spec.corpus: table, spec.test_corpus: target}
        left_out = {name: _counts(one[~one["emotion"].isin(labels)]) for name, one in names.items()}
        table, target = (one[one["emotion"].isin(labels)].reset_index(drop=True) for one in (table, target))
    if len(labels) < 2:
        both = f" and {spec.test_corpus} share" if spec.test_corpus else ": has"
        raise SerError(f"{spec.corpus}{both} only the emotion(s) {', '.join(labels) or 'none'}; two are needed")
    split = splits.split(table, spec.protocol, spec.fold, copies=augmented_copies(spec), target=target)
    clips = splits.pool_copies(table, augmented_copies(spec)) if spec.protocol == "leaky" else table
    parts = {side: clips[clips["id"].isin(getattr(split, side))] for side in splits.SIDES}
    if target is not None:
        parts["test"] = target
    for side, part in parts.items():
        if part.empty:
            raise SerError(f"{spec.corpus}, protocol {spec.protocol}, fold {spec.fold}: nothing on the {side} side")
    return Subsets(labels, **parts, tested=table if target is None else target, left_out=left_out)


def _counts(table) -> dict[str, int]:
    return {emotion: int(count) for emotion, count in sorted(table["emotion"].value_counts().items())}


def feature_jobs(spec: Spec, sides: Subsets, side: str) -> list[cache.Job]:
    """What must be computed for one side, one job a row, without training copies."""
    part = sides.get(side)
    if "copy" in part:
        found = cache.jobs_for(part.assign(id=part["utterance"]), spec.settings)
        found = [replace(job, **copy_treatment(spec, copy)) if copy else job for job, copy in zip(found, part["copy"])]
    else:
        found = cache.jobs_for(part, spec.settings)
    if side != "test" or spec.condition == "clean":
        return found
    from ser_core.audio import degradation

    if not degradation.needs_other_speakers(spec.condition):
        return [replace(job, condition=spec.condition) for job in found]
    voices = babble_talkers(part, sides.tested)
    return [replace(job, condition=spec.condition, others=paths) for job, paths in zip(found, voices, strict=True)]


def copy_treatment(spec: Spec, copy: str) -> dict:
    """What makes the copy of this name: the fields of a ``cache.Job``."""
    technique, _, number = copy.partition("-")
    return {"technique": technique, "seed": spec.seed, "copy": int(number or 1) - 1, "ranges": spec.ranges}


def copy_jobs(spec: Spec, sides: Subsets) -> list[list[cache.Job]]:
    """What must be computed for the augmented copies of training utterances, a list a copy; none under ``leaky``."""
    if spec.protocol == "leaky":
        return []
    return [cache.jobs_for(sides.train, spec.settings, **copy_treatment(spec, copy)) for copy in augmented_copies(spec)]


def babble_talkers(part, table) -> list[tuple[str | Segment, ...]]:
    """Who talks in babble: for each row of ``part``, paths of recordings by others, drawn from ``table`` by its id.

    As many as ``conditions.TALKERS``, each by another speaker as long as there are any.
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
    """Every feature that a cell will ask for."""
    found = [job for side in ("validation", "test") for job in feature_jobs(spec, sides, side)]
    if spec.condition == "clean" or spec.adapt != "none":
        found += feature_jobs(spec, sides, "train")
    if spec.condition == "clean":
        found += [job for batch in copy_jobs(spec, sides) for job in batch]
    return found


def network_inputs(spec: Spec, sides: Subsets, wanted: Sequence[str] = splits.SIDES) -> dict[str, np.ndarray]:
    """Network inputs: float32 [utterances, *shape] of each side wanted.

    Those of ``train`` are followed by those of its augmented copies, copy after copy. Adapted as ``spec.adapt`` says.
    """
    if spec.adapt != "none":
        return adaptation.adapted_inputs(spec, sides, _raw(spec, sides), wanted)
    found = {}
    for side in wanted:
        batches = [feature_jobs(spec, sides, side), *(copy_jobs(spec, sides) if side == "train" else [])]
        found[side] = np.concatenate([cache.input_matrix(batch, spec.settings, workers=1) for batch in batches])
    return found


def _raw(spec: Spec, sides: Subsets) -> dict[str, list[np.ndarray]]:
    """Raw features of every side; those of the training copies follow in ``train``."""
    batches = {side: feature_jobs(spec, sides, side) for side in splits.SIDES}
    if spec.condition == "clean":
        batches["train"] += [job for batch in copy_jobs(spec, sides) for job in batch]
    return {side: cache.raw_features(batch, workers=1) for side, batch in batches.items()}
