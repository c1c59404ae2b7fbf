"""Exported files: the same probabilities as Keras, each in a process with its own runtime only."""

import json
import subprocess
import sys

import made_network
import numpy as np
import pytest
from click.testing import CliRunner

from ser_core import cli, corpora
from ser_core._utils.errors import SerError
from ser_core.inference import export, saved_models

MODULES = """
import sys, runpy
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name='__main__')
print(*sys.modules)
"""
RUNTIMES = {"tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "librosa", "pandas", "scipy"}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return made_network.keep(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def utterances():
    return corpora.load("demo_ravdess").iloc[::40]


def expected(network, table):
    """Compute the Keras network's calibrated probabilities by hand: features by the suite, softmax(log p / T)."""
    from ser_core import audio, features

    trained = saved_models.load_model(network)
    given = np.stack([features.extract(audio.read(path)) for path in table["path"]])
    logits = np.log(trained.network.predict(given, verbose=0).astype(float)) / 1.3
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("form", "given", "line"),
    [("onnx", ["no.onnx", "no.wav"], "no.onnx: no such file"), ("tflite", [], "usage: FILE.tflite VOICE.wav")],
)
def test_the_examples_name_missing_files_in_one_line(form, given, line):
    command = [sys.executable, "-m", f"ser_core.inference.examples.{form}_alone", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, line)


@pytest.mark.parametrize(
    ("form", "kind", "tolerance", "example", "runtime"),
    [
        ("onnx", "", 1e-4, "onnx_alone", "onnxruntime"),
        ("onnx", "half", 0.02, "onnx_alone", "onnxruntime"),
        ("tflite", "", 1e-4, "tflite_alone", "ai_edge_litert"),
        ("tflite", "int8", 0.6, "tflite_alone", "ai_edge_litert"),
    ],
)
def test_each_format_alone_gives_the_probabilities_of_keras(
    network, utterances, tmp_path, monkeypatch, form, kind, tolerance, example, runtime
):
    int8, half = kind == "int8", kind == "half"
    monkeypatch.setattr(export, "CHECKED", 4)
    monkeypatch.setattr(export, "TIMED", 2)
    path = tmp_path / f"a.{form}"
    report = export.export(network, form, int8=int8, half=half, output=path)
    assert (
        report["utterances"] == 4
        and report["largest_difference"] < tolerance
        and report["bytes"] == path.stat().st_size
    )
    assert report["same_emotion"] >= (2 if int8 else 4) and report["milliseconds"] > 0 and 0 <= report["accuracy"] <= 1
    if int8:
        assert report["bytes"] < 0.5 * report["bytes_keras"] and report["largest_difference"] > 0
    if half:
        export.to_onnx(saved_models.load_model(network), tmp_path / "whole.onnx")
        weights = saved_models.load_model(network).network.count_params()
        assert (tmp_path / "whole.onnx").stat().st_size - report["bytes"] == pytest.approx(2 * weights, rel=0.1)
        assert report["largest_difference"] > 0
    table = utterances.iloc[:2]
    for recording, row in zip(table["path"], expected(network, table)):
        command = [sys.executable, "-c", MODULES, f"ser_core.inference.examples.{example}", str(path), recording]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert np.abs(np.array(list(json.loads(shown[0]).values())) - row).max() < tolerance
        assert {name for name in shown[1].split() if name in RUNTIMES} == {runtime}


def test_a_keras_copy_is_loaded_with_its_labels(network, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "CHECKED", 2)
    monkeypatch.setattr(export, "TIMED", 2)
    report = export.export(network, "keras", output=tmp_path / "copy.keras")
    assert report["largest_difference"] == 0.0 and (tmp_path / "copy.keras").read_bytes() == network.read_bytes()
    again = saved_models.load_model(tmp_path / "copy.keras")
    assert again.labels == corpora.labels("demo") and again.temperature == 1.3
    assert again.facts == saved_models.load_model(network).facts


def test_a_keras_copy_has_no_state_of_an_optimizer(network, tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(export, "CHECKED", 2)
    monkeypatch.setattr(export, "TIMED", 2)
    source = tmp_path / "trained.keras"
    trained = keras.models.load_model(network, compile=False)
    trained.compile("adam", "sparse_categorical_crossentropy")
    trained.optimizer.build(trained.trainable_variables)  # as training does
    trained.save(source, include_optimizer=False)
    source.with_suffix(".json").write_text(network.with_suffix(".json").read_text())
    report = export.export(source, "keras", output=tmp_path / "copy.keras")
    assert source.stat().st_size > 2 * report["bytes"] and report["largest_difference"] == 0.0
    assert report["bytes"] == pytest.approx(network.stat().st_size, rel=0.05)
    assert report["bytes_keras"] == pytest.approx(report["bytes"], rel=0.02)
    assert not keras.models.load_model(tmp_path / "copy.keras").compiled


def test_config_json_names_labels_rate_features_and_licence(network, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "CHECKED", 2)
    monkeypatch.setattr(export, "TIMED", 2)
    for form, file in (("onnx", "a.onnx"), ("keras", "b.keras")):
        report = export.export(network, form, output=tmp_path / file)
        assert report["config"] == str(tmp_path / "config.json")
    config = json.loads((tmp_path / "config.json").read_text())
    labels = list(corpora.labels("demo"))
    assert [config["id2label"][str(number)] for number in range(config["num_labels"])] == labels
    assert config["label2id"] == {label: number for number, label in enumerate(labels)}
    assert (config["sampling_rate"], config["temperature"]) == (16_000, 1.3)
    assert config["license"] == "CC0 1.0 (synthetic speech)" and config["files"] == ["a.onnx", "b.keras"]
    assert config["features"]["shape"] == [400, 42] and config["architectures"] == ["cnn_bilstm_attention_lite"]


@pytest.mark.parametrize("there", ["[1]", '{"model_type": "wav2vec2"}', "damaged", "another"])
def test_another_config_json_stays_as_it_is(network, tmp_path, monkeypatch, there):
    monkeypatch.setattr(export, "CHECKED", 2)
    monkeypatch.setattr(export, "TIMED", 2)
    if there == "another":
        (tmp_path / "x.onnx").write_bytes(b"")
        there = json.dumps({"model_type": "ser-core", "hash": "f" * 16, "files": ["x.onnx"]})
    (tmp_path / "config.json").write_text(there)
    shown = CliRunner().invoke(cli.main, ["export", str(network), "-o", str(tmp_path)])
    assert shown.exit_code == 0 and "config.json: not written" in shown.stdout
    assert (tmp_path / "config.json").read_text() == there and (tmp_path / f"{network.stem}.onnx").is_file()


def test_onnx_and_keras_agree_on_a_hundred_real_utterances(network, real_data, tmp_path):
    trained = saved_models.load_model(network)
    export.to_onnx(trained, tmp_path / "a.onnx")
    table = corpora.load("ravdess").iloc[::14].iloc[:100]
    report = export.compare_with_keras(trained, tmp_path / "a.onnx", table)
    assert report["utterances"] == 100 and report["largest_difference"] < 1e-4 and report["same_emotion"] == 100


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nothing",), "nothing"),
        (("NETWORK", "--int8"), "--int8"),
        (("NETWORK", "--int8"), "depend on the batch"),
        (("NETWORK", "--half", "--format", "tflite"), "--half: only for --format onnx"),
        (("NETWORK", "-o", "a.tflite"), "must end with .onnx"),
        (("NETWORK", "--format", "keras", "-o", "NETWORK"), "another name"),
    ],
)
def test_an_impossible_export_gives_one_line(network, own_store, arguments, word):
    arguments = [str(network) if word == "NETWORK" else word for word in arguments]
    result = CliRunner().invoke(cli.main, ["export", *arguments])
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and word in result.stderr


def test_a_missing_package_gives_one_line(network, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    for form, package in (("onnx", "onnx"), ("tflite", "ai_edge_litert")):
        with pytest.raises(SerError, match=package):
            export.export(network, form)


def test_a_network_with_another_input_cannot_be_onnx(tmp_path):
    path = made_network.keep(tmp_path, "issa", stem="issa")
    with pytest.raises(SerError, match="means"):
        export.to_onnx(saved_models.load_model(path), tmp_path / "a.onnx")


def test_the_command_prints_a_table(network, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "CHECKED", 2)
    monkeypatch.setattr(export, "TIMED", 2)
    result = CliRunner().invoke(cli.main, ["export", str(network), "-o", str(tmp_path / "a.onnx")])
    assert result.exit_code == 0 and "keras float32" in result.stdout and "difference" in result.stdout
    shown = CliRunner().invoke(cli.main, ["export", str(network), "-o", str(tmp_path / "b.onnx"), "--json"])
    assert json.loads(shown.stdout)["format"] == "onnx" and shown.exit_code == 0
