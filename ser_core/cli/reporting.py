"""The commands ``ser reproduce``, ``ser report``, ``ser tables`` and ``ser publish``: reports and tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ser_core._utils import console
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted, near
from ser_core.cli.base import RenamedOption, as_json, emit

if TYPE_CHECKING:
    from pathlib import Path

    from ser_core.experiments.result import RunResult

execute_option = click.option(
    "--force",
    "fresh",
    cls=RenamedOption,
    old="--fresh",
    is_flag=True,
    help="Execute every notebook again; stored results are reused.",
)


@click.command()
@click.option("--profile", default="demo", show_default=True, help="demo, quick or paper.")
@execute_option
def reproduce(profile: str, fresh: bool) -> None:
    """Execute every notebook and write the HTML report.

    The report is written to runs/PROFILE/report/.
    """
    from ser_core.report import build as reports

    click.echo(reports.build_report(profile, fresh=fresh))


@click.command()
@click.option("--profile", help="Write the report of this profile [of the published results]")
@execute_option
def report(profile: str | None, fresh: bool) -> None:
    """Write the HTML report from stored results.

    By default these are the published results, otherwise those of a profile.
    """
    from ser_core.report import build as reports

    click.echo(reports.build_report(profile or "published", fresh=fresh, published=profile is None))


@click.command()
@click.option("--readme", is_flag=True, help="Write the tables into runs/published/README.md.")
@click.option("--store", is_flag=True, help="Use your own results in the store, not the published ones.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "csv", "latex", "json", "model-index"]),
    default="md",
    show_default=True,
    help="md: Markdown, fitted to the width of a terminal; model-index: the header of a Hugging Face model card.",
)
@click.option("--model", "systems", help="These systems alone, separated by commas; not with md.")
@click.option("--search", help="A search over settings alone (reslstm), chosen by validation and by the test.")
@as_json
def tables(readme: bool, store: bool, form: str, systems: str | None, search: str | None, as_json: bool) -> None:
    """Print the published results as tables, with the paper's claims.

    They are leaderboards, the ladder of protocols, Tables II, IV, V and VI, the readings of the paper, searches, the
    matrix of corpora, and single changes. CSV has one row per system and setting of
    every protocol, with scores as fractions.
    """
    from ser_core._utils import paths
    from ser_core.experiments import store as store_module
    from ser_core.results import published
    from ser_core.results import tables as rendering
    from ser_core.results.pooling import pool_results
    from ser_core.training.selection import ORACLE

    form = "json" if as_json else form
    if readme and store:
        raise SerError("--readme and --store: leave out one; runs/published/README.md has published results only")
    if form != "md" and readme:
        raise SerError(f"--readme and --format {form}: leave out one; that page is Markdown")
    folder = store_module.store_dir() if store else store_module.published_dir()
    every = store_module.load_rows(folder)
    if search is not None:
        return _show_search(search, every, folder, form)
    results = [result for result in every if result.spec["keep"] != ORACLE]  # a leak
    if systems:
        results = _only(results, systems, folder)
        if form == "md":
            raise SerError("--model: Markdown compares all systems; choose --format csv, latex, json or model-index")
    if form == "json":
        return emit(rendering.table_records(pool_results(results, folder)))
    if not results:
        hint = "unset SER_RUNS for those that come with the suite, or use --store for your own"
        raise SerError(f"{folder}: no results; " + ("`ser run` and `ser sweep` make some" if store else hint))
    if form != "md":
        from ser_core.results import table_files

        return click.echo(table_files.FORMATS[form](pool_results(results, folder)), nl=False)
    if not readme:
        # at once; the tables take some seconds the first time
        click.echo(f"{counted(len(results), 'result')} in {folder}\n")
    if store:
        return _show(published.all_systems_markdown(pool_results(results, folder), folder))
    text = published.readme_markdown(every, folder)
    if readme:
        changed = rendering.update_readme(paths.root() / "runs" / "published" / "README.md", text)
        return click.echo(f"runs/published/README.md: {'updated' if changed else 'unchanged'}")
    _show(text)


def _show_search(name: str, results: list[RunResult], folder: Path, form: str) -> None:
    """Print a search, scored both ways."""
    from ser_core.results import searches

    found = searches.named_search(name, results, folder)
    if form == "json":
        chosen = [run.hash for run in found.by_validation]
        best = {"uar": found.by_test.scores["uar"], "runs": [run.hash for run in found.by_test.results]}
        return emit(
            {"by_validation": {"uar": found.uar, "runs": chosen}, "by_test": best, "added": found.difference.to_json()}
        )
    if form != "md":
        raise SerError(f"--search and --format {form}: leave out one; a search is Markdown or JSON")
    _show(searches.search_markdown(found))


def _only(results: list[RunResult], systems: str, folder: Path) -> list[RunResult]:
    """Select the results of systems that are named with commas; SerError for one without results."""
    from ser_core import models

    wanted = [name.strip() for name in systems.split(",") if name.strip()]
    known = sorted({result.spec["model"] for result in results})
    titles = {name: model.title for name, model in models.MODELS.items()}
    if missing := [name for name in wanted if name not in known]:
        what = missing[0]
        why = f"no results in {folder}" if what in titles or ":" in what else "not a known system (`ser models`)"
        raise SerError(
            f"--model {what}: {why}{near(what, known, titles)}; systems with results: {', '.join(known) or 'none'}"
        )
    return [result for result in results if result.spec["model"] in wanted]


def _show(markdown: str) -> None:
    """Print Markdown: as it is, or on a terminal with tables fitted to its width."""
    if not (sys.stdout.isatty() and console.print_markdown(markdown)):
        click.echo(markdown)


@click.command()
@click.argument("profile", default="published")
@as_json
def publish(profile: str, as_json: bool) -> None:
    """Publish the finished results of a profile.

    They are copied from the store to runs/published/.
    """
    from ser_core import corpora
    from ser_core.experiments import presets, publication

    plan = presets.get_profile(profile)
    if any(corpora.is_demo(name) for name in plan.corpora):
        raise SerError(f"publish {profile}: its speech is synthetic; runs/published has results of real corpora only")
    names = publication.publish(plan.specs)
    emit(names) if as_json else click.echo(f"{counted(len(names), 'result')} published")
