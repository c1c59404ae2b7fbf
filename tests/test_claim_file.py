"""Claim files in TOML and JSON: what they contain, and one-line errors for malformed ones."""

import json
import re

import made_claims
import pytest
from click.testing import CliRunner

from ser_core import cli
from ser_core._utils.errors import SerError
from ser_core.claims import audit, claim_file, paper


def test_the_claim_file_has_the_figures_of_the_paper_module():
    tables = claim_file.load_claims().claims[0].tables
    for number in ("II", "III", "IV", "V", "VI"):
        for ours, theirs in zip(tables[number]["rows"], paper.table(number), strict=True):
            for column, value in ours.items():
                if column in theirs and not isinstance(value, str):
                    assert float(value) == theirs[column], (number, column)
    speed = [(row["latency_ms"], row["throughput"], float(row["rtf"])) for row in tables["speed"]["rows"]]
    assert speed == [(row["latency_ms"], row["throughput"], row["rtf"]) for row in paper.SPEED]


def test_json_and_toml_give_the_same_results(tmp_path):
    import tomllib

    numbers = {}
    content = tomllib.loads(
        claim_file.CONSTRUCTED.read_text(),
        parse_float=lambda text: numbers.setdefault(f"#{text}#", text) and f"#{text}#",
    )
    (tmp_path / "c.json").write_text(re.sub(r'"#([\d.]+)#"', r"\1", json.dumps(content)))
    assert audit.check_claims(tmp_path / "c.json")[1] == audit.check_claims(claim_file.CONSTRUCTED)[1]


TABLE = '[table.T]\ncolumns = ["name", "a"]\nrows = [["x", 1], ["y", 2]]\n'
CLAIM = '[[claim]]\nid = "i"\nwhere = "w"\nclaim = "c"\n'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no claims"),
        ("claim = 3", "no claims"),
        ("[[claim]]\nid = 3", "id"),
        ('[[claim]]\nid = "i"\nclaim = "c"\ncheck = "f1"', "where"),
        ("= nonsense", "not valid TOML"),
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
        ('[table.T]\ncolumns = ["n"]\nrows = [[1, 2]]\n' + CLAIM + 'check = "f1"', "1 column, but a row of 2 values"),
        (2 * (CLAIM + 'check = "speakers"\nspeakers = 3\n'), "twice"),
    ],
)
def test_a_malformed_file_gives_a_one_line_error_and_exit_code_1(tmp_path, text, word):
    head = "" if text.startswith(("=", "claim")) else 'title = "t"\nsource = "s"\n'
    result = CliRunner().invoke(cli.main, ["audit", str(made_claims.claims_file(tmp_path, text, head=head)), "--json"])
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("ser: ") and result.stderr.count("\n") == 1 and word in result.stderr


def test_missing_files_and_files_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere.toml", tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(SerError, match="cannot be read"):
            audit.check_claims(path)
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(SerError, match="no claims"):
        audit.check_claims(tmp_path / "list.json")
