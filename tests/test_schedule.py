"""The order of a report's work: runs first, two notebooks at a time, a notebook that measures time alone."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from ser_core.experiments import presets, sweep
from ser_core.experiments.spec import Spec
from ser_core.report import schedule

PLAN = SimpleNamespace(
    name="demo", corpora=("demo",), published=False, specs=("a", "b", "c"),
    parts={"training": ("b", "a"), "cross": ("c",)},
)  # fmt: skip


def notebook(path, *cells):
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made.cells.append(nbformat.v4.new_markdown_cell('The part "cross" is in another notebook.'))
    nbformat.write(made, path)
    return path


@pytest.fixture
def swept(monkeypatch):
    """The specs that were run, and how many at a time."""
    calls = []
    monkeypatch.setattr(schedule, "progress_text", lambda plan, since: "")
    monkeypatch.setattr(
        sweep, "run_sweep", lambda specs, workers, progress: calls.append((list(specs), workers)) or iter(specs)
    )
    return calls


def test_parts_are_those_that_code_names(tmp_path):
    source = notebook(tmp_path / "03_a.ipynb", 'rows = run_part(preset, "training")')
    assert schedule.named_parts(PLAN, [source]) == ["training"]
    assert schedule.named_parts(PLAN, []) == []


def test_only_the_runs_of_named_parts_are_trained_in_the_order_of_the_profile(tmp_path, swept, monkeypatch):
    monkeypatch.setattr(schedule.os, "cpu_count", lambda: 8)
    source = notebook(tmp_path / "03_a.ipynb", 'rows = run_part(preset, "training")')
    schedule.train_runs(PLAN, [source], tmp_path / "runs.log")
    assert swept == [(["a", "b"], 2)]


def test_nothing_is_trained_for_published_results_or_notebooks_without_runs(tmp_path, swept):
    source = notebook(tmp_path / "01_a.ipynb", "print(1)")
    schedule.train_runs(PLAN, [source], tmp_path / "runs.log")
    schedule.train_runs(PLAN, [], tmp_path / "runs.log")
    published = SimpleNamespace(**vars(PLAN) | {"published": True})
    schedule.train_runs(published, [notebook(tmp_path / "03_a.ipynb", '"training"')], tmp_path / "runs.log")
    assert swept == []


def test_a_notebook_that_measures_time_comes_last_and_alone(tmp_path, monkeypatch):
    groups = []

    def executed(plan, tasks, parameters, workers):
        groups.append(([task.source.stem for task in tasks], workers))
        return ((task, "", 1.0) for task in tasks)

    monkeypatch.setattr(schedule, "execute_all", executed)
    monkeypatch.setattr(schedule, "train_runs", lambda plan, sources, log: None)
    monkeypatch.setattr(schedule, "_record", lambda *arguments: None)
    names = ("01_a", "11_hardware_timing", "12_b")
    sources = [notebook(tmp_path / f"{name}.ipynb") for name in names]
    plan = SimpleNamespace(**vars(PLAN) | {"specs": ()})
    assert schedule.run_notebooks(plan, sources, tmp_path / "runs") == {}
    assert groups == [(["01_a", "12_b"], 2), (["11_hardware_timing"], 1)]
    groups.clear()
    published = SimpleNamespace(**vars(PLAN) | {"published": True, "specs": ()})
    schedule.run_notebooks(published, sources, tmp_path / "runs")
    assert groups == [([*names], 2), ([], 1)]


def test_notebooks_run_at_the_same_time(tmp_path, monkeypatch):
    """Each waits for the file that the other writes."""
    meeting = (
        "import time, pathlib\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "(here / 'OWN').write_text('')\n"
        "end = time.time() + 60\n"
        "while not (here / 'OTHER').exists() and time.time() < end:\n    time.sleep(0.05)\n"
        "assert (here / 'OTHER').exists()"
    )
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    sources = []
    for own, other in (("a", "b"), ("b", "a")):
        path = notebook(tmp_path / f"0{own}.ipynb", meeting.replace("OWN", own).replace("OTHER", other))
        made = json.loads(path.read_text()) | {"metadata": kernel}
        path.write_text(json.dumps(made))
        sources.append(path)
    monkeypatch.setattr(schedule.os, "cpu_count", lambda: 2)
    tasks = [schedule.Task(path, tmp_path / "runs" / path.name, "", path.stem) for path in sources]
    (tmp_path / "runs").mkdir()
    published = SimpleNamespace(**vars(PLAN) | {"published": True})
    outcomes = {task.where: failure for task, failure, _ in schedule.execute_all(published, tasks, {}, 2)}
    assert outcomes == {"0a": "", "0b": ""}
    assert all(task.log.is_file() for task in tasks)


def test_quick_profiles_are_small_in_a_sweep_too(monkeypatch):
    """So that one sweep makes every run that the notebooks show in their small setting."""
    from ser_core.cli.running import _sweep_specs
    from ser_core.experiments import presets

    choices = dict.fromkeys(("model", "corpus"))
    monkeypatch.setenv("SER_QUICK", "1")
    small = _sweep_specs("demo", None, "0", None, choices)
    assert small == list(presets.get_profile("demo", quick=True).specs)
    assert all(spec.epochs <= 2 or spec.model == "svm" for spec in small)
    monkeypatch.delenv("SER_QUICK")
    assert len(_sweep_specs("demo", None, "0", None, choices)) > len(small)


def test_the_first_notebook_shows_a_run_of_the_demo():
    code = "".join(
        "".join(cell["source"]) for cell in json.loads(Path("notebooks/00_start.ipynb").read_text())["cells"]
    )
    (epochs,) = re.findall(r"epochs=2 if quick else (\d+)", code)
    spec = Spec(corpus="demo", model="cnn_bilstm_attention", augment="", epochs=int(epochs))
    assert replace(spec, corpus="demo_ravdess") in presets.get_profile("demo").parts["comparison"]
