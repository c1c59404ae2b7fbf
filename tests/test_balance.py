"""Subsets of one sex, and subsets without an emotion, are named by ``ser leaks`` and ``ser folds``."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.model_selection import GroupKFold

from ser_core import cli, corpora
from ser_core.protocols import balance, leakage


def alternating(fold):
    """RAVDESS in the folds of GroupKFold(6): every fold tests actors of one sex."""
    table = corpora.manifest("ravdess")
    ((_, test),) = list(GroupKFold(6).split(table, groups=table["speaker"]))[fold : fold + 1]
    return table.assign(side=np.where(table.index.isin(test), "test", "train"))


@pytest.mark.parametrize("fold", range(6))
def test_folds_of_alternating_actors_test_one_sex(fold):
    table = alternating(fold)
    (sex,) = set(table.loc[table["side"] == "test", "sex"])
    assert balance.one_sex(table) == {"test": sex} and balance.lacking_emotions(table) == {}


def test_a_corpus_of_one_sex_or_of_unknown_sex_is_not_named():
    table = alternating(0)
    assert balance.one_sex(table[table["sex"] == "male"]) == {}
    assert balance.one_sex(table.assign(sex="unknown")) == balance.one_sex(table.drop(columns="sex")) == {}


def test_a_missing_emotion_is_named():
    table = alternating(0)
    table = table[(table["side"] == "train") | ~table["emotion"].isin(["calm", "sad"])]
    assert balance.lacking_emotions(table) == {"test": ["calm", "sad"]}


def test_emobox_tests_women_alone_in_its_second_fold_of_ravdess(monkeypatch, tmp_path):
    """Its published test actors are 4, 10, 12 and 14, which are women (even numbers); the other folds are mixed."""
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    shown = {name: CliRunner().invoke(cli.main, ["folds", "ravdess", name]).stdout for name in ("speaker", "random")}
    listed = re.search(r"fold 1: .* test speakers: (.*)", shown["speaker"])[1].split(", ")
    assert len(listed) == 4 and all(int(actor) % 2 == 0 for actor in listed)
    assert "note: the test subset has speakers of one sex (fold 1 female)\n" in shown["speaker"]
    assert "lacks" not in shown["speaker"] and "note:" not in shown["random"]


def test_a_split_and_folds_of_one_sex_are_warned_of(tmp_path, own_cache):
    random, lines = np.random.default_rng(0), []
    for speaker, sex in (("ann", "female"), ("eve", "female"), ("bob", "male")):
        for emotion in ("happy", "sad", "angry"):
            if (speaker, emotion) != ("bob", "angry"):
                soundfile.write(tmp_path / f"{speaker}-{emotion}.wav", random.uniform(-0.5, 0.5, 8000), 16_000)
                lines.append({"path": f"{speaker}-{emotion}.wav", "emotion": emotion, "speaker": speaker, "sex": sex,
                              "side": "test" if speaker == "bob" else "train"})  # fmt: skip
    pd.DataFrame(lines).to_csv(tmp_path / "split.csv", index=False)
    warnings = leakage.audit_split_file(tmp_path / "split.csv", progress=False)["warnings"]
    assert "the test subset lacks emotions (fold 0 angry)" in warnings
    assert "the test subset has speakers of one sex (fold 0 male)" in warnings
    assert "the train subset has speakers of one sex (fold 0 female)" in warnings
    shown = CliRunner().invoke(cli.main, ["folds", f"csv:{tmp_path / 'split.csv'}", "speaker"]).stdout
    assert "note: the test subset has speakers of one sex (fold 0 female, 1 female, 2 male)" in shown
    assert "note: the test subset lacks emotions (fold 2 angry)" in shown
