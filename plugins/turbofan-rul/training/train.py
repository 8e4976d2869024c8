"""Trains the GRU ensemble of turbofan-rul on C-MAPSS FD001 and writes it as ONNX.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python train.py FOLDER_OF_CMAPSS

Five networks, each trained on four fifths of the 100 training engines; what each says of the fifth it has not seen
makes the interval. The number of epochs and the sizes were chosen on those unseen fifths; the 100 test engines are
looked at once, at the end, and nothing is chosen by them. Label: remaining cycles, capped at 125, also in the test.
Everything is seeded; two runs on one machine give the same file.
"""
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import QuantileRegressor

HERE = pathlib.Path(__file__).parent
CAP = 125.0
# Sensors that change in FD001, numbered from 1 as in the data's description.
SENSORS = (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)
HIDDEN = 24
FOLDS = 5
EPOCHS = 240
BATCH = 16
RATE = 4e-3
DECAY = 1e-4
NOISE = 0.1
DROP = 0.2
SEED = 20261130
# Knees of the interval's lines, in cycles; every how many-th cycle they are fitted to (neighbours say the same).
KNEES = np.array([0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 115.0])
RULE_STEP = 5


def read(path):
    """Engines as arrays of cycles × sensors."""
    table = np.loadtxt(path)
    return [table[table[:, 0] == unit][:, [4 + s for s in SENSORS]] for unit in np.unique(table[:, 0])]


def life(engine):
    """Remaining cycles at each cycle of an engine that ran to its end, capped."""
    return np.minimum(np.arange(len(engine) - 1, -1, -1.0), CAP)


def start(key):
    """ONNX layout: W [3H, I], R [3H, H], B [6H]; gates z, r, h."""
    k = jax.random.split(key, 3)
    inputs, bound = len(SENSORS), 1.0 / np.sqrt(HIDDEN)
    uniform = lambda key, *shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    return {
        "W": uniform(k[0], 3 * HIDDEN, inputs), "R": uniform(k[1], 3 * HIDDEN, HIDDEN), "B": jnp.zeros(6 * HIDDEN),
        "A": uniform(k[2], 1, HIDDEN), "c": jnp.full((1,), 0.5),
    }


def cell(p, h, x):
    """One step of ONNX's GRU with linear_before_reset = 1."""
    a = x @ p["W"].T + p["B"][: 3 * HIDDEN]
    b = h @ p["R"].T + p["B"][3 * HIDDEN:]
    z = jax.nn.sigmoid(a[..., :HIDDEN] + b[..., :HIDDEN])
    r = jax.nn.sigmoid(a[..., HIDDEN: 2 * HIDDEN] + b[..., HIDDEN: 2 * HIDDEN])
    n = jnp.tanh(a[..., 2 * HIDDEN:] + r * b[..., 2 * HIDDEN:])
    return (1 - z) * n + z * h


def run(p, x, mask=1.0):
    """Remaining life / CAP of a batch [N, T, I] at every cycle: [N, T]."""
    def step(h, x):
        h = cell(p, h, x)
        return h, (h * mask) @ p["A"][0] + p["c"][0]
    h = jnp.zeros((x.shape[0], HIDDEN))
    _, y = jax.lax.scan(step, h, jnp.swapaxes(x, 0, 1))
    return jnp.swapaxes(y, 0, 1)


def loss(p, x, y, w, key):
    noise, drop = jax.random.split(key)
    # A sensor's level differs a little from engine to engine: noise that stays for the whole run stands for that.
    level = NOISE * jax.random.normal(noise, (x.shape[0], 1, x.shape[2]))
    mask = jax.random.bernoulli(drop, 1 - DROP, (x.shape[0], HIDDEN)) / (1 - DROP)
    e = run(p, x + level, mask) - y
    return jnp.sum(w * e * e) / jnp.sum(w)


@jax.jit
def update(p, m, v, t, rate, x, y, w, key):
    """One step of Adam with decoupled weight decay."""
    g = jax.grad(loss)(p, x, y, w, key)
    norm = jnp.sqrt(sum(jnp.sum(a * a) for a in jax.tree.leaves(g)))
    g = jax.tree.map(lambda a: a * jnp.minimum(1.0, 1.0 / norm), g)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    move = lambda p, m, v: p - rate * (m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8) + DECAY * p)
    return jax.tree.map(move, p, m, v), m, v


@jax.jit
def predict(p, x):
    return CAP * jnp.clip(run(p, x), 0.0, 1.0)


def padded(engines):
    length = max(len(e) for e in engines)
    x = np.zeros((len(engines), length, len(SENSORS)), np.float32)
    y, w = np.zeros((len(engines), length), np.float32), np.zeros((len(engines), length), np.float32)
    for i, e in enumerate(engines):
        x[i, : len(e)], y[i, : len(e)], w[i, : len(e)] = e, life(e) / CAP, 1.0
    return x, y, w


def score(error):
    """NASA's, of predicted − true."""
    return float(np.sum(np.where(error < 0, np.exp(-error / 13) - 1, np.exp(error / 10) - 1)))


def rmse(error):
    return float(np.sqrt(np.mean(np.square(error))))


def train(engines, seed, watch=None):
    x, y, w = padded(engines)
    key = jax.random.key(seed)
    rng = np.random.default_rng(seed)
    p = start(key)
    m, v = (jax.tree.map(jnp.zeros_like, p) for _ in range(2))
    t, steps = 0, EPOCHS * (len(engines) // BATCH)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(engines))
        for batch in order[: len(engines) // BATCH * BATCH].reshape(-1, BATCH):
            t += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * t / steps))
            p, m, v = update(p, m, v, float(t), rate, x[batch], y[batch], w[batch], jax.random.fold_in(key, t))
        if watch and (epoch + 1) % 40 == 0:
            watch(epoch + 1, p)
    return p


def main(folder):
    folder = pathlib.Path(folder)
    engines, tests = read(folder / "train_FD001.txt"), read(folder / "test_FD001.txt")
    truth = np.minimum(np.loadtxt(folder / "RUL_FD001.txt"), CAP)
    rows = np.vstack(engines)
    mean, spread = rows.mean(0), rows.std(0)
    engines = [(e - mean) / spread for e in engines]
    tests = [(e - mean) / spread for e in tests]
    fold_of = np.random.default_rng(SEED).permutation(len(engines)) % FOLDS
    x, y, w = padded(engines)
    unseen = np.zeros_like(y)
    networks = []
    for fold in range(FOLDS):
        mine = [e for e, f in zip(engines, fold_of) if f != fold]
        apart = fold_of == fold
        def watch(epoch, p):
            e = (np.asarray(predict(p, x[apart])) - CAP * y[apart])[w[apart] > 0]
            print(f"fold {fold} epoch {epoch}: RMSE {rmse(e):.2f} on engines not seen", flush=True)
        p = train(mine, SEED + fold, watch)
        unseen[apart] = np.asarray(predict(p, x[apart]))
        networks.append(jax.tree.map(np.asarray, p))
    e = (unseen - CAP * y)[w > 0]
    print(f"engines not seen: RMSE {rmse(e):.2f} over all cycles")
    xt, _, _ = padded(tests)
    last = [len(e) - 1 for e in tests]
    said = np.mean([np.asarray(predict(p, xt))[np.arange(len(tests)), last] for p in networks], axis=0)
    print(f"test engines: RMSE {rmse(said - truth):.2f}, score {score(said - truth):.0f}, each:",
          [round(rmse(np.asarray(predict(p, xt))[np.arange(len(tests)), last] - truth), 2) for p in networks])
    said, label = unseen[w > 0][::RULE_STEP], CAP * y[w > 0][::RULE_STEP]
    model = export(networks, mean, spread, [rule(said, label, tail) for tail in (0.05, 0.95)])
    onnx.checker.check_model(model)
    onnx.save(model, str(HERE.parent / "model.onnx"))
    reference(model, mean, spread, np.mean([e[-10:].mean(0) for e in engines], axis=0))


def rule(said, label, tail):
    """The `tail` quantile of the label as a line with knees at KNEES over what was said: offset, then slopes."""
    hinges = np.maximum(said[:, None] - KNEES, 0.0)
    fit = QuantileRegressor(quantile=tail, alpha=0.0, solver="highs").fit(hinges, label)
    return [fit.intercept_, *fit.coef_]


def export(networks, mean, spread, rules):
    """One cycle of all networks: sensors and memories in, remaining life, interval and memories out."""
    count, inputs = len(networks), len(SENSORS)
    constants, nodes = {}, []

    def constant(name, value, kind=np.float32):
        constants[name] = np.asarray(value, kind)
        return name

    def node(kind, takes, gives, **attributes):
        nodes.append(helper.make_node(kind, takes, gives, name=gives[-1], **attributes))
        return gives[-1]

    x = node("Sub", ["sensors", constant("mean", mean)], ["centred"])
    x = node("Div", [x, constant("spread", spread)], ["scaled"])
    total = None
    for i, p in enumerate(networks):
        weights = [constant(f"{k}{i}", p[k][None]) for k in ("W", "R", "B")]
        node("GRU", [x, *weights, "", f"memory_{i}"], [f"all_{i}", f"memory_{i}_next"], hidden_size=HIDDEN, linear_before_reset=1)
        h = node("Squeeze", [f"memory_{i}_next", constant(f"first_{i}", [0], np.int64)], [f"flat_{i}"])
        one = node("Gemm", [h, constant(f"A{i}", p["A"]), constant(f"c{i}", p["c"])], [f"part_{i}"], transB=1)
        one = node("Clip", [one, constant(f"none_{i}", 0.0), constant(f"full_{i}", 1.0)], [f"life_{i}"])
        total = one if total is None else node("Add", [total, one], [f"sum_{i}"])
    life = node("Mul", [total, constant("cap", CAP / count)], ["remaining"])
    hinge = node("Relu", [node("Sub", [life, constant("knees", KNEES)], ["beyond"])], ["hinges"])
    line = np.array(rules)
    ends = node("Gemm", [hinge, constant("slopes", line[:, 1:]), constant("offsets", line[:, 0])], ["ends"], transB=1)
    node("Clip", [ends, constant("least", 0.0), constant("most", CAP)], ["interval"])
    value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    memories = [f"memory_{i}" for i in range(count)]
    graph = helper.make_graph(
        nodes, "turbofan-rul",
        [value("sensors", 1, 1, inputs), *[value(m, 1, 1, HIDDEN) for m in memories]],
        [value("remaining", 1, 1), value("interval", 1, 2), *[value(f"{m}_next", 1, 1, HIDDEN) for m in memories]],
        [numpy_helper.from_array(a, name) for name, a in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="train.py")


def reference(model, mean, spread, worn):
    """What onnxruntime says of an engine that nobody built, which wears as engines do (`worn`: where they end, in spreads):
    sensors, remaining life and interval, cycle by cycle."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(SEED)
    memory = {f"memory_{i}": np.zeros((1, 1, HIDDEN), np.float32) for i in range(FOLDS)}
    text = ""
    for cycle in range(1, 201):
        sensors = mean + spread * (0.4 * rng.normal(size=len(SENSORS)) - 0.5 * worn + 1.5 * worn * (cycle / 195.0) ** 3)
        # The plugin's inputs are f64, the model's f32: written as f32, both read the same.
        sensors = sensors.astype(np.float32)
        given = session.run(None, {"sensors": sensors[None, None], **memory})
        memory = {f"memory_{i}": given[2 + i] for i in range(FOLDS)}
        numbers = [*sensors, given[0].item(), *given[1].ravel()]
        text += " ".join(repr(float(n)) for n in numbers) + "\n"
    (HERE.parent / "tests" / "reference").mkdir(parents=True, exist_ok=True)
    (HERE.parent / "tests" / "reference" / "onnxruntime.txt").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
