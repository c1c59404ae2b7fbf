"""Latency: arithmetic on a fake clock, structure and units of a real measurement. No test asserts a measured time."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_core import models
from ser_core._utils import machine
from ser_core._utils.errors import SerError
from ser_core.benchmark import latency, latency_tables, stage_timing
from ser_core.claims import paper

LENGTHS = (0.5, 1.5)  # seconds of the two recordings that are measured


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    rows = []
    for number, (seconds, rate) in enumerate(zip(LENGTHS, (16_000, 48_000), strict=True)):
        path = folder / f"clip{number}.wav"
        soundfile.write(path, 0.1 * random.standard_normal(int(seconds * rate)), rate)
        rows.append({"id": path.stem, "path": str(path), "emotion": ("happy", "sad")[number]})
    made = pd.DataFrame(rows)
    made.attrs["corpus"] = "two clips"
    return made


@pytest.fixture(scope="module")
def measured(table):
    ballast = np.ones(300 * 2**17)  # 300 MiB in this process, not in the measured one
    rows = latency.measure_latency("cnn_bilstm_attention", table, repeats=2, warmup=1)
    assert ballast.nbytes == 300 * 2**20
    return rows


def clock_of(times):
    ticks = iter(times)
    return lambda: next(ticks)


def test_only_calls_after_the_warmup_are_timed():
    called = []
    seconds = stage_timing.time_calls(called.append, repeats=3, warmup=2, clock=clock_of([10, 11, 20, 22, 30, 34]))
    assert seconds == [1, 2, 4]
    assert called == [0, 1, 0, 1, 2]


def test_percentiles_are_linear_between_neighbours():
    figures = stage_timing.summarise([n / 1000 for n in range(1, 101)], [1.0] * 100, batch=1)
    assert figures["latency_p50_ms"] == pytest.approx(50.5)
    assert figures["latency_p95_ms"] == pytest.approx(95.05)


def test_throughput_and_rtf_use_utterances_and_their_true_length():
    figures = stage_timing.summarise([0.2, 0.4], [64.0, 64.0], batch=32)
    assert figures["latency_p50_ms"] == pytest.approx(300)
    assert figures["throughput"] == pytest.approx(64 / 0.6)
    assert figures["rtf"] == pytest.approx(0.6 / 128)


def test_rtf_of_one_call_is_latency_over_clip_length():
    figures = stage_timing.summarise([0.048], [3.7], batch=1)
    assert figures["rtf"] == pytest.approx(figures["latency_p50_ms"] / 1000 / 3.7)


def test_every_stage_call_and_batch_has_one_row(measured):
    cpu = [(row["stage"], row["call"], row["batch"]) for row in measured if row["device"] == "cpu"]
    networks = {(s, c, b) for s in ("network", "end to end") for c in ("compiled", "predict") for b in (1, 32)}
    assert len(cpu) == len(set(cpu))
    assert set(cpu) == networks | {("read", None, 1), ("features", None, 1)}
    gpu = [(row["stage"], row["call"], row["batch"]) for row in measured if row["device"] == "gpu"]
    assert sorted(gpu) == sorted(networks)


def test_rows_are_plain_and_complete(measured):
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured
    for row in measured:
        assert set(row) == set(measured[0])
        if row["status"] == "measured":
            assert all(row[figure] > 0 for figure in stage_timing.FIGURES)
            assert row["latency_p50_ms"] <= row["latency_p95_ms"]
            assert row["repeats"] == (2 if row["batch"] == 1 else 3)
            assert row["hardware"]
        else:
            assert row["status"] == "not measured"
            assert row["reason"]
            assert all(row[figure] is None for figure in stage_timing.FIGURES)


def test_gpu_rows_are_not_measured_without_a_gpu(measured):
    import tensorflow as tf

    expected = "measured" if tf.config.list_physical_devices("GPU") else "not measured"
    assert {row["status"] for row in measured if row["device"] == "gpu"} == {expected}


def test_clip_length_is_the_true_length(measured):
    """Not the four seconds of the network's input."""
    for row in measured:
        assert row["clip_seconds"] == pytest.approx(np.mean(LENGTHS), abs=1e-3)
        if row["status"] == "measured":  # every clip is used equally often, so the mean length links the two
            assert row["throughput"] * row["rtf"] * row["clip_seconds"] == pytest.approx(1, rel=1e-6)


def test_parameters_are_those_of_the_network(measured):
    assert {row["parameters"] for row in measured} == {469_257 - 6 * 65}  # two emotions instead of eight
    assert {row["model"] for row in measured} == {"cnn_bilstm_attention"}


def test_peak_memory_is_that_of_the_measured_process(measured):
    peaks = {
        (row["stage"], row["call"], row["batch"]): row["peak_memory_mib"] for row in measured if row["device"] == "cpu"
    }
    assert peaks["read", None, 1] <= peaks["features", None, 1] < peaks["network", "compiled", 1]
    assert peaks["read", None, 1] < 300 < stage_timing.peak_memory_mib()


def test_compiled_call_and_predict_agree():
    model = models.build("cnn_bilstm_attention_lite", (400, 42), 8)
    features = np.random.default_rng(1).standard_normal((3, 400, 42)).astype(np.float32)
    once = stage_timing.compiled_network(model, 3)(features)
    assert once.shape == (3, 8)
    np.testing.assert_allclose(once, model.predict(features, verbose=0), atol=1e-5)


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"warmup": -1}, {"threads": 0}])
def test_settings_out_of_range_are_refused(table, wrong):
    with pytest.raises(SerError, match="at least"):
        latency.measure_latency("a1", table, **wrong)


def test_an_empty_table_is_refused(table):
    with pytest.raises(SerError, match="empty"):
        latency.measure_latency("a1", table.iloc[:0])


def test_a_failed_measurement_gives_one_line_with_the_file(table, tmp_path):
    (tmp_path / "note.wav").write_text("no audio")
    broken = table.assign(path=str(tmp_path / "note.wav"))
    with pytest.raises(SerError, match=r"note\.wav") as caught:
        latency.measure_latency("a1", broken, repeats=1, warmup=0)
    assert "\n" not in str(caught.value)


def test_measurements_are_stored_and_reused(table, measured, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    calls = []
    monkeypatch.setattr(
        latency, "measure_latency", lambda name, *_, **settings: calls.append((name, settings)) or measured
    )
    first = latency.measure_networks(["cnn_bilstm_attention"], table, repeats=2, warmup=1, progress=False)
    (stored,) = (tmp_path / "store").glob("timing-*.json")
    assert stored.stem == f"timing-{first['hash']}"
    assert latency.measure_networks(["cnn_bilstm_attention"], table, repeats=2, warmup=1, progress=False) == first
    assert len(calls) == 1
    latency.measure_networks(["cnn_bilstm_attention"], table, repeats=3, warmup=1, progress=False)
    latency.measure_networks(["cnn_bilstm_attention"], table, repeats=2, warmup=1, progress=False, fresh=True)
    assert len(calls) == 3
    stored.write_text("{")
    again = latency.measure_networks(["cnn_bilstm_attention"], table, repeats=2, warmup=1, progress=False)
    assert len(calls) == 4
    assert again["rows"] == measured
    assert again["machine"]["processor"] == machine.processor_name()


def test_published_figures_are_read_back(measured, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    with pytest.raises(SerError, match=r"timing\.json"):
        latency.read_timing(latency.published_path())
    document = {
        "hash": "0",
        "settings": {},
        "machine": latency.describe_machine(),
        "rows": measured,
        "when": "2026-01-01",
    }
    assert latency.publish_timing(document) == tmp_path / "published" / "timing.json"
    assert latency.read_timing(latency.published_path()) == document


def test_the_papers_rtf_implies_a_quarter_of_a_second():
    for claim in paper.SPEED:
        assert latency_tables.implied_seconds(claim["latency_ms"], claim["rtf"]) == pytest.approx(0.25)


def test_tables_for_people(measured):
    document = {"rows": measured, "machine": latency.describe_machine()}
    claims = latency_tables.latency_claims(document).set_index("one utterance")
    assert list(claims.columns) == ["GPU", "CPU"]
    assert claims.loc["its latency over the true length, 1.00 s (RTF)", "CPU"] == "0.0480"
    ours = latency.select_rows(document, device="cpu", stage="end to end", call="predict", batch=1)[0]
    assert claims.loc["ours: median latency, predict (ms)", "CPU"] == f"{ours['latency_p50_ms']:.1f}"
    ablation = latency_tables.ablation_latency(document)
    assert ablation["configuration"].tolist() == ["A5"]
    assert ablation["Table V (ms)"].tolist() == ablation["Table VI (ms)"].tolist() == [12]
    shown = latency_tables.latency_table(measured)
    assert len(shown) == len(measured)
    missing = [row["status"] == "not measured" for row in measured]
    assert (shown["RTF"] == "not measured").tolist() == missing
