"""Fit one network on one fold (II.D.5, III.A): Adam, cross-entropy, early stopping.

Every epoch ends with a checkpoint. A killed training resumes from it and ends with the same numbers: the order of the
utterances is drawn from (seed, epoch), and the states of the optimiser and of dropout are in the checkpoint.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core import metrics
from ser_core._utils import backend
from ser_core._utils.errors import SerError
from ser_core.training import batch_norm, speedups
from ser_core.training.checkpoints import CURVES, DIGITS, Checkpoint, TrainingProgress
from ser_core.training.optimizers import make_optimizer, restarted_rate
from ser_core.training.selection import last_improvement

THREADS = 1
"""TensorFlow threads per process: runs go in parallel, and one thread gives the same sums every time."""
EVALUATION_BATCH = 128
PRECISIONS = ("float32", "mixed_bfloat16")
MINIMUM_DEVIATION = 0.1
"""Least deviation of a pixel, as a share of the image's (the root of the mean variance)."""
LOSS = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class TrainingConfig:
    """Configure a training: what the paper fixes, and what it leaves open."""

    epochs: int = 300  # at most
    patience: int = 20  # epochs without improvement; the paper gives none
    batch: int = 32
    optimizer: str = "adam"  # one of optimizers.OPTIMIZERS
    learning_rate: float = 0.001  # II.D.5; III.A says 0.0001
    precision: str = "float32"  # or "mixed_bfloat16": products in bfloat16, weights in float32
    seed: int = 0
    batch_norm: str = "moving"  # or "precise": statistics recomputed after every epoch; see batch_norm
    weight_decay: float = 0.0  # L2, of Adam, on all trainable parameters
    restarts: int = 0  # epochs after which the learning rate restarts (cosine down to 1 %); 0: it is constant


def prepare_backend(seed: int) -> None:
    """Set seeds, one thread and deterministic operations, before the first tensor is made.

    Where TensorFlow was already used in this process with more threads they stay, with a warning: the numbers may then
    differ in the last digits.

    Parameters
    ----------
    seed : int
        of Python, numpy and Keras
    """
    keras = backend.load_keras()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of each network that predicts for the first time
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
    """Build a network under a precision policy, which is restored afterwards; see :func:`ser_core.models.build`."""
    import keras

    from ser_core import models

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return models.build(name, shape, classes, heads, masked=masked)
    finally:
        keras.config.set_dtype_policy(before)


def fit_scaling(model, x: np.ndarray) -> None:
    """Set every ``Normalization`` layer to the means and deviations of the training inputs, without padding.

    Over one axis (channels), frames that are zero in all channels are padding and left out; where nothing varies the
    deviation is 1. Over an image every pixel has its own mean, and a deviation of at least
    :data:`MINIMUM_DEVIATION` of the image's. Pixels at the end of an image are silent in nearly all utterances: one
    longer utterance would otherwise be ten thousand deviations away.

    Parameters
    ----------
    model : keras.Model
    x : float32 [n, *shape]
        training inputs
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


def fit_network(
    model, train, validation, config: TrainingConfig, *, checkpoint: Path, progress: bool = True, label: str = ""
):
    """Train a network with early stopping and return the one with the lowest validation loss.

    Parameters
    ----------
    model, train, validation, config, checkpoint, progress, label : see :func:`fit_with_rules`

    Returns
    -------
    model : keras.Model, with the weights of the best epoch, giving the probabilities of the emotions alone
    done : TrainingProgress
    """
    networks, done = fit_with_rules(
        model, train, validation, config, rules=("loss",), checkpoint=checkpoint, progress=progress, label=label
    )
    return networks["loss"], done


def fit_with_rules(
    model,
    train,
    validation,
    config: TrainingConfig,
    *,
    rules: Sequence[str],
    test=None,
    checkpoint: Path,
    progress: bool = True,
    label: str = "",
):
    """Train a network once and return the one that each rule of :mod:`ser_core.training.selection` keeps.

    Training stops when neither the validation loss nor (where ``rules`` name more than the loss) the validation UAR
    has improved for ``config.patience`` epochs.

    Parameters
    ----------
    model : keras.Model, not compiled
    train, validation : (float32 [n, *shape], int [n])
        inputs and class indices; where the network has several outputs those of ``train`` are a dict, one array per
        output by its name
    config : TrainingConfig
    rules : sequence of str
        of :data:`ser_core.training.selection.KEEP`
    test : (float32 [n, *shape], int [n]), optional
        for the rule ``oracle`` and the curve ``test_uar``; never used to stop or to keep anything else
    checkpoint : Path
        folder for the checkpoints; a training found there is resumed
    progress : bool, default True
        show a bar on standard error
    label : str
        title of the bar

    Returns
    -------
    networks : dict of rule to keras.Model, each giving the probabilities of the emotions alone
    done : TrainingProgress

    Raises
    ------
    SerError
        where the validation loss is not finite after the first epoch
    """
    from tqdm import tqdm

    store = Checkpoint(checkpoint)
    resumed = store.load(rules)
    if resumed:
        model, done = resumed
    else:
        done = TrainingProgress()
        _compile(model, config)
    speedups.enable_fast_kernels(model, True)
    speedups.create_variables(model, train[1])
    evaluated, accuracy_name = model, "accuracy"
    if len(model.outputs) > 1:
        evaluated, accuracy_name = emotion_only(model), f"{model.output_names[0]}_accuracy"
        evaluated.compile(loss=LOSS, metrics=["accuracy"], jit_compile=False)
    by_uar = tuple(rules) != ("loss",)
    x, y = train
    bar = tqdm(total=config.epochs, initial=done.epochs, desc=label, unit="epoch", disable=None if progress else True)
    while done.epochs < config.epochs and done.epochs - last_improvement(done.loss, done.uar) < config.patience:
        start = time.perf_counter()
        fitted = _epoch(model, x, y, config, done.epochs)
        if config.batch_norm == "precise":
            batch_norm.recompute_statistics(model, x, EVALUATION_BATCH)
        loss, accuracy = evaluated.evaluate(**speedups.batches(*validation, size=EVALUATION_BATCH), verbose=0)
        values = (fitted["loss"][0], fitted[accuracy_name][0], loss, accuracy)
        for name, value in zip(CURVES, values, strict=True):
            done.history[name].append(round(float(value), DIGITS))
        done.loss.append(float(loss))
        if by_uar:
            done.uar.append(_uar(evaluated, *validation))
            done.history.setdefault("val_uar", []).append(round(done.uar[-1], DIGITS))
        if test is not None:
            done.test_uar.append(_uar(evaluated, *test))
        if done.epochs == 1 and not np.isfinite(loss):
            store.remove()
            raise SerError(
                f"{label or model.name}: after epoch 1 the validation loss is {loss}; lower the learning "
                "rate, or look for a division by zero in the network"
            )
        done.seconds += time.perf_counter() - start
        store.save(model, done, config.patience, rules)
        bar.update()
        bar.set_postfix(loss=f"{values[0]:.3f}", val_loss=f"{loss:.3f}", val_acc=f"{accuracy:.1%}")
    bar.close()
    return {rule: _released(path) for rule, path in store.kept.items() if rule in rules}, done


def _released(path: Path):
    """Return a kept network as it is used: without fast kernels, with the output of the emotions alone."""
    import keras

    network = keras.models.load_model(path, compile=False)  # the optimiser's state stays behind
    speedups.enable_fast_kernels(network, False)
    return emotion_only(network)


def _uar(network, x: np.ndarray, y: np.ndarray) -> float:
    """Return the unweighted average recall of a network on inputs with class indices ``y``."""
    prediction = network.predict(**speedups.batches(x, size=EVALUATION_BATCH), verbose=0).argmax(axis=1)
    return metrics.uar(y, prediction, range(int(network.output_shape[-1])))


def _compile(model, config: TrainingConfig) -> None:
    model.compile(
        optimizer=make_optimizer(config.optimizer, config.learning_rate, config.weight_decay),
        loss=losses(model),
        metrics={model.output_names[0]: ["accuracy"]} if len(model.outputs) > 1 else ["accuracy"],
        jit_compile=False,
    )


def _epoch(model, x: np.ndarray, y, config: TrainingConfig, number: int) -> dict:
    """Train one epoch in the order drawn for its ``number``, from 0, and return Keras' history of it."""
    if config.restarts:
        model.optimizer.learning_rate = restarted_rate(config.learning_rate, number, config.restarts)
    order = np.random.default_rng([config.seed, number]).permutation(len(x))
    target = {name: column[order] for name, column in y.items()} if isinstance(y, dict) else y[order]
    return model.fit(**speedups.batches(x[order], target, size=config.batch), shuffle=False, verbose=0).history


def fit_without_validation(
    model, train, config: TrainingConfig, epochs: int, *, progress: bool = True, label: str = ""
):
    """Train without validation for a fixed number of epochs, for a network that is released.

    Parameters
    ----------
    model : keras.Model with one output, not compiled
    train : (float32 [n, *shape], int [n])
        inputs and class indices
    config : TrainingConfig
        its ``epochs`` and ``patience`` are ignored
    epochs : int
        found by cross-validation
    progress : bool, default True
        show a bar on standard error
    label : str
        title of the bar

    Returns
    -------
    model : keras.Model, after the last epoch
    losses : list of float, one per epoch
    """
    from tqdm import tqdm

    _compile(model, config)
    speedups.enable_fast_kernels(model, True)
    speedups.create_variables(model, train[1])
    x, y = train
    curve = []
    for number in tqdm(range(epochs), desc=label, unit="epoch", disable=None if progress else True):
        curve.append(round(float(_epoch(model, x, y, config, number)["loss"][0]), DIGITS))
    if config.batch_norm == "precise":
        batch_norm.recompute_statistics(model, x, EVALUATION_BATCH)
    speedups.enable_fast_kernels(model, False)
    return model, curve


def losses(model):
    """Return the cross-entropy for every output of a network, as ``compile`` takes it."""
    return dict.fromkeys(model.output_names, LOSS) if len(model.outputs) > 1 else LOSS


def emotion_only(model):
    """Return the network without the outputs after the first; itself where it has one."""
    import keras

    return model if len(model.outputs) == 1 else keras.Model(model.input, model.outputs[0], name=model.name)


def fit_in_memory(build, train, validation, **config):
    """Train a small network without keeping a checkpoint; see :func:`fit_network`.

    Parameters
    ----------
    build : function without arguments
        returns the network, not compiled; called once the seeds are set
    train, validation : (float32 [n, *shape], int [n])
    **config
        fields of :class:`TrainingConfig`

    Returns
    -------
    model : keras.Model, with the weights of the best epoch
    best_epoch : int, from 1
    """
    config = TrainingConfig(**config)
    prepare_backend(config.seed)
    network = build()
    fit_scaling(network, train[0])
    with tempfile.TemporaryDirectory() as folder:
        network, done = fit_network(network, train, validation, config, checkpoint=Path(folder), progress=False)
    return network, done.best_epoch


def fit_learner(learner, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None):
    """Fit a classical or probing system, and return it; one that trains networks is given the function that does."""
    from ser_core.training import mixing

    trainers: dict[str, Callable] = {"early stopping": fit_in_memory, "mixing": mixing.fit_mixed}
    if trained := getattr(learner, "trained", None):
        return learner.fit(x, y, groups, strata, fit_network=trainers[trained])
    return learner.fit(x, y, groups, strata)
