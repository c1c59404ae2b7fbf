"""The leakage audit finds planted speakers, sentences, copies and cues, and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import audio, cli, corpora
from ser_core._utils.errors import SerError
from ser_core.audio import augmentation
from ser_core.protocols import duplicates, leakage, splits

PAIR = ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]
RATE = 16_000


def ser(*arguments):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


@pytest.fixture
def no_audio(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "nothing"))


def audited(*arguments):
    result = ser("leaks", *arguments, "--json")
    return json.loads(result.stdout), result.exit_code


# From the published file list, without recordings


def test_random_shares_speakers_sentences_and_the_pair_of_actor_07(no_audio):
    result, code = audited("--corpus", "ravdess", "--protocol", "random")
    assert code == 1 and not result["ok"] and result["recordings"] == 0
    assert result["speakers"] == [f"{n:02d}" for n in range(1, 25)] and result["sentences"] == ["01", "02"]
    (pair,) = result["copies"]
    assert [pair["first"], pair["second"]] == PAIR
    frozen = splits.frozen_folds("ravdess", "random").set_index("id")
    apart = [k for k in range(6) if "test" in set(frozen.loc[PAIR, str(k)]) and frozen.loc[PAIR, str(k)].nunique() > 1]
    assert pair["leaks_in"] == apart != []


@pytest.mark.parametrize(("protocol", "sentences"), [("speaker", ["01", "02"]), ("speaker-text", [])])
def test_speaker_protocols_have_no_leak_and_may_share_sentences(no_audio, protocol, sentences):
    result, code = audited("--corpus", "ravdess", "--protocol", protocol)
    assert code == 0 and result["ok"] and result["leaks"] == [] and result["speakers"] == []
    assert result["sentences"] == sentences and any("sentences" in line for line in result["warnings"]) == bool(
        sentences
    )
    assert [pair["leaks_in"] for pair in result["copies"]] == [[]], "the pair of actor 07 is in one subset"


def test_leaky_is_a_leak_through_augmented_copies(no_audio):
    result, code = audited("--corpus", "ravdess", "--protocol", "leaky", "--fold", 0)
    frozen = splits.split(corpora.manifest("ravdess"), "leaky", 0)
    elsewhere = {splits.original_of(name) for name in (*frozen.train, *frozen.validation)}
    shared = {splits.original_of(name) for name in frozen.test} & elsewhere
    assert code == 1 and result["folds"][0]["augmented"] == len(shared) > 0


def test_a_note_says_that_tess_validates_on_the_training_speaker(no_audio):
    result, code = audited("--corpus", "tess", "--protocol", "speaker")
    assert code == 0 and result["speakers"] == []
    assert any("validation shares speakers with training: OAF, YAF" in line for line in result["notes"])
    assert len(result["sentences"]) == 200


@pytest.mark.parametrize("fold", [6, -1])
def test_an_unknown_fold_is_refused(no_audio, fold):
    with pytest.raises(SerError, match="has folds 0 to 5"):
        leakage.audit_protocol("ravdess", "speaker", fold)


def test_either_a_corpus_or_a_split_must_be_given():
    for arguments in ((), ("--corpus", "demo", "--split", "x.csv")):
        result = ser("leaks", *arguments)
        assert result.exit_code == 1 and "either --corpus" in result.stderr and result.stderr.count("\n") == 1


# User-defined splits


@pytest.fixture(scope="module")
def voices():
    """Recordings of the demo corpus: utterance id to samples and table row."""
    table = corpora.load("demo").groupby("speaker").head(4).head(32)
    return {row.id: (audio.read(row.path, rate=RATE), row) for row in table.itertuples()}


def split_file(folder, voices, planted=None, test=("01", "02"), **columns):
    """Write a CSV that splits the demo recordings by speaker, and planted (name, samples, emotion, speaker, side)."""
    lines = []
    for name, (samples, row) in voices.items():
        soundfile.write(folder / f"{name}.wav", 0.9 * samples, RATE)
        side = "test" if row.speaker in test else "train"
        lines.append({"path": f"{name}.wav", "emotion": row.emotion, "speaker": row.speaker, "side": side})
    for name, samples, emotion, speaker, side in planted or ():
        soundfile.write(folder / f"{name}.wav", samples, RATE)
        lines.append({"path": f"{name}.wav", "emotion": emotion, "speaker": speaker, "side": side})
    pd.DataFrame(lines).assign(**columns).to_csv(folder / "split.csv", index=False)
    return folder / "split.csv"


def test_a_split_by_speaker_has_no_leak(tmp_path, own_cache, voices):
    result, code = audited("--split", split_file(tmp_path, voices))
    assert code == 0 and result["leaks"] == [] and result["copies"] == []
    assert result["recordings"] == result["utterances"] == len(voices)


def test_a_table_without_sexes_and_texts_is_audited(no_audio):
    """A corpus of one's own may have neither column: they count as unknown."""
    table = pd.DataFrame({"id": list("abcd"), "path": "", "published": "", "corpus": "own"})
    table = table.assign(utterance=table["id"], speaker=["1", "2", "2", "3"], emotion=["sad", "happy", "sad", "happy"])
    sides = {"a": "train", "b": "test", "c": "train", "d": "test"}
    report = leakage.audit_split(table, {0: sides}, progress=False)
    assert report["speakers"] == ["2"] and report["sentences"] == [] and not report["ok"]
    assert any("all texts are unknown" in note for note in report["notes"])


def changed(samples, how):
    random = np.random.default_rng(1)
    noise = random.normal(0, 1, len(samples)) * np.sqrt(np.mean(samples**2))
    return {
        "bytes": lambda: 0.9 * samples,
        "gain": lambda: -0.2 * samples,
        "trimmed": lambda: samples[len(samples) // 6 : -len(samples) // 8],
        "padded": lambda: np.concatenate([np.zeros(5000), samples, np.zeros(9000)]),
        "resampled": lambda: audio.resample(audio.resample(samples, RATE, 8000), 8000, RATE),
        "noise at 5 dB": lambda: samples + noise * 10 ** (-5 / 20),
        "shifted": lambda: augmentation.augment(samples, "shift", key="x", rate=RATE),
    }[how]()


@pytest.mark.parametrize("how", ["bytes", "gain", "trimmed", "padded", "resampled", "noise at 5 dB", "shifted"])
def test_a_planted_copy_is_found_and_named(tmp_path, own_cache, voices, how):
    name, (samples, row) = next(item for item in voices.items() if item[1][1].speaker == "05")
    planted = [("other", 0.5 * changed(samples, how) if how != "bytes" else 0.9 * samples, row.emotion, "02", "test")]
    result, code = audited("--split", split_file(tmp_path, voices, planted))
    assert code == 1, how
    assert [(pair["first"], pair["second"], pair["leaks_in"]) for pair in result["copies"]] == [(name, "other", [0])]
    assert ("same bytes" if how == "bytes" else "same recording") == result["copies"][0]["kind"]
    assert len(result["leaks"]) == 1 and "other" in result["leaks"][0] and name in result["leaks"][0]


def test_a_shared_speaker_is_a_leak_and_a_sentence_a_warning(tmp_path, own_cache, voices):
    samples = next(iter(voices.values()))[0]
    planted = [("new", samples[::-1].copy(), "happy", "05", "test")]
    result, code = audited("--split", split_file(tmp_path, voices, planted, text="the same"))
    assert code == 1 and result["speakers"] == ["05"] and result["sentences"] == ["the same"]
    assert len(result["leaks"]) == 1 and any("sentences" in line for line in result["warnings"])


def test_names_of_augmented_copies():
    ids = ["a/x", "a/x_noise", "a/x-pitch2", "a/x_aug_1", "y_noise", "a/x_happy", "b.stretch0.9"]
    assert leakage.named_copies(ids) == ["a/x"] * 4 + ["y_noise", "a/x_happy", "b.stretch0.9"]


def test_a_copy_by_name_in_another_subset_is_a_leak(tmp_path, own_cache, voices):
    name, (samples, row) = next(item for item in voices.items() if item[1][1].speaker == "01")
    pitched = augmentation.augment(samples, "pitch", key="x", rate=RATE)
    result, code = audited(
        "--split", split_file(tmp_path, voices, [(f"{name}_pitch", pitched, row.emotion, "01", "train")])
    )
    assert code == 1 and result["folds"][0]["augmented"] == 1 and result["folds"][0]["augmented_of"] == [name]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("path,emotion,speaker\na.wav,happy,x\n", "no column side"),
        ("path,emotion,speaker,side\na.wav,happy,x,left\n", "line 2: side is 'left'"),
        ("path,emotion,speaker,side\na.wav,happy,x,test\n", "none of its files"),
        ("path,emotion\n", "no line below"),
    ],
)
def test_an_unusable_split_file_gives_a_one_line_error(tmp_path, text, word):
    (tmp_path / "split.csv").write_text(text)
    result = ser("leaks", "--split", tmp_path / "split.csv")
    assert result.exit_code == 1 and word in result.stderr and result.stderr.count("\n") == 1


# Cues


@pytest.mark.parametrize("planted", [True, False])
def test_a_level_that_predicts_the_emotion_is_a_warning(tmp_path, own_cache, planted):
    """White noise instead of speech; its level depends on the emotion, or does not."""
    random = np.random.default_rng(0)
    lines = []
    for speaker in range(8):
        for number in range(10):
            emotion = ("happy", "sad")[number % 2]
            level = (0.1, 0.4)[number % 2] if planted else 0.2
            samples = level * random.uniform(0.8, 1.2) * random.uniform(-1, 1, RATE // 4 + random.integers(2000))
            soundfile.write(tmp_path / f"{speaker}-{number}.wav", samples, RATE)
            side = "test" if speaker == 0 else "train"
            lines.append({"path": f"{speaker}-{number}.wav", "emotion": emotion, "speaker": speaker, "side": side})
    pd.DataFrame(lines).to_csv(tmp_path / "split.csv", index=False)
    result = leakage.audit_split_file(tmp_path / "split.csv", progress=False)
    (cue,) = result["cues"]
    assert result["ok"] and cue["chance"] == 0.5 and cue["warning"] == planted
    assert (cue["uar"] > 0.95 and cue["strongest"] in ("rms_dbfs", "peak_dbfs")) == planted


def test_measurements_are_cached(tmp_path, own_cache, voices, monkeypatch):
    split = split_file(tmp_path, voices)
    first = leakage.audit_split_file(split, progress=False)
    monkeypatch.setattr(duplicates, "candidate_pairs", None)  # a second search would call it
    assert leakage.audit_split_file(split, progress=False) == first


# Folds for others
