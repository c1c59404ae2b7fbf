"""Arithmetic of printed figures, against brute force, cases by hand, scipy and Keras."""

import itertools
from decimal import Decimal

import numpy as np
import pytest
from scipy import special, stats

from ser_core import models
from ser_core.claims import claim_file, consistency

D = Decimal

# Percentages of whole counts


@pytest.mark.parametrize("percent", ["91.74", "98.10", "50.0", "0.00", "100", "33", "99.89", "12.5"])
def test_matching_counts_agree_with_python_formatting(percent):
    """Every k of every n, printed by Python's own formatting, which rounds ties to even."""
    digits = len(percent.partition(".")[2])
    for n in range(1, 260):
        counts = set(consistency.matching_counts(D(percent), n))
        for k in range(n + 1):
            tie = (100 * k * 10**digits * 2) % n == 0 and (200 * k * 10**digits // n) % 2 == 1
            if tie:  # both neighbours may be printed
                continue
            assert (k in counts) == (f"{100 * k / n:.{digits}f}" == percent), (k, n)


def test_a_tie_allows_both_neighbours():
    assert list(consistency.matching_counts(D("12"), 8)) == [1] == list(consistency.matching_counts(D("13"), 8))  # 12.5


@pytest.mark.parametrize("percent", ["91.74", "99.89", "7.5"])
def test_cut_off_counts_agree_with_brute_force(percent):
    digits = len(percent.partition(".")[2])
    for n in range(1, 400):
        cut = [k for k in range(n + 1) if 100 * k * 10**digits // n == int(percent.replace(".", ""))]
        assert list(consistency.matching_counts(D(percent), n, cut=True)) == cut


@pytest.mark.parametrize(("percent", "least"), [("99.89", 870), ("91.74", 109), ("33.3", 3), ("50", 2), ("0.00", 1)])
def test_smallest_denominator_agrees_with_brute_force(percent, least):
    digits = len(percent.partition(".")[2])
    prints = lambda n: any(f"{100 * k / n:.{digits}f}" == percent for k in range(n + 1))  # noqa: E731
    assert consistency.smallest_denominator(D(percent)) == least
    assert prints(least) and not any(prints(n) for n in range(1, least))


def test_no_test_set_of_whole_actors_gives_the_accuracies_of_the_paper():
    """By brute force over every k of every n, without the code under test."""
    actors = [60 * a for a in range(1, 22)] + [1440 * p // 100 for p in (10, 15, 20, 25, 30)]
    assert not any(f"{100 * k / n:.2f}" == "91.74" for n in actors for k in range(n + 1))
    both = [1400 + 52 * a for a in range(23)] + [
        n for p in (10, 15, 20) for n in (4048 * p // 100, 4048 * p // 100 + 1)
    ]
    assert not any(f"{100 * k / n:.2f}" == "98.10" for n in both for k in range(n + 1))


def test_test_set_sizes_and_the_nearest_fraction():
    assert consistency.sizes_of_whole_speakers(52, 2, fewest=0, plus=1400) == [1400, 1452, 1504]
    assert consistency.sizes_of_shares(4048, [10, 15, 25]) == [404, 405, 607, 608, 1012]
    k, n = consistency.nearest_fraction(D("91.74"), [60, 240])
    assert min(abs(D(i) / m - D("0.9174")) for m in (60, 240) for i in range(m + 1)) == abs(D(k) / n - D("0.9174"))


@pytest.mark.parametrize(
    ("value", "printed", "text"),
    [(469257, "240840", "469,257"), (0.003, "0.048", "0.003"), (86.2138, "95.13", "86.21"), (2.5, "12", "3"),
     (D("98.1"), "98.10", "98.10")],
)  # fmt: skip
def test_computed_values_have_the_printed_decimals(value, printed, text):
    assert consistency.format_like(value, D(printed)) == text


# Scores


def test_f1_range_contains_the_f1_of_all_values_that_round_to_the_printed_ones():
    p, r = D("92.4"), D("87.8")
    grid = [D(i) / 1000 for i in range(-50, 51)]
    values = [consistency.f1(p + a, r + b) for a, b in itertools.product(grid[::5], grid[::5])]
    assert consistency.f1_range(p, r) == (min(values), max(values))
    assert consistency.f1(D(0), D(0)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_minimum_accuracy_agrees_with_linear_programming(seed):
    """Against linear programming: the accuracy is lowest over all recalls of the same mean."""
    from scipy.optimize import linprog

    random = np.random.default_rng(seed)
    supports = random.integers(5, 200, 6)
    for recall in (0.2, 0.5, 0.9002):
        solved = linprog(supports / supports.sum(), A_eq=[np.ones(6)], b_eq=[6 * recall], bounds=[(0, 1)] * 6)
        assert consistency.minimum_accuracy(recall, list(supports)) == pytest.approx(solved.fun)


def test_minimum_accuracy_by_hand():
    # eight classes, recalls sum to 7.2016, so 0.7984 of one class of 192 is lost: 153.3 of 1,440
    assert consistency.minimum_accuracy(0.9002, [96, *[192] * 7]) == pytest.approx(1 - 0.7984 * 192 / 1440)


def test_sign_test_agrees_with_the_binomial_test_of_scipy():
    for clips in range(1, 12):
        assert consistency.sign_test(clips) == pytest.approx(stats.binomtest(clips, clips).pvalue)


# Attention


def test_attention_weight_bounds_are_reached_and_never_exceeded():
    low, high = consistency.attention_weight_bounds(50)
    assert (f"{low:.4f}", f"{high:.3f}") == ("0.0028", "0.131")
    lone = np.full(50, 1.0)
    lone[7] = -1.0
    assert special.softmax(lone)[7] == pytest.approx(low) and special.softmax(-lone)[7] == pytest.approx(high)
    drawn = special.softmax(np.tanh(np.random.default_rng(0).normal(0, 5, (500, 50))), axis=1)
    assert drawn.min() >= low and drawn.max() <= high


def test_minimum_attention_is_reached_by_scores_at_both_ends():
    scores = np.where(np.arange(50) < 20, -1.0, 1.0)
    assert consistency.minimum_attention(0.4) == pytest.approx(special.softmax(scores)[:20].sum())
    assert consistency.minimum_attention(0) == 0 and consistency.minimum_attention(1) == 1


# Parameters


def layers_of(claim):
    (match,) = [entry for entry in claim_file.load_claims().claims if entry.id == claim]
    return match.fields["layers"]


@pytest.mark.parametrize(
    ("claim", "model"),
    [("parameters", "cnn_bilstm_attention"), ("parameters-separable", "cnn_bilstm_attention_lite")],
)
@pytest.mark.parametrize("channels", [14, 40, 42])
def test_formulas_agree_with_the_networks_that_keras_builds(claim, model, channels):
    counted, _ = consistency.count_parameters(layers_of(claim), channels, 400)
    assert counted == models.count_parameters(models.build(model, (400, channels), 8))


def test_every_reading_of_the_layer_table():
    table = {14: (463_881, 540_233, 537_161), 40: (468_873, 545_225, 542_153), 42: (469_257, 545_609, 542_537)}
    for channels, wanted in table.items():
        ways = ((True, True), (False, True), (False, False))
        totals = [
            consistency.count_parameters(layers_of("parameters"), channels, 400, shared=s, same=p)[0] for s, p in ways
        ]
        assert tuple(totals) == wanted


def test_unshared_prelu_and_valid_padding_agree_with_keras():
    import keras
    from keras import layers

    inputs = keras.Input((100, 5))
    x = layers.PReLU()(layers.Conv1D(8, 3)(inputs))
    x = layers.PReLU()(layers.Conv1D(16, 5)(layers.MaxPooling1D(2)(x)))
    x = layers.LSTM(7)(layers.MaxPooling1D(2)(x))
    network = keras.Model(inputs, layers.Dense(4)(x))
    listed = ["conv1d 8 3", "prelu", "pool 2", "conv1d 16 5", "prelu", "pool 2", "lstm 7", "mean", "dense 4"]
    counted, _ = consistency.count_parameters(listed, 5, 100, shared=False, same=False)
    assert counted == network.count_params()


def test_conv2d_and_encoder_agree_with_keras():
    import keras
    from keras import layers

    from ser_core.models import blocks

    inputs = keras.Input((16, 24, 1))
    x = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(inputs))
    x = layers.Reshape((16 * 24, 6))(x)
    network = keras.Model(inputs, blocks.encoder(x, heads=2, width=20, dropout=0.0, name="e"))
    assert consistency.count_parameters(["conv2d 6 3", "batchnorm", "encoder 20"], 1, 1)[0] == models.count_parameters(
        network
    )


@pytest.mark.parametrize("layer", ["conv3d 3 3", "conv1d 3", "conv1d a 3", "dense 0", "", "dense -1", "lstm 1 2 3"])
def test_unknown_layers_are_named(layer):
    with pytest.raises(ValueError, match="not known"):
        consistency.count_parameters([layer or " "], 4, 10)
