"""README, docs, Makefile, notebooks, package and the lists of dependencies agree with each other."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import ser_core
from ser_core import corpora
from ser_core._utils import paths
from ser_core.claims import paper
from ser_core.protocols import splits

ROOT = paths.root()
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCS = "\n".join([README, *(path.read_text(encoding="utf-8") for path in PAGES)])
LINKING = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / folder / "README.md" for folder in ("findings", "runs/published")),
    *PAGES,
]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted((ROOT / "ser_core").rglob("*.py"))
TARGETS = re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, flags=re.MULTILINE)
CODE = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
PROSE = "\n".join(
    "".join(cell["source"]) for path in NOTEBOOKS for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
)
LONGEST_MODULE = 500  # lines
LONGEST_README = 180  # lines
HEAVY = ("tensorflow", "keras", "librosa", "pandas", "scipy", "matplotlib", "sklearn", "pyarrow")


def quoted(text):
    """Return the text between backticks on one line, and the lines of shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", text)


def tracked():
    """Files that are, or would be, committed."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    left_out = {".venv", ".git", ".cache", "data", "runs"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not left_out & set(path.relative_to(ROOT).parts)]


# Makefile, README and docs


def test_each_target_is_explained_once_in_help():
    assert len(set(TARGETS)) == len(TARGETS)
    phony = " ".join(re.findall(r"^\.PHONY:(.*)", MAKEFILE, flags=re.MULTILINE)).split()
    assert sorted(phony) == sorted(TARGETS)
    if shutil.which("make"):
        shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert re.findall(r"^  make ([a-z-]+) +\S", shown, flags=re.MULTILINE) == TARGETS
        bare = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert bare == shown


def test_docs_name_exactly_the_targets_that_exist():
    named = {name for line in quoted(DOCS) for name in re.findall(r"(?:^|\s)make ([a-z-]+)", line)}
    assert named == set(TARGETS)


@pytest.mark.parametrize("text", [PROSE, CODE], ids=["notebooks", "package"])
def test_notebooks_and_messages_name_targets_that_exist(text):
    named = {name for line in quoted(text) for name in re.findall(r"^make ([a-z-]+)", line)}
    assert named <= set(TARGETS)


def test_docs_name_exactly_the_notebooks_that_exist():
    named = set(re.findall(r"\b(\d\d_\w+)\.ipynb", DOCS))
    assert named == {path.stem for path in NOTEBOOKS}


def test_notebooks_name_notebooks_that_exist():
    assert set(re.findall(r"\b(\d\d_\w+)\.(?:ipynb|html)", PROSE + CODE)) <= {path.stem for path in NOTEBOOKS}


def generated(name):
    return name.startswith((".venv", "data/", ".cache/", "runs/", "voice.", "anna_", "config.json"))


def test_paths_in_the_docs_exist_or_are_generated():
    suffixes = r"\.(?:py|ipynb|toml|lock|yml|cff|md|html|wav|csv|json|parquet|keras)"
    formats = set(quoted((ROOT / "docs" / "formats.md").read_text(encoding="utf-8")))  # files of other tools
    for text in quoted(DOCS):
        if text in formats:
            continue
        if text == "mynet.py":  # the reader's own file: its text is in docs/systems.md, and test_models runs it
            continue
        if re.fullmatch(rf"[\w.<>*-]+(?:/[\w.<>*-]*)+|[\w-]+{suffixes}|Makefile|LICENSE", text):
            assert generated(text) or (ROOT / text).exists(), text


def test_docs_explain_every_protocol_and_variable():
    for name in splits.PROTOCOLS:
        assert re.search(rf"^\| `{name}` \|", DOCS, flags=re.MULTILINE), name
    variables = set(re.findall(r"\bSER_[A-Z]+\b", CODE + MAKEFILE))
    assert variables
    for name in variables:
        assert re.search(rf"^\| `{name}` \|", DOCS, flags=re.MULTILINE), name


def test_docs_explain_every_fidelity():
    from ser_core.models import FIDELITY

    page = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    section = page.split("## Fidelity to the source\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| (\w+) \|", section, flags=re.MULTILINE)) - {"fidelity"} == set(FIDELITY)


def test_corpora_and_profiles_in_commands_exist():
    from ser_core.corpora import formats
    from ser_core.experiments import grids, presets, searches

    for line in quoted(DOCS):
        for name in re.findall(r"--corpus (\S+)|data (?:fetch|verify) (\S+)", line):
            name = "".join(name)
            assert name in corpora.CORPORA or name.partition(":")[0] in formats.KINDS, line
        for name in re.findall(r"(?:--profile |PROFILE=|ser sweep |ser publish )(\w+)", line):
            assert name in {*presets.PROFILES, *grids.NAMES, *searches.SEARCHES}, line


# The shell command


def commands(group=None, prefix=()):
    """Every command of the shell command: its words -> click command."""
    from ser_core.cli import main

    group = group or main
    found = {}
    for name, command in group.commands.items():
        found[(*prefix, name)] = command
        if isinstance(command, click.Group):
            found |= commands(command, (*prefix, name))
    return found


def asked(text):
    """Shell commands ``ser ...`` in a text, as lists of words after ``ser``."""
    lines = [re.sub(r"^(\w+=\S+ )*(\.venv/bin/)?", "", line.strip()) for line in quoted(text)]
    return [line.split("#")[0].split()[1:] for line in lines if line.startswith("ser ")]


MAKE_CALLS = [line.split()[1:] for line in re.findall(r"\$\(BIN\)/(ser .*)", MAKEFILE)]


@pytest.mark.parametrize(
    "calls", [asked(DOCS), MAKE_CALLS, asked(PROSE), asked(CODE)], ids=["docs", "makefile", "notebooks", "package"]
)
def test_commands_and_options_exist(calls):
    known = commands()
    for words in calls:
        named = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
        assert named in known, f"ser {' '.join(words)}"
        if isinstance(known[named], click.Group):
            assert words[1:] in ([], ["--help"]), f"ser {' '.join(words)}"
        options = {option for parameter in known[named].params for option in parameter.opts + parameter.secondary_opts}
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in options | {"--help"}, f"ser {' '.join(words)}"


def test_the_docs_name_every_command():
    named = {tuple(words[:n]) for words in asked(DOCS) for n in (1, 2)}
    assert set(commands()) <= named


def test_the_readme_is_short_and_links_every_page():
    assert len(README.splitlines()) <= LONGEST_README
    assert PAGES and {f"docs/{path.name}" for path in PAGES} <= set(re.findall(r"\]\(([^)#]+)[^)]*\)", README))
    assert {"CONTRIBUTING.md", "CITATION.cff", "LICENSE", "findings/README.md", "runs/published/README.md"} <= set(
        re.findall(r"\]\(([^)#]+)\)", README)
    )


def without_blocks(text):
    """Return Markdown without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """Return the anchors of the headings of a Markdown file, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)", without_blocks(path.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_point_to_files_and_headings_that_exist(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text(encoding="utf-8"))):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.is_relative_to(ROOT) and target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_options_in_tables_exist(page):
    known = {option for command in commands().values() for parameter in command.params for option in parameter.opts}
    for cell in re.findall(r"^\|(.*?)(?<!\\)\|", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        for option in re.findall(r"`(--[a-z-]+)", cell):
            assert option in known, option


def test_every_option_of_a_run_is_documented():
    table = "\n".join(re.findall(r"^\| `--.*", DOCS, flags=re.MULTILINE))
    known = commands()[("run",)].params
    longest = {max(parameter.opts, key=len) for parameter in known if not getattr(parameter, "hidden", False)}
    assert longest - {"--json", "--help"} <= set(re.findall(r"`(--[a-z-]+)", table))


def test_the_python_example_of_the_readme_prints_what_the_readme_shows(own_store, capsys):
    code, output = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README, flags=re.DOTALL).groups()
    assert "import ser_core as ser" in code and len([line for line in code.splitlines() if line]) <= 5
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == output


def test_the_prediction_of_the_readme_is_what_the_command_prints(tmp_path, monkeypatch):
    from ser_core.cli import main

    shell, output = re.search(r"```sh\n(cp [^`]*?)```\n+```text\n(.*?)```", README, flags=re.DOTALL).groups()
    recording, copy, command = re.search(r"^cp \.cache/demo-\*/(\S+) (\S+) .*\nser (.*)\n$", shell).groups()
    (path,) = (path for path in corpora.load("demo")["path"] if Path(path).as_posix().endswith(f"/{recording}"))
    shutil.copy(path, tmp_path / copy)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(main, command.split())
    assert (shown.exit_code, shown.output) == (0, output)


def test_the_leaderboard_is_marked_and_counts_are_right():
    from ser_core.models import MODELS

    assert README.count("\n<!-- leaderboard -->\n") == README.count("\n<!-- /leaderboard -->\n") == 1
    assert f"the network and {len(MODELS) - 1} other systems" in README


def test_imports_are_light():
    """``import ser_core`` and the shell command start without what only measuring needs."""
    code = "import sys, ser_core, ser_core.cli; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "ser_core.cli" in shown.split()
    assert not set(HEAVY) & set(shown.split())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


# Dependencies: one list, in pyproject.toml


def requirements(extras):
    """Direct dependencies of the project with these extras."""
    listed = [*PROJECT["dependencies"], *(one for extra in extras for one in PROJECT["optional-dependencies"][extra])]
    return [Requirement(one) for one in listed]


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


PINS = {
    plain(match["name"]): match
    for match in re.finditer(
        r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[\w.+!]+)"
        r"(?P<rest>[^\n]*\n(?: +--hash=\S+[^\n]*\n)*)",
        LOCK,
        flags=re.MULTILINE,
    )
}
LOCKED_EXTRAS = re.findall(r"--extra (\w+)", LOCK.splitlines()[1])


def test_every_direct_dependency_is_pinned_within_its_range():
    for wanted in requirements(LOCKED_EXTRAS):
        pin = PINS.get(plain(wanted.name))
        assert pin, f"{wanted}: not in requirements.lock; make lock"
        assert wanted.specifier.contains(pin["version"]), f"{wanted}: pinned to {pin['version']}; make lock"
    (build,) = map(Requirement, PYPROJECT["build-system"]["requires"])
    assert build.specifier.contains(PINS[plain(build.name)]["version"])  # `make env` builds without isolation


def test_every_line_of_the_lock_is_a_pin_a_hash_or_a_comment():
    for line in LOCK.splitlines():
        assert re.fullmatch(r"#.*| +#.*| +--hash=sha256:[0-9a-f]{64}( \\)?|[\w.\[\],-]+==\S+( ; .*)? \\", line), line
        assert "://" not in line and "index-url" not in line.replace("--no-emit-index-url", "")
    for name, match in PINS.items():
        assert "--hash=sha256:" in match["rest"], name


def test_the_lock_is_made_by_make_lock():
    recipe = re.search(r"^lock:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)[1].replace("\\\n", " ")
    words = re.search(r"pip compile (.*)", recipe)[1].replace("--quiet ", "").split()
    assert re.search(r"uv pip compile (.*)", LOCK.splitlines()[1])[1].split() == words
    assert f"--python-version {PROJECT['requires-python'].split(',')[0].removeprefix('>=')}" in LOCK.splitlines()[1]


def test_conda_draws_on_the_same_list():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, from_pip = environment["dependencies"]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"
    (editable,) = from_pip["pip"]
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", editable)[1].split(",")
    assert set(extras) == set(LOCKED_EXTRAS) - {"env"}


def test_extras_that_are_named_exist():
    known = set(PROJECT["optional-dependencies"])
    named = re.findall(r"\.\[([\w,]+)\]", DOCS + MAKEFILE)
    assert named
    assert {extra for names in named for extra in names.split(",")} <= known
    assert set(LOCKED_EXTRAS) <= known
    assert "gpu" in known and "EXTRA=gpu" in DOCS


def test_python_versions_agree():
    low, high = re.search(r"\(3, (\d+)\) <= v < \(3, (\d+)\)", MAKEFILE).groups()
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(f">=3.{low},<3.{high}")
    for minor in range(int(low), int(high)):
        assert f"3.{minor}" in README and f"python3.{minor}" in MAKEFILE


# What leaves this machine


def test_no_file_names_a_registry_or_a_home_folder():
    hosts = re.compile(rb"(?:pypi|pythonhosted|anaconda|conda-forge|npmjs)\.(?:org|com|io)", re.IGNORECASE)
    homes = re.compile(rb"(?<![\w.~-])/(?:home|Users|root)/\w")
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:4096]:
            assert not hosts.search(content), path
            assert not homes.search(content), path


def test_results_are_ignored_except_published_ones():
    if not ((ROOT / ".git").exists() and shutil.which("git")):
        pytest.skip("not a git checkout")
    names = ["runs/store/0.json", "runs/demo/report/index.html", "runs/published/0.json", "runs/published/0.keras"]
    names += [".venv/x", ".cache/x", "data/x.wav", "README.md", "runs/published/README.md"]
    asked = subprocess.run(["git", "check-ignore", "--no-index", *names], cwd=ROOT, capture_output=True, text=True)
    assert set(names) - set(asked.stdout.split()) == {"runs/published/0.json", "runs/published/README.md", "README.md"}


# Continuous integration, licence, citation


def test_ci_runs_the_documented_test_command():
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/usr/bin/env bash\n") and "\nset -euo pipefail\n" in text
    (command,) = re.search(r"^## Tests\n+```sh\n(.*?)```", DOCS, flags=re.MULTILINE | re.DOTALL)[1].splitlines()
    assert command == "make test" and re.search(r"^make test\b", README, flags=re.MULTILINE)
    assert text.splitlines()[-1] == command
    subprocess.run(["bash", "-n", script], check=True)


def test_licence_and_citation_agree_with_pyproject():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == citation["license"] == "MIT"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert licence.startswith("MIT License\n")
    assert f"Copyright (c) 2026 {citation['authors'][0]['name']}\n" in licence
    assert PROJECT["version"] == citation["version"] == ser_core.__version__
    assert citation["title"].startswith(f"{PROJECT['name']}:")
    (cited,) = citation["references"]
    assert (cited["doi"], cited["title"]) == (paper.DOI, paper.TITLE)
    assert paper.DOI in README and paper.TITLE in re.sub(r"\s+", " ", README)
