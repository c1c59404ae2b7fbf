"""Train what the notebooks of a profile show, then execute those that changed, several at a time.

The runs come first, in processes that load TensorFlow once; the notebooks then find them in the store. A notebook that
measures time is executed alone, at the end.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from ser_core._utils import paths
from ser_core._utils.atomic import write_atomically
from ser_core._utils.processes import follow_parent
from ser_core._utils.progress import print_progress, redirect_stderr, report_progress
from ser_core.report.execution import execute, notebook_key
from ser_core.report.state import failed_runs, is_current, make_ignored_folder, progress_text, store_state

WORKERS = 2
"""Notebooks, and runs, at a time; fewer on one core."""
ALONE = ("11_hardware_timing",)
"""Notebooks that measure time: nothing else is executed meanwhile."""
FIRST = ("12_your_model", "06_protocols", "13_your_corpus")
"""Notebooks that take longest, which start before the others so that none of them ends alone."""
EVERY = 20.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Task:
    """One notebook to execute."""

    source: Path
    target: Path
    key: str  # by notebook_key
    where: str  # "[3/12] 03_training", for lines of progress

    @property
    def stamp(self) -> Path:
        """File that holds the hash of the inputs."""
        return self.target.with_suffix(".stamp.json")

    @property
    def log(self) -> Path:
        """File for standard error."""
        return self.target.with_suffix(".log")


def run_notebooks(plan, sources: list[Path], folder: Path, *, fresh: bool = False) -> dict[str, str]:
    """Execute the notebooks that changed.

    Parameters
    ----------
    plan : ser_core.experiments.presets.Profile
        The profile.
    sources : list of Path
        The notebooks.
    folder : Path
        Where the executed notebooks, their logs and stamps go.
    fresh : bool, default False
        Execute the unchanged notebooks too.

    Returns
    -------
    dict
        Error line of each notebook that failed, by the notebook's name.
    """
    make_ignored_folder(folder)
    parameters = {"profile": plan.name, "quick": paths.quick()}
    tasks = []
    for number, source in enumerate(sources, 1):
        where = f"[{number}/{len(sources)}] {source.stem}"
        task = Task(source, folder / source.name, notebook_key(source, plan, parameters), where)
        if not fresh and task.target.is_file() and is_current(task.stamp, task.key, plan):
            print_progress(f"{where}: unchanged")
        else:
            task.stamp.unlink(missing_ok=True)
            tasks.append(task)
    train_runs(plan, [task.source for task in tasks], folder / "runs.log")
    alone = [task for task in tasks if task.source.stem in ALONE and not plan.published]
    failures = {}
    others = sorted((task for task in tasks if task not in alone), key=lambda task: _place(task.source.stem))
    for group, workers in ((others, WORKERS), (alone, 1)):
        for task, failure, seconds in execute_all(plan, group, parameters, workers):
            _record(plan, task, failure, seconds)
            if failure:
                failures[task.source.stem] = failure
    return {task.source.stem: failures[task.source.stem] for task in tasks if task.source.stem in failures}


def _place(name: str) -> int:
    """Return the place of a notebook in the order of execution; those that are not :data:`FIRST` keep theirs."""
    return FIRST.index(name) if name in FIRST else len(FIRST)


def named_parts(plan, sources: list[Path]) -> list[str]:
    """Return the parts of a profile that the code of some notebooks names.

    Parameters
    ----------
    plan : ser_core.experiments.presets.Profile
        The profile.
    sources : list of Path
        The notebooks.
    """
    cells = [cell for source in sources for cell in json.loads(source.read_text(encoding="utf-8"))["cells"]]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return [part for part in plan.parts if f'"{part}"' in code]


def train_runs(plan, sources: list[Path], log: Path) -> None:
    """Train the runs that some notebooks show and the store lacks; a failed run is left to its notebook.

    Parameters
    ----------
    plan : ser_core.experiments.presets.Profile
        The profile.
    sources : list of Path
        The notebooks.
    log : Path
        File for the standard error of the processes.
    """
    if plan.published or not sources:
        return
    wanted = {spec for part in named_parts(plan, sources) for spec in plan.parts[part]}
    specs = [spec for spec in plan.specs if spec in wanted]
    if not specs:
        return
    from ser_core.experiments.sweep import run_sweep

    start, since = time.monotonic(), time.time()
    with redirect_stderr(log) as terminal, report_progress("runs", start, lambda: progress_text(plan, since), terminal):
        count = sum(1 for _ in run_sweep(specs, workers=_workers(WORKERS), progress=False))
    print_progress(f"runs: {count} done in {time.monotonic() - start:.0f} s")


def _workers(most: int) -> int:
    """Return how many processes to use: at most one per core."""
    return max(1, min(most, os.cpu_count() or 1))


def execute_all(plan, tasks: list[Task], parameters: dict, workers: int) -> Iterator[tuple[Task, str, float]]:
    """Execute notebooks, several at a time in processes of their own, in order.

    Parameters
    ----------
    plan : ser_core.experiments.presets.Profile
        The profile.
    tasks : list of Task
        The notebooks.
    parameters : dict
        Values for the cells tagged ``parameters``.
    workers : int
        Notebooks at a time.

    Yields
    ------
    task : Task
    failure : str
        "" on success, else one line.
    seconds : float
    """
    if not tasks:
        return
    waiting, running = deque(tasks), dict[Future, tuple[Task, float]]()
    workers, since = _workers(min(workers, len(tasks))), time.time()
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=follow_parent)
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                task = waiting.popleft()
                future = pool.submit(execute_logged, task.source, task.target, parameters, task.log)
                running[future] = task, time.monotonic()
            ended, _ = wait(running, timeout=EVERY, return_when=FIRST_COMPLETED)
            for future in ended:
                task, start = running.pop(future)
                yield task, _outcome(future), time.monotonic() - start
            if not ended:
                for task, start in running.values():
                    print_progress(f"{task.where}: {time.monotonic() - start:.0f} s{progress_text(plan, since)}")
    except BaseException:  # Ctrl-C: the processes end with this one
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def execute_logged(source: Path, target: Path, parameters: dict, log: Path) -> str:
    """Execute one notebook, with standard error in a log; see :func:`ser_core.report.execution.execute`."""
    with redirect_stderr(log):
        return execute(source, target, parameters)


def _outcome(future: Future) -> str:
    """Return the error line of an executed notebook; also where its process died."""
    error = future.exception()
    return f"{type(error).__name__}: {error}" if error else future.result()


def _record(plan, task: Task, failure: str, seconds: float) -> None:
    """Print how a notebook ended, and write its stamp on success."""
    if failure:
        return print_progress(f"{task.where}: stopped after {seconds:.0f} s: {failure}")
    if failed_runs(plan):
        return print_progress(f"{task.where}: done in {seconds:.0f} s, with failed runs, which are repeated next time")
    when = datetime.now().astimezone().isoformat(timespec="seconds")
    record = {"key": task.key, "rows": store_state(plan), "when": when}
    write_atomically(task.stamp, json.dumps(record, indent=1).encode())
    print_progress(f"{task.where}: done in {seconds:.0f} s")
