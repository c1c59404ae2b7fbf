"""Train, evaluate and compare systems: the part of the public interface around a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from ser_core.experiments.spec import Spec
    from ser_core.metrics.uncertainty import Scored

RENAMED = {"batch_size": "batch", "augment_copies": "copies"}
"""Arguments of :func:`run` and the field of a spec that each sets."""


def list_models() -> list[str]:
    """List the names of the systems that :func:`run` accepts; ``ser models`` describes each."""
    from ser_core.models import MODELS

    return list(MODELS)


def build_model(model: str | Callable, shape: tuple[int, ...] = (400, 42), classes: int = 8) -> keras.Model:
    """Build an untrained network.

    Parameters
    ----------
    model : str or function
        A network of :func:`list_models`, ``package.module:function``, or the function.
    shape : tuple of int, default (400, 42)
        Shape of one utterance's input: frames, channels.
    classes : int, default 8
        Number of emotions.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    from ser_core import models

    return models.build(_model_name(model), shape, classes)


def run(spec: Spec | None = None, *, model: str | Callable | None = None, target: str | None = None,
        force: bool = False, progress: bool = True, **fields: Any):  # fmt: skip
    """Train and evaluate one system on one fold, or return its stored result.

    Parameters
    ----------
    spec : Spec, optional
        The whole specification of the run; otherwise give its fields.
    model : str or function, optional
        One of :func:`list_models`, ``package.module:function``, or a function from (shape, classes) to a Keras model.
        A function is identified by its source: after an edit it is trained again.
    target : str, optional
        ``arousal``, ``valence`` or ``dominance``: predict this label of the corpus instead of the emotion.
    force : bool, default False
        Recompute a stored result.
    progress : bool, default True
        Show progress bars.
    **fields
        Fields of :class:`ser_core.experiments.spec.Spec`, such as ``corpus="demo"``, ``fold=0``, ``epochs=5``.
        ``test_corpus`` makes the protocol ``cross``.

    Returns
    -------
    RunResult
        With a target, a :class:`ser_core.experiments.continuous.ContinuousResult`.

    Raises
    ------
    SerError
        For input that cannot be used.
    """
    from ser_core.experiments.run import run_spec

    spec = spec or make_spec(model=model, **fields)
    if target is not None:
        from ser_core.experiments.continuous import run_continuous

        return run_continuous(spec, target, fresh=force, progress=progress)
    return run_spec(spec, fresh=force, progress=progress)


def make_spec(*, model: str | Callable | None = None, **fields: Any) -> Spec:
    """Make the spec of a run.

    Parameters
    ----------
    model, **fields
        As in :func:`run`.

    Returns
    -------
    Spec

    Raises
    ------
    SerError
        For an invalid value or an unknown field.
    """
    from ser_core._utils.errors import SerError
    from ser_core._utils.words import near
    from ser_core.experiments.spec import NAMES, Spec

    given = {RENAMED.get(name, name): value for name, value in fields.items()}
    if "augment" in given and given["augment"] is not None and not isinstance(given["augment"], str):
        given["augment"] = ",".join(given["augment"])
    if model is not None:
        given["model"] = _model_name(model)
    for name in given:
        if name not in NAMES:
            raise SerError(f"{name}: no field of a spec{near(name, NAMES)}; they are {', '.join(NAMES)}")
    if given.get("test_corpus"):
        given.setdefault("protocol", "cross")
    return Spec(**given)


def sweep(specs: Iterable[Spec], *, workers: int = 1, force: bool = False, progress: bool = True) -> list:
    """Compute many runs, several at a time; stored results are reused.

    Parameters
    ----------
    specs : iterable of Spec
        See :func:`ser_core.experiments.sweep.expand`.
    workers : int, default 1
        Runs at a time, each in its own process.
    force : bool, default False
        Recompute stored results.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    list of RunResult
        A run that failed has the status ``error``.
    """
    from ser_core.experiments.sweep import run_sweep

    return list(run_sweep(specs, workers=workers, fresh=force, progress=progress))


def load_results(source: str | os.PathLike = "published"):
    """Load stored results.

    Parameters
    ----------
    source : str or path, default "published"
        ``published`` (measured on the real corpora, part of the suite), ``store`` (your own), or a folder.

    Returns
    -------
    Results
        It has ``frame()``, ``pool()`` and ``predictions()``.
    """
    from ser_core.results.records import load_results

    return load_results(source)


def compare(results, first: str, second: str, *, corpus: str | None = None, protocol: str = "speaker"):
    """Compare two systems on the same test utterances.

    Parameters
    ----------
    results : Results
        From :func:`load_results`.
    first, second : str
        Names of systems; the difference is the second minus the first.
    corpus : str, optional
        By default the first corpus on which both were measured.
    protocol : str, default "speaker"

    Returns
    -------
    Comparison
        Paired difference with its confidence interval and p value. Where several settings of a system fit, those that
        share most folds and differ least are taken: ``first_setting``, ``second_setting``, ``passed_over`` others.
    """
    from ser_core.results.comparison import compare

    return compare(results, first, second, corpus=corpus, protocol=protocol)


def leaderboard(
    own: Mapping[str, Iterable] | None = None, *, corpus: str, protocol: str = "speaker", reference: str | None = None
):
    """Rank your results among the published ones of a corpus, or the stored ones where none is published.

    Parameters
    ----------
    own : dict, optional
        Name to show, to the results of :func:`run` on all folds.
    corpus : str
        Their corpus.
    protocol : str, default "speaker"
    reference : str, optional
        System that the others are compared with, by default the paper's network.

    Returns
    -------
    Leaderboard
        :mod:`ser_core.results.leaderboard` makes a table and a sentence of it.

    Raises
    ------
    SerError
        Where nothing was measured on all folds.
    """
    from ser_core.experiments.grids import A5
    from ser_core.results.leaderboard import own_leaderboard

    return own_leaderboard(own or {}, corpus, protocol, reference or A5)


def evaluate(
    truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str], *, speaker: Sequence[str] | None = None
) -> Scored:
    """Evaluate predictions: accuracy, UAR, macro precision, recall and F1, with intervals over speakers.

    Parameters
    ----------
    truth, prediction : sequence of str [utterances]
    labels : sequence of str
        Every class, in a fixed order.
    speaker : sequence of str [utterances], optional
        Needed for confidence intervals.

    Returns
    -------
    Scored
        Its attributes ``n_test``, ``scores`` (fractions), ``intervals``, ``per_class`` and ``confusion``.

    Raises
    ------
    ValueError
        For sequences of different length, or a value that is not among the labels.

    Examples
    --------
    >>> result = evaluate(["sad", "sad", "happy"], ["sad", "happy", "happy"], ["happy", "sad"])
    >>> result.scores["uar"]
    0.75
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
        File of claims, TOML or JSON; by default the claims of the paper of this suite.

    Returns
    -------
    list of CheckedClaim

    Raises
    ------
    SerError
        For a file that cannot be used.
    """
    from ser_core.claims import audit

    return audit.check_claims(Path(path) if path is not None else None)[1]


def _model_name(model: str | Callable) -> str:
    from ser_core.models import custom

    return model if isinstance(model, str) else custom.function_name(model)
