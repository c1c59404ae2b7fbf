#!/usr/bin/env bash
# numpy: the product of a part of a matrix is not that part of the product.
#
# Guess: each row of `x @ m` depends on that row alone, so that frames can be multiplied in parts, one by one or as they
# come, with the same numbers.
#
# What happens (numpy 2.4.6 with OpenBLAS 0.3.31): a row that is multiplied alone is added up in another order than
# among others, and so are the last rows of a block whose number is not a multiple of what the processor's kernel takes
# at once. Mel powers differ in the last bits of float64; which rows do depends on the processor (OPENBLAS_CORETYPE).
# Blocks that begin at a multiple of 64, the last one with the rest, give the bits of the whole product.
#
# Why it matters here: features that are cached, or hashed, in float32 differ now and then in their last bit between
# a stream, a batch and a single file, and a training that starts from them ends elsewhere.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 2>pip.log || { cat pip.log >&2; exit 2; }

cat >parts.py <<'EOF'
import numpy as np

random = np.random.default_rng(0)
power, filters = random.random((391, 201)), random.random((201, 40))
whole = power @ filters
counts = []
for limits in (range(391), range(0, 391, 131), (0, 128, 256)):
    starts = list(limits)
    parts = [power[a:b] @ filters for a, b in zip(starts, [*starts[1:], 391])]
    counts.append(int((np.concatenate(parts) != whole).any(axis=1).sum()))
print(*counts)
EOF

differ=0
for kernels in Nehalem Haswell; do
  read -r alone odd even < <(OPENBLAS_CORETYPE=$kernels OPENBLAS_NUM_THREADS=1 venv/bin/python parts.py)
  echo "$kernels: rows that differ: one by one $alone, blocks of 131 $odd, blocks from multiples of 128 on $even (of 391)"
  [ "$alone" -gt 0 ] && [ "$odd" -gt 0 ] && [ "$even" -eq 0 ] && differ=$((differ + 1))
done
[ "$differ" -eq 2 ] || { echo "CHANGED: products of parts have other bits than described"; exit 1; }
echo "as described"
