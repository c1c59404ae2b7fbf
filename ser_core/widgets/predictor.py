"""Show the prediction page: :func:`predictor` is a widget, :func:`static_answer` the same without a kernel.

The page predicts recordings that are uploaded, recorded with the microphone or chosen from a list. An unusable one
gives one line, and the next recording still works. Everything runs in the kernel: nothing is sent elsewhere.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
from IPython.display import HTML

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.inference.known import KNOWN
from ser_core.widgets import svg
from ser_core.widgets.audio_upload import LARGEST_UPLOAD, AudioUpload
from ser_core.widgets.model_card import available_models, available_samples, limitations
from ser_core.widgets.recordings import (
    SILENCE,
    GivenRecording,
    is_decodable,
    read_for_network,
    records_csv,
    wav_bytes,
)
from ser_core.widgets.rendering import data_address, paragraph, render, style_html

if TYPE_CHECKING:
    from ser_core.inference.predict import Prediction, Predictor

PIECE = 60
"""Seconds that the player holds: a Jupyter server drops messages that are much larger."""
KEPT = 500_000_000
"""Bytes of recordings that are kept to be shown again; the oldest are dropped first."""


# One answer


def answer_html(prediction: "Prediction", *, mark: str = "") -> str:
    """Return emotion, confidence and notes as HTML.

    Parameters
    ----------
    prediction : ser_core.inference.predict.Prediction
        The answer.
    mark : str, default ""
        A word next to the recording's name, e.g. "demo".
    """
    return render(
        "answer",
        file=prediction.file,
        mark=mark,
        sure=prediction.sure,
        emotion=prediction.emotion,
        confidence=prediction.confidence,
        length=svg.format_seconds(prediction.seconds),
        notes=prediction.notes,
    )


def pictures_html(prediction: "Prediction", samples: np.ndarray) -> str:
    """Return waveform, attention where it is learnt, probability bars, and the windows of a long recording, as HTML.

    Parameters
    ----------
    prediction : ser_core.inference.predict.Prediction
        The answer.
    samples : float [samples]
        The recording as :func:`read_for_network` gives it.
    """
    attention = (np.asarray(prediction.attention, float), prediction.attention_times) if prediction.attends else ()
    pictures = svg.waveform(samples, audio.SAMPLE_RATE, *attention)
    pictures += svg.bars(prediction.probabilities)
    if len(prediction.windows) > 1:
        pictures += svg.windows(prediction.windows, list(prediction.probabilities), prediction.seconds)
    return pictures


def static_answer(prediction: "Prediction", source, *, mark: str = "") -> HTML:
    """Return an answer with its pictures and a player that need no kernel, for a page that is sent.

    Parameters
    ----------
    prediction : ser_core.inference.predict.Prediction
        The answer.
    source : bytes, path, or (samples, rate)
        The recording; the player holds its first 60 s.
    mark : str, default ""
        A word next to the recording's name, e.g. "demo".
    """
    samples = read_for_network(source, prediction.file)
    sound = wav_bytes(samples[: PIECE * audio.SAMPLE_RATE], audio.SAMPLE_RATE)
    return HTML(
        render(
            "static_answer",
            style=style_html(),
            answer=answer_html(prediction, mark=mark),
            sound=data_address(sound, "audio/wav"),
            pictures=pictures_html(prediction, samples),
        )
    )


# The widget


class PredictorPanel(ipywidgets.VBox):
    """Predict recordings in a notebook; made by :func:`predictor`. ``recordings`` lists those given so far."""

    def __init__(self, models: dict, samples: dict):
        self.recordings: list[GivenRecording] = []
        self.predictor: Predictor | None = None
        self._models, self._samples, self._left, self._offering = models, samples, 0, False
        html_, drop = ipywidgets.HTML, ipywidgets.Dropdown
        self.upload = AudioUpload(self._expect, self._receive, self._add_failure)
        self.model = drop(options=list(models), description="Model")
        self.sample = drop(options=["pick one …", *samples], description="Sample")
        self.message = html_().add_class("ser-message")
        self.shown = drop(options=[], description="Show")
        self.clear = ipywidgets.Button(description="Clear")
        self.several = ipywidgets.HBox([self.shown, self.clear])
        self.table = html_().add_class("ser-list")
        self.result = html_().add_class("ser-result")
        self.part = drop(options=[], description="Listen")
        self.player = ipywidgets.Audio(value=SILENCE, format="wav", autoplay=False, loop=False)
        self.pictures = html_().add_class("ser-pictures")
        self.limits = html_().add_class("ser-limits")
        self._waveform = np.zeros(0, np.float32)
        self.model.observe(self._choose_model, "value")
        self.sample.observe(self._choose_sample, "value")
        self.shown.observe(self._choose_shown, "value")
        self.part.observe(self._choose_part, "value")
        self.clear.on_click(self._clear)
        top = [html_(style_html()), self.upload, ipywidgets.HBox([self.sample, self.model]), self.message]
        below = [self.several, self.table, self.result, self.part, self.player, self.pictures, self.limits]
        super().__init__([*top, *below])
        self.add_class("ser")
        self._load()
        self._refresh()

    # Input

    def give(self, source, name: str, *, mark: str = "", key: str = "") -> None:
        """Predict one recording and show the answer; an unusable one becomes an error line.

        Parameters
        ----------
        source : bytes, path, or (samples, rate)
            The recording.
        name : str
            Its name.
        mark : str, default ""
            A word next to the name, e.g. "demo".
        key : str, default ""
            Key of the file in the browser, which decodes what libsndfile cannot read.
        """
        if self.predictor is None:
            return self._add_failure(name, "no usable model; choose another one above")
        self._show_status(f"Predicting {name} …")
        if key and isinstance(source, bytes) and not is_decodable(source):
            refusal = "not audio that can be read here or by this browser; give wav, flac, ogg, mp3 or aiff"
            if source and self.upload.decode(key, name, refusal):
                return None
        if key:
            self.upload.done(key)
        recording = GivenRecording(name, source, mark=mark)
        self._predict(recording)
        if recording.prediction is not None and KNOWN in recording.prediction.notes:
            recording.mark = recording.mark or "training data"
        self._add(recording)

    def _predict(self, recording: GivenRecording) -> None:
        """Set the prediction of a recording, or its error."""
        assert self.predictor is not None
        recording.prediction, recording.error = None, ""
        try:
            recording.prediction = self.predictor.predict(recording.source, name=recording.name)
        except SerError as error:
            recording.error = str(error).removeprefix(f"{recording.name}: ")
        except Exception as error:  # a page must answer whatever it gets
            recording.error = f"could not be used ({type(error).__name__}: {' '.join(str(error).split())})"

    def _expect(self, names: list[str]) -> None:
        """Announce files that the browser is about to send."""
        self._left = len(names)
        if len(names) > 1:
            self._show_status(f"Receiving {len(names)} files …")
        else:
            self._show_status(f"Receiving {names[0]} …" if names else "")

    def _receive(self, key: str, name: str, source) -> None:
        """Predict what the browser sent, unless it is too large."""
        if isinstance(source, bytes) and len(source) > LARGEST_UPLOAD:
            size, largest = len(source) / 1e6, LARGEST_UPLOAD / 1e6
            return self._add_failure(name, f"{size:.0f} MB; at most {largest:.0f} MB can be used, shorten it")
        self.give(source, name, key=key)

    def _add_failure(self, name: str, text: str) -> None:
        """Add a recording that cannot be used."""
        self._add(GivenRecording(name, None, error=text))

    def _add(self, recording: GivenRecording) -> None:
        """Add a recording, drop the audio of the oldest ones, and redraw after the last expected one."""
        self.recordings.append(recording)
        self._left = max(0, self._left - 1)
        while sum(old.size for old in self.recordings[:-1]) > KEPT:
            next(old for old in self.recordings if old.size).source = None
        if not self._left:
            self._refresh()

    def _clear(self, _=None) -> None:
        self.recordings.clear()
        self._refresh()

    def _choose_model(self, _) -> None:
        """Load another model and predict all recordings again."""
        self._load()
        for recording in self.recordings:
            if recording.source is not None and self.predictor is not None:
                self._predict(recording)
        self._refresh(keep=self.shown.value)

    def _choose_sample(self, change) -> None:
        if change["new"] in self._samples:
            mark, path = self._samples[change["new"]]
            self.give(path, change["new"], mark=mark)
            self.sample.value = self.sample.options[0]  # so that it can be chosen again

    def _choose_shown(self, change) -> None:
        if not self._offering:
            self._show(change["new"])

    def _choose_part(self, change) -> None:
        if not self._offering:
            self._play(change["new"])

    # Output

    def _offer(self, drop: ipywidgets.Dropdown, options: list, value) -> None:
        """Set a list's options and value, without reacting as to a choice by the reader."""
        self._offering = True
        drop.options = options
        drop.value = value
        self._offering = False

    def _play(self, start: int) -> None:
        """Load one piece into the player, from ``start`` seconds on."""
        first = start * audio.SAMPLE_RATE
        self.player.value = wav_bytes(self._waveform[first : first + PIECE * audio.SAMPLE_RATE], audio.SAMPLE_RATE)

    def _show_status(self, text: str) -> None:
        self.message.value = paragraph(text) if text else ""

    def _load(self) -> None:
        """Load the chosen model and show its limits, or why it cannot be used."""
        from ser_core.inference.predict import Predictor

        try:
            self.predictor = Predictor(self._models[self.model.value])
            self.limits.value = limitations(self.predictor, self._models[self.model.value])
            self._show_status("")
        except SerError as error:
            self.predictor = None
            self.limits.value = paragraph(str(error), "error", announced=False)

    def _refresh(self, keep: int | None = None) -> None:
        """Redraw everything from ``self.recordings``; ``keep`` is the index of the one shown before."""
        answered = [place for place, recording in enumerate(self.recordings) if recording.prediction is not None]
        unusable = sum(1 for recording in self.recordings if recording.error)
        lines = []
        if len(self.recordings) > 1:
            count = f"{len(answered)} of {counted(len(self.recordings), 'recording')} answered"
            lines.append(paragraph(f"{count}{f', {unusable} not usable' if unusable else ''}."))
        if self.recordings and self.recordings[-1].error:
            last = self.recordings[-1]
            lines.append(paragraph(f"{last.name}: {last.error}", "error"))
        self.message.value = "".join(lines)
        self.table.value = self._listing() if len(self.recordings) > 1 else ""
        display(self.several, bool(self.recordings))
        display(self.shown, len(answered) > 1)
        place = keep if keep in answered else answered[-1] if answered else None
        options = [(f"{number + 1}. {self.recordings[number].name}", number) for number in answered]
        self._offer(self.shown, options, place)
        self._show(place)

    def _listing(self) -> str:
        """Return the table of all recordings with its CSV file, as HTML."""
        rows = [recording.row for recording in self.recordings]
        brief = [
            {"file": row["file"], "emotion": row.get("emotion", "–"),
             "confidence": f"{100 * row['confidence']:.0f} %" if "confidence" in row else "–",
             "seconds": row.get("seconds", "–"), "remark": row.get("error", "" if row.get("sure") else "uncertain")}
            for row in rows
        ]  # fmt: skip
        address = data_address(records_csv(rows).encode(), "text/csv;charset=utf-8")
        return render("listing", table=svg.html_table(brief), csv=address)

    def _show(self, place: int | None) -> None:
        """Show the answer at an index of ``self.recordings``, with pictures and player while its audio is kept."""
        recording = self.recordings[place] if place is not None and place < len(self.recordings) else None
        self._waveform = np.zeros(0, np.float32)
        self.result.value = self.pictures.value = ""
        if recording is not None and recording.prediction is not None:
            self.result.value = answer_html(recording.prediction, mark=recording.mark)
            if recording.source is None:
                text = "This recording is no longer kept; upload it again to see it."
                self.pictures.value = paragraph(text, "note")
            else:
                self._waveform = read_for_network(recording.source, recording.name)
                self.pictures.value = pictures_html(recording.prediction, self._waveform)
        seconds = len(self._waveform) / audio.SAMPLE_RATE
        starts = range(0, max(1, int(np.ceil(seconds))), PIECE)
        self._offer(self.part, [(f"from {svg.format_seconds(start)}", start) for start in starts], 0)
        if seconds:
            self._play(0)
        display(self.part, seconds > PIECE)
        display(self.player, seconds > 0)


def display(widget: ipywidgets.Widget, visible: bool) -> None:
    """Show or hide a widget."""
    widget.layout.display = None if visible else "none"


def predictor(models: dict[str, Path | None] | None = None, samples: dict | None = None) -> PredictorPanel:
    """Return the prediction widget: upload, record or choose; read the answer and its pictures; download a table.

    Parameters
    ----------
    models : dict, optional
        Models to choose from; by default :func:`ser_core.widgets.model_card.available_models`.
    samples : dict, optional
        Recordings to choose from; by default :func:`ser_core.widgets.model_card.available_samples`.
    """
    return PredictorPanel(
        available_models() if models is None else models, available_samples() if samples is None else samples
    )
