"""Guarantees of every protocol, recomputed from the folds of every corpus."""

import functools
from contextlib import nullcontext
from importlib import resources

import pandas as pd
import pytest

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.corpora import ravdess
from ser_core.protocols import splits
from ser_core.protocols.folds import make

REAL = ("ravdess", "tess", "emodb", "savee", "nemo")
DEMO = ("demo_ravdess", "demo_tess", "demo_ravtess", "demo_ravtess_calm_merged")


def listed(name):
    """Load the published file list of a corpus, or the embedded demo corpus."""
    return corpora.load(name) if name in DEMO else corpora.manifest(name)


def ravtess():
    seven = set(corpora.labels("ravtess"))
    parts = pd.concat([corpora.manifest("ravdess"), corpora.manifest("tess")], ignore_index=True)
    return parts[parts["emotion"].isin(seven)].sort_values("id").reset_index(drop=True)


MADE = make.make()
CASES = [
    (name, protocol)
    for name in (*REAL, "cremad", *DEMO, "ravtess")
    for protocol in splits.PROTOCOLS
    if protocol not in ("cross", "official") and (protocol != "reslstm-5" or name.endswith("ravdess"))
]
PAIRS = [("ravdess", "tess"), ("tess", "ravdess"), ("demo_ravdess", "demo_tess"), ("demo_tess", "demo_ravdess"),
         ("emodb", "ravtess"), ("savee", "cremad"), ("cremad", "savee"), ("ravtess", "emodb")]  # fmt: skip


@functools.cache
def table_of(name):
    return ravtess() if name == "ravtess" else listed(name)


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_every_guarantee_of_a_protocol_holds(name, protocol):
    table = table_of(name)
    clips = splits.pool_copies(table) if protocol == "leaky" else table
    facts = clips.set_index("id")
    tested = []
    for fold in range(splits.fold_count(table, protocol)):
        split = splits.split(table, protocol, fold)
        subsets = {name: facts.loc[list(getattr(split, name))] for name in splits.SIDES}
        assert not any(subset.empty for subset in subsets.values()), "an empty subset"
        ids = [i for subset in subsets.values() for i in subset.index]
        assert len(ids) == len(set(ids)), "in two subsets"
        assert protocol == "speaker-text" or set(ids) == set(clips["id"]), "in no subset"
        tested += split.test
        rest = pd.concat([subsets["train"], subsets["validation"]])
        if protocol.startswith("speaker"):
            assert not set(subsets["test"]["speaker"]) & set(rest["speaker"]), "a speaker in test and elsewhere"
        if protocol == "speaker-text":
            assert not set(subsets["test"]["text"]) & set(rest["text"]), "a sentence in test and elsewhere"
        if protocol == "leaky":
            shared = subsets["test"]["utterance"].isin(set(subsets["train"]["utterance"]))
            assert shared.mean() > 0.95, "copies of test utterances are in training"
        assert set(subsets["train"]["emotion"]) == set(table["emotion"]), "a class without training utterances"
    if "ravtess" not in name:
        assert sorted(tested) == sorted(clips["id"]), "each utterance is tested once"
    else:
        times = pd.Series(tested).value_counts()
        assert set(times.index) == set(clips["id"])
        actor = ~facts.loc[times.index, "speaker"].isin(["OAF", "YAF"]).to_numpy()
        assert set(times[actor]) == {1} and set(times[~actor]) == ({3} if protocol.startswith("speaker") else {1})


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_cross_tests_the_whole_target_and_nothing_of_the_source(source, target):
    table, other = table_of(source), table_of(target)
    facts = table.set_index("id")
    validated = []
    for fold in range(splits.fold_count(table, "cross")):
        split = splits.split(table, "cross", fold, target=other)
        assert sorted(split.test) == sorted(other["id"]) and not set(split.test) & {*split.train, *split.validation}
        assert sorted([*split.train, *split.validation]) == sorted(table["id"])
        train, held = (facts.loc[list(ids)] for ids in (split.train, split.validation))
        assert len(held) and set(train["emotion"]) == set(table["emotion"])
        people, words = (~part["speaker"].isin(["OAF", "YAF"]) for part in (train, held))
        assert not set(train[people]["speaker"]) & set(held[words]["speaker"]), "a speaker validates and trains"
        assert not set(train[~people]["text"]) & set(held[~words]["text"]), "a word of TESS validates and trains"
        validated.append(frozenset(split.validation))
    assert len(set(validated)) == len(validated), "every fold has another validation set"


def test_cross_without_a_test_corpus_is_refused():
    with pytest.raises(SerError, match="test-corpus"):
        splits.split(corpora.manifest("ravdess"), "cross", 0)


def test_ravdess_speaker_text_has_each_emobox_fold_with_either_statement():
    table = corpora.manifest("ravdess").set_index("id")
    for fold in range(12):
        split = splits.split(table.reset_index(), "speaker-text", fold)
        assert (len(split.train), len(split.validation), len(split.test)) == (480, 120, 120)
        test, validation, train = (table.loc[list(ids)] for ids in (split.test, split.validation, split.train))
        assert set(test["speaker"]) == {f"{a:02d}" for a in make.EMOBOX_TEST_ACTORS[fold // 2]}
        assert set(validation["speaker"]) == {f"{a:02d}" for a in make.EMOBOX_TEST_ACTORS[(fold // 2 + 1) % 6]}
        assert set(test["text"]) == {("01", "02")[fold % 2]}
        assert set(train["text"]) == set(validation["text"]) == {("02", "01")[fold % 2]}


def test_tess_speaker_text_tests_each_actress_on_each_half_of_the_words():
    table = corpora.manifest("tess").set_index("id")
    for fold in range(4):
        split = splits.split(table.reset_index(), "speaker-text", fold)
        test, validation, train = (table.loc[list(ids)] for ids in (split.test, split.validation, split.train))
        assert set(test["speaker"]) == {("YAF", "OAF")[fold % 2]}
        assert (len(test), len(validation), len(train)) == (700, 119, 581)
        assert not set(train["text"]) & set(validation["text"])


def test_leaky_is_stratified_and_pools_the_copies():
    table = corpora.manifest("ravdess")
    for copies in (("noise", "stretch", "shift", "pitch"), ("pitch",), ("noise", "noise-2")):
        split = splits.split(table, "leaky", 1, copies=copies)
        pool = splits.pool_copies(table, copies).set_index("id")
        assert len(split.test) == pytest.approx(len(pool) / 6, rel=0.1)
        shares = pool.loc[list(split.test), "emotion"].value_counts(normalize=True)
        assert shares["neutral"] == pytest.approx(96 / 1440, abs=0.015)
        assert {splits.original_of(i) for i in (*split.train, *split.validation, *split.test)} == set(table["id"])
    whole = splits.split(table, "leaky", 1)
    assert set(splits.split(table, "leaky", 1, copies=("pitch",)).test) <= set(whole.test)
    assert splits.original_of("a::b") == "a::b" and splits.original_of("a::noise-2") == "a"


def test_ravdess_folds_are_those_of_emobox_and_validate_on_the_next_fold():
    table = corpora.manifest("ravdess")
    speaker = dict(zip(table["id"], table["speaker"], strict=True))
    actors = [{f"{a:02d}" for a in fold} for fold in make.EMOBOX_TEST_ACTORS]
    for fold in range(6):
        split = splits.split(table, "speaker", fold)
        assert (len(split.train), len(split.validation), len(split.test)) == (960, 240, 240)
        assert {speaker[i] for i in split.test} == actors[fold]
        assert {speaker[i] for i in split.validation} == actors[(fold + 1) % 6]


def test_random_folds_are_stratified_and_as_large_as_speaker_folds():
    table = corpora.manifest("ravdess")
    emotion = table.set_index("id")["emotion"]
    for fold in range(6):
        split = splits.split(table, "random", fold)
        assert (len(split.train), len(split.validation), len(split.test)) == (960, 240, 240)
        counts = emotion[list(split.test)].value_counts()
        assert counts["neutral"] == 16 and set(counts.drop("neutral")) == {32}


def test_tess_trains_on_one_actress_tests_the_other_and_validates_on_held_out_words():
    table = corpora.manifest("tess").set_index("id")
    for fold, (test, train) in enumerate((("YAF", "OAF"), ("OAF", "YAF"))):
        split = splits.split(table.reset_index(), "speaker", fold)
        assert set(table.loc[list(split.test), "speaker"]) == {test}
        assert set(table.loc[[*split.train, *split.validation], "speaker"]) == {train}
        words = [set(table.loc[list(ids), "text"]) for ids in (split.train, split.validation)]
        assert not words[0] & words[1] and len(words[1]) == make.TESS_VALIDATION_WORDS


def test_the_actresses_of_ravtess_alternate():
    table = ravtess()
    speaker = dict(zip(table["id"], table["speaker"], strict=True))
    actresses = [{speaker[i] for i in splits.split(table, "speaker", fold).test} & {"OAF", "YAF"} for fold in range(6)]
    assert actresses == [{"YAF"}, {"OAF"}] * 3


@pytest.mark.parametrize("stem", list(MADE))
def test_frozen_fold_files_agree_with_their_script(stem):
    comment, frame = MADE[stem]
    text = (resources.files("ser_core.protocols.folds") / f"{stem}.csv").read_text(encoding="utf-8")
    assert text == make.render(comment, frame)


def test_missing_files_do_not_change_the_subset_of_others():
    table = corpora.manifest("ravdess")
    less = table.drop(index=table.index[::7]).reset_index(drop=True)
    other = corpora.manifest("tess")
    for protocol in set(splits.PROTOCOLS) - {"official"}:
        whole, part = (splits.split(utterances, protocol, 2, target=other) for utterances in (table, less))
        present = set(less["id"]) | set(other["id"])
        for name in splits.SIDES:
            assert set(getattr(part, name)) == {i for i in getattr(whole, name) if splits.original_of(i) in present}


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


def test_every_utterance_of_a_user_defined_corpus_is_tested_once():
    table = user_table("pqrstuvw")
    assert splits.fold_count(table, "speaker") == 6 and splits.fold_count(table, "random") == 6
    tested = [i for fold in range(6) for i in splits.split(table, "speaker", fold).test]
    assert sorted(tested) == sorted(table["id"])
    assert splits.fold_count(table, "speaker-text") == 12 and splits.fold_count(user_table("ab"), "cross") == 2
    tested = [i for fold in range(12) for i in splits.split(table, "speaker-text", fold).test]
    assert sorted(tested) == sorted(table["id"])
    tested = [i for fold in range(6) for i in splits.split(table, "leaky", fold, copies=("shift",)).test]
    assert sorted(tested) == sorted(splits.pool_copies(table, ("shift",))["id"])


@pytest.mark.parametrize(
    ("table", "protocol", "fold", "word"),
    [
        (user_table("ab"), "speaker", 0, "random"),
        (user_table(["unknown"]), "speaker", 0, "speaker column|add the column"),
        (user_table("abc"), "speaker", 3, "folds 0 to 2"),
        (user_table("abc"), "magic", 0, "magic"),
        (user_table("ab"), "speaker-text", 0, "random"),
        (user_table("abc").assign(text="unknown"), "speaker-text", 0, "text"),
        (user_table("abc").assign(text="one"), "speaker-text", 0, "same text"),
    ],
)
def test_impossible_splits_give_a_clear_error(table, protocol, fold, word):
    with pytest.raises(SerError, match=word):
        splits.split(table, protocol, fold)


def test_an_utterance_in_no_fold_is_named():
    table = corpora.manifest("ravdess").head(10)
    stranger = table.iloc[[0]].assign(id="03-01-09-01-01-01-01", speaker="99")
    with pytest.raises(SerError, match="03-01-09-01-01-01-01"):
        splits.split(pd.concat([table, stranger], ignore_index=True), "speaker", 0)
    assert ravdess.CORPUS.expected == 1440


def test_the_folds_of_reslstm_are_those_of_its_source():
    """The actors as its public notebook names them; five, five, five, five and four of them are tested."""
    table = corpora.manifest("ravdess")
    speaker = table.set_index("id")["speaker"].astype(int)
    tested, validating = [], []
    for fold in range(splits.fold_count(table, "reslstm-5")):
        split = splits.split(table, "reslstm-5", fold)
        tested.append(sorted(set(speaker[list(split.test)])))
        validating.append(sorted(set(speaker[list(split.validation)])))
        assert not {*tested[-1], *validating[-1]} & set(speaker[list(split.train)])
    assert tested == [[2, 5, 14, 15, 16], [3, 6, 7, 13, 18], [10, 11, 12, 19, 20], [8, 17, 21, 23, 24], [1, 4, 9, 22]]
    assert validating == [[3, 6], [10, 11], [8, 17], [1, 14], [2, 5]]


@pytest.mark.parametrize("name", ["tess", "ravtess", "emodb"])
def test_the_folds_of_reslstm_are_refused_for_other_speakers(name):
    with pytest.raises(SerError, match="reslstm-5: names the actors of RAVDESS"):
        splits.split(table_of(name), "reslstm-5", 0)


def test_every_protocol_has_a_rule():
    assert set(splits.RULES) | {"leaky", "official", "cross"} == set(splits.PROTOCOLS)


def test_a_protocol_without_a_rule_is_refused(monkeypatch):
    monkeypatch.setitem(splits.PROTOCOLS, "mine", "a promise without a rule")
    with pytest.raises(SerError, match="mine: has no function that assigns its folds"):
        splits.split(corpora.manifest("demo"), "mine", 0)


@pytest.mark.parametrize("protocol", [name for name in splits.PROTOCOLS if name != "reslstm-5"])
@pytest.mark.parametrize("lacking", ["id", "corpus", "speaker", "emotion", "text"])
def test_a_table_without_a_column_is_refused_in_one_line(protocol, lacking):
    table = corpora.load("demo").drop(columns=lacking)
    needed = {"id", "corpus", *splits.NEEDED.get(protocol, ("speaker", "emotion"))}
    match = f"protocol {protocol}: the table lacks the column {lacking}" if lacking in needed else None
    with pytest.raises(SerError, match=match) if match or protocol in ("official", "cross") else nullcontext():
        splits.split(table, protocol, 0)
