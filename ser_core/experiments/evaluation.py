"""Put the predictions of a run into a table, and score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_core import metrics
from ser_core._utils.atomic import replace_atomically
from ser_core.metrics import uncertainty
from ser_core.metrics.uncertainty import Intervals, Scored

if TYPE_CHECKING:
    import pandas as pd

FACTS = ("id", "corpus", "speaker", "sex", "text", "intensity", "copy")
"""Columns of the utterance table in the table of predictions; ``copy``, only under ``leaky``: "" or the copy's name."""


def predictions_frame(probabilities: np.ndarray, table: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Return predictions as a table, one row per utterance.

    Parameters
    ----------
    probabilities : float [utterances, labels]
    table : DataFrame
        rows of the utterance table, in the same order
    labels : sequence of str
        emotions, in the order of the probabilities

    Returns
    -------
    DataFrame
        those of :data:`FACTS` that the table has, ``truth``, one probability (float32) per label, ``prediction``
    """
    probabilities = np.asarray(probabilities)
    frame = table[[column for column in FACTS if column in table]].reset_index(drop=True)
    frame["truth"] = table["emotion"].to_numpy()
    for i, label in enumerate(labels):
        frame[label] = probabilities[:, i].astype(np.float32)
    frame["prediction"] = np.asarray(labels)[probabilities.argmax(axis=1)]
    return frame


def write_predictions(predicted: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write the predictions of every subset to one Parquet file, atomically.

    Parameters
    ----------
    predicted : dict
        name of a subset to a DataFrame of :func:`predictions_frame`
    path : Path
        file to write; its folder is made where it is missing
    """
    import pandas as pd

    frame = pd.concat([part.assign(side=side) for side, part in predicted.items()], ignore_index=True)
    frame.insert(1, "side", frame.pop("side"))
    frame.attrs = {}  # pandas would write them to the file, with the corpus's folder
    with replace_atomically(path) as temporary:
        frame.drop(columns="prediction").to_parquet(temporary, index=False)


@dataclass(frozen=True)
class Evaluation:
    """Scores of one run's predictions.

    The attributes are those of a :class:`ser_core.experiments.result.RunResult`.
    """

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


def evaluate_predictions(predicted: Mapping[str, pd.DataFrame], labels: Sequence[str]) -> Evaluation:
    """Evaluate the predictions of a run.

    Parameters
    ----------
    predicted : dict
        ``test`` and ``validation``: DataFrames of :func:`predictions_frame`
    labels : sequence of str
        the emotions, in the order of the probabilities

    Returns
    -------
    Evaluation
        ``by_corpus`` has the scores on each source of a composed corpus; ``by_copy``, under ``leaky``, those on
        original and on augmented clips; ``scores`` are on all test clips, as in papers that split this way
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


def clip_kinds(test: pd.DataFrame) -> np.ndarray:
    """Return whether each clip of a ``leaky`` test subset is ``original`` or ``augmented``.

    Parameters
    ----------
    test : DataFrame
        ``copy``: "" or the name of the augmented copy

    Returns
    -------
    str [clips]
    """
    return np.where(test["copy"] == "", "original", "augmented")


def _scores_by_group(test: pd.DataFrame, groups: pd.Series | np.ndarray, labels: Sequence[str]) -> dict[str, Scored]:
    """Score each group; empty for a single group."""
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
