"""An emotion for a recording: the shipped network, an exported one, or one that ``ser run`` trained.

The shipped network is an ONNX file that holds the features too, so that prediction needs numpy, soundfile, soxr and
onnxruntime and nothing else; only a ``.keras`` network or a result's hash loads Keras. A network hears a window of 4 s.
What is shorter is padded with zeros; what is longer is cut into windows whose probabilities are averaged; both are said
in the prediction's ``notes``.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.metrics.temperature_scaling import apply_temperature

PRETRAINED = Path(__file__).parent / "pretrained" / "model.onnx"
WINDOW_HOP = 2.0
"""Seconds between the starts of two windows of a long recording."""
STEP_SECONDS = 0.08
"""What one attention weight covers: three poolings by 2 of frames every 10 ms."""
CONFIDENT = 0.5
"""From this probability on a prediction is called sure: one emotion is as probable as all the others together."""
AT_ONCE = 32
"""Windows given to the network at a time."""
SHORTEST_PIECE = 0.025
"""Seconds, one frame: a stream's first estimate needs so much."""


class UnusableRecording(SerError):
    """A recording among several that cannot be used; ``file`` names it, the message says why."""

    def __init__(self, file: str, message: str):
        super().__init__(message)
        self.file = file


@dataclass(frozen=True)
class WindowPrediction:
    """What the network said of one window."""

    start: float  # s
    end: float  # s
    probabilities: dict[str, float]  # sum to 1
    silent: bool = False  # then it does not count


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says of a recording."""

    file: str
    emotion: str  # the most probable label
    confidence: float  # its probability
    probabilities: dict[str, float]  # label to probability, calibrated; sum to 1
    seconds: float  # length of the recording
    sure: bool  # confidence of at least SURE
    attention: np.ndarray  # float [steps], sum to 1; equal where the network takes the mean over time, else empty
    attention_times: np.ndarray  # float [steps], s: the middle of each step
    windows: tuple[WindowPrediction, ...]  # one for a short recording
    notes: tuple[str, ...]  # what was done to it, in words

    def record(self) -> dict:
        """The prediction as JSON: what ``ser predict --json`` prints of a file."""
        found = {name: getattr(self, name) for name in ("file", "emotion", "confidence", "probabilities", "seconds")}
        found |= {"sure": self.sure, "notes": list(self.notes)}
        if len(self.windows) > 1:
            found["windows"] = [
                {"start": w.start, "end": w.end, "probabilities": w.probabilities} for w in self.windows
            ]
        return found


class OnnxNetwork:
    """An exported network: waveforms [n, samples] in, probabilities and attention out."""

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            facts = self.session.get_modelmeta().custom_metadata_map
            self.facts = json.loads(facts["ser"])
        except KeyError:
            raise SerError(f"{path}: no network that `ser export` wrote (its metadata are missing)") from None
        except Exception as error:
            raise SerError(f"{path}: not an ONNX file that can be run ({' '.join(str(error).split())[:200]})") from None
        self.rate, self.seconds = int(self.facts["rate"]), float(self.facts["window_seconds"])

    def __call__(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        found = self.session.run(None, {"waveform": np.ascontiguousarray(waveforms, dtype=np.float32)})
        return found[0], found[1] if len(found) > 1 else None


class KerasNetwork:
    """A network that ``ser run`` trained, with features by the suite itself."""

    def __init__(self, model: str | Path):
        from ser_core import models
        from ser_core.inference import saved_models

        self.trained = saved_models.load_model(model)
        self.facts = self.trained.facts | {"attends": "attention" in {n.name for n in self.trained.network.layers}}
        self.settings = self.trained.settings
        self.rate, self.seconds = self.settings.rate, window_seconds(self.settings)
        self.network = models.attention_model(self.trained.network) or self.trained.network
        self.steps = saved_models.averaged_steps(self.trained.network)

    def __call__(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        from ser_core.features import inputs

        raw = inputs.RAW[inputs.get_input(self.settings.features).raw]
        made = [inputs.to_input(raw(self._cleaned(waveform), self.rate), self.settings) for waveform in waveforms]
        answer = self.network.predict_on_batch(np.stack(made))
        probabilities, attention = answer if isinstance(answer, list | tuple) else (answer, None)
        if self.steps:
            attention = np.full((len(made), self.steps), 1.0 / self.steps)
        return apply_temperature(np.asarray(probabilities), self.trained.temperature), attention

    def _cleaned(self, waveform: np.ndarray) -> np.ndarray:
        if self.settings.denoise:
            waveform = audio.reduce_noise(waveform, self.rate)
        return audio.peak_normalise(waveform) if self.settings.normalise else waveform


def window_seconds(settings) -> float:
    """What a network hears of a recording, in seconds: its frames of 10 ms, else 4."""
    from ser_core import features

    return settings.frames * features.HOP_SECONDS if settings.features in features.CHANNELS else 4.0


class Predictor:
    """Emotions of recordings by one network.

    ``labels``, ``rate`` (Hz), ``window_seconds``, ``name``, ``licence``, ``demo`` (trained on synthetic speech) and
    ``attends`` (its attention weights are learnt, not all equal) say what it is.

    Parameters
    ----------
    model : None for the shipped network; an exported ``.onnx`` file; a ``.keras`` file or the hash of a result of
        ``ser run`` (needs Keras)

    Raises
    ------
    SerError
        for a model that is not there or cannot be used
    """

    def __init__(self, model: str | Path | None = None):
        path = Path(model) if model is not None else PRETRAINED
        if path.suffix == ".onnx" and not path.is_file():
            raise SerError(f"{path}: no such model; `ser export` writes one")
        self._network = OnnxNetwork(path) if path.suffix == ".onnx" else KerasNetwork(model)
        facts = self._network.facts
        self.labels: tuple[str, ...] = tuple(facts["labels"])
        self.rate: int = self._network.rate
        self.window_seconds: float = self._network.seconds
        self.name: str = facts["name"]
        self.demo: bool = bool(facts["demo"])
        self.licence: str = facts["licence"]
        self.attends: bool = facts["attends"]

    def predict(self, source, *, name: str | None = None) -> Prediction:
        """The emotion of one recording.

        Parameters
        ----------
        source : path, bytes of a file, or (samples [n] or [n, channels], rate in Hz); floats with full scale 1, or
            integers with the full scale of their type
        name : what to call it; the path by default

        Returns
        -------
        Prediction

        Raises
        ------
        SerError
            for a recording that cannot be used; see ``audio.decode``
        """
        name = str(name or (source if isinstance(source, str | Path) else "recording"))
        if isinstance(source, tuple):
            samples, rate = audio.check_samples(*source, name)
        else:
            samples, rate, _ = audio.decode(source, name)
        prepared = audio.preprocess(samples, rate, target=self.rate)
        return self._judge(prepared, name, len(samples) / rate)

    def predict_many(self, sources: Iterable) -> Iterator[Prediction | UnusableRecording]:
        """Predictions one by one; a recording that cannot be used gives a :class:`Refused` and the others go on.

        ``sources`` are as :meth:`predict` takes them, or (name, source) pairs.
        """
        for source in sources:
            name = None
            if isinstance(source, tuple) and isinstance(source[0], str):
                name, source = source
            try:
                yield self.predict(source, name=name)
            except SerError as error:
                yield UnusableRecording(
                    str(name or (source if isinstance(source, str | Path) else "recording")), str(error)
                )

    def stream(self, hop_seconds: float = 0.5) -> "Stream":
        """Predictions while sound comes in, one every ``hop_seconds`` over the last ``window_seconds``."""
        return Stream(self, hop_seconds)

    def _starts(self, count: int, size: int) -> list[int]:
        """First samples of the windows; the last one ends with the recording, on the grid of the steps."""
        hop, step = round(WINDOW_HOP * self.rate), round(STEP_SECONDS * self.rate)
        last = -(-max(0, count - size) // step) * step
        return [*range(0, last, hop), last]

    def _judge(self, samples: np.ndarray, name: str, seconds: float, start: float = 0.0) -> Prediction:
        """A prediction from mono samples at the network's rate, the first of them at ``start`` seconds."""
        size = round(self.window_seconds * self.rate)
        starts = self._starts(len(samples), size)
        pieces = [samples[first : first + size] for first in starts]
        silent = [np.ptp(piece) < 2 * audio.SILENCE for piece in pieces]
        probabilities, attention = self._run(pieces)
        counted = ~np.array(silent) if not all(silent) else np.ones(len(silent), dtype=bool)
        mean = probabilities[counted].mean(axis=0)
        mean = dict(zip(self.labels, (mean / mean.sum()).tolist()))
        emotion = max(mean, key=mean.get)
        weights = self._joined(attention, starts, counted)
        windows = tuple(
            WindowPrediction(start + first / self.rate, start + (first + len(piece)) / self.rate,
                   dict(zip(self.labels, p.tolist())), bool(quiet))
            for first, piece, p, quiet in zip(starts, pieces, probabilities, silent)
        )  # fmt: skip
        return Prediction(
            file=name, emotion=emotion, confidence=mean[emotion], probabilities=mean, seconds=seconds,
            sure=mean[emotion] >= CONFIDENT and not all(silent), attention=weights,
            attention_times=start + STEP_SECONDS * (np.arange(len(weights)) + 0.5) - 0.005,
            windows=windows, notes=self._notes(len(samples), size, silent),
        )  # fmt: skip

    def _run(self, pieces: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """Probabilities [pieces, labels] in float64, and attention [pieces, steps] or None."""
        found = []
        for first in range(0, len(pieces), AT_ONCE):
            together = pieces[first : first + AT_ONCE]
            alike = len({len(piece) for piece in together}) == 1
            found += [self._network(np.stack(together))] if alike else [self._network(p[None]) for p in together]
        probabilities = np.concatenate([p for p, _ in found]).astype(np.float64)
        attention = None if found[0][1] is None else np.concatenate([a for _, a in found]).astype(np.float64)
        return probabilities / probabilities.sum(axis=1, keepdims=True), attention

    def _joined(self, attention: np.ndarray | None, starts: list[int], counted: np.ndarray) -> np.ndarray:
        """Attention of the windows laid over each other: float64 [steps of the recording], sum 1."""
        if attention is None:
            return np.zeros(0)
        first = [round(start / self.rate / STEP_SECONDS) for start in starts]
        total = np.zeros(first[-1] + attention.shape[1])
        for offset, weights, counts in zip(first, attention, counted):
            total[offset : offset + len(weights)] += weights * counts
        return total / total.sum()

    def _notes(self, count: int, size: int, silent: list[bool]) -> tuple[str, ...]:
        notes = []
        if self.demo:
            notes.append("demo network, trained on synthetic speech: it says nothing about people")
        if count < size:
            notes.append(f"padded to {self.window_seconds:g} s")
        if len(silent) > 1:
            notes.append(f"averaged over {len(silent)} windows of {self.window_seconds:g} s")
        if all(silent):
            notes.append("silent")
        elif any(silent):
            notes.append(f"{sum(silent)} silent window{'s' if sum(silent) > 1 else ''} left out")
        return tuple(notes)


class Stream:
    """Sound in, chunk by chunk; a prediction every hop over the last window.

    It keeps one window of samples and no more, so that an estimate takes as long after an hour as after 4 s.
    """

    def __init__(self, predictor: Predictor, hop_seconds: float = 0.5):
        if not 0.05 <= hop_seconds <= predictor.window_seconds:
            raise SerError(f"hop {hop_seconds} s: from 0.05 s to the window's {predictor.window_seconds:g} s")
        self.predictor = predictor
        self.hop = round(hop_seconds * predictor.rate)
        self.size = round(predictor.window_seconds * predictor.rate)
        self.kept = np.zeros(0, dtype=np.float32)  # the last samples, at most one window
        self.heard = 0  # samples so far, at the network's rate
        self._rate: int | None = None
        self._resampler = None

    def feed(self, chunk: np.ndarray, rate: int) -> list[Prediction]:
        """Take the next samples; give the predictions that have become due, none or several.

        Parameters
        ----------
        chunk : float [n] or [n, channels], full scale 1; any length
        rate : int, Hz; the same for all chunks

        Returns
        -------
        list of Prediction; ``seconds`` is the length that each has heard, ``windows`` says from when to when

        Raises
        ------
        SerError
            for samples that are not numbers, and for a rate that cannot be used or changes
        """
        mono = self._resampled(np.asarray(chunk), rate)
        due = []
        while len(mono):
            take = self.hop - self.heard % self.hop
            self.kept = np.concatenate([self.kept, mono[:take]])[-self.size :]
            self.heard += min(take, len(mono))
            mono = mono[take:]
            if self.heard % self.hop == 0:
                due.append(self._estimate())
        return due

    def _estimate(self) -> Prediction:
        rate = self.predictor.rate
        start = (self.heard - len(self.kept)) / rate
        samples = audio.peak_normalise(self.kept) if np.ptp(self.kept) >= 2 * audio.SILENCE else self.kept
        return self.predictor._judge(samples, "stream", len(self.kept) / rate, start)

    def _resampled(self, chunk: np.ndarray, rate: int) -> np.ndarray:
        audio.check_rate(rate, "stream")
        if self._rate not in (None, rate):
            raise SerError(f"stream: the rate changed from {self._rate} to {rate} Hz; start a new stream")
        chunk = audio.as_float(chunk, "stream")
        if not np.isfinite(chunk).all():
            raise SerError("stream: holds samples that are not numbers (NaN or infinite)")
        mono = np.ascontiguousarray(chunk.mean(axis=1) if chunk.ndim == 2 else chunk, dtype=np.float32)
        if self._rate is None and rate != self.predictor.rate:
            import soxr

            self._resampler = soxr.ResampleStream(rate, self.predictor.rate, 1, dtype="float32")
        self._rate = rate
        return mono if self._resampler is None else self._resampler.resample_chunk(mono)
