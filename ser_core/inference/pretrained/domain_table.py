"""Measure what the pretrained network's mark of unlike recordings marks: ``python -m ....pretrained.domain_table``.

It fits the statistics to RAVDESS, stores them in ``model.onnx``, and writes what they mark into ``choice.json``, from
which ``... .make card`` writes the card: unseen speakers of RAVDESS, other corpora with the share of their recordings
that the network recognises, degraded recordings, and sounds that are no speech. Corpora that are missing are left out.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from ser_core import audio, corpora
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.segments import sources
from ser_core.audio.degradation import degrade
from ser_core.inference import domain_fit
from ser_core.inference.predict import Predictor, UnusableRecording

CORPORA = {"tess": "TESS (English)", "nemo": "nEMO (Polish)", "emodb": "EmoDB (German)", "demo_ravdess": "demo"}
"""Other corpora: name to title."""
CONDITIONS = ("white:30", "white:20", "white:10", "babble:20", "babble:10", "reverb:0.3", "reverb:0.6", "telephone",
              "codec:opus:8")  # fmt: skip
"""Degradations of recordings of the training corpus; see :mod:`ser_core.audio.degradation`."""
MOST = 300
"""Recordings of a corpus that are tried, evenly spaced; of the training corpus a quarter as many are degraded."""
SECONDS, RATE = 3.0, 16_000
"""Length and sampling rate of made sounds."""


def made_sounds(seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Make sounds that are no speech.

    Parameters
    ----------
    seed : int, default 0
        Of the random numbers.

    Returns
    -------
    dict
        Name to signals, float [samples] at :data:`RATE`.
    """
    random, time = np.random.default_rng(seed), np.arange(round(SECONDS * RATE)) / RATE
    size = len(time)

    def tone(frequency: float, harmonics: int = 1, decay: float = 0.0) -> np.ndarray:
        parts = [np.sin(2 * np.pi * frequency * h * time) / h**1.5 for h in range(1, harmonics + 1)]
        return np.sum(parts, axis=0) * np.exp(-decay * time)

    def melody() -> np.ndarray:
        notes = 220.0 * 2.0 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12], size=10) / 12)
        return np.concatenate([tone(note, 7, 4.0)[: size // 10] for note in notes])

    def pink() -> np.ndarray:
        frequency = np.maximum(np.fft.rfftfreq(size), 1.0 / size)
        drawn = random.normal(size=len(frequency)) + 1j * random.normal(size=len(frequency))
        return np.fft.irfft(drawn / np.sqrt(frequency), size)

    return {
        "silence": [np.zeros(size)],
        "white noise": [random.normal(size=size) for _ in range(20)],
        "pink noise": [pink() for _ in range(20)],
        "tones": [tone(frequency) for frequency in (100, 200, 440, 1000, 3000)],
        "chords": [tone(f, 5) + tone(1.26 * f, 5) + tone(1.5 * f, 5) for f in (110, 165, 220, 330)],
        "melodies": [melody() for _ in range(20)],
    }


def measure(predictor: Predictor) -> list[dict]:
    """Measure what a network's statistics mark.

    Parameters
    ----------
    predictor : Predictor
        The network.

    Returns
    -------
    list of dict
        ``name``, ``recordings``, ``marked`` (share), ``distance`` (median; None where all were refused), and for
        corpora ``recognised`` (share) and ``emotions`` (among how many).
    """
    rows = [row for name, title in CORPORA.items() if (row := _corpus_row(predictor, name, title))]
    rows += _degraded_rows(predictor)
    for name, signals in made_sounds().items():
        rows.append(_row(name, list(predictor.predict_many([("sound", (signal, RATE)) for signal in signals]))))
    return rows


def _row(name: str, answers: list) -> dict:
    """Return how many recordings are marked; those that are refused count as such."""
    distances = [np.inf if isinstance(answer, UnusableRecording) else answer.distance or 0.0 for answer in answers]
    middle = float(np.median(distances))
    return {
        "name": name,
        "recordings": len(answers),
        "marked": round(float((np.array(distances) > 1.0).mean()), 4),
        "distance": round(middle, 2) if np.isfinite(middle) else None,
    }


def _spaced(table, most: int):
    """Return at most this many utterances, evenly spaced."""
    return table.iloc[np.linspace(0, len(table) - 1, min(most, len(table))).round().astype(int)]


def _corpus_row(predictor: Predictor, name: str, title: str) -> dict | None:
    """Return what is marked of a corpus, and how much of it the network recognises; None where it is missing."""
    try:
        table = corpora.load(name)
    except SerError:
        return None
    table = _spaced(table[table["emotion"].isin(predictor.labels)], MOST)
    labels = sorted(set(table["emotion"]))
    answers = [predictor.predict(source) for source in sources(table)]
    guesses = [max(labels, key=lambda label: answer.probabilities[label]) for answer in answers]
    right = np.mean([guess == truth for guess, truth in zip(guesses, table["emotion"])])
    return _row(title, answers) | {"recognised": round(float(right), 4), "emotions": len(labels)}


def _degraded_rows(predictor: Predictor) -> list[dict]:
    """Return what is marked of degraded recordings of the training corpus."""
    table = _spaced(corpora.load("ravdess"), MOST // 4)
    waveforms = [audio.read(source) for source in sources(table)]
    speakers, rows = list(table["speaker"]), []
    for condition in CONDITIONS:
        answers = []
        for place, (key, waveform) in enumerate(zip(table["id"], waveforms)):
            others = [one for one, speaker in zip(waveforms, speakers) if speaker != speakers[place]]
            degraded = degrade(waveform, condition, key=key, rate=RATE, others=others[place % 7 :: 9])
            answers.append(predictor.predict((degraded, RATE)))
        rows.append(_row(f"RAVDESS, {condition}", answers))
    return rows


def main() -> None:
    """Fit, store and measure; then ``choice.json`` has the field ``domain``."""
    from ser_core.inference.pretrained import make

    made = domain_fit.fit_exported(make.MODEL, make.CORPUS)
    unseen = round(float(np.mean(made.marked)), 4)
    folds = [round(share, 4) for share in made.marked]
    choice = json.loads(make.CHOICE.read_text(encoding="utf-8"))
    choice |= {"bytes": make.MODEL.stat().st_size}
    corrupted = choice["spec"]["features"] == "voice_corrupted"
    rows = measure(Predictor(make.MODEL))
    choice["domain"] = {"unseen": unseen, "folds": folds, "corrupted": corrupted, "rows": rows}
    write_atomically(make.CHOICE, (json.dumps(choice, indent=1) + "\n").encode())
    make.write_card()


def card_section(record: dict | None) -> list[str]:
    """Return the lines of the card on the mark; none where it was not measured.

    Parameters
    ----------
    record : dict or None
        The field ``domain`` of ``choice.json``.
    """
    if not record:
        return []
    copies = " and its corrupted copies" if record.get("corrupted") else ""
    lines = [
        "## When its answer is marked",
        "",
        "An answer is marked “unlike the training recordings” where the recording's log-mel bands, pauses and duration "
        f"are further from RAVDESS{copies} than those of 95 % of its recordings, each measured by statistics of other "
        "speakers. "
        f"Of speakers in none of the statistics, limit included, {100 * record['unseen']:.1f} % are marked (folds: "
        f"{', '.join(f'{100 * share:.1f}' for share in record['folds'])}). Distance 1 is the limit. Recognised: the "
        "share of recordings whose emotion is the most probable of those in the corpus. Measured by `python -m "
        "ser_core.inference.pretrained.domain_table`.",
        "",
        "| recordings | n | marked, % | median distance | recognised, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in record["rows"]:
        distance = "refused" if row["distance"] is None else f"{row['distance']:.2f}"
        known = f"{100 * row['recognised']:.0f}, among {row['emotions']} emotions" if "recognised" in row else ""
        lines.append(f"| {row['name']} | {row['recordings']} | {100 * row['marked']:.0f} | {distance} | {known} |")
    return [*lines, ""]


if __name__ == "__main__":
    try:
        main()
    except SerError as problem:
        sys.exit(f"domain_table: {problem}")
