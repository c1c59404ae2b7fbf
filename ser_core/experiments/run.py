"""One cell of the matrix: a frozen :class:`Spec` in, one row out, kept in the store.

``run(spec)`` is what the notebooks, the shell command and the tests call. A row is a JSON file, its predictions a
Parquet file, its weights a ``.keras`` file, all named by the hash of the spec and of the data; what is there is not
computed again. A cell that only tests otherwise, under a condition, is not trained again: it takes the weights of the
clean cell.
"""

import contextlib
import datetime
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from ser_core import cache, corpora, evaluation, execution, models, paper, training
from ser_core import sides as cells
from ser_core.errors import SerError
from ser_core.models import own
from ser_core.paths import runs_dir
from ser_core.spec import Spec, completed, spec_hash


def store_dir() -> Path:
    """Where ``run`` keeps its results: ``<runs>/store``."""
    return runs_dir() / "store"


def published_dir() -> Path:
    """The committed rows measured on the real corpora: ``<runs>/published``. They never satisfy a run."""
    return runs_dir() / "published"


def prepare(specs: Iterable[Spec], *, progress: bool = True, workers: int | None = None) -> None:
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
            needed += cells.needed(spec, cells.of(spec))
    cache.ensure(needed, progress=progress, workers=workers)


def corpus_version(corpus: str) -> str:
    """Version of a corpus by its name (``cache.data_version``)."""
    return cache.data_version(corpora.load(corpus))


def data_version(spec: Spec, version_of: Callable[[str], str] = corpus_version) -> str:
    """Version of all the data of a cell: of its corpus and, under ``cross``, of the one that it tests on."""
    return "-".join(version_of(name) for name in (spec.corpus, spec.test_corpus) if name)


def run(spec: Spec, *, fresh: bool = False, progress: bool = True) -> dict:
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
    with alone(name):
        stored = None if fresh else load_row(store_dir() / f"{name}.json")
        if stored and stored["status"] == "ok":
            return stored
        if fresh:
            training.Checkpoint(_checkpoint(name)).remove()
        row = {"hash": name, "spec": asdict(spec), "status": "ok", "error": None, "data_version": version}
        row |= _measure(spec, table, name, progress)
        cache.write_atomically(store_dir() / f"{name}.json", (json.dumps(row) + "\n").encode())
        training.Checkpoint(_checkpoint(name)).remove()
        return row


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Wait until no other process works on this result in this store, and let none begin.

    The lock is the system's, on ``<store>/<name>.lock``, and goes with the process that holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = store_dir() / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("w")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break  # else the one before removed the file after it was opened here
        file.close()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def failure(spec: Spec, error: BaseException) -> dict:
    """The row of a cell that failed; it is shown and stored under its own name, and tried again next time."""
    message = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if isinstance(error, SerError):
        message = str(error)
    digest = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()[:16]
    row = {"hash": f"error-{digest}", "spec": asdict(spec), "status": "error", "error": message}
    cache.write_atomically(store_dir() / f"{row['hash']}.json", (json.dumps(row) + "\n").encode())
    return row


def _checkpoint(name: str) -> Path:
    return store_dir() / f"{name}.checkpoint"


def _measure(spec: Spec, table, name: str, progress: bool) -> dict:
    """Everything of a row that must be computed."""
    sides = cells.of(spec, table)
    clean = None if spec.condition == "clean" else _trained(spec, progress)
    clock = time.perf_counter()
    cache.ensure(cells.needed(spec, sides), progress=progress, workers=1 if not progress else None)
    model = models.entry(spec.model)
    kept = clean is not None and model.kind == "network"
    x = cells.inputs(spec, sides, ("validation", "test") if kept else ("train", "validation", "test"))
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
        side: evaluation.predictions(answer(x[side]), sides[side], sides.labels) for side in ("validation", "test")
    }
    seconds["evaluation"] = time.perf_counter() - clock
    evaluation.write(predicted, store_dir() / f"{name}.parquet")
    return {
        "demo": corpora.lookup(spec.corpus).demo,
        "n_train": n_train,
        "claimed": claimed(asdict(spec)),
        **evaluation.judged(predicted, sides.labels),
        **fitted,
        **({"trained": clean["hash"]} if clean else {}),
        **({"left_out": sides.left_out, "test_completeness": _completeness(sides.tested)} if spec.test_corpus else {}),
        "standing": model.standing,
        "seconds": {key: round(value, 2) for key, value in seconds.items()},
        "completeness": _completeness(table),
        "versions": versions(),
        "processor": processor(),
        "when": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def claimed(spec: dict) -> dict | None:
    """What the paper claims for the system and corpus of a spec; None for what it did not measure.

    It tested on clean audio of the corpus that it trained on.
    """
    if spec.get("test_corpus") or spec.get("condition", "clean") != "clean":
        return None
    return paper.claim(spec["model"], spec["corpus"])


def _trained(spec: Spec, progress: bool) -> dict:
    """The row of the clean cell, which is run first where the store lacks it or the weights of its network."""
    clean = replace(spec, condition="clean")
    row = run(clean, progress=progress)
    if models.entry(spec.model).kind == "network" and not weights_path(row).is_file():
        row = run(clean, fresh=True, progress=progress)
    return row


def _loaded(spec: Spec, clean: dict):
    """The network of a clean row, as a function from inputs to probabilities, and what the row says of its training."""
    training.prepare_backend(spec.seed)
    import keras

    network = keras.models.load_model(weights_path(clean), compile=False)
    facts = {key: clean[key] for key in ("n_augmented", "parameters", "epochs", "best_epoch")}
    return _answers(network), facts | {"history": {}, "seconds": 0.0}


def _answers(network) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: network.predict(**execution.batches(x, size=training.EVALUATION_BATCH), verbose=0)


def _fit_network(spec: Spec, table, train, validation, name: str, progress: bool):
    """Train the network of a spec and keep it: a function from inputs to probabilities, and what the row says of it."""
    training.prepare_backend(spec.seed)
    x, y = train
    heads = _heads(spec, table, y)
    network = _built(
        spec, x.shape[1:], int(y.max()) + 1, {head: int(values.max()) + 1 for head, values in heads.items()}
    )
    count = models.parameters(network)
    training.fit_scaling(network, x)
    if heads:
        y = {network.output_names[0]: y, **heads}
    network, done = training.fit(
        network, (x, y), validation, spec.plan,
        checkpoint=_checkpoint(name), progress=progress, label=f"{spec.model} {spec.corpus} fold {spec.fold}",
    )  # fmt: skip
    store_dir().mkdir(parents=True, exist_ok=True)
    network.save(store_dir() / f".{name}.part.keras")
    os.replace(store_dir() / f".{name}.part.keras", store_dir() / f"{name}.keras")
    facts = {"parameters": count, "history": done.history, "epochs": done.epochs, "best_epoch": done.best_epoch}
    return _answers(network), facts | {"seconds": done.seconds}


def _heads(spec: Spec, table, y: np.ndarray) -> dict[str, np.ndarray]:
    """Targets of a network's further heads; columns that are unknown or the same for all are left out."""
    heads = {}
    for column in models.entry(spec.model).heads:
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
        learner = models.learner(spec.model, len(labels), spec.seed).fit(x, y, groups)
    facts = {"parameters": getattr(learner, "parameters", None), "history": {}, "epochs": None, "best_epoch": None}
    return learner.predict_proba, facts | {"chosen": learner.chosen, "seconds": time.perf_counter() - clock}


def _built(spec: Spec, shape: tuple[int, ...], classes: int, heads: dict[str, int]):
    """The network of a spec; a user's own builder that fails or gives something else is one line."""
    try:
        network = training.build(spec.model, shape, classes, spec.precision, heads, masked=spec.padding == "masked")
    except Exception as error:
        raise SerError(f"model {spec.model}: cannot be built for input {shape}: {own.told(error)}") from error
    if spec.model not in models.MODELS:
        own.check(network, spec.model, shape, classes)
    return network


def _completeness(table) -> dict:
    attrs = table.attrs
    return {"expected": attrs.get("expected"), "found": len(table), "missing": list(attrs.get("missing", []))}


def publish(specs) -> list[str]:
    """Copy the finished rows of these specs, JSON and Parquet, from the store to the published folder.

    What the paper claims is looked up again, so that a mended ``paper.py`` reaches rows measured before.

    Returns
    -------
    list of the names published; cells that have not finished are passed over
    """
    wanted = {json.dumps(asdict(spec), sort_keys=True) for spec in specs}
    before = {json.dumps(row["spec"], sort_keys=True): row["hash"] for row in load_rows(published_dir())}
    names = []
    for row in load_rows(store_dir()):
        key = json.dumps(row["spec"], sort_keys=True)
        if row["status"] == "ok" and key in wanted:
            row["claimed"] = claimed(row["spec"])
            predictions = (store_dir() / f"{row['hash']}.parquet").read_bytes()
            cache.write_atomically(published_dir() / f"{row['hash']}.parquet", predictions)
            cache.write_atomically(published_dir() / f"{row['hash']}.json", (json.dumps(row) + "\n").encode())
            if before.get(key, row["hash"]) != row["hash"]:  # measured anew, on other data or by other code
                for suffix in (".json", ".parquet"):
                    (published_dir() / f"{before[key]}{suffix}").unlink(missing_ok=True)
            names.append(row["hash"])
    return names


def load_row(path: Path) -> dict | None:
    """A stored row, or None where there is none or it cannot be read.

    Fields of the spec that came into being after the row was stored stand at their defaults.
    """
    try:
        row = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None
    if isinstance(row, dict) and "spec" in row:
        with contextlib.suppress(SerError):  # somebody else's corpus or network
            row["spec"] = completed(row["spec"])
    return row


def load_rows(folder: Path) -> list[dict]:
    """All rows of a folder (:func:`load_row`), sorted by spec; files that are no rows are passed over."""
    rows = [load_row(path) for path in sorted(Path(folder).glob("*.json"))]
    rows = [row for row in rows if row and isinstance(row, dict) and "spec" in row and "status" in row]
    return sorted(rows, key=lambda row: json.dumps(row["spec"], sort_keys=True))


def published_specs() -> set[Spec]:
    """The cells whose rows stand in the published folder."""
    found = set()
    for row in load_rows(published_dir()):
        with contextlib.suppress(SerError, TypeError):
            found.add(Spec(**row["spec"]))
    return found


def load_predictions(row: dict, folder: Path):
    """Validation and test predictions of a row, with the ``prediction`` (the most probable label) as a column."""
    import pandas as pd

    frame = pd.read_parquet(Path(folder) / f"{row['hash']}.parquet")
    labels = np.asarray(row["labels"])
    frame["prediction"] = labels[frame[list(labels)].to_numpy().argmax(axis=1)]
    return frame


def weights_path(row: dict) -> Path:
    """Where the store keeps (or would keep) the trained network of a row."""
    return store_dir() / f"{row['hash']}.keras"


DEPENDED_ON = (
    *("ser-core", "keras", "tensorflow", "tensorflow-cpu", "numpy", "scipy", "librosa", "soundfile", "soxr"),
    *("scikit-learn", "hmmlearn", "opensmile", "torch", "transformers"),
)


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in DEPENDED_ON:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def processor() -> str:
    """The processor's name and its number of cores."""
    return f"{processor_name()}, {os.cpu_count()} cores"
