"""The commands ``ser models``, ``ser run`` and ``ser sweep``: list systems, compute one or many runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import (
    RenamedOption,
    allow_option,
    as_json,
    as_json_lines,
    emit,
    force_option,
    make_spec,
    numbers,
    spec_options,
    summary,
)

if TYPE_CHECKING:
    from ser_core.experiments.spec import Spec


@click.command("models")
@as_json
def list_models(as_json: bool) -> None:
    """List every system with its parameters and source.

    The parameters are those at 8 classes and those claimed; fidelity is how closely the system follows its source.
    """
    from ser_core import models

    rows = models.catalogue()
    if as_json:
        return emit(rows)
    click.echo(f"{'name':26} {'parameters':>12} {'claimed':>12}  {'fidelity':14} {'input':34} source")
    for row in rows:
        count = f"{row['parameters']:,}" if row["parameters"] else "–"
        claimed = f"{row['claimed']:,}" if row["claimed"] else "–"
        click.echo(
            f"{row['name']:26} {count:>12} {claimed:>12}  {row['fidelity']:14} {row['input']:34} {row['source']}"
        )


@click.command()
@spec_options
@click.option("--fold", type=int, help="Number of the fold, from 0 [0]")
@click.option("--seed", type=int, help="Seed of all random numbers [0]")
@force_option
@allow_option
@as_json
def run(fresh: bool, as_json: bool, **choices: Any) -> None:
    """Train and evaluate one system on one fold.

    A stored result is printed without being recomputed.
    """
    from ser_core.experiments.run import run_spec

    result = run_spec(make_spec(choices), fresh=fresh)
    emit(result.to_json()) if as_json else click.echo(summary(result))


@click.command()
@click.argument("name", required=False)
@spec_options
@click.option("--folds", help="Folds, such as 0,2 or 0-5 [all]")
@click.option("--seeds", default="0", show_default=True, help="Seeds, such as 0-2.")
@click.option("--models", help="Several systems, separated by commas.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Runs at a time, each in its own process.",
)
@click.option(
    "--scheduler",
    help="Address of a Dask scheduler, tcp://HOST:8786, whose workers compute the runs; --workers is ignored.",
)
@click.option(
    "--skip-published",
    "unpublished",
    cls=RenamedOption,
    old="--unpublished",
    is_flag=True,
    help="Skip runs whose result is in runs/published.",
)
@force_option
@allow_option
@as_json_lines
@as_json
@click.pass_context
def sweep(
    ctx: click.Context,
    name: str | None,
    folds: str | None,
    seeds: str,
    models: str | None,
    workers: int,
    scheduler: str | None,
    unpublished: bool,
    fresh: bool,
    json_lines: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Compute many runs, several at a time.

    Without NAME they are the folds and seeds of the options. NAME is a table of the paper (table2, table4, table5,
    table6), or all (these tables and more), to which the other options apply. Or it is a profile (demo, quick, paper,
    published), or a search over settings (reslstm): their runs are fixed.

    Stored results are reused. A run that fails gives a result with its error and exit code 1; the others continue.
    """
    from ser_core.experiments import store
    from ser_core.experiments import sweep as sweeping

    specs = _sweep_specs(name, folds, seeds, models, choices)
    if unpublished:
        published = store.published_keys()
        specs = [spec for spec in specs if store.spec_key(spec) not in published]
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


def _sweep_specs(
    name: str | None, folds: str | None, seeds: str, models: str | None, choices: dict[str, Any]
) -> list[Spec]:
    """Return the specs of a sweep from the options of ``ser sweep``."""
    from ser_core import corpora
    from ser_core._utils import paths
    from ser_core.experiments import grids, presets, searches
    from ser_core.experiments import sweep as sweeping
    from ser_core.protocols import splits

    fields = {key: value for key, value in choices.items() if value is not None}
    fold_numbers = numbers(folds, "folds") if folds else None
    if name in grids.NAMES:
        if models or choices["model"]:
            raise SerError(f"{name}: its systems are fixed; leave out --model and --models")
        if "test_corpus" in fields:
            fields.setdefault("protocol", "cross")
        return list(grids.grid_specs(name, folds=fold_numbers, seeds=numbers(seeds, "seeds"), **fields))
    if name:
        if name not in presets.PROFILES and name not in searches.SEARCHES:
            known = ", ".join((*grids.NAMES, *presets.PROFILES, *searches.SEARCHES))
            raise SerError(f"{name!r}: neither a table nor a profile; choose among {known}")
        if fields or folds or models:
            raise SerError(f"profile {name}: its runs are fixed; leave out the other options")
        if name in searches.SEARCHES:
            return searches.search_specs(name)
        return list(presets.get_profile(name, quick=paths.quick()).specs)
    if models and choices["model"]:
        raise SerError("--model and --models: give one of the two")
    base = make_spec(choices)
    if fold_numbers is None:
        fold_numbers = list(range(splits.fold_count(corpora.load(base.corpus), base.protocol)))
    axes = {"fold": fold_numbers, "seed": numbers(seeds, "seeds")}
    systems = [system.strip() for system in models.split(",")] if models else [base.model]
    return [spec for system in systems for spec in sweeping.expand(make_spec(choices | {"model": system}), **axes)]
