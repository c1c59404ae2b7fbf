"""Emotions as a fold has them, and as people write them: absent ones, and names that mean something inside."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import corpora
from ser_core._utils.errors import SerError, SerWarning
from ser_core.cli import main
from ser_core.corpora import folder
from ser_core.corpora.table import RESERVED
from ser_core.experiments import evaluation, run, store
from ser_core.experiments.spec import Spec


def recorded(place, speakers, takes=4):
    """Make a folder with the emotions of each speaker; return its name as a corpus."""
    random = np.random.default_rng(0)
    for speaker, emotions in speakers.items():
        for emotion in emotions:
            (place / emotion).mkdir(parents=True, exist_ok=True)
            for take in range(takes):
                soundfile.write(place / emotion / f"{speaker}_{take}.wav", random.normal(0, 0.1, 6400), 16_000)
    return f"folder:{place}"


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """A corpus in which one speaker alone is surprised, the last label, and one alone is sad, a middle one."""
    everyone = ("happy", "angry")
    speakers = {"a": everyone, "b": everyone, "c": (*everyone, "surprised"), "d": (*everyone, "sad")}
    return recorded(tmp_path_factory.mktemp("lonely"), speakers)


def side_of(corpus, protocol, fold, speaker):
    from ser_core.protocols import splits

    table = corpora.load(corpus)
    split = splits.split(table, protocol, fold)
    own = set(table.loc[table["speaker"] == speaker, "id"])
    return next(side for side in splits.SIDES if own & set(getattr(split, side)))


@pytest.mark.parametrize("model", ["a1", "svm"])
@pytest.mark.parametrize("side", ["test", "validation"])
def test_an_emotion_of_one_speaker_gives_a_row_and_a_warning(model, side, lonely, own_store):
    fields = {"model": model} | ({"features": "13"} if model == "a1" else {})
    spec = Spec(corpus=lonely, epochs=1, augment="none", frames=40, **fields) if model == "a1" else None
    spec = spec or Spec(corpus=lonely, augment="none", **fields)
    for speaker, emotion in (("c", "surprised"), ("d", "sad")):
        (fold,) = [fold for fold in range(4) if side_of(lonely, "speaker", fold, speaker) == side]
        with pytest.warns(SerWarning, match=f"no {emotion} utterance in training"):
            result = run.run_spec(Spec(**(vars(spec) | {"fold": fold})), progress=False)
        assert result.ok and result.labels == ("happy", "sad", "angry", "surprised")
        assert result.per_class[emotion].recall == 0 and any(emotion in note for note in result.notes)
        frame = store.load_predictions(result, own_store)
        assert frame[emotion].max() == 0 and np.allclose(frame[list(result.labels)].sum(axis=1), 1, atol=1e-5)
        assert json.loads(json.dumps(result.to_json()))["notes"] == list(result.notes)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_an_emotion_may_not_have_the_name_of_a_column(name, tmp_path):
    corpus = recorded(tmp_path, {"a": (name, "sad")}, takes=1)
    with pytest.raises(SerError, match="rename it"):
        corpora.load(corpus)


def test_every_column_of_predictions_is_reserved():
    assert {*evaluation.FACTS, "truth", "side", "prediction"} <= RESERVED
    assert not RESERVED & {*corpora.table.LABELS, *corpora.table.SPELLINGS}


@pytest.mark.parametrize("name", ["0", "l'émotion", "a|b", "<b>", "x" * 100])
def test_other_names_are_emotions(name, tmp_path):
    assert folder.normalise_emotion(name) in corpora.labels(recorded(tmp_path, {"a": (name, "sad")}, takes=1))


@pytest.mark.parametrize("name", ["x" * 101, "bell\x07", "-"])
def test_what_cannot_be_shown_is_no_emotion(name, tmp_path):
    with pytest.raises(SerError, match="rename it"):
        corpora.load(recorded(tmp_path, {"a": (name, "sad")}, takes=1))


def test_two_unicode_forms_are_one_emotion(tmp_path):
    corpus = recorded(tmp_path, {"a": ("col\u00e8re", "sad"), "b": ("cole\u0300re",)}, takes=1)
    assert corpora.labels(corpus) == ("sad", "col\u00e8re") and len(corpora.load(corpus)) == 3


def test_a_name_that_is_no_utf8_is_one_line(tmp_path):
    corpus = recorded(tmp_path, {"a": ("sad", "happy")}, takes=1)
    (tmp_path / "sad" / "a_0.wav").rename(tmp_path / "sad" / "b\udce9n_0.wav")
    done = CliRunner().invoke(main, ["data", "show", corpus])
    assert done.exit_code == 1 and len(done.output.splitlines()) == 1 and "not UTF-8" in done.output
