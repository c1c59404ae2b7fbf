"""The command ``ser bench``: measure the suite against its peers and the floor of the machine."""

from __future__ import annotations

from pathlib import Path

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import as_json, emit


@click.command()
@click.option("--quick", is_flag=True, help="Few calls and recordings, in about two minutes.")
@click.option("--only", multiple=True, metavar="NAME", help="Measure this stage only; may be repeated.")
@click.option("--growth", is_flag=True, help="Measure how costs grow with size, instead of the stages.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result as JSON.")
@click.option("--readme", type=click.Path(path_type=Path), help="Write the table of this result into README.md.")
@as_json
def bench(
    quick: bool, only: tuple[str, ...], growth: bool, output: Path | None, readme: Path | None, as_json: bool
) -> None:
    """Measure the suite against its peers and the floor of the machine.

    Each stage measures the usual way (librosa, Keras) and that of the suite in turn: one recording to its emotion,
    features, a stream, the start of the program, a corpus, training.
    """
    from ser_core._utils import paths
    from ser_core.benchmark import records, suite, tables

    if readme is not None:
        if quick or only or growth or output:
            raise SerError("--readme: takes a stored result; leave out the other options")
        changed = tables.update_readme(paths.root() / "README.md", records.read_benchmark(readme))
        return click.echo(f"README.md: {'updated' if changed else 'unchanged'}")
    measured = suite.run_growth(only, quick=quick) if growth else suite.run_benchmark(only, quick=quick)
    if output is not None:
        records.write_benchmark(measured, output)
    emit(measured.to_json()) if as_json else click.echo(tables.benchmark_text(measured))
