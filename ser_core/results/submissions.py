"""Submissions: score external predictions as the suite's own results.

Predictions come from any framework: a CSV or Parquet file with ``id`` and a probability for every emotion of the
corpus. They are scored on the utterances that a protocol tests, each once. Recordings are not needed where the corpus
comes with a file list (:func:`ser_core.corpora.manifest`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import corpora, models
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted, near
from ser_core.claims import paper
from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.metrics import significance, uncertainty
from ser_core.metrics.significance import Difference, PairedDifferences
from ser_core.metrics.uncertainty import Scored, score_predictions
from ser_core.protocols import splits
from ser_core.protocols.assignment import shared_labels, utterance_sides
from ser_core.results import prediction_files
from ser_core.results.comparison import is_default_setting
from ser_core.results.formatting import format_setting, setting_words
from ser_core.results.pooling import join_predictions, merge_calm, pool_results
from ser_core.results.records import PooledResult

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-3
"""How far the probabilities of an utterance may be from a sum of 1."""

NOTHING_SHARED = PairedDifferences("none", 0, uncertainty.LEVEL, *[Difference(None)] * len(uncertainty.SCORES))
"""For two systems that share no utterance, or have different emotions."""


@dataclass(frozen=True)
class BaselineComparison:
    """Paired difference of external predictions from one published system."""

    model: str
    setting: str
    hashes: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    utterances: int  # that both have
    differences: PairedDifferences
    p_holm: dict[str, float | None]  # accuracy and uar: p after Holm over all comparisons

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes; a dict per score."""
        values = {name: value for name, value in vars(self).items() if name not in ("differences", "p_holm")}
        values |= self.differences.to_json()
        for score, p in self.p_holm.items():
            values[score] |= {"p_holm": p}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True)
class Submission:
    """External predictions, scored as the suite's own.

    Attributes
    ----------
    predictions : str
        the file
    corpus, test_corpus, protocol, demo, folds, folds_total, labels
        of the test
    absent : tuple of str
        utterances that are missing from the corpus and were not required
    scored : Scored
    parts : dict
        scores on each source of a composed corpus
    calm_is_neutral : Scored or None
        RAVDESS: scores with calm counted as neutral
    against : tuple of BaselineComparison
    """

    predictions: str
    corpus: str
    test_corpus: str | None
    protocol: str
    demo: bool
    folds: tuple[int, ...]
    folds_total: int
    labels: tuple[str, ...]
    absent: tuple[str, ...]
    scored: Scored
    parts: dict[str, Scored]
    calm_is_neutral: Scored | None
    against: tuple[BaselineComparison, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes; the scores are on its top level."""
        own = ("scored", "parts", "calm_is_neutral", "against")
        values = {name: value for name, value in vars(self).items() if name not in own}
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        values |= self.scored.to_json()
        if self.parts:
            values["parts"] = {name: part.to_json() for name, part in self.parts.items()}
        if self.calm_is_neutral:
            values["calm_is_neutral"] = self.calm_is_neutral.to_json()
        return values | {"against": [comparison.to_json() for comparison in self.against]}


def read_predictions(path: str | Path, labels: Sequence[str], ids: Collection[str] = ()) -> pd.DataFrame:
    """Read a file of predictions and check its columns and probabilities.

    Parameters
    ----------
    path : str or path
        CSV (comma, semicolon or tab) or Parquet with ``id`` and one column per label. Where it has ``side``, only the
        rows "test" are used; further columns are ignored. Also an audformat table (``file``, ``start``, ``end`` in
        place of ``id``) and EmoBox-style JSON Lines (:mod:`ser_core.results.prediction_files`).
    labels : sequence of str
        the emotions
    ids : collection of str, optional
        utterances of the corpus, with which file names and the keys of EmoBox are matched

    Returns
    -------
    DataFrame
        ``id`` and the labels, float64

    Raises
    ------
    SerError
        for an unreadable file, a missing column, a repeated utterance, or numbers that are not probabilities
    """
    import pandas as pd

    path = Path(path)
    frame = _read_table(path, labels)
    if "side" in frame:
        frame = frame[frame["side"] == "test"]
    if frame.empty:
        raise SerError(f"{path}: holds no test utterance")
    frame = frame.assign(id=frame["id"].astype("str"))
    if ids:
        given = list(frame["id"])
        frame = frame.assign(id=prediction_files.match_ids(given, ids))
        if not set(frame["id"]) & set(ids):
            raise SerError(
                f"{path}: {given[0]}: no utterance of this corpus, as none of the {counted(len(given), 'id')}; the "
                f"corpus has ids such as {next(iter(ids))}"
            )
    repeated = sorted(frame.loc[frame["id"].duplicated(), "id"].unique())
    if repeated:
        raise SerError(f"{path}: {_named(repeated)} occur{'s' if len(repeated) == 1 else ''} more than once")
    values = frame[list(labels)].apply(pd.to_numeric, errors="coerce")
    _check(path, frame["id"].to_numpy(), values.to_numpy(dtype=np.float64), labels)
    return pd.concat([frame[["id"]], values.astype(np.float64)], axis=1).reset_index(drop=True)


def _read_table(path: Path, labels: Sequence[str]) -> pd.DataFrame:
    """Read predictions of any format as a table with ``id`` and the labels."""
    import pandas as pd

    try:
        if path.suffix.lower() in prediction_files.JSON_SUFFIXES:
            frame = prediction_files.read_json_predictions(path, labels)
        elif path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, sep=None, engine="python", dtype={"id": "str"}, encoding="utf-8-sig")
    except SerError:
        raise
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror or error}); give a CSV or Parquet file") from None
    except Exception as error:  # pandas and pyarrow raise many types for malformed files
        raise SerError(f"{path}: no table that can be read ({' '.join(str(error).split())[:120]})") from None
    if "id" not in frame and "file" in {*frame, *frame.index.names}:
        frame = frame if "file" in frame else frame.reset_index()
        frame = prediction_files.from_audformat(frame, labels, path)
    lacking = [name for name in ("id", *labels) if name not in frame]
    if lacking:
        raise SerError(prediction_files.lacking_columns(path, lacking, list(frame), ("id", *labels)))
    return frame


def _check(path: Path, ids: np.ndarray, values: np.ndarray, labels) -> None:
    for bad, message in (
        (~np.isfinite(values), "is not a number"),
        ((values < 0) | (values > 1), "is not a probability"),
    ):
        if bad.any():
            line, column = np.argwhere(bad)[0]
            raise SerError(f"{path}: {ids[line]}: {labels[column]} {message}; wanted are probabilities from 0 to 1")
    off = np.abs(values.sum(axis=1) - 1) > TOLERANCE
    if off.any():
        line = int(np.argmax(off))
        total = values[line].sum()
        raise SerError(f"{path}: {ids[line]}: its probabilities sum to {total:.4g}, not to 1; give those after softmax")


def _named(names: list[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def optional_utterances(corpus: str) -> set[str]:
    """List utterances that predictions may lack: those missing here, or in the published results of the corpus."""
    names: set[str] = set()
    with contextlib.suppress(SerError):
        names |= set(corpora.load(corpus).attrs.get("missing", []))
    for result in store.load_rows(store.published_dir()):
        if result.ok and result.completeness and result.spec["corpus"] == corpora.canonical_name(corpus):
            names |= set(result.completeness.missing)
    return names


def score_submission(
    path: str | Path, corpus: str, protocol: str, *, folds=None, against=(), test_corpus=None
) -> Submission:
    """Score external predictions as the suite's own, and test them against published results.

    Parameters
    ----------
    path : str or path
        see :func:`read_predictions`
    corpus, protocol, test_corpus : str
        corpora and protocol of the predictions
    folds : iterable of int, optional
        by default every fold of which a test utterance is in the file; each fold must be complete
    against : iterable of str
        hashes (or their beginnings) of published results, names of models, or "all"

    Raises
    ------
    SerError
        for missing, repeated or unknown utterances, or an unknown baseline
    """
    protocol = splits.canonical_protocol(protocol)
    where = utterance_sides(corpus, protocol, test_corpus)
    target = test_corpus if protocol == "cross" else corpus
    labels = shared_labels(corpus, target)
    predictions = read_predictions(path, labels, tuple(where["id"]))
    numbers = [column for column in where if column.isdigit()]
    chosen = _folds(where, numbers, set(predictions["id"]), folds, protocol, path)
    tested = where[(where[chosen] == "test").any(axis=1) & where["emotion"].isin(labels)]
    absent = _check_utterances(path, predictions, tested, chosen, (corpus, target, protocol))
    frame = tested[["id", "corpus", "speaker", "text"]].assign(truth=tested["emotion"]).merge(predictions, on="id")
    frame["prediction"] = np.asarray(labels)[frame[list(labels)].to_numpy().argmax(axis=1)]
    parts = dict(list(frame.groupby("corpus"))) if frame["corpus"].nunique() > 1 else {}
    merged = None
    if corpora.canonical_name(target) == paper.LISTENERS["corpus"] and "calm" in labels:
        merged = score_predictions(merge_calm(frame), [label for label in labels if label != "calm"])
    like: dict[str, Any] = {
        "corpus": corpora.canonical_name(corpus),
        "protocol": protocol,
        "test_corpus": corpora.canonical_name(test_corpus) if protocol == "cross" else None,
    }
    return Submission(
        predictions=str(path),
        **like,
        demo=corpora.get_corpus(corpus).demo,
        folds=tuple(int(number) for number in chosen),
        folds_total=len(numbers),
        labels=tuple(labels),
        absent=tuple(absent),
        scored=score_predictions(frame, labels),
        parts={name: score_predictions(part, labels) for name, part in parts.items()},
        calm_is_neutral=merged,
        against=_compared(frame, labels, like, against),
    )


def _check_utterances(path, predictions, tested, chosen: list[str], about: tuple[str, str, str]) -> list[str]:
    """Check that the file has the tested utterances and no others; return those missing that it may lack."""
    corpus, target, protocol = about
    unknown = sorted(set(predictions["id"]) - set(tested["id"]))
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        where = f"protocol {protocol}, fold {', '.join(chosen)}"
        raise SerError(f"{path}: {_named(unknown)} {verb} not tested by {where} of {corpus}")
    lacking = set(tested["id"]) - set(predictions["id"])
    excused = optional_utterances(target) & lacking if lacking else set()
    if lacking - excused:
        names = sorted(lacking - excused)
        verb = "is" if len(names) == 1 else "are"
        raise SerError(f"{path}: {_named(names)} {verb} missing; fold {', '.join(chosen)} must be complete")
    return sorted(excused)


def _folds(where, numbers, ids: set[str], folds, protocol: str, path) -> list[str]:
    if folds is not None:
        wrong = [str(fold) for fold in folds if str(fold) not in numbers]
        if wrong:
            raise SerError(f"fold {', '.join(wrong)}: protocol {protocol} has folds 0 to {len(numbers) - 1}")
        return [str(fold) for fold in folds]
    if protocol == "cross":  # every fold tests the whole of the other corpus
        return numbers[:1]
    chosen = [number for number in numbers if ids & set(where.loc[where[number] == "test", "id"])]
    if not chosen:
        raise SerError(f"{path}: {_named(sorted(ids))}: no utterance of this corpus; ids are as `ser folds` gives them")
    return chosen


def _compared(frame, labels, like: dict, against) -> tuple[BaselineComparison, ...]:
    """Compare these predictions with each published result (or the pooled results of a model)."""
    if not against:
        return ()
    folder = store.published_dir()
    results = [result for result in store.load_rows(folder) if result.ok]
    alike = [result for result in results if all(result.spec.get(name) == value for name, value in like.items())]
    compared = []
    for name in against:
        matches = [result for result in alike if name in ("all", result.spec["model"]) or _is_hash(name, result)]
        if not matches:
            names = sorted({result.spec["model"] for result in alike})
            known = f"; there are {', '.join(names)}" if names else ""
            meant = near(name, names, {key: model.title for key, model in models.MODELS.items()})
            where = f"{like['corpus']} under protocol {like['protocol']}"
            raise SerError(f"--baseline {name}: no published result of {where}{meant}{known}")
        if name == "all" or name in models.MODELS:
            matches = _default_results(matches) or matches
        compared += [_pair(frame, result, labels, folder) for result in pool_results(matches, folder)]
    holm = {
        score: significance.holm([comparison.differences.get(score).p for comparison in compared])
        for score in significance.TESTED
    }
    return tuple(
        replace(comparison, p_holm={score: values[place] for score, values in holm.items()})
        for place, comparison in enumerate(compared)
    )


def _default_results(matches: list[RunResult]) -> list[RunResult]:
    """Select what stands for a system: clean test recordings, the default setting, and most folds.

    Where a system was measured both with and without augmentation, the one nearer to the defaults is taken.
    """
    matches = [run for run in matches if run.spec["condition"] == "clean" and is_default_setting(run.spec)]
    settings: dict[str, list[list[RunResult]]] = {}
    for run in matches:
        groups = settings.setdefault(run.spec["model"], [])
        alike = next((group for group in groups if group[0].setting == run.setting), None)
        alike.append(run) if alike else groups.append([run])

    def order(group: list[RunResult]) -> tuple[int, int]:
        return -len({run.spec["fold"] for run in group}), len(setting_words(group[0].setting))

    return [run for groups in settings.values() for run in min(groups, key=order)]


def _is_hash(name: str, result: RunResult) -> bool:
    return len(name) >= 6 and result.hash.startswith(name)


def _pair(frame, result: PooledResult, labels, folder) -> BaselineComparison:
    """Compare these predictions with a published system, on the utterances that both have."""
    other = join_predictions(result.results, folder)
    shared = set(frame["id"]) & set(other["id"])
    differences = NOTHING_SHARED
    if shared and tuple(labels) == result.labels:
        own, published = (part[part["id"].isin(shared)] for part in (frame, other))
        differences = significance.paired(published, own, labels)
    return BaselineComparison(
        model=result.spec["model"],
        setting=format_setting(result.spec) or "default",
        hashes=tuple(run.hash for run in result.results),
        folds=result.folds,
        seeds=result.seeds,
        utterances=len(shared),
        differences=differences,
        p_holm={},
    )
