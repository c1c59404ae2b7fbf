"""From notebooks to a folder of HTML that can be sent: ``runs/<profile>/report/index.html``.

Every notebook is executed by papermill into ``runs/<profile>/notebooks/``, then rendered to one self-contained page.
A stamp beside each executed notebook remembers what it was made from, so that a second call with nothing changed only
looks. Whether a notebook succeeded is known from papermill raising nothing, and from nothing else: a failed one
leaves its output as well, for reading, and gets no stamp.
"""

from __future__ import annotations

import ast
import html
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core._utils import machine, paths
from ser_core._utils.errors import SerError
from ser_core._utils.progress import print_progress, redirect_stderr, report_progress

if TYPE_CHECKING:
    from ser_core.experiments.result import RunResult
    from ser_core.results.records import PooledResult

NOT_EXECUTED = ("report", "cli")
"""Rooms of the package that no notebook uses: after a change there no notebook is executed again."""


def build_report(profile: str, *, fresh: bool = False, published: bool = False) -> Path:
    """Execute the notebooks for a profile and write its report.

    profile : a key of ``ser_core.experiments.presets.PROFILES``
    fresh : execute every notebook, whatever the stamps say (results in the store are still used)
    published : show the rows of ``runs/published/`` (profile "published"); nothing is trained

    Returns the path of ``index.html``. Raises SerError at the end when a notebook or a run failed; the report is then
    complete but for it, and names the error.
    """
    from ser_core.experiments import presets

    plan = presets.get_profile("published" if published else profile, quick=paths.quick())
    home = paths.runs_dir() / plan.name
    sources = find_notebooks()
    failures = run_notebooks(plan, sources, home / "notebooks", fresh=fresh)
    index = render(plan, sources, home, failures)
    stopped = "; ".join(f"{name} ({line})" for name, line in failures.items())
    broken = [f"{_cell(result)} ({result.error})" for result in failed_runs(plan)]
    if failures:
        raise SerError(
            f"{len(failures)} of {len(sources)} notebooks stopped: {stopped}. The report says where: {index}"
        )
    if broken:
        raise SerError(f"{len(broken)} of {len(plan.specs)} runs failed: {'; '.join(broken)}. The report: {index}")
    return index


def failed_runs(plan) -> list[RunResult]:
    """Rows of a profile that say "error" and were not made good since."""
    return [] if plan.published else [result for result in profile_rows(plan) if not result.ok]


def _cell(result: RunResult) -> str:
    return " ".join(str(result.spec[name]) for name in ("corpus", "protocol", "model", "fold", "seed"))


def find_notebooks() -> list[Path]:
    """The notebooks of the suite in the order of their numbers."""
    found = sorted((paths.root() / "notebooks").glob("[0-9]*.ipynb"))
    if not found:
        raise SerError(f"no notebooks in {paths.root() / 'notebooks'}: run this from a checkout of the suite")
    return found


def run_notebooks(plan, sources: list[Path], folder: Path, *, fresh: bool = False) -> dict[str, str]:
    """Execute what changed, in order. Returns the error line of each notebook that failed, by its name."""
    _own_folder(folder)
    parameters = {"profile": plan.name, "quick": paths.quick()}
    failures = {}
    for number, source in enumerate(sources, 1):
        target, stamp = folder / source.name, folder / f"{source.stem}.stamp.json"
        key = notebook_key(source, plan, parameters)
        where = f"[{number}/{len(sources)}] {source.stem}"
        if not fresh and target.is_file() and _valid(stamp, key, plan):
            print_progress(f"{where}: unchanged")
            continue
        stamp.unlink(missing_ok=True)
        start, since = time.monotonic(), time.time()
        log, done = folder / f"{source.stem}.log", lambda since=since: _progress_text(plan, since)
        with redirect_stderr(log) as terminal, report_progress(where, start, done, terminal):
            failure = execute(source, target, parameters)
        took = f"{time.monotonic() - start:.0f} s"
        if failure:
            failures[source.stem] = failure
            print_progress(f"{where}: stopped after {took}: {failure}")
            continue
        if failed_runs(plan):
            print_progress(f"{where}: done in {took}, with failed runs, which will be tried again next time")
            continue
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        _write(stamp, json.dumps({"key": key, "rows": store_state(plan), "when": when}, indent=1))
        print_progress(f"{where}: done in {took}")
    return failures


def execute(source: Path, target: Path, parameters: dict) -> str:
    """Execute one notebook with papermill. Returns "" on success, else one line that says what stopped it.

    A parameter that the notebook does not have is an error here (papermill only warns). A port taken by another kernel
    is tried once more.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    unknown = set(parameters) - parameter_names(source)
    if unknown:
        return f"no parameter {', '.join(sorted(unknown))} in a cell tagged `parameters`"
    options = {"parameters": parameters, "kernel_name": "python3", "progress_bar": False, "store_widget_state": False}
    for last in (False, True):
        try:
            with _importable():
                papermill.execute_notebook(str(source), str(target), **options)
            return ""
        except PapermillExecutionError as error:
            return _one_line(f"{error.ename}: {error.evalue}")
        except Exception as error:  # a dead kernel, a timeout, a kernel that does not start: all end this notebook only
            if last or "Address already in use" not in str(error):
                return _one_line(f"{type(error).__name__}: {error}")
    return ""


def parameter_names(source: Path) -> set[str]:
    """Names assigned in the cell tagged ``parameters`` (papermill's own look cannot read a line with ``==``)."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    tagged = ["".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    nodes = [node for text in tagged for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {target.id for node in nodes for target in node.targets if isinstance(target, ast.Name)}


@contextmanager
def _importable() -> Iterator[None]:
    """Let the kernel, a process of its own, import this very package; quietly."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL")}
    package = str(paths.package_dir().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [before["PYTHONPATH"]])])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def notebook_key(source: Path, plan, parameters: dict) -> str:
    """Hash of what an executed notebook depends on, but for the store: notebook, package, parameters, data, machine."""

    digest = sha256()
    package = paths.package_dir()
    files = [path for path in sorted(package.rglob("*")) if path.is_file() and path.suffix not in (".pyc", ".md")]
    for path in [source, *(path for path in files if path.relative_to(package).parts[0] not in NOT_EXECUTED)]:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    facts = [
        parameters,
        [asdict(spec) for spec in plan.specs],
        list(plan.corpora),
        sys.version,
        machine.processor(),
        machine.versions(),
    ]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    if not all(name.startswith("demo") for name in plan.corpora):
        for line in _listing(paths.data_dir()):
            digest.update(line.encode())
    return digest.hexdigest()


def _listing(folder: Path) -> list[str]:
    """Every file under a folder with size and time of change."""
    from ser_core.corpora import table

    facts = ((name, os.stat(folder / name)) for name in table.walk(folder))
    return [f"{name} {status.st_size} {status.st_mtime_ns}\n" for name, status in facts]


def profile_rows(plan) -> list[RunResult]:
    """Result rows that a profile shows, in the order of its specs: of each the newest good one, else a failed one."""
    from ser_core.experiments import store

    if plan.published:
        return store.load_rows(store.published_dir())
    wanted: dict[str, RunResult | None] = {_spec_key(asdict(spec)): None for spec in plan.specs}
    results = store.load_rows(store.store_dir())
    for result in sorted(results, key=lambda result: (result.ok, _changed(result))):
        key = _spec_key(result.spec)
        if key in wanted:
            wanted[key] = result
    return [result for result in wanted.values() if result]


def _spec_key(spec: dict) -> str:
    return json.dumps(spec, sort_keys=True)


def _changed(result: RunResult) -> int:
    """Time of the last change of a row's file, in nanoseconds; 0 when it is gone."""
    from ser_core.experiments import store

    try:
        return (store.store_dir() / f"{result.hash}.json").stat().st_mtime_ns
    except OSError:
        return 0


def _progress_text(plan, since: float) -> str:
    if plan.published:
        return ""
    from ser_core.experiments import store

    stored = f", {len(store_state(plan))} of {len(plan.specs)} results in the store"
    return stored + store.epochs_in_training(since)


def store_state(plan) -> dict[str, int]:
    """Which results a profile has: name to the time of the last change of its file."""
    from ser_core.experiments import store

    if plan.published:
        return {path.name: path.stat().st_mtime_ns for path in sorted(store.published_dir().glob("*.json"))}
    return {result.hash: _changed(result) for result in profile_rows(plan)}


def _valid(stamp: Path, key: str, plan) -> bool:
    """Whether a stamp was made from the same things, and no result that was there then changed or went.

    Results that came since do not matter, unless published ones are shown.
    """
    try:
        made = json.loads(stamp.read_text(encoding="utf-8"))
        rows, now = made["rows"], store_state(plan)
        return made["key"] == key and (rows == now if plan.published else rows.items() <= now.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def render(plan, sources: list[Path], home: Path, failures: dict[str, str]) -> Path:
    """Write the pages that changed and the index. Returns the path of ``index.html``."""
    from ser_core.corpora import inventory
    from ser_core.experiments import store
    from ser_core.figures.protocol_ladder import plot_protocol_ladder
    from ser_core.report.html import index_html, thumbnail, title_and_summary
    from ser_core.results import ladder_text, protocol_ladder
    from ser_core.results.pooling import pool_results

    report = home / "report"
    _own_folder(report)
    demo = any(name.startswith("demo") for name in plan.corpora)
    cards = []
    for source in sources:
        executed, page = home / "notebooks" / source.name, report / f"{source.stem}.html"
        title, text = title_and_summary(source)
        failure = failures.get(source.stem, "")
        there = executed.is_file()
        if there:
            _render_page(executed, page, title, "demo" if demo else "", failure)
        else:
            page.unlink(missing_ok=True)
        picture = thumbnail(executed) if there else None
        page_name = page.name if there else ""
        cards.append({"title": title, "text": text, "page": page_name, "picture": picture, "failure": failure})
    kept = {f"{source.stem}.html" for source in sources} | {"index.html"}
    for stale in report.glob("*.html"):
        if stale.name not in kept:
            stale.unlink()
    rows = profile_rows(plan)
    folder = store.published_dir() if plan.published else store.store_dir()
    pooled = pool_results(rows, folder)
    climbed = [
        (protocol_ladder.ladder_rows(pooled, folder, name), name) for name in protocol_ladder.ladder_corpora(pooled)
    ]
    index = report / "index.html"
    text = index_html(
        "Speech emotion recognition: the paper's network, measured",
        _lead(plan, demo),
        badge="demo" if demo else "",
        cards=cards,
        pooled=pooled,
        corpora=inventory.completeness_table(_corpora(plan, pooled)),
        made=_made(plan, rows),
        ladders=[
            (plot_protocol_ladder(found, name), ladder_text.ladder_sentence(found, name))
            for found, name in climbed
            if found
        ],
    )
    _write(index, text)
    return index


def _render_page(executed: Path, page: Path, title: str, badge: str, failure: str) -> None:
    """Render an executed notebook unless its page was made from the same things."""
    from ser_core.report.html import export_html

    digest = sha256(executed.read_bytes())
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.is_file():
            digest.update(path.read_bytes())
    key = sha256(f"{digest.hexdigest()} {title} {badge} {failure} {metadata.version('nbconvert')}".encode()).hexdigest()
    stamp = executed.with_name(f"{executed.stem}.page")
    if page.is_file() and stamp.is_file() and stamp.read_text() == key:
        return
    export_html(executed, page, title=title, badge=badge, failure=failure)
    _write(stamp, key)


def _lead(plan, demo: bool) -> str:
    from ser_core.claims import paper
    from ser_core.report.html import DEMO

    told = f"{html.escape(paper.AUTHORS)}, “{html.escape(paper.TITLE)}”, doi {paper.DOI}: what it claims, and what was "
    told += "measured here, under a protocol that can be seen."
    return f"{told}</p><blockquote>{html.escape(DEMO)}</blockquote><p>" if demo else told


def _corpora(plan, pooled: list[PooledResult]) -> dict:
    """Name to utterance table of the profile's corpora, to what the rows say of it, or to None."""
    from ser_core import corpora

    found = {}
    for name in plan.corpora:
        specs = [one for one in pooled if one.spec["corpus"] == corpora.canonical_name(name)]
        told = [one.completeness.to_json() for one in specs if one.ok]
        try:
            found[name] = told[0] if plan.published and told else corpora.load(name)
        except SerError:
            found[name] = told[0] if told else None
    return found


def _made(plan, rows: list[RunResult]) -> list[tuple[str, str]]:
    """How the figures came about: name and value, as plain text."""

    used = [row for row in rows if row.ok]
    machines = sorted({row.processor for row in used if row.processor}) or [machine.processor()]
    known = used[0].versions if used else machine.versions()
    command = "make report" if plan.published else f"make reproduce PROFILE={plan.name}"
    quick = " with SER_QUICK=1 (everything small)" if paths.quick() else ""
    made = [
        ("profile", f"{plan.name}{quick}"),
        ("again", command),
        ("written", datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")),
        ("results of", ", ".join(sorted({row.when[:10] for row in used if row.when})) or "no run"),
        ("processor", "; ".join(machines)),
        ("versions", ", ".join(f"{name} {version}" for name, version in known.items())),
        ("intervals", "95 %, over speakers; over words where a test set has fewer than four speakers, and said so"),
        ("UAR", "unweighted average recall: the mean over emotions of the share recognised"),
    ]
    return made


def _own_folder(folder: Path) -> None:
    """Make a folder for what can be made again, which git passes over (``runs/published/`` itself is committed)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
