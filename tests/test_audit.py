"""Verdicts on the claims of the paper and of a constructed table; ``ser audit`` and its figures."""

import json
from decimal import Decimal

import numpy as np
import pytest
from click.testing import CliRunner

from ser_core import cli, corpora, metrics
from ser_core.claims import audit, checks, claim_file, consistency
from ser_core.figures.audit import attention_against_time, possible_shares, printed_f1

D = Decimal


@pytest.fixture(scope="module")
def results():
    return {result.id: result for result in audit.check_claims()[1]}


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
        ("tess-speakers", "3 subsets", "2 subsets", "impossible"),
        ("padding-ravdess", "padded to 400 frames", "255 of 1,440 cut", "contradicted"),
        ("learning-rate", "0.001", "0.0001", "contradicted"),
        ("count-tess", "2,800", "2,800", "holds"),
    ],
)
def test_verdicts_on_the_claims_of_the_paper(results, name, printed, computed, verdict):
    result = results[name]
    assert (result.printed, result.verdict) == (printed, verdict)
    assert result.computed.startswith(computed)


def test_255_recordings_of_ravdess_are_longer_than_the_input(real_data):
    import soundfile

    paths = corpora.load("ravdess")["path"]
    lengths = [(info.frames, info.samplerate) for info in map(soundfile.info, paths)]
    assert sum(frames > 4 * rate for frames, rate in lengths) == 255


def test_planted_errors_of_the_constructed_table_are_detected():
    claims, results = audit.check_claims(claim_file.CONSTRUCTED)
    assert claims.constructed and "constructed" in audit.format_results(claims, results)
    wrong = {result.id for result in results if result.verdict != checks.HOLDS}
    assert wrong == {result.id for result in results if result.id.endswith("wrong")} | {"f1-sad", "between-sad"}
    matrix = np.array([[50, 4, 3, 3], [5, 48, 4, 3], [2, 6, 49, 3], [4, 2, 1, 53]])
    each = metrics.class_scores(matrix)
    for place, row in enumerate(claims.claims[0].tables["1"]["rows"]):
        for column in ("precision", "recall", "f1"):
            printed = consistency.format_like(100 * each[column][place], D("0.00"))
            assert (str(row[column]) == printed) or (row["emotion"], column) == ("Sad", "f1")


def test_ser_audit_prints_json_and_lines():
    shown = CliRunner().invoke(cli.main, ["audit", "--json"])
    rows = json.loads(shown.stdout)
    assert shown.exit_code == 0 and shown.stdout.count("\n") == 1
    assert len(rows) >= 15 and len({row["id"] for row in rows}) == len(rows)
    assert {"id", "where", "claim", "printed", "computed", "verdict", "why"} <= set(rows[0])
    lines = CliRunner().invoke(cli.main, ["audit", str(claim_file.CONSTRUCTED)])
    assert lines.exit_code == 0 and "claims checked" in lines.stdout


def test_figures_show_their_data():
    rows = claim_file.load_claims().claims[0].tables["III"]["rows"]
    (axes,) = printed_f1(rows, "emotion").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [row["emotion"] for row in rows]
    (axes,) = possible_shares(D("91.74"), 60, 21).axes
    assert any("possible with no whole number" in text.get_text() for text in axes.texts)
    (axes,) = possible_shares(D("90.00"), 60, 4).axes
    assert any("possible with 1, 2, 3, 4 actors" in text.get_text() for text in axes.texts)
    assert attention_against_time().axes
