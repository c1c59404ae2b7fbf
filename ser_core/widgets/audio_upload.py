"""Audio from a browser to its kernel: files and the microphone, as one widget (``intake.js`` is its other half).

Files come in pieces of 4 MB, below the 10 MB at which a Jupyter server drops a message without a word, so that this
works in any Jupyter. What is too large is refused in the browser, before it is sent.
"""

from collections.abc import Callable
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from ser_core.audio import SAMPLE_RATE

LARGEST_UPLOAD = 60_000_000
"""Bytes of a file, at most."""
LONGEST_RECORDING = 300
"""Seconds of a recording from the microphone, at most."""


class AudioUpload(anywidget.AnyWidget):
    """Buttons for files and microphone.

    Parameters
    ----------
    on_batch : called with the names of what is about to come
    on_audio : called with ``(key, name, source)``; source is the bytes of a file, or ``(samples, rate)``: float32 mono
    on_failure : called with ``(name, text)`` for what the browser cannot give
    """

    _esm = Path(__file__).with_name("audio_upload.js")
    largest = traitlets.Int(LARGEST_UPLOAD).tag(sync=True)
    longest = traitlets.Int(LONGEST_RECORDING).tag(sync=True)
    accept = traitlets.Unicode("audio/*,.wav,.flac,.ogg,.mp3,.aif,.aiff,.m4a").tag(sync=True)

    def __init__(self, on_batch: Callable, on_audio: Callable, on_failure: Callable, **options):
        super().__init__(**options)
        self._called = (on_batch, on_audio, on_failure)
        self._parts: dict[tuple[str, str], bytearray] = {}
        self._browser = False
        self.on_msg(self._receive)

    def decode(self, key: str, name: str, text: str) -> bool:
        """Ask the browser to decode a file that it sent; ``text`` says what to tell when it cannot.

        Returns whether there is a browser to ask. The samples come through ``on_audio``.
        """
        if self._browser:
            self.send({"kind": "decode", "key": key, "name": name, "text": text})
        return self._browser

    def done(self, key: str) -> None:
        """Let the browser forget a file."""
        self.send({"kind": "done", "key": key})

    def _receive(self, _, message: dict, buffers: list) -> None:
        """One message of the browser."""
        on_batch, on_audio, on_failure = self._called
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
                if message["at"] != len(part):  # out of order: begun anew
                    part.clear()
                for buffer in buffers:
                    part += buffer
                if len(part) >= message["size"]:
                    content = bytes(self._parts.pop(place))
                    if message["what"] == "samples":
                        content = (np.frombuffer(content, np.float32), SAMPLE_RATE)
                    on_audio(message["key"], message["name"], content)
