"""The shell command ``ser``. Thin: each command calls one function and prints what it gives.

Standard output carries the answer (with ``--json``, JSON on one line), standard error the progress. Input that cannot
be used is one line and exit code 1.
"""

import json
import os
import sys
from pathlib import Path

import click

from ser_core import __version__
from ser_core.errors import SerError


class Commands(click.Group):
    """A group that turns :class:`SerError` into one line, and Ctrl-C into one line too."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except SerError as error:
            click.echo(f"ser: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("ser: stopped; start the same command again to go on", err=True)
            sys.stdout.flush()
            os._exit(130)  # at once: a pool whose workers were stopped would be waited for
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(1)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on one line.")


def emit(value) -> None:
    """JSON on one line."""
    click.echo(json.dumps(value))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Small speech-emotion-recognition networks, measured in the open."""


@main.group()
def data() -> None:
    """Corpora: list, download, verify."""


@data.command("list")
@as_json
def data_list(as_json: bool) -> None:
    """Every corpus, how much of it is here, and its licence."""
    from ser_core import corpora

    rows = []
    for name, corpus in corpora.CORPORA.items():
        try:
            found = len(corpora.load(name))
        except SerError:
            found = 0
        rows.append({"name": name, "title": corpus.title, "expected": corpus.expected, "found": found,
                     "emotions": list(corpus.labels), "licence": corpus.licence, "demo": corpus.demo})  # fmt: skip
    if as_json:
        return emit(rows)
    for row in rows:
        click.echo(f"{row['name']:26} {row['found']:>5} of {row['expected']:>5}  {row['licence']}")


@data.command("fetch")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
@click.option("--from", "mirror", help="Download from this address instead of the published one.")
@click.option("--force", is_flag=True, help="Download even when everything seems to be there.")
@as_json
def data_fetch(name: str, yes: bool, mirror: str | None, force: bool, as_json: bool) -> None:
    """Download RAVDESS or TESS from its published DOI into SER_DATA; an interrupted download goes on."""
    from ser_core.corpora import fetch

    result = fetch.fetch(name, accept=yes, mirror=mirror, force=force)
    if as_json:
        return emit(result)
    state = "downloaded" if result["fetched"] else "already there"
    count = f"{result['found']} of {result['expected']} utterances"
    click.echo(f"{result['corpus']}: {state}, {count} in {result['folder']}")


@data.command("verify")
@click.argument("name")
@as_json
@click.pass_context
def data_verify(ctx, name: str, as_json: bool) -> None:
    """Compare a corpus with its canonical file list; exit code 1 only where a file is changed."""
    from ser_core.corpora import verify

    result = verify.verify(name, progress=not as_json)
    if as_json:
        emit(result)
    else:
        click.echo(f"{name}: {result['found']} of {result['expected']} utterances in {result['folder']}")
        for kind in ("missing", "changed", "duplicates", "extra", "unverifiable"):
            names = result[kind]
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more (--json lists all)" if len(names) > 3 else "")
            click.echo(f"  {kind:13} {len(names):>5}  {shown}".rstrip())
    ctx.exit(1 if result["changed"] else 0)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--channels", default="42", show_default=True, help="Feature channels: 13, 14, 39, 40, 42 or wide.")
@as_json
@click.pass_context
def inspect(ctx, files: tuple[Path, ...], channels: str, as_json: bool) -> None:
    """What the suite sees in recordings: length, rate, channels, level, frames, feature shape.

    A file that cannot be used is one line; the others are still read, and the exit code is 1.
    """
    from ser_core import features

    features.channel_names(channels)
    rows = []
    for path in files:
        try:
            rows.append({"file": str(path)} | features.describe(path, channels=channels))
        except SerError as error:
            rows.append({"file": str(path), "error": str(error)})
            click.echo(f"ser: {error}", err=True)
    if as_json:
        emit(rows)
    else:
        for row in (row for row in rows if "error" not in row):
            channels_word = "channel" if row["channels"] == 1 else "channels"
            shape = "x".join(map(str, row["feature_shape"]))
            cut = f", cut to {row['feature_shape'][0]}" if row["frames"] > row["feature_shape"][0] else ""
            click.echo(
                f"{row['file']}: {row['seconds']:.2f} s, {row['rate']} Hz, {row['channels']} {channels_word}, "
                f"{row['format']} {row['subtype']}, peak {row['peak_dbfs']:.1f} dBFS, RMS {row['rms_dbfs']:.1f} dBFS, "
                f"{row['frames']} frames{cut}, features {shape}"
            )
    ctx.exit(1 if any("error" in row for row in rows) else 0)


def spec_options(command):
    """The options that make a Spec; what is not given keeps the spec's default."""
    options = [
        click.option("--corpus", help="Corpus: ravdess, tess, ravtess, demo, folder:PATH, csv:PATH, ... [demo]"),
        click.option("--protocol", help="speaker or random [speaker]"),
        click.option("--model", help="One of `ser models`, or your package.module:function [cnn_bilstm_attention]"),
        click.option("--channels", help="13, 14, 39, 40, 42, wide or another input [what the model was made for]"),
        click.option("--augment", help="Of noise,stretch,shift,pitch, or none [all four]"),
        click.option("--copies", type=int, help="Copies a technique [1]"),
        click.option("--epochs", type=int, help="At most so many [300]"),
        click.option("--patience", type=int, help="Epochs without a better validation loss [20]"),
        click.option("--batch", type=int, help="Utterances a step [32]"),
        click.option("--optimizer", help="adam, rmsprop or sgd [what the model's source says; adam]"),
        click.option("--learning-rate", type=float, help="0.001 (II.D.5) or 0.0001 (III.A) [the source's; 0.001]"),
        click.option(
            "--precision", type=click.Choice(["float32", "mixed_bfloat16"]), help="Of the convolutions [float32]"
        ),
        click.option("--frames", type=int, help="Input length, for the paper's channels 10 ms each [400]"),
        click.option("--denoise", is_flag=True, default=None, help="Reduce noise first."),
        click.option("--no-znorm", "znorm", flag_value=False, default=None, type=bool, help="Leave out Eq. 4."),
        click.option("--no-normalise", "normalise", flag_value=False, default=None, type=bool, help="Keep the level."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def make_spec(choices: dict):
    """A Spec from the options that were given."""
    from ser_core.experiment import Spec

    sys.path.append(os.getcwd())  # a user's own builder may lie here
    return Spec(**{key: value for key, value in choices.items() if value is not None})


def summary(row: dict) -> str:
    """A row as one line for people."""
    spec = row["spec"]
    where = (
        f"{spec['model']} on {spec['corpus']}, protocol {spec['protocol']}, fold {spec['fold']}, seed {spec['seed']}"
    )
    if row["status"] != "ok":
        return f"{where}: error: {row['error']}"
    limits = row["intervals"]["uar"]
    spread = f" [{100 * limits[0]:.1f}, {100 * limits[1]:.1f}] over {row['intervals']['unit']}s" if limits else ""
    missing = row["completeness"]["missing"]
    fitted = f"chosen {row.get('chosen')}"
    if row["epochs"]:
        fitted = f"{row['parameters']:,} parameters, best of {row['epochs']} epochs {row['best_epoch']}"
    lacking = f"; {len(missing)} of {row['completeness']['expected']} utterances missing" if missing else ""
    return (
        f"{where}{' (demo)' if row['demo'] else ''}: accuracy {100 * row['scores']['accuracy']:.1f} %, "
        f"UAR {100 * row['scores']['uar']:.1f} %{spread}, {row['n_test']} utterances, "
        f"{fitted}{lacking}"
    )


@main.command("models")
@as_json
def list_models(as_json: bool) -> None:
    """Every system that can be asked for by name: parameters at 8 classes, what is claimed, where it comes from."""
    from ser_core import models

    rows = models.catalogue()
    if as_json:
        return emit(rows)
    for row in rows:
        counts = f"{row['parameters'] or '–':>12,}" if row["parameters"] else f"{'–':>12}"
        claimed = f"{row['claimed']:,}" if row["claimed"] else "–"
        click.echo(f"{row['name']:26} {counts} {claimed:>12}  {row['standing']:14} {row['input']:34} {row['source']}")


@main.command()
@spec_options
@click.option("--fold", type=int, help="From 0 [0]")
@click.option("--seed", type=int, help="[0]")
@click.option("--fresh", is_flag=True, help="Train anew even where the store has the row.")
@as_json
def run(fresh: bool, as_json: bool, **choices) -> None:
    """Train and judge one network on one fold, or take the row from the store."""
    from ser_core import experiment

    row = experiment.run(make_spec(choices), fresh=fresh)
    emit(row) if as_json else click.echo(summary(row))


def _numbers(text: str, name: str) -> list[int]:
    """``"0,2-4"`` to [0, 2, 3, 4]."""
    try:
        parts = [part.split("-") for part in text.split(",")]
        return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]
    except ValueError:
        raise SerError(f"--{name} {text!r}: give numbers such as 0,2 or 0-5") from None


@main.command()
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
@click.option("--unpublished", is_flag=True, help="Pass over cells whose row stands in runs/published already.")
@click.option("--fresh", is_flag=True, help="Train anew what the store holds.")
@click.option("--json-lines", is_flag=True, help="Print each row as it finishes, one JSON a line.")
@as_json
@click.pass_context
def sweep(ctx, name, folds, seeds, models, workers, scheduler, unpublished, fresh, json_lines, as_json, **choices):
    """Run many cells: those of a NAME, or the folds and seeds of one choice.

    NAME is a table of the paper (table2, table4, table5, table6) or all of them and more (all), for which the other
    options still count, or a profile (demo, quick, paper, published), whose cells are fixed.

    Rows that exist are not run again; a failed cell is a row with its error, the others go on, and the exit code is 1.
    """
    from ser_core import corpora, experiment, matrix, profiles, splits
    from ser_core import sweep as sweeping

    given = {key: value for key, value in choices.items() if value is not None}
    chosen = _numbers(folds, "folds") if folds else None
    if name in matrix.NAMES:
        if models or choices["model"]:
            raise SerError(f"{name}: its systems are fixed; leave out --model and --models")
        specs = list(matrix.cells(name, folds=chosen, seeds=_numbers(seeds, "seeds"), **given))
    elif name:
        if given or folds or models:
            raise SerError(f"profile {name}: its cells are fixed; leave out the other options")
        specs = list(profiles.profile(name).specs)
    else:
        base = make_spec(choices)
        if chosen is None:
            chosen = range(splits.folds(corpora.load(base.corpus), base.protocol))
        axes = {"fold": chosen, "seed": _numbers(seeds, "seeds")}
        names = models.split(",") if models else [base.model]
        specs = [spec for name in names for spec in sweeping.expand(make_spec(choices | {"model": name}), **axes)]
    if unpublished:
        there = experiment.published_specs()
        specs = [spec for spec in specs if spec not in there]
    rows = []
    for row in sweeping.sweep(specs, workers=workers, scheduler=scheduler, fresh=fresh):
        rows.append(row)
        if json_lines:
            emit(row)
        elif not as_json:
            click.echo(summary(row))
    if as_json:
        emit(rows)
    ctx.exit(1 if any(row["status"] != "ok" for row in rows) else 0)


@main.command()
@click.option("--profile", default="demo", show_default=True, help="demo, quick or paper")
@click.option("--fresh", is_flag=True, help="Execute every notebook again; stored results are still used.")
def reproduce(profile: str, fresh: bool) -> None:
    """Run every notebook and write the HTML report to runs/PROFILE/report/."""
    from ser_core import report as reports

    click.echo(reports.build(profile, fresh=fresh))


@main.command()
@click.option("--profile", help="Render this profile's report again; by default the published rows'.")
@click.option("--fresh", is_flag=True, help="Execute every notebook again.")
def report(profile: str | None, fresh: bool) -> None:
    """Write the HTML report from the published rows alone, or again from a profile's stored results."""
    from ser_core import report as reports

    click.echo(reports.build(profile or "published", fresh=fresh, published=profile is None))


@main.command()
@click.option("--readme", is_flag=True, help="Write the tables into README.md.")
@as_json
def tables(readme: bool, as_json: bool) -> None:
    """The published results as tables, claim and measurement side by side: the paper's network, and Tables II to VI."""
    from ser_core import comparison, experiment, paths
    from ser_core import tables as rendering

    folder = experiment.published_dir()
    pooled = rendering.pool(experiment.load_rows(folder), folder)
    if as_json:
        return emit(rendering.records(pooled))
    if not pooled:
        raise SerError(f"{folder}: no result rows to make a table of; run `ser sweep` and publish its rows first")
    text = comparison.markdown(pooled, folder)
    if readme:
        changed = rendering.update_readme(paths.root() / "README.md", text)
        return click.echo(f"README.md: {'updated' if changed else 'unchanged'}")
    click.echo(text)


@main.command()
@click.argument("profile", default="published")
@as_json
def publish(profile: str, as_json: bool) -> None:
    """Copy the finished rows of a profile, JSON and Parquet, from the store to runs/published/."""
    from ser_core import experiment, profiles

    names = experiment.publish(profiles.profile(profile).specs)
    emit(names) if as_json else click.echo(f"{len(names)} rows published")


if __name__ == "__main__":
    main()
