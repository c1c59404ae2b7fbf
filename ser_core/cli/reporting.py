"""The commands ``ser reproduce``, ``ser report``, ``ser tables`` and ``ser publish``: reports and tables."""

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import RenamedOption, as_json, emit

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
@as_json
def tables(readme: bool, store: bool, as_json: bool) -> None:
    """Print the published results as tables, with the paper's claims.

    They are the ladder of protocols, Tables II to VI, and the ablations.
    """
    from ser_core._utils import paths
    from ser_core.experiments import store as store_module
    from ser_core.results import published
    from ser_core.results import tables as rendering
    from ser_core.results.pooling import pool_results
    from ser_core.training.selection import ORACLE

    if readme and store:
        raise SerError("--readme and --store: leave out one; runs/published/README.md has published results only")
    folder = store_module.store_dir() if store else store_module.published_dir()
    every = store_module.load_rows(folder)
    results = [result for result in every if result.spec["keep"] != ORACLE]  # a leak
    if as_json:
        return emit(rendering.table_records(pool_results(results, folder)))
    if not results:
        hint = "unset SER_RUNS for those that come with the suite, or use --store for your own"
        raise SerError(f"{folder}: no results; " + ("`ser run` and `ser sweep` make some" if store else hint))
    if not readme:
        click.echo(f"{len(results):,} results in {folder}\n")  # at once; the tables take some seconds the first time
    if store:
        return click.echo(published.all_systems_markdown(pool_results(results, folder), folder))
    text = published.readme_markdown(every, folder)
    if readme:
        changed = rendering.update_readme(paths.root() / "runs" / "published" / "README.md", text)
        return click.echo(f"runs/published/README.md: {'updated' if changed else 'unchanged'}")
    click.echo(text)


@click.command()
@click.argument("profile", default="published")
@as_json
def publish(profile: str, as_json: bool) -> None:
    """Publish the finished results of a profile.

    They are copied from the store to runs/published/.
    """
    from ser_core.experiments import presets, publication

    names = publication.publish(presets.get_profile(profile).specs)
    emit(names) if as_json else click.echo(f"{len(names)} results published")
