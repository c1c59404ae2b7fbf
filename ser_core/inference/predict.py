"""Predict the emotion of a recording with the pretrained, an exported or a trained network.

The pretrained network is an ONNX file that includes the features. It needs only numpy, soundfile, soxr and
onnxruntime; a ``.keras`` file or a result's hash needs Keras. The input is a window of a few seconds. A network of
frames gets shorter recordings padded with zeros, one of functionals as they are. Longer ones are cut into windows whose
probabilities are averaged. The prediction's ``notes`` say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core._utils.recordings import printable
from ser_core.inference.domain import UNLIKE, describe, read_domain
from ser_core.inference.known import KNOWN, is_known
from ser_core.inference.networks import KerasNetwork, OnnxNetwork

if TYPE_CHECKING:
    from ser_core.inference.streams import Stream

PRETRAINED = Path(__file__).parent / "pretrained" / "model.onnx"
WINDOW_HOP = 2.0
"""Hop between two windows of a long recording, in seconds."""
STEP_SECONDS = 0.08
"""Seconds per attention weight: three poolings by 2 of frames every 10 ms."""
CONFIDENT = 0.5
"""Probability from which a prediction is called sure: one emotion is as probable as all others together."""
AT_ONCE = 32
"""Batch size: windows per call of the network."""


class UnusableRecording(SerError):
    """Report a recording that cannot be used, among several.

    Parameters
    ----------
    file : str
        The recording's name, kept as an attribute.
    message : str
        Why it cannot be used.
    """

    def __init__(self, file: str, message: str):
        super().__init__(message)
        self.file = file


@dataclass(frozen=True)
class WindowPrediction:
    """Hold the prediction for one window of a recording."""

    start: float  # s
    end: float  # s
    probabilities: dict[str, float]  # sum to 1
    silent: bool = False  # then it is ignored in the average


@dataclass(frozen=True, eq=False)
class Prediction:
    """Hold the prediction for a recording."""

    file: str
    emotion: str  # the most probable label
    confidence: float  # its probability
    probabilities: dict[str, float]  # label to probability, calibrated; sum to 1
    seconds: float  # length of the recording
    sure: bool  # confidence of at least CONFIDENT, and not unlike the training recordings
    attention: np.ndarray  # float [steps], sum to 1; equal where the network takes the mean over time, else empty
    attention_times: np.ndarray  # float [steps], s: the middle of each step
    windows: tuple[WindowPrediction, ...]  # one for a short recording
    notes: tuple[str, ...]  # how it was prepared, in words
    attends: bool = True  # whether the attention is learnt; otherwise it says nothing about the recording
    distance: float | None = None  # from the training recordings; 1 is the limit; None where it is not known

    @property
    def unlike_training(self) -> bool | None:
        """Whether it is unlike the training recordings, so that the network's accuracy is not known."""
        return None if self.distance is None else self.distance > 1.0

    def record(self) -> dict:
        """Return the prediction as a JSON-able dict, as ``ser predict --json`` prints it."""
        record = {name: getattr(self, name) for name in ("file", "emotion", "confidence", "probabilities", "seconds")}
        record |= {"sure": self.sure, "unlike_training": self.unlike_training, "distance": self.distance}
        record["notes"] = list(self.notes)
        if len(self.windows) > 1:
            record["windows"] = [
                {"start": w.start, "end": w.end, "probabilities": w.probabilities} for w in self.windows
            ]
        return record


class Predictor:
    """Predict the emotions of recordings with one network.

    Parameters
    ----------
    model : str or Path, optional
        An exported ``.onnx`` file, a ``.keras`` file, or the hash of a result of ``ser run``; the last two need Keras.
        None is the pretrained network.

    Attributes
    ----------
    labels : tuple of str
        The emotions.
    rate : int, Hz
        Sampling rate of the network's input.
    window_seconds : float, s
        Length of the network's input.
    name, licence : str
        The network's name, and the licence under which it can be passed on.
    demo : bool
        Whether it was trained on synthetic speech.
    attends : bool
        Whether its attention weights are learnt; otherwise they are all equal or missing.

    Raises
    ------
    SerError
        Where the model is missing or cannot be used.
    """

    def __init__(self, model: str | Path | None = None):
        path = Path(model) if model is not None else PRETRAINED
        if path.suffix == ".onnx" and not path.is_file():
            raise SerError(f"{path}: no such model; `ser export` writes one")
        self._network: OnnxNetwork | KerasNetwork
        if model is None or path.suffix == ".onnx":
            self._network = OnnxNetwork(path, check=model is not None)
        else:
            self._network = KerasNetwork(model)
        facts = self._network.facts
        self.labels: tuple[str, ...] = tuple(facts["labels"])
        self.rate: int = self._network.rate
        self.window_seconds: float = self._network.seconds
        self.name: str = facts["name"]
        self.demo: bool = bool(facts["demo"])
        self.licence: str = facts["licence"]
        self.attends: bool = facts["attends"]
        self._padded: bool = facts.get("padded", True)
        self._corpus: str | None = facts.get("whole_corpus")
        self._domain = read_domain(facts.get("domain"))

    def predict(self, source, *, name: str | None = None) -> Prediction:
        """Predict the emotion of one recording.

        Parameters
        ----------
        source : path, bytes, or (samples, rate)
            A file, its content, or samples [n] or [n, channels] with their rate in Hz. Samples are floats with full
            scale 1, or integers with the full scale of their type.
        name : str, optional
            Name in the prediction and in error messages; by default the path.

        Returns
        -------
        Prediction

        Raises
        ------
        SerError
            Where the recording cannot be used, see :func:`ser_core.audio.decode`.
        """
        name = _source_name(source, name)
        if isinstance(source, tuple):
            samples, rate = audio.check_samples(*_pair(source, name), printable(name))
            prepared = audio.preprocess(samples, rate, target=self.rate)
            return self._classify(prepared, name, len(samples) / rate)
        heard = audio.hear(source, rate=self.rate, name=printable(name))
        prediction = self._classify(heard.samples, name, heard.seconds, file_notes=heard.notes)
        known = is_known(source, name, heard.seconds, self._corpus)
        return replace(prediction, notes=(*prediction.notes, KNOWN)) if known else prediction

    def predict_many(self, sources: Iterable) -> Iterator[Prediction | UnusableRecording]:
        """Predict several recordings, one after the other.

        Parameters
        ----------
        sources : iterable
            Recordings as in :meth:`predict`, or (name, source) pairs.

        Yields
        ------
        Prediction or UnusableRecording
            One per recording; an unusable one does not stop the others.
        """
        for source in sources:
            name = None
            if isinstance(source, tuple) and isinstance(source[0], str):
                name, source = source
            try:
                yield self.predict(source, name=name)
            except SerError as error:
                yield UnusableRecording(_source_name(source, name), str(error))
            except (Exception, MemoryError) as error:  # whatever is wrong with one, the others are answered
                name = _source_name(source, name)
                reason = printable(f"{type(error).__name__}: {error}")[:200]
                yield UnusableRecording(name, f"{printable(name)}: cannot be read ({reason}); convert it to wav")

    def stream(self, hop_seconds: float = 0.5) -> Stream:
        """Return a stream: predictions over the last window while audio comes in.

        Parameters
        ----------
        hop_seconds : float, s, default 0.5
            Time between two predictions, from 0.05 s to the window's length.
        """
        from ser_core.inference.streams import Stream

        return Stream(self, hop_seconds)

    def _distance(self, piece: np.ndarray, silent: bool) -> float | None:
        """Return how far a window is from the training recordings; None for silence, and where it is not known."""
        if self._domain is None or silent:
            return None
        return self._domain.distance(describe(piece, self.rate))

    def _classify(
        self,
        samples: np.ndarray | audio.LongSignal,
        name: str,
        seconds: float,
        start: float = 0.0,
        file_notes: tuple[str, ...] = (),
    ) -> Prediction:
        """Predict from mono samples at the network's rate, the first of them at ``start`` seconds."""
        size = round(self.window_seconds * self.rate)
        starts = window_starts(len(samples), size, self.rate)
        lengths = [min(size, len(samples) - first) for first in starts]
        silent: list[bool] = []
        distances: list[float | None] = []
        outputs = []
        for batch in range(0, len(starts), AT_ONCE):  # a long recording is decoded as its windows come up
            pieces = [samples[first : first + size] for first in starts[batch : batch + AT_ONCE]]
            quiet = [is_silent(piece) for piece in pieces]
            silent += quiet
            distances += [self._distance(*pair) for pair in zip(pieces, quiet)]
            outputs.append(self._run(pieces, name))
        return self._assemble(outputs, name, seconds, start, starts, lengths, silent, distances, file_notes)

    def _assemble(
        self, outputs: list, name: str, seconds: float, start: float, starts: list[int], lengths: list[int],
        silent: list[bool], distances: list[float | None], file_notes: tuple[str, ...] = (),
    ) -> Prediction:  # fmt: skip
        """Make a prediction from the network's outputs for windows at ``starts``, all in samples."""
        probabilities = np.concatenate([p for p, _ in outputs])
        weighted = [a for _, a in outputs if a is not None]
        attention = np.concatenate(weighted) if weighted else None
        counted = ~np.array(silent) if not all(silent) else np.ones(len(silent), dtype=bool)
        average = probabilities[counted].mean(axis=0)
        mean: dict[str, float] = dict(zip(self.labels, (average / average.sum()).tolist()))
        emotion = max(mean, key=mean.__getitem__)
        known = [value for value in distances if value is not None]
        distance = float(np.mean(known)) if known else None
        unlike = distance is not None and distance > 1.0
        weights = self._join_attention(attention, starts, counted)
        windows = tuple(
            WindowPrediction(start + first / self.rate, start + (first + length) / self.rate,
                   dict(zip(self.labels, p.tolist())), bool(quiet))
            for first, length, p, quiet in zip(starts, lengths, probabilities, silent)
        )  # fmt: skip
        return Prediction(
            file=name, emotion=emotion, confidence=mean[emotion], probabilities=mean, seconds=seconds,
            sure=mean[emotion] >= CONFIDENT and not all(silent) and not unlike, attention=weights,
            attention_times=start + STEP_SECONDS * (np.arange(len(weights)) + 0.5) - 0.005,
            windows=windows, notes=self._notes(starts[-1] + lengths[-1], silent, unlike) + file_notes,
            attends=bool(self.attends), distance=distance,
        )  # fmt: skip

    def _run(self, pieces: list[np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Return probabilities [pieces, labels] in float64, and attention [pieces, steps] or None."""
        if len(pieces) > 1 and len({len(piece) for piece in pieces}) == 1:
            outputs = [self._network(np.stack(pieces))]
        else:
            outputs = [self._network(piece[None]) for piece in pieces]
        return self._checked(outputs, name)

    def _checked(self, outputs: list, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Join the outputs of the network, and refuse what are no probabilities."""
        probabilities = np.concatenate([p for p, _ in outputs]).astype(np.float64)
        sums = probabilities.sum(axis=1, keepdims=True)
        if not (np.isfinite(probabilities).all() and (sums > 0).all() and (probabilities >= 0).all()):
            raise SerError(
                f"{printable(name)}: the network {self.name} gives no probabilities for it (NaN); train it again"
            )
        weights = [a for _, a in outputs if a is not None]
        attention = np.concatenate(weights).astype(np.float64) if weights else None
        return probabilities / sums, attention

    def _join_attention(self, attention: np.ndarray | None, starts: list[int], counted: np.ndarray) -> np.ndarray:
        """Add up the attention of overlapping windows: float64 [steps of the recording], sum 1."""
        if attention is None:
            return np.zeros(0)
        first = [round(start / self.rate / STEP_SECONDS) for start in starts]
        total = np.zeros(first[-1] + attention.shape[1])
        for offset, weights, counts in zip(first, attention, counted):
            total[offset : offset + len(weights)] += weights * counts
        return total / total.sum()

    def _notes(self, count: int, silent: list[bool], unlike: bool) -> tuple[str, ...]:
        """Say how a recording of ``count`` samples was prepared."""
        notes, size = [], round(self.window_seconds * self.rate)
        if self.demo:
            notes.append("demo network, trained on synthetic speech: it says nothing about people")
        if unlike:
            notes.append(UNLIKE)
        if count < size and self._padded:
            notes.append(f"padded to {self.window_seconds:g} s")
        if len(silent) > 1:
            notes.append(f"averaged over {len(silent)} windows of {self.window_seconds:g} s")
        if all(silent):
            notes.append("silent")
        elif any(silent):
            notes.append(f"{sum(silent)} silent window{'s' if sum(silent) > 1 else ''} left out")
        return tuple(notes)


def window_starts(count: int, size: int, rate: int) -> list[int]:
    """Return the first samples of the windows; the last one ends with the recording, on the grid of the steps.

    Parameters
    ----------
    count, size : int
        Samples of the recording, and of a window.
    rate : int, Hz
        Sampling rate.

    Examples
    --------
    >>> window_starts(96_000, 64_000, 16_000)
    [0, 32000]
    """
    hop, step = round(WINDOW_HOP * rate), round(STEP_SECONDS * rate)
    last = -(-max(0, count - size) // step) * step
    return [*range(0, last, hop), last]


def is_silent(samples: np.ndarray) -> bool:
    """Return whether nothing in a window is above -80 dBFS."""
    return bool(samples.max() - samples.min() < 2 * audio.SILENCE)


def _source_name(source: Any, name: str | None) -> str:
    """Return the name of a recording in its prediction."""
    return str(name or (source if isinstance(source, str | Path) else "recording"))


def _pair(source: tuple, name: str) -> tuple[Any, Any]:
    """Return the two parts of (samples, rate)."""
    if len(source) != 2:
        raise SerError(
            f"{printable(name)}: {len(source)} value{'' if len(source) == 1 else 's'}; give a path, bytes, "
            f"or (samples, rate)"
        )
    return source
