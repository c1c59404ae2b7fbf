#!/usr/bin/env bash
# huggingface_hub writes and reads model cards in which a result stands under another result's protocol or network.
#
# Guess: what is given as EvalResult is written into model-index, and read back, with its own dataset name and
# arguments; a card that lists two networks gives the results of the one, or of both with their names.
#
# What happens (huggingface_hub 2.4.0): results are put together where task, dataset type, configuration, split and
# revision are equal. Name and arguments of the dataset, and the source, are taken from the first of them alone. The UAR
# of 0.61 on unseen speakers is written under "random split", beside the 0.95 that belongs there, and its own name is
# gone. Of the sources of two results, one is left. A card with two networks is read as one: all results get the name
# of the last, and saving the card writes that. No warning in either case. A dataset_config of its own for each
# protocol avoids the first, one network per card the second.
#
# Why it matters here: the protocol decides more than the network in speech emotion recognition, and its natural place
# is the name or the arguments of the dataset. Leaderboards are read from cards.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  huggingface_hub==2.4.0 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys

import huggingface_hub
from huggingface_hub import EvalResult, ModelCard, ModelCardData

print("huggingface_hub", huggingface_hub.__version__)


def result(protocol, value, config=None):
    """UAR on RAVDESS under a protocol."""
    return EvalResult(
        task_type="audio-classification", dataset_type="ravdess", dataset_name=f"RAVDESS, {protocol}",
        dataset_config=config, dataset_args={"protocol": protocol}, metric_type="recall", metric_name="UAR",
        metric_value=value, source_name="ours", source_url=f"https://example.org/{value}",
    )  # fmt: skip


def read_back(results):
    """Write a card and read it."""
    text = f"---\n{ModelCardData(model_name='cnn', eval_results=results).to_yaml()}\n---\n# cnn\n"
    read = ModelCard(text).data.eval_results
    return [(one.dataset_name, one.dataset_args["protocol"], one.metric_value, one.source_url) for one in read]


same = read_back([result("random split", 0.95), result("unseen speakers", 0.61)])
apart = read_back([result("random split", 0.95, "random"), result("unseen speakers", 0.61, "speakers")])
for name, read in (("no configuration", same), ("a configuration each", apart)):
    print(name, *read, sep="\n  ")

entry = """- name: {name}
  results:
  - task: {{type: audio-classification}}
    dataset: {{type: emodb, name: EmoDB}}
    metrics: [{{type: recall, name: UAR, value: {value}}}]
"""
two = entry.format(name="svm", value=0.6) + entry.format(name="cnn", value=0.8)
card = ModelCard(f"---\nmodel-index:\n{two}---\n# two networks\n")
merged = card.data.model_name, [one.metric_value for one in card.data.eval_results], str(card).count("name: svm")
print("two networks, svm 0.6 and cnn 0.8, are read as", merged[:2], "and written with", merged[2], "times svm")

ours = [("RAVDESS, random split", "random split", value, "https://example.org/0.95") for value in (0.95, 0.61)]
if same != ours or apart[1][:3] != ("RAVDESS, unseen speakers", "unseen speakers", 0.61):
    sys.exit("CHANGED: results keep their own dataset")
if merged != ("cnn", [0.6, 0.8], 0):
    sys.exit("CHANGED: two networks of a card are told apart")
print("as described")
EOF
