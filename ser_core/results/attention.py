"""Attention on speech, silence and padding, against the share of each in the input.

The paper claims that attention (Eq. 5, 6) suppresses "less informative or silent regions" (II.D.4). A step of its
network covers eight frames of 10 ms. Each frame has one of three kinds. *Padding* is after the end of the utterance.
*Silence* is more than 35 dB below the loudest frame of the utterance. *Speech* is everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core._utils.segments import source_of
from ser_core.claims import consistency

if TYPE_CHECKING:
    import pandas as pd

    from ser_core.experiments.result import RunResult
    from ser_core.experiments.spec import Spec

KINDS = ("speech", "silence", "padding")
STEP_FRAMES = 8
SILENCE_DB = 35.0
"""How far below the loudest frame silence begins; the same as for the voiced frames of ``features.wide``."""


def frame_kinds(energy: np.ndarray, frames: int, silence_db: float = SILENCE_DB) -> np.ndarray:
    """Return the kind of each input frame, as an index of :data:`KINDS`.

    Parameters
    ----------
    energy : float [utterance frames]
        RMSE of the utterance (``features.rmse``); frames beyond ``frames`` are cut
    frames : int
        length of the input
    silence_db : float, default 35.0
        decibels below the loudest frame of the whole utterance, above 0

    Returns
    -------
    int [frames]

    >>> frame_kinds(np.array([1.0, 0.001]), 3).tolist()
    [0, 1, 2]
    """
    energy = np.asarray(energy, dtype=float)
    kinds = np.full(frames, KINDS.index("padding"))
    own = energy[:frames]
    loud = own > energy.max(initial=0.0) * 10.0 ** (-silence_db / 20.0)
    kinds[: len(own)] = np.where(loud, KINDS.index("speech"), KINDS.index("silence"))
    return kinds


def step_shares(kinds: np.ndarray, steps: int) -> np.ndarray:
    """Compute the share of each kind in each step.

    A step has eight frames, as after three poolings by 2, otherwise as many frames as fit. Frames left over at the end
    belong to no step, as max-pooling drops them too.

    Parameters
    ----------
    kinds : int [frames]
        of :func:`frame_kinds`
    steps : int

    Returns
    -------
    float [steps, 3]
        each row sums to 1
    """
    length = STEP_FRAMES if len(kinds) // STEP_FRAMES == steps else len(kinds) // steps
    if length < 1:
        raise ValueError(f"{len(kinds)} frames cannot fill {steps} steps")
    runs = np.asarray(kinds)[: steps * length].reshape(steps, length)
    return np.stack([(runs == kind).mean(axis=1) for kind in range(len(KINDS))], axis=1)


def attention_by_kind(weights: np.ndarray, shares: np.ndarray) -> dict[str, dict[str, float]]:
    """Compute the attention on each kind in an utterance, and its share of the time.

    Parameters
    ----------
    weights : float [steps]
        sum 1
    shares : float [steps, 3]
        of :func:`step_shares`

    Returns
    -------
    dict of dict
        for each of :data:`KINDS`: ``attention`` and ``time`` (fractions, each sums to 1 over the kinds), and ``least``,
        the lowest attention that Eq. 5 allows on this share of the time
    """
    weights, shares = np.asarray(weights, dtype=float), np.asarray(shares, dtype=float)
    if weights.shape != shares.shape[:1] or shares.shape[1:] != (len(KINDS),):
        raise ValueError(f"weights {weights.shape} and shares {shares.shape}: must be [steps] and [steps, 3]")
    on, time = weights @ shares / weights.sum(), shares.mean(axis=0)
    return {
        kind: {"attention": float(a), "time": float(t), "least": consistency.minimum_attention(float(t))}
        for kind, a, t in zip(KINDS, on, time, strict=True)
    }


def attention_weights(network: Any, inputs: np.ndarray) -> np.ndarray:
    """Compute the attention weights of a trained network.

    Parameters
    ----------
    network : keras.Model
    inputs : float [utterances, frames, features]

    Returns
    -------
    float [utterances, steps]
        each row sums to 1

    Raises
    ------
    SerError
        for a network without a layer named ``attention``, such as A1 to A4
    """
    from ser_core import models
    from ser_core.training import fit, speedups

    weigh = models.attention_model(network)
    if weigh is None:
        raise SerError(f"network {network.name}: has no attention layer; cnn_bilstm_attention has one")
    return weigh.predict(**speedups.batches(inputs, size=fit.EVALUATION_BATCH), verbose=0)[1]


def measure_attention(
    network: Any,
    spec: Spec,
    table: pd.DataFrame,
    ids: Sequence[str] | None = None,
    *,
    silence_db: float = SILENCE_DB,
) -> pd.DataFrame:
    """Measure the attention of a trained network on speech, silence and padding.

    Parameters
    ----------
    network : keras.Model
        with an attention layer
    spec : Spec
        of its training, with one of the paper's feature sets
    table : DataFrame
        utterance table of the corpus (``corpora.load``)
    ids : sequence of str, optional
        by default all utterances
    silence_db : float, default 35.0
        see :func:`frame_kinds`

    Returns
    -------
    DataFrame
        one row per utterance and kind: ``id``, ``emotion``, ``kind``, ``attention``, ``time``, ``least``

    Raises
    ------
    SerError
        for a network without attention, an input without frames, or no utterance
    """
    import pandas as pd

    from ser_core import audio
    from ser_core.features import cache

    if spec.features not in features.CHANNELS or spec.rate is None or spec.frames is None:
        raise SerError(f"input {spec.features}: attention over frames needs one of {', '.join(features.CHANNELS)}")
    chosen = table if ids is None else table[table["id"].isin(set(ids))]
    if chosen.empty:
        raise SerError(f"{spec.corpus}: no recording of these utterances; attention needs them")
    weights = attention_weights(network, cache.feature_matrix(chosen, spec.settings, progress=False, workers=1))
    rows = []
    for (_, row), own_weights in zip(chosen.iterrows(), weights, strict=True):
        samples = audio.read(source_of(row), rate=spec.rate, normalise=spec.normalise, denoise=spec.denoise)
        kinds = frame_kinds(features.rmse(samples, spec.rate), spec.frames, silence_db)
        for kind, values in attention_by_kind(own_weights, step_shares(kinds, len(own_weights))).items():
            rows.append({"id": row["id"], "emotion": row["emotion"], "kind": kind, **values})
    return pd.DataFrame(rows)


def attention_of_result(result: RunResult, folder: str | Path) -> pd.DataFrame | None:
    """Measure attention on the test utterances of a stored result; None where weights or audio are unavailable.

    Parameters
    ----------
    result : RunResult
    folder : path
        where its predictions are

    Returns
    -------
    DataFrame or None
        see :func:`measure_attention`
    """
    from ser_core import corpora
    from ser_core.experiments import store

    path = store.weights_path(result)
    spec = result.make_spec()
    if not path.is_file():
        return None
    try:
        table = corpora.load(spec.corpus)
    except SerError:
        return None
    import keras

    predictions = store.load_predictions(result, Path(folder))
    tested = predictions.loc[predictions["side"] == "test", "id"]
    return measure_attention(keras.models.load_model(path), spec, table, tested)


def attention_summary(measured: pd.DataFrame) -> pd.DataFrame:
    """Average :func:`measure_attention` over utterances.

    Returns
    -------
    DataFrame
        ``attention``, ``time``, ``least`` and ``ratio`` by kind. ``ratio`` is attention over time: 1 for equal weights,
        0 for a suppressed kind, NaN for a missing kind. ``least`` over ``time`` is the lowest ratio that Eq. 5 allows.
    """
    means = measured.groupby("kind")[["attention", "time", "least"]].mean().reindex(list(KINDS))
    return means.assign(ratio=means["attention"] / means["time"].where(means["time"] > 0))
