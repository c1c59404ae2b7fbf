"""`make env` with a python, a pip and a uv that only write down what they are asked: when it installs what."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ser_core._utils import paths

TOOLS = ("sh", "cat", "cksum", "sed", "rm", "mkdir", "cp", "awk", "make")
PYTHON = """#!/bin/sh
echo "python{version} $*" >>"$LOG"
case "$1 $2" in
  "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip") case "$*" in *"${{PIP_FAILS:-nothing}}"*) exit 1 ;; esac ;;
  "-c "*) echo {version}; exit {status} ;;
  "--version "*) echo Python {version} ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >>"$LOG"
exit ${UV_FAILS:-0}
"""


class Folder:
    """A copy of what `make env` reads, with tools that only write down what they are asked."""

    def __init__(self, path: Path):
        self.path, self.log, self.bin = path / "copy", path / "log", path / "bin"
        self.bin.mkdir(parents=True)
        self.path.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(paths.root() / name, self.path)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def add(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def python(self, version, name="python3"):
        self.add(name, PYTHON.format(version=version, status=int(version not in ("3.11", "3.12", "3.13"))))

    def make(self, *arguments, **variables):
        """Run make; returns the exit code, the lines written down (but for questions of the version), and stderr."""
        self.log.write_text("")
        environment = {"PATH": str(self.bin), "LOG": str(self.log)} | variables
        done = subprocess.run(["make", *arguments], cwd=self.path, env=environment, capture_output=True, text=True)
        lines = [line for line in self.log.read_text().splitlines() if " -c " not in line]
        return done.returncode, lines, done.stderr

    @property
    def stamp(self):
        return self.path / ".venv" / ".stamp"


@pytest.fixture
def folder(tmp_path):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or os.name == "nt":
        pytest.skip(f"needs {', '.join(missing) or 'a POSIX system'}")
    made = Folder(tmp_path)
    made.python("3.12")
    made.add("uv", UV)
    return made


SYNC = "uv pip sync --quiet --compile-bytecode --require-hashes --python .venv/bin/python requirements.lock"
PIP = "python3.12 -m pip --quiet --disable-pip-version-check install"
EDITABLE = f"{PIP} --no-deps --no-build-isolation -e ."
VENV = "python3.12 -m venv .venv"


def test_it_installs_once_and_then_does_nothing(folder):
    assert folder.make("env")[:2] == (0, [VENV, SYNC, EDITABLE])
    assert folder.make("env")[:2] == (0, [])


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_a_changed_list_updates_what_is_there(folder, name):
    folder.make("env")
    os.utime(folder.path / name, (0, 0))  # a clone or a checkout changes times, not content
    assert folder.make("env")[:2] == (0, [])
    (folder.path / name).write_text((folder.path / name).read_text() + "# changed\n")
    assert folder.make("env")[:2] == (0, [SYNC, EDITABLE])
    assert folder.make("env")[:2] == (0, [])


def test_an_interrupted_or_broken_environment_is_made_anew(folder):
    code, lines, _ = folder.make("env", PIP_FAILS="-e .")
    assert code != 0 and lines == [VENV, SYNC, EDITABLE] and not folder.stamp.exists()
    assert folder.make("env")[:2] == (0, [VENV, SYNC, EDITABLE])
    (folder.path / ".venv/bin/python").unlink()
    assert folder.make("env")[:2] == (0, [VENV, SYNC, EDITABLE])


def test_a_moved_folder_gets_an_environment_of_its_own(folder):
    folder.make("env")
    moved = folder.path.rename(folder.path.with_name("moved"))
    folder.path = moved
    assert folder.make("env")[:2] == (0, [VENV, SYNC, EDITABLE])


def test_without_uv_it_comes_from_the_lock(folder):
    (folder.bin / "uv").unlink()
    code, lines, _ = folder.make("env")
    assert lines[:2] == [VENV, f"{PIP} --require-hashes --no-deps -r .venv/uv.txt"]
    listed = (folder.path / ".venv/uv.txt").read_text().splitlines()
    assert listed[0].startswith("uv==") and sum("==" in line for line in listed) == 1
    assert any("--hash=sha256:" in line for line in listed)
    # The uv of this test does not exist, so pip installs: as where uv does not get through.
    assert (code, lines[2:]) == (0, [f"{PIP} --require-hashes -r requirements.lock", EDITABLE])


def test_where_uv_fails_pip_installs(folder):
    code, lines, _ = folder.make("env", UV_FAILS="1")
    assert (code, lines) == (0, [VENV, SYNC, f"{PIP} --require-hashes -r requirements.lock", EDITABLE])


def test_where_both_fail_there_is_no_environment(folder):
    code, _, _ = folder.make("env", UV_FAILS="1", PIP_FAILS="requirements.lock")
    assert code != 0 and not folder.stamp.exists()


def test_another_python_is_taken_when_it_is_asked_for_and_kept(folder):
    folder.make("env")
    folder.python("3.13", "python3.13")
    code, lines, _ = folder.make("env", "PYTHON=python3.13")
    assert code == 0 and lines[0] == "python3.13 -m venv .venv"
    assert folder.make("env")[:2] == (0, [])
    assert folder.make("env", "PYTHON=python3.13")[:2] == (0, [])


def test_a_python_out_of_range_is_passed_over(folder):
    folder.python("3.10")
    folder.python("3.11", "python3.11")
    assert folder.make("env")[1][0] == "python3.11 -m venv .venv"


def test_without_a_usable_python_there_is_one_line(folder):
    folder.python("3.14")
    code, lines, stderr = folder.make("env")
    assert code != 0 and lines == []
    ours = [line for line in stderr.splitlines() if not line.startswith("make: ***")]
    assert len(ours) == 1 and "3.11 to 3.13" in ours[0] and "PYTHON=" in ours[0]


def test_the_gpu_build_replaces_the_other_and_stays(folder):
    folder.make("env")
    code, lines, _ = folder.make("env", "EXTRA=gpu")
    assert code == 0
    assert lines[-2] == "python3.12 -m pip uninstall --quiet --yes tensorflow-cpu tensorflow"
    assert lines[-1].startswith(f"{PIP} tensorflow[and-cuda]==2.")
    assert folder.make("env")[:2] == (0, [])
    assert folder.make("env", "EXTRA=cpu")[:2] == (0, [SYNC, EDITABLE])
    assert folder.make("env", "EXTRA=tpu")[0] != 0


@pytest.mark.parametrize("variable", ["SER_DATA", "SER_CACHE", "SER_RUNS", "SER_WEIGHTS"])
def test_relative_folders_count_from_the_makefile(folder, variable):
    """Notebooks run in their own folder: what they get must not depend on it."""
    folder.make("env")
    show = f"show:\n\t@echo [$({variable})] [$${variable}]\n"
    (folder.path / "Makefile").write_text((folder.path / "Makefile").read_text() + show)
    for given, expected in (("../a b", f"{folder.path}/../a b"), ("/x/y", "/x/y"), ("", "")):
        for arguments, environment in (([f"{variable}={given}"], {}), ([], {variable: given})):
            call = ["make", "-s", "show", *arguments]
            shown = subprocess.run(
                call, cwd=folder.path, env={"PATH": str(folder.bin), **environment}, capture_output=True, text=True
            )
            assert shown.stdout.strip() == f"[{expected}] [{expected}]"
