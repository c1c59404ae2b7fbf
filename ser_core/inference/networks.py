"""Run networks on waveforms: exported ones with onnxruntime, trained ones with Keras."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import audio, features
from ser_core._utils.errors import SerError
from ser_core._utils.recordings import printable
from ser_core._utils.words import counted
from ser_core.features.onnx_voice import OFFSET
from ser_core.inference.checks import check_facts, check_labels
from ser_core.inference.onnx_parts import cut_network, read_facts
from ser_core.metrics.temperature_scaling import apply_temperature


class OnnxNetwork:
    """Run an exported network: waveforms [batch, samples] in, probabilities and attention out.

    The features are those of :mod:`ser_core.features`, which are several times as fast as those in the file.

    Parameters
    ----------
    path : Path
        An ONNX file that ``ser export`` wrote.
    check : bool, default True
        Let it answer once, and refuse a network whose answer is none.
    threads : int, default 1
        Threads of onnxruntime; waiting ones sleep. More are no faster for a window of 4 s.
    whole : bool, default False
        Compute the features as the file does, as other programs do.

    Attributes
    ----------
    settings : FeatureSettings or None
        Settings of its input; None where the whole file is run.

    Raises
    ------
    SerError
        Where the file is no such network.
    """

    def __init__(self, path: Path, *, check: bool = True, threads: int = 1, whole: bool = False):
        import onnxruntime

        self.path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            content = path.read_bytes()
            part = None if whole else cut_network(content)
            if (read_facts(content) or {}).get("padded") is False:  # functionals: more operators than work in each
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            self.settings = part.settings if part else None
            self._input = part.input if part else "waveform"
            self.session = onnxruntime.InferenceSession(
                part.content if part else str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )  # the fallback, to the same provider, prints on standard output
            facts = self.session.get_modelmeta().custom_metadata_map
            self.facts = json.loads(facts["ser"])
            batch = self.session.get_inputs()[0].shape[:1]
            self._at_once = 1 if batch == [1] else None  # a file may take one waveform at a time
        except KeyError:
            raise SerError(f"{path}: not a network by `ser export` (its metadata are missing)") from None
        except Exception as error:
            raise SerError(
                f"{path}: not a usable ONNX file ({printable(' '.join(str(error).split()))[:200]})"
            ) from None
        self.rate, self.seconds = check_facts(self.facts, path)
        if check:
            self._check_answer(path)

    def __call__(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if self.settings is None:
            given = np.ascontiguousarray(waveforms, dtype=np.float32)
            if self._at_once is None or len(given) <= self._at_once:
                return self.run(given)
            answers = [self.run(given[place : place + 1]) for place in range(len(given))]
            joined = [np.concatenate(parts) for parts in zip(*answers, strict=True) if parts[0] is not None]
            return joined[0], joined[1] if len(joined) > 1 else None
        return self.run(np.stack([self._features(waveform) for waveform in waveforms]))

    def run(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Run the network on its input.

        Parameters
        ----------
        values : float32 [batch, frames, channels]
            Features; without ``settings``, waveforms [batch, samples].

        Returns
        -------
        probabilities : ndarray of float32 [batch, labels]
        attention : ndarray of float32 [batch, steps], or None
        """
        outputs = self.session.run(None, {self._input: values})
        return outputs[0], outputs[1] if len(outputs) > 1 else None

    def _features(self, waveform: np.ndarray) -> np.ndarray:
        """Compute the features of a waveform, scaled to a peak of 1 where they are so in training."""
        settings = self.settings
        assert settings is not None
        waveform = audio.peak_normalise(waveform) if settings.normalise else waveform
        return features.frames.extract_input(waveform, settings)

    def _check_answer(self, path: Path) -> None:
        """Refuse a network that gives no probabilities, or not one for each label."""
        noise = np.random.default_rng(0).normal(0, 0.1, (1, round(self.seconds * self.rate)))
        try:
            probabilities, attention = self(noise)
        except Exception as error:
            raise SerError(
                f"{path}: the network does not run ({printable(' '.join(str(error).split()))[:200]})"
            ) from None
        outputs, labels = probabilities.shape[-1] if probabilities.ndim else 0, len(self.facts["labels"])
        if probabilities.shape != (1, labels):
            raise SerError(f"{path}: {counted(labels, 'label')} for {counted(outputs, 'output')}; export it again")
        if not np.isfinite(probabilities).all() or abs(float(probabilities.sum()) - 1) > 0.01:
            raise SerError(
                f"{path}: its answers are no probabilities (weights or temperature are damaged); export it again"
            )
        if attention is not None and not np.isfinite(attention).all():
            raise SerError(f"{path}: its attention weights are not numbers; export it again")


def _one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:200]


class KerasNetwork:
    """Run a trained Keras network, with features computed by the suite.

    Parameters
    ----------
    model : str or Path
        A result's hash, or a ``.keras`` file with its JSON.

    Raises
    ------
    SerError
        See :func:`ser_core.inference.saved_models.load_model`.
    """

    def __init__(self, model: str | Path):
        from ser_core import models
        from ser_core.inference import saved_models

        self.trained = saved_models.load_model(model)
        self._check_weights()
        self.settings = self.trained.settings
        attends = "attention" in {layer.name for layer in self.trained.network.layers}
        self.facts = self.trained.facts | {"attends": attends, "padded": self.settings.features != "voice_functionals"}
        self.rate, self.seconds = self.settings.rate, window_seconds(self.settings)
        self.network: Any = models.attention_model(self.trained.network) or self.trained.network
        self.steps = saved_models.averaged_steps(self.trained.network)

    def __call__(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        from ser_core.features import inputs

        raw = inputs.RAW[inputs.get_input(self.settings.features).raw]
        batch = [inputs.to_input(raw(self._cleaned(waveform), self.rate), self.settings) for waveform in waveforms]
        outputs = self.network.predict_on_batch(np.stack(batch))
        probabilities, attention = outputs if isinstance(outputs, list | tuple) else (outputs, None)
        if self.steps:
            attention = np.full((len(batch), self.steps), 1.0 / self.steps)
        return apply_temperature(np.asarray(probabilities), self.trained.temperature), attention

    def _check_weights(self) -> None:
        """Refuse weights that are not numbers, a temperature that is none, and labels that do not fit."""
        path, network, labels = self.trained.path, self.trained.network, self.trained.facts["labels"]
        check_labels(labels, path)
        outputs = network.output_shape[-1] if isinstance(network.output_shape, tuple) else 0
        if outputs != len(labels):
            raise SerError(
                f"{path}: {counted(len(labels), 'label')} for {counted(outputs, 'output')}; its JSON file is "
                f"of another network"
            )
        if not all(np.isfinite(weights).all() for weights in network.get_weights()):
            raise SerError(f"{path}: weights that are not numbers (NaN or infinite); train it again")

    def _cleaned(self, waveform: np.ndarray) -> np.ndarray:
        """Reduce noise and normalise the peak of a waveform, as in training; functionals bear no offset."""
        mean = float(waveform.mean())
        if self.settings.features == "voice_functionals" and abs(mean) > OFFSET * float(np.abs(waveform).max()):
            waveform = waveform - np.float32(mean)
        if self.settings.denoise:
            waveform = audio.reduce_noise(waveform, self.rate)
        return audio.peak_normalise(waveform) if self.settings.normalise else waveform


def window_seconds(settings) -> float:
    """Return the length of a network's input in seconds: its frames of 10 ms; 5 s of functionals; else 4 s.

    Parameters
    ----------
    settings : ser_core.features.FeatureSettings
        What makes the network's input.

    Examples
    --------
    >>> from ser_core.features import FeatureSettings
    >>> window_seconds(FeatureSettings(features="42", frames=300))
    3.0
    """
    if settings.features in features.CHANNELS:
        return settings.frames * features.HOP_SECONDS
    return 5.0 if settings.features == "voice_functionals" else 4.0
