"""The network that is cut out of an exported file: its answers, and files that cannot be cut."""

import json

import made_network
import numpy as np
import onnx
import onnxruntime
import pytest

from ser_core import audio, corpora, features
from ser_core.inference import export, onnx_parts, saved_models
from ser_core.inference.networks import OnnxNetwork
from ser_core.inference.predict import PRETRAINED


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """An exported network of frames."""
    folder = tmp_path_factory.mktemp("network")
    export.to_onnx(saved_models.load_model(made_network.keep(folder, "a1")), folder / "a1.onnx")
    return folder / "a1.onnx"


@pytest.fixture(scope="module")
def content(path):
    return path.read_bytes()


@pytest.fixture(scope="module")
def waveforms():
    return [audio.read(path)[:64_000] for path in corpora.load("demo")["path"].iloc[::40]]


def test_the_part_is_a_checked_model_without_the_features(content):
    part = onnx_parts.cut_network(content)
    cut, whole = onnx.load_from_string(part.content), onnx.load_from_string(content)
    onnx.checker.check_model(cut, full_check=True)
    assert [node.name for node in cut.graph.input] == [part.input]
    assert cut.graph.output == whole.graph.output and cut.metadata_props == whole.metadata_props
    assert len(cut.graph.node) < len(whole.graph.node) and "Log" not in {node.op_type for node in cut.graph.node}
    assert list(cut.graph.node) == list(whole.graph.node)[-len(cut.graph.node) :]
    used = {name for node in cut.graph.node for name in node.input}
    assert {constant.name for constant in cut.graph.initializer} <= used
    assert part.settings == features.FeatureSettings(features="39")


def test_a_network_on_functionals_is_run_whole():
    assert onnx_parts.cut_network(PRETRAINED.read_bytes()) is None and OnnxNetwork(PRETRAINED).settings is None


def test_answers_equal_those_of_the_whole_file(path, waveforms):
    cut, whole = OnnxNetwork(path), OnnxNetwork(path, whole=True)
    assert cut.settings is not None and whole.settings is None
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for waveform in waveforms:
        expected, attention = session.run(None, {"waveform": waveform[None]})
        for network in (cut, whole, OnnxNetwork(path, threads=2)):
            answer = network(0.3 * waveform[None])
            assert np.abs(answer[0] - expected).max() < 1e-5 and np.abs(answer[1] - attention).max() < 1e-6
    shortest = min(map(len, waveforms))
    together = cut(np.stack([waveform[:shortest] for waveform in waveforms[:3]]))[0]
    assert np.allclose(together, [cut(waveform[None, :shortest])[0][0] for waveform in waveforms[:3]], atol=1e-6)


def test_answers_equal_those_of_the_features_that_networks_are_trained_on(path, waveforms):
    network = OnnxNetwork(path)
    for waveform in waveforms:
        raw = features.raw_channels(audio.peak_normalise(waveform))
        exact, _ = network.run(features.to_input(raw, network.settings)[None])
        answer, _ = network(waveform[None])
        assert np.abs(answer - exact).max() < 1e-5 and answer.argmax() == exact.argmax()


def with_facts(content, **changed):
    model = onnx.load_from_string(content)
    (entry,) = (one for one in model.metadata_props if one.key == "ser")
    facts = json.loads(entry.value)
    facts["spec"].update(changed)
    entry.value = json.dumps(facts)
    return model.SerializeToString()


@pytest.mark.parametrize("spec", [{"denoise": True}, {"features": "wide"}, {"features": "mel"}, {"rate": 8_000}])
def test_other_features_are_left_in_the_file(content, spec):
    assert onnx_parts.cut_network(content) is not None
    assert onnx_parts.cut_network(with_facts(content, **spec)) is None


def test_a_network_that_uses_the_waveform_again_is_not_cut(content):
    model = onnx.load_from_string(content)
    model.graph.node.append(onnx.helper.make_node("Identity", ["waveform"], ["more"]))
    assert onnx_parts.cut_network(model.SerializeToString()) is None


def test_damaged_files_are_not_cut(content):
    for damaged in (b"", b"\x00", b"text", content[:1_000], content[: len(content) // 2], content[:-1], bytes(100)):
        assert onnx_parts.cut_network(damaged) is None
    random = np.random.default_rng(0)
    for _ in range(50):
        damaged = bytearray(content)
        for place in random.integers(0, 4_000, 3):
            damaged[place] = random.integers(0, 256)
        part = onnx_parts.cut_network(bytes(damaged))
        assert part is None or part.content


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63])
def test_numbers_of_variable_length_are_read_as_written(number):
    written = onnx_parts._number(number)
    assert onnx_parts._integer(memoryview(written + b"x"), 0) == (number, len(written))
    assert onnx_parts._number(300) == b"\xac\x02"  # the example in the format's documentation
