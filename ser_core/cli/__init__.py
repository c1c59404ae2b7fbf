"""The shell command ``ser``. Thin: each command calls one function and prints what it gives.

Standard output carries the answer (with ``--json``, JSON on one line), standard error the progress. Input that cannot
be used is one line and exit code 1. One file a group of commands; what they call is imported when they are called.
"""

import click

from ser_core import __version__
from ser_core.cli import app, auditing, data, predicting, reporting, running, scoring
from ser_core.cli.base import Commands

COMMANDS = (
    data.data,
    data.inspect,
    running.list_models,
    running.run,
    running.sweep,
    auditing.audit,
    scoring.leaks,
    scoring.folds,
    scoring.score,
    predicting.predict,
    predicting.listen,
    predicting.export,
    reporting.reproduce,
    reporting.report,
    reporting.tables,
    reporting.publish,
    app.serve,
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Small speech-emotion-recognition networks, measured in the open."""


for command in COMMANDS:
    main.add_command(command)
