"""Speakers that are none, and speakers that are written in two ways."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.cli import main
from ser_core.protocols import assignment, leakage, speakers, splits


def table(rows):
    return pd.DataFrame(rows, columns=["speaker", "emotion", "text"])


COINCIDING = {
    "one emotion, one speaker": [("angry", "angry", "unknown")] * 3 + [("sad", "sad", "unknown")] * 3,
    "several speakers of one emotion each": [
        (f"{emotion}{number}", emotion, "unknown") for emotion in ("angry", "sad") for number in (1, 2) for _ in "ab"
    ],
    "one sentence, one speaker": [
        (name, emotion, f"text {name}") for name in "abc" for emotion in ("angry", "sad") for _ in "ab"
    ],
}
APART = {
    "every speaker has every emotion": [(name, emotion, "unknown") for name in "abc" for emotion in ("angry", "sad")],
    "one utterance of each speaker": [(str(number), ("angry", "sad")[number % 2], "unknown") for number in range(12)],
    "unknown speakers": [("unknown", emotion, "unknown") for emotion in ("angry", "sad")] * 3,
    "one emotion": [(name, "angry", "unknown") for name in "abab"],
    "one speaker has all": [("a", "angry", "x"), ("a", "sad", "x"), ("b", "angry", "x"), ("b", "angry", "y")],
}


@pytest.mark.parametrize("rows", COINCIDING.values(), ids=COINCIDING)
def test_speakers_that_coincide_are_named(rows):
    assert "coincide" in speakers.coincidence(table(rows))
    with pytest.raises(SerError, match="no speakers.*--protocol random"):
        speakers.check_speakers(table(rows), "speaker")


@pytest.mark.parametrize("rows", APART.values(), ids=APART)
def test_other_speakers_are_speakers(rows):
    assert speakers.coincidence(table(rows)) == ""


@pytest.mark.parametrize("name", ["demo", "demo_tess", "demo_ravtess"])
def test_the_known_corpora_have_speakers(name):
    assert speakers.coincidence(corpora.load(name)) == "" and speakers.alike_speakers(corpora.load(name)) == []


def recorded(folder, names):
    random = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, random.normal(0, 0.1, 4000), 16_000)
    return f"folder:{folder}"


def test_a_folder_whose_grammar_fits_by_accident_is_refused_by_speaker_and_not_at_random(tmp_path):
    name = recorded(tmp_path, [f"{e}/{e}_{i:02d}.wav" for e in ("angry", "sad", "happy") for i in range(6)])
    for protocol in ("speaker", "speaker-text"):
        with pytest.raises(SerError, match="speaker and emotion coincide"):
            splits.split(corpora.load(name), protocol, 0)
    assert splits.split(corpora.load(name), "random", 0).test
    leaks = CliRunner().invoke(main, ["leaks", "--corpus", name])
    assert leaks.exit_code == 1 and "coincide" in leaks.output and "no leak" not in leaks.output
    leaks = CliRunner().invoke(main, ["leaks", "--corpus", name, "--protocol", "random"])
    assert "warning:  speaker and emotion coincide" in leaks.output


def test_speakers_in_two_spellings_are_noted(tmp_path):
    names = ["Ben", "ben", "Zo\u00eb", "Zoe\u0308", "ann"]
    assert speakers.alike_speakers(pd.DataFrame({"speaker": names})) == [["Ben", "ben"], sorted(names[2:4])]
    first, second = speakers.describe_alike(pd.DataFrame({"speaker": names}))
    assert "Ben and ben" in first and "\\xeb" in second and "\\u0308" in second
    name = recorded(
        tmp_path, [f"{e}/{s}_{i}.wav" for e in ("angry", "sad") for s in ("Ben", "ben", "ann") for i in "12"]
    )
    shown = CliRunner().invoke(main, ["data", "show", name])
    assert "Ben and ben differ only in case" in shown.output
    leaks = CliRunner().invoke(main, ["leaks", "--corpus", name])
    assert "note:     speakers Ben and ben differ only in case" in leaks.output


def test_two_folders_of_one_name_are_two_corpora(tmp_path):
    files = [f"{emotion}/{s}_{i}.wav" for emotion in ("angry", "sad") for s in "abc" for i in "12"]
    first, second = (recorded(tmp_path / place / "voices", files) for place in ("one", "two"))
    for path in (tmp_path / "two").rglob("*.wav"):
        soundfile.write(path, np.random.default_rng(len(path.name)).normal(0, 0.2, 5000), 16_000)
    frame = assignment.utterance_sides(first, "cross", second)
    assert dict(frame.groupby("corpus")["0"].agg(set)) == {first: {"train", "validation"}, second: {"test"}}
    report = leakage.audit_protocol(first, "cross", test_corpus=second, cues=False, progress=False)
    assert report["utterances"] == report["recordings"] == 24
