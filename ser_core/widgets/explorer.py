"""Widgets to look into recordings: one utterance of a corpus, and what fell into a cell of a confusion matrix.

Both need a running kernel; a report has a line in their place. Where a corpus's audio is not here, they say so.
"""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets
import pandas as pd

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.widgets import svg
from ser_core.widgets.predictor import SILENCE, display, read_for_network, style_html, wav_bytes

if TYPE_CHECKING:
    from ser_core.results.records import PooledResult

ANY = "any"
VIEWS = ("waveform", "features", "augmented copies")
LISTED = 200
"""Utterances that a list offers, at most."""


def players(sounds: dict, rate: int = audio.SAMPLE_RATE) -> str:
    """A player with its waveform for each of several recordings, as HTML: name -> float [n]."""
    parts = []
    for name, samples in sounds.items():
        data = base64.b64encode(wav_bytes(samples, rate)).decode()
        player = f'<audio controls aria-label="{html.escape(name)}" src="data:audio/wav;base64,{data}"></audio>'
        parts.append(svg.waveform(samples, rate, title=html.escape(name)) + player)
    return "".join(parts)


def features_picture(samples) -> str:
    """The network's 42 input channels of a recording as a picture in HTML."""
    from ser_core import features
    from ser_core.figures import plots

    frames = 1 + len(samples) // features.frame_sizes()[1]
    figure = plots.feature_maps(features.extract(samples), features.channel_names("42"), used=frames)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    data = base64.b64encode(file.getvalue()).decode()
    about = "42 channels over 400 frames of 10 ms, in standard deviations"
    return f'<img alt="{about}" style="max-width:100%" src="data:image/png;base64,{data}">'


def augmented(samples, key: str) -> dict:
    """The four augmented copies of an utterance (seed 0), as training gets them: name -> float32 [n]."""
    from ser_core.audio import augmentation

    return {
        name: audio.peak_normalise(augmentation.augment(samples, name, key=key)) for name in augmentation.TECHNIQUES
    }


class Explorer(ipywidgets.VBox):
    """Pick an utterance by corpus, speaker and emotion; hear it and see its waveform, features, augmented copies."""

    def __init__(self, tables: dict[str, pd.DataFrame]):
        self._tables, self._offering, self._id, self._samples = tables, False, "", None
        drop = ipywidgets.Dropdown
        self.corpus = drop(options=list(tables), description="Corpus")
        self.speaker, self.emotion = drop(description="Speaker"), drop(description="Emotion")
        self.utterance, self.view = drop(description="Utterance"), drop(options=VIEWS, description="Show")
        self.told = ipywidgets.HTML().add_class("ser-message")
        self.player = ipywidgets.Audio(value=SILENCE, format="wav", autoplay=False, loop=False)
        self.pictures = ipywidgets.HTML().add_class("ser-pictures")
        for widget, react in (
            (self.corpus, self._fill),
            (self.speaker, self._list),
            (self.emotion, self._list),
            (self.utterance, self._show),
            (self.view, self._draw),
        ):
            widget.observe(lambda _, react=react: self._offering or react(), "value")
        rows = [[self.corpus, self.speaker, self.emotion], [self.utterance, self.view]]
        shown = [self.told, self.player, self.pictures]
        super().__init__([ipywidgets.HTML(style_html()), *map(ipywidgets.HBox, rows), *shown])
        self.add_class("ser")
        self._fill()

    def _offer(self, drop: ipywidgets.Dropdown, options: list) -> None:
        """Give a list other options; the choice before stays where it is among them."""
        before, self._offering = drop.value, True
        drop.options = options
        values = [one[1] if isinstance(one, tuple) else one for one in options]
        drop.value = before if before in values else next(iter(values), None)
        self._offering = False

    def _fill(self) -> None:
        table = self._tables[self.corpus.value]
        self._offer(self.speaker, [ANY, *sorted(table["speaker"].unique())])
        self._offer(self.emotion, [ANY, *table["emotion"].unique()])
        self._list()

    def _list(self) -> None:
        table = self._tables[self.corpus.value]
        for column, wanted in (("speaker", self.speaker.value), ("emotion", self.emotion.value)):
            table = table if wanted == ANY else table[table[column] == wanted]
        rows = table.head(LISTED).itertuples()
        self._offer(self.utterance, [(f"{row.emotion}, {row.speaker}: {row.id}", row.id) for row in rows])
        more = f"; the first {LISTED} are listed" if len(table) > LISTED else ""
        self._count = f"{len(table)} utterances{more}"
        self._show()

    def _show(self) -> None:
        self._samples = None
        table = self._tables[self.corpus.value]
        found = table[table["id"] == self.utterance.value]
        line = f'<p class="ser-told" role="status">{self._count}.'
        if len(found):
            row = found.iloc[0]
            self._id = row["id"]
            named = {"speaker": "speaker", "sex": "", "intensity": "intensity", "text": "text"}
            facts = [row["emotion"], *(f"{word} {row[name]}".strip() for name, word in named.items() if row[name])]
            try:
                self._samples = read_for_network(row["path"], Path(row["path"]).name)
                facts.append(svg.format_seconds(len(self._samples) / audio.SAMPLE_RATE))
                self.player.value = wav_bytes(self._samples, audio.SAMPLE_RATE)
                self.told.value = f"{line} Here: {html.escape(', '.join(map(str, facts)))}.</p>"
            except SerError as error:
                self.told.value = f'<p class="ser-error" role="alert">{html.escape(str(error))}</p>'
        else:
            self.told.value = f"{line}</p>"
        self._draw()

    def _draw(self) -> None:
        display(self.player, self._samples is not None)
        if self._samples is None:
            self.pictures.value = ""
        elif self.view.value == "waveform":
            self.pictures.value = svg.waveform(self._samples, audio.SAMPLE_RATE)
        elif self.view.value == "features":
            self.pictures.value = features_picture(self._samples)
        else:
            self.pictures.value = players(augmented(self._samples, self._id))


def explore(names) -> ipywidgets.Widget:
    """The explorer over those of the corpora ``names`` whose recordings are here."""
    from ser_core import corpora
    from ser_core.corpora import inventory

    found = {corpora.corpus_title(name): corpora.load(name) for name in names if inventory.is_available(name)}
    if found:
        return Explorer(found)
    return _line("No recordings of these corpora are here, so there is nothing to listen to: `ser data fetch ravdess`.")


def _line(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'{style_html()}<p class="ser ser-told">{html.escape(text)}</p>')


class Confusions(ipywidgets.VBox):
    """A confusion matrix whose cells are buttons: each lists the test utterances that fell into it, and plays them."""

    def __init__(self, pooled: dict[str, PooledResult], folder: Path):
        self._pooled, self._folder = pooled, folder
        self.which = ipywidgets.Dropdown(options=list(pooled), description="Result")
        self.matrix = ipywidgets.Box().add_class("ser-matrix")
        self.told = ipywidgets.HTML().add_class("ser-message")
        self.utterance = ipywidgets.Dropdown(description="Listen")
        self.player = ipywidgets.Audio(value=SILENCE, format="wav", autoplay=False, loop=False)
        self.which.observe(lambda _: self._build(), "value")
        self.utterance.observe(lambda _: self._play(), "value")
        shown = [self.matrix, self.told, self.utterance, self.player]
        super().__init__([ipywidgets.HTML(style_html()), self.which, *shown])
        self.add_class("ser")
        self._build()

    def _build(self) -> None:
        from ser_core import corpora
        from ser_core.corpora import inventory
        from ser_core.results.pooling import join_predictions

        one = self._pooled[self.which.value]
        corpus, labels = one.spec["corpus"], one.labels
        self._frame = join_predictions(one.results, self._folder)
        self._paths = corpora.load(corpus).set_index("id")["path"].to_dict() if inventory.is_available(corpus) else {}
        text = lambda words: ipywidgets.HTML(f"<b>{html.escape(words)}</b>")  # noqa: E731
        cells = [text("true \\ answer"), *map(text, labels)]
        for truth, counts in zip(labels, one.confusion, strict=True):
            cells.append(text(truth))
            for answer, count in zip(labels, counts, strict=True):
                cells.append(self._cell(truth, answer, count, sum(counts)))
        columns = f"6rem repeat({len(labels)}, minmax(4.6rem, 1fr))"
        self.matrix.children = [ipywidgets.GridBox(cells, layout={"grid_template_columns": columns})]
        self.told.value = '<p class="ser-told">Press a cell to see what fell into it.</p>'
        self._offer([])

    def _cell(self, truth: str, answer: str, count: int, total: int) -> ipywidgets.Button:
        button = ipywidgets.Button(description=str(count), disabled=not count)
        button.tooltip = f"true {truth}, answered {answer}: {count} of {total}"
        share = count / max(total, 1)
        button.style.button_color = f"rgba(0, 114, 178, {0.55 * share:.2f})"
        button.style.font_weight = "bold" if truth == answer else "normal"
        button.on_click(lambda _: self.choose(truth, answer))
        return button

    def choose(self, truth: str, answer: str) -> None:
        """List the utterances of one cell, the surest first, and load the first into the player."""
        frame = self._frame
        fell = frame[(frame["truth"] == truth) & (frame["prediction"] == answer)]
        fell = fell.assign(probability=fell[answer]).sort_values("probability", ascending=False)
        rows = [
            {"utterance": row["id"], "speaker": row["speaker"], "sex": row["sex"], "text": row["text"],
             f"probability of {answer}": f"{100 * row['probability']:.0f} %"}
            for _, row in fell.head(LISTED).iterrows()
        ]  # fmt: skip
        missing = "" if self._paths else " Their recordings are not here, so they cannot be played."
        told = f"{len(fell)} test utterances: true {truth}, answered {answer}.{missing}"
        self.told.value = f'<p class="ser-told" role="status">{html.escape(told)}</p>{svg.html_table(rows)}'
        self._offer([(f"{row['speaker']}: {row['utterance']}", row["utterance"]) for row in rows
                     if row["utterance"] in self._paths])  # fmt: skip

    def _offer(self, options: list) -> None:
        self.utterance.options = options
        self.utterance.value = options[0][1] if options else None
        for widget in (self.utterance, self.player):
            display(widget, bool(options))
        self._play()

    def _play(self) -> None:
        path = self._paths.get(self.utterance.value)
        if path is None:
            return
        try:
            self.player.value = wav_bytes(read_for_network(path, Path(path).name), audio.SAMPLE_RATE)
        except SerError as error:
            self.told.value += f'<p class="ser-error" role="alert">{html.escape(str(error))}</p>'


def confusions(pooled: dict[str, PooledResult], folder) -> ipywidgets.Widget:
    """Confusion matrices whose cells open the utterances that fell into them.

    pooled : what to call each -> a pooled result (:func:`ser_core.results.pooling.pool_results`)
    folder : where their predictions lie
    """
    return Confusions(pooled, Path(folder)) if pooled else _line("No finished result to look into.")
