"""The kernels of the suite are its own interpreter, and read no settings of the account."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from ser_core.report import execution, kernels, notebook_page

ANSWER = """
import os, sys
import matplotlib
print(sys.executable, matplotlib.rcParams["text.usetex"], matplotlib.rcParams["savefig.dpi"], "noise" in globals())
"""
PICTURE = "from matplotlib import pyplot as plt\nfigure, ax = plt.subplots()\nplt.close(figure)\nfigure"


@pytest.fixture
def hostile_account(tmp_path, monkeypatch):
    """A home and variables that would change or break every page."""
    startup, foreign = tmp_path / ".ipython/profile_default/startup", tmp_path / "jupyter/kernels/python3"
    template = tmp_path / "jupyter/nbconvert/templates/basic"
    for folder in (startup, foreign, template, tmp_path / ".config/matplotlib"):
        folder.mkdir(parents=True)
    (startup / "00.py").write_text("noise = 1\nprint('noise')\nraise SystemExit\n")
    (foreign / "kernel.json").write_text(
        json.dumps({"argv": ["false"], "display_name": "foreign", "language": "python"})
    )
    (template / "index.html.j2").write_text("FOREIGN")
    (template / "conf.json").write_text("{}")
    rc = tmp_path / ".config/matplotlib/matplotlibrc"
    rc.write_text("text.usetex: True\nsavefig.dpi: 20\n")
    (tmp_path / "matplotlibrc").write_text(rc.read_text())  # of the current folder: it comes before all others
    (tmp_path / "ipykernel.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    variables = {
        "HOME": tmp_path, "JUPYTER_PATH": tmp_path / "jupyter", "MATPLOTLIBRC": rc, "MPLBACKEND": "TkAgg",
        "IPYTHONDIR": tmp_path / ".ipython", "PYTHONSTARTUP": startup / "00.py",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def test_a_notebook_runs_in_this_interpreter_without_the_settings_of_the_account(hostile_account, tmp_path):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (ANSWER, PICTURE)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source, target = tmp_path / "book.ipynb", tmp_path / "done.ipynb"
    nbformat.write(book, source)
    before = dict(os.environ)
    assert execution.execute(source, target, {}) == ""
    assert dict(os.environ) == before
    shown = [output for cell in nbformat.read(target, 4).cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in shown), "figures are shown in the notebook"
    texts = [
        output["text"]
        for cell in nbformat.read(target, 4).cells
        for output in cell.get("outputs", ())
        if "text" in output
    ]
    assert "".join(texts).split() == [sys.executable, "False", "figure", "False"]


def test_the_page_has_our_template(hostile_account, tmp_path):
    words = (
        "import nbformat, sys; from ser_core.report.notebook_page import ReportExporter;"
        "book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('own text')]);"
        "print(ReportExporter().from_notebook_node(book)[0])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # Jupyter reads its paths when it is imported
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert "own text" in done.stdout and "FOREIGN" not in done.stdout, done.stderr
    assert notebook_page.ReportExporter().extra_template_basedirs == [
        str(kernels.shared_folder() / "nbconvert" / "templates")
    ]


def test_earlier_paths_remain_behind_ours(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    first, *_, last = kernels.kernel_environment()["JUPYTER_PATH"].split(os.pathsep)
    assert last == "/elsewhere" and (Path(first) / "kernels" / "python3" / "kernel.json").is_file()
