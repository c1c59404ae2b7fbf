"""Typed records: pooled results, comparisons of two systems, and sets of stored results."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core._utils.errors import SerError, SerWarning
from ser_core._utils.words import counted
from ser_core.experiments import store
from ser_core.experiments.result import Completeness, RunResult
from ser_core.metrics.classification import ClassScores
from ser_core.metrics.significance import Difference, PairedDifferences
from ser_core.metrics.uncertainty import SCORES, Intervals, Scored, Spread

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PooledResult:
    """Results of a spec with the folds pooled and the seeds averaged.

    Attributes
    ----------
    spec : dict
        fields of the spec without fold and seed
    status : str
        ``"ok"``, or ``"error"`` where every run failed; then there are no scores
    errors : tuple of str
        one line per failed run
    unavailable : bool
        whether a run failed because weights or a library are unavailable
    folds, seeds, seeds_left_out : tuple of int
        the pooled folds and seeds, and the seeds that lack folds
    folds_total : int or None
        folds of the protocol; None where the file list and recordings of the corpus are missing
    claimed : dict or None
        what the paper claims
    labels : tuple of str
    n_test : int
        distinct test utterances
    scores : dict
        fractions on the test utterances of all folds together, averaged over the seeds
    intervals : Intervals or None
        over speakers or words, all seeds together
    spread : dict
        score to :class:`~ser_core.metrics.uncertainty.Spread`
    per_class : dict
        emotion to its scores; the support counts each utterance once
    confusion : list of lists of int
        rows are the truth, summed over folds and seeds
    parts : dict
        scores on each source corpus where there are several
    by_copy : dict
        under ``leaky``: scores on original and on augmented clips
    calm_is_neutral : Scored or None
        RAVDESS: scores with calm counted as neutral
    parameters : int or None
    completeness : Completeness
        of the corpus in these runs
    results : tuple of RunResult
        the pooled runs
    """

    spec: dict[str, Any]
    status: str
    errors: tuple[str, ...] = ()
    unavailable: bool = False
    folds: tuple[int, ...] = ()
    folds_total: int | None = None
    seeds: tuple[int, ...] = ()
    seeds_left_out: tuple[int, ...] = ()
    claimed: dict[str, Any] | None = None
    labels: tuple[str, ...] = ()
    n_test: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    intervals: Intervals | None = None
    spread: dict[str, Spread] = field(default_factory=dict)
    per_class: dict[str, ClassScores] = field(default_factory=dict)
    confusion: list[list[int]] = field(default_factory=list)
    parts: dict[str, Scored] = field(default_factory=dict)
    by_copy: dict[str, Scored] = field(default_factory=dict)
    calm_is_neutral: Scored | None = None
    parameters: int | None = None
    completeness: Completeness = Completeness()
    results: tuple[RunResult, ...] = ()

    def __repr__(self) -> str:
        what = ", ".join(f"{name} {self.spec.get(name)}" for name in ("model", "corpus", "protocol"))
        count = f"{counted(len(self.folds), 'fold')}, {counted(len(self.seeds), 'seed')}"
        scores = ", ".join(f"{name} {self.scores[name]:.3f}" for name in ("accuracy", "uar") if name in self.scores)
        return f"PooledResult({what}, {count}; {scores or self.status}; {self.n_test} utterances)"

    @property
    def ok(self) -> bool:
        """Whether at least one run succeeded."""
        return self.status == "ok"

    @property
    def scored(self) -> Scored | None:
        """Scores on all test utterances; None where every run failed."""
        if self.intervals is None:
            return None
        return Scored(self.n_test, self.scores, self.intervals, self.spread, self.per_class, self.confusion)

    @property
    def claimed_accuracy(self) -> float | None:
        """Accuracy that the paper claims, a fraction, or None."""
        return (self.claimed or {}).get("accuracy")

    @property
    def chance(self) -> float:
        """Accuracy of uniform guessing, a fraction."""
        return 1.0 / len(self.labels)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Intervals | Scored | Completeness):
                value = value.to_json()
            elif item.name in ("parts", "by_copy"):
                value = {name: part.to_json() for name, part in value.items()}
            elif item.name in ("spread", "per_class"):
                value = {name: dict(vars(part)) for name, part in value.items()}
            elif item.name == "results":
                value = [result.to_json() for result in value]
            values[item.name] = list(value) if isinstance(value, tuple) else value
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> PooledResult:
        """Make a pooled result from :meth:`to_json`."""
        made = dict(values)
        for name in ("errors", "folds", "seeds", "seeds_left_out", "labels"):
            made[name] = tuple(made[name])
        for name in ("parts", "by_copy"):
            made[name] = {key: Scored.from_json(part) for key, part in made[name].items()}
        made["intervals"] = made["intervals"] and Intervals.from_json(made["intervals"])
        made["calm_is_neutral"] = made["calm_is_neutral"] and Scored.from_json(made["calm_is_neutral"])
        made["spread"] = {name: Spread(**value) for name, value in made["spread"].items()}
        made["per_class"] = {label: ClassScores(**value) for label, value in made["per_class"].items()}
        made["completeness"] = Completeness.from_json(made["completeness"])
        made["results"] = tuple(RunResult.from_json(result) for result in made["results"])
        return cls(**made)


@dataclass(frozen=True)
class Comparison:
    """Paired difference between two systems on the same test utterances, the second minus the first.

    Attributes
    ----------
    first, second : str
        names of the systems
    corpus, test_corpus, protocol : str
        ``test_corpus`` is None unless the protocol is ``cross``
    folds : tuple of int
        that both systems have
    differences : PairedDifferences
        per score the difference, its interval, p value and minimum detectable effect
    first_setting, second_setting : str
        what of each system differs from the defaults; "default" where nothing does
    passed_over : int
        number of other pairs of settings that could have been compared
    """

    first: str
    second: str
    corpus: str
    test_corpus: str | None
    protocol: str
    folds: tuple[int, ...]
    differences: PairedDifferences
    first_setting: str = ""
    second_setting: str = ""
    passed_over: int = 0

    @property
    def accuracy(self) -> Difference:
        """Difference in accuracy."""
        return self.differences.accuracy

    @property
    def uar(self) -> Difference:
        """Difference in UAR."""
        return self.differences.uar

    @property
    def unit(self) -> str:
        """Unit of the test: ``speaker``, ``word`` or ``none``."""
        return self.differences.unit

    @property
    def n(self) -> int:
        """Number of units."""
        return self.differences.n

    def get(self, score: str) -> Difference:
        """Return the difference of a score by its name."""
        return self.differences.get(score)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return dict(vars(self)) | {"folds": list(self.folds), "differences": self.differences.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Comparison:
        """Make a comparison from :meth:`to_json`."""
        differences = PairedDifferences.from_json(values["differences"])
        return cls(**values | {"folds": tuple(values["folds"]), "differences": differences})


@dataclass(frozen=True)
class Results:
    """Stored results and the folder where their predictions are."""

    results: tuple[RunResult, ...]
    folder: Path

    def __len__(self) -> int:
        return len(self.results)

    def __repr__(self) -> str:
        return f"Results({len(self)} of {self.folder}; see select, frame, pool, table, predictions)"

    def __iter__(self) -> Iterator[RunResult]:
        return iter(self.results)

    def select(self, **wanted: Any) -> Results:
        """Select the results whose spec has these values, such as ``protocol="speaker"``."""
        matches = (run for run in self.results if all(run.spec.get(name) == value for name, value in wanted.items()))
        return Results(tuple(matches), self.folder)

    def frame(self) -> pd.DataFrame:
        """Make a data frame with one row per result; scores are fractions, missing values NaN.

        Returns
        -------
        DataFrame
            ``corpus``, ``test_corpus``, ``protocol``, ``model``, ``fold``, ``seed``, ``setting``, ``condition``,
            ``status``, the five scores, each with ``_low`` and ``_high``, ``unit`` and ``units`` of the intervals,
            ``n_train``, ``n_test``, ``parameters``, ``epochs``, ``best_epoch``, ``training_seconds``,
            ``claimed_accuracy`` and ``hash``
        """
        import pandas as pd

        frame = pd.DataFrame([_frame_row(result) for result in self.results])
        counts = ["units", "n_train", "n_test", "parameters", "epochs", "best_epoch"]
        return frame.astype(dict.fromkeys(counts, "Int64")) if len(frame) else frame

    def pool(self) -> list[PooledResult]:
        """Pool the folds and average the seeds; see :func:`ser_core.results.pooling.pool_results`."""
        from ser_core.results import pooling

        return pooling.pool_results(self.results, self.folder)

    def table(self) -> pd.DataFrame:
        """Make a data frame with one row per system and setting: :func:`ser_core.results.table_files.pooled_table`."""
        from ser_core.results import table_files

        return table_files.pooled_table(self.pool())

    def predictions(self) -> pd.DataFrame:
        """Load all test predictions.

        Returns
        -------
        DataFrame
            one row per result and utterance: ``hash``, ``model``, ``fold``, ``seed``, the columns of the utterance,
            ``truth``, ``prediction`` and a probability per emotion
        """
        import pandas as pd

        parts = []
        for result in self.results:
            if result.ok:
                try:
                    frame = store.load_predictions(result, self.folder)
                except SerError as error:
                    warnings.warn(f"{error}; passed over", SerWarning, stacklevel=2)
                    continue
                frame = frame.query("side == 'test'").drop(columns="side")
                names = {name: result.spec[name] for name in ("model", "fold", "seed")}
                parts.append(pd.concat([pd.DataFrame({"hash": result.hash, **names}, frame.index), frame], axis=1))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _frame_row(result: RunResult) -> dict[str, Any]:
    from ser_core.results import formatting

    spec, nan = result.spec, float("nan")
    row: dict[str, Any] = {
        name: spec.get(name) for name in ("corpus", "test_corpus", "protocol", "model", "fold", "seed")
    }
    row |= {"setting": formatting.format_setting(spec), "condition": spec["condition"], "status": result.status}
    for name in SCORES:
        interval = result.intervals.get(name) if result.intervals else None
        low, high = interval.limits if interval else (nan, nan)
        row |= {name: result.scores.get(name, nan), f"{name}_low": low, f"{name}_high": high}
    return row | {
        "unit": result.intervals.unit if result.intervals else None,
        "units": result.intervals.n if result.intervals else None,
        "n_train": result.n_train,
        "n_test": result.n_test,
        "parameters": result.parameters,
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "training_seconds": result.seconds.get("training", nan),
        "claimed_accuracy": (result.claimed or {}).get("accuracy", nan),
        "hash": result.hash,
    }


def load_results(source: str | os.PathLike = "published") -> Results:
    """Load stored results.

    Parameters
    ----------
    source : str or path, default "published"
        ``published`` (comes with the suite), ``store`` (your own), or a folder

    Raises
    ------
    SerError
        for a folder that is missing or without results
    """
    named = {"published": store.published_dir, "store": store.store_dir}
    folder = named[str(source)]() if str(source) in named else Path(source)
    if str(source) not in named and not folder.is_dir():
        raise SerError(f"results {str(source)!r}: unknown; choose published, store or a folder of results")
    results = store.load_rows(folder)
    if not results:
        hint = (
            "unset SER_RUNS to load those that come with the suite"
            if str(source) == "published"
            else "make results with `ser run`"
        )
        raise SerError(f"{folder}: no results; {hint}")
    return Results(tuple(results), folder)
