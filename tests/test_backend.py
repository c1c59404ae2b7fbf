"""Keras has the same settings on every account, whatever its keras.json and the environment say."""

import json
import os
import subprocess
import sys

import pytest

from ser_core._utils import backend

ASK = """
import os
from ser_core import models
from ser_core._utils import backend

keras = backend.load_keras()
config = keras.config
network = models.build("cnn_bilstm_attention", (400, 42), 8)
print(models.count_parameters(network), config.floatx(), config.image_data_format(), config.epsilon(), config.backend())
print(config.max_epochs(), set(backend.changing_variables()) - {"TF2_BEHAVIOR"}, backend.named_backend())
"""
USUAL = ["469257 float32 channels_last 1e-07 tensorflow", "None set() {}"]  # TensorFlow itself sets TF2_BEHAVIOR


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"image_data_format": "channels_first", "floatx": "float64", "backend": "jax", "epsilon": 0.01}),
        json.dumps({"floatx": "float8"}),  # with which Keras cannot be imported
        "[]",
    ],
)
def test_a_foreign_keras_json_and_environment_change_nothing(content, tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(content)
    hostile = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_USE_LEGACY_KERAS": "1", "KERAS_MAX_EPOCHS": "1"}
    hostile |= {"HOME": str(tmp_path)}
    environment = (
        os.environ | hostile | {"KERAS_HOME": str(tmp_path / ".keras"), "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == USUAL, done.stderr


LEARN = """
import numpy as np
from ser_core.models.voice_network import perceptron
from ser_core.training import mixing

x = np.random.default_rng(0).normal(size=(70, 1, 5)).astype("float32")
network = mixing.fit_mixed(lambda: perceptron(5, 2), x, np.eye(2)[np.arange(70) % 2], epochs=2)
print(network.dtype, [array.astype(float).sum().hex() for array in network.get_weights()])
"""


def test_a_learner_that_trains_networks_is_the_same_on_every_account(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps({"floatx": "float64", "epsilon": 0.01}))
    plain = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    hostile = plain | {"KERAS_HOME": str(tmp_path / ".keras"), "HOME": str(tmp_path), "TF_ENABLE_ONEDNN_OPTS": "0"}
    hostile |= {"KERAS_MAX_EPOCHS": "1"}
    first, second = (
        subprocess.run([sys.executable, "-c", LEARN], env=environment, capture_output=True, text=True)
        for environment in (plain, hostile)
    )
    assert first.stdout.startswith("float32"), first.stderr
    assert second.stdout == first.stdout and second.stderr == ""


def test_settings_made_after_the_import_are_put_back():
    keras = backend.load_keras()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float64")
    backend.load_keras()
    assert (keras.config.image_data_format(), keras.config.floatx()) == ("channels_last", "float32")


def test_another_backend_is_named_in_the_row(monkeypatch):
    keras = backend.load_keras()
    assert backend.named_backend() == {}
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert backend.named_backend() == {"keras backend": "jax"}
