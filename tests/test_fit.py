"""Training: stops early, keeps the best, and continues after a kill with the same numbers."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import made_network
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from ser_core._utils.errors import SerError
from ser_core.training import fit as fitting
from ser_core.training.selection import KEEP, kept_epochs


def data(n=48, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return (random.normal(size=(n, 40, 6)) + y[:, None, None] * 0.4).astype(np.float32), y


RECURRENT = "cnn_bilstm_attention_lite"


def network(name="a1"):
    """Build a network; tracing a recurrent one takes most of the time of a short training."""
    fitting.prepare_backend(3)
    return fitting.build_network(name, (40, 6), 3, "float32")


def fit(folder, epochs, patience=50, name="a1", **more):
    plan = fitting.TrainingConfig(epochs=epochs, patience=patience, batch=16, seed=3, **more)
    with made_network.eagerly(name != RECURRENT):
        return fitting.fit_network(network(name), data(), data(24, seed=1), plan, checkpoint=folder, progress=False)


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
@pytest.mark.parametrize("name", ["a1", RECURRENT])
def test_interrupted_training_ends_with_the_same_numbers(tmp_path, name):
    whole, done = fit(tmp_path / "whole", 4, name=name)
    fit(tmp_path / "parts", 2, name=name)
    resumed, again = fit(tmp_path / "parts", 4, name=name)
    assert again.epochs == 4 and again.history == done.history and again.best_epoch == done.best_epoch
    x, _ = data(8, seed=2)
    assert np.array_equal(whole.predict(x, verbose=0), resumed.predict(x, verbose=0))


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_the_best_epoch_is_kept_and_patience_counts_from_it(tmp_path):
    best, done = fit(tmp_path, 40, patience=3, learning_rate=0.01)
    losses = done.history["val_loss"]
    assert done.best_epoch == 1 + int(np.argmin(losses))
    assert done.epochs == min(40, done.best_epoch + 3)
    best.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    assert best.evaluate(*data(24, seed=1), verbose=0)[0] == pytest.approx(min(losses), abs=1e-4)


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_a_damaged_checkpoint_starts_anew(tmp_path):
    fit(tmp_path, 2)
    for path in tmp_path.glob("last-*.keras"):
        path.write_bytes(path.read_bytes()[:1000])
    _, done = fit(tmp_path, 3)
    assert done.epochs == 3


def test_the_kept_network_is_not_unrolled(tmp_path):
    best, _ = fit(tmp_path, 1, name=RECURRENT)
    assert not best.get_layer("bilstm").forward_layer.unroll
    best.save(tmp_path / "n.keras")
    assert not keras.models.load_model(tmp_path / "n.keras").get_layer("bilstm").forward_layer.unroll


KILLED = """
import sys, pathlib
sys.path[:0] = {paths!r}
import test_fit
test_fit.fit(pathlib.Path(sys.argv[1]), 3000, patience=3000)
"""


def test_killed_by_force_it_goes_on_where_it_was(tmp_path):
    code = KILLED.format(paths=[os.path.dirname(__file__), os.getcwd()])
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "c")], stderr=subprocess.DEVNULL)
    state = tmp_path / "c" / "state.json"
    deadline = time.monotonic() + 240
    while not (state.is_file() and len(json.loads(state.read_text())["history"]["loss"]) >= 2):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = len(json.loads(state.read_text())["history"]["loss"])
    _, done = fit(tmp_path / "c", reached + 1, patience=3000)
    assert done.epochs == reached + 1


def test_a_loss_that_is_no_number_is_said_and_leaves_nothing_behind(tmp_path):
    fitting.prepare_backend(0)
    inputs = keras.Input((3,))
    network = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    x = np.full((8, 3), np.nan, "float32")
    y = np.arange(8) % 2
    plan = fitting.TrainingConfig(epochs=2)
    with pytest.raises(
        SerError, match="net of mine: after epoch 1 the validation loss is nan; lower the learning rate"
    ):
        fitting.fit_network(
            network, (x, y), (x, y), plan, checkpoint=tmp_path / "c", progress=False, label="net of mine"
        )
    assert not (tmp_path / "c").exists()


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_one_training_gives_the_network_of_every_rule(tmp_path):
    config = fitting.TrainingConfig(epochs=8, patience=2, batch=16, seed=3)
    held, test = data(24, seed=1), data(24, seed=2)
    networks, done = fitting.fit_with_rules(
        network(), data(), held, config, rules=KEEP, test=test, checkpoint=tmp_path / "a", progress=False
    )
    kept = kept_epochs(done.loss, done.uar, 2, done.test_uar)
    assert set(networks) == set(KEEP) and done.best_epoch == kept["loss"]
    for rule, (x, y), curve in (("uar", held, done.uar), ("oracle", test, done.test_uar), ("last", held, done.uar)):
        answers = networks[rule].predict(x, verbose=0).argmax(axis=1)
        assert balanced_accuracy_score(y, answers) == pytest.approx(curve[kept[rule] - 1]), rule
    alone, other = fitting.fit_network(network(), data(), held, config, checkpoint=tmp_path / "b", progress=False)
    assert other.best_epoch == done.best_epoch, "the rule of the paper keeps what it keeps alone"
    assert np.array_equal(alone.predict(held[0], verbose=0), networks["loss"].predict(held[0], verbose=0))


def test_a_kept_network_leaves_the_optimiser_behind(tmp_path):
    best, _ = fit(tmp_path / "c", 1)
    best.save(tmp_path / "kept.keras")
    assert getattr(best, "optimizer", None) is None
    assert (tmp_path / "kept.keras").stat().st_size < 0.6 * next((tmp_path / "c").glob("last-*")).stat().st_size
