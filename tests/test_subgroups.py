"""Groups and conditions against formulas, scipy and cases where the answer is known."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_rows import made_row, made_rows

from ser_core._utils import paths
from ser_core.audio import degradation
from ser_core.experiments import store
from ser_core.results import pooling, robustness, subgroups


def alter(folder, row, change):
    """Change the predictions of a row by a function of their table."""
    frame = pd.read_parquet(folder / f"{row.hash}.parquet")
    change(frame).to_parquet(folder / f"{row.hash}.parquet")


def answered(frame, labels, right):
    """The frame with answers that are right where ``right`` says so, and the next label otherwise."""
    place = frame["truth"].map({label: i for i, label in enumerate(labels)}).to_numpy()
    place = np.where(right, place, (place + 1) % len(labels))
    frame[list(labels)] = 0.01 + 0.9 * np.eye(len(labels), dtype=np.float32)[place]
    return frame


@pytest.fixture
def pooled(tmp_path):
    """Two folds of 64 utterances, eight speakers: four of each sex, half strong; known answers."""
    rows = [made_row(tmp_path, fold=fold, size=64) for fold in range(2)]

    def change(frame):
        speaker = frame["speaker"].astype(int)
        frame["sex"] = np.where(speaker % 2 == 0, "female", "male")
        number = frame.groupby(["side", "speaker", "truth"]).cumcount()
        frame["intensity"] = np.where(number % 2, "strong", "normal")
        frame.loc[frame["truth"] == "neutral", "intensity"] = "normal"
        right = (np.arange(len(frame)) * 7 % 10) < np.where(frame["sex"] == "male", 3, 7) + speaker % 3
        return answered(frame, rows[0].labels, right)

    for row in rows:
        alter(tmp_path, row, change)
    (one,) = pooling.pool_results(rows, tmp_path)
    return one, tmp_path


def test_sexes_add_up_to_all(pooled):
    one, folder = pooled
    found = {group.group: group for group in subgroups.scores_by_group(one, folder, "sex")}
    assert set(found) == {"female", "male"} and all(group.speakers == 4 for group in found.values())
    assert sum(group.scored.n_test for group in found.values()) == one.n_test
    whole = sum(group.scored.n_test * group.scored.scores["accuracy"] for group in found.values()) / one.n_test
    assert whole == pytest.approx(one.scores["accuracy"])
    frame = subgroups.test_predictions(one, folder)[0]
    male = frame[frame["sex"] == "male"]
    scored = found["male"].scored
    assert scored.scores["accuracy"] == pytest.approx((male["truth"] == male["prediction"]).mean())
    assert scored.intervals.accuracy.contains(scored.scores["accuracy"])


def test_speakers_are_named_with_the_worst_first(pooled):
    one, folder = pooled
    table = subgroups.scores_by_speaker(one, folder)
    frame = subgroups.test_predictions(one, folder)[0]
    wanted = (frame["truth"] == frame["prediction"]).groupby(frame["speaker"]).mean()
    assert dict(zip(table["speaker"], table["accuracy"], strict=True)) == pytest.approx(wanted.to_dict())
    assert table["uar"].is_monotonic_increasing and table["n_test"].sum() == 128
    shown = subgroups.speaker_table(one, folder, shown=2)
    assert len(shown) == 4 and shown["speaker"].iloc[0] == table["speaker"].iloc[0]
    assert shown["speaker"].iloc[-1] == table["speaker"].iloc[-1]


def test_the_difference_of_the_sexes_is_welchs(pooled):
    """The textbook formula: degrees of freedom by Welch and Satterthwaite."""
    from scipy.stats import t

    one, folder = pooled
    table = subgroups.scores_by_speaker(one, folder)
    male, female = (table.loc[table["sex"] == sex, "uar"] for sex in ("male", "female"))
    parts = male.var() / len(male), female.var() / len(female)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(male) - 1) + parts[1] ** 2 / (len(female) - 1))
    half = t.ppf(0.975, freedom) * np.sqrt(sum(parts))
    found = subgroups.between_sexes(one, folder)
    difference = male.mean() - female.mean()
    assert found.difference == pytest.approx(difference) and found.n == (4, 4)
    assert found.interval.limits == pytest.approx((difference - half, difference + half))


def test_intensities_are_compared_on_the_emotions_that_have_both(pooled):
    """Of equally many utterances a speaker and emotion, the jackknife is the paired t interval of the speakers."""
    one, folder = pooled
    found = subgroups.between_intensities(one, folder)
    assert "neutral" not in found.classes and len(found.classes) == len(one.labels) - 1
    frame = subgroups.test_predictions(one, folder)[0]
    frame = frame[frame["truth"] != "neutral"].assign(right=lambda f: f["truth"] == f["prediction"])
    recall = frame.groupby(["intensity", "truth"])["right"].mean().groupby("intensity").mean()
    assert found.difference == pytest.approx(recall["strong"] - recall["normal"])
    assert found.interval.contains(found.difference) and found.n == (8,)


def test_two_speakers_are_too_few_to_compare(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path, folds=2, corpus="tess"), tmp_path)
    assert "TESS: 2 speakers, too few to compare; the lowest UAR is" in subgroups.subgroup_sentence(one, tmp_path)
    assert subgroups.differences(one, tmp_path) == [] and subgroups.group_table(one, tmp_path).empty


def test_an_effect_of_intensity_is_found_and_none_is_not(tmp_path):
    rows = made_rows(tmp_path, folds=6)

    def change(gain, frame):
        dice = np.random.default_rng(len(frame))
        frame["intensity"] = np.where(dice.random(len(frame)) < 0.5, "strong", "normal")
        skill = 0.5 + gain * (frame["intensity"] == "strong")
        return answered(frame, rows[0].labels, dice.random(len(frame)) < skill)

    for gain, apart in ((0.4, True), (0.0, False)):
        for row in rows:
            alter(tmp_path, row, lambda frame, gain=gain: change(gain, frame))
        (one,) = pooling.pool_results(rows, tmp_path)
        found = subgroups.between_intensities(one, tmp_path)
        assert (found.interval.low > 0) == apart
        assert found.difference == pytest.approx(gain, abs=0.12)
        assert subgroups.between_sexes(one, tmp_path) is None  # all female
        assert subgroups.scores_by_group(one, tmp_path, "sex") == []
        assert list(subgroups.difference_table(one, tmp_path)["significant"]) == [apart]


def test_the_spread_of_alike_speakers_is_what_chance_gives():
    dice = np.random.default_rng(0)
    alike, expected = [], []
    for _ in range(200):
        table = pd.DataFrame({"accuracy": dice.binomial(60, 0.6, 24) / 60, "n_test": 60})
        found = subgroups.speaker_spread(table)
        alike.append(found.observed)
        expected.append(found.expected)
    assert np.mean(alike) == pytest.approx(np.mean(expected), rel=0.05)
    assert np.mean(expected) == pytest.approx(np.sqrt(0.6 * 0.4 / 60), rel=0.02)


def test_tables_of_the_published_rows():
    folder = paths.root() / "runs" / "published"
    (one,) = pooling.pool_results([r for r in store.load_rows(folder) if r.spec["model"] == "svm_egemaps"], folder)
    numbers = subgroups.group_table(one, folder)
    assert numbers["uar_low"].between(0, 1).all() and list(numbers["n_test"]) == [720, 720, 768, 672]
    table = subgroups.format_groups(numbers)
    assert list(table["group"]) == ["sex: female", "sex: male", "intensity: normal", "intensity: strong"]
    assert list(table["emotions"]) == [8, 8, 8, 7] and table["tested on"].iloc[0] == "720; 12 speakers"
    told, worst = subgroups.subgroup_sentence(one, folder), subgroups.scores_by_speaker(one, folder).iloc[0]
    assert f"the lowest UAR of 24 speakers is {100 * worst['uar']:.1f} % (speaker {worst['speaker']})" in told
    assert len(subgroups.difference_table(one, folder)) == 2 and len(subgroups.speaker_table(one, folder)) == 6


# Conditions


def under(folder, row, condition, loss):
    """The row's like under a condition: a share of its right answers on the test side lost."""
    labels, spec = list(row.labels), row.spec | {"condition": condition}
    other = replace(row, hash=f"{row.hash}-{condition.replace(':', '-')}", spec=spec)
    shutil.copy(folder / f"{row.hash}.parquet", folder / f"{other.hash}.parquet")

    def change(frame):
        right = (frame["truth"] == frame[labels].idxmax(axis=1)).to_numpy()
        lost = (np.random.default_rng(7).random(len(frame)) < loss) & (frame["side"] == "test").to_numpy()
        return answered(frame, labels, right & ~lost)

    alter(folder, other, change)
    return other


LOSSES = {"white:20": 0.0, "white:10": 0.4, "white:0": 0.9, "reverb:0.6": 0.3, "telephone": 0.2}


@pytest.fixture
def noisy(tmp_path):
    clean = made_rows(tmp_path, folds=3, skill=0.8)
    rows = [under(tmp_path, row, name, loss) for name, loss in LOSSES.items() for row in clean[:2]]
    partial = under(tmp_path, clean[0], "babble:0", 0.5)
    other = made_row(tmp_path, model="a1")
    return [*rows, *clean, partial, other], tmp_path


def test_a_family_stands_on_the_folds_that_its_conditions_share(noisy):
    rows, folder = noisy
    (family,) = robustness.group_by_system(rows, folder)
    assert list(family) == ["clean", "white:20", "white:10", "white:0", "reverb:0.6", "telephone"]
    assert all(one.folds == (0, 1) for one in family.values())
    assert len({one.n_test for one in family.values()}) == 1
    assert "2 of 6 folds" in robustness.robustness_title(family) and "protocol speaker" in robustness.robustness_title(
        family
    )
    assert robustness.group_by_system([row for row in rows if row.spec["condition"] == "clean"], folder) == []
    assert robustness.group_by_system([row for row in rows if row.spec["condition"] != "clean"], folder) == []


def test_changes_are_paired_with_clean(noisy):
    rows, folder = noisy
    (family,) = robustness.group_by_system(rows, folder)
    found = robustness.differences_from_clean(family, folder)
    for name in LOSSES:
        difference = family[name].scores["uar"] - family["clean"].scores["uar"]
        assert found[name].difference == pytest.approx(difference)
    assert found["white:20"].difference == 0 and found["white:20"].interval is None
    interval = found["white:0"].interval
    assert interval.low < found["white:0"].difference < interval.high < 0
    left = robustness.retained_performance(family)
    assert left["white:20"] == pytest.approx(1) and left["white:0"] < 0.15 < left["white:10"] < 0.8


def test_the_curve_and_where_half_is_lost(noisy):
    rows, folder = noisy
    (family,) = robustness.group_by_system(rows, folder)
    frame = robustness.noise_curve(family, "white")
    assert list(frame["value"]) == [20, 10, 0] and frame["uar"].is_monotonic_decreasing
    assert (frame["uar_low"] < frame["uar"]).all() and (frame["uar"] < frame["uar_high"]).all()
    assert robustness.noise_curve(family, "babble").empty and robustness.half_performance_snr(family, "babble") is None
    place = robustness.half_performance_snr(family, "white")
    chance = family["clean"].chance
    half = chance + (family["clean"].scores["uar"] - chance) / 2
    assert (
        f"white:0 leaves {100 * robustness.retained_performance(family)['white:0']:.0f} %"
        in robustness.robustness_sentence(family)
    )
    assert f"lost under white at {place:.0f} dB." in robustness.robustness_sentence(family)
    assert np.interp(place, [0, 10, 20], frame["uar"][::-1]) == pytest.approx(half)
    weak = {name: one for name, one in family.items() if name != "white:20"} | {"white:10": family["white:0"]}
    assert "lost under white at 10 dB already." in robustness.robustness_sentence(weak), (
        "even the weakest noise is too much"
    )
    strong = {name: one for name, one in family.items() if name in ("clean", "white:20")}
    assert robustness.half_performance_text(strong, "white") == "", "no measured noise"


def test_the_table_of_conditions(noisy):
    rows, folder = noisy
    (family,) = robustness.group_by_system(rows, folder)
    numbers = robustness.robustness_table(family, folder)
    assert numbers["difference"].isna().tolist() == [True] + [False] * 5
    table = robustness.format_robustness(numbers)
    assert list(table["condition"]) == list(family)
    assert table["against clean, UAR points [95 %]"].iloc[0] == "–"
    assert numbers["overconfidence"].iloc[3] > numbers["overconfidence"].iloc[0]


def test_conditions_stand_in_their_order():
    shuffled = ["mine", "codec:mp3:16", "white:0", "clean", "white:20"]
    assert robustness.sort_conditions(shuffled) == ["clean", "white:20", "white:0", "codec:mp3:16", "mine"]
    assert set(robustness.UNITS) <= set(degradation.CONDITIONS)
