"""Every promise of every protocol, computed again from the folds, for every corpus."""

from importlib import resources

import pandas as pd
import pytest

from ser_core import corpora, splits
from ser_core.corpora import ravdess
from ser_core.errors import SerError
from ser_core.folds import make

REAL = ("ravdess", "tess", "emodb", "savee")
DEMO = ("demo_ravdess", "demo_tess", "demo_ravtess", "demo_ravtess_calm_merged")


def listed(name):
    """Utterances of a corpus without audio: the canonical manifest, or the embedded demo corpus."""
    return corpora.load(name) if name in DEMO else corpora.manifest(name)


def ravtess():
    seven = set(corpora.labels("ravtess"))
    parts = pd.concat([corpora.manifest("ravdess"), corpora.manifest("tess")], ignore_index=True)
    return parts[parts["emotion"].isin(seven)].sort_values("id").reset_index(drop=True)


CASES = [(name, protocol) for name in (*REAL, *DEMO, "ravtess") for protocol in splits.PROTOCOLS]


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_every_promise_is_kept(name, protocol):
    table = ravtess() if name == "ravtess" else listed(name)
    speaker = dict(zip(table["id"], table["speaker"], strict=True))
    tested = []
    for fold in range(splits.folds(table, protocol)):
        split = splits.split(table, protocol, fold)
        sides = [set(side) for side in (split.train, split.validation, split.test)]
        assert all(sides), "an empty side"
        assert sum(map(len, sides)) == len(table) == len(set.union(*sides)), "an utterance twice or nowhere"
        tested += split.test
        if protocol == "speaker":
            test = {speaker[i] for i in split.test}
            assert not test & {speaker[i] for i in (*split.train, *split.validation)}, "a speaker on both sides"
        emotions = {
            name: set(table.loc[table["id"].isin(side), "emotion"]) for name, side in zip("tvx", sides, strict=True)
        }
        assert emotions["t"] == set(table["emotion"]), "a class without training utterances"
    if "ravtess" not in name:
        assert sorted(tested) == sorted(table["id"]), "each utterance is tested once"
    else:
        assert set(tested) == set(table["id"])


def test_ravdess_folds_are_emobox_and_validate_on_the_next():
    table = corpora.manifest("ravdess")
    speaker = dict(zip(table["id"], table["speaker"], strict=True))
    actors = [{f"{a:02d}" for a in fold} for fold in make.EMOBOX_TEST_ACTORS]
    for fold in range(6):
        split = splits.split(table, "speaker", fold)
        assert (len(split.train), len(split.validation), len(split.test)) == (960, 240, 240)
        assert {speaker[i] for i in split.test} == actors[fold]
        assert {speaker[i] for i in split.validation} == actors[(fold + 1) % 6]


def test_random_folds_are_stratified_and_as_large_as_the_speaker_folds():
    table = corpora.manifest("ravdess")
    emotion = table.set_index("id")["emotion"]
    for fold in range(6):
        split = splits.split(table, "random", fold)
        assert (len(split.train), len(split.validation), len(split.test)) == (960, 240, 240)
        counts = emotion[list(split.test)].value_counts()
        assert counts["neutral"] == 16 and set(counts.drop("neutral")) == {32}


def test_tess_goes_from_one_actress_to_the_other_and_validates_on_held_out_words():
    table = corpora.manifest("tess").set_index("id")
    for fold, (test, train) in enumerate((("YAF", "OAF"), ("OAF", "YAF"))):
        split = splits.split(table.reset_index(), "speaker", fold)
        assert set(table.loc[list(split.test), "speaker"]) == {test}
        assert set(table.loc[[*split.train, *split.validation], "speaker"]) == {train}
        words = [set(table.loc[list(side), "text"]) for side in (split.train, split.validation)]
        assert not words[0] & words[1] and len(words[1]) == make.TESS_VALIDATION_WORDS


def test_ravtess_has_the_actresses_in_turn():
    table = ravtess()
    speaker = dict(zip(table["id"], table["speaker"], strict=True))
    actresses = [{speaker[i] for i in splits.split(table, "speaker", fold).test} & {"OAF", "YAF"} for fold in range(6)]
    assert actresses == [{"YAF"}, {"OAF"}] * 3


@pytest.mark.parametrize("stem", list(make.make()))
def test_the_frozen_files_are_what_their_maker_makes(stem):
    comment, frame = make.make()[stem]
    text = (resources.files("ser_core.folds") / f"{stem}.csv").read_text(encoding="utf-8")
    assert text == make.render(comment, frame)


def test_a_missing_file_moves_no_other():
    table = corpora.manifest("ravdess")
    less = table.drop(index=table.index[::7]).reset_index(drop=True)
    for protocol in splits.PROTOCOLS:
        whole, part = splits.split(table, protocol, 2), splits.split(less, protocol, 2)
        for side in splits.SIDES:
            assert set(getattr(part, side)) == set(getattr(whole, side)) & set(less["id"])


def user_table(speakers, each=12):
    rows = [
        {
            "id": f"{s}_{i}",
            "corpus": "mine",
            "speaker": s,
            "sex": "unknown",
            "emotion": ("a", "b")[i % 2],
            "text": str(i),
        }
        for s in speakers
        for i in range(each)
    ]
    return pd.DataFrame(rows)


def test_a_users_own_corpus_is_dealt():
    table = user_table("pqrstuvw")
    assert splits.folds(table, "speaker") == 6 and splits.folds(table, "random") == 6
    tested = [i for fold in range(6) for i in splits.split(table, "speaker", fold).test]
    assert sorted(tested) == sorted(table["id"])


@pytest.mark.parametrize(
    ("table", "protocol", "fold", "word"),
    [
        (user_table("ab"), "speaker", 0, "random"),
        (user_table(["unknown"]), "speaker", 0, "speaker column|add the column"),
        (user_table("abc"), "speaker", 3, "folds 0 to 2"),
        (user_table("abc"), "magic", 0, "magic"),
    ],
)
def test_what_cannot_be_split_is_said(table, protocol, fold, word):
    with pytest.raises(SerError, match=word):
        splits.split(table, protocol, fold)


def test_an_utterance_that_no_fold_knows_is_named():
    table = corpora.manifest("ravdess").head(10)
    stranger = table.iloc[[0]].assign(id="03-01-09-01-01-01-01", speaker="99")
    with pytest.raises(SerError, match="03-01-09-01-01-01-01"):
        splits.split(pd.concat([table, stranger], ignore_index=True), "speaker", 0)
    assert ravdess.CORPUS.expected == 1440
