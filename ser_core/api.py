"""The front door: the functions that a notebook needs, reached as ``import ser_core as ser``.

Each is a short call of one room. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ser_core.experiments.spec import Spec
    from ser_core.inference.predict import Prediction
    from ser_core.metrics.uncertainty import Scored
    from ser_core.protocols.splits import Split

RENAMED = {"batch_size": "batch", "augment_copies": "copies"}
"""Arguments of :func:`run` that have another name in a spec."""


def list_corpora() -> list[str]:
    """List the names of the known corpora.

    Returns
    -------
    list of str
        in their usual order; recordings of your own are ``folder:PATH`` or ``csv:PATH``
    """
    from ser_core.corpora import CORPORA

    return list(CORPORA)


def load_corpus(name: str, root: str | os.PathLike | None = None) -> pd.DataFrame:
    """Load the utterance table of a corpus; see :func:`ser_core.corpora.load`.

    Parameters
    ----------
    name : str
        one of :func:`list_corpora`, ``folder:PATH`` or ``csv:PATH``
    root : path, optional
        folder of the corpus, or one that holds it; by default ``SER_DATA``

    Returns
    -------
    DataFrame
        one row per utterance: ``id``, ``path``, ``speaker``, ``sex``, ``emotion``, ``text``, ``intensity``, ...

    Raises
    ------
    SerError
        for an unknown name, or a corpus without recordings there
    """
    from ser_core import corpora

    return corpora.load(name, root)


def read_audio(source, rate: int = 16_000, *, normalise: bool = True, denoise: bool = False) -> np.ndarray:
    """Read a recording as the networks get it; see :func:`ser_core.audio.read`.

    Parameters
    ----------
    source : path, or bytes of a file
    rate : int, default 16,000
        sampling rate of the result, Hz
    normalise : bool, default True
        scale to a peak of 1
    denoise : bool, default False
        reduce noise first

    Returns
    -------
    ndarray of float32 [samples], mono, full scale 1

    Raises
    ------
    SerError
        for a recording that cannot be used
    """
    from ser_core import audio

    return audio.read(source, rate=rate, normalise=normalise, denoise=denoise)


def extract_features(
    samples: np.ndarray, features: str = "42", *, frames: int = 400, znorm: bool = True, rate: int = 16_000
) -> np.ndarray:
    """Extract the frame features of an utterance; see :func:`ser_core.features.extract`.

    Parameters
    ----------
    samples : float [samples]
    features : str, default "42"
        one of ``ser_core.features.CHANNELS``
    frames : int, default 400
        length of the result, 10 ms each; longer utterances are cut, shorter ones padded with zeros
    znorm : bool, default True
        standardise each channel over the utterance (Eq. 4)
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [frames, channels]
    """
    from ser_core.features import extract

    return extract(samples, features=features, frames=frames, znorm=znorm, rate=rate)


def augment(samples: np.ndarray, technique: str, *, key: str = "", seed: int = 0, copy: int = 0) -> np.ndarray:
    """Make one augmented copy of an utterance; see :func:`ser_core.audio.augmentation.augment`.

    Parameters
    ----------
    samples : float32 [samples], 16 kHz
    technique : str
        ``noise``, ``stretch``, ``shift`` or ``pitch``
    key : str
        id of the utterance: with the seed and the copy it fixes the random numbers
    seed, copy : int

    Returns
    -------
    ndarray of float32 [samples]
    """
    from ser_core.audio import augmentation

    return augmentation.augment(samples, technique, key=key, seed=seed, copy=copy)


def degrade(samples: np.ndarray, condition: str, *, key: str = "", seed: int = 0) -> np.ndarray:
    """Degrade a recording by noise, a room, a telephone line or a codec.

    Parameters
    ----------
    samples : float32 [samples], 16 kHz
    condition : str
        such as ``white:10``, ``reverb:0.6``, ``telephone`` or ``codec:mp3:16``
    key : str
        id of the utterance: with the seed it fixes the random numbers
    seed : int

    Returns
    -------
    ndarray of float32 [samples], as long as before
    """
    from ser_core.audio import SAMPLE_RATE, degradation

    return degradation.degrade(samples, condition, key=key, rate=SAMPLE_RATE, seed=seed)


def list_models() -> list[str]:
    """List the names of the systems that :func:`run` knows; ``ser models`` says more about each."""
    from ser_core.models import MODELS

    return list(MODELS)


def build_model(model: str | Callable, shape: tuple[int, ...] = (400, 42), classes: int = 8):
    """Build an untrained network.

    Parameters
    ----------
    model : str or function
        a network of :func:`list_models`, ``package.module:function``, or the function
    shape : tuple of int, default (400, 42)
        shape of one utterance's input
    classes : int, default 8
        number of emotions

    Returns
    -------
    keras.Model, not compiled
    """
    from ser_core import models

    return models.build(_model_name(model), shape, classes)


def split(table: pd.DataFrame, protocol: str = "speaker", fold: int = 0) -> Split:
    """Split an utterance table into training, validation and test; see :func:`ser_core.protocols.splits.split`.

    Parameters
    ----------
    table : DataFrame
        from :func:`load_corpus`
    protocol : str, default "speaker"
        ``speaker``, ``speaker-text``, ``random`` or ``leaky``
    fold : int, default 0

    Returns
    -------
    Split
        ids of the utterances: ``train``, ``validation``, ``test``

    Raises
    ------
    SerError
        for a protocol or fold that this corpus does not have
    """
    from ser_core.protocols import splits

    return splits.split(table, protocol, fold)


def check_split(source: str | os.PathLike, protocol: str = "speaker", *, fold: int | None = None) -> dict:
    """Check a split for leakage: speakers, sentences and copies on two sides, cues that tell the emotion.

    Parameters
    ----------
    source : str or path
        name of a corpus, or a CSV file with ``path``, ``emotion``, ``speaker`` and ``side``
    protocol : str, default "speaker"
        of the corpus; without meaning for a CSV file
    fold : int, optional
        by default all folds

    Returns
    -------
    dict
        ``ok``, and in words ``leaks``, ``warnings``, ``notes``
    """
    from ser_core.corpora import CORPORA, folder
    from ser_core.protocols import leakage

    name = str(source)
    if name in CORPORA or name.startswith(folder.PREFIXES):
        return leakage.audit_protocol(name, protocol, fold)
    return leakage.audit_split_file(source)


def run(spec: Spec | None = None, *, model: str | Callable | None = None, force: bool = False,
        progress: bool = True, **fields: Any):  # fmt: skip
    """Train and evaluate one system on one fold, or return its stored result.

    Parameters
    ----------
    spec : Spec, optional
        everything at once; otherwise its fields
    model : str or function, optional
        one of :func:`list_models`, ``package.module:function``, or a function from (shape, classes) to a Keras model.
        A function is identified by its source: after an edit it is trained again.
    force : bool, default False
        compute again what the store holds
    progress : bool, default True
        show progress bars
    **fields
        fields of :class:`ser_core.experiments.spec.Spec`, such as ``corpus="demo"``, ``fold=0``, ``epochs=5``;
        ``test_corpus`` makes the protocol ``cross``

    Returns
    -------
    RunResult

    Raises
    ------
    SerError
        for input that cannot be used
    """
    from ser_core.experiments.run import run_spec

    return run_spec(spec or make_spec(model=model, **fields), fresh=force, progress=progress)


def make_spec(*, model: str | Callable | None = None, **fields: Any) -> Spec:
    """Make a spec from the arguments of :func:`run`."""
    from ser_core.experiments.spec import Spec

    given = {RENAMED.get(name, name): value for name, value in fields.items()}
    if "augment" in given and given["augment"] is not None and not isinstance(given["augment"], str):
        given["augment"] = ",".join(given["augment"])
    if model is not None:
        given["model"] = _model_name(model)
    if given.get("test_corpus"):
        given.setdefault("protocol", "cross")
    return Spec(**given)


def sweep(specs: Iterable[Spec], *, workers: int = 1, force: bool = False, progress: bool = True) -> list:
    """Run many specs, several at a time; results that exist are reused.

    Parameters
    ----------
    specs : iterable of Spec
        see :func:`ser_core.experiments.sweep.expand`
    workers : int, default 1
        runs at a time, each in a process of its own
    force : bool, default False
        compute again what the store holds
    progress : bool, default True
        show a progress bar

    Returns
    -------
    list of RunResult
        a run that failed has the status ``error``
    """
    from ser_core.experiments.sweep import run_sweep

    return list(run_sweep(specs, workers=workers, fresh=force, progress=progress))


def load_results(source: str | os.PathLike = "published"):
    """Load stored results.

    Parameters
    ----------
    source : str or path, default "published"
        ``published`` (measured on the real corpora, comes with the suite), ``store`` (your own), or a folder

    Returns
    -------
    Results
        with ``frame()``, ``pool()`` and ``predictions()``
    """
    from ser_core.results.records import load_results

    return load_results(source)


def compare(results, first: str, second: str, *, corpus: str | None = None, protocol: str = "speaker"):
    """Compare two systems on the same test utterances.

    Parameters
    ----------
    results : Results
        from :func:`load_results`
    first, second : str
        names of systems; the difference is the second minus the first
    corpus : str, optional
        by default the first corpus on which both were measured
    protocol : str, default "speaker"

    Returns
    -------
    Comparison
        the paired difference with its interval and p value
    """
    from ser_core.results.records import compare

    return compare(results, first, second, corpus=corpus, protocol=protocol)


def evaluate(
    truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str], *, speaker: Sequence[str] | None = None
) -> Scored:
    """Evaluate predictions: accuracy, UAR, macro precision, recall and F1, with intervals over speakers.

    Parameters
    ----------
    truth, prediction : sequence of str [utterances]
    labels : sequence of str
        every class, in a fixed order
    speaker : sequence of str [utterances], optional
        without it there are no intervals

    Returns
    -------
    Scored
        ``n_test``, ``scores`` (fractions), ``intervals``, ``per_class``, ``confusion``
    """
    import pandas as pd

    from ser_core.metrics import uncertainty

    frame = pd.DataFrame({"truth": list(truth), "prediction": list(prediction)})
    frame["speaker"] = list(speaker) if speaker is not None else "unknown"
    return uncertainty.score_predictions(frame.assign(text="unknown"), tuple(labels))


def check_claims(path: str | os.PathLike | None = None) -> list:
    """Check the claims of a paper by computation.

    Parameters
    ----------
    path : path, optional
        a file of claims, TOML or JSON; by default those of the paper that this suite is about

    Returns
    -------
    list of CheckedClaim
    """
    from ser_core.claims import audit

    return audit.check_claims(Path(path) if path is not None else None)[1]


def predict(source, *, model: str | os.PathLike | None = None) -> Prediction:
    """Predict the emotion of a recording.

    Parameters
    ----------
    source : path, bytes of a file, or (samples, rate in Hz)
    model : path or str, optional
        an exported ``.onnx`` file, a ``.keras`` file or the hash of a result; by default the network that comes with
        the package. For many recordings make one ``ser.Predictor`` and call its ``predict``.

    Returns
    -------
    Prediction

    Raises
    ------
    SerError
        for a recording or a model that cannot be used
    """
    from ser_core.inference.predict import Predictor

    return Predictor(model).predict(source)


def export(model: str | os.PathLike, format: str = "onnx", *, int8: bool = False, output: Path | None = None) -> dict:
    """Export a trained network and compare the file with the Keras network.

    Parameters
    ----------
    model : str or path
        hash of a result, or a ``.keras`` file
    format : str, default "onnx"
        ``onnx``, ``tflite`` or ``keras``
    int8 : bool, default False
        TFLite only: weights in 8 bits
    output : path, optional
        file to write

    Returns
    -------
    dict
        ``file``, ``format``, and how far the answers are from those of the Keras network
    """
    from ser_core.inference.export import export

    return export(model, format, int8=int8, output=output)


def _model_name(model: str | Callable) -> str:
    from ser_core.models import custom

    return model if isinstance(model, str) else custom.function_name(model)
