#!/usr/bin/env bash
# The first step of fit() is traced twice; with the optimizer's and the metrics' variables made before, once.
#
# Guess: Keras on TensorFlow turns train_step into a graph once for each shape of the batch. The seconds before the first
# epoch moves are that graph and cannot be helped.
#
# What happens (keras 3.15.1, tensorflow-cpu 2.21.0): compile() makes neither the moments of Adam nor the variables of the
# metrics. They are made while the first step is traced, and TensorFlow traces a function anew whose first trace made
# variables, so the Python code of train_step, forwards and backwards, runs twice. optimizer.build(trainable_variables)
# alone does not change that. With a call of compute_metrics on zeros before (and reset_metrics after), the step is traced
# once. Losses and weights are the same to the last bit.
#
# Why it matters here: networks of this field train for seconds per fold, and there are many folds, seeds and systems. An
# unrolled bidirectional LSTM of 50 steps needs 9 s until its first step, four of them for the graph that is thrown away.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  keras==3.15.1 tensorflow-cpu==2.21.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

KERAS_BACKEND=tensorflow KERAS_HOME="$folder" TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - <<'EOF' 2>errors.log || { tail -3 errors.log >&2; exit 1; }
import sys
import time

import keras
import numpy as np
import tensorflow as tf

print("keras", keras.__version__, "tensorflow", tf.__version__, "numpy", np.__version__)
layers = keras.layers
random = np.random.default_rng(0)
x, y = random.standard_normal((64, 50, 40)).astype("float32"), random.integers(0, 8, 64)


class Counted(keras.Model):
    traced = 0

    def train_step(self, data):
        self.traced += 1
        return super().train_step(data)


def first_epoch(prepare):
    """Return how often the step was traced, the seconds until the first epoch ended, and loss and weights."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((50, 40))
    hidden = layers.Bidirectional(layers.LSTM(64, unroll=True))(inputs)
    network = Counted(inputs, layers.Dense(8, activation="softmax")(layers.Dropout(0.3)(hidden)))
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    start = time.perf_counter()
    prepare(network)
    history = network.fit(x, y, batch_size=32, shuffle=False, verbose=0).history
    return network.traced, time.perf_counter() - start, history["loss"], network.get_weights()


def optimizer(network):
    network.optimizer.build(network.trainable_variables)


def both(network):
    optimizer(network)
    network.compute_metrics(None, tf.zeros(1, tf.int64), tf.zeros((1, 8)))
    network.reset_metrics()


found = {}
for name, prepare in (("as it is", lambda network: None), ("optimizer built", optimizer), ("and metrics", both)):
    found[name] = first_epoch(prepare)
    print(f"{name}: train_step traced {found[name][0]} times, first epoch after {found[name][1]:.1f} s")
counts = [traced for traced, *_ in found.values()]
(_, _, loss, weights), (_, _, same_loss, same_weights) = found["as it is"], found["and metrics"]
same = loss == same_loss and all(map(np.array_equal, weights, same_weights))
print("same loss and weights:", same)
if counts != [2, 2, 1] or not same:
    print("CHANGED: the first step is traced", counts, "times")
    sys.exit(1)
print("as described")
EOF
