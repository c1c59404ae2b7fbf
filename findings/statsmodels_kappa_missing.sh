#!/usr/bin/env bash
# Fleiss' kappa of annotators who agree on every clip is 0.03: a label that nobody gave counts as one more emotion.
#
# Guess: where each clip was heard by some of the annotators only, aggregate_raters() of statsmodels counts the labels
# that are there, and fleiss_kappa() takes that or refuses it. Krippendorff's alpha, made for missing labels, leaves out
# what is empty.
#
# What happens (statsmodels 0.15.0, krippendorff 0.9.0): NaN is counted as a category, in a last column of its own.
# Then all clips have equally many "labels", so that no check of fleiss_kappa() objects. Three of six annotators who
# agree on every clip get 0.13, three of twelve 0.03; without that column it is 1. krippendorff.alpha() of words leaves
# out NaN but counts "", which is what Python's csv gives for an empty cell, and arrives at the same numbers.
#
# Why it matters here: in IEMOCAP three of six annotators heard a clip, in CREMA-D ten of 2,443. Their agreement is
# quoted as the ceiling of recognition, and decides which clips and annotators are dropped.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  statsmodels==0.15.0 krippendorff==0.9.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import krippendorff
import numpy as np
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

print(*(f"{name} {version(name)}" for name in ("statsmodels", "krippendorff", "numpy")))
random = np.random.default_rng(0)
EMOTIONS = ("anger", "joy", "neutral", "sadness")
clips, heard = 200, 3


def label(annotators, sure):
    """Codes [clips, annotators]: NaN where not heard, the truth where the annotator is sure, else any emotion."""
    shape = (clips, annotators)
    codes = np.where(random.random(shape) < sure, random.integers(4, size=(clips, 1)), random.integers(4, size=shape))
    order = random.permuted(np.tile(np.arange(annotators), (clips, 1)), axis=1)
    return np.where(order < heard, codes, np.nan)


seen = {}
for annotators in (3, 6, 12):
    for sure in (1.0, 0.6):
        codes = label(annotators, sure)
        counts, categories = aggregate_raters(codes)
        words = [["" if np.isnan(code) else EMOTIONS[int(code)] for code in line] for line in codes.T]
        row = {
            "kappa": fleiss_kappa(counts),
            "kappa of the four emotions": fleiss_kappa(counts[:, :4]),
            'alpha with ""': krippendorff.alpha(words, level_of_measurement="nominal"),
            "alpha with NaN": krippendorff.alpha(codes.T, level_of_measurement="nominal"),
        }
        seen[annotators, sure] = [round(float(value), 2) for value in row.values()]
        print(f"{heard} of {annotators:2} annotators, {sure:.0%} sure, {len(categories)} categories:", *(
            f"{key} {value}," for key, value in zip(row, seen[annotators, sure], strict=True)
        ))  # fmt: skip
if seen[3, 1.0] != [1.0] * 4 or any(seen[n, 1.0][k] != 1.0 for n in (6, 12) for k in (1, 3)):
    sys.exit("CHANGED: without missing labels agreement is not 1")
if not all(seen[n, 1.0][k] < limit for n, limit in ((6, 0.2), (12, 0.1)) for k in (0, 2)):
    sys.exit("CHANGED: missing labels are left out")
print("as described")
EOF
