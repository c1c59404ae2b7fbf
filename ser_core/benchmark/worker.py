"""Measure one stage in this process: ``python -m ser_core.benchmark.worker JOB TARGET``, JSON in and out."""

import json
import sys
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.benchmark.job import Job
from ser_core.benchmark.stages import STAGES


def main(job: str, target: str) -> None:
    """Measure the stage that a job names and write its records."""
    described = Job(**json.loads(job))
    stages = STAGES[described.stage].measure(described)
    Path(target).write_text(json.dumps([stage.to_json() for stage in stages]), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SerError as error:
        sys.exit(str(error))
