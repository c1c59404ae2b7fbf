"""Explore recordings in widgets: the utterances of a corpus, and the test utterances in a confusion matrix's cells.

Both need a running kernel; a report has a line in their place. Where a corpus's audio is unavailable, they say so.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import pandas as pd

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core._utils.segments import source_of, sources
from ser_core._utils.words import counted
from ser_core.widgets import svg
from ser_core.widgets.predictor import display
from ser_core.widgets.recordings import SILENCE, read_for_network, wav_bytes
from ser_core.widgets.rendering import data_address, paragraph, render, style_html

if TYPE_CHECKING:
    from ser_core.results.records import PooledResult

ANY = "any"
VIEWS = ("waveform", "features", "augmented copies")
LISTED = 200
"""Maximum number of utterances in a list."""


def players(sounds: dict, rate: int = audio.SAMPLE_RATE) -> str:
    """Return a waveform and a player per recording, as HTML.

    Parameters
    ----------
    sounds : dict
        Name to float [samples].
    rate : int, Hz
        Sampling rate of all recordings.
    """
    parts = [
        (name, svg.waveform(samples, rate, title=name), data_address(wav_bytes(samples, rate), "audio/wav"))
        for name, samples in sounds.items()
    ]
    return render("players", players=parts)


def features_picture(samples) -> str:
    """Draw the 42 input channels of a recording as a picture in HTML.

    Parameters
    ----------
    samples : float [samples]
        Waveform at 16 kHz.
    """
    from ser_core import features
    from ser_core.figures import plots, style

    frames = 1 + len(samples) // features.frame_sizes()[1]
    figure = plots.feature_maps(features.extract(samples), features.channel_names("42"), used=frames)
    file = io.BytesIO()
    with style.usual_style():
        figure.savefig(file, format="png", dpi=90)
    about = "42 channels over 400 frames of 10 ms, in standard deviations"
    return render("picture", about=about, address=data_address(file.getvalue(), "image/png"))


def augmented(samples, key: str) -> dict:
    """Return the four augmented copies of an utterance as training gets them (seed 0).

    Parameters
    ----------
    samples : float [samples]
        Waveform at 16 kHz.
    key : str
        The utterance's id, which seeds the augmentation.

    Returns
    -------
    dict
        Technique to float32 [samples].
    """
    from ser_core.audio import augmentation

    return {
        name: audio.peak_normalise(augmentation.augment(samples, name, key=key)) for name in augmentation.TECHNIQUES
    }


class Explorer(ipywidgets.VBox):
    """Choose an utterance by corpus, speaker and emotion; play it, see its waveform, features or augmented copies."""

    def __init__(self, tables: dict[str, pd.DataFrame]):
        self._tables, self._offering, self._id = tables, False, ""
        self._samples: np.ndarray | None = None
        drop = ipywidgets.Dropdown
        self.corpus = drop(options=list(tables), description="Corpus")
        self.speaker, self.emotion = drop(description="Speaker"), drop(description="Emotion")
        self.utterance, self.view = drop(description="Utterance"), drop(options=VIEWS, description="Show")
        self.message = ipywidgets.HTML().add_class("ser-message")
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
        shown = [self.message, self.player, self.pictures]
        super().__init__([ipywidgets.HTML(style_html()), *map(ipywidgets.HBox, rows), *shown])
        self.add_class("ser")
        self._fill()

    def _offer(self, drop: ipywidgets.Dropdown, options: list) -> None:
        """Set a list's options; the current choice stays if it is among them."""
        before, self._offering = drop.value, True
        drop.options = options
        values = [option[1] if isinstance(option, tuple) else option for option in options]
        drop.value = before if before in values else next(iter(values), None)
        self._offering = False

    def _fill(self) -> None:
        """List speakers and emotions of the chosen corpus."""
        table = self._tables[self.corpus.value]
        self._offer(self.speaker, [ANY, *sorted(table["speaker"].unique())])
        self._offer(self.emotion, [ANY, *table["emotion"].unique()])
        self._list()

    def _list(self) -> None:
        """List the utterances of the chosen speaker and emotion."""
        table = self._tables[self.corpus.value]
        for column, wanted in (("speaker", self.speaker.value), ("emotion", self.emotion.value)):
            table = table if wanted == ANY else table[table[column] == wanted]
        rows = table.head(LISTED).itertuples()
        self._offer(self.utterance, [(f"{row.emotion}, {row.speaker}: {row.id}", row.id) for row in rows])
        more = f"; the first {LISTED} are listed" if len(table) > LISTED else ""
        self._count = f"{counted(len(table), 'utterance')}{more}"
        self._show()

    def _show(self) -> None:
        """Load the chosen utterance into the player and describe it."""
        self._samples = None
        table = self._tables[self.corpus.value]
        matches = table[table["id"] == self.utterance.value]
        if len(matches):
            row = matches.iloc[0]
            self._id = row["id"]
            named = {"speaker": "speaker", "sex": "", "intensity": "intensity", "text": "text"}
            facts = [row["emotion"], *(f"{word} {row[name]}".strip() for name, word in named.items() if row[name])]
            try:
                samples = read_for_network(source_of(row), Path(row["path"]).name)
                facts.append(svg.format_seconds(len(samples) / audio.SAMPLE_RATE))
                self.player.value = wav_bytes(samples, audio.SAMPLE_RATE)
                self._samples = samples
                self.message.value = paragraph(f"{self._count}. Here: {', '.join(map(str, facts))}.")
            except SerError as error:
                self.message.value = paragraph(str(error), "error")
        else:
            self.message.value = paragraph(f"{self._count}.")
        self._draw()

    def _draw(self) -> None:
        """Draw the chosen view of the utterance."""
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
    """Return the explorer of those corpora whose recordings are available.

    Parameters
    ----------
    names : iterable of str
        Names of corpora.
    """
    from ser_core import corpora
    from ser_core.corpora import inventory

    tables = {corpora.corpus_title(name): corpora.load(name) for name in names if inventory.is_available(name)}
    if tables:
        return Explorer(tables)
    return _line("No recordings of these corpora are available; `ser data fetch ravdess` downloads some.")


def _line(text: str) -> ipywidgets.HTML:
    """Return a widget that only shows a message."""
    return ipywidgets.HTML(style_html() + paragraph(text, announced=False)).add_class("ser")


class Confusions(ipywidgets.VBox):
    """Show a confusion matrix whose cells are buttons: each lists its test utterances and plays them."""

    def __init__(self, pooled: dict[str, PooledResult], folder: Path):
        self._pooled, self._folder = pooled, folder
        self.which = ipywidgets.Dropdown(options=list(pooled), description="Result")
        self.matrix = ipywidgets.Box().add_class("ser-matrix")
        self.message = ipywidgets.HTML().add_class("ser-message")
        self.utterance = ipywidgets.Dropdown(description="Listen")
        self.player = ipywidgets.Audio(value=SILENCE, format="wav", autoplay=False, loop=False)
        self.which.observe(lambda _: self._build(), "value")
        self.utterance.observe(lambda _: self._play(), "value")
        shown = [self.matrix, self.message, self.utterance, self.player]
        super().__init__([ipywidgets.HTML(style_html()), self.which, *shown])
        self.add_class("ser")
        self._build()

    def _build(self) -> None:
        """Build the matrix of the chosen result."""
        from ser_core import corpora
        from ser_core.corpora import inventory
        from ser_core.results.pooling import join_predictions

        one = self._pooled[self.which.value]
        corpus, labels = one.spec["corpus"], one.labels
        self._frame = join_predictions(one.results, self._folder)
        table = corpora.load(corpus) if inventory.is_available(corpus) else None
        self._paths = {} if table is None else dict(zip(table["id"], sources(table), strict=True))
        heading = lambda text: ipywidgets.HTML(render("heading", text=text))  # noqa: E731
        cells = [heading("true \\ answer"), *map(heading, labels)]
        for truth, counts in zip(labels, one.confusion, strict=True):
            cells.append(heading(truth))
            for answer, count in zip(labels, counts, strict=True):
                cells.append(self._cell(truth, answer, count, sum(counts)))
        columns = f"6rem repeat({len(labels)}, minmax(4.6rem, 1fr))"
        self.matrix.children = [ipywidgets.GridBox(cells, layout={"grid_template_columns": columns})]
        self.message.value = paragraph("Press a cell to list its utterances.", announced=False)
        self._offer([])

    def _cell(self, truth: str, answer: str, count: int, total: int) -> ipywidgets.Button:
        """Return one cell: a button, darker the larger its share of the true label."""
        button = ipywidgets.Button(description=str(count), disabled=not count)
        button.tooltip = f"true {truth}, answered {answer}: {count} of {total}"
        share = count / max(total, 1)
        button.style.button_color = f"rgba(0, 114, 178, {0.55 * share:.2f})"
        button.style.font_weight = "bold" if truth == answer else "normal"
        button.on_click(lambda _: self.choose(truth, answer))
        return button

    def choose(self, truth: str, answer: str) -> None:
        """List the utterances of one cell, the most confident first, and load the first into the player.

        Parameters
        ----------
        truth, answer : str
            True and predicted label.
        """
        frame = self._frame
        cell = frame[(frame["truth"] == truth) & (frame["prediction"] == answer)]
        cell = cell.assign(probability=cell[answer]).sort_values("probability", ascending=False)
        rows = [
            {"utterance": row["id"], "speaker": row["speaker"], "sex": row["sex"], "text": row["text"],
             f"probability of {answer}": f"{100 * row['probability']:.0f} %"}
            for _, row in cell.head(LISTED).iterrows()
        ]  # fmt: skip
        missing = "" if self._paths else " Their recordings are unavailable, so they cannot be played."
        text = f"{counted(len(cell), 'test utterance')}: true {truth}, answered {answer}.{missing}"
        self.message.value = paragraph(text) + svg.html_table(rows)
        self._offer([(f"{row['speaker']}: {row['utterance']}", row["utterance"]) for row in rows
                     if row["utterance"] in self._paths])  # fmt: skip

    def _offer(self, options: list) -> None:
        """List the utterances that can be played, and load the first."""
        self.utterance.options = options
        self.utterance.value = options[0][1] if options else None
        for widget in (self.utterance, self.player):
            display(widget, bool(options))
        self._play()

    def _play(self) -> None:
        """Load the chosen utterance into the player."""
        path = self._paths.get(self.utterance.value)
        if path is None:
            return
        try:
            self.player.value = wav_bytes(read_for_network(path, Path(path).name), audio.SAMPLE_RATE)
        except SerError as error:
            self.message.value += paragraph(str(error), "error")


def confusions(pooled: dict[str, PooledResult], folder) -> ipywidgets.Widget:
    """Return confusion matrices whose cells open their utterances.

    Parameters
    ----------
    pooled : dict
        Name to pooled result, see :func:`ser_core.results.pooling.pool_results`.
    folder : path
        Folder of their predictions.
    """
    return Confusions(pooled, Path(folder)) if pooled else _line("No finished result to show.")
