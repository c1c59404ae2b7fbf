"""The command ``ser audit``: check the claims of a paper by computation."""

from dataclasses import asdict
from pathlib import Path

import click

from ser_core.cli.base import as_json, emit


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@as_json
def audit(file: Path | None, as_json: bool) -> None:
    """Check the claims of a paper by computation.

    FILE is TOML or JSON; by default the paper of this suite. The exit code is 0 if the claims could be checked,
    whatever the verdicts.
    """
    from ser_core.claims import audit as auditing

    claims, results = auditing.check_claims(file)
    emit([asdict(result) for result in results]) if as_json else click.echo(auditing.format_results(claims, results))
