"""Compute the features of whole utterance tables in parallel, and cache them by content and parameters.

The cache has one file per utterance and treatment, and one for the network inputs of a whole table. Its name is the
SHA-256 of the recording's bytes and of every parameter that the features depend on, so that a changed recording or
parameter never gets stale features. Each file starts with the SHA-256 of its payload; a damaged file is recomputed.
"""

import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import audio, features
from ser_core._utils.errors import SerError
from ser_core._utils.paths import cache_dir
from ser_core._utils.segments import Segment, sources
from ser_core.audio import augmentation
from ser_core.features import inputs, pool
from ser_core.features.digests import data_version as data_version
from ser_core.features.digests import file_digest as file_digest
from ser_core.features.digests import source_digests as source_digests
from ser_core.features.digests import warn_of_cache, write_if_possible
from ser_core.features.entries import entry_content, read_matrix, write_matrix
from ser_core.features.entries import read_entry as _load

VERSION = 1
"""Increased whenever :mod:`ser_core.audio` or :mod:`ser_core.features` changes what it computes."""
INPUT_VERSION = 1
"""Increased whenever :func:`ser_core.features.inputs.to_input` changes what it computes."""
WHOLE = 2**29
"""Largest matrix of network inputs that is kept as one file, and the size of all of them together, bytes."""
CONDITION_VERSION = 1
"""Increased whenever :mod:`ser_core.audio.degradation` changes what it computes; clean audio keeps its cache names."""
PARALLEL_FROM, PLAIN_FROM = 64, 240
"""Missing utterances per further process: fewer are not worth starting one. The second number is for decoding and the
channels of the paper, 2.5 ms of an utterance; threads gain nothing there, they wait for each other."""
CHUNK, CHUNK_BYTES = 16, 2**23
"""Largest number of utterances, and size of their recordings in bytes, that a process gets at once."""
PART = 8_192
"""Jobs that are looked up and computed together: enough for the start of the processes not to matter."""
UNUSED: dict[str, Any] = {"seed": 0, "copy": 0}
"""Fields that original utterances do not depend on."""


@dataclass(frozen=True, slots=True)
class Job:
    """Describe one utterance under one treatment: everything that its raw features depend on."""

    path: str | Segment
    key: str  # id of the utterance, part of the augmentation's seed
    rate: int  # Hz
    normalise: bool
    denoise: bool
    raw: str = "base"  # key of inputs.RAW
    technique: str = ""  # augmentation; "" for none
    seed: int = 0
    copy: int = 0
    ranges: augmentation.Ranges = augmentation.Ranges()
    condition: str = "clean"  # applied to the recording after an augmentation
    others: tuple[str | Segment, ...] = ()  # paths of recordings of other speakers, for a condition that needs them


def job_name(job: Job, digest: str, others: tuple[str, ...] = ()) -> str:
    """Return the cache's name for a job.

    The parameters of a condition are left out for clean audio, and those of an augmentation's random draw for an
    original utterance, so that these share their entries.

    Parameters
    ----------
    job : Job
    digest : str
        :func:`file_digest` of the recording
    others : tuple of str, default ()
        the same for the recordings of other speakers

    Returns
    -------
    str
        SHA-256 over the digests and all parameters, hexadecimal
    """
    plain = job.condition == "clean"
    same = replace(job, path="", key="", others=(), **({} if job.technique else UNUSED))
    parts = _name_parts(same, () if plain else others, inputs.weights_fingerprint(job.raw))
    values = {"path": digest, "key": job.key if job.technique or not plain else ""}
    text = "".join(json.dumps(values[part]) if part in values else part for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def _name_parts(job: Job, others: tuple[str, ...], weights: str | None) -> list[str]:
    """Return what the name of a job is made from: JSON cut in parts, where "path" and "key" stand for these values."""
    parameters = asdict(job) | {"path": 0, "key": 0, "version": VERSION}
    del parameters["condition"], parameters["others"]
    if not job.technique:
        parameters["ranges"] = None
    if job.condition != "clean":
        parameters["condition"] = [job.condition, CONDITION_VERSION, *others]
    if version := inputs.RAW_VERSIONS.get(job.raw):
        parameters["raw_version"] = version
    if weights:
        parameters["weights"] = weights
    parts: list[str] = []
    for name, value in sorted(parameters.items()):
        parts += [f"{json.dumps(name)}: ", name if name in ("path", "key") else json.dumps(value, sort_keys=True), ", "]
    return ["{", *parts[:-1], "}"]


def cache_paths(jobs: list[Job]) -> list[Path]:
    """Return the path of each job's features in the cache, whether or not they are cached.

    Parameters
    ----------
    jobs : list of Job

    Returns
    -------
    list of Path, in the order of ``jobs``
    """
    digests = source_digests(path for job in jobs for path in (job.path, *job.others))
    names = [job_name(job, digests[job.path], tuple(digests[path] for path in job.others)) for job in jobs]
    folder = os.fspath(cache_dir() / "features")
    return [Path(f"{folder}/{name[:2]}/{name}.npy") for name in names]


def compute_features(job: Job, read: Callable[..., np.ndarray] = audio.read) -> np.ndarray:
    """Compute the raw features of a job: read, augment or degrade the recording, then extract.

    Parameters
    ----------
    job : Job
    read : callable, optional
        reads a recording as :func:`ser_core.audio.read` does

    Returns
    -------
    ndarray of float32
        what ``inputs.RAW[job.raw]`` gives

    Raises
    ------
    SerError
        for a recording that cannot be used
    """
    how: dict[str, Any] = {"rate": job.rate, "normalise": job.normalise, "denoise": job.denoise}
    samples = read(job.path, **how)
    if job.technique:
        samples = augmentation.augment(
            samples, job.technique, key=job.key, seed=job.seed, copy=job.copy, ranges=job.ranges, rate=job.rate
        )
    if job.condition != "clean":
        from ser_core.audio import degradation

        others = [audio.read(path, **how) for path in job.others]
        samples = degradation.degrade(samples, job.condition, key=job.key, rate=job.rate, others=others)
        samples = audio.peak_normalise(samples) if job.normalise else samples  # as reading the degraded file would
    return inputs.RAW[job.raw](samples, job.rate)


def _computed(tasks: Iterable[tuple[Job, Path]]) -> Iterator[tuple[np.ndarray, bool]]:
    """Compute the raw features of jobs one by one and write them to the cache; yield them, and whether it took them.

    A recording is read once for jobs that follow each other, such as its augmented copies.
    """
    read = lru_cache(maxsize=2)(audio.read)  # at both levels
    for job, path in tasks:
        values = compute_features(job, read)
        yield values, write_if_possible(path, entry_content(values))


def _compute_chunk(tasks: list[tuple[Job, Path]]) -> list[np.ndarray]:
    """Compute, write and return the raw features of several jobs."""
    return [values for values, _ in _computed(tasks)]


def _fill_chunk(tasks: list[tuple[Job, Path]]) -> list[np.ndarray | None]:
    """Compute and write the raw features of several jobs; return those that the cache does not take.

    What a process returns its parent has to receive while it works itself; to read the cache is faster.
    """
    return [None if stored else values for values, stored in _computed(tasks)]


def raw_features(jobs: list[Job], *, workers: int | None = None, progress: bool = True) -> list[np.ndarray]:
    """Return the raw features of each job, from the cache or computed.

    Parameters
    ----------
    jobs : list of Job
    workers : int, optional
        processes; by default one per core, 1 for this process alone
    progress : bool, default True
        show a bar on standard error when something must be computed

    Returns
    -------
    list of ndarray of float32
        what ``inputs.RAW`` gives, in the order of ``jobs``

    Raises
    ------
    SerError
        for the first recording that cannot be used, naming it; features computed before it stay in the cache
    """
    arrays: list[np.ndarray] = [np.empty(0)] * len(jobs)
    _each(jobs, cache_paths(jobs), arrays.__setitem__, workers, progress)
    return arrays


def _each(
    jobs: list[Job], paths: list[Path], use: Callable[[int, np.ndarray], None], workers: int | None, progress: bool
) -> None:
    """Call ``use(i, values)`` with the raw features of each job, from the cache or computed, in any order."""

    def from_cache(i: int) -> bool:
        values = _load(paths[i])
        if values is not None:
            use(i, values)
        return values is not None

    found = pool.in_threads(from_cache, range(len(jobs)), workers)
    missing = [i for i, known in enumerate(found) if not known]
    tasks = [(jobs[i], paths[i]) for i in missing]
    for place, values in _compute_all(tasks, workers, progress):
        job, path = tasks[place]
        values = _load(path) if values is None else values
        use(missing[place], compute_features(job) if values is None else values)


def _compute_all(
    tasks: list[tuple[Job, Path]], workers: int | None, progress: bool
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Compute and cache, in parallel where that is worth it; yield the place of each task, and its features or None.

    None stands for features that are in the cache.
    """
    from tqdm import tqdm

    if workers is not None and workers < 1:
        raise SerError(f"workers {workers}: at least one process is needed")
    if not tasks:
        return
    bar: dict[str, Any] = {"total": len(tasks), "desc": "features", "unit": "utt"}
    bar["disable"] = None if progress else True
    plain = all(_is_plain(job) for job, _ in tasks)
    workers = min(workers or os.cpu_count() or 1, 1 + len(tasks) // (PLAIN_FROM if plain else PARALLEL_FROM))
    if workers == 1:
        yield from tqdm(((place, values) for place, (values, _) in enumerate(_computed(tasks))), **bar)
        return
    chunks = _chunks(tasks, workers)
    first = list(itertools.accumulate(map(len, chunks), initial=0))
    done = pool.in_processes(_fill_chunk, chunks, workers, here=_compute_chunk if plain else None)
    yield from tqdm(((first[n] + k, values) for n, arrays in done for k, values in enumerate(arrays)), **bar)
    if not tasks[-1][1].is_file():
        warn_of_cache()


def _is_plain(job: Job) -> bool:
    """Return whether a job is decoding and the channels of the paper alone, of the recording as it is."""
    return job.raw == "base" and not job.technique and job.condition == "clean" and not job.denoise


def _chunks(tasks: list[tuple[Job, Path]], workers: int) -> list[list[tuple[Job, Path]]]:
    """Cut tasks into chunks of similar cost, at least four for each process; the cost is the size of the recording."""
    most = min(CHUNK, -(-len(tasks) // (4 * workers)))
    chunks: list[list[tuple[Job, Path]]] = []
    size = CHUNK_BYTES
    for job, path in tasks:
        cost = os.path.getsize(job.path) if os.path.exists(job.path) else 0
        if size + cost > CHUNK_BYTES or len(chunks[-1]) >= most:
            chunks.append([])
            size = 0
        chunks[-1].append((job, path))
        size += cost
    return chunks


def ensure_cached(jobs: Iterable[Job], *, workers: int | None = None, progress: bool = True) -> None:
    """Compute the features that the cache lacks, in parallel; existing entries are not read.

    The memory that this takes does not grow with the number of jobs, which may come from a generator.

    Parameters
    ----------
    jobs : iterable of Job
    workers : int, optional
        processes; by default one per core, 1 for this process alone
    progress : bool, default True
        show a bar on standard error when something must be computed
    """
    rest = iter(jobs)
    while _fill(list(itertools.islice(rest, PART)), workers, progress) == PART:
        pass


def _fill(jobs: list[Job], workers: int | None, progress: bool) -> int:
    """Compute the features that the cache lacks; return the number of jobs. None of them is kept."""
    absent = {path: job for job, path in zip(jobs, cache_paths(jobs), strict=True) if not path.is_file()}
    tasks = sorted(((job, path) for path, job in absent.items()), key=lambda task: os.fspath(task[0].path))
    for _ in _compute_all(tasks, workers, progress):
        pass
    return len(jobs)


def jobs_for(table, settings: features.FeatureSettings, **treatment) -> list[Job]:
    """Make the jobs of an utterance table, all under one treatment.

    Parameters
    ----------
    table : DataFrame
        one row per utterance, with ``path`` and ``id``
    settings : FeatureSettings
    **treatment
        further fields of :class:`Job`, such as ``technique``, ``seed`` and ``copy``

    Returns
    -------
    list of Job, one per row
    """
    raw = inputs.get_input(settings.features).raw
    common: dict[str, Any] = {"rate": settings.rate, "normalise": settings.normalise, "denoise": settings.denoise}
    return [Job(path=path, key=key, raw=raw, **common, **treatment) for path, key in zip(sources(table), table["id"])]


def feature_matrix(
    table,
    settings: features.FeatureSettings = features.FeatureSettings(),
    *,
    workers: int | None = None,
    progress: bool = True,
    **treatment,
) -> np.ndarray:
    """Compute the network inputs of an utterance table.

    Parameters
    ----------
    table : DataFrame
        one row per utterance, with ``path`` and ``id``
    settings : FeatureSettings, optional
    workers : int, optional
        processes; by default one per core, 1 for this process alone
    progress : bool, default True
        show a bar on standard error when something must be computed
    **treatment
        ``technique``, ``seed``, ``copy`` and ``ranges`` of an augmentation; by default none

    Returns
    -------
    ndarray of float32 [utterances, *inputs.input_shape(settings)]

    Raises
    ------
    SerError
        for a recording that cannot be used
    """
    jobs = jobs_for(table, settings, **treatment)
    shape = (len(jobs), *inputs.input_shape(settings))
    if len(jobs) < pool.MANY or 4 * math.prod(shape) > WHOLE or not all(map(_is_plain, jobs)):
        return input_matrix(jobs, settings, workers=workers, progress=progress)
    paths = cache_paths(jobs)
    about = json.dumps([INPUT_VERSION, asdict(settings), shape, [path.name for path in paths]])
    whole = cache_dir() / "inputs" / f"{hashlib.sha256(about.encode()).hexdigest()}.bin"
    matrix = read_matrix(whole, shape)
    if matrix is None:
        matrix = input_matrix(jobs, settings, workers=workers, progress=progress, paths=paths)
        write_matrix(whole, matrix, WHOLE)
    return matrix


def input_matrix(
    jobs: list[Job], settings: features.FeatureSettings, *, workers: int | None = None, progress: bool = True,
    paths: list[Path] | None = None,
) -> np.ndarray:  # fmt: skip
    """Compute the network inputs of jobs, in their order.

    Parameters
    ----------
    jobs : list of Job
    settings : FeatureSettings
    workers : int, optional
        processes; by default one per core, 1 for this process alone
    progress : bool, default True
        show a bar on standard error when something must be computed
    paths : list of Path, optional
        :func:`cache_paths` of the jobs, where it is known

    Returns
    -------
    ndarray of float32 [jobs, *inputs.input_shape(settings)]
    """
    matrix = np.zeros((len(jobs), *inputs.input_shape(settings)), dtype=np.float32)

    def place(i: int, values: np.ndarray) -> None:
        matrix[i] = inputs.to_input(values, settings)

    _each(jobs, paths or cache_paths(jobs), place, workers, progress)
    return matrix
