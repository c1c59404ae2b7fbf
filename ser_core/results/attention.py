"""How much attention lies on speech, on silence and on padding, against how much of the input each of them is.

The paper says that attention (Eq. 5, 6) suppresses "less informative or silent regions" (II.D.4). A step of its network
covers eight frames of 10 ms. Each frame is one of three kinds: padding, after the utterance's own end; silence, more
than 35 dB below the utterance's loudest frame; speech, everything else, whatever it is.
"""

from collections.abc import Sequence

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core._utils.segments import source_of
from ser_core.claims import consistency

KINDS = ("speech", "silence", "padding")
STEP_FRAMES = 8
SILENCE_DB = 35.0
"""How far below the loudest frame silence begins; the same as for the voiced frames of ``features.wide``."""


def frame_kinds(energy: np.ndarray, frames: int, silence_db: float = SILENCE_DB) -> np.ndarray:
    """Kind of each input frame, as an index of :data:`KINDS`: int [frames].

    Parameters
    ----------
    energy : float [own frames], RMSE of the utterance (``features.rmse``); what is beyond ``frames`` is cut
    frames : length of the input
    silence_db : decibels below the loudest frame of the whole utterance, above 0
    """
    energy = np.asarray(energy, dtype=float)
    kinds = np.full(frames, KINDS.index("padding"))
    own = energy[:frames]
    loud = own > energy.max(initial=0.0) * 10.0 ** (-silence_db / 20.0)
    kinds[: len(own)] = np.where(loud, KINDS.index("speech"), KINDS.index("silence"))
    return kinds


def step_shares(kinds: np.ndarray, steps: int) -> np.ndarray:
    """What share of each step is of each kind: float [steps, 3], each row sums to 1.

    A step is a run of eight frames where three poolings by 2 leave so many, else of as many as fit; frames left over at
    the end reach no step (max-pooling drops them too).
    """
    length = STEP_FRAMES if len(kinds) // STEP_FRAMES == steps else len(kinds) // steps
    if length < 1:
        raise ValueError(f"{len(kinds)} frames cannot fill {steps} steps")
    runs = np.asarray(kinds)[: steps * length].reshape(steps, length)
    return np.stack([(runs == kind).mean(axis=1) for kind in range(len(KINDS))], axis=1)


def attention_by_kind(weights: np.ndarray, shares: np.ndarray) -> dict[str, dict[str, float]]:
    """Attention on each kind of one utterance, against its share of time.

    Parameters
    ----------
    weights : float [steps], sum 1
    shares : float [steps, 3], see :func:`step_shares`

    Returns
    -------
    for each of :data:`KINDS`: ``attention`` and ``time`` (fractions, each sums to 1 over the kinds), and ``least``, the
    lowest attention that Eq. 5 allows on so much of the time, were it all in steps of its own
    """
    weights, shares = np.asarray(weights, dtype=float), np.asarray(shares, dtype=float)
    if weights.shape != shares.shape[:1] or shares.shape[1:] != (len(KINDS),):
        raise ValueError(f"weights {weights.shape} and shares {shares.shape}: must be [steps] and [steps, 3]")
    on, time = weights @ shares / weights.sum(), shares.mean(axis=0)
    return {
        kind: {"attention": float(a), "time": float(t), "least": consistency.minimum_attention(float(t))}
        for kind, a, t in zip(KINDS, on, time)
    }


def attention_weights(network, inputs: np.ndarray) -> np.ndarray:
    """Attention weights of a trained network: float [utterances, steps], each row sums to 1.

    Raises
    ------
    SerError
        for a network without a layer named ``attention`` (A1 to A4 have none)
    """
    from ser_core import models
    from ser_core.training import fit, speedups

    weigh = models.attention_model(network)
    if weigh is None:
        raise SerError(f"network {network.name}: has no attention layer; cnn_bilstm_attention has one")
    return weigh.predict(**speedups.batches(inputs, size=fit.EVALUATION_BATCH), verbose=0)[1]


def measure_attention(network, spec, table, ids: Sequence[str] | None = None, *, silence_db: float = SILENCE_DB):
    """Attention on speech, silence and padding of utterances, by a trained network.

    Parameters
    ----------
    network : Keras model with an attention layer
    spec : the ``Spec`` that it was trained by, on one of the paper's channel sets
    table : utterance table of the corpus (``corpora.load``)
    ids : which utterances; all by default

    Returns
    -------
    DataFrame, one row an utterance and kind: ``id``, ``emotion``, ``kind``, ``attention``, ``time``, ``least``

    Raises
    ------
    SerError
        for a network without attention, an input that is not frame by frame, or no utterance
    """
    import pandas as pd

    from ser_core import audio
    from ser_core.features import cache

    if spec.features not in features.CHANNELS:
        raise SerError(f"input {spec.features}: attention over frames needs one of {', '.join(features.CHANNELS)}")
    chosen = table if ids is None else table[table["id"].isin(set(ids))]
    if chosen.empty:
        raise SerError(f"{spec.corpus}: none of the utterances is here to measure attention on")
    weights = attention_weights(network, cache.feature_matrix(chosen, spec.settings, progress=False, workers=1))
    found = []
    for (_, one), given in zip(chosen.iterrows(), weights, strict=True):
        samples = audio.read(source_of(one), rate=spec.rate, normalise=spec.normalise, denoise=spec.denoise)
        kinds = frame_kinds(features.rmse(samples, spec.rate), spec.frames, silence_db)
        for kind, values in attention_by_kind(given, step_shares(kinds, len(given))).items():
            found.append({"id": one["id"], "emotion": one["emotion"], "kind": kind, **values})
    return pd.DataFrame(found)


def attention_of_result(result, folder):
    """Measure attention on the test utterances of a stored result; None where weights or audio are unavailable.

    Parameters
    ----------
    result : RunResult
    folder : path
        where its predictions are

    Returns
    -------
    DataFrame of :func:`measure_attention`, or None
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

    predictions = store.load_predictions(result, folder)
    tested = predictions.loc[predictions["side"] == "test", "id"]
    return measure_attention(keras.models.load_model(path), spec, table, tested)


def attention_summary(measured):
    """Means over utterances: DataFrame by kind with ``attention``, ``time``, ``least`` and ``ratio``.

    ``ratio`` is attention over time: 1 for equal weights, 0 for a kind that is suppressed, NaN for one that there is
    none of. ``least`` over ``time`` is the lowest ratio that Eq. 5 can reach.
    """
    means = measured.groupby("kind")[["attention", "time", "least"]].mean().reindex(list(KINDS))
    return means.assign(ratio=means["attention"] / means["time"].where(means["time"] > 0))
