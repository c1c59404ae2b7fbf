"""Run one spec on a continuous label: arousal, valence or dominance instead of the emotion.

The protocols, folds, inputs and networks are those of :mod:`ser_core.experiments.run`; the softmax becomes one number.
Results lie in ``<runs>/continuous``, apart from those of classification, with which they share no score.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import models
from ser_core._utils import backend
from ser_core._utils.atomic import replace_atomically, write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.machine import processor, versions
from ser_core._utils.paths import runs_dir
from ser_core._utils.words import counted
from ser_core.experiments import data as cells
from ser_core.experiments.run import table_version
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.features import cache, usable
from ser_core.metrics import regression as scoring
from ser_core.models.regression_head import with_regression_head
from ser_core.protocols import splits
from ser_core.training import fit
from ser_core.training import regression as fitting


@dataclass(frozen=True)
class ContinuousResult:
    """Result of one run on a continuous label.

    Attributes
    ----------
    hash, target, scale : str
        name of the result, of the label, and what the corpus says of its scale ("" where nothing)
    spec : dict
    n_train, n_validation, n_test, left_out : int
        utterances, and those without this label
    score : dict
        that of :func:`ser_core.metrics.regression.ccc_interval`, with ``rmse`` on the corpus's own scale
    validation_ccc : float
    parameters, epochs, best_epoch : int
    history : dict
        ``loss`` and ``val_ccc`` per epoch
    seconds : dict
    versions : dict
    processor, when : str
    """

    hash: str
    target: str
    spec: dict[str, Any]
    scale: str
    n_train: int
    n_validation: int
    n_test: int
    left_out: int
    score: dict[str, Any]
    validation_ccc: float
    parameters: int
    epochs: int
    best_epoch: int
    history: dict[str, list[float]]
    seconds: dict[str, float]
    versions: dict[str, str] = field(default_factory=dict)
    processor: str = ""
    when: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return asdict(self)


def folder() -> Path:
    """Return the folder of results on continuous labels."""
    return runs_dir() / "continuous"


def run_continuous(spec: Spec, target: str, *, fresh: bool = False, progress: bool = True) -> ContinuousResult:
    """Train and evaluate a network on a continuous label, or take its result from the folder.

    Parameters
    ----------
    spec : Spec
        of a network, on clean recordings of one corpus
    target : str
        one of :data:`ser_core.metrics.regression.DIMENSIONS`
    fresh : bool, default False
        recompute a stored result
    progress : bool, default True
        show progress bars on standard error

    Returns
    -------
    ContinuousResult

    Raises
    ------
    SerError
        for a label that the corpus lacks, or a spec that has no meaning here
    """
    _check(spec, target)
    table = usable.load(spec.corpus)
    if target not in table or not table[target].notna().any():
        known = [name for name in scoring.DIMENSIONS if name in table and table[name].notna().any()]
        others = f"its continuous labels are {', '.join(known)}" if known else "a list needs a column of that name"
        raise SerError(f"{spec.corpus}: has no {target}; {others}")
    name = f"{spec_hash(spec, _version(spec, table))}-{target}"
    stored = None if fresh else _stored(folder() / f"{name}.json")
    return stored or _measure(spec, target, table, name, progress)


def _check(spec: Spec, target: str) -> None:
    """Raise SerError for what a run on a continuous label does not have."""
    if target not in scoring.DIMENSIONS:
        raise SerError(f"target {target!r}: not known; choose among {', '.join(scoring.DIMENSIONS)}")
    if models.get_model(spec.model).kind != "network":
        raise SerError(f"target {target}: model {spec.model} is no network; a regression head needs one")
    for wrong, words in (
        (spec.protocol == "cross", "protocol cross: corpora have scales of their own"),
        (spec.protocol == "leaky", "protocol leaky: shows a leak of emotions"),
        (spec.condition != "clean", f"condition {spec.condition}: only clean recordings"),
        (spec.keep != "loss", f"keep {spec.keep}: the epoch of the highest validation CCC is kept"),
    ):
        if wrong:
            raise SerError(f"target {target}, {words}; leave it out")


def _version(spec: Spec, table) -> str:
    """Return the version of the data of a run; it covers the labels of the list."""
    official = f"-{splits.folds_digest(table)}" if spec.protocol == "official" else ""
    return table_version(table, spec.corpus) + official


def _stored(path: Path) -> ContinuousResult | None:
    """Return a stored result; None where it is missing, damaged or of another version."""
    try:
        return ContinuousResult(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _measure(spec: Spec, target: str, table, name: str, progress: bool) -> ContinuousResult:
    """Train, predict, score and write one result."""
    sides = _labelled(cells.load_subsets(spec, table), target, spec)
    clock = time.perf_counter()
    cache.ensure_cached(cells.required_jobs(spec, sides), progress=progress, workers=1 if not progress else None)
    x = cells.network_inputs(spec, sides)
    seconds = {"features": time.perf_counter() - clock}
    y = {side: sides.get(side)[target].to_numpy(dtype=np.float64) for side in splits.SIDES}
    y["train"] = np.tile(y["train"], len(x["train"]) // len(y["train"]))
    fit.prepare_backend(spec.seed)
    network = with_regression_head(
        fit.build_network(spec.model, x["train"].shape[1:], len(sides.labels), spec.precision,
                          masked=spec.padding == "masked")
    )  # fmt: skip
    fit.fit_scaling(network, x["train"])
    label = f"{spec.model} {spec.corpus} {target} fold {spec.fold}"
    train, validation = ((x[side], y[side]) for side in ("train", "validation"))
    done = fitting.fit_regression(network, train, validation, spec.plan, progress=progress, label=label)
    predicted = {side: fitting.predict(network, x[side], done) for side in ("validation", "test")}
    score = _scored(sides.test, y["test"], predicted["test"])
    _write_predictions(sides, y, predicted, folder() / f"{name}.parquet")
    _write_network(network, folder() / f"{name}.keras")
    result = ContinuousResult(
        hash=name, target=target, spec=asdict(spec), scale=str(table.attrs.get("scale") or ""),
        n_train=len(sides.train), n_validation=len(sides.validation), n_test=len(sides.test),
        left_out=int(table[target].isna().sum()), score=score, validation_ccc=max(done.history["val_ccc"]),
        parameters=models.count_parameters(network), epochs=done.epochs, best_epoch=done.best_epoch,
        history=done.history, seconds={key: round(value, 2) for key, value in
                                       (seconds | {"training": done.seconds}).items()},
        versions=versions() | backend.named_backend(), processor=processor() or "",
        when=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )  # fmt: skip
    write_atomically(folder() / f"{name}.json", json.dumps(result.to_json()).encode())
    return result


def _labelled(sides: cells.Subsets, target: str, spec: Spec) -> cells.Subsets:
    """Leave out the utterances without the label; SerError where a subset has too few."""
    kept = {side: part[part[target].notna()] for side in splits.SIDES for part in [sides.get(side)]}
    for side, part in kept.items():
        if len(part) < 2:
            where = f"{spec.corpus}, protocol {spec.protocol}, fold {spec.fold}"
            raise SerError(
                f"{where}: {counted(len(part), 'utterance')} of the {side} subset with a {target}; two are needed"
            )
    return replace(sides, **kept)


def _scored(table, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Score predictions: CCC, its interval over speakers, and the root mean square error."""
    score = scoring.ccc_interval(truth, predicted, table["speaker"])
    return score | {"rmse": float(np.sqrt(np.square(truth - predicted).mean()))}


def _write_predictions(sides: cells.Subsets, y: dict, predicted: dict, path: Path) -> None:
    import pandas as pd

    parts = []
    for side, values in predicted.items():
        facts = sides.get(side)[["id", "corpus", "speaker", "sex", "text"]].reset_index(drop=True)
        parts.append(facts.assign(side=side, truth=y[side], prediction=values))
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs = {}
    with replace_atomically(path) as temporary:
        frame.to_parquet(temporary, index=False)


def _write_network(network, path: Path) -> None:
    """Write a network without the state of its optimizer."""
    import keras

    with replace_atomically(path, ".keras") as temporary:
        keras.Model(network.inputs, network.outputs, name=network.name).save(temporary)


def pool(results: Sequence[ContinuousResult]) -> dict[str, Any]:
    """Score the test utterances of several folds together.

    Parameters
    ----------
    results : sequence of ContinuousResult
        folds of one spec and label, whose predictions lie in :func:`folder`

    Returns
    -------
    dict
        ``ccc``, ``interval``, ``unit``, ``n``, ``level``, ``method``, ``rmse``, and ``folds``, ``n_test``

    Raises
    ------
    SerError
        for results of several specs, seeds or labels, or none
    """
    import pandas as pd

    kinds = {json.dumps([{**each.spec, "fold": 0}, each.target], sort_keys=True) for each in results}
    if len(kinds) != 1:
        raise SerError(f"{len(kinds)} kinds of results: only folds of one setting, seed and label are pooled")
    frame = pd.concat([pd.read_parquet(folder() / f"{each.hash}.parquet") for each in results], ignore_index=True)
    test = frame[frame["side"] == "test"]
    score = _scored(test, test["truth"].to_numpy(), test["prediction"].to_numpy())
    return score | {"folds": sorted({each.spec["fold"] for each in results}), "n_test": len(test)}
