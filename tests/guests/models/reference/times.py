"""Times what Python libraries take for the steps that `geminus bench` measures as `models.*`, and writes times.json.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python times.py "the machine in words"

One thread, one twin, one row a call, as a service would that gets a row at a time. The rows are those of `../src/kind.rs`, the
models those of `../src`. `us` is processor time of the thread in the fastest run, since other work on a machine only adds to it;
`answer` is what the last row gives, which the crate's tests hold the Rust code against.
"""
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import sys
import time

for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[name] = "1"

import numpy as np
import onnxruntime
import osqp
from filterpy.kalman import ExtendedKalmanFilter, KalmanFilter, MerweScaledSigmaPoints, UnscentedKalmanFilter
from filterpy.monte_carlo import systematic_resample
from scipy import sparse
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

HERE = pathlib.Path(__file__).parent
TICKS, RUNS = 300, 7
INTERVAL, WANDER, CLOUD_WANDER, PARTICLES = 0.1, 0.5, 3.0, 256
FIRST = np.diag([4.0, 4.0, 9.0, 9.0])
F = np.eye(4)
F[0, 2] = F[1, 3] = INTERVAL
G = np.array([[INTERVAL**2 / 2, 0], [0, INTERVAL**2 / 2], [INTERVAL, 0], [0, INTERVAL]])
Q = G @ G.T * WANDER**2
RADAR = np.diag([0.25, 1e-4])


def scene(tick):
    phase = 0.005 * tick
    across, along = math.cos(phase), math.sin(phase)
    noise = ((tick * 37) % 97 - 48) / 96
    return across, along, noise, 200 + 50 * across, 150 + 50 * along


def place_row(tick):
    _, _, noise, x, y = scene(tick)
    return np.array([x + noise, y - noise]), 0.5 + 0.2 * noise


def radar_row(tick):
    _, _, noise, x, y = scene(tick)
    return np.array([math.hypot(x, y) + noise, math.atan2(y, x) + 0.01 * noise])


def by_radar(z):
    return np.array([z[0] * math.cos(z[1]), z[0] * math.sin(z[1]), 0, 0])


def seen(x):
    return np.array([math.hypot(x[0], x[1]), math.atan2(x[1], x[0])])


def sight(x):
    square = x[0] ** 2 + x[1] ** 2
    distance = math.sqrt(square)
    return np.array([[x[0] / distance, x[1] / distance, 0, 0], [-x[1] / square, x[0] / square, 0, 0]])


def linear():
    f = KalmanFilter(dim_x=4, dim_z=2)
    f.F, f.Q, f.P, f.R = F, Q, FIRST.copy(), np.eye(2) * 0.25
    f.H = np.eye(2, 4)
    return f


def kalman():
    f = linear()

    def step(z):
        f.predict()
        f.update(z)
        return f.x[0]

    def start(z):
        f.x = np.array([z[0], z[1], 0, 0])

    return [place_row(tick)[0] for tick in range(TICKS)], start, step


def ekf():
    f = ExtendedKalmanFilter(dim_x=4, dim_z=2)
    f.F, f.Q, f.P, f.R = F, Q, FIRST.copy(), RADAR

    def start(z):
        f.x = by_radar(z)

    def step(z):
        f.predict()
        f.update(z, sight, seen)
        return f.x[0]

    return [radar_row(tick) for tick in range(TICKS)], start, step


def ukf():
    points = MerweScaledSigmaPoints(4, alpha=0.1, beta=2.0, kappa=0.0)
    f = UnscentedKalmanFilter(4, 2, INTERVAL, seen, lambda x, dt: F @ x, points)
    f.Q, f.P, f.R = Q, FIRST.copy(), RADAR

    def start(z):
        f.x = by_radar(z)

    def step(z):
        f.predict()
        f.update(z)
        return f.x[0]

    return [radar_row(tick) for tick in range(TICKS)], start, step


def particle():
    rng = np.random.default_rng(1)
    held = {}

    def start(z):
        held["x"] = rng.multivariate_normal(by_radar(z), FIRST, PARTICLES)
        held["w"] = np.full(PARTICLES, 1 / PARTICLES)

    def step(z):
        x, w = held["x"] @ F.T + rng.normal(0, CLOUD_WANDER, (PARTICLES, 2)) @ G.T, held["w"]
        far, aside = z[0] - np.hypot(x[:, 0], x[:, 1]), z[1] - np.arctan2(x[:, 1], x[:, 0])
        likely = -0.5 * (far**2 / 0.25 + aside**2 / 1e-4)
        w = w * np.exp(likely - likely.max())
        w /= w.sum()
        if 1 / (w @ w) < 0.5 * PARTICLES:
            x, w = x[systematic_resample(w)], np.full(PARTICLES, 1 / PARTICLES)
        held["x"], held["w"] = x, w
        mean = w @ x
        away = x - mean
        held["P"] = (away * w[:, None]).T @ away
        return mean[0]

    return [radar_row(tick) for tick in range(TICKS)], start, step


def surrogate():
    places = np.outer(np.arange(1, 201), [0.8191725133961645, 0.6710436067037893, 0.5497004779019703]) % 1.0
    a, b, c = places.T
    kernel = ConstantKernel(1.0) * Matern([0.7] * 3, nu=2.5) + WhiteKernel(1e-4)
    process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
    return process.fit(places, np.sin(3 * a) + b * b - 0.5 * c * a)


def gp():
    process = surrogate()

    def step(at):
        mean, _ = process.predict(at, return_std=True)
        return mean[0]

    rows = [np.array([[0.5 + 0.4 * across, 0.5 + 0.4 * along, 0.5 + 0.2 * noise]])
            for across, along, noise, *_ in map(scene, range(TICKS))]
    return rows, lambda _: None, step


def neural_ode():
    lines = (HERE / "../../../../sdk/models/data/cstr.neural-ode").read_text().splitlines()
    fields = {}
    layers = []
    for name, *values in (line.split() for line in lines if line.strip()):
        if name == "weight":
            layers.append([np.array(values, float), None])
        elif name == "bias":
            layers[-1][1] = np.array(values, float)
        else:
            fields[name] = np.array(values, float)
    layers = [(weight.reshape(len(bias), -1), bias) for weight, bias in layers]
    offset, scale, rate = fields["offset"], fields["scale"], fields["rate"]

    def rates(x, u):
        h = (np.append(x, u) - offset) / scale
        for weight, bias in layers[:-1]:
            h = np.tanh(weight @ h + bias)
        weight, bias = layers[-1]
        return rate * (weight @ h + bias)

    def step(row):
        u, x, h = row[0], row[1:], 0.25
        for _ in range(60):
            k1 = rates(x, u)
            k2 = rates(x + h / 2 * k1, u)
            k3 = rates(x + h / 2 * k2, u)
            k4 = rates(x + h * k3, u)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x[1]

    rows = [np.array([297 + 2 * across, 0.7 + 0.1 * along, 335 + 5 * noise])
            for across, along, noise, *_ in map(scene, range(TICKS))]
    return rows, lambda _: None, step


def onnx_lstm():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(HERE.parent / "lstm.onnx"), options, providers=["CPUExecutionProvider"])
    window = np.zeros((30, 1, 8), np.float32)

    def start(_):
        window[:] = 0

    def step(row):
        window[:-1] = window[1:]
        window[-1, 0] = row
        return float(session.run(None, {"window": window})[0][0, 0])

    rows = [np.array([a, b, c, a * b, b * c, c * a, a - b, 1], np.float32) for a, b, c, *_ in map(scene, range(TICKS))]
    return rows, start, step


def mpc():
    """States, outputs and inputs as variables, as osqp's own example has it; each step sets what is so now and solves warm."""
    horizon, nx = 20, 2
    A = np.array([[0.7, 0.0], [0.1, 1.0]])
    B = np.array([[0.3], [0.0]])
    # x_1 … x_H, u_0 … u_{H-1}
    n = horizon * (nx + 1)
    difference = sparse.eye(horizon) - sparse.eye(horizon, k=-1)
    weights = sparse.block_diag([sparse.kron(sparse.eye(horizon), np.diag([0.0, 1.0])), 0.1 * difference.T @ difference])
    P = sparse.csc_matrix(2 * weights)
    dynamics = sparse.hstack([sparse.eye(horizon * nx) - sparse.kron(sparse.eye(horizon, k=-1), A),
                              sparse.kron(sparse.eye(horizon), -B)])
    inputs = sparse.hstack([sparse.csc_matrix((horizon, horizon * nx)), sparse.eye(horizon)])
    moves = sparse.hstack([sparse.csc_matrix((horizon, horizon * nx)), difference])
    rows = sparse.csc_matrix(sparse.vstack([dynamics, inputs, moves]))
    lower = np.concatenate([np.zeros(horizon * nx), -np.ones(horizon), np.full(horizon, -0.3)])
    upper = np.concatenate([np.zeros(horizon * nx), np.ones(horizon), np.full(horizon, 0.3)])
    q = np.zeros(n)
    solver = osqp.OSQP()
    solver.setup(sparse.triu(P, format="csc"), q, rows, lower, upper, verbose=False, eps_abs=1e-4, eps_rel=1e-4, warm_starting=True)
    held = {}

    def start(_):
        held["x"], held["u"] = np.zeros(nx), 0.0

    def step(reference):
        x, u = held["x"], held["u"]
        q[1:horizon * nx:2] = -2 * reference
        q[horizon * nx] = -2 * 0.1 * u
        lower[:nx] = upper[:nx] = A @ x
        lower[horizon * (nx + 1)], upper[horizon * (nx + 1)] = u - 0.3, u + 0.3
        solver.update(q=q, l=lower, u=upper)
        found = solver.solve().x[horizon * nx]
        held["u"], held["x"] = found, A @ x + B[:, 0] * found
        return found

    return [1.0 if tick // 25 % 2 == 0 else -1.0 for tick in range(TICKS)], start, step


def fleet():
    f, process = linear(), surrogate()

    def start(row):
        f.x = np.array([row[0][0], row[0][1], 0, 0])

    def step(row):
        z, measured = row
        f.predict()
        f.update(z)
        at = np.array([[(f.x[0] - 100) / 200, (f.x[1] - 50) / 200, 0.5 + 0.1 * f.x[2]]])
        mean, deviation = process.predict(at, return_std=True)
        1 / (1 + math.exp(2 * abs(measured - mean[0]) / (3 * deviation[0]) - 3))
        return mean[0]

    return [place_row(tick) for tick in range(TICKS)], start, step


def timed(made):
    means = []
    for _ in range(RUNS):
        rows, start, step = made()
        start(rows[0])
        begun = time.thread_time()
        for row in rows:
            answer = step(row)
        means.append((time.thread_time() - begun) / TICKS * 1e6)
    return round(min(means), 1), float(answer)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    version = lambda *names: ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    # Solvers stop at their own tolerances, single precision has seven digits; a cloud of particles has its own random numbers.
    cases = {
        "kalman": (kalman, version("filterpy"), 1e-9),
        "ekf": (ekf, version("filterpy"), 1e-9),
        "ukf": (ukf, version("filterpy"), 1e-7),
        "particle": (particle, version("numpy", "filterpy"), None),
        "gp": (gp, version("scikit-learn"), 1e-8),
        "neural_ode": (neural_ode, version("numpy"), 1e-8),
        "onnx_lstm": (onnx_lstm, version("onnxruntime"), 1e-5),
        "mpc": (mpc, version("osqp"), 1e-2),
        "fleet": (fleet, version("filterpy", "scikit-learn"), 1e-8),
    }
    models = {}
    for name, (made, library, tolerance) in cases.items():
        us, answer = timed(made)
        models[name] = {"us": us, "library": library}
        if tolerance is not None:
            models[name] |= {"answer": answer, "tolerance": tolerance}
        print(name, models[name], flush=True)
    told = {"machine": sys.argv[1], "python": platform.python_version(), "threads": 1, "ticks": TICKS, "runs": RUNS,
            "models": models}
    (HERE / "times.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
