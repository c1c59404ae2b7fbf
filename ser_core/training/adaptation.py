"""Adaptation to another corpus without its labels, for the protocol ``cross``: what the paper leaves to future work.

``corpus`` and ``speaker`` take the mean and the deviation of every channel over all frames of a corpus or of a
speaker (of every functional over all its utterances), in place of Eq. 4, which takes them over an utterance: what
differs between corpora as a whole, microphone and room, goes, and what differs between utterances, level among it,
stays. ``coral`` whitens the training inputs and gives them the covariance of the target's (B. Sun, J. Feng, K. Saenko,
"Return of Frustratingly Easy Domain Adaptation", AAAI 2016, Algorithm 1, with its unit regulariser); the target is
tested on as it is, but for inputs that Eq. 4 has not scaled: these get mean 0 and deviation 1 in each corpus first. The
training side is treated before the network is fitted; of the target only recordings, and for ``speaker`` who speaks,
are used.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core.features import inputs as kinds

KINDS = {
    "none": "as trained",
    "corpus": "scaled by each corpus",
    "speaker": "scaled by each speaker",
    "coral": "covariance aligned (CORAL)",
}
ADAPTABLE = (*features.CHANNELS, "mfcc40", "mfcc_chroma", "functionals", "means", "egemaps", "compare")
"""Inputs with channels, one value a frame or one an utterance."""


def check_adaptation(kind: str, features: str) -> None:
    """SerError for an unknown kind, or an input that has no channels to scale."""
    if kind not in KINDS:
        raise SerError(f"adapt {kind!r}: not known; choose among {', '.join(KINDS)}")
    if kind != "none" and features not in ADAPTABLE:
        raise SerError(f"adapt {kind}: cannot be used with the input {features}; choose among {', '.join(ADAPTABLE)}")


def group_statistics(values: Sequence[np.ndarray], groups: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Group to mean and deviation of every channel over all frames of its utterances; a constant one has deviation 1.

    values : [frames, channels] or [channels] each
    """
    found = {}
    for group in dict.fromkeys(groups):
        frames = np.vstack([one for one, own in zip(values, groups, strict=True) if own == group])
        deviation = frames.std(axis=0, dtype=np.float64)
        found[group] = frames.mean(axis=0, dtype=np.float64), np.where(deviation > 1e-8, deviation, 1.0)
    return found


def coral(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The matrix [channels, channels] that gives source rows the target's covariance: (Cs + I)^-1/2 (Ct + I)^1/2.

    source, target : float [rows, channels], of mean zero
    """
    covariances = [np.cov(rows, rowvar=False).reshape(rows.shape[1], -1) for rows in (source, target)]
    (ws, vs), (wt, vt) = (np.linalg.eigh(one + np.eye(len(one))) for one in covariances)
    return (vs * ws**-0.5) @ vs.T @ (vt * wt**0.5) @ vt.T


def speech_frames(x: np.ndarray) -> np.ndarray:
    """Rows [n, channels] of inputs [utterances, frames, channels] or [utterances, channels], without padding."""
    rows = x.reshape(-1, x.shape[-1])
    return rows[np.any(rows != 0.0, axis=1)]


def adapted_inputs(spec, sides, raw: dict[str, list[np.ndarray]], wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Adapted network inputs of the sides wanted.

    Parameters
    ----------
    spec, sides : of the cell; ``sides.test`` is the target
    raw : raw features of every side; in ``train`` those of augmented copies may follow
    wanted : names of sides

    Returns
    -------
    dict: side to float32 [utterances, *shape]
    """
    settings, vectors = spec.settings, len(kinds.input_shape(spec.settings)) == 1
    if spec.adapt != "coral" and not vectors:
        settings, raw = replace(settings, znorm=False), _scaled(spec, sides, raw)
    found = {side: np.stack([kinds.to_input(one, settings) for one in values]) for side, values in raw.items()}
    if spec.adapt == "coral":
        found = _aligned(found, len(sides.train), centred=spec.znorm)
    elif vectors:
        found = {side: np.stack(values) for side, values in _scaled(spec, sides, found).items()}
    return {side: found[side] for side in wanted}


def _aligned(found: dict[str, np.ndarray], originals: int, *, centred: bool) -> dict[str, np.ndarray]:
    """Training and validation inputs with the target's covariance.

    originals : so many of ``train`` are no augmented copies, and are what the source is measured on
    centred : Eq. 4 has given every channel mean 0 and deviation 1; else both corpora are scaled so first
    """
    source, target = speech_frames(found["train"][:originals]), speech_frames(found["test"])
    if not centred:
        origin = {"train": source, "validation": source, "test": target}
        found = {side: _standard(x, origin[side]) for side, x in found.items()}
        source, target = _standard(source, source), _standard(target, target)
    matrix = coral(source, target).astype(np.float32)
    return found | {side: found[side] @ matrix for side in ("train", "validation")}


def _standard(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Inputs scaled by mean and deviation of ``rows`` [n, channels]; padding stays zero."""
    mean, deviation = group_statistics([rows], ["all"])["all"]
    return np.where(np.any(x != 0.0, axis=-1, keepdims=True), (x - mean) / deviation, 0.0).astype(np.float32)


def _scaled(spec, sides, raw: dict) -> dict:
    """Raw features or vectors scaled by corpus or speaker. Copies take the scale of what they are copies of."""
    by_speaker = spec.adapt == "speaker"
    groups = {
        side: [f"{origin} {one}" if by_speaker else origin for one in sides.get(side)["speaker"]]
        for side, origin in (("train", "source"), ("validation", "source"), ("test", "target"))
    }
    fitted = ("train", "validation") if by_speaker else ("train",)
    known = group_statistics(
        [one for side in fitted for one in raw[side][: len(sides.get(side))]],
        [g for side in fitted for g in groups[side]],
    )
    known |= group_statistics(raw["test"], groups["test"])
    scaled = {}
    for side, values in raw.items():
        turns = groups[side] * (len(values) // len(groups[side]))
        scaled[side] = [
            ((one - known[group][0]) / known[group][1]).astype(np.float32)
            for one, group in zip(values, turns, strict=True)
        ]
    return scaled
