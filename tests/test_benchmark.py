"""The benchmark: arithmetic on a fake clock, bounds by hand, records, tables. No test asserts a measured time."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from ser_core import audio, cli, features
from ser_core._utils.errors import SerError
from ser_core.benchmark import clocks, floors, job, naive, records, runtimes, stages, suite, tables
from ser_core.benchmark.clocks import Contender


def timed(costs, **settings):
    """Measure contenders whose calls take these seconds on a fake clock; return timings and the order of the calls."""
    now, order = [0.0], []

    def call(name, seconds):
        def act():
            order.append(name)
            now[0] += seconds

        return act

    contenders = [Contender(name, role, call(name, seconds)) for name, (role, seconds) in costs.items()]
    clock = lambda: now[0]  # noqa: E731
    return clocks.measure(contenders, clock=clock, used=lambda: 2 * now[0], **settings), order


def test_contenders_take_turns_after_the_warmup():
    costs = {"librosa": ("peer", 0.4), "ser": ("ours", 0.1)}
    (peer, ours), order = timed(costs, rounds=2, calls=2, warmup=1)
    assert order == ["librosa", "ser", "librosa", "librosa", "ser", "ser", "librosa", "librosa", "ser", "ser"]
    assert (peer.calls, ours.calls) == (4, 4)
    assert peer.p50_ms == pytest.approx(400) and ours.p50_ms == pytest.approx(100)
    assert ours.cpu_ms == pytest.approx(200) and ours.cpu_ratio == pytest.approx(4)
    assert ours.ratio.median == pytest.approx(4) and ours.ratio.rounds == 2
    assert peer.ratio is None


def test_no_round_but_the_first_begins_after_the_time_is_over():
    for seconds, calls in ((0.0, 2), (1.0, 2), (1.6, 4), (100.0, 20)):
        (ours,), order = timed({"ser": ("ours", 0.5)}, rounds=10, calls=2, warmup=1, seconds=seconds)
        assert ours.calls == calls and len(order) == ours.calls + 1


def test_networks_share_the_time_and_the_last_are_not_measured(monkeypatch):
    now, asked = [0.0], []

    def run(described):
        asked.append((described.network, described.threads, described.seconds))
        now[0] += 100.0
        return ()

    monkeypatch.setattr(suite.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(suite, "run_in_process", run)
    monkeypatch.setattr(suite, "usable_cores", lambda: 2)
    monkeypatch.setattr(runtimes, "network_names", lambda: ["a1", "vgg16", "lstm_attention"])
    left = list(suite.run_networks(job.Job("networks", "", "demo", ""), lambda name: None))
    assert [(name, threads) for name, threads, _ in asked] == [("a1", 1), ("vgg16", 1), ("lstm_attention", 1)]
    assert [seconds for _, _, seconds in asked] == pytest.approx([48.0, 35.0, 40.0 / 3])
    assert [stage.name for stage in left] == ["a1_batch1_threads2", "cnn_bilstm_attention_batch1_threads2"]
    assert {one.status for stage in left for one in stage.timings} == {"not measured"}


def test_the_throughput_counts_utterances():
    (ours,), _ = timed({"ser": ("ours", 0.5)}, rounds=1, calls=3, warmup=0, utterances=64)
    assert ours.per_second == pytest.approx(128)


def test_work_between_calls_is_not_timed():
    seen = []
    contenders = [Contender("ser", "ours", lambda: seen.append("call"), before=lambda: seen.append("before"))]
    ticks = iter(range(100))
    (ours,) = clocks.measure(
        contenders, rounds=1, calls=2, warmup=0, clock=lambda: next(ticks), used=float, between=lambda: seen.append("x")
    )
    assert seen == ["before", "x", "call"] * 2
    assert ours.p50_ms == 1000  # one tick


def test_what_is_missing_is_not_measured():
    contenders = [Contender("a", "peer", lambda: None), Contender("b", "ours", lambda: 1 / 0, missing="no GPU")]
    _, missing = clocks.measure(contenders, rounds=1, calls=1, warmup=1)
    assert (missing.status, missing.reason, missing.p50_ms, missing.ratio) == ("not measured", "no GPU", None, None)


def test_the_ratio_is_over_rounds_not_over_all_calls():
    """A slow machine in one round slows both, so the ratio stays."""
    ratio = clocks.ratio_of([[1.0, 1.0], [10.0, 10.0], [1.0, 1.0]], [[0.1], [1.0], [0.1]])
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((10, 10, 10))


def test_the_floor_is_the_larger_bound():
    peaks = records.Peaks(1, gflops=50.0, gigabytes=10.0)
    assert floors.bound(floors.count(1e8, 1e6, ""), peaks).ms == pytest.approx(2.0)  # 1e8 / 50e9 s
    assert floors.bound(floors.count(1e6, 1e9, ""), peaks).ms == pytest.approx(100.0)  # 1e9 / 10e9 s


def test_the_limits_of_the_machine_are_the_highest_that_were_measured():
    slow, fast = records.Peaks(2, 50.0, 10.0), records.Peaks(2, 80.0, 9.0)
    assert floors.best(slow, fast) == records.Peaks(2, 80.0, 10.0)


def test_operations_of_a_network_by_hand():
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((10, 3)),
            layers.Conv1D(4, 5, padding="same"),  # 10 places, 5 x 3 x 4 weights
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),  # twice 10 steps, 4 x 2 x (4 + 2) weights
            layers.GlobalAveragePooling1D(),
            layers.Dense(3),  # 4 x 3
        ]
    )
    assert floors.network_operations(model) == 2 * (10 * 60 + 2 * 10 * 48 + 12)


def test_operations_of_the_features_grow_with_the_frames():
    once = floors.feature_operations(100)
    assert floors.feature_operations(300) == pytest.approx(3 * once, abs=3)
    assert 4e6 < floors.feature_operations(400) < 8e6  # the transforms alone are 400 x 2.5 x 400 x log2(400)


def test_the_naive_channels_are_those_of_the_suite():
    from ser_core import corpora

    (path,) = corpora.load("demo")["path"][:1]
    samples = audio.read(path)
    exact = naive.channels(samples.astype(np.float64))
    assert np.abs(features.frames.raw_channels(samples) - exact).max() < 1e-4
    ours = features.extract(samples)
    assert np.abs(naive.network_input(exact) - ours).max() < 1e-4
    assert naive.channels(samples, energy=False).shape[1] == 39


def test_stages_are_chosen_by_name_or_its_beginning():
    assert suite.select_stages([]) == list(stages.STAGES)
    assert suite.select_stages(["clip", "stream"]) == ["clip_a1", "clip_a5", "stream"]
    assert suite.select_stages(["training-gpu"]) == ["training_gpu"]
    assert suite.select_stages(["corpus-cold"]) == ["corpus"]
    with pytest.raises(SerError, match="no such stage"):
        suite.select_stages(["clip", "speed"])


def test_the_environment_limits_every_library(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "OMP_NUM_THREADS" not in job.environment(None)
    one = job.environment(1)
    assert {one[name] for name in (*job.POOLS, "TF_NUM_INTRAOP_THREADS")} == {"1"}
    assert one["CUDA_VISIBLE_DEVICES"] == "-1"
    assert job.environment(1, gpu=True).get("CUDA_VISIBLE_DEVICES") != "-1"


def made_benchmark(others=0.0):
    """A benchmark with one stage, by hand."""
    ratio = records.Ratio(14.4, 13.0, 15.2, 12)
    timings = (
        records.Timing("librosa, model.predict", "peer", calls=72, p25_ms=45.0, p50_ms=46.8, p75_ms=49.0, p95_ms=60.0,
                       cpu_ms=50.0, per_second=21.4),
        records.Timing("Predictor.predict", "ours", calls=72, p25_ms=3.1, p50_ms=3.25, p75_ms=3.3, p95_ms=4.0,
                       cpu_ms=5.0, per_second=307.0, ratio=ratio),
    )  # fmt: skip
    absent = (
        records.Timing("model.fit", "peer", status="not measured", reason="no GPU"),
        records.Timing("ours", "ours", status="not measured", reason="no GPU"),
    )
    measured = (
        records.Stage("clip_a5", "one recording to its emotion, A5", timings=timings, others=others, difference=1e-6,
                      floor=records.Floor(10**7, 10**6, "products", 0.5), notes=("a note",)),
        records.Stage("training_gpu", "training on a GPU", timings=absent),
    )  # fmt: skip
    machine = records.Machine(
        "a processor", "Linux x86_64", 2, 1000.0, None, 0.5,
        (records.Peaks(1, 80.0, 9.0), records.Peaks(2, 150.0, 9.0)), {"python": "3.12"},
    )  # fmt: skip
    curve = records.Curve("corpus", "features", "utterance", (records.Point(10, 1.0, 90.0), records.Point(30, 5.0)))
    return records.Benchmark("2026-01-02T03:04:05+00:00", True, "demo", machine, measured, growth=(curve,))


def test_a_benchmark_survives_json(tmp_path):
    benchmark = made_benchmark()
    text = json.dumps(benchmark.to_json(), allow_nan=False)
    assert records.Benchmark.from_json(json.loads(text)) == benchmark
    records.write_benchmark(benchmark, tmp_path / "bench.json")
    assert records.read_benchmark(tmp_path / "bench.json") == benchmark


@pytest.mark.parametrize("content", ["", "[]", '{"when": 1}', '{"machine": {}, "stages": []}'])
def test_other_files_are_refused_in_one_line(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(SerError, match=r"other\.json: not a result") as caught:
        records.read_benchmark(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(SerError, match="no such file"):
        records.read_benchmark(tmp_path / "missing.json")


def test_the_slope_is_per_further_unit():
    assert made_benchmark().growth[0].per_unit == (200.0,)  # 4 s for 20 utterances


def test_tables_for_people():
    text = tables.benchmark_text(made_benchmark())
    assert "14.4x [13.0, 15.2]" in text and "46.8 ms" in text and "not measured" in text and "no GPU" in text
    assert "per further utterance" in text and "200 ms" in text
    assert "upper bounds" not in text
    assert "upper bounds" in tables.benchmark_text(made_benchmark(others=0.5))


def test_the_frame_has_a_row_per_way_and_floor():
    frame = tables.stages_frame(made_benchmark())
    assert frame["way"].tolist() == [
        "librosa, model.predict", "Predictor.predict", "floor: products", "model.fit", "ours",
    ]  # fmt: skip
    assert frame["median"].tolist() == ["46.8 ms", "3.25 ms", "0.50 ms", "not measured", "not measured"]


def test_the_readme_gets_the_table_between_its_marks(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"# A\n\n{tables.OPEN}\nold\n{tables.CLOSE}\n\nend\n")
    assert tables.update_readme(path, made_benchmark())
    assert not tables.update_readme(path, made_benchmark())
    text = path.read_text()
    assert "## Performance" in text and text.startswith("# A\n") and text.endswith("\n\nend\n") and "old" not in text
    assert "| one recording to its emotion, A5 | librosa, model.predict: 46.8 ms | Predictor.predict: 3.25 ms |" in text
    path.write_text("# A\n")
    with pytest.raises(SerError, match="performance"):
        tables.update_readme(path, made_benchmark())


def test_the_command_measures_in_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "none"))  # the demo corpus
    target = tmp_path / "bench.json"
    done = CliRunner().invoke(
        cli.main, ["bench", "--quick", "--only", "stream", "--only", "features", "--json", "-o", str(target)]
    )
    assert done.exit_code == 0, done.output
    measured = records.Benchmark.from_json(json.loads(done.stdout.splitlines()[-1]))
    assert measured == records.read_benchmark(target)
    assert [stage.name for stage in measured.stages] == ["features", "stream"]
    first, stream = measured.stages
    assert first.difference < 1e-4 and first.threads == 1
    for stage in measured.stages:
        for mode in (records.BACK_TO_BACK, records.NOW_AND_THEN):
            ours = stage.timing(records.OURS, mode)
            assert ours.p25_ms <= ours.p50_ms <= ours.p75_ms <= ours.p95_ms
            assert ours.ratio.median > 0 and ours.cpu_ms > 0
        assert stage.floor.ms > 0 and stage.seconds > 0
    assert measured.machine.peaks[0].gflops > 0
    missing = [one for one in first.timings if one.status == records.NOT_MEASURED]
    assert all("not installed" in one.reason for one in missing)


def test_a_failed_stage_gives_one_line(tmp_path):
    broken = job.Job("features", str(tmp_path / "missing.wav"), "demo", str(tmp_path), quick=True)
    with pytest.raises(SerError, match=r"bench features: .*missing\.wav") as caught:
        job.run_in_process(broken)
    assert "\n" not in str(caught.value)


def test_an_unknown_stage_is_refused_at_once():
    done = CliRunner().invoke(cli.main, ["bench", "--only", "speed"])
    assert done.exit_code == 1 and "no such stage" in done.output and "Traceback" not in done.output
