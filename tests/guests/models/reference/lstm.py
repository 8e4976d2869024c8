"""Makes ../lstm.onnx: an LSTM of 64 over thirty rows of eight features, and a dense layer. Its weights are drawn, not learnt:
it is there to be timed.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python lstm.py
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROWS, FEATURES, HIDDEN = 30, 8, 64
RNG = np.random.default_rng(11)


def drawn(*shape):
    return RNG.normal(0, 0.125, shape)


def main():
    weights = {"W": drawn(1, 4 * HIDDEN, FEATURES), "R": drawn(1, 4 * HIDDEN, HIDDEN), "B": drawn(1, 8 * HIDDEN),
               "D": drawn(1, HIDDEN), "d": drawn(1)}
    made = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()]
    made.append(numpy_helper.from_array(np.array([0], np.int64), "first"))
    nodes = [
        helper.make_node("LSTM", ["window", "W", "R", "B"], ["", "last"], name="memory", hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["last", "first"], ["row"], name="row"),
        helper.make_node("Gemm", ["row", "D", "d"], ["answer"], name="answer", transB=1),
    ]
    value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "lstm", [value("window", ROWS, 1, FEATURES)], [value("answer", 1, 1)], made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(pathlib.Path(__file__).parent.parent / "lstm.onnx"))


if __name__ == "__main__":
    main()
