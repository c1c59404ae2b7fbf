"""Features of whole tables: computed in parallel, kept by content and parameters.

One file an utterance and treatment, named by the SHA-256 of the recording's bytes and of every parameter that its
features depend on: a changed file or parameter has another name and is never served stale. Each file carries the
SHA-256 of its payload; a damaged one is computed again.
"""

import hashlib
import io
import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np

from ser_core import audio, features
from ser_core._utils.atomic import write_atomically
from ser_core._utils.paths import cache_dir
from ser_core.audio import augmentation
from ser_core.features import encoders, inputs

VERSION = 1
"""Raised whenever the code of audio, augment or features changes what it computes."""
CONDITION_VERSION = 1
"""Raised whenever the code of conditions changes what it computes; clean audio keeps its names."""
PARALLEL_FROM = 64
"""So many missing utterances are worth starting processes for."""


@dataclass(frozen=True)
class Job:
    """One utterance under one treatment; all that its raw features depend on."""

    path: str
    key: str  # the utterance's id, part of the augmentation's seed
    rate: int
    normalise: bool
    denoise: bool
    raw: str = "base"  # key of inputs.RAW
    technique: str = ""  # none
    seed: int = 0
    copy: int = 0
    ranges: augmentation.Ranges = augmentation.Ranges()
    condition: str = "clean"  # what is done to the recording, after an augmentation
    others: tuple[str, ...] = ()  # recordings of other speakers, for a condition that needs them


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def job_name(job: Job, digest: str, others: tuple[str, ...] = ()) -> str:
    """The cache's name for a job: SHA-256 over the ``digest`` of the recording (and of the others) and all parameters.

    What a condition adds is left out for clean audio, and the draw of an augmentation where there is none.
    """
    parameters = asdict(job) | {"path": digest, "version": VERSION}
    del parameters["condition"], parameters["others"]
    if not job.technique:
        parameters |= {"key": "", "seed": 0, "copy": 0, "ranges": None}
    if job.condition != "clean":
        parameters |= {"key": job.key, "condition": [job.condition, CONDITION_VERSION, *others]}
    if job.raw in inputs.ENCODER:
        parameters["weights"] = encoders.fingerprint(inputs.ENCODER[job.raw])
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def cache_paths(jobs: list[Job]) -> list[Path]:
    """Where the cache keeps (or would keep) the features of each job."""
    digests = {path: file_digest(path) for path in {path for job in jobs for path in (job.path, *job.others)}}
    names = [job_name(job, digests[job.path], tuple(digests[path] for path in job.others)) for job in jobs]
    return [cache_dir() / "features" / name[:2] / f"{name}.npy" for name in names]


def _load(path: Path) -> np.ndarray | None:
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            return None
        return np.load(io.BytesIO(content[32:]), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def compute_features(job: Job) -> np.ndarray:
    """Read, augment and change where asked, and extract: the raw features of ``inputs.RAW[job.raw]``, float32."""
    read = {"rate": job.rate, "normalise": job.normalise, "denoise": job.denoise}
    samples = audio.read(job.path, **read)
    if job.technique:
        samples = augmentation.augment(
            samples, job.technique, key=job.key, seed=job.seed, copy=job.copy, ranges=job.ranges, rate=job.rate
        )
    if job.condition != "clean":
        from ser_core.audio import degradation

        others = [audio.read(path, **read) for path in job.others]
        samples = degradation.degrade(samples, job.condition, key=job.key, rate=job.rate, others=others)
        samples = audio.peak_normalise(samples) if job.normalise else samples  # as whoever is given it would
    return inputs.RAW[job.raw](samples, job.rate)


def _compute_and_keep(task: tuple[Job, Path]) -> np.ndarray:
    job, path = task
    values = compute_features(job)
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_atomically(path, hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    return values


def _follow_parent() -> None:
    """In a process of a pool: Ctrl-C is its parent's business, and it ends when its parent does, however that was."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, daemon=True).start()


def raw_features(jobs: list[Job], *, workers: int | None = None, progress: bool = True) -> list[np.ndarray]:
    """Raw features of each job, from the cache or computed now.

    Parameters
    ----------
    jobs : what to compute
    workers : processes; None for one a core, 1 for this process alone
    progress : show a bar on standard error when something must be computed

    Returns
    -------
    list of float32 arrays (``inputs.RAW``), in the order of ``jobs``

    Raises
    ------
    SerError
        for the first recording that cannot be used, naming it; what was computed before is kept
    """
    paths = cache_paths(jobs)
    found = [_load(path) for path in paths]
    missing = [i for i, values in enumerate(found) if values is None]
    tasks = [(jobs[i], paths[i]) for i in missing]
    for i, values in zip(missing, _computed(tasks, workers, progress)):
        found[i] = values
    return found


def _computed(tasks: list[tuple[Job, Path]], workers: int | None, progress: bool) -> Iterator[np.ndarray]:
    """Compute and keep, in parallel where that is worth a pool; one after another in the order of the tasks."""
    from tqdm import tqdm

    if not tasks:
        return
    bar = {"total": len(tasks), "desc": "features", "unit": "utt", "disable": None if progress else True}
    workers = min(workers or os.cpu_count() or 1, 1 + len(tasks) // PARALLEL_FROM)
    if workers == 1:
        yield from tqdm(map(_compute_and_keep, tasks), **bar)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_follow_parent) as pool:
        try:
            yield from tqdm(pool.map(_compute_and_keep, tasks, chunksize=8), **bar)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def ensure_cached(jobs: list[Job], *, workers: int | None = None, progress: bool = True) -> None:
    """Compute what the cache has no entry for, in parallel; what is there is not read."""
    absent = {path: job for job, path in zip(jobs, cache_paths(jobs), strict=True) if not path.is_file()}
    for _ in _computed([(job, path) for path, job in absent.items()], workers, progress):
        pass


def jobs_for(table, settings: features.FeatureSettings, **treatment) -> list[Job]:
    """Jobs for the rows of an utterance table (columns ``path`` and ``id``), all under one treatment."""
    raw = inputs.get_input(settings.features).raw
    common = {"rate": settings.rate, "normalise": settings.normalise, "denoise": settings.denoise}
    return [Job(path=path, key=key, raw=raw, **common, **treatment) for path, key in zip(table["path"], table["id"])]


def feature_matrix(
    table,
    settings: features.FeatureSettings = features.FeatureSettings(),
    *,
    workers: int | None = None,
    progress: bool = True,
    **treatment,
) -> np.ndarray:
    """Network inputs for the rows of an utterance table.

    Parameters
    ----------
    table : DataFrame with ``path`` and ``id``
    settings : what the input is made of
    treatment : ``technique``, ``seed``, ``copy`` and ``ranges`` of an augmentation; none by default

    Returns
    -------
    float32 [utterances, *inputs.shape(settings)]
    """
    return input_matrix(jobs_for(table, settings, **treatment), settings, workers=workers, progress=progress)


def input_matrix(
    jobs: list[Job], settings: features.FeatureSettings, *, workers: int | None = None, progress: bool = True
) -> np.ndarray:
    """Network inputs of jobs, one after another: float32 [jobs, *inputs.shape(settings)]."""
    found = raw_features(jobs, workers=workers, progress=progress)
    matrix = np.zeros((len(found), *inputs.input_shape(settings)), dtype=np.float32)
    for i, values in enumerate(found):
        matrix[i] = inputs.to_input(values, settings)
    return matrix


def data_version(table) -> str:
    """Hash of a corpus as it stands: the ids and the decoded samples at their native rate, 16 hexadecimal digits.

    The same recordings in another lossless container, or in another folder, give the same version. What was decoded
    once is remembered by the SHA-256 of the file.
    """
    store = cache_dir() / "decoded.json"
    try:
        known = json.loads(store.read_text())
    except (OSError, ValueError):
        known = {}
    digests = {path: file_digest(path) for path in table["path"]}
    fresh = {}
    for path, digest in digests.items():
        if digest not in known and digest not in fresh:
            fresh[digest] = _decoded_digest(path)
    if fresh:
        known |= fresh
        write_atomically(store, json.dumps(known).encode())
    lines = sorted(f"{key} {known[digests[path]]}" for key, path in zip(table["id"], table["path"]))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _decoded_digest(path: str) -> str:
    samples, rate, _ = audio.decode(path)
    return hashlib.sha256(samples.tobytes() + str((rate, samples.shape)).encode()).hexdigest()[:32]
