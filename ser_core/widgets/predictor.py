"""The prediction page: :func:`predictor` is a widget for JupyterLab and Voila, :func:`still` the same for a report.

It answers for recordings that are uploaded, spoken into the microphone or picked from a corpus; what cannot be used is
one line, and the next recording still works. Everything runs in the kernel: nothing is sent elsewhere.
"""

import base64
import csv
import html
import io
from dataclasses import dataclass
from pathlib import Path

import ipywidgets
import numpy as np
from IPython.display import HTML

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.widgets import svg
from ser_core.widgets.audio_upload import LARGEST_UPLOAD, AudioUpload
from ser_core.widgets.model_card import available_models, available_samples, limitations

STYLE = Path(__file__).with_name("widgets.css")
PIECE = 60
"""Seconds that the player holds: a Jupyter server drops messages that are much larger."""
KEPT = 500_000_000
"""Bytes of recordings that are kept to be shown again; the oldest go first."""


def style_html() -> str:
    """The style sheet as an HTML element."""
    return f"<style>{STYLE.read_text(encoding='utf-8')}</style>"


def wav_bytes(samples: np.ndarray, rate: int) -> bytes:
    """16-bit WAV of float [n] samples, full scale is 1."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


SILENCE = b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data\2\0\0\0\0\0"
"""A WAV of one sample: what the player holds at first (a browser complains of none)."""


def read_for_network(source, name: str) -> np.ndarray:
    """What the network hears: float32 [samples], mono at 16 kHz, from bytes, a path, or ``(samples, rate)``."""
    if isinstance(source, tuple):
        return audio.preprocess(*source)
    return audio.read(source, name=name)


# What is said of an answer


def answer_html(prediction, *, mark: str = "") -> str:
    """Emotion, confidence and remarks as HTML. ``mark`` is a word beside the name ("demo")."""
    sure = prediction.sure
    emotion = html.escape(prediction.emotion if sure else f"not sure; {prediction.emotion} at best")
    badge = f' <span class="ser-mark">{html.escape(mark)}</span>' if mark else ""
    notes = "".join(f'<p class="ser-note">{html.escape(note)}</p>' for note in prediction.notes)
    return (
        f'<div class="ser-answer{"" if sure else " ser-unsure"}"><p>{html.escape(prediction.file)}{badge}</p>'
        f'<p class="ser-emotion">{emotion}</p><p>confidence {100 * prediction.confidence:.0f} %, '
        f"{svg.format_seconds(prediction.seconds)} long</p>{notes}</div>"
    )


def pictures_html(prediction, samples: np.ndarray) -> str:
    """Waveform with attention, probability bars and, for a long recording, its windows, as HTML."""
    attention = np.asarray(prediction.attention, float)
    shown = svg.waveform(samples, audio.SAMPLE_RATE, attention, prediction.attention_times)
    shown += svg.bars(prediction.probabilities)
    if len(prediction.windows) > 1:
        shown += svg.windows(prediction.windows, list(prediction.probabilities), prediction.seconds)
    return shown


def static_answer(prediction, source, *, mark: str = "") -> HTML:
    """An answer with its pictures and a player, without a kernel: for pages that are sent.

    source : path or bytes of the recording, or ``(samples, rate)``
    """
    samples = read_for_network(source, prediction.file)
    sound = base64.b64encode(wav_bytes(samples[: PIECE * audio.SAMPLE_RATE], audio.SAMPLE_RATE)).decode()
    player = f'<audio controls src="data:audio/wav;base64,{sound}"></audio>'
    return HTML(
        f'{style_html()}<div class="ser">{answer_html(prediction, mark=mark)}{player}{pictures_html(prediction, samples)}</div>'
    )


def records_csv(rows: list[dict]) -> str:
    """Answers and errors as CSV text; the columns of all rows together."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


# The widget


@dataclass
class GivenRecording:
    """One recording that was given, and what came of it."""

    name: str
    source: object  # bytes, a path, or (samples, rate); None when it is no longer kept
    prediction: object = None  # ser_core.inference.predict.Prediction
    error: str = ""
    mark: str = ""

    @property
    def row(self) -> dict:
        """The line of the table and of the CSV."""
        if self.error:
            return {"file": self.name, "error": self.error}
        told = self.prediction
        shares = {label: round(value, 4) for label, value in told.probabilities.items()}
        row = {"file": self.name, "emotion": told.emotion, "confidence": round(told.confidence, 4)}
        return row | {"sure": told.sure, "seconds": round(told.seconds, 3)} | shares

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        source = self.source[0] if isinstance(self.source, tuple) else self.source
        return source.nbytes if isinstance(source, np.ndarray) else len(source) if isinstance(source, bytes) else 0


class PredictorPanel(ipywidgets.VBox):
    """The prediction widget; make it with :func:`predictor`. ``heard`` lists what was given so far."""

    def __init__(self, models: dict, samples: dict):
        self.heard: list[GivenRecording] = []
        self.predictor = None
        self._models, self._samples, self._left, self._offering = models, samples, 0, False
        html_, drop = ipywidgets.HTML, ipywidgets.Dropdown
        self.intake = AudioUpload(self._batch, self._audio, self._failure)
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
        self._listened = np.zeros(0, np.float32)
        self.model.observe(self._choose_model, "value")
        self.sample.observe(self._choose_sample, "value")
        self.shown.observe(self._choose_shown, "value")
        self.part.observe(self._choose_part, "value")
        self.clear.on_click(self._clear)
        top = [html_(style_html()), self.intake, ipywidgets.HBox([self.sample, self.model]), self.message]
        below = [self.several, self.table, self.result, self.part, self.player, self.pictures, self.limits]
        super().__init__([*top, *below])
        self.add_class("ser")
        self._load()
        self._refresh()

    # What the reader does

    def give(self, source, name: str, *, mark: str = "", key: str = "") -> None:
        """Predict one recording and show the answer; a bad one becomes a line.

        source : bytes, path or ``(samples, rate)``; key : of the file in the browser, which may decode it instead
        """
        if self.predictor is None:
            return self._failure(name, "no model to ask; choose one above")
        self._say(f"Listening to {name} …")
        if key and isinstance(source, bytes) and not is_decodable(source):
            refused = "not audio that can be read here or by this browser; wav, flac, ogg, mp3 and aiff are"
            if source and self.intake.decode(key, name, refused):
                return None
        if key:
            self.intake.done(key)
        one = GivenRecording(name, source, mark=mark)
        self._predict(one)
        self._add(one)

    def _predict(self, one: GivenRecording) -> None:
        try:
            one.prediction, one.error = self.predictor.predict(one.source, name=one.name), ""
        except SerError as error:
            one.prediction, one.error = None, str(error).removeprefix(f"{one.name}: ")
        except Exception as error:  # a page must answer, whatever it is given
            one.prediction, one.error = (
                None,
                f"could not be used ({type(error).__name__}: {' '.join(str(error).split())})",
            )

    def _batch(self, names: list[str]) -> None:
        self._left = len(names)
        self._say(f"{len(names)} files are coming …" if len(names) > 1 else f"{names[0]} is coming …" if names else "")

    def _audio(self, key: str, name: str, source) -> None:
        if isinstance(source, bytes) and len(source) > LARGEST_UPLOAD:
            return self._failure(
                name, f"{len(source) / 1e6:.0f} MB; at most {LARGEST_UPLOAD / 1e6:.0f} MB can be used, cut it"
            )
        self.give(source, name, key=key)

    def _failure(self, name: str, text: str) -> None:
        self._add(GivenRecording(name, None, error=text))

    def _add(self, one: GivenRecording) -> None:
        self.heard.append(one)
        self._left = max(0, self._left - 1)
        while sum(old.size for old in self.heard[:-1]) > KEPT:
            next(old for old in self.heard if old.size).source = None
        if not self._left:
            self._refresh()

    def _clear(self, _=None) -> None:
        self.heard.clear()
        self._refresh()

    def _choose_model(self, _) -> None:
        self._load()
        for one in self.heard:
            if one.source is not None and self.predictor is not None:
                self._predict(one)
        self._refresh(keep=self.shown.value)

    def _choose_sample(self, change) -> None:
        if change["new"] in self._samples:
            mark, path = self._samples[change["new"]]
            self.give(path, change["new"], mark=mark)
            self.sample.value = self.sample.options[0]  # so that it can be picked again

    def _choose_shown(self, change) -> None:
        if not self._offering:
            self._show(change["new"])

    def _choose_part(self, change) -> None:
        if not self._offering:
            self._play(change["new"])

    # What the page shows

    def _offer(self, drop: ipywidgets.Dropdown, options: list, value) -> None:
        """Give a list other options, without taking this for the reader's choice."""
        self._offering = True
        drop.options = options
        drop.value = value
        self._offering = False

    def _play(self, start: int) -> None:
        """Load the player from ``start`` seconds on."""
        first = start * audio.SAMPLE_RATE
        self.player.value = wav_bytes(self._listened[first : first + PIECE * audio.SAMPLE_RATE], audio.SAMPLE_RATE)

    def _say(self, text: str) -> None:
        self.message.value = f'<p class="ser-told" role="status">{html.escape(text)}</p>' if text else ""

    def _load(self) -> None:
        from ser_core.inference.predict import Predictor

        try:
            self.predictor = Predictor(self._models[self.model.value])
            self.limits.value = limitations(self.predictor, self._models[self.model.value])
            self._say("")
        except SerError as error:
            self.predictor = None
            self.limits.value = f'<p class="ser-error">{html.escape(str(error))}</p>'

    def _refresh(self, keep: int | None = None) -> None:
        """Draw everything from ``self.heard``; ``keep`` is the place shown before."""
        good = [place for place, one in enumerate(self.heard) if one.prediction is not None]
        bad = [one for one in self.heard if one.error]
        last = self.heard[-1:] if self.heard and self.heard[-1].error else []
        lines = [f'<p class="ser-error" role="alert">{html.escape(f"{one.name}: {one.error}")}</p>' for one in last]
        if len(self.heard) > 1:
            told = f"{len(good)} of {len(self.heard)} recordings answered"
            lines.insert(0, f'<p class="ser-told" role="status">{told}{f", {len(bad)} not usable" if bad else ""}.</p>')
        self.message.value = "".join(lines)
        self.table.value = self._listing() if len(self.heard) > 1 else ""
        display(self.several, bool(self.heard))
        display(self.shown, len(good) > 1)
        place = keep if keep in good else good[-1] if good else None
        self._offer(self.shown, [(f"{number + 1}. {self.heard[number].name}", number) for number in good], place)
        self._show(place)

    def _listing(self) -> str:
        rows = [one.row for one in self.heard]
        brief = [
            {"file": row["file"], "emotion": row.get("emotion", "–"),
             "confidence": f"{100 * row['confidence']:.0f} %" if "confidence" in row else "–",
             "seconds": row.get("seconds", "–"), "remark": row.get("error", "" if row.get("sure") else "not sure")}
            for row in rows
        ]  # fmt: skip
        data = base64.b64encode(records_csv(rows).encode()).decode()
        link = f'<a download="predictions.csv" href="data:text/csv;charset=utf-8;base64,{data}">Download as CSV</a>'
        return f"{svg.html_table(brief)}<p>{link}</p>"

    def _show(self, place: int | None) -> None:
        one = self.heard[place] if place is not None and place < len(self.heard) else None
        there = one is not None and one.prediction is not None
        self.result.value = answer_html(one.prediction, mark=one.mark) if there else ""
        kept = there and one.source is not None
        self._listened = read_for_network(one.source, one.name) if kept else np.zeros(0, np.float32)
        self.pictures.value = pictures_html(one.prediction, self._listened) if kept else ""
        if there and not kept:
            self.pictures.value = '<p class="ser-note">This recording is no longer kept; give it again to see it.</p>'
        seconds = len(self._listened) / audio.SAMPLE_RATE
        starts = range(0, max(1, int(np.ceil(seconds))), PIECE)
        self._offer(self.part, [(f"from {svg.format_seconds(start)}", start) for start in starts], 0)
        if kept:
            self._play(0)
        display(self.part, kept and seconds > PIECE)
        display(self.player, kept)


def display(widget, there: bool) -> None:
    """Show a widget or take it out of the page."""
    widget.layout.display = None if there else "none"


def is_decodable(content: bytes) -> bool:
    """Whether libsndfile knows what these bytes are."""
    import soundfile

    try:
        soundfile.SoundFile(io.BytesIO(content)).close()
    except (soundfile.LibsndfileError, TypeError):
        return False
    return True


def predictor(models: dict | None = None, samples: dict | None = None) -> PredictorPanel:
    """The prediction widget: upload or record or pick, read the answer, see why, download a table.

    models, samples : what can be chosen (:func:`models_here`, :func:`samples_here`)
    """
    return PredictorPanel(
        available_models() if models is None else models, available_samples() if samples is None else samples
    )
