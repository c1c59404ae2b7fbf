#!/usr/bin/env bash
# An empty file ._ in the current folder makes every MP3 in memory unreadable.
#
# Guess: sf.read(io.BytesIO(content)) depends on the content alone.
#
# What happens (soundfile 0.13.1, libsndfile 1.2.2): MP3 has no fixed beginning, so libsndfile first looks for the
# resource fork of an SD2 file: ._NAME or .AppleDouble/NAME beside the file. A file in memory has an empty name, so it
# opens ._ or the folder .AppleDouble of the current folder, takes what is there for SD2, and says "bad data offset".
# The same MP3 by its path is read. Writing an SD2 file to memory leaves such a ._ behind.
#
# Why it matters here: the suite reads recordings from memory, and folders that were copied from a Mac have such files.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  soundfile==0.13.1 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import io
import os
import sys

import numpy as np
import soundfile as sf

print("soundfile", sf.__version__, "libsndfile", sf.__libsndfile_version__, "numpy", np.__version__)
file = io.BytesIO()
sf.write(file, 0.3 * np.random.default_rng(0).standard_normal(32000), 16000, format="MP3")
open("voice.mp3", "wb").write(file.getvalue())


def attempt(source):
    try:
        return f"{len(sf.read(source)[0])} samples"
    except sf.LibsndfileError as error:
        return f"{type(error).__name__}: {error.error_string}"


def in_memory():
    return attempt(io.BytesIO(file.getvalue()))


before = in_memory()
open("._", "w").close()
fork, by_path = in_memory(), attempt("voice.mp3")
os.remove("._")
os.mkdir(".AppleDouble")
folder = in_memory()
os.rmdir(".AppleDouble")
sf.write(io.BytesIO(), np.zeros(100), 16000, format="SD2", subtype="PCM_16")
left = os.path.exists("._")
print(f"in memory: {before}; beside an empty file ._: {fork}; beside .AppleDouble: {folder}")
print(f"by path, beside an empty file ._: {by_path}; SD2 written to memory leaves a file ._: {left}")
if "samples" in fork or "samples" not in before or "samples" not in by_path:
    sys.exit("CHANGED: a file ._ no longer changes how an MP3 in memory is read")
print("as described")
EOF
