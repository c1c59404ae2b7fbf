#!/usr/bin/env bash
# papermill hands a notebook other values than it was given, or writes a file that is not JSON.
#
# Guess: execute_notebook(parameters=...) takes what Python code can spell: numpy numbers of all kinds, tuples; and a
# NaN is written into the notebook's metadata in a way that every JSON reader takes.
#
# What happens (papermill 2.7.0): numpy.float64 passes (it is a float), numpy.float32, int64 and bool_ raise TypeError
# about JSON before a cell has run. A tuple arrives as one string, "(1, 2)", without a warning; in a loop over it the
# notebook gets characters. NaN arrives as NaN, but the written file has a bare NaN in its metadata, which strict JSON
# forbids. On the command line `-p speaker 007` arrives as the number 7, and `-p speaker 1_0` as 10.
#
# Why it matters here: parameters are swept in numpy (rates, seeds, SNRs from linspace and arange), layers and SNR
# ranges are tuples, "no noise" is NaN, and the speakers of EmoDB and RAVDESS are called 03, 08 and 01.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  papermill==2.7.0 ipykernel==7.4.0 nbformat==5.11.1 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

export JUPYTER_CONFIG_DIR="$folder" JUPYTER_DATA_DIR="$folder" IPYTHONDIR="$folder"
venv/bin/python - 2>errors.log <<'EOF' || { cat errors.log >&2; exit 1; }
import json
import subprocess
import sys
import warnings

import nbformat
import numpy as np
import papermill

warnings.simplefilter("ignore")
print("papermill", papermill.__version__, "nbformat", nbformat.__version__, "numpy", np.__version__)
cell = nbformat.v4.new_code_cell
cells = [cell("value = 0", metadata={"tags": ["parameters"]}), cell("print(repr(value))")]
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), "in.ipynb")


def strictly(constant):
    raise ValueError(f"bare {constant} in the file")


def told():
    return nbformat.read("out.ipynb", 4).cells[-1].outputs[0]["text"].strip()


seen = {}
for given in (np.float64(0.5), np.float32(0.5), np.int64(3), np.bool_(True), (1, 2), [1, 2], float("nan")):
    try:
        papermill.execute_notebook("in.ipynb", "out.ipynb", {"value": given}, progress_bar=False)
        seen[repr(given)] = told()
        json.loads(open("out.ipynb").read(), parse_constant=strictly)
    except (TypeError, ValueError) as error:
        seen[repr(given)] = f"{seen.get(repr(given), '')} {type(error).__name__}: {error}".strip()
    print(f"{given!r:18} -> {seen[repr(given)]}")
for text in ("007", "1_0", "2a"):
    run = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-p", "value", text]
    subprocess.run(run, check=True, capture_output=True)
    seen[text] = told()
    print(f"-p value {text:9} -> {seen[text]}")
numpy_refused = all("TypeError" in seen[repr(v)] for v in (np.float32(0.5), np.int64(3), np.bool_(True)))
others = seen["(1, 2)"] == "'(1, 2)'" and seen["nan"].startswith("nan ValueError") and seen["[1, 2]"] == "[1, 2]"
if not (numpy_refused and others and seen["007"] == "7" and seen["1_0"] == "10" and seen["np.float64(0.5)"] == "0.5"):
    sys.exit("CHANGED: papermill hands over parameters otherwise")
print("as described")
EOF
