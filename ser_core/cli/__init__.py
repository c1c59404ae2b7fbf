"""The shell command ``ser``: each command calls one function of the package and prints its result.

Standard output carries the result (with ``--json``, JSON on one line), standard error the progress. Unusable input
gives a one-line error and exit code 1. There is one module per group of commands. Other sub-packages are imported when
a command runs, so that the help appears at once.
"""

import click

from ser_core import __version__
from ser_core.cli import app, auditing, benchmarking, data, predicting, reporting, running, scoring
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
    benchmarking.bench,
    reporting.reproduce,
    reporting.report,
    reporting.tables,
    reporting.publish,
    app.serve,
)
"""Every command and group of ``ser``."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Train, evaluate and use small speech-emotion-recognition networks."""


for command in COMMANDS:
    main.add_command(command)
