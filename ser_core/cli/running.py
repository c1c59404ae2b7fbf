"""The commands ``ser models``, ``ser run`` and ``ser sweep``: list systems, compute one or many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted, near
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
)
from ser_core.cli.result_line import summary

if TYPE_CHECKING:
    from ser_core.experiments.continuous import ContinuousResult
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
    wide = {name: max(len(name), *(len(row[name]) for row in rows)) for name in ("name", "fidelity", "input")}
    number = lambda value: f"{value:,}" if value else "–"  # noqa: E731
    titles = {name: name for name in ("name", "parameters", "claimed", "fidelity", "input", "source")}
    for row in [titles, *(row | {name: number(row[name]) for name in ("parameters", "claimed")} for row in rows)]:
        click.echo(
            f"{row['name']:{wide['name']}}  {row['parameters']:>10}  {row['claimed']:>10}  "
            f"{row['fidelity']:{wide['fidelity']}}  {row['input']:{wide['input']}}  {row['source']}"
        )


target_option = click.option(
    "--target", help="Predict arousal, valence or dominance instead of the emotion, where the corpus has them."
)


def _score_text(score: Mapping[str, Any]) -> str:
    """Return a CCC with its interval and the error as text."""
    interval = score["interval"]
    limits = f" [{interval[0]:.3f}, {interval[1]:.3f}] over {score['n']} speakers" if interval else ""
    return f"CCC {score['ccc']:.3f}{limits}, RMSE {score['rmse']:.3f}"


def _continuous_line(result: ContinuousResult) -> str:
    """Return a result on a continuous label as one line for people."""
    spec = result.spec
    scale = f" ({result.scale})" if result.scale else ""
    return (
        f"{spec['model']} on {spec['corpus']}, {result.target}{scale}, protocol {spec['protocol']}, "
        f"fold {spec['fold']}, seed {spec['seed']}: {_score_text(result.score)}, "
        f"{counted(result.n_test, 'utterance')}, "
        f"{counted(result.parameters or 0, 'parameter')}, best epoch {result.best_epoch} of {result.epochs}"
    )


def _sweep_continuous(specs: Sequence[Spec], target: str, fresh: bool, json_lines: bool, as_json: bool) -> None:
    """Run specs on a continuous label one after the other, and pool the folds of each setting and seed."""
    from dataclasses import replace

    from ser_core.experiments import continuous

    groups: dict[Spec, list[ContinuousResult]] = {}
    for spec in specs:
        result = continuous.run_continuous(spec, target, fresh=fresh)
        groups.setdefault(replace(spec, fold=0), []).append(result)
        if json_lines:
            emit(result.to_json())
        elif not as_json:
            click.echo(_continuous_line(result))
    if as_json:
        return emit([result.to_json() for group in groups.values() for result in group])
    if not json_lines:
        for spec, group in groups.items():
            pooled = continuous.pool(group)
            count = f"{counted(len(pooled['folds']), 'fold')}, {counted(pooled['n_test'], 'utterance')}"
            click.echo(f"{spec.model}, seed {spec.seed}, {count}: {target} {_score_text(pooled)}")


@click.command()
@spec_options
@click.option("--fold", type=int, help="Number of the fold, from 0 [0]")
@click.option("--seed", type=int, help="Seed of all random numbers [0]")
@target_option
@force_option
@allow_option
@as_json
def run(fresh: bool, as_json: bool, target: str | None, **choices: Any) -> None:
    """Train and evaluate one system on one fold.

    A stored result is printed without being recomputed. With --target a network predicts a continuous label of the
    corpus, scored by its concordance correlation (CCC).
    """
    if target:
        from ser_core.experiments import continuous

        found = continuous.run_continuous(make_spec(choices), target, fresh=fresh)
        return emit(found.to_json()) if as_json else click.echo(_continuous_line(found))
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
@target_option
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
    target: str | None,
    fresh: bool,
    json_lines: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Compute many runs, several at a time.

    Without NAME they are the folds and seeds of the options. NAME is a table of the paper (table2, table4, table5,
    table6; on RAVDESS or RavTess where no corpus is named), or all (these tables and more), to which the other options
    apply. Or it is a profile (demo, quick, paper, published), or a search over settings (reslstm): their runs are
    fixed.

    With --target networks predict a continuous label, and the folds are pooled. Stored results are reused. A run that
    fails gives a result with its error and exit code 1; the others continue.
    """
    from ser_core.experiments import store
    from ser_core.experiments import sweep as sweeping

    specs = _sweep_specs(name, folds, seeds, models, choices)
    if target:
        if scheduler or workers > 1 or unpublished:
            raise SerError("--target: runs one after the other; leave out --workers, --scheduler and --skip-published")
        return _sweep_continuous(specs, target, fresh, json_lines, as_json)
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
            known = (*grids.NAMES, *presets.PROFILES, *searches.SEARCHES)
            meant = near(name, known)
            raise SerError(f"{name!r}: neither a table nor a profile{meant}; choose among {', '.join(known)}")
        if fields or folds or models:
            raise SerError(f"profile {name}: its runs are fixed; leave out the other options")
        if name in searches.SEARCHES:
            return searches.search_specs(name)
        return list(presets.get_profile(name, quick=paths.quick()).specs)
    if models and choices["model"]:
        raise SerError("--model and --models: give one of the two")
    base = make_spec(choices)
    count = splits.fold_count(corpora.load(base.corpus), base.protocol)
    fold_numbers = list(range(count)) if fold_numbers is None else fold_numbers
    for number in fold_numbers:
        splits.check_fold(number, count, base.protocol)
    axes = {"fold": fold_numbers, "seed": numbers(seeds, "seeds")}
    systems = [system.strip() for system in models.split(",")] if models else [base.model]
    bases = [make_spec(choices | {"model": system}, mixed=len(systems) > 1) for system in systems]
    return [spec for base in bases for spec in sweeping.expand(base, **axes)]
