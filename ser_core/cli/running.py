"""``ser models``, ``ser run`` and ``ser sweep``: systems, one cell, many cells."""

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import RenamedOption, as_json, emit, force_option, make_spec, numbers, spec_options, summary


@click.command("models")
@as_json
def list_models(as_json: bool) -> None:
    """Every system that can be asked for by name: parameters at 8 classes, what is claimed, where it comes from."""
    from ser_core import models

    rows = models.catalogue()
    if as_json:
        return emit(rows)
    click.echo(f"{'name':26} {'parameters':>12} {'claimed':>12}  {'standing':14} {'input':34} source")
    for row in rows:
        counts = f"{row['parameters'] or '–':>12,}" if row["parameters"] else f"{'–':>12}"
        claimed = f"{row['claimed']:,}" if row["claimed"] else "–"
        click.echo(f"{row['name']:26} {counts} {claimed:>12}  {row['standing']:14} {row['input']:34} {row['source']}")


@click.command()
@spec_options
@click.option("--fold", type=int, help="From 0 [0]")
@click.option("--seed", type=int, help="[0]")
@force_option
@as_json
def run(fresh: bool, as_json: bool, **choices) -> None:
    """Train and judge one network on one fold, or take the row from the store."""
    from ser_core.experiments.run import run_spec

    result = run_spec(make_spec(choices), fresh=fresh)
    emit(result.to_json()) if as_json else click.echo(summary(result))


@click.command()
@click.argument("name", required=False)
@spec_options
@click.option("--folds", help="Such as 0,2 or 0-5 [all]")
@click.option("--seeds", default="0", show_default=True, help="Such as 0-2")
@click.option("--models", help="Several networks, separated by commas.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Cells at a time, each in a process."
)
@click.option(
    "--scheduler",
    help="Address of a Dask scheduler, tcp://HOST:8786: its workers run the cells; --workers plays no part.",
)
@click.option(
    "--skip-published",
    "unpublished",
    cls=RenamedOption,
    old="--unpublished",
    is_flag=True,
    help="Leave out runs whose result is in runs/published already.",
)
@force_option
@click.option("--json-lines", is_flag=True, help="Print each row as it finishes, one JSON a line.")
@as_json
@click.pass_context
def sweep(ctx, name, folds, seeds, models, workers, scheduler, unpublished, fresh, json_lines, as_json, **choices):
    """Run many cells: those of a NAME, or the folds and seeds of one choice.

    NAME is a table of the paper (table2, table4, table5, table6) or all of them and more (all), for which the other
    options still count, or a profile (demo, quick, paper, published), whose cells are fixed.

    Rows that exist are not run again; a failed cell is a row with its error, the others go on, and the exit code is 1.
    """
    from ser_core import corpora
    from ser_core.experiments import grids, presets, store
    from ser_core.experiments import sweep as sweeping
    from ser_core.protocols import splits

    given = {key: value for key, value in choices.items() if value is not None}
    chosen = numbers(folds, "folds") if folds else None
    if name in grids.NAMES:
        if models or choices["model"]:
            raise SerError(f"{name}: its systems are fixed; leave out --model and --models")
        if "test_corpus" in given:
            given.setdefault("protocol", "cross")
        specs = list(grids.grid_specs(name, folds=chosen, seeds=numbers(seeds, "seeds"), **given))
    elif name:
        if name not in presets.PROFILES:
            known = ", ".join((*grids.NAMES, *presets.PROFILES))
            raise SerError(f"{name!r}: neither a table nor a profile; choose among {known}")
        if given or folds or models:
            raise SerError(f"profile {name}: its cells are fixed; leave out the other options")
        specs = list(presets.get_profile(name).specs)
    else:
        if models and choices["model"]:
            raise SerError("--model and --models: give one of the two")
        base = make_spec(choices)
        if chosen is None:
            chosen = range(splits.fold_count(corpora.load(base.corpus), base.protocol))
        axes = {"fold": chosen, "seed": numbers(seeds, "seeds")}
        names = [one.strip() for one in models.split(",")] if models else [base.model]
        specs = [spec for name in names for spec in sweeping.expand(make_spec(choices | {"model": name}), **axes)]
    if unpublished:
        there = store.published_specs()
        specs = [spec for spec in specs if spec not in there]
    results = []
    for result in sweeping.run_sweep(specs, workers=workers, scheduler=scheduler, fresh=fresh):
        results.append(result)
        if json_lines:
            emit(result.to_json())
        elif not as_json:
            click.echo(summary(result))
    if as_json:
        emit([result.to_json() for result in results])
    ctx.exit(0 if all(result.ok for result in results) else 1)
