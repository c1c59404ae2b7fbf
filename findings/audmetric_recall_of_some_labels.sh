#!/usr/bin/env bash
# audmetric calls a classifier perfect that is wrong half of the time, once labels are named.
#
# Guess: unweighted_average_recall(truth, prediction, labels=[...]) averages the recalls of the named classes, like
# scikit-learn's recall_score(labels=..., average="macro"): an utterance of a named class counts, whatever was
# answered.
#
# What happens (audmetric 1.4.2): an answer outside the named labels takes its utterance out of the recall altogether;
# what remains is recall among the answers that fit. A system that answers "neutral" to half of the angry and half of
# the sad ones reaches 1.0 on these two, where scikit-learn says 0.5. audmetric.accuracy with the same labels counts
# such answers as wrong and says 0.5, so the two scores of one table do not go together: with equal classes they
# should be the same.
#
# Why it matters here: comparing corpora and systems on the emotions that they share is everyday work in this field,
# and UAR is its measure. A system that says "neutral" or "other" when in doubt wins.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  audmetric==1.4.2 scikit-learn==1.9.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import audmetric
import sklearn
from sklearn.metrics import recall_score

print("audmetric", version("audmetric"), "scikit-learn", sklearn.__version__)
truth = ["anger"] * 4 + ["sadness"] * 4
answer = ["anger", "anger", "neutral", "neutral", "sadness", "sadness", "neutral", "neutral"]
named = ["anger", "sadness"]
ours = audmetric.unweighted_average_recall(truth, answer, labels=named)
theirs = recall_score(truth, answer, labels=named, average="macro")
accuracy = audmetric.accuracy(truth, answer, labels=named)
f1 = audmetric.unweighted_average_fscore(truth, answer, labels=named)
print(f"truth {truth}")
print(f"answer {answer}")
print(f"of {named}: audmetric UAR {ours}, scikit-learn UAR {theirs}, audmetric accuracy {accuracy}, audmetric UAF {f1}")
print("audmetric recalls:", audmetric.recall_per_class(truth, answer, labels=named))
everything = audmetric.unweighted_average_recall(truth, answer, labels=[*named, "neutral"])
print(f"with neutral named too, which nobody spoke: audmetric UAR {everything:.3f}")
if not (ours == 1.0 and theirs == 0.5 and accuracy == 0.5):
    sys.exit("CHANGED: audmetric counts answers outside the labels otherwise")
print("as described")
EOF
