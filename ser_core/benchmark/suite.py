"""Run the benchmark: choose the recordings, describe the machine, measure each stage in a process of its own."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ser_core._utils import machine as this_machine
from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core._utils.words import near
from ser_core.benchmark import clocks, floors
from ser_core.benchmark.job import Job, run_in_process
from ser_core.benchmark.records import Benchmark, Machine, Peaks, Stage
from ser_core.benchmark.stages import STAGES

NETWORKS_SECONDS = 240.0
"""Time for the networks; with it, everything takes about seven minutes on two cores."""
ALL_CORES = ("a1", "cnn_bilstm_attention")
"""Networks that are measured with all cores, too."""
CLIP_SECONDS, CLIP_RATE = 3.9, 48_000
"""Length and sampling rate of the recording that is measured."""


def select_stages(only: Sequence[str], quick: bool = False) -> list[str]:
    """Return the names of the stages to measure, in their order.

    Parameters
    ----------
    only : sequence of str
        names, or beginnings of names such as ``clip``; none for all
    quick : bool, default False
        without ``only``, leave out the long ones

    Raises
    ------
    SerError
        for a name that no stage has

    Examples
    --------
    >>> select_stages(["clip"])
    ['clip_a1', 'clip_a5']
    """
    if not only:
        return [name for name, kind in STAGES.items() if kind.quick or not quick]
    for wanted in only:
        if not any(_matches(name, wanted) for name in STAGES):
            raise SerError(f"--only {wanted!r}: no such stage{near(wanted, STAGES)}; choose among {', '.join(STAGES)}")
    return [name for name in STAGES if any(_matches(name, wanted) for wanted in only)]


def _matches(name: str, wanted: str) -> bool:
    wanted = wanted.replace("-", "_")
    return name == wanted or name.startswith(f"{wanted}_") or wanted in (f"{name}_cold", f"{name}_warm")


def run_benchmark(only: Sequence[str] = (), *, quick: bool = False, progress: bool = True) -> Benchmark:
    """Measure the stages of the benchmark on this machine.

    Parameters
    ----------
    only : sequence of str
        see :func:`select_stages`
    quick : bool, default False
        few calls, few recordings
    progress : bool, default True
        show a bar on standard error

    Returns
    -------
    Benchmark

    Raises
    ------
    SerError
        for an unknown stage, or a measurement that fails
    """
    from tqdm import tqdm

    chosen = select_stages(only, quick)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    before, corpus = describe_machine(clocks.load()), choose_corpus()
    stages: list[Stage] = []
    networks: list[Stage] = []
    with tempfile.TemporaryDirectory(prefix="ser-bench-") as folder:
        clip = write_clip(corpus, Path(folder) / "clip.wav")
        bar = tqdm(chosen, desc="bench", unit="stage", disable=None if progress else True)
        for name in bar:
            bar.set_postfix_str(name)
            kind = STAGES[name]
            job = Job(name, str(clip), corpus, folder, kind.threads, quick)
            if name == "networks":
                networks += run_networks(job, bar.set_postfix_str)
            else:
                stages += run_in_process(job, gpu=kind.gpu)
    machine = replace(before, peaks=tuple(map(floors.best, before.peaks, measure_all_peaks())))
    return Benchmark(
        when=when,
        quick=quick,
        material=f"{corpus}; one recording of it, {CLIP_SECONDS:.2f} s, {CLIP_RATE:,} Hz, 16-bit WAV",
        machine=machine,
        stages=tuple(bounded(stage, machine) for stage in stages),
        networks=tuple(bounded(stage, machine) for stage in networks),
    )


def bounded(stage: Stage, machine: Machine) -> Stage:
    """Return a stage with the time of its floor at the measured limits of the machine."""
    return (
        stage if stage.floor is None else replace(stage, floor=floors.bound(stage.floor, machine.peak(stage.threads)))
    )


def measure_all_peaks() -> tuple[Peaks, ...]:
    """Measure the limits of the machine with one thread, and with all cores."""
    return tuple(floors.measure_peaks(threads) for threads in sorted({1, usable_cores()}))


def run_networks(job: Job, tell: Callable[[str], object]) -> Iterator[Stage]:
    """Measure every network of the zoo with one thread, and those of the paper with all cores.

    All together take about :data:`NETWORKS_SECONDS`: each gets an equal share of what is left.

    Parameters
    ----------
    job : Job
        its ``network``, ``threads`` and ``seconds`` are set here
    tell : callable
        gets the name of each network before it is measured

    Yields
    ------
    Stage
        one per network, number of threads and batch size
    """
    from ser_core.benchmark import runtimes

    cores, end = usable_cores(), time.perf_counter() + NETWORKS_SECONDS
    each = [(network, 1) for network in runtimes.network_names()]
    each += [(network, cores) for network in ALL_CORES if cores > 1]
    for place, (network, threads) in enumerate(each):
        tell(network)
        share = (end - time.perf_counter()) / (len(each) - place)
        if share > 0:
            yield from run_in_process(replace(job, network=network, threads=threads, seconds=share))
        else:
            yield runtimes.not_measured(network, 1, threads)


def run_growth(only: Sequence[str] = (), *, quick: bool = False, progress: bool = True) -> Benchmark:
    """Measure how costs grow with size; see :mod:`ser_core.benchmark.growth`.

    Parameters
    ----------
    only : sequence of str
        names of curves
    quick : bool, default False
        few small sizes
    progress : bool, default True
        show a bar on standard error

    Returns
    -------
    Benchmark
        without stages
    """
    from ser_core.benchmark import growth

    when, load = datetime.now(UTC).isoformat(timespec="seconds"), clocks.load()
    curves = growth.measure_growth(tuple(only), quick=quick, progress=progress)
    return Benchmark(when, quick, "made from the demo corpus", describe_machine(load), growth=curves)


def choose_corpus() -> str:
    """Return ``ravdess`` where its recordings are, else the demo corpus."""
    from ser_core import corpora

    try:
        return "ravdess" if len(corpora.load("ravdess")) > 0 else "demo"
    except SerError:
        return "demo"


def write_clip(corpus: str, path: Path) -> Path:
    """Write the recording that is measured: an utterance of a corpus, repeated or cut to 3.90 s.

    Parameters
    ----------
    corpus : str
        The utterance in the middle of its table is taken.
    path : Path
        WAV file to write: 16 bits, one channel, 48 kHz.
    """
    import soundfile

    from ser_core import audio, corpora
    from ser_core._utils.segments import sources

    table = corpora.load(corpus)
    source = sources(table)[len(table) // 2]
    samples = np.resize(audio.read(source, rate=CLIP_RATE), round(CLIP_SECONDS * CLIP_RATE))
    soundfile.write(path, samples, CLIP_RATE, subtype="PCM_16")
    return path


def describe_machine(load: float | None) -> Machine:
    """Describe this machine, with its measured limits.

    Parameters
    ----------
    load : float or None
        load of the last minute before the benchmark
    """
    import platform

    cores = usable_cores()
    return Machine(
        processor=this_machine.processor_name(),
        system=f"{platform.system()} {platform.machine()}",
        cores=cores,
        memory_mib=_memory_mib(),
        gpu=_gpu_name(),
        load=load,
        peaks=measure_all_peaks(),
        versions=this_machine.versions(),
    )


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_mib() -> float | None:
    """Return the memory of the machine, or None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (AttributeError, OSError, ValueError):
        return None


def _gpu_name() -> str | None:
    """Return the name of the first NVIDIA GPU by its driver, or None."""
    try:
        found = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        lines = found[0].read_text().splitlines() if found else []
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("Model")), None)


def published_path() -> Path:
    """Return the path of the published benchmark, ``runs/published/bench.json``."""
    return paths.runs_dir() / "published" / "bench.json"
