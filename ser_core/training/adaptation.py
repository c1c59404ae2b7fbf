"""Adapt network inputs to another corpus without its labels, for the protocol ``cross``.

The paper leaves this to future work. ``corpus`` and ``speaker`` scale every channel by its mean and standard deviation
over all frames of a corpus or of a speaker (functionals and encoders: over all utterances; where an input has two
levels of the recordings, each for itself). Eq. 4 takes them over one utterance instead. Differences between corpora as
a whole, such as microphone and room, are removed. Differences between utterances, such as level, remain.

``coral`` whitens the training inputs and gives them the covariance of the target (B. Sun, J. Feng, K. Saenko, "Return
of Frustratingly Easy Domain Adaptation", AAAI 2016, Algorithm 1, with its unit regulariser). The test inputs remain
unchanged. Inputs that Eq. 4 has not scaled are first given mean 0 and standard deviation 1 in each corpus.

Training and validation inputs are adapted before the network is fitted. Of the target, only the recordings are used,
and for ``speaker`` the identity of the speakers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core.features import inputs, whisper

if TYPE_CHECKING:
    import pandas as pd

KINDS = {
    "none": "as trained",
    "corpus": "scaled by each corpus",
    "speaker": "scaled by each speaker",
    "coral": "covariance aligned (CORAL)",
}
"""Name of an adaptation to its description in tables."""
ADAPTABLE = (
    *(*features.CHANNELS, "mfcc40", "mfcc_chroma", "functionals", "means", "egemaps", "compare"),
    *("functionals_levels", "egemaps_levels", "compare_levels", *whisper.COMBINATIONS),
)
"""Feature sets with channels: one value per frame, or one per utterance."""


def check_adaptation(kind: str, features: str) -> None:
    """Check that an adaptation exists and can be used with a feature set.

    Parameters
    ----------
    kind : str
        one of :data:`KINDS`
    features : str
        name of a feature set

    Raises
    ------
    SerError
        for an unknown kind, or a feature set without channels to scale
    """
    if kind not in KINDS:
        raise SerError(f"adapt {kind!r}: not known; choose among {', '.join(KINDS)}")
    if kind != "none" and features not in ADAPTABLE:
        raise SerError(
            f"adapt {kind}: cannot be used with the features {features}; choose among {', '.join(ADAPTABLE)}"
        )


def group_statistics(values: Sequence[np.ndarray], groups: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Compute the mean and standard deviation of every channel over all frames of each group.

    Parameters
    ----------
    values : sequence of float [frames, channels] or [channels]
        features of the utterances
    groups : sequence of str
        group of each utterance

    Returns
    -------
    dict
        group to mean and standard deviation, float64 [channels]; that of a constant channel is 1

    Examples
    --------
    >>> mean, deviation = group_statistics([np.array([1.0, 5.0]), np.array([3.0, 5.0])], ["a", "a"])["a"]
    >>> mean.tolist(), deviation.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    statistics = {}
    for group in dict.fromkeys(groups):
        frames = np.vstack([value for value, name in zip(values, groups, strict=True) if name == group])
        deviation = frames.std(axis=0, dtype=np.float64)
        statistics[group] = frames.mean(axis=0, dtype=np.float64), np.where(deviation > 1e-8, deviation, 1.0)
    return statistics


def coral(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the matrix that gives source rows the covariance of the target: (Cs + I)^-1/2 (Ct + I)^1/2.

    Parameters
    ----------
    source, target : float [rows, channels]
        frames or utterances of mean zero

    Returns
    -------
    float64 [channels, channels]
        matrix to multiply source rows with from the right
    """
    covariances = [np.cov(rows, rowvar=False).reshape(rows.shape[1], -1) for rows in (source, target)]
    (ws, vs), (wt, vt) = (np.linalg.eigh(covariance + np.eye(len(covariance))) for covariance in covariances)
    return (vs * ws**-0.5) @ vs.T @ (vt * wt**0.5) @ vt.T


def speech_frames(x: np.ndarray) -> np.ndarray:
    """Return all frames of network inputs without padding.

    Parameters
    ----------
    x : float [utterances, frames, channels] or [utterances, channels]
        network inputs, padded with zeros

    Returns
    -------
    float [rows, channels]
        frames, or utterances, that are not all zero
    """
    rows = x.reshape(-1, x.shape[-1])
    return rows[np.any(rows != 0.0, axis=1)]


def adapted_inputs(
    spec: Any, sides: Any, raw: Mapping[str, Sequence[np.ndarray]], wanted: Sequence[str]
) -> dict[str, np.ndarray]:
    """Compute adapted network inputs.

    Parameters
    ----------
    spec : Spec
        spec of the run
    sides : Subsets
        subsets of the run; ``sides.test`` is the target
    raw : dict
        subset to raw features of its utterances, all three; in ``train`` those of augmented copies may follow
    wanted : sequence of str
        names of the subsets to return

    Returns
    -------
    dict
        subset to float32 [utterances, *shape]
    """
    settings, shape = spec.settings, inputs.input_shape(spec.settings)
    is_vector = inputs.get_input(settings.features).frames == 1  # without a time axis
    if spec.adapt != "coral" and not is_vector:
        settings, raw = replace(settings, znorm=False), _scaled(spec, sides, raw)
    adapted = {
        subset: np.stack([inputs.to_input(values, settings) for values in utterances])
        for subset, utterances in raw.items()
    }
    if spec.adapt == "coral" and is_vector and len(shape) == 2:  # each level for itself
        levels = [{subset: x[:, level] for subset, x in adapted.items()} for level in range(shape[0])]
        aligned = [_aligned(x, len(sides.train), centred=False) for x in levels]
        adapted = {subset: np.stack([x[subset] for x in aligned], axis=1) for subset in adapted}
    elif spec.adapt == "coral":
        adapted = _aligned(adapted, len(sides.train), centred=spec.znorm)
    elif is_vector:
        scaled = _scaled(spec, sides, {subset: [x.ravel() for x in rows] for subset, rows in adapted.items()})
        adapted = {subset: np.stack(utterances).reshape(-1, *shape) for subset, utterances in scaled.items()}
    return {subset: adapted[subset] for subset in wanted}


def _aligned(x: dict[str, np.ndarray], originals: int, *, centred: bool) -> dict[str, np.ndarray]:
    """Give training and validation inputs the covariance of the target.

    Parameters
    ----------
    x : dict
        subset to inputs
    originals : int
        number of inputs of ``train`` that are not augmented copies; the source covariance is computed over these
    centred : bool
        Eq. 4 has given every channel mean 0 and standard deviation 1; otherwise both corpora are scaled first
    """
    source, target = speech_frames(x["train"][:originals]), speech_frames(x["test"])
    if not centred:
        rows = {"train": source, "validation": source, "test": target}
        x = {subset: _standardised(values, rows[subset]) for subset, values in x.items()}
        source, target = _standardised(source, source), _standardised(target, target)
    matrix = coral(source, target).astype(np.float32)
    return x | {subset: x[subset] @ matrix for subset in ("train", "validation")}


def _standardised(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Scale inputs by the mean and standard deviation of ``rows`` [n, channels]; padding remains zero."""
    mean, deviation = group_statistics([rows], ["all"])["all"]
    return np.where(np.any(x != 0.0, axis=-1, keepdims=True), (x - mean) / deviation, 0.0).astype(np.float32)


def _speaker_or_corpus(table: pd.DataFrame, origin: str, by_speaker: bool) -> list[str]:
    """Return the group of every utterance: its speaker, or its corpus."""
    return [f"{origin} {speaker}" if by_speaker else origin for speaker in table["speaker"]]


def _scaled(spec: Any, sides: Any, raw: Mapping[str, Sequence[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """Scale raw features or vectors by corpus or speaker; augmented copies are scaled as their originals."""
    by_speaker = spec.adapt == "speaker"
    origins = {"train": "source", "validation": "source", "test": "target"}
    groups = {subset: _speaker_or_corpus(sides.get(subset), origin, by_speaker) for subset, origin in origins.items()}
    fitted = ("train", "validation") if by_speaker else ("train",)
    statistics = group_statistics(
        [values for subset in fitted for values in raw[subset][: len(sides.get(subset))]],
        [group for subset in fitted for group in groups[subset]],
    )
    statistics |= group_statistics(raw["test"], groups["test"])
    scaled = {}
    for subset, utterances in raw.items():
        repeated = groups[subset] * (len(utterances) // len(groups[subset]))
        scaled[subset] = [
            ((values - statistics[group][0]) / statistics[group][1]).astype(np.float32)
            for values, group in zip(utterances, repeated, strict=True)
        ]
    return scaled
