"""Keras has the same settings on every account, whatever its keras.json and the environment say."""

import json
import os
import subprocess
import sys

import pytest

from ser_core._utils import backend

WATCH = """
import os, sys

opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
"""
ASK = """
from ser_core import models
from ser_core._utils import backend

keras = backend.load_keras()
absent = [name for name in backend.UNUSED if name not in sys.modules]
import sklearn  # noqa: E402 - absent for Keras alone
config = keras.config
network = models.build("cnn_bilstm_attention", (400, 42), 8)
print(models.count_parameters(network), config.floatx(), config.image_data_format(), config.epsilon(), config.backend())
print(config.max_epochs(), set(backend.changing_variables()) - {"TF2_BEHAVIOR"}, backend.named_backend(), absent)
print([path for path in opened if path.endswith("keras.json") and path.startswith(os.environ["HOME"])])
"""
USUAL = [
    "469257 float32 channels_last 1e-07 tensorflow",
    f"None set() {{}} {list(backend.UNUSED)}",  # TensorFlow itself sets TF2_BEHAVIOR
    "[]",  # the keras.json of the account is not read, so it may hold anything
]
LEARN = """
import numpy as np
from ser_core.models.voice_network import perceptron
from ser_core.training import mixing

x = np.random.default_rng(0).normal(size=(70, 1, 5)).astype("float32")
network = mixing.fit_mixed(lambda: perceptron(5, 2), x, np.eye(2)[np.arange(70) % 2], epochs=2)
print(network.dtype, [array.astype(float).sum().hex() for array in network.get_weights()])
"""
STRANGE = {"image_data_format": "channels_first", "floatx": "float64", "backend": "jax", "epsilon": 0.01}
HOSTILE = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_USE_LEGACY_KERAS": "1", "KERAS_MAX_EPOCHS": "1"}


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_a_foreign_keras_json_and_environment_change_nothing(tmp_path, capsys):
    """The usual networks are built, and a learner that trains networks gives the numbers of this process."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(STRANGE))
    environment = os.environ | HOSTILE | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}
    environment["KERAS_HOME"] = str(tmp_path / ".keras")
    done = subprocess.run([sys.executable, "-c", WATCH + LEARN + ASK], env=environment, capture_output=True, text=True)
    exec(LEARN, {})
    here = capsys.readouterr().out.splitlines()
    assert here[0].startswith("float32 ['") and done.stdout.splitlines() == [*here, *USUAL], done.stderr
    assert done.stderr == ""


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
