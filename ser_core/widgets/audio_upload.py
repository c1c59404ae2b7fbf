"""Send audio from a browser to its kernel: files and the microphone, as one widget with ``audio_upload.js``.

Files are sent in pieces of 4 MB: a Jupyter server drops messages from 10 MB on without an error. The browser refuses
files that are too large before it sends them.
"""

from collections.abc import Callable
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from ser_core.audio import SAMPLE_RATE, SUFFIXES

LARGEST_UPLOAD = 60_000_000
"""Maximum size of a file in bytes."""
LONGEST_RECORDING = 300
"""Maximum length of a microphone recording in seconds."""


class AudioUpload(anywidget.AnyWidget):
    """Offer buttons for files and the microphone.

    Parameters
    ----------
    on_batch : callable
        Called with the names of the files that follow.
    on_audio : callable
        Called with ``(key, name, source)``; source is the bytes of a file, or ``(samples, rate)``: float32 mono.
    on_failure : callable
        Called with ``(name, text)`` for a file that the browser cannot open.
    """

    _esm = Path(__file__).with_name("audio_upload.js")
    largest = traitlets.Int(LARGEST_UPLOAD).tag(sync=True)
    longest = traitlets.Int(LONGEST_RECORDING).tag(sync=True)
    accept = traitlets.Unicode(",".join(("audio/*", *SUFFIXES))).tag(sync=True)

    def __init__(self, on_batch: Callable, on_audio: Callable, on_failure: Callable, **options):
        super().__init__(**options)
        self._callbacks = (on_batch, on_audio, on_failure)
        self._parts: dict[tuple[str, str], bytearray] = {}
        self._browser = False
        self.on_msg(self._receive)

    def decode(self, key: str, name: str, text: str) -> bool:
        """Ask the browser to decode a file that it sent; the samples come through ``on_audio``.

        Parameters
        ----------
        key, name : str
            Key and name of the file.
        text : str
            The error message where the browser cannot decode it.

        Returns
        -------
        bool
            Whether a browser is connected.
        """
        if self._browser:
            self.send({"kind": "decode", "key": key, "name": name, "text": text})
        return self._browser

    def done(self, key: str) -> None:
        """Let the browser release a file."""
        self.send({"kind": "done", "key": key})

    def _receive(self, _, message: dict, buffers: list) -> None:
        """Handle one message of the browser."""
        on_batch, on_audio, on_failure = self._callbacks
        match message["kind"]:
            case "ready":
                self._browser = True
            case "batch":
                on_batch(message["names"])
            case "failed":
                on_failure(message["name"], message["text"])
            case "piece":
                place = (message["key"], message["what"])
                part = self._parts.setdefault(place, bytearray())
                if message["at"] != len(part):  # out of order: start again
                    part.clear()
                for buffer in buffers:
                    part += buffer
                if len(part) >= message["size"]:
                    content = bytes(self._parts.pop(place))
                    decoded = message["what"] == "samples"
                    source = (np.frombuffer(content, np.float32), SAMPLE_RATE) if decoded else content
                    on_audio(message["key"], message["name"], source)
