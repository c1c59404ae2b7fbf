"""Published results: where they lie, that both layouts are read, and that each is found by its spec."""

import csv
import json
from dataclasses import asdict, replace

import pytest
from made_rows import made_rows

from ser_core.experiments import publication, store
from ser_core.experiments.settings import setting_slug
from ser_core.experiments.spec import Spec, spec_hash


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A runs folder with two made results in the store and an empty published folder."""
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    store.store_dir().mkdir()
    for result in made_rows(store.store_dir(), folds=2):
        store.write_result(result, store.store_dir())
    return store.load_rows(store.store_dir())


def test_every_committed_result_is_found_by_its_spec_and_its_hash():
    results = store.load_rows(store.published_dir())
    assert len(results) > 200
    for result in results:
        assert result.path == store.published_dir() / publication.published_path(result.spec)
        assert result.hash == spec_hash(result.make_spec(), result.data_version)
        assert result.path.with_suffix(".parquet").is_file()


def test_the_committed_index_has_one_row_per_result():
    with (store.published_dir() / publication.INDEX).open(newline="") as file:
        rows = list(csv.DictReader(file))
    results = {result.hash: result for result in store.load_rows(store.published_dir())}
    assert {row["hash"] for row in rows} == set(results) and len(rows) == len(results)
    for row in rows:
        assert (store.published_dir() / row["path"]).is_file()
        assert float(row["uar"]) == pytest.approx(results[row["hash"]].scores["uar"], abs=1e-6)


def test_publishing_writes_the_result_its_predictions_and_the_index(published):
    names = publication.publish([result.make_spec() for result in published])
    again = store.load_rows(store.published_dir())
    assert sorted(names) == sorted(result.hash for result in again) and len(again) == len(published)
    for before, after in zip(published, again, strict=True):
        assert after.path == store.published_dir() / publication.published_path(before.spec)
        assert store.load_predictions(after, store.published_dir()).equals(
            store.load_predictions(before, store.store_dir())
        )
    assert (store.published_dir() / publication.INDEX).read_text().count("\n") == len(published) + 1


def test_the_flat_layout_is_read_and_moved_when_something_is_published(published):
    flat = store.published_dir()
    flat.mkdir()
    for result in published:
        (flat / f"{result.hash}.parquet").write_bytes(store.predictions_path(result, store.store_dir()).read_bytes())
        store.write_result(result, flat)
    assert {result.hash for result in store.load_rows(flat)} == {result.hash for result in published}
    assert publication.arrange() == len(published) and not list(flat.glob("*.json"))
    assert {result.hash for result in store.load_rows(flat)} == {result.hash for result in published}
    assert publication.arrange() == 0


def test_a_recomputed_result_replaces_the_earlier_one(published):
    publication.publish([published[0].make_spec()])
    changed = replace(published[0], scores=published[0].scores | {"accuracy": 0.125})
    store.write_result(changed, store.store_dir())
    publication.publish([published[0].make_spec()])
    (only,) = store.load_rows(store.published_dir())
    assert only.scores["accuracy"] == 0.125


def test_other_json_files_beside_results_are_passed_over(published):
    for name in ("timing.json", "notebooks/03.stamp.json", "report/x.json"):
        path = store.published_dir() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"hash": "x", "spec": {}, "status": "ok"} if "/" in name else {"rows": []}))
    assert store.load_rows(store.published_dir()) == []


@pytest.mark.parametrize(
    ("changed", "slug"),
    [
        ({}, ""),
        ({"augment": ""}, "augment_none"),
        ({"patience": 300}, "no_early_stopping"),
        ({"protocol": "cross", "test_corpus": "demo_tess", "padding": "masked"}, "to_demo_tess-padding_masked"),
        ({"condition": "codec:mp3:16"}, "codec_mp3_16"),
    ],
)
def test_the_setting_in_a_path_names_what_differs_from_the_defaults(changed, slug):
    assert setting_slug(asdict(Spec(**changed))) == slug


def test_results_are_found_by_their_hashes_in_both_layouts(published):
    hashes = [result.hash for result in published][::-1]
    assert [result.hash for result in store.find_results(store.store_dir(), [*hashes, "missing"])] == hashes
    publication.publish([result.make_spec() for result in published])
    assert [result.hash for result in store.find_results(store.published_dir(), hashes)] == hashes
