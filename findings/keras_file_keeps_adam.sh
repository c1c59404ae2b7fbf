#!/usr/bin/env bash
# A .keras file saved with include_optimizer=False holds the optimizer all the same.
#
# Guess: model.save(path, include_optimizer=False) leaves out the optimizer, as it does for .h5 files; an
# Adam file shrinks to about a third, and the loaded network is not compiled.
#
# What happens (keras 3.15.1): for .keras files the argument is taken and ignored, without an error or a warning. The
# file has the same size, and both moments of Adam come back with the network, which continues training where it was.
# What leaves them out is a network made anew from get_config() with the weights copied; clone_model() compiles its
# copy, too.
#
# Why it matters here: the networks of this field are small and are put on phones and web pages, where 2.6 times the
# size counts, and file sizes in papers include what no prediction uses. Who leaves the optimizer out for that reason,
# or because the training state is not to be published, publishes it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

KERAS_BACKEND=jax KERAS_HOME="$folder" venv/bin/python - <<'EOF'
import logging
import os
import sys

import jax
import keras
import numpy as np

logging.disable(logging.WARNING)
print("keras", keras.__version__, "jax", jax.__version__, "numpy", np.__version__)
random = np.random.default_rng(0)
network = keras.Sequential(
    [
        keras.Input((100, 40)),
        keras.layers.Conv1D(64, 5, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(8, activation="softmax"),
    ]
)
network.compile("adam", "sparse_categorical_crossentropy")
network.fit(random.standard_normal((16, 100, 40)), random.integers(0, 8, 16), verbose=0)
size = {}
for suffix in ("keras", "h5"):
    for included in (True, False):
        name = f"{included}.{suffix}"
        network.save(name, include_optimizer=included)
        size[suffix, included] = os.path.getsize(name)
        print(f"{suffix:5} include_optimizer={included}: {size[suffix, included]} bytes")
loaded = keras.saving.load_model("False.keras")
moments = sum(np.abs(np.asarray(v)).sum() > 0 for v in loaded.optimizer.variables) if loaded.optimizer else 0
print(f"loaded from include_optimizer=False: compiled {loaded.compiled}, arrays of the optimizer not zero: {moments}")
copy = keras.Sequential.from_config(network.get_config())
copy.set_weights(network.get_weights())
copy.save("bare.keras")
bare = os.path.getsize("bare.keras")
print("the same layers and weights, never compiled:", bare, "bytes")
kept = size["keras", False] == size["keras", True] and moments >= 8 and bare < 0.6 * size["keras", True]
if not (kept and size["h5", False] < 0.6 * size["h5", True]):
    sys.exit("CHANGED: include_optimizer is no longer ignored for .keras files")
print("as described")
EOF
