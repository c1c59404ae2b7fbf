"""One cell end to end on the demo corpus: the row, the store, and what is never mixed."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ser_core import corpora, metrics, models
from ser_core._utils.errors import SerError
from ser_core.claims import paper
from ser_core.experiments import presets, publication, run, store
from ser_core.experiments.result import Completeness, RunResult
from ser_core.experiments.run import _measure, run_spec
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.experiments.sweep import run_sweep
from ser_core.features import cache
from ser_core.protocols import splits
from ser_core.training import fit
from ser_core.training.selection import KEEP

SMALL = Spec(corpus="demo", model="a1", epochs=1, augment="shift", frames=100, features="13")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def row(runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_RUNS", str(runs))
        return run_spec(SMALL, progress=False)


@pytest.fixture
def same_store(row, runs, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(runs))
    return runs / "store"


def test_the_row_is_complete_and_json(row):
    assert RunResult.from_json(json.loads(json.dumps(row.to_json()))) == row
    assert row.status == "ok" and row.demo and row.spec["corpus"] == "demo_ravdess"
    assert (row.n_train, row.n_augmented, row.n_validation, row.n_test) == (256, 256, 64, 64)
    assert set(row.scores) == {"accuracy", "uar", "precision", "recall", "f1"}
    assert all(0 <= value <= 1 for value in row.scores.values())
    assert row.intervals.unit == "speaker" and row.intervals.n == row.intervals.uar.n == 4
    assert np.sum(row.confusion) == 64 and len(row.confusion) == len(row.labels) == 8
    assert row.completeness == Completeness(384, 384, ())
    assert row.claimed == paper.claimed_scores("a1", "ravdess") and row.claimed["accuracy"] == 0.8412
    assert len(row.history["loss"]) == row.epochs == row.best_epoch == 1


def test_the_predictions_give_the_scores_back(row, same_store):
    frame = store.load_predictions(row, same_store)
    test = frame[frame["side"] == "test"]
    assert metrics.scores(test["truth"], test["prediction"], row.labels) == pytest.approx(row.scores)
    assert np.allclose(test[list(row.labels)].sum(axis=1), 1.0, atol=1e-5)
    split = splits.split(corpora.load("demo"), "speaker", 0)
    assert tuple(test["id"]) == split.test and set(frame[frame["side"] == "validation"]["id"]) == set(split.validation)


def test_the_store_answers_the_second_call(row, same_store, monkeypatch):
    monkeypatch.setattr(run, "_measure", lambda *a: pytest.fail("trained again"))
    assert run_spec(SMALL, progress=False) == row
    assert not list(same_store.glob("*.checkpoint")) and store.weights_path(row).is_file()


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_trained_anew_it_gives_the_same_scores(row, same_store):
    again = run_spec(SMALL, fresh=True, progress=False)
    assert again.scores == row.scores and again.history == row.history


def test_a_damaged_row_is_run_again_and_published_rows_never_serve(row, own_store, monkeypatch):
    own_store.mkdir(parents=True)
    (own_store / f"{row.hash}.json").write_text('{"status": "ok"')
    published = own_store.parent / "published"
    published.mkdir()
    (published / f"{row.hash}.json").write_text(json.dumps(row.to_json()))
    asked = []
    monkeypatch.setattr(run, "_measure", lambda *a: asked.append(a) or {"loss": row})
    run_spec(SMALL, progress=False)
    assert len(asked) == 1


def test_augmented_copies_are_of_training_utterances_only(monkeypatch):
    """Every job of a run is recorded; a treated copy of a validation or test utterance would be caught here."""
    jobs = []
    monkeypatch.setattr(cache, "ensure_cached", lambda batch, **_: None)

    def record(batch, paths, use, *_):
        jobs.extend(batch)
        for i in range(len(batch)):
            use(i, np.ones((9, 42), "f4"))

    monkeypatch.setattr(cache, "_each", record)
    spec = Spec(corpus="demo", fold=2)
    table = corpora.load("demo")
    split = splits.split(table, "speaker", 2)
    seen = {}

    def fake_fit(network, train, validation, plan, **_):
        seen.update(train=train[0], validation=validation[0])
        raise SerError("far enough")

    monkeypatch.setattr(fit, "fit_with_rules", fake_fit)
    with pytest.raises(SerError, match="far enough"):
        _measure(spec, table, "version", False)
    treated = {job.key for job in jobs if job.technique}
    assert treated == set(split.train), "copies of other than training utterances"
    assert not treated & {*split.test, *split.validation}
    assert {job.technique for job in jobs} == {"", "noise", "stretch", "shift", "pitch"}
    assert len(seen["train"]) == 5 * len(split.train) and len(seen["validation"]) == len(split.validation)


def test_one_training_gives_the_results_of_every_rule(row, same_store, monkeypatch):
    monkeypatch.setattr(run, "_measure", lambda *a: pytest.fail("trained again"))
    for rule in KEEP:
        result = run_spec(replace(SMALL, keep=rule), progress=False)
        assert result.spec["keep"] == rule and result.ok and result.study == row.study
        assert store.predictions_path(result, same_store).is_file()
        assert store.weights_path(result).is_file() == (rule != "oracle")
    assert len(row.study["test_uar"]) == row.epochs


def test_the_rule_of_the_paper_leaves_the_hash_as_it_was():
    assert spec_hash(SMALL, "a") == spec_hash(replace(SMALL, keep="loss"), "a")
    assert len({spec_hash(replace(SMALL, keep=rule), "a") for rule in KEEP}) == 4
    assert Spec(model="svm", keep="uar").keep == "loss", "a classical system has no epochs"
    with pytest.raises(SerError, match="keep 'best'"):
        Spec(keep="best")


def test_the_hash_follows_the_spec_and_the_data():
    names = {spec_hash(spec, version) for version in "ab" for spec in (SMALL, replace(SMALL, seed=1))}
    assert len(names) == 4
    assert spec_hash(SMALL, "a") == spec_hash(Spec(**json.loads(json.dumps(row_spec()))), "a")


def row_spec():
    from dataclasses import asdict

    return asdict(SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"corpus": "nowhere"}, {"protocol": "magic"}, {"model": "nothing"}, {"features": "43"}, {"augment": "echo"},
        {"epochs": 0}, {"learning_rate": -1.0}, {"batch": 0}, {"precision": "float8"}, {"condition": "noisy"},
        {"seed": -1}, {"frames": 3}, {"learning_rate": float("nan")},
    ],
)  # fmt: skip
def test_a_spec_that_means_nothing_is_refused(wrong):
    with pytest.raises(SerError, match=str(next(iter(wrong.values()))) if "condition" not in wrong else "condition"):
        Spec(**wrong)


def test_a_model_brings_its_own_channels():
    assert Spec(model="a1").features == "39" and Spec(model="a2").features == "42" and SMALL.features == "13"


def test_a_failing_cell_is_a_row_and_the_others_go_on(own_store):
    specs = [replace(SMALL, fold=7), SMALL]
    rows = {row.spec["fold"]: row for row in run_sweep(specs, workers=1, progress=False)}
    assert rows[7].status == "error" and "fold 7" in rows[7].error
    assert rows[0].status == "ok" and not math.isnan(rows[0].scores["uar"])
    again = list(run_sweep(specs[1:], workers=1, progress=False))
    assert again == [rows[0]]
    stored = store.load_rows(own_store)
    assert [r.spec["keep"] for r in stored if r.ok] == ["last", "loss", "oracle", "uar"]
    assert not list(own_store.glob(".*"))


@pytest.mark.parametrize("name", list(presets.PROFILES))
def test_every_profile_is_made_of_runnable_cells(name):
    profile = presets.get_profile(name)
    assert profile.specs and len(set(profile.specs)) == len(profile.specs)
    small = presets.get_profile(name, quick=True)
    assert list(profile.parts) == list(small.parts)
    assert set(profile.parts) == {"training", "protocols", "cross", "robustness", "comparison", "ablation"}
    leaky = [spec.protocol == "leaky" for spec in profile.specs]
    assert leaky == sorted(leaky) and any(leaky), "the longest trainings come last"
    assert small.published or all(1 <= len(part) <= 2 for part in small.parts.values())
    assert small.published or all(
        (spec.epochs <= 2 or models.get_model(spec.model).kind == "learner")
        and spec.augment == ("shift" if spec.protocol == "leaky" else "")
        for spec in small.specs
    )
    if name == "demo":
        assert all(corpora.CORPORA[spec.corpus].demo for spec in profile.specs)


def test_publishing_copies_finished_rows_only(row, same_store):
    names = publication.publish([SMALL, replace(SMALL, fold=1)])
    assert names == [row.hash]
    published = store.load_rows(store.published_dir())
    assert [(r.hash, r.scores) for r in published] == [(row.hash, row.scores)]
    assert not list(store.published_dir().rglob("*.keras"))
