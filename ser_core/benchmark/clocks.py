"""Time calls of several contenders in turn: warm-up, blocks of calls, processor time, other work in between."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ser_core.benchmark.records import BACK_TO_BACK, NOT_MEASURED, PEER, Ratio, Timing

PAUSE = 0.05
"""Seconds of other work between two calls that are timed now and then."""


@dataclass(frozen=True)
class Contender:
    """One way of doing a stage.

    Attributes
    ----------
    name, role : str
        as in :class:`~ser_core.benchmark.records.Timing`
    call : callable
        without arguments; its time is measured
    before : callable or None
        called before each call, untimed
    missing : str or None
        why it cannot be measured here
    memory : callable or None
        returns the peak memory of the last call in MiB
    """

    name: str
    role: str
    call: Callable[[], object]
    before: Callable[[], object] | None = None
    missing: str | None = None
    memory: Callable[[], float | None] | None = None


@dataclass
class Record:
    """Times of a contender: one list per round in seconds, and the processor seconds of a call per round."""

    rounds: list[list[float]] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: float | None = None


def processor_seconds() -> float:
    """Return the processor time of this process, its threads and its ended children, in seconds."""
    try:
        import resource
    except ImportError:  # Windows
        return time.process_time()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def measure(
    contenders: Sequence[Contender],
    *,
    rounds: int,
    calls: int,
    warmup: int,
    mode: str = BACK_TO_BACK,
    utterances: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    used: Callable[[], float] = processor_seconds,
    between: Callable[[], object] | None = None,
    idle: float = 0.0,
    seconds: float = math.inf,
) -> list[Timing]:
    """Time contenders in turn: in each round a block of calls of the first, then of the second, and so on.

    Parameters
    ----------
    contenders : sequence of Contender
    rounds, calls : int
        blocks per contender, and timed calls per block
    warmup : int
        untimed calls of each contender before the first round
    mode : str
        ``back to back``; ``now and then`` with other work before each call, see ``between``
    utterances : int
        per call, for the throughput
    clock, used : callable
        return the time and the processor time in seconds
    between : callable, optional
        untimed work before each call
    idle : float, default 0, s
        sleep after each call; threads that spin meanwhile count as processor time of the call
    seconds : float, default infinite
        no round but the first begins later than this after the start

    Returns
    -------
    list of Timing
        in the order of ``contenders``
    """
    present, end = [one for one in contenders if one.missing is None], clock() + seconds
    records = {id(one): Record() for one in present}
    for one in present:
        for _ in range(warmup):
            _prepare(one, None)
            one.call()
    for number in range(rounds):
        if number and clock() > end:
            break
        for one in present:
            _block(one, records[id(one)], calls, clock, used, between, idle)
    peer = next((records[id(one)] for one in present if one.role == PEER), None)
    return [
        _timing(one, records[id(one)], peer, mode, utterances)
        if one.missing is None
        else Timing(one.name, one.role, mode, NOT_MEASURED, one.missing)
        for one in contenders
    ]


def _prepare(one: Contender, between: Callable[[], object] | None) -> None:
    """Do what comes before a call, untimed."""
    if one.before is not None:
        one.before()
    if between is not None:
        between()


def _block(one: Contender, record: Record, calls: int, clock, used, between, idle: float) -> None:
    """Time one block of calls."""
    seconds, processor = [], 0.0
    for _ in range(calls):
        _prepare(one, between)
        before, start = used(), clock()
        one.call()
        seconds.append(clock() - start)
        if idle:
            time.sleep(idle)
        processor += used() - before
    record.rounds.append(seconds)
    record.processor.append(processor / calls)
    if one.memory is not None:
        record.memory = max(record.memory or 0.0, one.memory() or 0.0)


def _timing(one: Contender, record: Record, peer: Record | None, mode: str, utterances: int) -> Timing:
    """Summarise the times of a contender."""
    seconds = np.concatenate(record.rounds)
    alone = peer is None or peer is record
    p25, p50, p75, p95 = (1000 * float(value) for value in np.percentile(seconds, [25, 50, 75, 95]))
    return Timing(
        name=one.name,
        role=one.role,
        mode=mode,
        calls=len(seconds),
        p25_ms=p25,
        p50_ms=p50,
        p75_ms=p75,
        p95_ms=p95,
        cpu_ms=1000 * float(np.median(record.processor)),
        per_second=1000 * utterances / p50 if p50 else None,
        memory_mib=record.memory,
        ratio=None if alone or peer is None else ratio_of(peer.rounds, record.rounds),
        cpu_ratio=None if alone or peer is None else _median_ratio(peer.processor, record.processor),
    )


def _median_ratio(peer: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the median of the ratios, or None where the clock is too coarse."""
    each = [a / b for a, b in zip(peer, other) if b > 0]
    return float(np.median(each)) if each else None


def ratio_of(peer: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> Ratio:
    """Compute how many times as long the peer takes, round by round.

    Parameters
    ----------
    peer, other : list of lists of float
        seconds of the calls of each round

    Returns
    -------
    Ratio

    Examples
    --------
    >>> ratio_of([[4.0, 4.0], [6.0, 60.0, 6.0]], [[2.0], [2.0]])
    Ratio(median=2.5, low=2.25, high=2.75, rounds=2)
    """
    each = [float(np.median(a) / np.median(b)) for a, b in zip(peer, other)]
    low, median, high = (float(value) for value in np.percentile(each, [25, 50, 75]))
    return Ratio(median, low, high, len(each))


class OtherWork:
    """Do other work for a while, so that a following call does not find its code and data in the caches.

    Parameters
    ----------
    seconds : float
        How long.
    """

    def __init__(self, seconds: float = PAUSE):
        self.seconds = seconds
        random = np.random.default_rng(0)
        self.values, self.order = random.standard_normal(2**20), random.standard_normal(2**14)

    def __call__(self) -> float:
        """Sort and add up arrays of several megabytes."""
        end, total = time.perf_counter() + self.seconds, 0.0
        while time.perf_counter() < end:
            total += float(np.sort(self.order)[0]) + float(self.values.sum())
        return total


def busy_seconds() -> float | None:
    """Return the processor time that all processes of the machine have used so far, in seconds; None where unknown."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    user, nice, system, _, _, irq, softirq = (int(value) for value in line[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def load() -> float | None:
    """Return the load of the machine in the last minute, or None where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
