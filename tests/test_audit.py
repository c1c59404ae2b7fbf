"""The arithmetic of printed figures against brute force, hand-worked cases and Keras; the claims of the paper."""

import itertools
import json
import math
import re
from decimal import Decimal

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import special, stats
from sklearn import metrics as sk

from ser_core import cli, corpora, metrics, models
from ser_core._utils.errors import SerError
from ser_core.claims import audit, checks, claim_file, consistency, paper
from ser_core.figures.audit import attention_against_time, possible_shares, printed_f1

D = Decimal


@pytest.fixture(scope="module")
def results():
    return {result.id: result for result in audit.check_claims()[1]}


def claims_file(folder, claim, *, head='title = "t"\nsource = "s"\n', name="claims.toml"):
    path = folder / name
    path.write_text(head + claim)
    return path


def one(folder, check, **fields):
    """The verdict on one claim written by hand; values stand as TOML."""
    lines = "".join(f"{name} = {value}\n" for name, value in fields.items())
    text = f'[[claim]]\nid = "x"\nwhere = "here"\nclaim = "c"\ncheck = "{check}"\n{lines}'
    (result,) = audit.check_claims(claims_file(folder, text))[1]
    return result


# Shares of counts


@pytest.mark.parametrize("percent", ["91.74", "98.10", "50.0", "0.00", "100", "33", "99.89", "12.5"])
def test_counts_are_those_that_print_so(percent):
    """Every k of every n, printed by Python's own formatting, which rounds ties to even."""
    digits = len(percent.partition(".")[2])
    for n in range(1, 260):
        said = set(consistency.matching_counts(D(percent), n))
        for k in range(n + 1):
            tie = (100 * k * 10**digits * 2) % n == 0 and (200 * k * 10**digits // n) % 2 == 1
            if tie:  # both neighbours may be printed
                continue
            assert (k in said) == (f"{100 * k / n:.{digits}f}" == percent), (k, n)


def test_a_tie_allows_both_neighbours():
    assert list(consistency.matching_counts(D("12"), 8)) == [1] == list(consistency.matching_counts(D("13"), 8))  # 12.5


@pytest.mark.parametrize("percent", ["91.74", "99.89", "7.5"])
def test_cut_off_counts_by_brute_force(percent):
    digits = len(percent.partition(".")[2])
    for n in range(1, 400):
        cut = [k for k in range(n + 1) if 100 * k * 10**digits // n == int(percent.replace(".", ""))]
        assert list(consistency.matching_counts(D(percent), n, cut=True)) == cut


@pytest.mark.parametrize(("percent", "least"), [("99.89", 870), ("91.74", 109), ("33.3", 3), ("50", 2), ("0.00", 1)])
def test_smallest_n(percent, least):
    digits = len(percent.partition(".")[2])
    prints = lambda n: any(f"{100 * k / n:.{digits}f}" == percent for k in range(n + 1))  # noqa: E731
    assert consistency.smallest_denominator(D(percent)) == least
    assert prints(least) and not any(prints(n) for n in range(1, least))


def test_no_test_set_of_whole_actors_gives_the_papers_accuracies():
    """By brute force over every k of every n, apart from the code."""
    actors = [60 * a for a in range(1, 22)] + [1440 * p // 100 for p in (10, 15, 20, 25, 30)]
    assert not any(f"{100 * k / n:.2f}" == "91.74" for n in actors for k in range(n + 1))
    both = [1400 + 52 * a for a in range(23)] + [
        n for p in (10, 15, 20) for n in (4048 * p // 100, 4048 * p // 100 + 1)
    ]
    assert not any(f"{100 * k / n:.2f}" == "98.10" for n in both for k in range(n + 1))


def test_sizes_and_the_nearest_share():
    assert consistency.sizes_of_whole_speakers(52, 2, fewest=0, plus=1400) == [1400, 1452, 1504]
    assert consistency.sizes_of_shares(4048, [10, 15, 25]) == [404, 405, 607, 608, 1012]
    k, n = consistency.nearest_fraction(D("91.74"), [60, 240])
    assert min(abs(D(i) / m - D("0.9174")) for m in (60, 240) for i in range(m + 1)) == abs(D(k) / n - D("0.9174"))


@pytest.mark.parametrize(
    ("value", "printed", "text"),
    [(469257, "240840", "469,257"), (0.003, "0.048", "0.003"), (86.2138, "95.13", "86.21"), (2.5, "12", "3"),
     (D("98.1"), "98.10", "98.10")],
)  # fmt: skip
def test_computed_values_carry_the_printed_decimals(value, printed, text):
    assert consistency.format_like(value, D(printed)) == text


# Scores


@pytest.mark.parametrize("seed", range(4))
def test_f1_of_a_real_confusion_never_is_impossible(seed, tmp_path):
    """What scikit-learn computes and rounds must pass; moved by 0.02 it must not."""
    random = np.random.default_rng(seed)
    truth, guess = random.integers(0, 5, 300), random.integers(0, 5, 300)
    guess = np.where(random.random(300) < 0.6, truth, guess)
    for values in zip(*sk.precision_recall_fscore_support(truth, guess)[:3]):
        p, r, f = (f"{100 * value:.2f}" for value in values)
        low, high = consistency.f1_range(D(p), D(r))
        assert float(low) - 0.005 <= float(f) <= float(high) + 0.005
        assert one(tmp_path, "f1", precision=p, recall=r, f1=f).verdict == checks.HOLDS
        assert one(tmp_path, "f1_between", precision=p, recall=r, f1=f).verdict == checks.HOLDS
        moved = f"{float(f) + 0.03:.2f}"
        assert one(tmp_path, "f1", precision=p, recall=r, f1=moved).verdict == checks.IMPOSSIBLE


def test_f1_range_holds_every_f1_of_what_rounds_to_the_printed():
    p, r = D("92.4"), D("87.8")
    grid = [D(i) / 1000 for i in range(-50, 51)]
    values = [consistency.f1(p + a, r + b) for a, b in itertools.product(grid[::5], grid[::5])]
    assert consistency.f1_range(p, r) == (min(values), max(values))
    assert consistency.f1(D(0), D(0)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_no_recalls_give_less_than_the_least_accuracy(seed):
    """Against linear programming: the accuracy is lowest over all recalls of the same mean."""
    from scipy.optimize import linprog

    random = np.random.default_rng(seed)
    supports = random.integers(5, 200, 6)
    for recall in (0.2, 0.5, 0.9002):
        solved = linprog(supports / supports.sum(), A_eq=[np.ones(6)], b_eq=[6 * recall], bounds=[(0, 1)] * 6)
        assert consistency.minimum_accuracy(recall, list(supports)) == pytest.approx(solved.fun)


def test_least_accuracy_by_hand():
    # eight classes, recalls sum to 7.2016, so 0.7984 of one class of 192 is lost: 153.3 of 1,440
    assert consistency.minimum_accuracy(0.9002, [96, *[192] * 7]) == pytest.approx(1 - 0.7984 * 192 / 1440)


def test_sign_test_is_scipys_binomial_test():
    for clips in range(1, 12):
        assert consistency.sign_test(clips) == pytest.approx(stats.binomtest(clips, clips).pvalue)


@pytest.mark.parametrize("classes", [2, 7, 8])
def test_accuracy_as_printed_is_the_mean_of_one_against_rest(classes):
    random = np.random.default_rng(classes)
    names = [f"c{i}" for i in range(classes)]
    truth, guess = random.choice(names, 150), random.choice(names, 150)
    each = [sk.accuracy_score(truth == name, guess == name) for name in names]  # (TP + TN) / all
    matrix = metrics.confusion(truth, guess, names)
    assert metrics.one_vs_rest_accuracy(matrix) == pytest.approx(np.mean(each))
    again = metrics.accuracy_from_one_vs_rest(metrics.one_vs_rest_accuracy(matrix), classes)
    assert again == pytest.approx(sk.accuracy_score(truth, guess))


def test_what_accuracy_as_printed_makes_of_the_claims():
    assert f"{100 * metrics.accuracy_from_one_vs_rest(0.9174, 8):.2f}" == "66.96"
    assert f"{100 * metrics.accuracy_from_one_vs_rest(0.9810, 7):.2f}" == "93.35"
    assert math.isnan(metrics.one_vs_rest_accuracy(np.zeros((3, 3))))


# Attention and parameters


def test_weight_bounds_are_reached_and_never_passed():
    low, high = consistency.attention_weight_bounds(50)
    assert (f"{low:.4f}", f"{high:.3f}") == ("0.0028", "0.131")
    lone = np.full(50, 1.0)
    lone[7] = -1.0
    assert special.softmax(lone)[7] == pytest.approx(low) and special.softmax(-lone)[7] == pytest.approx(high)
    drawn = special.softmax(np.tanh(np.random.default_rng(0).normal(0, 5, (500, 50))), axis=1)
    assert drawn.min() >= low and drawn.max() <= high


def test_least_mass_is_that_of_scores_at_both_ends():
    scores = np.where(np.arange(50) < 20, -1.0, 1.0)
    assert consistency.minimum_attention(0.4) == pytest.approx(special.softmax(scores)[:20].sum())
    assert consistency.minimum_attention(0) == 0 and consistency.minimum_attention(1) == 1


def layers_of(claim):
    (found,) = [one for one in claim_file.load_claims().claims if one.id == claim]
    return found.fields["layers"]


@pytest.mark.parametrize(
    ("claim", "model"),
    [("parameters", "cnn_bilstm_attention"), ("parameters-separable", "cnn_bilstm_attention_lite")],
)
@pytest.mark.parametrize("channels", [14, 40, 42])
def test_formulas_count_what_keras_builds(claim, model, channels):
    counted, _ = consistency.count_parameters(layers_of(claim), channels, 400)
    assert counted == models.count_parameters(models.build(model, (400, channels), 8))


def test_every_reading_of_the_layer_table():
    table = {14: (463_881, 540_233, 537_161), 40: (468_873, 545_225, 542_153), 42: (469_257, 545_609, 542_537)}
    for channels, wanted in table.items():
        ways = ((True, True), (False, True), (False, False))
        found = [
            consistency.count_parameters(layers_of("parameters"), channels, 400, shared=s, same=p)[0] for s, p in ways
        ]
        assert tuple(found) == wanted


def test_unshared_prelu_and_valid_padding_as_keras_counts_them():
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


def test_conv2d_and_encoder_as_keras_counts_them():
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


# The paper


def test_the_file_prints_what_paper_py_prints():
    tables = claim_file.load_claims().claims[0].tables
    for number in ("II", "III", "IV", "V", "VI"):
        for ours, theirs in zip(tables[number]["rows"], paper.table(number), strict=True):
            for column, value in ours.items():
                if column in theirs and not isinstance(value, str):
                    assert float(value) == theirs[column], (number, column)
    speed = [(row["latency_ms"], row["throughput"], float(row["rtf"])) for row in tables["speed"]["rows"]]
    assert speed == [(row["latency_ms"], row["throughput"], row["rtf"]) for row in paper.SPEED]


@pytest.mark.parametrize(
    ("name", "printed", "computed", "verdict"),
    [
        ("parameters", "240,840", "469,257", "contradicted"),
        ("parameters-separable", "240,840", "241,097", "contradicted"),
        ("parameters-lstm-attention", "200,969", "200,969", "holds"),
        ("parameters-parallel", "395,176", "395,176", "holds"),
        ("smallest", "240,840", "200,969", "contradicted"),
        ("table3-f1-angry", "98.88", "98.31", "impossible"),
        ("table3-f1-disgust", "95.98", "95.59", "impossible"),
        ("table3-f1-fearful", "91.88", "92.19", "impossible"),
        ("table3-f1-happy", "89.54", "90.03", "impossible"),
        ("table3-f1-neutral", "90.65", "90.59", "impossible"),
        ("table3-f1-sad", "95.13", "86.21", "impossible"),
        ("table3-f1-surprised", "90.43", "90.84", "impossible"),
        ("table3-f1-calm", "93.70", "92.95", "impossible"),
        ("table3-between-sad", "95.13", "85.89 to 86.54", "impossible"),
        ("macro-f1", "97.98", "97.98", "cannot be checked"),
        ("table3-mean-precision", "97.95", "92.06", "impossible"),
        ("table3-labels", "8 classes", "7 classes", "contradicted"),
        ("best-classes", "Angry and Fearful best", "Angry: place 1, Fearful: place 5", "contradicted"),
        ("angry-recall-ravdess", "99.89", "870", "impossible"),
        ("ravdess-accuracy", "91.74", "91.75", "impossible"),
        ("ravtess-accuracy", "98.10", "98.11", "impossible"),
        ("lstm-attention-recall", "60.44", "89.35", "impossible"),
        ("ravdess-accuracy-as-printed", "91.74", "66.96", "cannot be checked"),
        ("ravtess-accuracy-as-printed", "98.10", "93.35", "cannot be checked"),
        ("attention-gain", "+1.53 points", "3.7 clips of 240", "cannot be checked"),
        ("rtf-gpu", "0.048", "0.003", "contradicted"),
        ("rtf-cpu", "0.192", "0.012", "contradicted"),
        ("length-gpu", "4 s", "0.25 s", "contradicted"),
        ("latency-twice", "two measurements", "the same in 5 of 5 rows", "cannot be checked"),
        ("attention-silence", "suppresses silent regions", "0.0028 to 0.131", "contradicted"),
        ("tess-speakers", "3 sides", "2 sides", "impossible"),
        ("padding-ravdess", "padded to 400 frames", "255 of 1,440 cut", "contradicted"),
        ("learning-rate", "0.001", "0.0001", "contradicted"),
        ("count-tess", "2,800", "2,800", "holds"),
    ],
)
def test_the_papers_claims(results, name, printed, computed, verdict):
    found = results[name]
    assert (found.printed, found.verdict) == (printed, verdict)
    assert found.computed.startswith(computed)


def test_255_recordings_of_ravdess_are_longer_than_the_input(real_data):
    import soundfile

    paths = corpora.load("ravdess")["path"]
    lengths = [(info.frames, info.samplerate) for info in map(soundfile.info, paths)]
    assert sum(frames > 4 * rate for frames, rate in lengths) == 255


def test_every_result_is_complete_and_every_check_is_used(results):
    assert len(results) >= 15
    for result in results.values():
        assert result.verdict in checks.VERDICTS and result.printed and result.why.endswith(".")
    used = {result.check for result in results.values()}
    used |= {result.check for result in audit.check_claims(claim_file.CONSTRUCTED)[1]}
    assert used == set(checks.CHECKS)
    assert sum(audit.count_verdicts(list(results.values())).values()) == len(results)


# Any other file


def test_the_constructed_table_is_found_wrong_where_it_is_wrong():
    claims, found = audit.check_claims(claim_file.CONSTRUCTED)
    assert claims.constructed and "constructed" in audit.format_results(claims, found)
    wrong = {result.id for result in found if result.verdict != checks.HOLDS}
    assert wrong == {r.id for r in found if r.id.endswith("wrong")} | {"f1-sad", "between-sad"}
    matrix = np.array([[50, 4, 3, 3], [5, 48, 4, 3], [2, 6, 49, 3], [4, 2, 1, 53]])
    each = metrics.class_scores(matrix)
    for place, row in enumerate(claims.claims[0].tables["1"]["rows"]):
        for column in ("precision", "recall", "f1"):
            printed = consistency.format_like(100 * each[column][place], D("0.00"))
            assert (str(row[column]) == printed) or (row["emotion"], column) == ("Sad", "f1")


def test_json_and_toml_say_the_same(tmp_path):
    import tomllib

    numbers = {}
    content = tomllib.loads(
        claim_file.CONSTRUCTED.read_text(),
        parse_float=lambda text: numbers.setdefault(f"#{text}#", text) and f"#{text}#",
    )
    (tmp_path / "c.json").write_text(re.sub(r'"#([\d.]+)#"', r"\1", json.dumps(content)))
    assert audit.check_claims(tmp_path / "c.json")[1] == audit.check_claims(claim_file.CONSTRUCTED)[1]


def test_checks_hold_where_the_figures_agree(tmp_path):
    verdict = lambda *a, **k: one(tmp_path, *a, **k).verdict  # noqa: E731
    assert verdict("rtf", rtf="0.003", latency_ms=12, seconds=4) == checks.HOLDS
    assert verdict("implied_length", rtf="0.003", latency_ms=12, seconds=4) == checks.HOLDS
    assert verdict("speakers", speakers=24) == checks.HOLDS
    assert verdict("smallest_support", printed=99.48, largest=192) == checks.HOLDS  # 191 of 192
    assert verdict("smallest_support", printed=99.89, largest=869) == checks.IMPOSSIBLE
    assert verdict("fraction", printed=91.67, tests="[{ each = 60, to = 4 }]") == checks.HOLDS
    assert verdict("attention_bounds", printed='"p"', frames=400, pools="[8]", low=-20, high=20) == checks.HOLDS
    assert verdict("truncation", printed='"p"', corpus='"ravdess"', frames=528, hop_ms=10) == checks.HOLDS
    assert verdict("truncation", printed='"p"', corpus='"cremad"', frames=528, hop_ms=10) == checks.OPEN
    assert verdict("twice", first=1, first_where='"a"', second=1, second_where='"b"') == checks.HOLDS


TABLE = '[table.T]\ncolumns = ["name", "a"]\nrows = [["x", 1], ["y", 2]]\n'
CLAIM = '[[claim]]\nid = "i"\nwhere = "w"\nclaim = "c"\n'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no claims"),
        ("claim = 3", "no claims"),
        ("[[claim]]\nid = 3", "id"),
        ('[[claim]]\nid = "i"\nclaim = "c"\ncheck = "f1"', "where"),
        ("= nonsense", "not TOML"),
        ("more = 1\n" + CLAIM + 'check = "f1"', "more"),
        (CLAIM + 'check = "nothing"', "nothing"),
        (CLAIM + 'check = "f1"', "precision is missing"),
        (CLAIM + 'check = "f1"\nprecision = "high"\nrecall = 1\nf1 = 1', "'high'"),
        (CLAIM + 'check = "f1"\nprecision = 101\nrecall = 1\nf1 = 1', "101"),
        (CLAIM + 'check = "f1"\nprecision = nan\nrecall = 1\nf1 = 1', "NaN"),
        (CLAIM + 'check = "f1"\nprecision = 1.123456\nrecall = 1\nf1 = 1', "decimals"),
        (CLAIM + 'check = "f1"\nprecision = 1\nrecall = 1\nf1 = 1\nrecal = 2', "recal"),
        (CLAIM + 'check = "rtf"\nrtf = 0\nlatency_ms = 1\nseconds = 1', "above 0"),
        (CLAIM + 'check = "parameters"\nprinted = 1\nlayers = ["conv9 1"]', "conv9"),
        (CLAIM + 'check = "parameters"\nprinted = 1\nlayers = []', "layers"),
        (CLAIM + 'check = "fraction"\nprinted = 1\ntests = [{ each = 60 }]', "each"),
        (CLAIM + 'check = "fraction"\nprinted = 1\ntests = [{ sizes = [0] }]', "no test set"),
        (CLAIM + 'check = "count"\nprinted = 1\ncorpus = "nowhere"', "nowhere"),
        (CLAIM + 'check = "rank"\ntable = "U"\ncolumn = "a"\nbest = ["x"]\n' + TABLE, "'U'"),
        (CLAIM + 'check = "rank"\ntable = "T"\ncolumn = "b"\nbest = ["x"]\n' + TABLE, "'b'"),
        (CLAIM + 'check = "rank"\ntable = "T"\ncolumn = "a"\nbest = ["z"]\n' + TABLE, "'z'"),
        (CLAIM + 'check = "f1"\neach_row_of = "U"\n' + TABLE, "'U'"),
        (CLAIM + 'check = "f1"\neach_row_of = "T"\nrows = ["z"]\n' + TABLE, "rows"),
        ('[table.T]\ncolumns = ["n"]\nrows = [[1, 2]]\n' + CLAIM + 'check = "f1"', "columns"),
        (2 * (CLAIM + 'check = "speakers"\nspeakers = 3\n'), "twice"),
    ],
)
def test_a_malformed_file_is_one_line_and_exit_code_1(tmp_path, text, word):
    head = "" if text.startswith(("=", "claim")) else 'title = "t"\nsource = "s"\n'
    result = CliRunner().invoke(cli.main, ["audit", str(claims_file(tmp_path, text, head=head)), "--json"])
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("ser: ") and result.stderr.count("\n") == 1 and word in result.stderr


def test_files_that_are_no_text_or_are_not_there(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere.toml", tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(SerError, match="cannot be read"):
            audit.check_claims(path)
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(SerError, match="no claims"):
        audit.check_claims(tmp_path / "list.json")


def test_ser_audit():
    shown = CliRunner().invoke(cli.main, ["audit", "--json"])
    rows = json.loads(shown.stdout)
    assert shown.exit_code == 0 and shown.stdout.count("\n") == 1
    assert len(rows) >= 15 and len({row["id"] for row in rows}) == len(rows)
    assert {"id", "where", "claim", "printed", "computed", "verdict", "why"} <= set(rows[0])
    told = CliRunner().invoke(cli.main, ["audit", str(claim_file.CONSTRUCTED)])
    assert told.exit_code == 0 and "claims checked" in told.stdout


def test_the_docs_explain_every_check_and_their_example_runs(tmp_path):
    from ser_core._utils import paths

    page = (paths.root() / "docs" / "claims.md").read_text(encoding="utf-8")
    named = {
        name for line in re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    }
    assert named == set(checks.CHECKS)
    (tmp_path / "example.toml").write_text(re.search(r"```toml\n(.*?)```", page, flags=re.DOTALL)[1])
    found = {result.id: result.verdict for result in audit.check_claims(tmp_path / "example.toml")[1]}
    assert found == {"f1-angry": checks.HOLDS, "f1-sad": checks.IMPOSSIBLE, "accuracy": checks.IMPOSSIBLE}


def test_figures_show_what_they_are_given():
    rows = claim_file.load_claims().claims[0].tables["III"]["rows"]
    (axes,) = printed_f1(rows, "emotion").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [row["emotion"] for row in rows]
    (axes,) = possible_shares(D("91.74"), 60, 21).axes
    assert any("met by no whole number" in text.get_text() for text in axes.texts)
    (axes,) = possible_shares(D("90.00"), 60, 4).axes
    assert any("met by 1, 2, 3, 4 actors" in text.get_text() for text in axes.texts)
    assert attention_against_time().axes
