#!/usr/bin/env bash
# StratifiedGroupKFold(shuffle=True) gives one and the same partition for every seed.
#
# Guess: shuffle=True with 100 values of random_state gives about as many partitions of the speakers, so that the
# deviation over seeds tells how much a result owes to the choice of folds ("repeated cross-validation").
#
# What happens (scikit-learn 1.9.0): groups are shuffled, then sorted by how uneven their class counts are, and dealt
# out greedily to the fold that stays most even. The shuffle only breaks ties. Speakers with unequal counts leave
# none: ten speakers of 35 to 71 utterances of seven emotions (the counts of EmoDB) are partitioned one way, whatever
# the seed. Speakers with equal counts (RAVDESS) do get another partition for each seed.
#
# Why it matters here: acted corpora have few speakers and unequal counts. "Mean and deviation over ten seeds" then
# repeats one partition ten times: the deviation is that of the network's initial weights alone, far too small, and
# nothing says so.
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
from sklearn.model_selection import StratifiedGroupKFold

print("scikit-learn", sklearn.__version__, "numpy", np.__version__)


def partitions(emotion, speaker, folds, seeds=100):
    """How many different partitions of the speakers that many seeds give; the order of folds does not count."""
    found = set()
    for seed in range(seeds):
        cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(emotion, emotion, speaker)
        found.add(frozenset(frozenset(speaker[test].tolist()) for _, test in cut))
    return len(found)


utterances = {3: 49, 8: 58, 9: 43, 10: 38, 11: 55, 12: 35, 13: 61, 14: 69, 15: 56, 16: 71}  # of each speaker of EmoDB
emotions = [127, 81, 46, 69, 71, 62, 79]  # of each emotion; who spoke which is drawn here
speaker = np.repeat(list(utterances), list(utterances.values()))
unequal = []
for draw in range(3):
    emotion = np.random.default_rng(draw).permutation(np.repeat(np.arange(7), emotions))
    unequal.append(partitions(emotion, speaker, 5))
    print(f"10 unequal speakers, drawn table {draw}, 5 folds, 100 seeds: {unequal[-1]} partition(s)")
actor = np.repeat(np.arange(24), 60)
acted = np.tile(np.repeat(np.arange(8), [4] + [8] * 7), 24)
equal = partitions(acted, actor, 5)
print(f"24 equal speakers, 5 folds, 100 seeds: {equal} partitions")
if not (unequal == [1, 1, 1] and equal > 90):
    sys.exit("CHANGED: seeds of StratifiedGroupKFold give other numbers of partitions")
print("as described")
EOF
