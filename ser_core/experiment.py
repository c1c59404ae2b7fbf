"""One cell of the matrix: a frozen :class:`Spec` in, one row out, kept in the store.

``run(spec)`` is what the notebooks, the shell command and the tests call. A row is a JSON file, its predictions a
Parquet file, its weights a ``.keras`` file, all named by the hash of the spec and of the data; what is there is not
computed again.
"""

import contextlib
import datetime
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import numpy as np

from ser_core import cache, corpora, metrics, models, paper, splits, statistics, training
from ser_core.augment import parse
from ser_core.errors import SerError
from ser_core.paths import runs_dir
from ser_core.spec import Spec, completed, spec_hash


def store_dir() -> Path:
    """Where ``run`` keeps its results: ``<runs>/store``."""
    return runs_dir() / "store"


def published_dir() -> Path:
    """The committed rows measured on the real corpora: ``<runs>/published``. They never satisfy a run."""
    return runs_dir() / "published"


def training_copies(spec: Spec, table) -> list[np.ndarray]:
    """Augmented copies of training utterances, one array a technique and copy: float32 [n, frames, channels].

    The only place that augments: it is given the training side of a split and nothing else.
    """
    return [
        cache.feature_matrix(table, spec.settings, progress=False, workers=1, technique=technique, seed=spec.seed,
                             copy=copy, ranges=spec.ranges)
        for technique in parse(spec.augment)
        for copy in range(spec.copies)
    ]  # fmt: skip


def prepare(spec: Spec, *, progress: bool = True, workers: int | None = None) -> None:
    """Compute every feature that a run will ask for, in parallel, into the cache."""
    table = corpora.load(spec.corpus)
    split = splits.split(table, spec.protocol, spec.fold)
    jobs = cache.jobs_for(table, spec.settings)
    train = table[table["id"].isin(split.train)]
    for technique in parse(spec.augment):
        for copy in range(spec.copies):
            treatment = {"technique": technique, "seed": spec.seed, "copy": copy, "ranges": spec.ranges}
            jobs += cache.jobs_for(train, spec.settings, **treatment)
    cache.ensure(jobs, progress=progress, workers=workers)


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
    version = cache.data_version(table)
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
    labels = corpora.labels(spec.corpus)
    if len(labels) < 2:
        raise SerError(f"{spec.corpus}: only the emotion {', '.join(labels)}; at least two are needed to tell apart")
    split = splits.split(table, spec.protocol, spec.fold)
    sides = {side: table[table["id"].isin(getattr(split, side))] for side in splits.SIDES}
    for side, part in sides.items():
        if part.empty:
            raise SerError(f"{spec.corpus}, protocol {spec.protocol}, fold {spec.fold}: nothing on the {side} side")
    clock = time.perf_counter()
    prepare(spec, progress=progress, workers=1 if not progress else None)
    index = {label: i for i, label in enumerate(labels)}
    target = {side: part["emotion"].map(index).to_numpy() for side, part in sides.items()}
    inputs = {side: cache.feature_matrix(part, spec.settings, workers=1) for side, part in sides.items()}
    copies = training_copies(spec, sides["train"])
    y = np.tile(target["train"], 1 + len(copies))
    x = np.concatenate([inputs["train"], *copies]) if copies else inputs["train"]
    del copies
    seconds = {"features": time.perf_counter() - clock}
    model = models.entry(spec.model)
    if model.kind == "network":
        network, fitted = _fit_network(
            spec, sides, (x, y), (inputs["validation"], target["validation"]), name, progress
        )
        answer = lambda side: network.predict(side, batch_size=training.EVALUATION_BATCH, verbose=0)  # noqa: E731
    else:
        learner, fitted = _fit_learner(
            spec, np.tile(sides["train"]["speaker"], len(y) // len(sides["train"])), x, y, labels
        )
        answer = learner.predict_proba
    seconds["training"] = fitted.pop("seconds")
    clock = time.perf_counter()
    predictions = {side: _predictions(answer(inputs[side]), sides[side], labels) for side in ("validation", "test")}
    seconds["evaluation"] = time.perf_counter() - clock
    _write_predictions(predictions, store_dir() / f"{name}.parquet")
    test, validation = predictions["test"], predictions["validation"]
    matrix = metrics.confusion(test["truth"], test["prediction"], labels)
    return {
        "labels": list(labels),
        "demo": corpora.lookup(spec.corpus).demo,
        "n_train": len(sides["train"]),
        "n_augmented": len(y) - len(sides["train"]),
        "n_validation": len(validation),
        "n_test": len(test),
        "claimed": paper.claim(spec.model, spec.corpus),
        "scores": metrics.scores_of(matrix),
        "intervals": statistics.intervals(test, labels),
        "by_corpus": _by_corpus(test, labels),
        "per_class": metrics.per_class(test["truth"], test["prediction"], labels),
        "confusion": matrix.tolist(),
        "validation": metrics.scores(validation["truth"], validation["prediction"], labels)
        | {"loss": metrics.cross_entropy(validation["truth"], validation[list(labels)].to_numpy(), labels)},
        **fitted,
        "standing": model.standing,
        "seconds": {key: round(value, 2) for key, value in seconds.items()},
        "completeness": _completeness(table),
        "versions": versions(),
        "processor": processor(),
        "when": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _fit_network(spec: Spec, sides, train, validation, name: str, progress: bool):
    """Train the network of a spec and keep it: the network and what the row says of its training."""
    training.prepare_backend(spec.seed)
    x, y = train
    heads = _heads(spec, sides["train"], y)
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
    return network, facts | {"seconds": done.seconds}


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
    """Fit a classical or probing system: the learner and what the row says of it."""
    from threadpoolctl import threadpool_limits

    clock = time.perf_counter()
    with threadpool_limits(1):
        learner = models.learner(spec.model, len(labels), spec.seed).fit(x, y, groups)
    facts = {"parameters": getattr(learner, "parameters", None), "history": {}, "epochs": None, "best_epoch": None}
    return learner, facts | {"chosen": learner.chosen, "seconds": time.perf_counter() - clock}


def _built(spec: Spec, shape: tuple[int, ...], classes: int, heads: dict[str, int]):
    """The network of a spec; a user's own builder that fails or gives something else is one line."""
    try:
        network = training.build(spec.model, shape, classes, spec.precision, heads)
        found = tuple(network.outputs[0].shape)
    except Exception as error:
        raise SerError(
            f"model {spec.model}: cannot be built for input {shape}: {' '.join(str(error).split())}"
        ) from error
    if found != (None, classes):
        raise SerError(f"model {spec.model}: gives outputs of shape {found}, but {classes} probabilities are needed")
    return network


def _predictions(probabilities, table, labels):
    """Predictions as a table: the utterance's columns, ``truth``, ``prediction`` and a probability a label."""
    probabilities = np.asarray(probabilities)
    frame = table[["id", "corpus", "speaker", "sex", "text", "intensity"]].reset_index(drop=True)
    frame["truth"] = table["emotion"].to_numpy()
    for i, label in enumerate(labels):
        frame[label] = probabilities[:, i].astype(np.float32)
    frame["prediction"] = np.asarray(labels)[probabilities.argmax(axis=1)]
    return frame


def _write_predictions(predictions: dict, path: Path) -> None:
    import pandas as pd

    frame = pd.concat([part.assign(side=side) for side, part in predictions.items()], ignore_index=True)
    frame.insert(1, "side", frame.pop("side"))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    frame.drop(columns="prediction").to_parquet(temporary, index=False)
    os.replace(temporary, path)


def _by_corpus(test, labels) -> dict:
    """Scores on each source of a composed corpus; empty for a simple one."""
    parts = dict(list(test.groupby("corpus")))
    if len(parts) < 2:
        return {}
    return {
        name: metrics.scores(part["truth"], part["prediction"], labels)
        | {"n_test": len(part), "intervals": statistics.intervals(part, labels)}
        for name, part in parts.items()
    }


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
            row["claimed"] = paper.claim(row["spec"]["model"], row["spec"]["corpus"])
            predictions = (store_dir() / f"{row['hash']}.parquet").read_bytes()
            cache.write_atomically(published_dir() / f"{row['hash']}.parquet", predictions)
            cache.write_atomically(published_dir() / f"{row['hash']}.json", (json.dumps(row) + "\n").encode())
            if before.get(key, row["hash"]) != row["hash"]:  # measured anew, on other data or by other code
                for suffix in (".json", ".parquet"):
                    (published_dir() / f"{before[key]}{suffix}").unlink(missing_ok=True)
            names.append(row["hash"])
    return names


def load_row(path: Path) -> dict | None:
    """A stored row, or None where there is none or it cannot be read."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None


def load_rows(folder: Path) -> list[dict]:
    """All rows of a folder, sorted by spec; files that are no rows are passed over.

    Fields of the spec that came into being after a row was stored stand at their defaults.
    """
    rows = [load_row(path) for path in sorted(Path(folder).glob("*.json"))]
    rows = [row for row in rows if row and isinstance(row, dict) and "spec" in row and "status" in row]
    for row in rows:
        with contextlib.suppress(SerError):  # somebody else's corpus or network
            row["spec"] = completed(row["spec"])
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
