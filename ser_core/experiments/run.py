"""Run one spec: a frozen :class:`Spec` in, one :class:`RunResult` out, kept in the store.

The notebooks, the shell command and the tests call :func:`run_spec`. A result is a JSON file, its predictions a Parquet
file, its weights a ``.keras`` file, all named by the hash of the spec and of the data; existing results are reused. A
run that differs only in the condition of the test audio uses the weights of the clean run; a learner is fitted once for
all conditions in a process. One training gives the results of every rule that keeps an epoch (``keep`` of the spec).
"""

import contextlib
import datetime
import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import corpora, models
from ser_core._utils import backend, paths
from ser_core._utils.atomic import replace_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.machine import processor, versions
from ser_core.corpora import formats
from ser_core.experiments import caveats, evaluation
from ser_core.experiments import data as cells
from ser_core.experiments.result import Completeness, RunResult
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.experiments.store import (
    checkpoint_folder,
    claimed,
    load_row,
    result_lock,
    store_dir,
    weights_path,
    write_result,
)
from ser_core.features import cache, usable
from ser_core.models import custom
from ser_core.protocols import splits
from ser_core.training import fit, speedups
from ser_core.training.selection import KEEP, ORACLE, RULES, kept_epochs

VERSION_SECONDS = 60.0
"""For so long a Dask worker takes a corpus as it was read last."""


def compute_features(specs: Iterable[Spec], *, progress: bool = True, workers: int | None = None) -> None:
    """Compute every feature that these runs will need, in parallel, into the cache.

    A run whose data are unavailable is left out; it fails by itself later.

    Raises
    ------
    SerError
        for the first recording that cannot be used
    """
    cache.ensure_cached(_needed_jobs(specs), progress=progress, workers=workers)


def _needed_jobs(specs: Iterable[Spec]) -> Iterator[cache.Job]:
    """Yield the jobs of runs, each once, one run after the other, so that they are never all in memory."""
    seen: set[int] = set()
    for spec in specs:
        jobs: list[cache.Job] = []
        with contextlib.suppress(SerError):
            jobs = cells.required_jobs(spec, cells.load_subsets(spec))
        for job in jobs:
            if hash(job) not in seen:
                seen.add(hash(job))
                yield job


def corpus_version(corpus: str) -> str:
    """Return the version of a corpus by its name (:func:`table_version`)."""
    return table_version(usable.load(corpus), corpus)


def table_version(table, corpus: str) -> str:
    """Return the version of the data of a corpus: of its ids and samples (``cache.data_version``).

    That of a user's own corpus also covers what its list says of each utterance (emotion, speaker, text, ...), so that
    a corrected label gives a new result. The labels of the known corpora follow from their ids.

    Parameters
    ----------
    table : DataFrame
        utterance table
    corpus : str
        its name

    Returns
    -------
    str
        16 hexadecimal digits
    """
    version = cache.data_version(table)
    if not formats.is_path(corpus):
        return version
    return hashlib.sha256(f"{version} {formats.table_digest(table)}".encode()).hexdigest()[:16]


def corpus_version_once(corpus: str) -> str:
    """Return the version of a corpus by its name; it is read again after :data:`VERSION_SECONDS`."""
    return _corpus_version_at(corpus, str(paths.data_dir()), int(time.monotonic() // VERSION_SECONDS))


@functools.lru_cache(maxsize=16)
def _corpus_version_at(corpus: str, folder: str, period: int) -> str:
    return corpus_version(corpus)


def data_version(spec: Spec, version_of: Callable[[str], str] = corpus_version) -> str:
    """Return the version of all the data of a run: of its corpus and, under ``cross``, of the test corpus."""
    versions = [version_of(name) for name in (spec.corpus, spec.test_corpus) if name]
    if spec.protocol == "official":  # who is in which subset is a fact of the corpus
        versions.append(splits.folds_digest(corpora.load(spec.corpus)))
    return "-".join(versions)


def run_spec(spec: Spec, *, fresh: bool = False, progress: bool = True) -> RunResult:
    """Train and evaluate one spec, or take its result from the store.

    Parameters
    ----------
    spec : Spec
        what to run
    fresh : bool, default False
        recompute a result that the store holds
    progress : bool, default True
        show progress bars on standard error

    Returns
    -------
    RunResult

    Raises
    ------
    SerError
        for input that cannot be used. Only a sweep turns other failures into results.
    """
    table = usable.load(spec.corpus)
    version = data_version(
        spec, lambda name: table_version(table, name) if name == spec.corpus else corpus_version(name)
    )
    name = spec_hash(spec, version)
    training = spec_hash(replace(spec, keep=RULES[0]), version)  # one training gives the results of all rules
    stored = None if fresh else load_row(store_dir() / f"{name}.json")
    if stored and stored.ok:
        return caveats.noted(stored)
    with result_lock(training):
        stored = None if fresh else load_row(store_dir() / f"{name}.json")
        if stored and stored.ok:
            return caveats.noted(stored)
        if fresh:
            _learnt.cache_clear()
            fit.Checkpoint(checkpoint_folder(training)).remove()
        results = _measure(spec, table, version, progress)
        for result in results.values():
            write_result(result, store_dir())
        fit.Checkpoint(checkpoint_folder(training)).remove()
        return caveats.noted(results[spec.keep])


@dataclass(frozen=True)
class Fitted:
    """A fitted system."""

    predict: Callable[[np.ndarray], np.ndarray]  # inputs [utterances, *shape] -> probabilities [utterances, labels]
    parameters: int | None
    history: dict[str, list[float]]
    epochs: int | None
    best_epoch: int | None
    seconds: float
    chosen: Any = None
    network: Any = None  # keras.Model whose weights are stored
    study: dict[str, list[float]] = field(default_factory=dict)
    validation: np.ndarray | None = None  # probabilities by a fit without them, where ``predict`` has learnt them


def _measure(spec: Spec, table, version: str, progress: bool) -> dict[str, RunResult]:
    """Compute everything of a result; of a network the results of every rule that keeps an epoch.

    Returns
    -------
    dict of rule (``keep`` of the spec) to RunResult
    """
    sides = cells.load_subsets(spec, table)
    clean = None if spec.condition == "clean" else _trained(spec, progress)
    clock = time.perf_counter()
    cache.ensure_cached(cells.required_jobs(spec, sides), progress=progress, workers=1 if not progress else None)
    model = models.get_model(spec.model)
    loads = clean and model.kind == "network"
    learns = model.kind != "network" and spec.adapt == "none"
    x = cells.network_inputs(spec, sides, ("validation", "test") if loads or learns else splits.SIDES)
    seconds = {"features": time.perf_counter() - clock}
    n_augmented: int | None
    if learns:
        plain = replace(spec, condition="clean")
        fitted, n_augmented = _learnt(plain, spec_hash(plain, version))
        systems = {spec.keep: replace(fitted, network=None) if clean else fitted}
    elif clean and loads:
        systems, n_augmented = {spec.keep: _loaded(spec, clean)}, clean.n_augmented
    else:
        training = checkpoint_folder(spec_hash(replace(spec, keep=RULES[0]), version))
        systems = _fit(spec, sides, x, training, progress)
        n_augmented = len(x.pop("train")) - len(sides.train)
    if untrained := caveats.untrained(sides):
        systems = {keep: replace(one, predict=caveats.never(one.predict, untrained)) for keep, one in systems.items()}
    n_train = len(sides.train)
    if spec.protocol == "leaky":
        n_train = int((sides.train["copy"] == "").sum())
        n_augmented = len(sides.train) - n_train
    known = {
        "data_version": version,
        "n_train": n_train,
        "n_augmented": n_augmented,
        "trained": clean.hash if clean else None,
        "left_out": sides.left_out if spec.test_corpus else {},
        "test_completeness": _completeness(sides.tested) if spec.test_corpus else None,
        "completeness": _completeness(table),
        **caveats.describe(spec, table, sides),
    }
    return {
        keep: _evaluate(replace(spec, keep=keep), fitted, x, sides, seconds, known) for keep, fitted in systems.items()
    }


def _evaluate(
    spec: Spec, fitted: Fitted, x: dict[str, np.ndarray], sides: cells.Subsets, seconds: dict[str, float], known: dict
) -> RunResult:
    """Evaluate a fitted system, and write its predictions and its weights.

    ``known`` are fields of the result that do not depend on the system.
    """
    name = spec_hash(spec, known["data_version"])
    clock = time.perf_counter()
    answers = {
        "validation": fitted.predict(x["validation"]) if fitted.validation is None else fitted.validation,
        "test": fitted.predict(x["test"]),
    }
    predicted = {
        side: evaluation.predictions_frame(values, sides.get(side), sides.labels) for side, values in answers.items()
    }
    seconds = seconds | {"training": fitted.seconds, "evaluation": time.perf_counter() - clock}
    evaluation.write_predictions(predicted, store_dir() / f"{name}.parquet")
    if fitted.network is not None:
        with replace_atomically(store_dir() / f"{name}.keras", ".keras") as temporary:
            fitted.network.save(temporary)
    return RunResult(
        hash=name,
        spec=asdict(spec),
        demo=corpora.get_corpus(spec.corpus).demo,
        claimed=claimed(asdict(spec)),
        **vars(evaluation.evaluate_predictions(predicted, sides.labels)),
        parameters=fitted.parameters,
        history=fitted.history,
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        chosen=fitted.chosen,
        study=fitted.study,
        standing=models.get_model(spec.model).fidelity,
        seconds={key: round(value, 2) for key, value in seconds.items()},
        **known,
        versions=versions() | backend.named_backend(),
        processor=processor(),
        when=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _trained(spec: Spec, progress: bool) -> RunResult:
    """Return the clean result, which is run first where the store lacks it or the weights of its network."""
    clean = replace(spec, condition="clean")
    result = run_spec(clean, progress=progress)
    if models.get_model(spec.model).kind == "network" and not weights_path(result).is_file():
        result = run_spec(clean, fresh=True, progress=progress)
    return result


def _loaded(spec: Spec, clean: RunResult) -> Fitted:
    """Load the network of a clean result."""
    fit.prepare_backend(spec.seed)
    import keras

    network = keras.models.load_model(weights_path(clean), compile=False)
    return Fitted(_answers(network), clean.parameters, {}, clean.epochs, clean.best_epoch, seconds=0.0)


@functools.lru_cache(maxsize=1)
def _learnt(spec: Spec, name: str) -> tuple[Fitted, int]:
    """Fit the learner of a clean spec, and count augmented copies; ``name`` is the hash of its result."""
    sides = cells.load_subsets(spec)
    x = cells.network_inputs(spec, sides, ("train", "validation"))
    fitted = _fit(spec, sides, x, checkpoint_folder(name), progress=False)[spec.keep]
    return fitted, len(x["train"]) - len(sides.train)


def _fit(
    spec: Spec, sides: cells.Subsets, x: dict[str, np.ndarray], checkpoint: Path, progress: bool
) -> dict[str, Fitted]:
    """Fit the system of a spec on the training inputs, which its augmented copies follow; a network under every rule.

    The test inputs go only into what is marked as a leak: the rule ``oracle`` and the curve of the test UAR.
    """
    index = {label: i for i, label in enumerate(sides.labels)}
    target = {side: sides.get(side)["emotion"].map(index).to_numpy() for side in splits.SIDES}
    copies = len(x["train"]) // len(sides.train)
    y = np.tile(target["train"], copies)
    if models.get_model(spec.model).kind == "network":
        held_out = {side: (x[side], target[side]) for side in ("validation", "test")}
        return _fit_network(spec, sides.train, (x["train"], y), held_out, len(index), checkpoint, progress)
    known = {name: np.tile(sides.train[name], copies) for name in ("speaker", "sex")}
    validation = (x["validation"], target["validation"])
    return {spec.keep: _fit_learner(spec, (x["train"], y), validation, known, sides.validation, sides.labels)}


def _answers(network) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: network.predict(**speedups.batches(x, size=fit.EVALUATION_BATCH), verbose=0)


def _fit_network(
    spec: Spec, table, train, held_out, classes: int, checkpoint: Path, progress: bool
) -> dict[str, Fitted]:
    """Train the network of a spec once, with an output for each emotion, and return what every rule keeps."""
    fit.prepare_backend(spec.seed)
    x, y = train
    heads = _heads(spec, table, y)
    sizes = {head: classes if head == "emotion" else int(values.max()) + 1 for head, values in heads.items()}
    network = _built(spec, x.shape[1:], classes, sizes)
    count = models.count_parameters(network)
    fit.fit_scaling(network, x)
    if heads:
        y = {network.output_names[0]: y, **heads}
    networks, done = fit.fit_with_rules(
        network, (x, y), held_out["validation"], spec.plan, rules=KEEP, test=held_out["test"],
        checkpoint=checkpoint, progress=progress, label=f"{spec.model} {spec.corpus} fold {spec.fold}",
    )  # fmt: skip
    kept = kept_epochs(done.loss, done.uar, spec.patience, done.test_uar)
    study = {"test_uar": [round(value, 6) for value in done.test_uar]}
    return {
        rule: Fitted(
            _answers(kept_network), count, done.history, done.epochs, kept[rule], done.seconds,
            network=None if rule == ORACLE else kept_network, study=study,
        )
        for rule, kept_network in networks.items()
    }  # fmt: skip


def _heads(spec: Spec, table, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return the targets of a network's further heads; columns that are unknown or constant are left out."""
    heads = {}
    for column in models.get_model(spec.model).heads:
        if column == "emotion":
            heads[column] = y
            continue
        values = sorted(set(table[column]))
        if len(values) > 1 and not {"", "unknown"} & set(values):
            codes = table[column].map({value: i for i, value in enumerate(values)}).to_numpy()
            heads[column] = np.tile(codes, len(y) // len(table))
    return heads


def _fit_learner(spec: Spec, train, held_out, known: dict[str, np.ndarray], others, labels) -> Fitted:
    """Fit a classical or probing system; one that needs no validation learns the validation speakers in the end.

    ``known`` has the speakers and their sex of the training utterances, ``others`` those of the validation utterances.
    """
    from threadpoolctl import threadpool_limits

    clock = time.perf_counter()
    validation = None
    with threadpool_limits(1):
        learner = models.build_learner(spec.model, len(labels), spec.seed)
        x, y = train
        learner = fit.fit_learner(learner, x, y, known["speaker"], known["sex"])
        if getattr(learner, "uses_all_speakers", False):
            validation = learner.predict_proba(held_out[0])
            everyone = [np.concatenate([known[name], others[name]]) for name in ("speaker", "sex")]
            learner.refit(np.concatenate([x, held_out[0]]), np.concatenate([y, held_out[1]]), *everyone)
            learner.chosen["fitted_to"] = "training and validation utterances"
    return Fitted(
        learner.predict_proba, getattr(learner, "parameters", None), {}, None, None,
        seconds=time.perf_counter() - clock, chosen=learner.chosen, validation=validation,
        network=learner.as_network() if hasattr(learner, "as_network") else None,
    )  # fmt: skip


def _built(spec: Spec, shape: tuple[int, ...], classes: int, heads: dict[str, int]):
    """Build the network of a spec; a user-defined builder that fails or gives something else is one line."""
    try:
        network = fit.build_network(spec.model, shape, classes, spec.precision, heads, masked=spec.padding == "masked")
    except Exception as error:
        raise SerError(
            f"model {spec.model}: cannot be built for input {shape}: {custom.describe_error(error)}"
        ) from error
    if spec.model not in models.MODELS:
        custom.check_network(network, spec.model, shape, classes)
    return network


def _completeness(table) -> Completeness:
    return Completeness(table.attrs.get("expected"), len(table), tuple(table.attrs.get("missing", [])))
