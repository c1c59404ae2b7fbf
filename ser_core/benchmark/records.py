"""Typed records of a benchmark: timings, floors, stages and the machine; each to and from JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError

MEASURED, NOT_MEASURED = "measured", "not measured"
"""Status of a timing."""
BACK_TO_BACK, NOW_AND_THEN = "back to back", "now and then"
"""Modes of a timing: one call after the other, or other work between two calls."""
PEER, OURS = "peer", "ours"
"""Roles of the two timings that a stage compares; any other timing has the role ``other``."""


@dataclass(frozen=True)
class Ratio:
    """How many times as long the peer takes: over the rounds, each of which measured both.

    Attributes
    ----------
    median, low, high : float
        median and quartiles over the rounds
    rounds : int
    """

    median: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True)
class Timing:
    """Time of one way of doing a stage.

    Attributes
    ----------
    name : str
        what was called
    role : str
        ``peer``, ``ours`` or ``other``
    mode : str
        ``back to back`` or ``now and then``
    status : str
        ``measured`` or ``not measured``
    reason : str or None
        why it was not measured
    calls : int
        timed calls
    p25_ms, p50_ms, p75_ms, p95_ms : float or None
        percentiles of the time of a call, linear between neighbours
    cpu_ms : float or None
        processor time of a call, of all its threads and processes: median over the rounds
    per_second : float or None
        utterances per second at the median
    memory_mib : float or None
        peak memory of the process, where the stage starts one for each call
    ratio : Ratio or None
        the peer's time over this one in the same mode; None for the peer
    cpu_ratio : float or None
        the same of the processor time, the median over the rounds; less disturbed where the machine is busy
    """

    name: str
    role: str
    mode: str = BACK_TO_BACK
    status: str = MEASURED
    reason: str | None = None
    calls: int = 0
    p25_ms: float | None = None
    p50_ms: float | None = None
    p75_ms: float | None = None
    p95_ms: float | None = None
    cpu_ms: float | None = None
    per_second: float | None = None
    memory_mib: float | None = None
    ratio: Ratio | None = None
    cpu_ratio: float | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Timing:
        """Make a timing from its JSON."""
        return cls(**values | {"ratio": values.get("ratio") and Ratio(**values["ratio"])})


@dataclass(frozen=True)
class Peaks:
    """Measured limits of the machine with a number of threads.

    Attributes
    ----------
    threads : int
    gflops : float
        billions of operations per second of a float32 matrix product
    gigabytes : float
        billions of bytes per second of a copy, read and written
    """

    threads: int
    gflops: float
    gigabytes: float


@dataclass(frozen=True)
class Floor:
    """Lower bound of a stage's time: its operations at the peak of a product, its bytes at the memory's bandwidth.

    Attributes
    ----------
    operations, bytes : int
        that no way of doing the stage can leave out, per call
    counted : str
        what was counted
    ms : float
        the larger of the two bounds
    """

    operations: int
    bytes: int
    counted: str
    ms: float


@dataclass(frozen=True)
class Stage:
    """One stage of the benchmark: the timings of its peer and of the suite, interleaved.

    Attributes
    ----------
    name, title : str
    utterances : int
        per call
    threads : int or None
        of every library; None for the default of each
    timings : tuple of Timing
    floor : Floor or None
    difference : float or None
        largest difference between the outputs of the peer and of the suite
    notes : tuple of str
        what else was seen, such as final losses
    others : float or None
        share of the machine's processor time that other processes used meanwhile
    load : float or None
        load of the machine in the last minute, at the end
    seconds : float
        duration of the measurement
    """

    name: str
    title: str
    utterances: int = 1
    threads: int | None = None
    timings: tuple[Timing, ...] = ()
    floor: Floor | None = None
    difference: float | None = None
    notes: tuple[str, ...] = ()
    others: float | None = None
    load: float | None = None
    seconds: float = 0.0

    def timing(self, role: str, mode: str = BACK_TO_BACK) -> Timing | None:
        """Return the timing with this role and mode, or None."""
        return next((one for one in self.timings if (one.role, one.mode) == (role, mode)), None)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return asdict(self) | {"timings": [asdict(one) for one in self.timings], "notes": list(self.notes)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Stage:
        """Make a stage from :meth:`to_json`."""
        made = dict(values)
        made["timings"] = tuple(Timing.from_json(one) for one in made["timings"])
        made["floor"] = made.get("floor") and Floor(**made["floor"])
        made["notes"] = tuple(made.get("notes", ()))
        return cls(**made)


@dataclass(frozen=True)
class Point:
    """Cost at one size.

    Attributes
    ----------
    size : int
        of what the curve counts
    seconds : float
    memory_mib : float or None
        peak of the process and its workers
    """

    size: int
    seconds: float
    memory_mib: float | None = None


@dataclass(frozen=True)
class Curve:
    """Growth of a cost with a size.

    Attributes
    ----------
    name, title, unit : str
        ``unit`` is what ``size`` counts
    points : tuple of Point
        by increasing size
    status, reason : str, str or None
        as for :class:`Timing`
    """

    name: str
    title: str
    unit: str
    points: tuple[Point, ...] = ()
    status: str = MEASURED
    reason: str | None = None

    @property
    def per_unit(self) -> tuple[float, ...]:
        """Milliseconds per unit that each further part costs: the slope between neighbouring points.

        Examples
        --------
        >>> Curve("a", "a", "row", (Point(10, 1.0), Point(20, 2.0), Point(40, 4.0))).per_unit
        (100.0, 100.0)
        """
        pairs = zip(self.points, self.points[1:])
        return tuple(1000 * (b.seconds - a.seconds) / (b.size - a.size) for a, b in pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return asdict(self) | {"points": [asdict(point) for point in self.points]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Curve:
        """Make a curve from :meth:`to_json`."""
        return cls(**values | {"points": tuple(Point(**point) for point in values["points"])})


@dataclass(frozen=True)
class Machine:
    """Where and with what a benchmark was measured.

    Attributes
    ----------
    processor, system : str
    cores : int
        that this process may use
    memory_mib : float or None
    gpu : str or None
    load : float or None
        load of the last minute before the start
    peaks : tuple of Peaks
        with one thread, and with all
    versions : dict
        package to version
    """

    processor: str
    system: str
    cores: int
    memory_mib: float | None
    gpu: str | None
    load: float | None
    peaks: tuple[Peaks, ...]
    versions: dict[str, str]

    def peak(self, threads: int | None) -> Peaks:
        """Return the measured limits with a number of threads; None is all."""
        return next((one for one in self.peaks if one.threads == threads), self.peaks[-1])

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Machine:
        """Make a machine from its JSON."""
        return cls(**values | {"peaks": tuple(Peaks(**one) for one in values["peaks"])})


@dataclass(frozen=True)
class Benchmark:
    """One run of ``ser bench``.

    Attributes
    ----------
    when : str
        start, ISO 8601
    quick : bool
    material : str
        the recordings
    machine : Machine
    stages : tuple of Stage
    networks : tuple of Stage
        of :mod:`ser_core.benchmark.runtimes`: one per network, batch size and number of threads
    growth : tuple of Curve
    """

    when: str
    quick: bool
    material: str
    machine: Machine
    stages: tuple[Stage, ...] = ()
    networks: tuple[Stage, ...] = ()
    growth: tuple[Curve, ...] = ()

    def stage(self, name: str) -> Stage | None:
        """Return a stage by its name, or None."""
        return next((one for one in self.stages if one.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {
            "machine": asdict(self.machine) | {"peaks": [asdict(one) for one in self.machine.peaks]},
            "stages": [stage.to_json() for stage in self.stages],
            "networks": [stage.to_json() for stage in self.networks],
            "growth": [curve.to_json() for curve in self.growth],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Benchmark:
        """Make a benchmark from :meth:`to_json`."""
        made = dict(values)
        made["machine"] = Machine.from_json(made["machine"])
        made["stages"] = tuple(Stage.from_json(one) for one in made["stages"])
        made["networks"] = tuple(Stage.from_json(one) for one in made.get("networks", ()))
        made["growth"] = tuple(Curve.from_json(one) for one in made.get("growth", ()))
        return cls(**made)


def write_benchmark(benchmark: Benchmark, path: str | os.PathLike) -> None:
    """Write a benchmark as JSON."""
    write_atomically(Path(path), (json.dumps(benchmark.to_json(), indent=1) + "\n").encode())


def read_benchmark(path: str | os.PathLike) -> Benchmark:
    """Read a benchmark that :func:`write_benchmark` or ``ser bench --json`` wrote.

    Raises
    ------
    SerError
        for a file that is missing or no benchmark
    """
    try:
        return Benchmark.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SerError(f"{path}: no such file; `ser bench --json > {path}` makes it") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerError(f"{path}: not a result of `ser bench --json` ({type(error).__name__})") from None
