"""What a reader of a row must know: recordings that were left out, emotions that a subset lacks, alike speakers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerWarning
from ser_core._utils.segments import sources
from ser_core.experiments.data import Subsets
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import Spec
from ser_core.features import usable
from ser_core.protocols import speakers

if TYPE_CHECKING:
    import pandas as pd

SOURCE_RATES = {"reslstm-5": 48_000}
"""Protocol of a published system to the sampling rate of its recordings, Hz."""


def describe(spec: Spec, table: pd.DataFrame, sides: Subsets) -> dict[str, Any]:
    """Return the fields ``notes`` and ``unusable`` of a result.

    Parameters
    ----------
    spec : Spec
    table : DataFrame
        utterance table of its corpus
    sides : Subsets

    Returns
    -------
    dict
        ``notes``, a tuple of lines; ``unusable``, corpus to id of an utterance that was left out to the reason
    """
    tables = {spec.corpus: table} | ({spec.test_corpus: sides.tested} if spec.test_corpus else {})
    unusable = {name: part.attrs["unusable"] for name, part in tables.items() if part.attrs.get("unusable")}
    left_out = [f"left out of {name}: {usable.describe(reasons)}" for name, reasons in unusable.items()]
    notes = (*left_out, *lacking_emotions(sides), *speakers.describe_alike(table), *_narrower(spec, table))
    return {"notes": notes, "unusable": unusable}


def _narrower(spec: Spec, table: pd.DataFrame) -> tuple[str, ...]:
    """Return a line where the recordings have a lower sampling rate than those of the protocol's source."""
    wanted = SOURCE_RATES.get(spec.protocol, 0)
    if not wanted:
        return ()
    _, rate, _ = audio.decode(sources(table)[0])
    if rate >= wanted:
        return ()
    return (f"recordings of {rate:,} Hz; the source of the protocol had {wanted:,} Hz",)


def untrained(sides: Subsets) -> list[int]:
    """Return the places of the emotions that the training utterances lack, among the labels."""
    present = set(sides.train["emotion"])
    return [place for place, label in enumerate(sides.labels) if label not in present]


def lacking_emotions(sides: Subsets) -> tuple[str, ...]:
    """Return a line for each emotion that the training or the validation utterances of a run lack.

    An emotion that was never trained has an output, and a recall of 0. One that is not in validation has no part in the
    choice of the epoch.
    """
    lines = []
    for side, effect in (("train", "its recall is 0"), ("validation", "the choice of the epoch ignores it")):
        present = set(sides.get(side)["emotion"])
        name = {"train": "training"}.get(side, side)
        lines += [f"no {label} utterance in {name}: {effect}" for label in sides.labels if label not in present]
    return tuple(lines)


def never(predict: Callable[[np.ndarray], np.ndarray], classes: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that gives the probability 0 to classes without training utterances.

    Parameters
    ----------
    predict : callable
        inputs to probabilities [utterances, labels]
    classes : list of int
        places of the classes among the labels

    Returns
    -------
    callable
        the same, and the others sum to 1

    Examples
    --------
    >>> never(lambda x: np.array([[0.5, 0.25, 0.25]]), [0])(None).tolist()
    [[0.0, 0.5, 0.5]]
    """

    def answer(x: np.ndarray) -> np.ndarray:
        probabilities = np.array(predict(x), dtype=np.float64) + 1e-30  # also where only those classes are probable
        probabilities[:, classes] = 0.0
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    return answer


def noted(result: RunResult) -> RunResult:
    """Return a result, and warn of what its notes say."""
    where = f"{result.spec['corpus']}, protocol {result.spec['protocol']}, fold {result.spec['fold']}"
    for note in result.notes:
        warnings.warn(f"{where}: {note}", SerWarning, stacklevel=3)
    return result
