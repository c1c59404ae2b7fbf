#!/usr/bin/env bash
# GroupKFold by speaker tests on men alone, then on women alone, and trains as lopsidedly.
#
# Guess: with speakers as groups and as many utterances of each, GroupKFold deals speakers out somehow or in order;
# the sexes come out mixed, roughly at least.
#
# What happens (scikit-learn 1.9.0): groups are sorted by size, stably, and dealt in turn to the smallest fold. Where
# all are equally large, speakers whose numbers are k apart share a fold. RAVDESS numbers its actors men odd, women
# even, with 60 utterances each, so every even k (2, 4, 6, 8, 10, 12) gives folds of one sex only; odd k do not. No
# seed is involved, so it happens in every run, on every machine. GroupKFold(shuffle=True), which is not the default,
# ends it.
#
# Why it matters here: pitch differs by an octave between the sexes and carries emotion. The spread over such folds is
# that between the sexes, not between speakers, and inner folds choose hyperparameters for the other sex.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  scikit-learn==1.9.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys

import numpy as np
import sklearn
from sklearn.model_selection import GroupKFold

print("scikit-learn", sklearn.__version__, "numpy", np.__version__)
actor = np.repeat(np.arange(1, 25), 60)
sex = np.where(actor % 2 == 1, "m", "f")
one_sex = {}
for folds in (2, 3, 4, 5, 6, 8, 10, 12):
    tested = ["".join(sorted(set(sex[test]))) for _, test in GroupKFold(folds).split(actor, groups=actor)]
    trained = [np.mean(sex[train] == "f") for train, _ in GroupKFold(folds).split(actor, groups=actor)]
    one_sex[folds] = sum(len(s) == 1 for s in tested)
    print(f"{folds:2} folds test on {tested}, train on {min(trained):.0%} to {max(trained):.0%} women")
shuffled = GroupKFold(6, shuffle=True, random_state=1).split(actor, groups=actor)
print("6 folds with shuffle=True test on", ["".join(sorted(set(sex[test]))) for _, test in shuffled])
if not all(one_sex[k] == (k if k % 2 == 0 else 0) for k in one_sex):
    sys.exit("CHANGED: GroupKFold deals equally large groups otherwise")
print("as described")
EOF
