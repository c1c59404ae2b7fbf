"""Counts with their nouns, and the names that a wrong one is near to."""

import re
from pathlib import Path

import pytest

from ser_core._utils import words


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")])
def test_one_is_singular_and_every_other_number_plural(number, text):
    assert words.counted(number, "file") == text


def test_an_irregular_plural_is_given():
    assert words.counted(1, "copy", "copies") == "1 copy" and words.counted(2, "copy", "copies") == "2 copies"


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("swm", "svm"),
        ("SVM", "svm"),
        ("egemaps", "svm_egemaps"),  # a part of the name
        ("Support", "svm"),  # a part of the title
        ("nosuch", ""),
        ("", ""),
    ],
)
def test_near_names(wrong, found):
    answer = words.near(wrong, ["svm", "svm_egemaps", "a1"], {"svm": "Support vector machine"})
    assert answer.startswith("; did you mean ") == bool(found) and found in answer


def test_what_is_near_to_many_names_is_near_to_none():
    assert words.near("model", [f"model{number}" for number in range(9)]) == ""


def test_messages_of_the_command_line_have_no_count_before_a_plain_plural():
    """A count in a message goes through ``counted``: "1 other files" was printed."""
    count = re.compile(
        r"\{(len\([^}]*\)|[a-z_.]*\[.(utterances|speakers|recordings|folds|frames).\])(:,)?\} ([a-z]+ )?[a-z]+s\b"
    )
    folder = Path(words.__file__).parents[1] / "cli"
    found = [f"{path.name}: {match[0]}" for path in folder.glob("*.py") for match in count.finditer(path.read_text())]
    assert not found
