"""The leak meter: planted speakers, sentences, copies and cues are found, and nothing else is."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import audio, cli, corpora
from ser_core._utils.errors import SerError
from ser_core.audio import augmentation
from ser_core.protocols import acoustic_cues, assignment, duplicates, leakage, splits

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


# What the published list tells without any recording


def test_random_shares_speakers_sentences_and_actor_07s_pair(no_audio):
    found, code = audited("--corpus", "ravdess", "--protocol", "random")
    assert code == 1 and not found["ok"] and found["recordings"] == 0
    assert found["speakers"] == [f"{n:02d}" for n in range(1, 25)] and found["sentences"] == ["01", "02"]
    (pair,) = found["copies"]
    assert [pair["first"], pair["second"]] == PAIR
    frozen = splits.frozen_folds("ravdess", "random").set_index("id")
    apart = [k for k in range(6) if "test" in set(frozen.loc[PAIR, str(k)]) and frozen.loc[PAIR, str(k)].nunique() > 1]
    assert pair["leaks_in"] == apart != []


@pytest.mark.parametrize(("protocol", "sentences"), [("speaker", ["01", "02"]), ("speaker-text", [])])
def test_speakers_apart_is_clean_but_for_the_sentences(no_audio, protocol, sentences):
    found, code = audited("--corpus", "ravdess", "--protocol", protocol)
    assert code == 0 and found["ok"] and found["leaks"] == [] and found["speakers"] == []
    assert found["sentences"] == sentences and bool(found["warnings"]) == bool(sentences)
    assert [pair["leaks_in"] for pair in found["copies"]] == [[]], "actor 07's two lie on one side"


def test_leaky_is_a_leak_by_its_copies(no_audio):
    found, code = audited("--corpus", "ravdess", "--protocol", "leaky", "--fold", 0)
    frozen = splits.split(corpora.manifest("ravdess"), "leaky", 0)
    elsewhere = {splits.original_of(name) for name in (*frozen.train, *frozen.validation)}
    shared = {splits.original_of(name) for name in frozen.test} & elsewhere
    assert code == 1 and found["folds"][0]["augmented"] == len(shared) > 0


def test_tess_validates_on_the_training_voice_and_says_so(no_audio):
    found, code = audited("--corpus", "tess", "--protocol", "speaker")
    assert code == 0 and found["speakers"] == []
    assert any("validation shares speakers with training: OAF, YAF" in line for line in found["notes"])
    assert len(found["sentences"]) == 200


@pytest.mark.parametrize("fold", [6, -1])
def test_a_fold_that_is_not_there_is_one_line(no_audio, fold):
    with pytest.raises(SerError, match="has folds 0 to 5"):
        leakage.audit_protocol("ravdess", "speaker", fold)


def test_either_a_corpus_or_a_split():
    for arguments in ((), ("--corpus", "demo", "--split", "x.csv")):
        result = ser("leaks", *arguments)
        assert result.exit_code == 1 and "either --corpus" in result.stderr and result.stderr.count("\n") == 1


# A split of one's own


@pytest.fixture(scope="module")
def voices():
    """Recordings of the demo corpus: utterance id to samples."""
    table = corpora.load("demo").groupby("speaker").head(4).head(32)
    return {row.id: (audio.read(row.path, rate=RATE), row) for row in table.itertuples()}


def written(folder, voices, planted=None, test=("01", "02"), **columns):
    """A CSV split by speaker of the demo recordings, and more lines of (name, samples, emotion, speaker, side)."""
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


def test_a_clean_split_is_clean(tmp_path, own_cache, voices):
    found, code = audited("--split", written(tmp_path, voices))
    assert code == 0 and found["leaks"] == [] and found["copies"] == []
    assert found["recordings"] == found["utterances"] == len(voices)


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
def test_one_planted_copy_is_found_and_named(tmp_path, own_cache, voices, how):
    name, (samples, row) = next((name, one) for name, one in voices.items() if one[1].speaker == "05")
    planted = [("other", 0.5 * changed(samples, how) if how != "bytes" else 0.9 * samples, row.emotion, "02", "test")]
    found, code = audited("--split", written(tmp_path, voices, planted))
    assert code == 1, how
    assert [(pair["first"], pair["second"], pair["leaks_in"]) for pair in found["copies"]] == [(name, "other", [0])]
    assert ("same bytes" if how == "bytes" else "same recording") == found["copies"][0]["kind"]
    assert len(found["leaks"]) == 1 and "other" in found["leaks"][0] and name in found["leaks"][0]


def test_a_shared_speaker_is_a_leak_and_a_sentence_a_warning(tmp_path, own_cache, voices):
    samples = next(iter(voices.values()))[0]
    planted = [("new", samples[::-1].copy(), "happy", "05", "test")]
    found, code = audited("--split", written(tmp_path, voices, planted, text="the same"))
    assert code == 1 and found["speakers"] == ["05"] and found["sentences"] == ["the same"]
    assert len(found["leaks"]) == 1 and any("sentences" in line for line in found["warnings"])


def test_copies_by_their_names():
    ids = ["a/x", "a/x_noise", "a/x-pitch2", "a/x_aug_1", "y_noise", "a/x_happy", "b.stretch0.9"]
    assert leakage.named_copies(ids) == ["a/x"] * 4 + ["y_noise", "a/x_happy", "b.stretch0.9"]


def test_a_copy_by_name_on_the_other_side_is_a_leak(tmp_path, own_cache, voices):
    name, (samples, row) = next((name, one) for name, one in voices.items() if one[1].speaker == "01")
    pitched = augmentation.augment(samples, "pitch", key="x", rate=RATE)
    found, code = audited(
        "--split", written(tmp_path, voices, [(f"{name}_pitch", pitched, row.emotion, "01", "train")])
    )
    assert code == 1 and found["folds"][0]["augmented"] == 1 and found["folds"][0]["augmented_of"] == [name]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("path,emotion,speaker\na.wav,happy,x\n", "no column side"),
        ("path,emotion,speaker,side\na.wav,happy,x,left\n", "line 2: side is 'left'"),
        ("path,emotion,speaker,side\na.wav,happy,x,test\n", "none of its 1 files"),
        ("path,emotion\n", "no line below"),
    ],
)
def test_a_split_that_cannot_be_used_is_one_line(tmp_path, text, word):
    (tmp_path / "split.csv").write_text(text)
    result = ser("leaks", "--split", tmp_path / "split.csv")
    assert result.exit_code == 1 and word in result.stderr and result.stderr.count("\n") == 1


# Cues


def test_cues_are_measured_as_they_were_made():
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    samples = np.concatenate([np.zeros(RATE // 2), 0.5 * tone, np.zeros(RATE // 4)])[:, None] + 0.01
    found = acoustic_cues.measure_cues(samples.astype(np.float32), RATE)
    assert found["seconds"] == pytest.approx(1.75)
    assert found["leading_silence"] == pytest.approx(0.5, abs=0.02)
    assert found["trailing_silence"] == pytest.approx(0.25, abs=0.02)
    assert found["peak_dbfs"] == pytest.approx(20 * np.log10(0.51), abs=0.01)
    assert found["dc_offset"] == pytest.approx(0.01, abs=1e-4)
    assert (found["rate"], found["channels"]) == (RATE, 1)


@pytest.mark.parametrize("planted", [True, False])
def test_a_level_that_tells_the_emotion_is_a_warning(tmp_path, own_cache, planted):
    """Noise for speech: the level follows the emotion, or it does not."""
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
    found = leakage.audit_split_file(tmp_path / "split.csv", progress=False)
    (cue,) = found["cues"]
    assert found["ok"] and cue["chance"] == 0.5 and cue["warning"] == planted
    assert (cue["uar"] > 0.95 and cue["strongest"] in ("rms_dbfs", "peak_dbfs")) == planted


def test_what_was_examined_is_kept(tmp_path, own_cache, voices, monkeypatch):
    split = written(tmp_path, voices)
    first = leakage.audit_split_file(split, progress=False)
    monkeypatch.setattr(duplicates, "candidate_pairs", None)  # would be called if anything were searched again
    assert leakage.audit_split_file(split, progress=False) == first


def test_the_real_pair_is_found_by_its_sound(real_data, own_cache, tmp_path):
    table = corpora.load("ravdess")
    table = table[(table["speaker"] == "07") & table["emotion"].isin(["calm", "happy"])]
    found = duplicates.find_duplicates(list(table["path"]), progress=False)
    by = dict(zip(found["digests"], table["id"], strict=True))
    same = [digest for digest in found["digests"] if found["digests"].count(digest) > 1]
    pairs = {tuple(sorted((by[a], by[b]))) for a, b, *_ in found["pairs"]}
    assert pairs == ({tuple(PAIR)} if not same else set())
    assert len(table) == 16 and (same or pairs)


# Folds for others


@pytest.mark.parametrize("protocol", ["speaker", "speaker-text", "random"])
def test_the_folds_are_those_of_the_split(no_audio, protocol):
    frame = assignment.utterance_sides("ravdess", protocol)
    table = corpora.manifest("ravdess")
    for fold in range(splits.fold_count(table, protocol)):
        split = splits.split(table, protocol, fold)
        for side in splits.SIDES:
            assert set(frame.loc[frame[str(fold)] == side, "id"]) == set(getattr(split, side))
    numbers = [column for column in frame if column.isdigit()]
    assert ((frame[numbers] == "test").sum(axis=1) == 1).all()


def test_folds_as_csv_and_json(no_audio):
    text = ser("folds", "tess", "speaker", "--csv").stdout
    assert text.splitlines()[0] == "id,corpus,speaker,text,emotion,0,1" and text.count("\n") == 2801
    found = json.loads(ser("folds", "tess", "speaker", "--json").stdout)
    assert found["folds"] == 2 and len(found["utterances"]) == 2800
    assert "fold 1" in ser("folds", "tess", "speaker").stdout
    cross = assignment.utterance_sides("ravdess", "cross", "tess")
    assert set(cross.loc[cross["0"] == "test", "corpus"]) == {"tess"} and "calm" not in set(cross["emotion"])
    assert ser("folds", "ravdess", "cross").exit_code == 1
