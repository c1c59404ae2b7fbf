"""Execute the notebooks and write a folder of HTML that can be sent: ``runs/<profile>/report/index.html``.

Papermill executes each notebook into ``runs/<profile>/notebooks/``; each becomes one self-contained page. A stamp with
each executed notebook holds a hash of its inputs, so that a second call with nothing changed executes nothing. A
notebook succeeded if and only if papermill raised no error. A failed one leaves its output for reading, and no stamp.
"""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core._utils import machine, paths
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.report.schedule import run_notebooks
from ser_core.report.state import failed_runs, make_ignored_folder, profile_rows

if TYPE_CHECKING:
    from ser_core.experiments.result import RunResult
    from ser_core.results.leaderboard import Leaderboard
    from ser_core.results.records import PooledResult


def build_report(profile: str, *, fresh: bool = False, published: bool = False) -> Path:
    """Execute the notebooks of a profile and write its report.

    Parameters
    ----------
    profile : str
        A key of ``ser_core.experiments.presets.PROFILES``.
    fresh : bool, default False
        Execute every notebook, also the unchanged ones. Results in the store are still used.
    published : bool, default False
        Show the results in ``runs/published/`` (profile "published"); nothing is trained.

    Returns
    -------
    Path
        The report's ``index.html``.

    Raises
    ------
    SerError
        At the end, where a notebook or a run failed. The report then has everything else, and names the error.
    """
    from ser_core.experiments import presets

    plan = presets.get_profile("published" if published else profile, quick=paths.quick())
    home = paths.runs_dir() / plan.name
    sources = find_notebooks()
    failures = run_notebooks(plan, sources, home / "notebooks", fresh=fresh)
    index = render(plan, sources, home, failures)
    stopped = "; ".join(f"{name} ({line})" for name, line in failures.items())
    broken = [f"{_describe_run(result)} ({result.error})" for result in failed_runs(plan)]
    if failures:
        raise SerError(
            f"{len(failures)} of {counted(len(sources), 'notebook')} stopped: {stopped}. The report says where: {index}"
        )
    if broken:
        raise SerError(
            f"{len(broken)} of {counted(len(plan.specs), 'run')} failed: {'; '.join(broken)}. The report: {index}"
        )
    return index


def _describe_run(result: RunResult) -> str:
    return " ".join(str(result.spec[name]) for name in ("corpus", "protocol", "model", "fold", "seed"))


def find_notebooks() -> list[Path]:
    """Return the notebooks of the suite in the order of their numbers.

    Raises
    ------
    SerError
        Outside a checkout, where there are no notebooks.
    """
    notebooks = sorted((paths.root() / "notebooks").glob("[0-9]*.ipynb"))
    if not notebooks:
        raise SerError(f"no notebooks in {paths.root() / 'notebooks'}: run this from a checkout of the suite")
    return notebooks


def render(plan, sources: list[Path], home: Path, failures: dict[str, str]) -> Path:
    """Write the pages that changed and the index.

    Parameters
    ----------
    plan : ser_core.experiments.presets.Profile
        The profile.
    sources : list of Path
        The notebooks.
    home : Path
        Folder of the profile; its ``notebooks/`` holds the executed notebooks, its ``report/`` gets the pages.
    failures : dict
        Error lines by :func:`run_notebooks`.

    Returns
    -------
    Path
        The report's ``index.html``.
    """
    from ser_core.claims import paper
    from ser_core.corpora import inventory
    from ser_core.experiments import store
    from ser_core.report.html import DEMO, index_html
    from ser_core.results.leaderboard import leaderboards
    from ser_core.results.pooling import pool_results
    from ser_core.training.selection import ORACLE

    report = home / "report"
    make_ignored_folder(report)
    demo = any(name.startswith("demo") for name in plan.corpora)
    badge = "demo" if demo else ""
    cards = _cards(sources, home, badge, failures)
    voice = _voice_page(report, home / "notebooks")
    _remove_stale_pages(report, sources, voice)
    rows = profile_rows(plan)
    folder = store.published_dir() if plan.published else store.store_dir()
    pooled = pool_results([row for row in rows if row.spec["keep"] != ORACLE], folder)  # the leak: among the readings
    boards = leaderboards(pooled, folder)
    text = index_html(
        "Speech emotion recognition: the paper's network, measured",
        f"{paper.AUTHORS}, “{paper.TITLE}”, doi {paper.DOI}: what it claims, and what was measured here, under a "
        "protocol that can be seen.",
        note=DEMO if demo else "",
        badge=badge,
        cards=cards,
        voice=voice,
        pooled=pooled,
        corpora=inventory.completeness_table(_corpora(plan, pooled)),
        made=_made(plan, rows),
        ladders=_ladders(pooled, folder),
        boards=_boards(boards, folder),
        overviews=_overviews(boards[:1], pooled, folder),
        doubt=_benefit_of_the_doubt(rows, folder),
    )
    index = report / "index.html"
    write_atomically(index, text.encode())
    return index


def _cards(sources: list[Path], home: Path, badge: str, failures: dict[str, str]) -> list[dict]:
    """Render the notebooks' pages and return their cards for the index; one that was not executed has no page."""
    from ser_core.report.html import thumbnail, title_and_summary

    cards = []
    for source in sources:
        executed = home / "notebooks" / source.name
        title, text = title_and_summary(source)
        card: dict[str, Any] = {"title": title, "text": text, "page": "", "picture": None}
        card["failure"] = failures.get(source.stem, "")
        if executed.is_file():
            card |= {"page": f"{source.stem}.html", "picture": thumbnail(executed)}
        else:
            (home / "report" / f"{source.stem}.html").unlink(missing_ok=True)
        cards.append(card)
    shown = [(source, card) for source, card in zip(sources, cards, strict=True) if card["page"]]
    for place, (source, card) in enumerate(shown):
        neighbours = (shown[place - 1][1] if place else None, shown[place + 1][1] if place + 1 < len(shown) else None)
        around = [{name: one[name] for name in ("page", "title")} if one else None for one in neighbours]
        page = home / "report" / card["page"]
        render_page(home / "notebooks" / source.name, page, card["title"], badge, card["failure"], *around)
    return cards


def _voice_page(report: Path, notebooks: Path) -> str:
    """Write the page that answers in a browser and return its name; "" where the cache has no runtime for it."""
    from ser_core.inference import predict, web_page, web_runtime

    if web_runtime.kept_runtime() is None or not predict.PRETRAINED.is_file():
        return ""
    page, stamp = report / "voice.html", notebooks / "voice.page"
    made_from = [predict.PRETRAINED, *sorted(web_page.PAGE.iterdir()), *sorted(web_page.PAGE.parent.glob("*.py"))]
    key = sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()
    if not (page.is_file() and stamp.is_file() and stamp.read_text() == key):
        web_page.write_page(None, page)
        write_atomically(stamp, key.encode())
    return page.name


def _remove_stale_pages(report: Path, sources: list[Path], voice: str) -> None:
    """Remove pages of notebooks that no longer exist, and the page of the voice where it was not made."""
    current = {f"{source.stem}.html" for source in sources} | {"index.html", voice}
    for page in report.glob("*.html"):
        if page.name not in current:
            page.unlink()


def _ladders(pooled: list[PooledResult], folder: Path) -> list[tuple]:
    """Return figure and conclusion of each corpus's protocol ladder."""
    from ser_core.figures.protocol_ladder import plot_protocol_ladder
    from ser_core.results import ladder_text, protocol_ladder

    climbed = [
        (protocol_ladder.ladder_rows(pooled, folder, name), name) for name in protocol_ladder.ladder_corpora(pooled)
    ]
    return [
        (plot_protocol_ladder(found, name), ladder_text.ladder_sentence(found, name))
        for found, name in climbed
        if found
    ]


def _boards(boards: list[Leaderboard], folder: Path) -> list[dict]:
    """Return of each leaderboard: title, sentence, setting, table, and the names of what is not ranked."""
    from ser_core import corpora
    from ser_core.results import leaderboard
    from ser_core.results.formatting import system_title

    return [
        {
            "title": f"{corpora.corpus_title(board.corpus)}, protocol {board.protocol}",
            "sentence": leaderboard.leaderboard_sentence(board, folder),
            "setting": leaderboard.common_setting(board),
            "table": leaderboard.format_leaderboard(leaderboard.leaderboard_table(board)),
            "partial": sorted({system_title(result.spec["model"]) for result in board.partial}),
        }
        for board in boards
    ]


def _overviews(boards: list[Leaderboard], pooled: list[PooledResult], folder: Path) -> list[dict]:
    """Return the claim and every protocol for the best system of each kind, for the corpora of the leaderboards."""
    from ser_core import corpora
    from ser_core.report.overview import overview_content
    from ser_core.results import overview

    return [
        overview_content(overview.overview(board, pooled, folder), corpora.corpus_title(board.corpus))
        for board in boards
    ]


def _benefit_of_the_doubt(rows: list[RunResult], folder: Path) -> dict | None:
    """Return the readings of the paper's text: sentence, figure and table; None where none was measured."""
    from ser_core import corpora
    from ser_core.figures.readings import readings_plot
    from ser_core.results import readings

    found = readings.measured_readings(rows, folder)
    if not found:
        return None
    corpus = corpora.corpus_title(found[0].first.spec["corpus"])
    return {
        "sentence": readings.readings_sentence(found),
        "figure": readings_plot(found, title=f"Readings of the text, {corpus}, unseen speakers"),
        "table": readings.format_readings(readings.readings_table(found)),
    }


def render_page(
    executed: Path,
    page: Path,
    title: str,
    badge: str,
    failure: str,
    before: dict | None = None,
    after: dict | None = None,
) -> None:
    """Render an executed notebook, unless its page was made from the same inputs.

    Parameters
    ----------
    executed : Path
        The executed notebook.
    page : Path
        The HTML file to write.
    title, badge, failure, before, after
        As in :func:`ser_core.report.html.export_html`.
    """
    from ser_core.report.html import export_html

    digest = sha256(_shown(executed))
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.read_bytes())
    around = f"{title} {badge} {failure} {before} {after} {metadata.version('nbconvert')}"
    key = sha256(f"{digest.hexdigest()} {around}".encode()).hexdigest()
    stamp = executed.with_name(f"{executed.stem}.page")
    if page.is_file() and stamp.is_file() and stamp.read_text() == key:
        return
    export_html(executed, page, title=title, badge=badge, failure=failure, before=before, after=after)
    write_atomically(stamp, key.encode())


def _shown(executed: Path) -> bytes:
    """Return what a page shows of an executed notebook: sources, outputs and tags, but not when it was executed."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    shown = [
        [cell["cell_type"], cell["source"], cell.get("outputs", []), cell["metadata"].get("tags", [])] for cell in cells
    ]
    return json.dumps(shown, sort_keys=True).encode()


def _corpora(plan, pooled: list[PooledResult]) -> dict:
    """Return the profile's corpora: name to utterance table, to its completeness in the results, or to None."""
    from ser_core import corpora

    tables = {}
    for name in plan.corpora:
        specs = [one for one in pooled if one.spec["corpus"] == corpora.canonical_name(name)]
        stored = [one.completeness.to_json() for one in specs if one.ok]
        try:
            tables[name] = stored[0] if plan.published and stored else corpora.load(name)
        except SerError:
            tables[name] = stored[0] if stored else None
    return tables


def _made(plan, rows: list[RunResult]) -> list[tuple[str, str]]:
    """Return how the figures were made: pairs of name and value, as plain text."""
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
