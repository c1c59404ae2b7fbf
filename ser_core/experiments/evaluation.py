"""Predictions of a run as a table, and the scores computed from them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core import metrics
from ser_core.metrics import uncertainty
from ser_core.metrics.uncertainty import Intervals, Scored

FACTS = ("id", "corpus", "speaker", "sex", "text", "intensity", "copy")
"""Columns of an utterance that its prediction carries; ``copy`` only under ``leaky``: "" or the augmentation."""


def predictions_frame(probabilities, table, labels):
    """Predictions as a table: the utterance's columns, ``truth``, ``prediction`` and a probability a label.

    Parameters
    ----------
    probabilities : float [utterances, labels]
    table : DataFrame of the same utterances
    labels : the emotions, in the order of the probabilities
    """
    probabilities = np.asarray(probabilities)
    frame = table[[column for column in FACTS if column in table]].reset_index(drop=True)
    frame["truth"] = table["emotion"].to_numpy()
    for i, label in enumerate(labels):
        frame[label] = probabilities[:, i].astype(np.float32)
    frame["prediction"] = np.asarray(labels)[probabilities.argmax(axis=1)]
    return frame


def write_predictions(predicted: dict, path: Path) -> None:
    """The predictions of every side as one Parquet file, by a temporary file and a rename."""
    import pandas as pd

    frame = pd.concat([part.assign(side=side) for side, part in predicted.items()], ignore_index=True)
    frame.insert(1, "side", frame.pop("side"))
    frame.attrs = {}  # pandas would keep them in the file, the corpus's folder among them
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    frame.drop(columns="prediction").to_parquet(temporary, index=False)
    os.replace(temporary, path)


@dataclass(frozen=True)
class Evaluation:
    """Scores of one run's predictions; the fields are those of a ``RunResult``."""

    labels: tuple[str, ...]
    n_validation: int
    n_test: int
    scores: dict[str, float]
    intervals: Intervals
    by_corpus: dict[str, Scored]
    by_copy: dict[str, Scored]
    per_class: dict[str, metrics.ClassScores]
    confusion: list[list[int]]
    validation: dict[str, float]


def evaluate_predictions(predicted: dict, labels) -> Evaluation:
    """Evaluate the predictions of a run.

    ``by_corpus`` has the scores on each source of a composed corpus. Under ``leaky``, ``by_copy`` has those on original
    and on augmented clips; ``scores`` are on all of them, as in papers that split so.

    Parameters
    ----------
    predicted : dict
        ``test`` and ``validation``: DataFrames of :func:`predictions_frame`
    labels : sequence of str
        the emotions, in the order of the probabilities
    """
    test, validation = predicted["test"], predicted["validation"]
    scored = uncertainty.score_predictions(test, labels)
    return Evaluation(
        labels=tuple(labels),
        n_validation=len(validation),
        n_test=len(test),
        scores=scored.scores,
        intervals=scored.intervals,
        by_corpus=_scores_by_group(test, test["corpus"], labels),
        by_copy=_scores_by_group(test, clip_kinds(test), labels) if "copy" in test else {},
        per_class=scored.per_class,
        confusion=scored.confusion,
        validation=metrics.scores(validation["truth"], validation["prediction"], labels)
        | {"loss": metrics.cross_entropy(validation["truth"], validation[list(labels)].to_numpy(), labels)},
    )


def clip_kinds(test) -> np.ndarray:
    """Return ``original`` or ``augmented`` for every clip of a ``leaky`` test subset."""
    return np.where(test["copy"] == "", "original", "augmented")


def _scores_by_group(test, groups, labels) -> dict[str, Scored]:
    """Score each group; empty where there is only one."""
    parts = dict(list(test.groupby(groups)))
    if len(parts) < 2:
        return {}
    return {
        name: Scored(
            n_test=len(part),
            scores=metrics.scores(part["truth"], part["prediction"], labels),
            intervals=uncertainty.intervals(part, labels),
            spread={},
            per_class={},
            confusion=[],
        )
        for name, part in parts.items()
    }
