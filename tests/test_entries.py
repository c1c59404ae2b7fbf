"""Files of the feature cache: what is written is read, what is damaged is not, and matrices stay within their space."""

import os

import numpy as np
import pytest

from ser_core.features import entries


@pytest.fixture
def matrix():
    return np.random.default_rng(0).random((40, 400, 42), dtype=np.float32)


def test_a_matrix_is_read_as_written(tmp_path, matrix):
    path = tmp_path / "inputs" / "a.bin"
    entries.write_matrix(path, matrix, 2**30)
    read = entries.read_matrix(path, matrix.shape)
    assert read.tobytes() == matrix.tobytes() and read.flags.writeable
    assert entries.read_matrix(path, (40, 42, 401)) is None and entries.read_matrix(tmp_path / "b.bin", (1,)) is None


@pytest.mark.parametrize("place", [0, 31, 32, 2**21 + 40, -1])
def test_a_changed_byte_is_noticed(tmp_path, matrix, place):
    path = tmp_path / "a.bin"
    entries.write_matrix(path, matrix, 2**30)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert entries.read_matrix(path, matrix.shape) is None


def test_a_shorter_file_is_noticed(tmp_path, matrix):
    path = tmp_path / "a.bin"
    entries.write_matrix(path, matrix, 2**30)
    for size in (0, 10, 32, 1_000):
        os.truncate(path, size)
        assert entries.read_matrix(path, matrix.shape) is None


def test_what_was_not_used_for_longest_makes_room(tmp_path, matrix):
    most = 3 * matrix.nbytes + 1_000
    for number, name in enumerate("abc"):
        entries.write_matrix(tmp_path / name, matrix, most)
        os.utime(tmp_path / name, ns=(number * 10**9, number * 10**9))
    assert entries.read_matrix(tmp_path / "a", matrix.shape) is not None  # used now
    entries.write_matrix(tmp_path / "d", matrix, most)
    assert sorted(os.listdir(tmp_path)) == ["a", "c", "d"]
