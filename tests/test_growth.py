"""Growth: the made inputs are what they say, each curve gives its points. No test asserts a measured time."""

import json

import pytest
from click.testing import CliRunner

from ser_core import cli
from ser_core._utils.errors import SerError
from ser_core._utils.segments import sources
from ser_core.benchmark import growth, records
from ser_core.experiments import store
from ser_core.features import FeatureSettings, cache


@pytest.mark.parametrize("size", [10, 1000])
def test_the_utterances_of_a_made_corpus_are_all_different(size):
    table = growth.made_corpus(size)
    assert len(table) == len(set(map(str, sources(table)))) == len(set(table["id"])) == size
    assert (table["end"] - table["start"]).round(6).eq(growth.SEGMENT).all()
    parts = [growth.made_corpus(size, first, first + 7) for first in range(0, size, 7)]
    assert sum(map(len, parts)) == size and list(parts[-1]["id"])[-1] == list(table["id"])[-1]
    if size <= 10:
        assert len(set(cache.cache_paths(cache.jobs_for(table, FeatureSettings())))) == size


def test_every_utterance_of_a_made_corpus_gets_its_features(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(own_cache))  # restored afterwards
    seconds, memory = growth.measure_corpus(12, tmp_path)
    assert seconds > 0 and memory > 10
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 12


def test_a_made_store_has_different_results_with_predictions(tmp_path):
    folder = growth.made_store(300, tmp_path)  # more than are published
    rows = store.load_rows(folder)
    assert len(rows) == len({row.hash for row in rows}) == len({json.dumps(row.spec) for row in rows}) == 300
    assert len(store.load_predictions(rows[-1], folder)) > 0


def test_the_scheduler_trains_nothing_and_every_run_has_a_result(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv("SER_RUNS", str(tmp_path / "runs"))
    seconds, _ = growth.measure_matrix(3, tmp_path)
    assert seconds > 0
    assert len(list((tmp_path / "runs" / "store").glob("*.json"))) == 3
    assert len(list((tmp_path / "worker" / "store").glob("*.parquet"))) == 3


def test_curves_are_chosen_by_name():
    assert growth.select_curves(()) == list(growth.CURVES)
    assert growth.select_curves(("store-again", "length")) == ["length", "store_again"]
    with pytest.raises(SerError, match="no such curve"):
        growth.select_curves(("speed",))


def test_the_command_measures_a_curve(monkeypatch):
    quick = growth.CURVES["length"]
    monkeypatch.setitem(growth.CURVES, "length", growth.Growth(quick.title, quick.unit, quick.measure, (9,), (1, 2)))
    done = CliRunner().invoke(cli.main, ["bench", "--growth", "--quick", "--only", "length", "--json"])
    assert done.exit_code == 0, done.output
    (curve,) = records.Benchmark.from_json(json.loads(done.stdout.splitlines()[-1])).growth
    assert [point.size for point in curve.points] == [1, 2] and curve.status == records.MEASURED
    assert all(point.seconds > 0 for point in curve.points)


def test_a_curve_without_its_package_is_not_measured(monkeypatch):
    curve = growth.CURVES["matrix"]
    needing = growth.Growth(curve.title, curve.unit, curve.measure, (1,), (1,), needs="no_such_package")
    monkeypatch.setitem(growth.CURVES, "matrix", needing)
    (measured,) = growth.measure_growth(("matrix",), quick=True, progress=False)
    assert (measured.status, measured.points) == ("not measured", ())
    assert "no_such_package" in measured.reason
