"""``ser audit``: the claims of a paper, checked by computation."""

from dataclasses import asdict
from pathlib import Path

import click

from ser_core.cli.base import as_json, emit


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@as_json
def audit(file: Path | None, as_json: bool) -> None:
    """Check a paper's claims by computation: FILE (TOML or JSON), or by default the paper of this suite.

    Exit code 0 when the claims could be checked, whatever the verdicts.
    """
    from ser_core.claims import audit as auditing

    claims, results = auditing.check_claims(file)
    emit([asdict(result) for result in results]) if as_json else click.echo(auditing.format_results(claims, results))
