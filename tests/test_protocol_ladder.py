"""The ladder: its rungs are the rows, its steps are paired, and people stand beside RAVDESS alone."""

from dataclasses import replace

import pytest
from made_rows import made_rows
from matplotlib import pyplot as plt

from ser_core.experiments.grids import A5
from ser_core.figures import plots
from ser_core.figures.protocol_ladder import plot_protocol_ladder
from ser_core.metrics import significance
from ser_core.results import formatting, ladder_text, pooling, protocol_ladder, published


@pytest.fixture
def pooled(tmp_path):
    rows = made_rows(tmp_path, skill=0.4) + made_rows(tmp_path, protocol="random", skill=0.7)
    rows += made_rows(tmp_path, protocol="speaker-text", skill=0.35) + made_rows(tmp_path, model="a1", skill=0.9)
    rows += made_rows(tmp_path, protocol="random", skill=0.1, augment="", folds=2)
    return pooling.pool_results(rows, tmp_path)


def words(figure):
    return "\n".join(text.get_text() for text in figure.findobj(plt.Text))


def by(pooled, protocol, augment="noise,stretch,shift,pitch"):
    (one,) = [one for one in pooled if (one.spec["protocol"], one.spec["augment"]) == (protocol, augment)
              and one.spec["model"] == A5]  # fmt: skip
    return one


def test_the_rungs_are_the_rows_of_one_setting_in_order(pooled, tmp_path):
    found = protocol_ladder.ladder_rows(pooled, tmp_path, "ravdess")
    assert [rung.protocol for rung in found] == ["claim", "random", "speaker", "speaker-text"]
    assert found[0].accuracy == 0.9174 and found[0].is_claim
    for rung in found[1:]:
        one = by(pooled, rung.protocol)
        assert rung.accuracy == pytest.approx(one.scores["accuracy"])
        assert rung.interval.limits == pytest.approx(one.intervals.accuracy.limits)
        assert rung.listeners_accuracy == pytest.approx(one.calm_is_neutral.scores["accuracy"])
    assert protocol_ladder.unmeasured_protocols(found) == ["leaky", "cross"]


def test_a_step_compares_like_with_like(pooled, tmp_path):
    """`speaker-text` is measured without copies alone: its step is from `speaker` without copies."""
    rows = [row for one in pooled for row in one.results if row.spec["protocol"] in ("speaker", "random")]
    plain = made_rows(tmp_path, skill=0.5, augment="") + made_rows(tmp_path, protocol="speaker-text", augment="")
    leaky = made_rows(tmp_path, protocol="leaky", folds=1, skill=0.95)
    both = pooling.pool_results([*rows, *plain, *leaky], tmp_path)
    found = {rung.protocol: rung for rung in protocol_ladder.ladder_rows(both, tmp_path, "ravdess")}
    assert list(found) == ["claim", "leaky", "random", "speaker", "speaker-text"]
    assert found["speaker"].accuracy == pytest.approx(by(both, "speaker").scores["accuracy"]), "with copies"
    lower, upper = by(both, "speaker-text", ""), by(both, "speaker", "")
    expected = lower.scores["accuracy"] - upper.scores["accuracy"]
    assert found["speaker-text"].step.change.difference == pytest.approx(expected)
    frame = ladder_text.format_ladder(protocol_ladder.ladder_table(list(found.values()))).set_index("protocol")
    assert list(frame["setting"])[-2:] == ["default", "no augmentation"]


def test_a_step_is_paired_over_speakers(pooled, tmp_path):
    claim, random, speaker, _ = protocol_ladder.ladder_rows(pooled, tmp_path, "ravdess")
    assert claim.step is None and random.step.change.interval is None
    assert random.step.change.difference == pytest.approx(random.accuracy - 0.9174)
    assert speaker.step.change == significance.paired(random.frame, speaker.frame, speaker.labels).accuracy
    assert speaker.step.change.difference == pytest.approx(speaker.accuracy - random.accuracy)


def test_leaky_is_scored_on_originals_and_told_in_full(tmp_path):
    import pandas as pd

    rows = made_rows(tmp_path, skill=0.4) + made_rows(tmp_path, protocol="leaky", skill=0.9)
    for row in rows[6:]:
        path = tmp_path / f"{row.hash}.parquet"
        frame = pd.read_parquet(path)
        copies = frame.assign(id=frame["id"] + "::noise", copy="noise", truth="happy")
        pd.concat([frame.assign(copy=""), copies], ignore_index=True).to_parquet(path)
    rows = rows[:6] + [replace(row, n_test=2 * row.n_test) for row in rows[6:]]
    found = protocol_ladder.ladder_rows(pooling.pool_results(rows, tmp_path), tmp_path, "ravdess")
    leaky = found[1]
    assert leaky.protocol == "leaky" and not leaky.frame["id"].str.contains("::").any()
    right = leaky.frame["truth"] == leaky.frame["prediction"]
    assert leaky.accuracy == pytest.approx(right.mean()) and leaky.all_clips < leaky.accuracy
    figure = plot_protocol_ladder(found, "ravdess")
    (label,) = [tick for tick in figure.axes[0].get_yticklabels() if tick.get_text().startswith("leaky")]
    assert label.get_color() == plots.RED and "leak by design" in words(figure)


def test_the_table_names_the_protocol_of_every_rung(pooled, tmp_path):
    found = protocol_ladder.ladder_rows(pooled, tmp_path, "ravdess")
    numbers = protocol_ladder.ladder_table(found)
    assert numbers["accuracy"].tolist() == [rung.accuracy for rung in found]
    frame = ladder_text.format_ladder(numbers)
    assert list(frame["protocol"]) == ["the paper", "`random`", "`speaker`", "`speaker-text`"]
    tested = significance.holm([rung.step.change.p if rung.step else None for rung in found])
    for text, p in zip(frame["p of the step"], tested, strict=True):
        assert (
            text == "–" if p is None else text.startswith(formatting.format_p_value(p)) and ("≈" in text) == (p > 0.05)
        )
    told = ladder_text.ladder_sentence(found, "ravdess")
    assert (
        formatting.format_percent(found[1].accuracy) in told
        and "from `random` to `speaker`" in told
        and "91.74" in told
    )
    text = published.published_markdown(pooled, tmp_path)
    assert text.startswith("**Protocol ladder:") and told in text and "Not measured yet: `leaky`, `cross`" in text


def test_one_protocol_is_no_ladder(tmp_path):
    pooled = pooling.pool_results(made_rows(tmp_path), tmp_path)
    assert protocol_ladder.ladder_rows(pooled, tmp_path, "ravdess") == [] == protocol_ladder.ladder_corpora(pooled)
    assert "ladder" not in published.published_markdown(pooled, tmp_path)


@pytest.mark.parametrize(("corpus", "people"), [("ravdess", True), ("ravtess", False), ("demo_ravdess", False)])
def test_listeners_stand_in_ravdess_charts_alone(tmp_path, corpus, people):
    rows = made_rows(tmp_path, corpus=corpus, folds=2) + made_rows(tmp_path, corpus=corpus, folds=2, protocol="random")
    pooled = pooling.pool_results(rows, tmp_path)
    found = protocol_ladder.ladder_rows(pooled, tmp_path, corpus)
    for figure in (plot_protocol_ladder(found, corpus), plots.claim_versus_ours(pooled[:1])):
        assert ("human listeners, 62.4 %" in words(figure)) == people
    assert ("demo" in words(plot_protocol_ladder(found, corpus))) == corpus.startswith("demo")


def test_listeners_do_not_stand_beside_other_conditions_or_nothing(tmp_path):
    rows = made_rows(tmp_path, folds=1)
    for row in rows:
        row.spec["condition"] = "white_10"
    assert pooling.pool_results(rows, tmp_path)[0].calm_is_neutral is None
    failed = pooling.pool_results(made_rows(tmp_path, folds=1, status="error"), tmp_path)
    assert "human listeners" not in words(plots.claim_versus_ours(failed))
