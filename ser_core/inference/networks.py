"""Run networks on waveforms: exported ones with onnxruntime, trained ones with Keras."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.metrics.temperature_scaling import apply_temperature


class OnnxNetwork:
    """Run an exported network: waveforms [batch, samples] in, probabilities and attention out.

    Parameters
    ----------
    path : Path
        An ONNX file that ``ser export`` wrote.

    Raises
    ------
    SerError
        Where the file is no such network.
    """

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            facts = self.session.get_modelmeta().custom_metadata_map
            self.facts = json.loads(facts["ser"])
        except KeyError:
            raise SerError(f"{path}: not a network by `ser export` (its metadata are missing)") from None
        except Exception as error:
            raise SerError(f"{path}: not a usable ONNX file ({' '.join(str(error).split())[:200]})") from None
        self.rate, self.seconds = int(self.facts["rate"]), float(self.facts["window_seconds"])

    def __call__(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        outputs = self.session.run(None, {"waveform": np.ascontiguousarray(waveforms, dtype=np.float32)})
        return outputs[0], outputs[1] if len(outputs) > 1 else None


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
        self.facts = self.trained.facts | {"attends": "attention" in {n.name for n in self.trained.network.layers}}
        self.settings = self.trained.settings
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

    def _cleaned(self, waveform: np.ndarray) -> np.ndarray:
        """Reduce noise and normalise the peak of a waveform, as in training."""
        if self.settings.denoise:
            waveform = audio.reduce_noise(waveform, self.rate)
        return audio.peak_normalise(waveform) if self.settings.normalise else waveform


def window_seconds(settings) -> float:
    """Return the length of a network's input in seconds: its frames of 10 ms, or 4 s for other inputs.

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
    from ser_core import features

    return settings.frames * features.HOP_SECONDS if settings.features in features.CHANNELS else 4.0
