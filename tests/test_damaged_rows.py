"""One bad row stops nothing: it is named and passed over, the others are shown, and no module of it is imported."""

import json
import sys

import made_network
import made_rows
import pandas as pd
import pytest
from click.testing import CliRunner

from ser_core._utils.errors import SerError, SerWarning
from ser_core.cli import main
from ser_core.experiments import row_shapes, store
from ser_core.inference import saved_models


@pytest.fixture
def rows(own_store):
    """Return four results in the store."""
    own_store.mkdir(parents=True)
    return made_rows.made_rows(own_store, folds=2) + made_rows.made_rows(own_store, folds=2, model="a1")


def changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


DAMAGED_ROWS = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:400]),
    "empty": lambda path: path.write_bytes(b""),
    "list": lambda path: path.write_text("[]"),
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "text for a number": lambda path: changed(path, n_test="48"),
    "scores are a list": lambda path: changed(path, scores=[0.5]),
    "no scores": lambda path: changed(path, scores={}),
    "labels twice": lambda path: changed(path, labels=["sad", "sad"]),
    "another matrix": lambda path: changed(path, confusion=[[1]]),
    "spec is a list": lambda path: changed(path, spec=[]),
    "spec of other types": lambda path: changed(path, spec={"corpus": "ravdess", "fold": "x"}),
    "unknown protocol": lambda path: changed(path, spec={"corpus": "ravdess", "protocol": "speakers"}),
    "hash is a path": lambda path: changed(path, hash="../../etc/passwd"),
    "later version": lambda path: changed(path, schema=99),
}
DAMAGED_PREDICTIONS = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:400]),
    "empty": lambda path: path.write_bytes(b""),
    "without a column": lambda path: pd.read_parquet(path).drop(columns="truth").to_parquet(path),
    "without a label": lambda path: pd.read_parquet(path).drop(columns="sad").to_parquet(path),
    "without rows": lambda path: pd.read_parquet(path).head(0).to_parquet(path),
    "texts for numbers": lambda path: pd.read_parquet(path).assign(sad="x").to_parquet(path),
    "other labels": lambda path: pd.read_parquet(path).assign(truth="x").to_parquet(path),
    "no speaker": lambda path: pd.read_parquet(path).assign(speaker=None).to_parquet(path),
}


@pytest.mark.parametrize("damage", DAMAGED_ROWS.values(), ids=DAMAGED_ROWS)
def test_a_damaged_row_is_named_and_the_others_are_shown(damage, rows, own_store):
    damage(own_store / f"{rows[1].hash}.json")
    with pytest.warns(SerWarning, match=f"{rows[1].hash}.json: passed over"):
        assert len(store.load_rows(own_store)) == 3
    done = CliRunner().invoke(main, ["tables", "--store"])
    assert done.exit_code == 0 and "A1: CNN, MFCC" in done.stdout, done.exception
    assert f"ser: {own_store / rows[1].hash}.json: passed over" in done.stderr


@pytest.mark.parametrize("damage", DAMAGED_PREDICTIONS.values(), ids=DAMAGED_PREDICTIONS)
def test_damaged_predictions_are_named_and_the_others_are_shown(damage, rows, own_store):
    damage(own_store / f"{rows[1].hash}.parquet")
    done = CliRunner().invoke(main, ["tables", "--store"])
    assert done.exit_code == 0 and "A1: CNN, MFCC" in done.stdout, done.exception
    assert done.stderr.startswith("ser: ") and rows[1].hash in done.stderr


def test_the_published_rows_have_the_shapes():
    for path in store.result_files(store.published_dir()):
        values = json.loads(path.read_text())
        if "spec" in values:
            row_shapes.check_row(values)


TRAP = "raise SystemExit('a module that a row names was imported')\n"


def test_no_module_that_a_row_names_is_imported(rows, own_store, tmp_path, monkeypatch):
    (tmp_path / "trap_of_a_row.py").write_text(TRAP)
    monkeypatch.syspath_prepend(tmp_path)
    path = own_store / f"{rows[1].hash}.json"
    changed(path, spec=json.loads(path.read_text())["spec"] | {"model": "trap_of_a_row:net"})
    for words in (["tables", "--store"], ["sweep", "table5", "--skip-published", "--folds", "0", "--help"]):
        assert CliRunner().invoke(main, words).exit_code == 0
    assert len(store.load_rows(own_store)) == 4
    assert store.spec_key(store.load_row(path).spec) not in store.published_keys()
    network = made_network.keep(tmp_path / "network")
    facts = json.loads(network.with_suffix(".json").read_text())
    network.with_suffix(".json").write_text(
        json.dumps(facts | {"spec": facts["spec"] | {"model": "trap_of_a_row:net"}})
    )
    assert saved_models.load_model(network).settings.features == facts["spec"]["features"]
    assert "trap_of_a_row" not in sys.modules


def test_a_network_whose_spec_cannot_be_is_one_line(tmp_path):
    network = made_network.keep(tmp_path)
    facts = json.loads(network.with_suffix(".json").read_text())
    for values in ({"frames": "x"}, {"rate": -1}, {"features": "none such"}, {"frames": 10**9}):
        network.with_suffix(".json").write_text(json.dumps(facts | {"spec": facts["spec"] | values}))
        with pytest.raises(SerError):
            saved_models.load_model(network)
    network.with_suffix(".json").write_text("[" * 100_000)
    with pytest.raises(SerError, match="must lie in the same folder"):
        saved_models.load_model(network)
