"""Entries by content: found again, new after every change, without loss, and never in the way of an error."""

import made_rows
import pandas as pd
import pytest

from ser_core import metrics
from ser_core._utils.errors import SerWarning
from ser_core.results import comparison, pool_cache, pooling


@pytest.fixture
def computed(own_cache, monkeypatch):
    """How often predictions were read, as a list of their results."""
    read = []
    plain = pooling.load_predictions
    monkeypatch.setattr(pooling, "load_predictions", lambda run, folder: read.append(run.hash) or plain(run, folder))
    return read


def entries(folder):
    return sorted(folder.rglob("*.json"))


def test_the_second_pooling_reads_no_predictions(computed, own_cache, tmp_path):
    rows = made_rows.made_rows(tmp_path, folds=3, seeds=(0, 1))
    (first,) = pooling.pool_results(rows, tmp_path)
    assert len(computed) == 6
    (second,) = pooling.pool_results(rows, tmp_path)
    assert len(computed) == 6
    assert second == first
    assert len(entries(own_cache / "results")) == 1


def test_a_composed_corpus_and_copies_come_back_without_loss(computed, tmp_path):
    rows = made_rows.made_rows(tmp_path, folds=2, corpus="ravtess")
    (first,) = pooling.pool_results(rows, tmp_path)
    (second,) = pooling.pool_results(rows, tmp_path)
    assert second == first and set(second.parts) == {"ravdess", "tess"}
    assert second.to_json() == first.to_json()


def test_changed_predictions_are_pooled_anew(computed, tmp_path):
    rows = made_rows.made_rows(tmp_path, folds=2)
    (before,) = pooling.pool_results(rows, tmp_path)
    path = tmp_path / f"{rows[0].hash}.parquet"
    frame = pd.read_parquet(path)
    labels = list(rows[0].labels)
    frame[labels] = 0.0
    for label in labels:  # every utterance right
        frame.loc[frame["truth"] == label, label] = 1.0
    frame.to_parquet(path)
    (after,) = pooling.pool_results(rows, tmp_path)
    tested = pd.concat([pooling.subset_predictions(row, tmp_path) for row in rows])
    assert after.scores["accuracy"] == pytest.approx((tested["truth"] == tested["prediction"]).mean())
    assert after.scores["accuracy"] > before.scores["accuracy"]


def test_one_more_fold_computes_that_group_only(computed, tmp_path):
    rows = made_rows.made_rows(tmp_path, folds=2)
    others = made_rows.made_rows(tmp_path, folds=2, model="a1")
    pooling.pool_results([*rows, *others], tmp_path)
    computed.clear()
    more = made_rows.made_row(tmp_path, fold=2)
    first, second = pooling.pool_results([*rows, more, *others], tmp_path)
    assert first.folds == (0, 1, 2) and second.folds == (0, 1)
    assert set(computed) == {*(row.hash for row in rows), more.hash}


@pytest.mark.parametrize("damage", [b"", b"{}", b"0" * 64 + b"\n{}"])
def test_a_damaged_entry_is_computed_again(damage, computed, own_cache, tmp_path):
    rows = made_rows.made_rows(tmp_path, folds=2)
    (first,) = pooling.pool_results(rows, tmp_path)
    (entry,) = entries(own_cache / "results")
    entry.write_bytes(damage)
    assert pooling.pool_results(rows, tmp_path) == [first]
    assert entry.read_bytes() != damage


def test_missing_predictions_are_named_and_passed_over_also_after_an_entry_was_made(computed, tmp_path):
    rows = made_rows.made_rows(tmp_path, folds=2)
    pooling.pool_results(rows, tmp_path)
    (tmp_path / f"{rows[1].hash}.parquet").unlink()
    with pytest.warns(SerWarning, match=rows[1].hash):
        (one,) = pooling.pool_results(rows, tmp_path)
    assert one.folds == (0,) and rows[1].hash in one.errors[0]


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "file"))
    rows = made_rows.made_rows(tmp_path, folds=2)
    (one,) = pooling.pool_results(rows, tmp_path)
    assert one.scores["accuracy"] == pytest.approx(0.6, abs=0.25)


def test_code_is_part_of_the_name(tmp_path, monkeypatch):
    rows = made_rows.made_rows(tmp_path, folds=2)
    before = pool_cache.key_of("pooled", rows, tmp_path)
    assert before == pool_cache.key_of("pooled", rows, tmp_path)
    assert before != pool_cache.key_of("paired", rows, tmp_path)
    assert before != pool_cache.key_of("pooled", rows[::-1], tmp_path)
    monkeypatch.setattr(pool_cache, "_code_digest", lambda: "other code")
    assert before != pool_cache.key_of("pooled", rows, tmp_path)


def test_comparisons_are_kept_too(own_cache, tmp_path):
    first = pooling.pool_results(made_rows.made_rows(tmp_path, folds=6), tmp_path)
    second = pooling.pool_results(made_rows.made_rows(tmp_path, folds=6, model="a1", skill=0.3), tmp_path)
    before = comparison.paired_difference(first[0], second[0], tmp_path)
    count = len(entries(own_cache / "results"))
    assert comparison.paired_difference(first[0], second[0], tmp_path) == before
    assert before.differences.accuracy.p is not None
    swapped = comparison.paired_difference(second[0], first[0], tmp_path)
    assert swapped.accuracy.difference == pytest.approx(-before.accuracy.difference)
    assert len(entries(own_cache / "results")) == count + 1


def test_unit_confusions_are_those_of_each_unit_alone():
    from sklearn.metrics import confusion_matrix

    frame = pd.DataFrame(
        {
            "speaker": ["b", "a", "b", "c", "a", "b"],
            "truth": ["sad", "sad", "angry", "angry", "calm", "calm"],
            "prediction": ["sad", "angry", "angry", "calm", "calm", "sad"],
        }
    )
    labels = ["angry", "calm", "sad"]
    each = metrics.uncertainty.confusions_by(frame, "speaker", labels)
    for found, (_, part) in zip(each, frame.groupby("speaker"), strict=True):
        assert found.tolist() == confusion_matrix(part["truth"], part["prediction"], labels=labels).tolist()
