"""Measure what happens to one recording: file to emotion, features, an estimate of a stream, start to answer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ser_core.benchmark import clocks, floors, naive
from ser_core.benchmark.clocks import Contender, OtherWork
from ser_core.benchmark.job import Job
from ser_core.benchmark.records import NOW_AND_THEN, OURS, PEER, Stage
from ser_core.benchmark.stages import STAGES

LABELS = 8
SPREAD = 20.0
"""Factor of the last layer of an untrained network, so that the probabilities differ between recordings."""
NETWORKS = {"clip_a1": "a1", "clip_a5": "cnn_bilstm_attention"}
"""Stage to the network that it uses."""


def repeats(job: Job, rounds: int, calls: int, warmup: int) -> dict[str, Any]:
    """Return the numbers of rounds, calls and warm-up calls; ``--quick`` takes half of the rounds."""
    if job.quick:
        return {"rounds": max(3, rounds // 2), "calls": calls, "warmup": max(1, warmup // 2)}
    return {"rounds": rounds, "calls": calls, "warmup": warmup}


def untrained(name: str) -> Any:
    """Build a network of the suite for its own channels; its weights are drawn with a fixed seed.

    Parameters
    ----------
    name : str
        a key of ``ser_core.models.MODELS``

    Returns
    -------
    keras.Model
    """
    from ser_core import models
    from ser_core._utils.console import quiet_loading

    with quiet_loading():
        import keras

    keras.utils.set_random_seed(0)
    channels = 39 if models.get_model(name).features == "39" else 42
    return models.build(name, (naive.FRAMES, channels), LABELS)


def exported(model: Any, name: str, path: Path) -> Path:
    """Write an untrained network as ``ser export`` writes a trained one: ONNX with its features.

    Parameters
    ----------
    model : keras.Model
    name : str
        its name in ``ser_core.models.MODELS``
    path : Path
        the file to write
    """
    from ser_core.experiments.spec import Spec
    from ser_core.inference.export import to_onnx
    from ser_core.inference.saved_models import SavedModel

    facts = {
        "name": name, "hash": "", "labels": [str(number) for number in range(LABELS)], "temperature": 1.0,
        "licence": "MIT", "demo": False, "spec": asdict(Spec(model=name, corpus="ravdess")),
    }  # fmt: skip
    to_onnx(SavedModel(model, facts, path.with_suffix(".keras")), path)
    return path


def measure_clip(job: Job) -> tuple[Stage, ...]:
    """Measure one recording to its emotion, warm: librosa and ``model.predict`` against ``Predictor.predict``."""
    from ser_core.inference.predict import PRETRAINED, Predictor

    name = NETWORKS[job.stage]
    model = untrained(name)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([SPREAD * kernel, bias])
    energy = model.input_shape[-1] == 42
    predictor = Predictor(exported(model, name, Path(job.folder) / f"{name}.onnx"))
    contenders = [
        Contender("librosa, model.predict", PEER, lambda: naive.predict(job.clip, model, energy)),
        Contender("Predictor.predict", OURS, lambda: predictor.predict(job.clip)),
    ]
    if PRETRAINED.is_file():
        shipped = Predictor()
        contenders.append(
            Contender("Predictor.predict, pretrained network", "other", lambda: shipped.predict(job.clip))
        )
    timings = clocks.measure(contenders, **repeats(job, 12, 6, 8))
    timings += clocks.measure(contenders[:2], **repeats(job, 6, 4, 1), mode=NOW_AND_THEN, between=OtherWork())
    ours = np.array(list(predictor.predict(job.clip).probabilities.values()))
    operations = floors.feature_operations(naive.FRAMES, 42) + floors.network_operations(model)
    moved = os.path.getsize(job.clip) + 4 * model.count_params()
    counted = "features and products of the network; the file and the weights"
    return (
        Stage(
            job.stage,
            STAGES[job.stage].title,
            timings=tuple(timings),
            floor=floors.count(operations, moved, counted),
            difference=float(np.abs(ours - naive.predict(job.clip, model, energy)).max()),
        ),
    )


def measure_features(job: Job) -> tuple[Stage, ...]:
    """Measure the 42 channels of one recording on one thread: librosa against ``features.extract``."""
    from ser_core import audio, features

    samples = audio.read(job.clip)
    contenders = [
        Contender("librosa", PEER, lambda: naive.network_input(naive.channels(samples))),
        Contender("features.extract", OURS, lambda: features.extract(samples)),
        _kaldi(samples),
        _opensmile(samples),
    ]
    timings = clocks.measure(contenders, **repeats(job, 12, 20, 5))
    timings += clocks.measure(contenders[:2], **repeats(job, 6, 5, 1), mode=NOW_AND_THEN, between=OtherWork())
    exact = naive.channels(samples.astype(np.float64))
    ours = features.frames.raw_channels(samples)
    operations = floors.feature_operations(len(ours))
    return (
        Stage(
            job.stage,
            STAGES[job.stage].title,
            threads=job.threads,
            timings=tuple(timings),
            floor=floors.count(operations, samples.nbytes + ours.nbytes, "II.D.1, Eq. 1 to 4"),
            difference=float(np.abs(ours - exact).max()),
            notes=(
                "difference: largest over the 42 channels before Eq. 4, librosa in float64",
                "kaldi-native-fbank gives 13 MFCC alone, openSMILE the 88 functionals of eGeMAPS",
            ),
        ),
    )


def _missing(package: str) -> str | None:
    """Return why a package cannot be measured, or None where it is installed."""
    return None if importlib.util.find_spec(package) else f"{package} is not installed"


def _kaldi(samples: np.ndarray) -> Contender:
    """Return the MFCC of kaldi-native-fbank."""
    missing = _missing("kaldi_native_fbank")

    def call() -> int:
        import kaldi_native_fbank

        options = kaldi_native_fbank.MfccOptions()
        options.frame_opts.samp_freq, options.num_ceps, options.mel_opts.num_bins = naive.RATE, 13, 40
        extractor = kaldi_native_fbank.OnlineMfcc(options)
        extractor.accept_waveform(naive.RATE, samples)
        extractor.input_finished()
        return sum(extractor.get_frame(frame).size for frame in range(extractor.num_frames_ready))

    return Contender("kaldi-native-fbank, 13 MFCC", "other", call, missing=missing)


def _opensmile(samples: np.ndarray) -> Contender:
    """Return the functionals of openSMILE."""
    name, missing = "openSMILE, eGeMAPSv02", _missing("opensmile")
    if missing:
        return Contender(name, "other", lambda: None, missing=missing)
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return Contender(name, "other", lambda: smile.process_signal(samples, naive.RATE))


def measure_stream(job: Job) -> tuple[Stage, ...]:
    """Measure an estimate of a stream: the prediction of a full window against the next hop of a stream."""
    from ser_core import audio
    from ser_core.inference.predict import Predictor

    predictor = Predictor(exported(untrained("a1"), "a1", Path(job.folder) / "stream.onnx"))
    rate = predictor.rate
    window = np.resize(audio.read(job.clip, rate=rate), round(predictor.window_seconds * rate))
    stream, hop = predictor.stream(0.5), rate // 2
    position = 0

    def feed() -> object:
        nonlocal position
        position = (position + hop) % (len(window) - hop)
        (estimate,) = stream.feed(window[position : position + hop], rate)
        return estimate

    contenders = [
        Contender("Predictor.predict, 4 s", PEER, lambda: predictor.predict((window, rate))),
        Contender("Stream.feed, 0.5 s", OURS, feed),
        _network_alone(predictor, window),
    ]
    for _ in range(8):  # the stream's window is full from here on
        feed()
    timings = clocks.measure(contenders, **repeats(job, 12, 20, 5))
    timings += clocks.measure(contenders, **repeats(job, 6, 5, 1), mode=NOW_AND_THEN, idle=clocks.PAUSE)
    operations = floors.feature_operations(round(0.5 / 0.01))
    return (
        Stage(
            job.stage,
            STAGES[job.stage].title,
            timings=tuple(timings),
            floor=floors.count(operations, 4 * hop, "the features of one hop"),
            notes=(
                "now and then: 50 ms of sleep between two calls, in which threads that spin use the processor",
                "every estimate runs the network on its whole window, because Eq. 4 changes all of its input",
            ),
        ),
    )


def _network_alone(predictor: Any, window: np.ndarray) -> Contender:
    """Return the network of a predictor on the features of a window, which no stream can leave out."""
    name, network = "the network alone", predictor._network
    if getattr(network, "settings", None) is None:
        return Contender(name, "other", bool, missing="the network has its features in it")
    values = network._features(window)[None]
    return Contender(name, "other", lambda: network.run(values))


def measure_start(job: Job) -> tuple[Stage, ...]:
    """Measure a whole process from its start to its answer: librosa and Keras against ``ser predict``."""
    network = str(Path(job.folder) / "start.keras")
    build = (
        "import sys; from ser_core.benchmark.clip_stages import untrained; "
        "untrained('cnn_bilstm_attention').save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", build, network], check=True, capture_output=True)
    contenders = [
        _program("librosa and Keras", PEER, [sys.executable, "-c", naive.SCRIPT, network, job.clip]),
        _program("ser predict", OURS, [sys.executable, "-m", "ser_core.cli", "predict", job.clip]),
    ]
    timings = clocks.measure(contenders, **repeats(job, 5, 1, 1))
    return (Stage(job.stage, STAGES[job.stage].title, timings=tuple(timings)),)


def _program(name: str, role: str, command: list[str]) -> Contender:
    """Return the run of a program, with its peak memory."""
    peak: list[float | None] = [None]

    def call() -> None:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        errors = process.stderr.read()
        peak[0] = _wait(process)
        if process.returncode:
            raise RuntimeError(errors.decode(errors="replace").strip().splitlines()[-1])

    return Contender(name, role, call, memory=lambda: peak[0])


def _wait(process: subprocess.Popen) -> float | None:
    """Wait for a process; return its peak memory in MiB, or None where the system does not say."""
    if not hasattr(os, "wait4"):
        process.wait()
        return None
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20
