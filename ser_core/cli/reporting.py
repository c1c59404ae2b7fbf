"""``ser reproduce``, ``ser report``, ``ser tables`` and ``ser publish``: what people see."""

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import RenamedOption, as_json, emit

execute_option = click.option(
    "--force",
    "fresh",
    cls=RenamedOption,
    old="--fresh",
    is_flag=True,
    help="Execute every notebook again; stored results are still reused.",
)


@click.command()
@click.option("--profile", default="demo", show_default=True, help="demo, quick or paper")
@execute_option
def reproduce(profile: str, fresh: bool) -> None:
    """Run every notebook and write the HTML report to runs/PROFILE/report/."""
    from ser_core.report import build as reports

    click.echo(reports.build_report(profile, fresh=fresh))


@click.command()
@click.option("--profile", help="Render this profile's report again; by default the published rows'.")
@execute_option
def report(profile: str | None, fresh: bool) -> None:
    """Write the HTML report from the published rows alone, or again from a profile's stored results."""
    from ser_core.report import build as reports

    click.echo(reports.build_report(profile or "published", fresh=fresh, published=profile is None))


@click.command()
@click.option("--readme", is_flag=True, help="Write the tables into README.md.")
@click.option("--store", is_flag=True, help="Of your own results in the store, in place of the published ones.")
@as_json
def tables(readme: bool, store: bool, as_json: bool) -> None:
    """The published results as tables, claim and measurement side by side: ladder, Tables II to VI, single changes."""
    from ser_core._utils import paths
    from ser_core.experiments import store as store_module
    from ser_core.results import published
    from ser_core.results import tables as rendering
    from ser_core.results.pooling import pool_results

    if readme and store:
        raise SerError("--readme and --store: the README holds the published rows alone")
    folder = store_module.store_dir() if store else store_module.published_dir()
    pooled = pool_results(store_module.load_rows(folder), folder)
    if as_json:
        return emit(rendering.table_records(pooled))
    if not pooled:
        there = "unset SER_RUNS for those that came with the suite, or say --store for your own"
        raise SerError(f"{folder}: no rows; " + ("`ser run` and `ser sweep` make some" if store else there))
    if store:
        return click.echo(published.all_systems_markdown(pooled, folder))
    text = published.readme_markdown(pooled, folder)
    if readme:
        changed = rendering.update_readme(paths.root() / "README.md", text)
        return click.echo(f"README.md: {'updated' if changed else 'unchanged'}")
    click.echo(text)


@click.command()
@click.argument("profile", default="published")
@as_json
def publish(profile: str, as_json: bool) -> None:
    """Copy the finished rows of a profile, JSON and Parquet, from the store to runs/published/."""
    from ser_core.experiments import presets
    from ser_core.experiments import store as store_module

    names = store_module.publish(presets.get_profile(profile).specs)
    emit(names) if as_json else click.echo(f"{len(names)} rows published")
