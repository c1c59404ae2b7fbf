"""Results for other tools: CSV that gives the numbers back, LaTeX that is balanced, YAML that PyYAML reads."""

import io
import json
import re

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from made_rows import made_rows

from ser_core import cli
from ser_core._utils.errors import SerError
from ser_core.results import pooling, records, table_files


@pytest.fixture
def pooled(tmp_path):
    rows = [*made_rows(tmp_path, folds=2), *made_rows(tmp_path, folds=2, model="cnn_lstm", skill=0.8)]
    rows += made_rows(tmp_path, folds=2, model="cnn_lstm", protocol="leaky", augment="noise")
    return pooling.pool_results(rows, tmp_path)


def test_csv_gives_the_numbers_back(pooled, tmp_path):
    frame = pd.read_csv(io.StringIO(table_files.to_csv(pooled)), keep_default_na=False, na_values=[""])
    assert list(frame["model"]) == [result.spec["model"] for result in pooled]
    for column in ("accuracy", "uar", "f1"):
        assert list(frame[column]) == pytest.approx([result.scores[column] for result in pooled], abs=1e-15)
        limits = [result.intervals.get(column).limits for result in pooled]
        assert list(zip(frame[f"{column}_low"], frame[f"{column}_high"])) == [pytest.approx(each) for each in limits]
    assert set(frame["folds"]) == {2} and set(frame["folds_total"]) == {6} and set(frame["n_test"]) == {112}
    assert sorted(records.load_results(tmp_path).table()["uar"]) == pytest.approx(sorted(frame["uar"]))


def test_latex_has_one_table_per_protocol_and_nothing_unescaped(pooled):
    text = table_files.to_latex(pooled)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    for block in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.DOTALL):
        lines = [line for line in block.strip().splitlines() if line.strip() != r"\midrule"]
        assert len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1
        assert all(line.endswith(r" \\") for line in lines)
        assert not re.search(r"(?<!\\)[%#_]", block) and block.isascii()
    assert "CNN-LSTM" in text and "CNN-BiLSTM-Attention (A5)" in text and r"cnn\_lstm" not in text


def test_a_long_latex_table_breaks_over_pages():
    frame = pd.DataFrame({"a_b": ["x"] * (table_files.PAGE + 1)})
    text = table_files.frame_latex(frame, "50 %", "tab:x")
    assert text.startswith(
        "\\begin{longtable}{l}\n\\caption{50 \\%}\\label{tab:x} \\\\\n\\toprule\na\\_b \\\\\n\\midrule\n\\endhead\nx"
    )
    assert text.endswith("x \\\\\n\\bottomrule\n\\end{longtable}\n") and "begin{table}" not in text


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b & 50 %", r"a\_b \& 50 \%"),
        ("x\\y{z}", r"x\textbackslash{}y\{z\}"),
        ("≈ 1 – 2 → 3", r"$\approx$ 1 -- 2 $\rightarrow$ 3"),
    ],
)
def test_latex_text(text, latex):
    assert table_files.latex_text(text) == latex


def test_a_card_is_yaml_with_the_fields_of_the_hub(pooled):
    with pytest.raises(SerError, match="model-index: 2 systems; a card is of one, choose it with --model"):
        table_files.to_model_index(pooled)
    own = [result for result in pooled if result.spec["model"] == "cnn_bilstm_attention"]
    text = table_files.to_model_index(own)
    assert text.startswith("---\n") and text.endswith("\n---\n")
    header = yaml.safe_load(text.strip("-\n"))
    assert header["license"] == "cc-by-nc-sa-4.0" and header["datasets"] == ["ravdess"]
    index = table_files.model_index(pooled)
    assert header["model-index"] == json.loads(json.dumps(index[:1]))
    assert [entry["name"] for entry in index] == ["cnn_bilstm_attention", "cnn_lstm"]
    assert [len(entry["results"]) for entry in index] == [1, 1]  # the leaky one is left out
    for entry, result in zip(index, pooled):
        (shown,) = entry["results"]
        assert shown["task"]["type"] == "audio-classification"
        assert shown["dataset"]["type"] == "ravdess" and shown["dataset"]["name"] == "RAVDESS"
        assert shown["dataset"]["config"].startswith("protocol speaker")
        assert shown["dataset"]["args"]["folds"] == "2 of 6"
        values = {metric["name"].split()[0]: metric["value"] for metric in shown["metrics"]}
        assert values["Accuracy"] == pytest.approx(result.scores["accuracy"], abs=1e-6)
        assert values["UAR"] == pytest.approx(result.scores["uar"], abs=1e-6)
        assert shown["metrics"][1]["args"]["over"] == "8 speakers"


def test_the_hub_reads_the_card(pooled):
    hub = pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is not installed")
    own = [result for result in pooled if result.spec["model"] == "cnn_bilstm_attention"]
    header = yaml.safe_load(table_files.to_model_index(own).strip("-\n"))
    name, results = hub.repocard_data.model_index_to_eval_results(header["model-index"])
    assert name == "cnn_bilstm_attention" and [each.metric_type for each in results] == ["accuracy", "recall", "f1"]
    assert results[0].dataset_type == "ravdess" and results[0].task_type == "audio-classification"


def test_without_an_honest_result_there_is_no_card(tmp_path):
    rows = made_rows(tmp_path, folds=1, protocol="leaky", augment="noise")
    with pytest.raises(SerError, match="leaky"):
        table_files.to_model_index(pooling.pool_results(rows, tmp_path))


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": [1, 2.5, None, True]}, "c": [], "d": {}, "e": "x: # 'y'\n- z", "f": "0123", "g": "no", "h": "–"},
        [{"a": [{"b": {"c": 1}}, {"d": ["e", {"f": "g"}]}]}, "h"],
    ],
)
def test_yaml_is_read_back(value):
    assert yaml.safe_load(table_files.yaml_text(value)) == value


@pytest.mark.parametrize(
    ("form", "start"), [("csv", "corpus,"), ("latex", "% "), ("json", "[{"), ("model-index", "---\n")]
)
def test_the_command_prints_every_form(tmp_path, own_store, form, start):
    own_store.mkdir(parents=True, exist_ok=True)
    made_rows(own_store, folds=1)
    made_rows(own_store, folds=1, model="svm")
    shown = CliRunner().invoke(cli.main, ["tables", "--store", "--format", form])
    card = form == "model-index"
    assert "2 systems" in shown.stderr if card else shown.stdout.startswith(start), shown.output
    assert shown.exit_code == card
    one = CliRunner().invoke(cli.main, ["tables", "--store", "--format", form, "--model", "svm"])
    named = "SVM, functionals" if form == "latex" else "svm"
    assert one.stdout.startswith(start) and named in one.stdout and "attention" not in one.stdout.lower()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "a1"], "--model: Markdown"),
        (["--model", "svmm"], "--model svmm: not a known system (`ser models`); systems with results: a1"),
        (["--model", "svm"], "--model svm: no results in "),
        (["--readme", "--format", "csv"], "--readme and --format csv"),
        (["--format", "csv", "--model", "nothing"], "--model nothing: not a known system (`ser models`); systems with"),
        (["--format", "csv", "--model", "a11"], "did you mean a1; systems with results: a1"),
        (["--format", "csv", "--model", "MFCC"], "did you mean a1;"),
        (["--search", "reslstn"], "search 'reslstn': not known; did you mean reslstm; choose among reslstm"),
    ],
)
def test_options_that_do_not_fit_are_one_line(tmp_path, own_store, arguments, words):
    own_store.mkdir(parents=True, exist_ok=True)
    made_rows(own_store, folds=1, model="a1")
    store = [] if "--readme" in arguments else ["--store"]
    shown = CliRunner().invoke(cli.main, ["tables", *store, *arguments])
    assert shown.exit_code == 1 and words in shown.stderr and shown.stderr.count("\n") == 1
