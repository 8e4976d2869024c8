"""Makes small ONNX models and what onnxruntime says of them, for the reader of the SDK's models.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make.py

`NAME.onnx` with `NAME.txt`: lines `in shape… : values…` and `out shape… : values…`, in the model's order. Models in `refused`
cannot be run by the SDK and are there to be refused by name. Rerun only to change a case: the files are committed.
"""
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(7)


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(nodes, inputs, outputs, weights, opset=17):
    made = [numpy_helper.from_array(np.asarray(a, np.int64 if np.asarray(a).dtype.kind == "i" else np.float32), n)
            for n, a in weights.items()]
    graph = helper.make_graph(nodes, "golden", inputs, outputs, made)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def shown(kind, array):
    return f"{kind} {' '.join(map(str, array.shape))} : {' '.join(repr(float(v)) for v in array.ravel())}\n"


def write(name, made, *given):
    onnx.checker.check_model(made)
    onnx.save(made, str(HERE / f"{name}.onnx"))
    given = [np.asarray(g, np.float32) for g in given]
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    out = session.run(None, {i.name: g for i, g in zip(session.get_inputs(), given)})
    (HERE / f"{name}.txt").write_text("".join(shown("in", g) for g in given) + "".join(shown("out", o) for o in out))


def layer(kind, hidden, inputs):
    gates = 3 if kind == "GRU" else 4
    normal = lambda *shape: RNG.normal(0, 0.5, shape)
    return {"W": normal(1, gates * hidden, inputs), "R": normal(1, gates * hidden, hidden), "B": normal(1, 2 * gates * hidden)}


def recurrent(name, kind, **attributes):
    """Five steps of two rows; the memory goes in and all outputs come out."""
    hidden, inputs, outs = 4, 3, ["Y", "Y_h"] + (["Y_c"] if kind == "LSTM" else [])
    states = ["h0"] + (["c0"] if kind == "LSTM" else [])
    node = helper.make_node(kind, ["X", "W", "R", "B", "", *states], outs, name=name, hidden_size=hidden, **attributes)
    shapes = [value("Y", 5, 1, 2, hidden)] + [value(o, 1, 2, hidden) for o in outs[1:]]
    made = model([node], [value("X", 5, 2, inputs), *[value(s, 1, 2, hidden) for s in states]], shapes, layer(kind, hidden, inputs))
    write(name, made, RNG.normal(size=(5, 2, inputs)), *[RNG.normal(size=(1, 2, hidden)) for _ in states])


def as_torch_exports():
    """Batch first, LSTM, last step, two dense layers: the chain that PyTorch's exporter writes."""
    hidden, inputs = 6, 4
    weights = {**layer("LSTM", hidden, inputs), "h0": np.zeros((1, 1, hidden)), "c0": np.zeros((1, 1, hidden)),
               "one": np.array([1]), "last": np.array(-1), "D": RNG.normal(size=(5, hidden)), "d": RNG.normal(size=5),
               "E": RNG.normal(size=(1, 5)), "e": RNG.normal(size=1)}
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["xt", "W", "R", "B", "", "h0", "c0"], ["y", "", ""], hidden_size=hidden),
        helper.make_node("Squeeze", ["y", "one"], ["ys"]),
        helper.make_node("Transpose", ["ys"], ["yt"], perm=[1, 0, 2]),
        helper.make_node("Gather", ["yt", "last"], ["hl"], axis=1),
        helper.make_node("Gemm", ["hl", "D", "d"], ["g"], transB=1),
        helper.make_node("Relu", ["g"], ["r"]),
        helper.make_node("Gemm", ["r", "E", "e"], ["p"], transB=1, alpha=0.5, beta=2.0),
        helper.make_node("Sigmoid", ["p"], ["failure"]),
    ]
    made = model(nodes, [value("x", 1, 30, inputs)], [value("failure", 1, 1)], weights)
    write("lstm-failure", made, RNG.normal(size=(1, 30, inputs)))


def everything_else():
    """Shapes and arithmetic with broadcasting."""
    weights = {"scale": RNG.uniform(1, 2, (3, 1)), "low": np.array(-0.7, np.float32), "high": np.array(0.6, np.float32),
               "M": RNG.normal(size=(4, 5)), "axes": np.array([0, 2]), "shape": np.array([0, -1]), "pick": np.array([2, 0])}
    nodes = [
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(np.array([0.5], np.float32))),
        helper.make_node("Div", ["x", "scale"], ["a"]),
        helper.make_node("Sub", ["a", "half"], ["b"]),
        helper.make_node("Clip", ["b", "low", "high"], ["c"]),
        helper.make_node("Tanh", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "M"], ["e"]),
        helper.make_node("Unsqueeze", ["e", "axes"], ["f"]),
        helper.make_node("Flatten", ["f"], ["g"], axis=2),
        helper.make_node("Gather", ["g", "pick"], ["h"], axis=0),
        helper.make_node("Transpose", ["h"], ["i"]),
        helper.make_node("Concat", ["i", "i"], ["j"], axis=1),
        helper.make_node("ReduceMean", ["j"], ["k"], axes=[-1], keepdims=1),
        helper.make_node("Mul", ["j", "k"], ["l"]),
        helper.make_node("Add", ["l", "half"], ["m"]),
        helper.make_node("Reshape", ["m", "shape"], ["n"]),
        helper.make_node("Dropout", ["n"], ["o"]),
        helper.make_node("Identity", ["o"], ["out"]),
    ]
    made = model(nodes, [value("x", 3, 4)], [value("out", 5, 4)], weights)
    write("everything-else", made, RNG.normal(size=(3, 4)))


def refused():
    """Models that must be refused, and by what."""
    folder = HERE / "refused"
    folder.mkdir(exist_ok=True)
    save = lambda name, made: (folder / f"{name}.onnx").write_bytes(made.SerializeToString())
    x, y = [value("x", 1, 1, 4)], [value("y", 1, 1, 4)]
    conv = helper.make_node("Conv", ["x", "K"], ["y"], name="filter", kernel_shape=[1])
    save("operator", model([conv], x, y, {"K": np.ones((1, 1, 1), np.float32)}))
    save("domain", helper.make_model(
        helper.make_graph([helper.make_node("Gelu", ["x"], ["y"], name="bend", domain="com.vendor")], "g", x, y),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.vendor", 1)], ir_version=8))
    gru = lambda **a: helper.make_node("GRU", ["x", "W", "R", "B"], ["", "y"], name="gru", hidden_size=4, **a)
    save("direction", model([gru(direction="bidirectional")], x, y, layer("GRU", 4, 4)))
    save("activations", model([gru(activations=["Relu", "Tanh"])], x, y, layer("GRU", 4, 4)))
    save("clip", model([gru(clip=3.0)], x, y, layer("GRU", 4, 4)))
    save("opset", model([helper.make_node("Relu", ["x"], ["y"])], x, y, {}, opset=9))
    save("order", model([helper.make_node("Relu", ["z"], ["y"], name="early"), helper.make_node("Relu", ["x"], ["z"])], x, y, {}))
    double = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1, 1, 4])
    save("type", model([helper.make_node("Relu", ["x"], ["y"])], [double], y, {}))
    save("weights", model([helper.make_node("Add", ["x", "K"], ["y"])], x, y, {"K": np.array([np.nan], np.float32)}))
    outside = model([helper.make_node("Add", ["x", "K"], ["y"])], x, y, {"K": np.ones(4, np.float32)})
    outside.graph.initializer[0].data_location = TensorProto.EXTERNAL
    save("outside", outside)


if __name__ == "__main__":
    recurrent("gru-after-reset", "GRU", linear_before_reset=1)
    recurrent("gru-before-reset", "GRU")
    recurrent("lstm", "LSTM")
    as_torch_exports()
    everything_else()
    refused()
