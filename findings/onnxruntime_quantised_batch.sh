#!/usr/bin/env bash
# After dynamic 8-bit quantisation, a recording's answer depends on the other recordings of its batch.
#
# Guess: quantize_dynamic costs a little accuracy, the same for one recording alone and in a batch: rows of a batch do
# not meet in a network of convolutions and pooling, and they do not in its float32 file.
#
# What happens (onnxruntime 1.32.0): "dynamic" means that the scale of the activations is found at run time, from the
# least and the greatest value of the whole tensor, batch included. A louder neighbour coarsens the steps of all
# others. Here an answer moves by several hundredths of probability with one neighbour 20 times as loud, while the
# float32 file gives the same bits. A batch of one shows nothing.
#
# Why it matters here: small networks are quantised for phones, and tested in batches of a whole corpus, in which
# somebody shouts. The figures of such a test belong to that order of that corpus; on the phone, one utterance at a
# time, the answers are others.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__, "numpy", np.__version__)
random = np.random.default_rng(0)
sizes, nodes, weights, last = (40, 64, 128, 128), [], [], "features"
for k, (before, after) in enumerate(zip(sizes, sizes[1:])):
    kernel = random.standard_normal((after, before, 5)) * np.sqrt(2 / (5 * before))
    weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"kernel{k}"))
    nodes.append(helper.make_node("Conv", [last, f"kernel{k}"], [f"conv{k}"], pads=[2, 2]))
    nodes.append(helper.make_node("Relu", [f"conv{k}"], [f"relu{k}"]))
    last = f"relu{k}"
weights.append(numpy_helper.from_array(random.standard_normal((128, 8)).astype(np.float32), "dense"))
nodes += [
    helper.make_node("GlobalAveragePool", [last], ["mean"]),
    helper.make_node("Flatten", ["mean"], ["flat"]),
    helper.make_node("Gemm", ["flat", "dense"], ["logits"]),
    helper.make_node("Softmax", ["logits"], ["emotions"]),
]
ends = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 40, "time"])]
ends += [helper.make_tensor_value_info("emotions", TensorProto.FLOAT, ["n", 8])]
graph = helper.make_graph(nodes, "conv1d", ends[:1], ends[1:], weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "float.onnx")
quantize_dynamic("float.onnx", "quantised.onnx", weight_type=QuantType.QUInt8)

batch = random.standard_normal((4, 40, 300)).astype(np.float32)
batch[1] *= 20
moved = {}
for name in ("float", "quantised"):
    session = onnxruntime.InferenceSession(f"{name}.onnx", providers=["CPUExecutionProvider"])
    alone, beside = (session.run(None, {"features": part})[0][0] for part in (batch[:1], batch))
    moved[name] = np.abs(alone - beside).max()
    print(f"{name:9} alone {alone.round(3)}, in the batch {beside.round(3)}: moved by {moved[name]:.2g}")
if not (moved["float"] < 1e-5 and moved["quantised"] > 0.005):
    sys.exit("CHANGED: dynamic quantisation no longer looks at the whole batch")
print("as described")
EOF
