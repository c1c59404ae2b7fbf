"""Measure training of the paper's network: plain ``model.fit`` against the suite's training, and unrolled layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ser_core.benchmark import clocks, floors, naive
from ser_core.benchmark.clip_stages import untrained
from ser_core.benchmark.clocks import Contender
from ser_core.benchmark.job import Job
from ser_core.benchmark.records import OURS, PEER, Floor, Stage, Timing
from ser_core.benchmark.stages import STAGES

A5 = "cnn_bilstm_attention"
BATCH = 32
UTTERANCES, QUICK_UTTERANCES = 512, 128


def training_data(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Return network inputs and classes of utterances of the corpus, evenly spaced.

    Returns
    -------
    x : ndarray of float32 [utterances, 400, 42]
    y : ndarray of int [utterances]
    """
    from ser_core import corpora
    from ser_core.features import cache

    table = corpora.load(job.corpus)
    count = QUICK_UTTERANCES if job.quick else UTTERANCES
    table = table.iloc[np.linspace(0, len(table) - 1, count).astype(int)]
    classes = sorted(set(table["emotion"]))
    y = np.array([classes.index(emotion) for emotion in table["emotion"]])
    return cache.feature_matrix(table, progress=False), y


def plain_network(unrolled: bool = False) -> Any:
    """Build and compile the paper's network as most published code does."""
    import keras

    model = untrained(A5)
    for layer in model.layers:
        for recurrent in (getattr(layer, "forward_layer", layer), getattr(layer, "backward_layer", layer)):
            if isinstance(recurrent, keras.layers.RNN):
                recurrent.unroll = unrolled
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def plain_epoch(model: Any, x: np.ndarray, y: np.ndarray, losses: list[float]) -> Callable[[], None]:
    """Return one epoch of ``model.fit`` on arrays, as a call that appends its loss."""

    def call() -> None:
        losses.append(float(model.fit(x, y, batch_size=BATCH, verbose=0).history["loss"][0]))

    return call


def our_epoch(x: np.ndarray, y: np.ndarray, losses: list[float]) -> Callable[[], None]:
    """Return one epoch of the suite's training, as a call that appends its loss."""
    from ser_core.training import fit, speedups

    config = fit.TrainingConfig(batch=BATCH)
    model = untrained(A5)
    fit._compile(model, config)
    speedups.enable_fast_kernels(model, True)

    def call() -> None:
        losses.append(float(fit._epoch(model, x, y, config, len(losses))["loss"][0]))

    return call


def measure_training(job: Job) -> tuple[Stage, ...]:
    """Measure an epoch of A5: ``model.fit`` on arrays against the suite's training, at the same batch size."""
    gpu = STAGES[job.stage].gpu
    missing = None if not gpu or _gpus() else "no GPU that TensorFlow sees"
    if missing:
        names = (("model.fit", PEER), ("ser_core.training", OURS))
        absent = clocks.measure([Contender(*name, call=bool, missing=missing) for name in names], rounds=0, calls=0,
                                warmup=0)  # fmt: skip
        return (Stage(job.stage, STAGES[job.stage].title, timings=tuple(absent)),)
    x, y = training_data(job)
    curves: tuple[list[float], list[float]] = ([], [])
    contenders = [
        Contender("model.fit", PEER, plain_epoch(plain_network(), x, y, curves[0])),
        Contender("ser_core.training", OURS, our_epoch(x, y, curves[1])),
    ]
    timings = _measure(job, contenders, len(x))
    notes = [
        f"loss of {len(curve)} epochs, {one.name}: {', '.join(f'{loss:.3f}' for loss in curve)}"
        for one, curve in zip(contenders, curves)
    ]
    return (_stage(job, timings, len(x), None if gpu else _floor(len(x)), notes),)


def measure_unrolled(job: Job) -> tuple[Stage, ...]:
    """Measure an epoch of A5 with its recurrent layers as loops against the same, unrolled."""
    x, y = training_data(job)
    contenders = [
        Contender("model.fit, loops", PEER, plain_epoch(plain_network(), x, y, [])),
        Contender("model.fit, unrolled", OURS, plain_epoch(plain_network(unrolled=True), x, y, [])),
    ]
    return (_stage(job, _measure(job, contenders, len(x)), len(x), _floor(len(x)), []),)


def _gpus() -> list[Any]:
    """Return the GPUs that TensorFlow sees."""
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def _measure(job: Job, contenders: list[Contender], utterances: int) -> list[Timing]:
    """Time one epoch per call."""
    return clocks.measure(contenders, rounds=3 if job.quick else 6, calls=1, warmup=2, utterances=utterances)


def _floor(utterances: int) -> Floor:
    """Return the floor of an epoch: the products forwards, and twice as many backwards."""
    model = untrained(A5)
    operations = 3 * floors.network_operations(model) * utterances
    moved = 4 * utterances * naive.FRAMES * 42 + 3 * 4 * model.count_params() * -(-utterances // BATCH)
    return floors.count(operations, moved, "products forwards and backwards; inputs, weights")


def _stage(job: Job, timings: list[Timing], utterances: int, floor: Floor | None, notes: list[str]) -> Stage:
    """Make the stage's record."""
    title = f"{STAGES[job.stage].title}: an epoch of {utterances} utterances, batch {BATCH}"
    return Stage(
        job.stage, title, utterances=utterances, threads=job.threads, timings=tuple(timings), floor=floor,
        notes=tuple(notes),
    )  # fmt: skip
