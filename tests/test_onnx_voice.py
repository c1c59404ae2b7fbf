"""The voice functionals in an ONNX graph against those of NumPy, on speech and on the edges of what there is."""

import json

import numpy as np
import pytest

from ser_core import audio, corpora
from ser_core._utils.segments import sources
from ser_core.features import onnx_voice, voice
from ser_core.features.onnx_features import Graph
from ser_core.inference import export, saved_models
from ser_core.inference.networks import OnnxNetwork
from ser_core.inference.onnx_graph import OPSET
from ser_core.inference.predict import Predictor
from ser_core.models.voice_network import LIMIT, NETWORKS, VoiceNetwork, perceptron

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

RATE = 16_000
TIME = np.arange(3 * RATE) / RATE


@pytest.fixture(scope="module")
def functionals():
    """Run the graph of the functionals alone on one waveform."""
    graph = Graph()
    name = onnx_voice.add_voice_functionals(graph, "waveform", RATE)
    graph.prune([name])
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        graph.nodes, "voice", [value("waveform", 1, [1, "samples"])], [value(name, 1, [1, voice.SIZE])], graph.constants
    )  # fmt: skip
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda samples: session.run(None, {"waveform": np.asarray(samples, dtype=np.float32)[None]})[0][0]


@pytest.fixture(scope="module")
def recordings() -> list[np.ndarray]:
    table = corpora.load("demo")
    return [audio.read(source, rate=RATE) for source in sources(table.iloc[:: len(table) // 20])]


@pytest.fixture(scope="module")
def spread(recordings) -> np.ndarray:
    """Standard deviation of each functional over recordings, the unit of its scores."""
    return np.std([voice.voice_functionals(samples, RATE) for samples in recordings], axis=0) + 1e-2


def test_functionals_of_speech(functionals, recordings, spread):
    for samples in recordings:
        expected = voice.voice_functionals(samples, RATE)
        assert np.abs((functionals(samples) - expected) / spread).max() < 1e-2


EDGES = {
    "silence": np.zeros(RATE),
    "shortest": np.sin(2 * np.pi * 200 * TIME[: RATE // 10]),
    "tone": np.sin(2 * np.pi * 200 * TIME),
    "click": np.eye(1, RATE, 5000)[0],
    "quiet": 1e-4 * np.sin(2 * np.pi * 150 * TIME),
    "two bursts": np.random.default_rng(5).normal(0, 0.1, RATE) * (np.arange(RATE) % 9_000 < 2_000),
    "noise": np.random.default_rng(0).normal(0, 0.1, 2 * RATE),
    "tone, then noise": np.r_[np.sin(2 * np.pi * 120 * TIME), np.random.default_rng(1).normal(0, 0.3, RATE)],
    "rising": np.sin(2 * np.pi * (100 * TIME + 40 * TIME**2)) * (0.1 + TIME / 3),
    "odd length": np.sin(2 * np.pi * 180 * TIME[:20_011]) * np.hanning(20_011),
    "constant": np.full(RATE, 0.5),
}


@pytest.mark.parametrize("name", EDGES)
def test_functionals_at_the_edges(functionals, name, spread):
    samples = EDGES[name].astype(np.float32)
    found, expected = functionals(samples), voice.voice_functionals(samples, RATE)
    assert np.isfinite(found).all()
    scores = np.abs((found - expected) / spread)
    assert (scores > 0.5).mean() < 0.01, np.flatnonzero(scores > 0.5)


def test_longer_waveforms_count_up_to_their_limit(functionals):
    noise = np.random.default_rng(2).normal(0, 0.1, 7 * RATE).astype(np.float32)
    cut = onnx_voice.LONGEST * round(voice.HOP * RATE) - 1
    assert np.array_equal(functionals(noise), functionals(noise[:cut]))
    assert not np.array_equal(functionals(noise), functionals(noise[: cut - RATE]))


def test_power_and_mirrored_bins():
    """Every bin is in the two-step transform, and those that are there twice are bins 0, 16 mod 32 and their like."""
    bins = onnx_voice._bins()
    assert set(bins) == set(range(voice.FFT // 2 + 1)) and len(bins) == 17 * 32


def made_learner(classes: int = 4) -> VoiceNetwork:
    """A learner whose networks have random weights and statistics."""
    random = np.random.default_rng(3)
    learner = VoiceNetwork(classes, seed=0)
    learner.mean, learner.deviation = random.normal(size=voice.SIZE), random.uniform(0.5, 2, voice.SIZE)
    learner.networks = []
    for _ in range(NETWORKS):
        network = perceptron(voice.SIZE, classes)
        network.set_weights([np.abs(w) + 0.1 if w.ndim == 1 else random.normal(0, 0.05, w.shape)
                             for w in network.get_weights()])  # fmt: skip
        learner.networks.append(network)
    return learner


def test_one_network_answers_as_the_learner():
    learner = made_learner()
    x = np.random.default_rng(4).normal(0, 3, (5, 3, voice.SIZE)).astype(np.float32)
    x[0] *= 100  # beyond LIMIT
    assert np.abs(learner._scores(x)).max() == pytest.approx(LIMIT)
    found = np.asarray(learner.as_network()(x[:, 0]))
    np.testing.assert_allclose(found, learner.predict_proba(x), atol=2e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


def test_exported_network_and_its_predictions(tmp_path, recordings):
    """The file answers as the network on the functionals, at each recording's own length, whatever its level."""
    network = made_learner().as_network()
    path = tmp_path / "voice.keras"
    network.save(path)
    labels = ["angry", "happy", "neutral", "sad"]
    spec = {"model": "voice_network", "corpus": "demo", "protocol": "speaker", "fold": 0, "seed": 0,
            "features": "voice_peak", "rate": RATE, "frames": 1, "znorm": False}  # fmt: skip
    facts = {"hash": "shipped", "labels": labels, "spec": spec, "demo": True, "temperature": 1.7, "name": "made"}
    path.with_suffix(".json").write_text(json.dumps(facts))
    saved = saved_models.load_model(path)
    assert saved.settings.features == "voice_functionals"
    export.to_onnx(saved, tmp_path / "voice.onnx")
    from ser_core.metrics.temperature_scaling import apply_temperature

    runner, predictor = OnnxNetwork(tmp_path / "voice.onnx"), Predictor(tmp_path / "voice.onnx")
    for samples in recordings[:4]:
        peak = audio.peak_normalise(samples)
        expected = apply_temperature(np.asarray(network(voice.voice_functionals(peak, RATE)[None])), 1.7)[0]
        np.testing.assert_allclose(runner(samples[None])[0][0], expected, atol=1e-4)
        for level, offset in ((1.0, 0.0), (0.05, 0.0), (0.5, 0.1)):
            answer = predictor.predict((level * samples + np.float32(offset), RATE))
            np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=2e-3)
            assert len(answer.attention) == 0 and not any("padded" in note for note in answer.notes)
    several = runner(np.stack([recordings[0][:RATE], recordings[1][:RATE]]))[0]
    assert several.shape == (2, 4)
    np.testing.assert_allclose(several[1], runner(recordings[1][None, :RATE])[0][0], atol=1e-6)
    long = np.tile(recordings[0], 8)[: 12 * RATE]
    answer = predictor.predict((long, RATE))
    assert len(answer.windows) == 5 and answer.windows[0].end == pytest.approx(5.0)
    keras_answer = Predictor(path).predict((recordings[2], RATE))
    np.testing.assert_allclose(
        list(keras_answer.probabilities.values()),
        list(predictor.predict((recordings[2], RATE)).probabilities.values()), atol=1e-4,
    )  # fmt: skip
