"""Networks whose answers are none: refused when they are loaded, and again when an answer is not finite."""

import json
import math

import click
import made_network
import made_recordings
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from ser_core import cli
from ser_core._utils.errors import SerError
from ser_core.cli import base
from ser_core.inference import predict
from ser_core.inference.predict import Predictor, UnusableRecording


def shipped():
    return onnx.load(predict.PRETRAINED)


def facts_of(graph) -> dict:
    return json.loads(next(entry.value for entry in graph.metadata_props if entry.key == "ser"))


def kept(graph, path, **facts):
    """Save a graph with other metadata."""
    for entry in graph.metadata_props:
        if entry.key == "ser":
            entry.value = json.dumps(facts_of(graph) | facts)
    onnx.save(graph, path)
    return path


def test_the_shipped_network_passes_its_own_check(tmp_path):
    network = Predictor(kept(shipped(), tmp_path / "a.onnx"))
    assert (
        network.predict(made_recordings.written()).record() == Predictor().predict(made_recordings.written()).record()
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    graph = shipped()
    last = max((tensor for tensor in graph.graph.initializer if tensor.data_type == 1), key=lambda t: len(t.raw_data))
    weights = numpy_helper.to_array(last).copy()
    weights[...] = value
    last.CopyFrom(numpy_helper.from_array(weights, last.name))
    with pytest.raises(SerError, match="no probabilities|not numbers") as caught:
        Predictor(kept(graph, tmp_path / "a.onnx"))
    assert "\n" not in str(caught.value) and "a.onnx" in str(caught.value)
    shown = CliRunner().invoke(cli.main, ["predict", "-", "--json", "--model", str(tmp_path / "a.onnx")], input=b"x")
    assert shown.exit_code == 1 and not shown.stdout and shown.stderr.count("\n") == 1


LABELS = tuple(facts_of(shipped())["labels"])


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"labels": LABELS[:3]}, "3 labels for 8 outputs"),
        ({"labels": [*LABELS, "tired"]}, "9 labels for 8 outputs"),
        ({"labels": [LABELS[0]] * 8}, "different emotions"),
        ({"labels": "neutral"}, "different emotions"),
        ({"labels": [1, 2, 3, 4, 5, 6, 7, 8]}, "different emotions"),
        ({"labels": None}, "different emotions"),
        ({"rate": 0}, "0 Hz"),
        ({"rate": "fast"}, "whole number"),
        ({"rate": math.nan}, "whole number"),
        ({"window_seconds": 0}, "window of 0 s"),
        ({"window_seconds": math.nan}, "window of nan s"),
        ({"window_seconds": 1e9}, "window"),
        ({"window_seconds": [4]}, "window"),
        ({"temperature": 0}, "temperature of 0"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": math.nan}, "temperature of nan"),
        ({"temperature": "warm"}, "temperature of warm"),
    ],
)
def test_facts_that_cannot_be_are_refused(tmp_path, facts, word):
    with pytest.raises(SerError, match=word) as caught:
        Predictor(kept(shipped(), tmp_path / "a.onnx", **facts))
    assert "\n" not in str(caught.value) and "a.onnx" in str(caught.value)


def test_metadata_of_another_kind_are_refused(tmp_path):
    for text in ("[1, 2]", "null", "{}", "not JSON"):
        graph = shipped()
        next(entry for entry in graph.metadata_props if entry.key == "ser").value = text
        onnx.save(graph, tmp_path / "a.onnx")
        with pytest.raises(SerError, match="a.onnx"):
            Predictor(tmp_path / "a.onnx")


@pytest.mark.parametrize("answer", [np.nan, np.inf, 0.0, -1.0])
def test_an_answer_that_is_not_finite_is_refused(monkeypatch, answer):
    predictor = Predictor()
    monkeypatch.setattr(predictor, "_network", lambda waveforms: (np.full((len(waveforms), 8), answer), None))
    with pytest.raises(SerError, match="no probabilities"):
        predictor.predict(made_recordings.written(), name="a.wav")
    (result,) = predictor.predict_many([("a.wav", made_recordings.written())])
    assert isinstance(result, UnusableRecording) and str(result).startswith("a.wav: ")


def test_whatever_goes_wrong_with_one_recording_the_others_are_answered(monkeypatch):
    predictor = Predictor()
    whole = predictor.predict

    def fails(source, name=None):
        if name == "b":
            raise ValueError("two\nlines")
        if name == "c":
            raise MemoryError
        return whole(source, name=name)

    monkeypatch.setattr(predictor, "predict", fails)
    data = made_recordings.written()
    first, second, third, last = predictor.predict_many([("a", data), ("b", data), ("c", data), ("d", data)])
    assert first.emotion == last.emotion
    for name, answer in (("b", second), ("c", third)):
        assert isinstance(answer, UnusableRecording) and answer.file == name and "\n" not in str(answer)


@pytest.fixture(scope="module")
def kept_network(tmp_path_factory):
    """A Keras network with its JSON file."""
    return made_network.keep(tmp_path_factory.mktemp("network"))


def copied(path, folder):
    for suffix in (".keras", ".json"):
        (folder / path.name).with_suffix(suffix).write_bytes(path.with_suffix(suffix).read_bytes())
    return folder / path.name


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"spec": {"corpus": "demo", "model": "a1", "seed": "x"}}, "spec that cannot be"),
        ({"spec": []}, "labels and spec"),
        ({"temperature": 0}, "temperature of 0"),
        ({"temperature": math.nan}, "temperature of nan"),
        ({"temperature": None}, "temperature"),
        ({"labels": ["a", "b", "c"]}, "3 labels for"),
        ({"labels": "abc"}, "different emotions"),
    ],
)
def test_a_keras_network_whose_json_does_not_fit_is_refused(tmp_path, kept_network, row, word):
    path = copied(kept_network, tmp_path)
    whole = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(whole | row))
    with pytest.raises(SerError, match=word) as caught:
        Predictor(path)
    assert "\n" not in str(caught.value) and str(path.with_suffix("")) in str(caught.value)


def test_weights_of_a_keras_network_that_are_no_numbers_are_refused(tmp_path, kept_network):
    from ser_core.inference import saved_models

    path = copied(kept_network, tmp_path)
    network = saved_models.read_keras(path)
    network.set_weights([np.full_like(weights, np.nan) for weights in network.get_weights()])
    network.save(path)
    with pytest.raises(SerError, match="weights that are not numbers"):
        Predictor(path)


def test_json_has_no_word_for_what_is_no_number(capsys):
    with click.Context(click.Command("predict")):
        base.emit({"a": math.nan, "b": [1.5, math.inf, (2, -math.inf)], "c": "nan"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None, [2, None]], "c": "nan"}
