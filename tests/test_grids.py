"""The runs of the paper's tables, and the tables with the paper's figures next to ours."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from made_rows import made_rows

from ser_core import cli, models
from ser_core._utils.errors import SerError
from ser_core.claims import paper
from ser_core.experiments import grids
from ser_core.experiments import store as store_module
from ser_core.experiments.grids import A5
from ser_core.experiments.spec import Spec, complete_fields, spec_hash
from ser_core.figures import plots
from ser_core.metrics import significance
from ser_core.results import ablations, comparison, configurations, formatting, pooling, published


@pytest.mark.parametrize("name", grids.NAMES)
def test_a_table_gives_each_spec_once(name):
    specs = list(grids.grid_specs(name, corpus="demo", folds=[0, 1]))
    assert specs and len(set(specs)) == len(specs)
    assert {spec.corpus for spec in specs} == {"demo_ravdess"} and {spec.fold for spec in specs} == {0, 1}
    assert all(spec.model in models.MODELS for spec in specs)


def test_the_tables_have_the_systems_of_the_paper():
    for name, number in (("table2", "II"), ("table4", "IV"), ("table5", "V"), ("table6", "VI")):
        corpus, systems = grids.TABLES[name]
        assert corpus == paper.TABLES[number]["corpus"]
        claims = [paper.claimed_scores(system, corpus) for system in systems]
        assert all(claims), systems
        printed = [row["accuracy"] for row in paper.table(number)]
        assert sorted({round(100 * claim["accuracy"], 2) for claim in claims}) == sorted(printed)
    every = {spec.model for spec in grids.grid_specs("all", corpus="demo", folds=[0])}
    assert every == set(models.MODELS)


def test_specs_are_ordered_by_fold_and_have_the_further_fields():
    specs = list(grids.grid_specs("table5", corpus="demo", seeds=[0, 1], epochs=3, augment=""))
    assert [spec.fold for spec in specs[:5]] == [0] * 5 and len(specs) == 5 * 6 * 2
    assert {(spec.epochs, spec.augment) for spec in specs} == {(3, "")}


def test_an_unknown_table_is_an_error():
    with pytest.raises(SerError, match="table 'table9': unknown; choose among"):
        list(grids.grid_fields("table9"))


def test_open_fields_follow_the_model():
    spec = Spec(corpus="demo", model="lstm_attention")
    assert (spec.features, spec.frames, spec.rate, spec.optimizer, spec.learning_rate) == (
        "mel",
        563,
        48_000,
        "sgd",
        0.01,
    )
    assert not spec.znorm and Spec(corpus="demo").znorm
    assert Spec(corpus="demo", model="svm").augment == "" and Spec(corpus="demo").augment.count(",") == 3
    assert Spec(corpus="demo", model="lstm_attention", learning_rate=0.5, optimizer="adam").learning_rate == 0.5
    with pytest.raises(SerError, match="a1.*cannot take mel"):
        Spec(corpus="demo", model="a1", features="mel")
    with pytest.raises(SerError, match="optimizer"):
        Spec(corpus="demo", optimizer="newton")


def test_a_new_field_changes_no_hash_of_an_old_result():
    spec = Spec(corpus="demo")
    old = {name: value for name, value in spec.__dict__.items() if name != "optimizer"}
    assert complete_fields(old) == complete_fields(dict(spec.__dict__)) and Spec(**complete_fields(old)) == spec
    assert spec_hash(spec, "v") == spec_hash(Spec(**complete_fields(old)), "v") != spec_hash(spec, "w")
    names = {
        spec_hash(Spec(corpus="demo", **changed), "v") for changed in ({}, {"seed": 1}, {"epochs": 3}, {"rate": 8000})
    }
    assert len(names) == 4


@pytest.fixture
def rows(tmp_path):
    found = [row for name, skill in (("a1", 0.3), ("a2", 0.5), ("a3", 0.5), ("a4", 0.6), (A5, 0.7))
             for row in made_rows(tmp_path, model=name, skill=skill)]  # fmt: skip
    return [*found, *made_rows(tmp_path, model="svm", folds=2, skill=0.9)]


def test_the_comparison_says_what_stands_beside_fewer_folds(rows, tmp_path):
    pooled = pooling.pool_results(rows, tmp_path)
    numbers = comparison.systems_table(pooled, tmp_path)
    assert numbers["folds"].tolist() == [6] * 5 + [2] and numbers["uar"].between(0, 1).all()
    frame = comparison.format_systems(numbers).set_index("system")
    svm, a5 = frame.loc[models.MODELS["svm"].title], frame.loc[models.MODELS[A5].title]
    assert svm["folds"].startswith("2 of 6") and a5["folds"].startswith("6 of 6")
    assert svm["A5 on these folds: UAR %"] == "–", "the SVM is trained without copies, this A5 with them"
    assert (
        a5["claimed parameters"] == "240,840" and a5["paper: accuracy %"] == "91.74" and a5["parameters"] == "469,257"
    )
    assert list(frame["folds"])[-1].startswith("2 of 6"), "never ranked against six"


def test_the_ablation_stands_beside_the_papers_and_pairs_its_steps(rows, tmp_path):
    pooled = pooling.pool_results(rows, tmp_path)
    ladders = configurations.configuration_results(pooled)
    assert list(ladders) == ["V"] and len(ladders["V"]) == 5
    numbers = configurations.configurations_table(ladders["V"], tmp_path, "V")
    assert numbers["claimed"].tolist() == pytest.approx([0.8412, 0.8674, 0.8876, 0.9021, 0.9174])
    frame = configurations.format_configurations(numbers)
    assert list(frame["paper: accuracy %"]) == ["84.12", "86.74", "88.76", "90.21", "91.74"]
    assert list(frame["paper: step"]) == ["–", "+2.62", "+2.02", "+1.45", "+1.53"]
    steps = configurations.configuration_steps(ladders["V"], tmp_path, "V")
    assert [step.name for step in steps] == ["A1 to A2", "A2 to A3", "A3 to A4", "A4 to A5"]
    by_model = {one.spec["model"]: one for one in pooled}
    gain = by_model["a2"].scores["accuracy"] - by_model["a1"].scores["accuracy"]
    assert steps[0].ours.difference == pytest.approx(gain) and steps[0].ours.interval.contains(gain)
    assert plots.step_plot(steps).axes[0].get_xlabel() == "difference in accuracy (percentage points)"


def test_tables_mark_what_is_not_told_apart(rows, tmp_path):
    plain = made_rows(tmp_path, model=A5, skill=0.7, augment="")
    pooled = pooling.pool_results([*rows, *plain], tmp_path)
    some = [one for one in pooled if one.spec["model"] in (A5, "svm")]
    numbers = comparison.systems_table(some, tmp_path).set_index("system")
    frame = comparison.format_systems(comparison.systems_table(some, tmp_path))
    (svm,) = frame[frame["system"] == models.MODELS["svm"].title][comparison.AGAINST]
    by = {(one.spec["model"], one.spec["augment"]): one for one in pooled}
    found = comparison.paired_difference(by[(A5, "")], by[("svm", "")], tmp_path)
    p = numbers["p"][models.MODELS["svm"].title]
    assert p == found.uar.p and svm.startswith(formatting.format_p_value(p)), "one test needs no correction"
    some = configurations.configuration_results(pooled)["V"]
    ladder = configurations.format_configurations(configurations.configurations_table(some, tmp_path, "V"))
    own = next(one.spec["augment"] for one in pooled if one.spec["model"] == "a1")
    pairs = (("a1", "a2"), ("a2", "a3"), ("a3", "a4"), ("a4", A5))
    steps = [comparison.paired_difference(by[a, own], by[b, own], tmp_path).accuracy.p for a, b in pairs]
    told = list(ladder[configurations.STEP_P])
    assert told[0] == "–"
    for text, p in zip(told[1:], significance.holm(steps), strict=True):
        assert text.startswith(formatting.format_p_value(p)) and (formatting.ALIKE in text) == (p > 0.05)


def test_a_configuration_that_is_missing_is_said_to_be(rows, tmp_path):
    pooled = [one for one in pooling.pool_results(rows, tmp_path) if one.spec["model"] != "a3"]
    some = configurations.configuration_results(pooled)["V"]
    frame = configurations.format_configurations(configurations.configurations_table(some, tmp_path, "V"))
    assert frame.loc[2, "ours: accuracy % [95 %]"] == "not measured here"
    assert list(frame["our step, accuracy points [95 %]"])[2:4] == ["–", "–"]


def test_variations_are_compared_on_their_own_folds(rows, tmp_path):
    varied = made_rows(tmp_path, model=A5, folds=1, skill=0.2, denoise=True)
    pooled = pooling.pool_results([*rows, *varied], tmp_path)
    base = ablations.reference_row(pooled)
    assert base.spec["model"] == A5 and len(base.folds) == 6
    frame = ablations.format_ablation(ablations.ablation_table(ablations.ablated_rows(pooled), base, tmp_path))
    assert list(frame["changed"]) == ["noise reduction"] and frame.loc[0, "folds"].startswith("1 of 6")
    one = [row for row in rows if row.spec["model"] == A5 and row.spec["fold"] == 0][0]
    told = frame.loc[0, "difference from the default on the same folds, accuracy points [95 %]"]
    assert told.startswith(f"{100 * (varied[0].scores['accuracy'] - one.scores['accuracy']):+.1f}")


def test_the_default_of_variations_is_the_row_that_most_of_them_change_in_one_thing(tmp_path):
    plain, whole = made_rows(tmp_path, model=A5, augment=""), made_rows(tmp_path, model=A5)
    varied = [
        row
        for fields in ({"denoise": True}, {"features": "14"}, {"augment": "noise"}, {"learning_rate": 0.0001})
        for row in made_rows(tmp_path, model=A5, folds=1, **({"augment": ""} | fields))
    ]
    pooled = pooling.pool_results([*whole, *plain, *varied], tmp_path)
    base = ablations.reference_row(pooled)
    assert base.spec["augment"] == "" and len(base.folds) == 6
    frame = ablations.format_ablation(ablations.ablation_table(ablations.ablated_rows(pooled), base, tmp_path))
    told = set(frame["changed"])
    assert {"noise reduction", "features 14", "augment noise", "learning rate 0.0001"} < told and len(frame) == 5
    told = ablations.neutral_sentence(pooled, base, tmp_path)
    recalls = [one.per_class["neutral"].recall for one in (pooled[1], pooled[0])]
    assert f"from {100 * recalls[0]:.1f} to {100 * recalls[1]:.1f} %" in told and "6 of 6 folds" in told
    assert ablations.neutral_sentence(pooled[1:], base, tmp_path) == "" == ablations.neutral_sentence([], None, "")
    assert "noise" not in published.published_markdown(pooled, tmp_path), "it is no system of its own"
    text = ablations.ablation_markdown(pooled, tmp_path)
    assert "| noise reduction |" in text and "recall of Neutral goes from" in text and "`speaker`" in text
    assert ablations.ablation_markdown(pooled[:1], tmp_path) == "" == ablations.ablation_markdown([], tmp_path)


def test_what_cannot_be_measured_is_no_figure(tmp_path):
    failed = made_rows(tmp_path, model="svm_egemaps", folds=1, status="error")
    unavailable = [replace(result, unavailable=True) for result in failed]
    frame = comparison.format_systems(comparison.systems_table(pooling.pool_results(unavailable, tmp_path), tmp_path))
    assert frame.loc[0, "ours: accuracy % [95 %]"] == "not measured here"


def test_what_was_kept_after_an_epoch_or_two_is_named_with_its_folds(tmp_path):
    rows = [*made_rows(tmp_path, model=A5, folds=2), *made_rows(tmp_path, model="base_cnn", folds=2)]
    rows[2] = replace(rows[2], best_epoch=1, epochs=21, history={})
    rows[3] = replace(rows[3], best_epoch=3)
    told = comparison.early_stopped_sentence(pooling.pool_results(rows, tmp_path))
    assert told.endswith("It is one of the first 2 for: Base-CNN (fold 0: epoch 1 of 21).")
    rows[2] = replace(rows[2], history={"val_accuracy": [0.25, 0.1, 0.5]})
    told = comparison.early_stopped_sentence(pooling.pool_results(rows, tmp_path))
    assert told.endswith("(fold 0: epoch 1 of 21, validation accuracy 25.0 %, maximum 50.0 %).")
    rows[2] = replace(rows[2], history={})
    again = made_rows(tmp_path, model="base_cnn", folds=2, seeds=(1,))
    again[1] = replace(again[1], best_epoch=2, epochs=22, history={})
    told = comparison.early_stopped_sentence(pooling.pool_results([*rows, *again], tmp_path))
    assert told.endswith("Base-CNN (fold 0, seed 0: epoch 1 of 21; fold 1, seed 1: epoch 2 of 22).")
    rows[2] = replace(rows[2], best_epoch=3)
    assert comparison.early_stopped_sentence(pooling.pool_results(rows, tmp_path)) == ""


def test_ones_own_rows_are_put_side_by_side_whosever_the_network_is(tmp_path, monkeypatch):
    store = tmp_path / "store"
    store.mkdir()
    rows = [row for name in (A5, "svm") for row in made_rows(store, model=name, folds=6, corpus="demo_ravdess")]
    own = made_rows(store, model="a1", folds=1, corpus="demo_ravdess", skill=0.1)
    for row in own:
        row.spec["model"] = "elsewhere:mine"  # a module that is not here
    for row in [*rows, *own]:
        (store / f"{row.hash}.json").write_text(json.dumps(row.to_json()))
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    told = CliRunner().invoke(cli.main, ["tables", "--store"])
    assert told.exit_code == 0 and told.stdout.count("**demo") == 1, told.output
    lines = {line.split(" | ")[0].strip("| "): line for line in told.stdout.splitlines() if line.startswith("| ")}
    assert "| own |" in lines["elsewhere:mine"] and "(4\N{NO-BREAK SPACE}speakers)" in lines["elsewhere:mine"]
    assert "6 of 6" in lines["SVM, functionals"]
    refused = CliRunner().invoke(cli.main, ["tables"])
    assert refused.exit_code == 1 and "--store for your own" in refused.stderr


def test_rows_of_one_system_are_named_by_what_sets_them_apart(tmp_path):
    kinds = ({"augment": ""}, {"augment": "", "batch_norm": "precise", "epochs": 40})
    rows = [row for kind in kinds for row in made_rows(tmp_path, model="base_cnn", folds=1, **kind)]
    rows += made_rows(tmp_path, model="lstm_attention", folds=1, augment="")
    assert comparison.system_names(pooling.pool_results(rows, tmp_path)) == [
        "Base-CNN", "Base-CNN (batch statistics without dropout, epochs 40)", "LSTM+Attention",
    ]  # fmt: skip


def test_published_rows_are_known_by_their_spec(own_store, monkeypatch):
    folder = store_module.published_dir()
    folder.mkdir(parents=True)
    rows = made_rows(folder, folds=2)
    assert store_module.published_keys() == {store_module.spec_key(Spec(**row.spec)) for row in rows}


def test_the_readmes_tables_hold_every_part(tmp_path):
    rows = [row for name in ("a1", "a2", A5, "svm") for row in made_rows(tmp_path, model=name, augment="")]
    rows += made_rows(tmp_path, model=A5, folds=1, denoise=True)
    text = published.published_markdown(pooling.pool_results(rows, tmp_path), tmp_path)
    assert "Table II and further systems, RAVDESS" in text and "Table V, RAVDESS" in text and "SVM, functionals" in text
    assert "denoise" not in text and text.count("91.74") == 3 and "6\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}6" in text
