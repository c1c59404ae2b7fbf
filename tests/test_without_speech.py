"""What a recording tells without its speech: seven numbers of constructed sounds, and what normalisation does."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_core import audio, models
from ser_core.features import frames, inputs, without_speech
from ser_core.models.classical import RandomForest
from ser_core.protocols import acoustic_cues, leakage

RATE = 16_000


def sound(*, silence=0.2, speech=0.5, level=0.1, floor=0.0001, seed=0):
    """Noise of a level between two silences, the second twice as long."""
    random = np.random.default_rng(seed)
    parts = [(silence, floor), (speech, level), (2 * silence, floor)]
    return np.concatenate([rms * random.choice([-1.0, 1.0], round(seconds * RATE)) for seconds, rms in parts])


def test_seven_numbers_of_a_constructed_sound():
    length, level, floor, before, after, first, last = without_speech.seven_numbers(sound(), RATE)
    assert length == pytest.approx(1.1)
    assert level == pytest.approx(10 * np.log10((0.5 * 0.1**2 + 0.6 * 0.0001**2) / 1.1), abs=1e-4)
    assert (floor, first, last) == pytest.approx((-80.0, -80.0, -80.0), abs=1e-3)
    assert (before, after) == pytest.approx((0.2, 0.4))


def test_normalisation_moves_the_level_of_the_speech_into_the_silence():
    quiet, loud = (audio.peak_normalise(sound(level=level)) for level in (0.01, 0.1))
    as_recorded = [without_speech.seven_numbers(sound(level=level), RATE)[2] for level in (0.01, 0.1)]
    normalised = [without_speech.seven_numbers(x, RATE)[2] for x in (quiet, loud)]
    assert as_recorded[0] == pytest.approx(as_recorded[1])
    assert normalised[0] - normalised[1] == pytest.approx(20.0, abs=1e-3)  # the ratio of the levels, 10


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(1), np.ones(100), 1e-9 * np.ones(RATE)])
def test_any_sound_gives_finite_numbers(samples):
    values = without_speech.seven_numbers(samples, RATE)
    assert values.shape == (7,) and values.dtype == np.float32 and np.isfinite(values).all()


def test_first_moments_do_not_see_what_follows():
    x = sound(silence=0.3)
    changed = x.copy()
    changed[round(0.25 * RATE) :] = 0.5
    assert np.array_equal(without_speech.first_moments(x, RATE), without_speech.first_moments(changed, RATE))
    values = frames.raw_channels(x[: RATE // 4], RATE)
    assert without_speech.first_moments(x, RATE)[0] == pytest.approx(values[:, 0].mean(), rel=1e-5)


@pytest.mark.parametrize("name", acoustic_cues.WITHOUT_SPEECH)
def test_both_are_systems_on_their_inputs(name):
    model = models.get_model(name)
    assert model.features == name and model.recipe["augment"] == ""
    (size,) = inputs.get_input(name).shape(1)
    assert inputs.RAW[name](sound(), RATE).shape == (size,)


def test_the_forest_learns_a_threshold_and_gives_absent_classes_nothing():
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (200, 3)).astype(np.float32)
    y = 2 * (x[:, 1] > 0)
    probabilities = RandomForest(3, 0).fit(x[:150], y[:150], y[:150]).predict_proba(x[150:])
    assert (probabilities.argmax(axis=1) == y[150:]).mean() > 0.9
    assert (probabilities[:, 1] == 0).all() and probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("planted", [True, False])
def test_the_leak_meter_tells_the_level_that_normalisation_leaves_in_the_silence(tmp_path, own_cache, planted):
    """Speech of two levels over one noise floor: as recorded the first 250 ms tell nothing."""
    lines = []
    for speaker in range(8):
        for number in range(10):
            level = (0.02, 0.2)[number % 2] if planted else 0.1
            samples = sound(silence=0.3, speech=0.3, level=level, seed=100 * speaker + number)
            soundfile.write(tmp_path / f"{speaker}-{number}.wav", samples, RATE, subtype="FLOAT")
            side = "test" if speaker == 0 else "train"
            row = {"path": f"{speaker}-{number}.wav", "emotion": ("sad", "angry")[number % 2]}
            lines.append(row | {"speaker": speaker, "side": side})
    pd.DataFrame(lines).to_csv(tmp_path / "split.csv", index=False)
    result = leakage.audit_split_file(tmp_path / "split.csv", progress=False)
    found = {(row["input"], row["normalised"]): row for row in result["without_speech"]}
    assert len(found) == 4 and {row["chance"] for row in found.values()} == {0.5}
    assert (found["first_250ms", True]["uar"] > 0.95) == planted and found["first_250ms", False]["uar"] < 0.75
    assert (found["without_speech", True]["uar"] > 0.95) == (found["without_speech", False]["uar"] > 0.95) == planted
    sentence = "without speech, the first 250 ms predict the emotion at a UAR of "
    (line,) = [line for line in result["warnings" if planted else "notes"] if line.startswith(sentence)]
    assert " as recorded and " in line and line.endswith(" peak normalised, chance 50.0 %")
