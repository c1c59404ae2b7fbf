"""The small network on voice functionals, and what its teacher may know."""

import numpy as np
import pytest

from ser_core.features import inputs, voice, whisper
from ser_core.models import build_learner
from ser_core.models.classical import inner_folds
from ser_core.models.voice_network import CLEAN_SHARE, TEACHER_SHARE, perceptron
from ser_core.training import fit, mixing

SPEAKERS, EACH, CLASSES = 8, 12, 3


@pytest.fixture(scope="module")
def utterances():
    """Return inputs whose class shifts some functionals and some values of the teacher's vector."""
    random = np.random.default_rng(0)
    y = np.tile(np.arange(CLASSES), SPEAKERS * EACH // CLASSES)
    groups = np.repeat([f"s{i}" for i in range(SPEAKERS)], EACH)
    strata = np.repeat(["female", "male"] * (SPEAKERS // 2), EACH)
    shape = inputs.INPUTS["voice_whisper"].shape(1)
    x = random.normal(size=(len(y), *shape)).astype(np.float32)
    x[:, :, :40] += 0.8 * np.eye(CLASSES)[y].repeat(14, axis=1)[:, None, :40]
    return x, y, groups, strata


def fitted(name, utterances, epochs=20):
    learner = build_learner(name, classes=CLASSES, seed=0)
    return learner.fit(*utterances, fit_network=lambda *a, **k: mixing.fit_mixed(*a, **k, epochs=epochs))


def test_it_learns_and_looks_at_the_recording_alone(utterances):
    learner = fitted("voice_network", utterances)
    x, y = utterances[:2]
    answers = learner.predict_proba(x)
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, rtol=1e-5)
    assert (answers.argmax(axis=1) == y).mean() > 0.9
    other = x.copy()
    other[:, 1:] = 99.0  # copies and the teacher's vector
    np.testing.assert_array_equal(learner.predict_proba(other), answers)


def test_the_robust_form_has_a_network_for_clean_and_one_for_corrupted_recordings(utterances):
    x, y, groups, strata = utterances
    copies, speeds = inputs.INPUTS["voice_corrupted"].shape(1)[0], len(voice.SPEEDS)
    many = np.repeat(x[:, :1, : voice.SIZE], copies, axis=1)
    many[:, speeds:, :40] = 0.0  # corruption hides the class here, and shows it there
    many[:, speeds:, 100:142] += 2.0 * np.eye(CLASSES)[y].repeat(14, axis=1)[:, None]
    many[:, speeds:, 200:300] += 5.0
    learner = fitted("voice_network_robust", (many, y, groups, strata))
    for first, corrupted in ((0, 0), (speeds, 1)):
        answers = learner.predict_proba(many[:, first:])
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, rtol=1e-5)
        assert (answers.argmax(axis=1) == y).mean() > 0.9
        assert (learner.gate.predict(learner._scores(many[:, first : first + 1])[:, 0]) == corrupted).all()
        network = learner.as_network()
        found = network.predict(many[:, first], verbose=0)
        np.testing.assert_allclose(found, answers, atol=1e-5)
    assert network.count_params() - 4 * 128 == learner.parameters  # without the moving statistics
    other = many.copy()
    other[:, 1:] = 99.0
    np.testing.assert_array_equal(learner.predict_proba(other), learner.predict_proba(many))


def test_the_networks_of_the_robust_form_get_their_shares_of_copies(utterances):
    asked = []

    def remembered(build, x, targets, **settings):
        asked.append((x.shape[1], settings))
        return build()

    y, groups, strata = utterances[1:]
    copies, size = inputs.INPUTS["voice_corrupted"].shape(1)
    x = np.random.default_rng(3).normal(size=(len(y), copies, size)).astype(np.float32)
    learner = build_learner("voice_network_robust", classes=CLASSES, seed=2)
    learner.fit(x, y, groups, strata, fit_network=remembered)
    (clean, first), (every, second) = asked
    assert clean == len(voice.SPEEDS) and first == {"seed": 4}
    assert every == copies == len(second["shares"]) and second["seed"] == 5
    assert sum(second["shares"]) == pytest.approx(1.0)
    assert sum(second["shares"][:clean]) == pytest.approx(CLEAN_SHARE)
    assert learner.parameters < 500_000


def test_parameters_are_counted_by_hand_and_stay_small(utterances):
    learner = fitted("voice_network", utterances, epochs=1)
    one = voice.SIZE * 128 + 128 + 2 * 128 + 128 * CLASSES + CLASSES
    assert learner.parameters == 2 * one < 500_000


def test_the_teacher_never_knows_the_speaker_that_it_answers_for(utterances):
    x, y, groups, strata = utterances
    learner = build_learner("voice_network_distilled", classes=CLASSES, seed=0)
    answers = learner.targets(x, y, groups, strata) - (1 - TEACHER_SHARE) * np.eye(CLASSES)[y]
    np.testing.assert_allclose(answers.sum(axis=1), TEACHER_SHARE)
    fold = next(held for _, held in inner_folds(y, groups, 0, strata).split(x, y))
    lies = y.copy()
    lies[fold] = (lies[fold] + 1) % CLASSES  # other labels for the speakers of one fold
    changed = learner.targets(x, lies, groups, strata) - (1 - TEACHER_SHARE) * np.eye(CLASSES)[lies]
    np.testing.assert_allclose(changed[fold], answers[fold], atol=1e-12)
    others = np.setdiff1d(np.arange(len(y)), fold)
    assert np.abs(changed[others] - answers[others]).max() > 0.01


def test_the_teacher_row_is_that_of_the_encoders():
    frames, width = inputs.INPUTS["voice_whisper"].shape(1)
    assert frames == len(voice.SPEEDS) + 1
    assert width == max(voice.SIZE, whisper.vector_size(inputs.TEACHER))


def test_refit_without_new_information_repeats_the_fit(utterances):
    learner = fitted("voice_network", utterances, epochs=2)
    first = learner.predict_proba(utterances[0])
    np.testing.assert_array_equal(learner.refit(*utterances).predict_proba(utterances[0]), first)


def test_the_suite_gives_it_the_function_that_trains(utterances, monkeypatch):
    asked = []

    def remembered(build, x, targets, **settings):
        asked.append(settings["seed"])
        return build()

    monkeypatch.setattr(mixing, "fit_mixed", remembered)
    learner = build_learner("voice_network", classes=CLASSES, seed=3)
    fit.fit_learner(learner, *utterances)
    assert asked == [6, 7]  # networks of different seeds never share one


def test_the_perceptron_is_made_of_layers_that_any_keras_loads(tmp_path):
    import keras

    network = perceptron(10, CLASSES)
    network.save(tmp_path / "network.keras")
    x = np.ones((2, 10), dtype=np.float32)
    loaded = keras.models.load_model(tmp_path / "network.keras", compile=False)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), network.predict(x, verbose=0), atol=1e-6)
