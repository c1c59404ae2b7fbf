"""Read, encode and hold the recordings that the widgets show."""

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser_core import audio
from ser_core._utils.console import silence_stderr
from ser_core.audio.sources import Content

if TYPE_CHECKING:
    from ser_core.inference.predict import Prediction


def wav_bytes(samples: np.ndarray, rate: int) -> bytes:
    """Encode a waveform as a 16-bit WAV file.

    Parameters
    ----------
    samples : float [samples]
        The waveform; full scale is 1.
    rate : int, Hz
        Its sampling rate.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


SILENCE = b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data\2\0\0\0\0\0"
"""A WAV of one sample, which an empty player holds: browsers report an error without any."""


def read_for_network(source, name: str) -> np.ndarray:
    """Read a recording as a network gets it: mono at 16 kHz, peak-normalised.

    Parameters
    ----------
    source : bytes, path, or (samples, rate)
        The recording.
    name : str
        Its name in error messages.

    Returns
    -------
    float32 [samples]
        The waveform.
    """
    if isinstance(source, tuple):
        return audio.preprocess(*source)
    return audio.read(source, name=name)


def is_decodable(content: bytes) -> bool:
    """Return whether libsndfile can open a file with these bytes."""
    import soundfile

    with silence_stderr():  # libmpg123 prints what it thinks of other files
        try:
            soundfile.SoundFile(Content(content)).close()
        except (soundfile.LibsndfileError, TypeError):
            return False
    return True


@dataclass
class GivenRecording:
    """Hold one recording and its prediction or error."""

    name: str
    source: object  # bytes, a path, or (samples, rate); None when it is no longer kept
    prediction: "Prediction | None" = None
    error: str = ""
    mark: str = ""

    @property
    def row(self) -> dict:
        """Row of the table and of the CSV file."""
        if self.prediction is None:
            return {"file": self.name, "error": self.error}
        answer = self.prediction
        shares = {label: round(value, 4) for label, value in answer.probabilities.items()}
        row = {"file": self.name, "emotion": answer.emotion, "confidence": round(answer.confidence, 4)}
        return row | {"sure": answer.sure, "seconds": round(answer.seconds, 3)} | shares

    @property
    def size(self) -> int:
        """Size in bytes of what is kept in memory."""
        source = self.source[0] if isinstance(self.source, tuple) else self.source
        return source.nbytes if isinstance(source, np.ndarray) else len(source) if isinstance(source, bytes) else 0


def records_csv(rows: list[dict]) -> str:
    """Write answers and errors as CSV text, with the columns of all rows.

    Examples
    --------
    >>> print(records_csv([{"file": "a.wav", "emotion": "sad"}, {"file": "b.wav", "error": "empty"}]), end="")
    file,emotion,error
    a.wav,sad,
    b.wav,,empty
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
