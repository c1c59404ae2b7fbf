"""One cell of the matrix: a frozen :class:`Spec` in, one row out, kept in the store.

``run(spec)`` is what the notebooks, the shell command and the tests call. A row is a JSON file, its predictions a
Parquet file, its weights a ``.keras`` file, all named by the hash of the spec and of the data; what is there is not
computed again. A cell that only tests otherwise, under a condition, is not trained again: it takes the weights of the
clean cell.
"""

import contextlib
import datetime
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace

import numpy as np

from ser_core import corpora, models
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.machine import processor, versions
from ser_core.experiments import data as cells
from ser_core.experiments import evaluation
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.experiments.store import checkpoint_folder, claimed, load_row, result_lock, store_dir, weights_path
from ser_core.features import cache
from ser_core.models import custom
from ser_core.protocols import splits
from ser_core.training import fit, speedups


def compute_features(specs: Iterable[Spec], *, progress: bool = True, workers: int | None = None) -> None:
    """Compute every feature that these runs will ask for, in parallel, into the cache.

    A cell whose data are not to be had is left out; it says so itself when it is run.

    Raises
    ------
    SerError
        for the first recording that cannot be used
    """
    needed = []
    for spec in specs:
        with contextlib.suppress(SerError):
            needed += cells.required_jobs(spec, cells.load_subsets(spec))
    cache.ensure_cached(needed, progress=progress, workers=workers)


def corpus_version(corpus: str) -> str:
    """Version of a corpus by its name (``cache.data_version``)."""
    return cache.data_version(corpora.load(corpus))


def data_version(spec: Spec, version_of: Callable[[str], str] = corpus_version) -> str:
    """Version of all the data of a cell: of its corpus and, under ``cross``, of the one that it tests on."""
    versions = [version_of(name) for name in (spec.corpus, spec.test_corpus) if name]
    if spec.protocol == "official":  # who is in which subset is a fact of the corpus
        versions.append(splits.folds_digest(corpora.load(spec.corpus)))
    return "-".join(versions)


def run_spec(spec: Spec, *, fresh: bool = False, progress: bool = True) -> dict:
    """Train and judge one cell, or take it from the store.

    Parameters
    ----------
    spec : what to run
    fresh : train anew even where the store has the row
    progress : show bars on standard error

    Returns
    -------
    dict
        the row: ``spec``, ``status``, ``scores`` (fractions), ``intervals``, ``per_class``, ``confusion``, ...

    Raises
    ------
    SerError
        for input that cannot be used. Other failures are rows only in a sweep.
    """
    table = corpora.load(spec.corpus)
    version = data_version(
        spec, lambda name: cache.data_version(table) if name == spec.corpus else corpus_version(name)
    )
    name = spec_hash(spec, version)
    with result_lock(name):
        stored = None if fresh else load_row(store_dir() / f"{name}.json")
        if stored and stored["status"] == "ok":
            return stored
        if fresh:
            fit.Checkpoint(checkpoint_folder(name)).remove()
        row = {"hash": name, "spec": asdict(spec), "status": "ok", "error": None, "data_version": version}
        row |= _measure(spec, table, name, progress)
        write_atomically(store_dir() / f"{name}.json", (json.dumps(row) + "\n").encode())
        fit.Checkpoint(checkpoint_folder(name)).remove()
        return row


def _measure(spec: Spec, table, name: str, progress: bool) -> dict:
    """Everything of a row that must be computed."""
    sides = cells.load_subsets(spec, table)
    clean = None if spec.condition == "clean" else _trained(spec, progress)
    clock = time.perf_counter()
    cache.ensure_cached(cells.required_jobs(spec, sides), progress=progress, workers=1 if not progress else None)
    model = models.get_model(spec.model)
    kept = clean is not None and model.kind == "network"
    x = cells.network_inputs(spec, sides, ("validation", "test") if kept else ("train", "validation", "test"))
    index = {label: i for i, label in enumerate(sides.labels)}
    target = {side: sides[side]["emotion"].map(index).to_numpy() for side in ("train", "validation")}
    seconds = {"features": time.perf_counter() - clock}
    if kept:
        answer, fitted = _loaded(spec, clean)
    else:
        y = np.tile(target["train"], len(x["train"]) // len(sides.train))
        groups = np.tile(sides.train["speaker"], len(y) // len(sides.train))
        if model.kind == "network":
            validation = x["validation"], target["validation"]
            answer, fitted = _fit_network(spec, sides.train, (x.pop("train"), y), validation, name, progress)
        else:  # one that keeps no weights is fitted again, and is the same
            answer, fitted = _fit_learner(spec, groups, x.pop("train"), y, sides.labels)
        fitted["n_augmented"] = len(y) - len(sides.train)
    n_train = len(sides.train)
    if spec.protocol == "leaky":
        n_train = int((sides.train["copy"] == "").sum())
        fitted["n_augmented"] = len(sides.train) - n_train
    seconds["training"] = fitted.pop("seconds")
    clock = time.perf_counter()
    predicted = {
        side: evaluation.predictions_frame(answer(x[side]), sides[side], sides.labels)
        for side in ("validation", "test")
    }
    seconds["evaluation"] = time.perf_counter() - clock
    evaluation.write_predictions(predicted, store_dir() / f"{name}.parquet")
    return {
        "demo": corpora.get_corpus(spec.corpus).demo,
        "n_train": n_train,
        "claimed": claimed(asdict(spec)),
        **evaluation.evaluate_predictions(predicted, sides.labels),
        **fitted,
        **({"trained": clean["hash"]} if clean else {}),
        **({"left_out": sides.left_out, "test_completeness": _completeness(sides.tested)} if spec.test_corpus else {}),
        "standing": model.fidelity,
        "seconds": {key: round(value, 2) for key, value in seconds.items()},
        "completeness": _completeness(table),
        "versions": versions(),
        "processor": processor(),
        "when": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _trained(spec: Spec, progress: bool) -> dict:
    """The row of the clean cell, which is run first where the store lacks it or the weights of its network."""
    clean = replace(spec, condition="clean")
    row = run_spec(clean, progress=progress)
    if models.get_model(spec.model).kind == "network" and not weights_path(row).is_file():
        row = run_spec(clean, fresh=True, progress=progress)
    return row


def _loaded(spec: Spec, clean: dict):
    """The network of a clean row, as a function from inputs to probabilities, and what the row says of its training."""
    fit.prepare_backend(spec.seed)
    import keras

    network = keras.models.load_model(weights_path(clean), compile=False)
    facts = {key: clean[key] for key in ("n_augmented", "parameters", "epochs", "best_epoch")}
    return _answers(network), facts | {"history": {}, "seconds": 0.0}


def _answers(network) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: network.predict(**speedups.batches(x, size=fit.EVALUATION_BATCH), verbose=0)


def _fit_network(spec: Spec, table, train, validation, name: str, progress: bool):
    """Train the network of a spec and keep it: a function from inputs to probabilities, and what the row says of it."""
    fit.prepare_backend(spec.seed)
    x, y = train
    heads = _heads(spec, table, y)
    network = _built(
        spec, x.shape[1:], int(y.max()) + 1, {head: int(values.max()) + 1 for head, values in heads.items()}
    )
    count = models.count_parameters(network)
    fit.fit_scaling(network, x)
    if heads:
        y = {network.output_names[0]: y, **heads}
    network, done = fit.fit_network(
        network, (x, y), validation, spec.plan,
        checkpoint=checkpoint_folder(name), progress=progress, label=f"{spec.model} {spec.corpus} fold {spec.fold}",
    )  # fmt: skip
    store_dir().mkdir(parents=True, exist_ok=True)
    network.save(store_dir() / f".{name}.part.keras")
    os.replace(store_dir() / f".{name}.part.keras", store_dir() / f"{name}.keras")
    facts = {"parameters": count, "history": done.history, "epochs": done.epochs, "best_epoch": done.best_epoch}
    return _answers(network), facts | {"seconds": done.seconds}


def _heads(spec: Spec, table, y: np.ndarray) -> dict[str, np.ndarray]:
    """Targets of a network's further heads; columns that are unknown or the same for all are left out."""
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


def _fit_learner(spec: Spec, groups: np.ndarray, x: np.ndarray, y: np.ndarray, labels):
    """Fit a classical or probing system: a function from inputs to probabilities, and what the row says of it."""
    from threadpoolctl import threadpool_limits

    clock = time.perf_counter()
    with threadpool_limits(1):
        learner = fit.fit_learner(models.build_learner(spec.model, len(labels), spec.seed), x, y, groups)
    facts = {"parameters": getattr(learner, "parameters", None), "history": {}, "epochs": None, "best_epoch": None}
    return learner.predict_proba, facts | {"chosen": learner.chosen, "seconds": time.perf_counter() - clock}


def _built(spec: Spec, shape: tuple[int, ...], classes: int, heads: dict[str, int]):
    """The network of a spec; a user's own builder that fails or gives something else is one line."""
    try:
        network = fit.build_network(spec.model, shape, classes, spec.precision, heads, masked=spec.padding == "masked")
    except Exception as error:
        raise SerError(
            f"model {spec.model}: cannot be built for input {shape}: {custom.describe_error(error)}"
        ) from error
    if spec.model not in models.MODELS:
        custom.check_network(network, spec.model, shape, classes)
    return network


def _completeness(table) -> dict:
    attrs = table.attrs
    return {"expected": attrs.get("expected"), "found": len(table), "missing": list(attrs.get("missing", []))}
