"""Use a trained network: the part of the public interface after training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ser_core.inference.predict import Prediction


def predict(source, *, model: str | Path | None = None) -> Prediction:
    """Predict the emotion of a recording.

    Parameters
    ----------
    source : path, bytes, or (samples, rate)
        The file, its content, or its samples with the sampling rate in Hz.
    model : str or Path, optional
        An exported ``.onnx`` file, a ``.keras`` file or the hash of a result; by default the shipped network. For many
        recordings make one ``ser.Predictor`` and call its ``predict``.

    Returns
    -------
    Prediction

    Raises
    ------
    SerError
        For a recording or a model that cannot be used.
    """
    from ser_core.inference.predict import Predictor

    return Predictor(model).predict(source)


def export(
    model: str | Path, format: str = "onnx", *, int8: bool = False, half: bool = False, output: Path | None = None
) -> dict:
    """Export a trained network and compare the file with the Keras network.

    Parameters
    ----------
    model : str or Path
        Hash of a result, or a ``.keras`` file.
    format : str, default "onnx"
        ``onnx``, ``tflite``, ``keras``, or ``html``: one page that answers in a browser.
    int8 : bool, default False
        8-bit weights, for TFLite only.
    half : bool, default False
        16-bit weights, for ONNX only: half the size, and computed with in 32 bits.
    output : Path, optional
        File to write, or a folder for it.

    Returns
    -------
    dict
        ``file``, ``format``, and the differences between its predictions and those of the Keras network.

    Raises
    ------
    SerError
        For a model that cannot be exported.
    """
    from ser_core.inference.export import export

    return export(model, format, int8=int8, half=half, output=output)
