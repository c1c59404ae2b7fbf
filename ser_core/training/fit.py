"""Fit one network on one fold (II.D.5, III.A): Adam, cross-entropy, early stopping on the validation loss.

Every epoch ends with a checkpoint, so that a killed training goes on where it was and ends with the same numbers: the
order of the utterances is drawn from (seed, epoch), and the optimiser's and dropout's states are in the checkpoint.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ser_core._utils.console import quiet_loading
from ser_core._utils.errors import SerError
from ser_core.training import batch_norm, speedups

THREADS = 1
"""TensorFlow threads a process: cells run in parallel, and one thread gives the same sums every time."""
EVALUATION_BATCH = 128
PRECISIONS = ("float32", "mixed_bfloat16")
OPTIMIZERS = {
    "adam": ("Adam", {}),
    "rmsprop": ("RMSprop", {}),
    "sgd": ("SGD", {"momentum": 0.8, "weight_decay": 0.001}),  # decoupled from the gradient
}
"""Names of a plan's optimizer: the class in ``keras.optimizers``, and its settings beside the learning rate."""
MINIMUM_DEVIATION = 0.1
"""Least deviation of a pixel, as a share of the image's (the root of the mean variance)."""
LOSS = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class TrainingConfig:
    """What the paper fixes of training, and what it leaves open."""

    epochs: int = 300
    patience: int = 20  # epochs without a better validation loss; the paper gives none
    batch: int = 32
    optimizer: str = "adam"  # one of OPTIMIZERS
    learning_rate: float = 0.001  # II.D.5; III.A says 0.0001
    precision: str = "float32"  # or "mixed_bfloat16": products in bfloat16, weights in float32
    seed: int = 0
    batch_norm: str = "moving"  # or "precise": statistics taken anew after every epoch; see batch_norm


@dataclass
class TrainingProgress:
    """How far a fit has come; what the checkpoint's JSON holds."""

    history: dict = field(default_factory=lambda: {k: [] for k in ("loss", "accuracy", "val_loss", "val_accuracy")})
    best_epoch: int = 0  # 1-based; 0 before the first
    best_loss: float = float("inf")
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        return len(self.history["loss"])


def prepare_backend(seed: int) -> None:
    """Seeds, one thread and deterministic operations, before the first tensor is made.

    Where TensorFlow has already been used in this process with other threads they stay, with a warning on standard
    error: the numbers may then differ in the last digits.
    """
    with quiet_loading():
        import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    except RuntimeError:
        import warnings

        warnings.warn("TensorFlow was used before with other threads; results may differ slightly", stacklevel=2)
    tf.config.experimental.enable_op_determinism()


def build_network(
    name: str,
    shape: tuple[int, ...],
    classes: int,
    precision: str,
    heads: dict[str, int] | None = None,
    *,
    masked: bool = False,
):
    """Build a network under a precision policy, which is put back afterwards; see ``models.build``."""
    import keras

    from ser_core import models

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return models.build(name, shape, classes, heads, masked=masked)
    finally:
        keras.config.set_dtype_policy(before)


def fit_scaling(model, x: np.ndarray) -> None:
    """Give every ``Normalization`` layer the means and deviations of the training inputs, padding apart.

    Over one axis (channels) frames that are zero in all channels are padding and left out; where nothing varies the
    deviation is 1. Over an image every pixel has a mean of its own, and a deviation of at least :data:`LEAST` of the
    image's: pixels at the end of the image are silent in nearly all utterances, and one longer utterance of another
    speaker would lie ten thousand deviations away.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            values, kept = x, {axis % x.ndim for axis in layer.axis}
            if kept == {x.ndim - 1} and x.ndim > 2:
                values, kept = x[np.any(x != 0.0, axis=-1)], {1}
            over = tuple(axis for axis in range(values.ndim) if axis not in kept)
            mean = values.mean(axis=over, keepdims=True, dtype=np.float64)
            variance = np.square(values - mean.astype(np.float32)).mean(axis=over, dtype=np.float64)
            layer.adapt_mean.assign(mean.reshape(variance.shape))
            if len(kept) > 1:
                variance = np.maximum(variance, MINIMUM_DEVIATION**2 * variance.mean())
            layer.adapt_variance.assign(np.where(variance > 1e-12, variance, 1.0))
            layer.finalize_state()


def random_states(model) -> list:
    """The variables that drive dropout, which Keras does not keep in a saved network."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]


class Checkpoint:
    """A folder with the last and the best network and a JSON that names them; replaced as a whole, by renames."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.state = folder / "state.json"

    def load(self):
        """(model, progress), or None where nothing usable is there."""
        import keras

        try:
            state = json.loads(self.state.read_text())
            model = keras.models.load_model(self.folder / state.pop("last"), compile=True)
            self.best = self.folder / state.pop("best")
            for variable, value in zip(random_states(model), state.pop("random"), strict=True):
                variable.assign(value)
            return model, TrainingProgress(**state)
        except Exception:  # half-written, from another version, or none: start anew
            shutil.rmtree(self.folder, ignore_errors=True)
            return None

    def save(self, model, progress: TrainingProgress) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        last = self.folder / f"last-{progress.epochs:04d}.keras"
        model.save(last)
        best = self.folder / f"best-{progress.best_epoch:04d}.keras"
        if progress.best_epoch == progress.epochs:
            shutil.copyfile(last, best)
        self.best = best
        random = [np.asarray(variable).tolist() for variable in random_states(model)]
        state = {"last": last.name, "best": best.name, "random": random, **progress.__dict__}
        temporary = self.state.with_suffix(".part")
        temporary.write_text(json.dumps(state))
        os.replace(temporary, self.state)
        for old in self.folder.glob("*.keras"):
            if old not in (last, best):
                old.unlink()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def fit_network(
    model, train, validation, plan: TrainingConfig, *, checkpoint: Path, progress: bool = True, label: str = ""
):
    """Train with early stopping and give back the best network.

    Parameters
    ----------
    model : uncompiled keras.Model
    train, validation : (float32 [n, *shape], int [n]) inputs and class indices; where the network has several outputs
        those of ``train`` are a dict, one array an output by its name
    plan : Plan
    checkpoint : folder for the epochs' checkpoints; an earlier one there is gone on with
    progress : show a bar on standard error
    label : what the bar says

    Returns
    -------
    model : with the weights of the best epoch, giving the probabilities of the emotions alone
    done : Progress
    """
    import time

    import keras
    from tqdm import tqdm

    store = Checkpoint(checkpoint)
    resumed = store.load()
    if resumed:
        model, done = resumed
    else:
        done = TrainingProgress()
        _compile(model, plan)
    speedups.enable_fast_kernels(model, True)
    judge, accuracy_name = model, "accuracy"
    if len(model.outputs) > 1:
        judge, accuracy_name = emotion_only(model), f"{model.output_names[0]}_accuracy"
        judge.compile(loss=LOSS, metrics=["accuracy"], jit_compile=False)
    x, y = train
    bar = tqdm(total=plan.epochs, initial=done.epochs, desc=label, unit="epoch", disable=None if progress else True)
    while done.epochs < plan.epochs and done.epochs - done.best_epoch < plan.patience:
        start = time.perf_counter()
        fitted = _epoch(model, x, y, plan, done.epochs)
        if plan.batch_norm == "precise":
            batch_norm.recompute_statistics(model, x, EVALUATION_BATCH)
        loss, accuracy = judge.evaluate(**speedups.batches(*validation, size=EVALUATION_BATCH), verbose=0)
        values = {
            "loss": fitted["loss"][0],
            "accuracy": fitted[accuracy_name][0],
            "val_loss": loss,
            "val_accuracy": accuracy,
        }
        for name, value in values.items():
            done.history[name].append(round(float(value), 6))
        if not done.best_epoch and not np.isfinite(loss):
            store.remove()
            raise SerError(
                f"{label or model.name}: after epoch {done.epochs} the validation loss is {loss}; lower the learning "
                "rate, or look for a division by zero in the network"
            )
        if loss < done.best_loss:
            done.best_loss, done.best_epoch = float(loss), done.epochs
        done.seconds += time.perf_counter() - start
        store.save(model, done)
        bar.update()
        bar.set_postfix(loss=f"{values['loss']:.3f}", val_loss=f"{loss:.3f}", val_acc=f"{accuracy:.1%}")
    bar.close()
    best = keras.models.load_model(store.best)
    speedups.enable_fast_kernels(best, False)
    return emotion_only(best), done


def _compile(model, plan: TrainingConfig) -> None:
    import keras

    kind, settings = OPTIMIZERS[plan.optimizer]
    model.compile(
        optimizer=getattr(keras.optimizers, kind)(plan.learning_rate, **settings),
        loss=losses(model),
        metrics={model.output_names[0]: ["accuracy"]} if len(model.outputs) > 1 else ["accuracy"],
        jit_compile=False,
    )


def _epoch(model, x: np.ndarray, y, plan: TrainingConfig, number: int) -> dict:
    """One pass over the training side in the order drawn for epoch ``number``, from 0: Keras' history of it."""
    order = np.random.default_rng([plan.seed, number]).permutation(len(x))
    target = {name: column[order] for name, column in y.items()} if isinstance(y, dict) else y[order]
    return model.fit(**speedups.batches(x[order], target, size=plan.batch), shuffle=False, verbose=0).history


def fit_without_validation(model, train, plan: TrainingConfig, epochs: int, *, progress: bool = True, label: str = ""):
    """Train for a number of epochs that was found elsewhere, without validation: for a network that leaves the house.

    Parameters
    ----------
    model : uncompiled keras.Model with one output
    train : (float32 [n, *shape], int [n]) inputs and class indices
    plan : Plan; its ``epochs`` and ``patience`` play no part
    epochs : passes over ``train``
    progress : show a bar on standard error
    label : what the bar says

    Returns
    -------
    model : after the last epoch
    losses : list of float, one an epoch
    """
    from tqdm import tqdm

    _compile(model, plan)
    speedups.enable_fast_kernels(model, True)
    found = []
    for number in tqdm(range(epochs), desc=label, unit="epoch", disable=None if progress else True):
        found.append(round(float(_epoch(model, *train, plan, number)["loss"][0]), 6))
    if plan.batch_norm == "precise":
        batch_norm.recompute_statistics(model, train[0], EVALUATION_BATCH)
    speedups.enable_fast_kernels(model, False)
    return model, found


def losses(model):
    """Cross-entropy for every output of a network."""
    return dict.fromkeys(model.output_names, LOSS) if len(model.outputs) > 1 else LOSS


def emotion_only(model):
    """The network without the outputs after the first; itself where it has one."""
    import keras

    return model if len(model.outputs) == 1 else keras.Model(model.input, model.outputs[0], name=model.name)


def fit_in_memory(build, train, validation, **config):
    """Train a small network that keeps no checkpoint; see :func:`fit_network`.

    Parameters
    ----------
    build : function without arguments that makes the uncompiled network; called once seeds are set
    train, validation : (float32 [n, *shape], int [n])
    config : fields of :class:`TrainingConfig`

    Returns
    -------
    model : with the weights of the best epoch
    best_epoch : int, from 1
    """
    config = TrainingConfig(**config)
    prepare_backend(config.seed)
    network = build()
    fit_scaling(network, train[0])
    with tempfile.TemporaryDirectory() as folder:
        network, done = fit_network(network, train, validation, config, checkpoint=Path(folder), progress=False)
    return network, done.best_epoch


def fit_learner(learner, x: np.ndarray, y: np.ndarray, groups: np.ndarray):
    """Fit a classical or probing system; one that trains a network is given the function that does so."""
    if getattr(learner, "trained", False):
        return learner.fit(x, y, groups, fit_network=fit_in_memory)
    return learner.fit(x, y, groups)
