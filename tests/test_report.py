"""The report: failures are named and the rest runs, unchanged notebooks are reused, pages load nothing from outside."""

import html
import json
import os
import re
import shutil
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import nbformat
import pytest
from made_rows import made_rows

from ser_core._utils import machine, paths, progress
from ser_core._utils.errors import SerError
from ser_core.experiments import presets, store
from ser_core.experiments.spec import Spec
from ser_core.report import build, execution, state
from ser_core.report import html as report_html
from ser_core.report.build import build_report, render, render_page
from ser_core.report.execution import notebook_key
from ser_core.report.html import headline, headline_table
from ser_core.report.schedule import run_notebooks
from ser_core.report.state import is_current
from ser_core.results import pooling, readings

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PARAMETERS = 'import os\n\nprofile = "none"\nquick = os.environ.get("SER_QUICK") == "1"'
PLAN = SimpleNamespace(name="demo", corpora=("demo_ravdess",), specs=(), parts={}, published=False)


def notebook(path, *cells, parameters=PARAMETERS):
    """Write a notebook: strings are code cells, those that begin with * are Markdown."""
    made = nbformat.v4.new_notebook(metadata=KERNEL)
    made.cells.append(nbformat.v4.new_markdown_cell(f"# {path.stem}\n\nWhat is *in* it."))
    made.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for cell in cells:
        new = nbformat.v4.new_markdown_cell if cell.startswith("*") else nbformat.v4.new_code_cell
        made.cells.append(new(cell))
    nbformat.write(made, path)
    return path


GOOD = (
    "print(profile, quick)",
    "from matplotlib import pyplot as plt\nfigure, ax = plt.subplots()\nax.plot([1, 2])\nplt.close(figure)\nfigure",
    "*A caption with `code`: a line.*\n\n"
    "See http://example.org/page or [this](https://example.org), and [the next](02_bad.ipynb).",
    "import numpy\nfrom IPython.display import Audio, HTML\nAudio(numpy.ones(800), rate=8000)",
    "import sys\nfrom ipywidgets import IntSlider\nprint('a', 'warning', file=sys.stderr)\nIntSlider()",
)
BAD = ("value = '<b>3</b>'", "raise ValueError(f'no such thing: {value}')", "print('never')")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A report of two good notebooks, a failing one, one whose kernel dies, and one without the parameters."""
    folder = tmp_path_factory.mktemp("report")
    sources = [
        notebook(folder / "01_good.ipynb", *GOOD),
        notebook(folder / "02_bad.ipynb", *BAD),
        notebook(folder / "03_dying.ipynb", "import os\nos._exit(3)"),
        notebook(folder / "04_strange.ipynb", parameters="other = 1"),
        notebook(folder / "05_late.ipynb", "import ser_core\nprint('late', ser_core.__version__)"),
    ]
    home = folder / "runs" / "demo"
    failures = run_notebooks(PLAN, sources, home / "notebooks")
    index = render(PLAN, sources, home, failures)
    return SimpleNamespace(sources=sources, home=home, failures=failures, index=index)


def page(made, name):
    return (made.home / "report" / name).read_text(encoding="utf-8")


def test_failures_are_named_and_the_other_notebooks_run(made):
    assert list(made.failures) == ["02_bad", "03_dying", "04_strange"]
    assert made.failures["02_bad"] == "ValueError: no such thing: <b>3</b>"
    assert "DeadKernelError" in made.failures["03_dying"]
    assert made.failures["04_strange"] == "no parameter profile, quick in a cell tagged `parameters`"
    assert "late" in page(made, "05_late.html")


def test_parameters_reach_the_notebook(made):
    assert "demo False" in page(made, "01_good.html")


def test_a_failed_notebook_keeps_its_traceback_readable(made):
    text = page(made, "02_bad.html")
    assert "This notebook stopped:" in text and "no such thing: &lt;b&gt;3&lt;/b&gt;" in text
    assert "Traceback (most recent call last)" in text and "<b>3</b>" not in text
    assert "\x1b" not in text and "never\n" not in text


def test_the_index_names_pages_failures_and_demo(made):
    text = made.index.read_text(encoding="utf-8")
    assert 'href="01_good.html"' in text and 'href="02_bad.html"' in text
    assert "ValueError: no such thing: &lt;b&gt;3&lt;/b&gt;" in text
    assert text.count('class="badge bad">stopped') == 3
    assert "What is in it." in text and "synthetic speech" in text
    assert "data:image/png;base64," in text  # the thumbnail
    assert (made.index.parent / ".gitignore").read_text() == "*\n"
    assert html.escape(machine.processor()) in text


def test_unchanged_notebooks_are_not_executed_again(made, capfd):
    times = {path.name: path.stat().st_mtime_ns for path in made.home.rglob("*") if path.suffix in (".ipynb", ".html")}
    again = run_notebooks(PLAN, [made.sources[0], made.sources[4]], made.home / "notebooks")
    assert again == {}
    printed = capfd.readouterr().err
    assert printed.count("unchanged") == 2
    render(PLAN, made.sources, made.home, made.failures)
    after = {path.name: path.stat().st_mtime_ns for path in made.home.rglob("*") if path.suffix in (".ipynb", ".html")}
    assert {name for name in times if times[name] != after[name]} == {"index.html"}


def test_a_stamp_is_current_only_for_the_same_inputs(tmp_path, monkeypatch):
    source, stamp = notebook(tmp_path / "01_a.ipynb"), tmp_path / "stamp.json"
    parameters = {"profile": "demo", "quick": False}
    key = notebook_key(source, PLAN, parameters)
    assert key == notebook_key(source, PLAN, dict(parameters))
    assert key != notebook_key(source, PLAN, parameters | {"quick": True})
    rows = {"a": "1"}
    monkeypatch.setattr(state, "store_state", lambda plan: rows)
    stamp.write_text(json.dumps({"key": key, "rows": {"a": "1"}}))
    published = SimpleNamespace(published=True)
    assert is_current(stamp, key, PLAN) and is_current(stamp, key, published)
    assert not is_current(stamp, "other", PLAN)
    rows["b"] = "2"  # a new result
    assert is_current(stamp, key, PLAN) and not is_current(stamp, key, published)
    rows.pop("a")  # a result that was shown is missing
    assert not is_current(stamp, key, PLAN)
    assert not is_current(tmp_path / "none.json", key, PLAN)
    source.write_text(source.read_text().replace("What is", "What was"))
    assert key != notebook_key(source, PLAN, parameters)


def test_a_failed_run_fails_the_report_and_is_repeated(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    plan = presets.get_profile("demo", quick=True)
    monkeypatch.setattr(presets, "get_profile", lambda name, quick=False: plan)
    monkeypatch.setattr(build, "find_notebooks", lambda: [notebook(tmp_path / "01_a.ipynb")])
    store.failed_result(plan.specs[0], ValueError("no luck"))
    for _ in range(2):
        with pytest.raises(SerError, match=rf"1 of {len(plan.specs)} runs failed: demo_ravdess .*no luck"):
            build_report("demo")
        assert not (tmp_path / "demo" / "notebooks" / "01_a.stamp.json").exists()
    assert "failed" in (tmp_path / "demo" / "report" / "index.html").read_text(encoding="utf-8")


def test_a_changed_recording_changes_the_key_of_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "data"))
    source = notebook(tmp_path / "01_a.ipynb")
    plan = SimpleNamespace(name="quick", corpora=("ravdess",), specs=(), parts={}, published=False)
    before = notebook_key(source, plan, {})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "03-01-05-02-01-01-02.wav").write_bytes(b"x")
    assert notebook_key(source, plan, {}) != before


def test_a_template_escapes_text_and_refuses_a_missing_value():
    from jinja2 import UndefinedError

    values = {"title": "<b>", "style": "", "script": "", "badge": "", "failure": "'<i>'", "content": "&"}
    values |= {"before": None, "after": None, "contents": []}
    text = report_html.render("notebook.html.j2", **values)
    assert "<title>&lt;b&gt;</title>" in text and "&#39;&lt;i&gt;&#39;" in text and ">&amp;</main>" in text
    with pytest.raises(UndefinedError, match="content"):
        report_html.render("notebook.html.j2", **{name: values[name] for name in values if name != "content"})


class Addresses(HTMLParser):
    """Collect every address that a page could load or link to."""

    def __init__(self):
        super().__init__()
        self.addresses, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"):
                self.addresses.append(value)
            if name == "style":
                assert "url(" not in value


def assert_self_contained(text, where):
    parser = Addresses()
    parser.feed(text)
    assert text.count("<script") == 1 and f"<script>{report_html.SCRIPT.read_text(encoding='utf-8')}</script>" in text
    assert not parser.tags & {"iframe", "object", "embed", "base"}, where
    for address in parser.addresses:
        inside = address.startswith(("data:", "#")) or re.fullmatch(r"[\w.-]+\.html(#[\w.-]*)?", address)
        assert inside, f"{where}: {address[:80]}"
    styles = "".join(re.findall(r"<style.*?</style>", text, flags=re.DOTALL))
    assert "@import" not in styles and "url(" not in styles, where


def test_pages_are_self_contained(made):
    pages = sorted((made.home / "report").glob("*.html"))
    pages = [path for path in pages if path.name != "voice.html"]  # has a script; test_web_page.py checks it
    assert [path.name for path in pages] == [
        "01_good.html",
        "02_bad.html",
        "03_dying.html",
        "05_late.html",
        "index.html",
    ]
    for path in pages:
        assert_self_contained(path.read_text(encoding="utf-8"), path.name)
    text = page(made, "01_good.html")
    assert 'href="02_bad.html" rel="next"' in text and 'rel="prev"' not in text
    assert "data:audio/wav;base64," in text and "data:image/png;base64," in text
    assert 'alt="A caption with code: a line."' in text
    assert "http://example.org/page" in text and 'href="02_bad.html"' in text
    assert "a warning" not in text and "IntSlider(value" not in text
    assert "controls, which need a running kernel" in text


def browser():
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@pytest.mark.skipif(browser() is None, reason="no Chromium on PATH: requests of a page were not checked")
def test_no_request_leaves_a_page(made):
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser(), args=flags)
        for path in sorted((made.home / "report").glob("*.html")):
            for width in (380, 1280):
                tab = chromium.new_page(viewport={"width": width, "height": 900})
                asked, errors = [], []
                tab.on("request", lambda request, asked=asked: asked.append(request.url))
                tab.on("console", lambda message, errors=errors: errors.append(message.text))
                tab.goto(path.as_uri(), wait_until="load")
                outside = [address for address in asked if not address.startswith(("data:", path.as_uri()))]
                assert outside == [] and errors == [], path.name
                wide = tab.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{path.name} is {wide} pixels wide on a screen of {width}"
                if path.name == "01_good.html":
                    assert not tab.get_by_text("print(profile, quick)").is_visible()
                    tab.get_by_text("show or hide the code").click()
                    assert tab.get_by_text("print").first.is_visible()
                tab.close()
        chromium.close()


@pytest.mark.skipif(browser() is None, reason="no Chromium on PATH: the tables of a page were not used")
def test_tables_sort_filter_and_download(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    rows = [f"| s{n} & co | {n % 4}{n}.5 [1.0, 2.0] |" for n in range(10)] + ["| none | – |"]
    book = nbformat.v4.new_notebook(metadata=KERNEL)
    text = "\n".join(["## Rows", "", "| system | UAR % |", "| --- | ---: |", *rows])
    book.cells = [nbformat.v4.new_markdown_cell(text)]
    nbformat.write(book, tmp_path / "a.ipynb")
    report_html.export_html(tmp_path / "a.ipynb", tmp_path / "a.html")
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
        tab = chromium.new_page()
        tab.goto((tmp_path / "a.html").as_uri())
        cells = "[...document.querySelectorAll('main tbody tr')].filter(r => !r.hidden).map(r => r.cells[1].innerText)"
        values = [f"{n % 4}{n}.5 [1.0, 2.0]" for n in range(10)]
        by_size = sorted(values, key=lambda value: float(value.split()[0]))
        tab.get_by_role("button", name="UAR %").click()
        assert tab.evaluate(cells) == [*by_size[::-1], "–"]
        tab.get_by_role("button", name="UAR %").click()
        assert tab.evaluate(cells) == [*by_size, "–"]
        tab.get_by_role("searchbox").fill("s7")
        assert tab.evaluate(cells) == ["37.5 [1.0, 2.0]"]
        texts = {}
        for kind in ("CSV", "LaTeX"):
            with tab.expect_download() as download:
                tab.get_by_role("button", name=kind).click()
            texts[kind] = download.value.path().read_text(encoding="utf-8")
        chromium.close()
    assert texts["CSV"] == 'system,UAR %\ns7 & co,"37.5 [1.0, 2.0]"\n'
    assert "\\begin{tabular}{lr}" in texts["LaTeX"] and "s7 \\& co & 37.5 [1.0, 2.0] \\\\" in texts["LaTeX"]


@pytest.mark.skipif(browser() is None, reason="no Chromium on PATH: the tables of a page were not used")
def test_a_table_wider_than_the_screen_is_a_list_and_long_lines_wrap(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    names = [f"a column number {n}" for n in range(8)]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * 8, *["| " + " | ".join(["entry"] * 8) + " |"] * 3]
    book = nbformat.v4.new_notebook(metadata=KERNEL)
    long = nbformat.v4.new_output("stream", name="stdout", text="word & " * 60)
    book.cells = [
        nbformat.v4.new_markdown_cell("\n".join(lines)),
        nbformat.v4.new_markdown_cell("| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"),
        nbformat.v4.new_code_cell("pass", outputs=[long]),
    ]
    nbformat.write(book, tmp_path / "a.ipynb")
    report_html.export_html(tmp_path / "a.ipynb", tmp_path / "a.html")
    stacked = "[...document.querySelectorAll('main table')].map(table => table.classList.contains('stacked'))"
    wider = "e.clientWidth && e.scrollWidth > e.clientWidth + 1"
    cut = f"[...document.querySelectorAll('main *')].filter(e => {wider}).length"
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
        tab = chromium.new_page(viewport={"width": 1280, "height": 900})
        tab.goto((tmp_path / "a.html").as_uri())
        assert tab.evaluate(stacked) == [False, False] and tab.evaluate(cut) == 0
        tab.set_viewport_size({"width": 390, "height": 900})
        tab.wait_for_function(f"{stacked}[0]")
        assert tab.evaluate(stacked) == [True, False]
        first = tab.locator("td").first
        assert first.get_attribute("data-label") == names[0] and first.inner_text() == "entry"
        assert tab.locator("table").first.evaluate("e => e.scrollWidth <= e.parentElement.clientWidth")
        with tab.expect_download() as download:
            tab.get_by_role("button", name="CSV").first.click()
        assert download.value.path().read_text(encoding="utf-8").splitlines()[0] == ",".join(names)
        tab.set_viewport_size({"width": 1280, "height": 900})
        tab.wait_for_function(f"!{stacked}[0]")
        chromium.close()


def test_the_headline_table_draws_claim_and_interval(tmp_path):
    pooled = pooling.pool_results(made_rows(tmp_path, folds=2), tmp_path)
    text = headline_table(pooled)
    assert "no speaker both in test and elsewhere" in text
    assert text.count('class="track"') == 1
    merged = pooled[0].calm_is_neutral.scores["accuracy"]
    assert f"calm as neutral: {100 * merged:.1f}" in text
    assert 'class="claim" style="left:91.74%"' in text
    low, high = (100 * limit for limit in pooled[0].intervals.accuracy.limits)
    assert f'class="range" style="left:{low:.1f}%;width:{high - low:.1f}%"' in text


def test_the_headline_has_the_figures_of_the_papers_network(tmp_path):
    rows = made_rows(tmp_path, folds=2) + made_rows(tmp_path, folds=2, protocol="random", skill=0.9)
    rows += made_rows(tmp_path, folds=2, model="a1", skill=0.2)
    pooled = pooling.pool_results(rows, tmp_path)
    speaker, random = (100 * one.scores["accuracy"] for one in pooled[:2])
    text = headline(pooled)
    assert f"recognises {speaker:.1f} % [" in text and f"recognises {random:.1f} % [" in text and "91.74 %" in text
    assert "2 of 6 folds, seed 0" in text
    assert headline(pooled[2:]) == ""


def test_other_systems_are_folded_away_below_the_papers_network(tmp_path):
    rows = made_rows(tmp_path, folds=1, model="a1") + made_rows(tmp_path, folds=1)
    text = headline_table(pooling.pool_results(rows, tmp_path))
    shown, folded = text.split("<details>")
    assert "CNN-BiLSTM-Attention (A5)" in shown and "A1: CNN, MFCC" not in shown and "A1: CNN, MFCC" in folded


def test_the_first_page_shows_the_readings_with_their_sentence_and_names_the_leak(own_store, tmp_path):
    own_store.mkdir(parents=True)
    skills = {"loss": 0.4, "uar": 0.5, "oracle": 0.7}
    kept = {keep: made_rows(own_store, folds=6, keep=keep, skill=skill) for keep, skill in skills.items()}
    rows = [row for group in kept.values() for row in group]
    for row in rows:
        store.write_result(row, own_store)
    plan = SimpleNamespace(**vars(PLAN) | {"specs": [Spec(**row.spec) for row in rows]})
    before, after = html.unescape(render(plan, [], tmp_path, {}).read_text()).split("The benefit of the doubt")
    sentence = readings.readings_sentence(readings.measured_readings(rows, own_store))
    assert sentence.startswith("No measured reading of the text reaches the claimed 91.74 %") and sentence in after
    assert '<span class="badge bad">best epoch on test (leak)</span>' in after and '<svg role="img"' in after
    for keep, group in kept.items():
        accuracy = f"{100 * pooling.pool_results(group, own_store)[0].scores['accuracy']:.1f}"
        assert accuracy in after and (keep == "oracle") != (f"<b>{accuracy}</b>" in before), "a leak is no result"


def test_a_page_is_rendered_again_when_its_failure_changes(made, tmp_path):
    executed = shutil.copy(made.home / "notebooks" / "05_late.ipynb", tmp_path / "05_late.ipynb")
    target = tmp_path / "05_late.html"
    render_page(executed, target, "late", "", "")
    first = target.stat().st_mtime_ns
    render_page(executed, target, "late", "", "")
    assert target.stat().st_mtime_ns == first
    render_page(executed, target, "late", "", "ValueError: <late>")
    assert "ValueError: &lt;late&gt;" in target.read_text(encoding="utf-8")


def test_the_report_ends_with_an_error_when_a_notebook_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    monkeypatch.setattr(build, "find_notebooks", lambda: [notebook(tmp_path / "01_a.ipynb", parameters="other = 1")])
    with pytest.raises(SerError, match=r"1 of 1 notebook stopped: 01_a \(no parameter") as caught:
        build_report("demo")
    index = tmp_path / "demo" / "report" / "index.html"
    assert str(index) in str(caught.value) and "01_a" in index.read_text(encoding="utf-8")


def test_progress_lines_name_finished_results_and_current_epochs(own_store, tmp_path):
    for name, epochs in (("a", 7), ("b", 3)):
        (own_store / f"{name}.checkpoint").mkdir(parents=True)
        state = {"history": {"loss": [1.0] * epochs}}
        (own_store / f"{name}.checkpoint" / "state.json").write_text(json.dumps(state))
    assert store.epochs_in_training(0.0) == ", in training: epoch 3, 7"
    assert store.epochs_in_training(time.time() + 10) == "", "an old checkpoint"
    (own_store / "a.checkpoint" / "state.json").write_text("{")
    os.utime(own_store / "b.checkpoint" / "state.json", (2e9, 2e9))  # as if written meanwhile
    with (tmp_path / "printed").open("w+") as file:
        with progress.report_progress(
            "[1/2] 03", time.monotonic(), lambda: ", 0 of 2" + store.epochs_in_training(0), file.fileno(), every=0.05
        ):
            while not (tmp_path / "printed").stat().st_size:
                time.sleep(0.01)
        file.seek(0)
        assert file.readline() == "[1/2] 03: 0 s, 0 of 2, in training: epoch 3\n"


def test_a_published_result_counts_by_its_content_and_only_for_notebooks_that_show_results(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "published_dir", lambda: tmp_path / "published")
    row = tmp_path / "published" / "row.json"
    row.parent.mkdir()
    row.write_text("1")
    plan = SimpleNamespace(published=True)
    stamps = [tmp_path / f"{name}.stamp.json" for name in ("01_corpora", "03_training")]
    for stamp in stamps:
        stamp.write_text(json.dumps({"key": "k", "rows": state.store_state(plan)}))
    os.utime(row, (1, 1))
    assert [is_current(stamp, "k", plan) for stamp in stamps] == [True, True]
    row.write_text("2")
    assert [is_current(stamp, "k", plan) for stamp in stamps] == [True, False]


@pytest.mark.parametrize("name", state.WITHOUT_RESULTS)
def test_a_notebook_without_results_reads_none(name):
    cells = json.loads((paths.root() / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    readers = ("load_rows", "load_results", "run_part", "results_folder", "leaderboard", "published_", "compare")
    assert not [word for word in readers if word in code]


def test_kernels_have_the_folders_of_this_process_and_nothing_of_it_changes(monkeypatch, tmp_path):
    for name in ("SER_RUNS", "SER_CACHE", "SER_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("MPLBACKEND", "svg")
    before = dict(os.environ)
    with execution._own_environment():
        within = dict(os.environ)
    assert dict(os.environ) == before
    assert {name: within[name] for name in ("SER_RUNS", "SER_CACHE", "SER_DATA")} == {
        name: str(tmp_path / name) for name in ("SER_RUNS", "SER_CACHE", "SER_DATA")
    }
    assert within["PATH"] == before["PATH"] and "MPLBACKEND" not in within
