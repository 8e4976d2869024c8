"""Makes the golden vectors of surrogates, integrators and control with scikit-learn, scipy and osqp.

    python3 -m venv venv && venv/bin/pip install -r requirements-surrogates.txt && venv/bin/python surrogates.py

Each output line is `name value value ...`; matrices are row-major; numbers are printed so that they read back to the
same bits. Rerun only to change a case: the files are committed. The MPC is written here with its states as variables,
which shares nothing with our condensed form.
"""
import pathlib
import warnings

import numpy as np
import osqp
from scipy import sparse
from scipy.integrate import solve_ivp
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

HERE = pathlib.Path(__file__).parent
OSQP = dict(eps_abs=1e-10, eps_rel=1e-10, eps_prim_inf=1e-8, max_iter=400_000, polishing=True, verbose=False)


def line(name, *arrays):
    return name + "".join(f" {float(v)!r}" for a in arrays for v in np.asarray(a, float).ravel()) + "\n"


def kernel(amplitude, lengths, noise):
    return ConstantKernel(amplitude) * Matern(lengths, nu=2.5) + WhiteKernel(noise)


def fixed(number, X, y, amplitude, lengths, noise, T):
    gp = GaussianProcessRegressor(kernel(amplitude, lengths, noise), optimizer=None, normalize_y=True).fit(X, y)
    mean, std = gp.predict(T, return_std=True)
    text = line("case", number, X.shape[1], amplitude, *lengths, noise, gp.log_marginal_likelihood_value_)
    text += line("x", X) + line("y", y)
    return text + "".join(line("at", number, t, m, s) for t, m, s in zip(T, mean, std))


def gaussian_process():
    i = np.arange(10)
    X = np.c_[i / 9, (7 * i % 10) / 9]
    text = "# case: number, inputs, amplitude, lengths, noise, log marginal likelihood; at: number, point, mean, deviation\n"
    text += fixed(0, X, np.sin(3 * X[:, 0]) + X[:, 1] ** 2, 1.7, [0.4, 0.8], 1e-5, np.array([[0.25, 0.5], [0.9, 0.1], [2, 2]]))
    rng = np.random.default_rng(7)
    X = rng.uniform([800, 0.5, 20], [1000, 6, 120], (60, 3))
    y = 400 + 0.3 * (X[:, 0] - 850) - 0.002 * (X[:, 0] - 900) ** 2 + 12 * np.sqrt(X[:, 1]) - 0.4 * X[:, 2] + rng.normal(0, 3, 60)
    T = rng.uniform([780, 0.3, 10], [1020, 7, 130], (25, 3))
    text += fixed(1, X, y, 2.5, [90.0, 3.0, 70.0], 0.01, T)
    (HERE / "gaussian-process.txt").write_text(text)


def fits():
    """Log marginal likelihood that scikit-learn reaches with ten restarts."""
    rng = np.random.default_rng(11)
    text = "# fit: inputs, log marginal likelihood of scikit-learn with ten restarts\n"
    cases = []
    X = rng.uniform(0, 1, (25, 1))
    cases.append((X, np.sin(9 * X[:, 0]) + rng.normal(0, 0.1, 25)))
    X = rng.uniform(-5, 10, (40, 2))
    cases.append((X, (X[:, 1] - 0.13 * X[:, 0] ** 2 + 1.6 * X[:, 0] - 6) ** 2 + 9.6 * np.cos(X[:, 0])))
    X = rng.uniform([800, 0.5, 20, 0], [1000, 6, 120, 1], (50, 4))
    cases.append((X, 400 + 0.3 * (X[:, 0] - 850) + 12 * np.sqrt(X[:, 1]) - 0.4 * X[:, 2] + rng.normal(0, 3, 50)))
    X = rng.uniform(0, 1, (30, 2))
    cases.append((X, rng.normal(0, 1, 30)))
    for X, y in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gp = GaussianProcessRegressor(kernel(1.0, np.ones(X.shape[1]), 1e-2), n_restarts_optimizer=10, normalize_y=True, random_state=0).fit(X, y)
        print(gp.kernel_, gp.log_marginal_likelihood_value_)
        text += line("fit", X.shape[1], gp.log_marginal_likelihood_value_) + line("x", X) + line("y", y)
    (HERE / "gaussian-process-fits.txt").write_text(text)


def improvement():
    rng = np.random.default_rng(3)
    text = "# ei: 1 to minimise or -1 to maximise, mean, deviation, best, xi, expected improvement\n"
    for k in range(60):
        sign, mean, deviation, best, xi = (-1) ** k, rng.normal(0, 3), 10 ** rng.uniform(-3, 1), rng.normal(0, 3), rng.choice([0.0, 0.01])
        gain = sign * (best - mean) - xi
        z = gain / deviation
        text += line("ei", sign, mean, deviation, best, xi, gain * norm.cdf(z) + deviation * norm.pdf(z))
    (HERE / "expected-improvement.txt").write_text(text)


def cstr(t, x, Tc=300.0):
    flow = 0.1 / (np.pi * 0.219 ** 2 * 0.659)
    reaction = 7.2e10 * np.exp(-8750 / x[1]) * x[0]
    return [flow * (1 - x[0]) - reaction, flow * (350 - x[1]) + 5e4 / 239.0 * reaction + 2 * 54.94 / (0.219 * 239.0) * (Tc - x[1])]


SYSTEMS = {
    "van-der-pol": (lambda t, x: [x[1], (1 - x[0] ** 2) * x[1] - x[0]], [2.0, 0.0], np.linspace(0, 20, 41)[1:]),
    "reactor": (cstr, [0.828, 327.5], np.linspace(0, 10, 21)[1:]),
    "driven": (lambda t, x: [x[1], np.cos(3 * t) - 0.2 * x[1] - x[0] ** 3], [1.0, 0.0], np.linspace(0, 10, 21)[1:]),
}


def odes():
    text = "# DOP853 with tolerances of 1e-13; system: start; at: time, values\n"
    for name, (f, start, times) in SYSTEMS.items():
        found = solve_ivp(f, (0, times[-1]), start, method="DOP853", rtol=1e-13, atol=1e-13, t_eval=times)
        text += line(name, start) + "".join(line(name + ".at", t, y) for t, y in zip(times, found.y.T))
    (HERE / "ode.txt").write_text(text)


def solved(P, q, A, l, u):
    """x and y of osqp, None when it says that there is none."""
    program = osqp.OSQP()
    program.setup(sparse.csc_matrix(np.triu(P)), q, sparse.csc_matrix(A), l, u, **OSQP)
    result = program.solve()
    if result.info.status == "solved":
        return result.x, result.y
    assert "infeasible" in result.info.status and "inaccurate" not in result.info.status, result.info.status
    return None


def programs():
    rng = np.random.default_rng(5)
    text = "# program: variables, rows, whether there is a minimum; H, q, A, lower, upper, x follow\n"
    infeasible = 0
    for k in range(40):
        n, m = int(rng.integers(1, 13)), int(rng.integers(1, 25))
        B = rng.normal(0, 1, (n, n))
        H, q, A = B @ B.T + 0.05 * np.eye(n), rng.normal(0, 3, n), rng.normal(0, 1, (m, n))
        inside = A @ rng.normal(0, 1, n)
        l, u = inside - rng.exponential(0.7, m), inside + rng.exponential(0.7, m)
        l[rng.uniform(size=m) < 0.2] = -np.inf
        u[rng.uniform(size=m) < 0.2] = np.inf
        if k % 4 == 1 and n > 1:
            l[0] = u[0] = inside[0]
        if k % 5 == 4:
            A = np.vstack([A, A[0] + (A[1] if m > 1 else 0)])
            l = np.append(l, (u[0] if np.isfinite(u[0]) else 0) + (u[1] if m > 1 and np.isfinite(u[1]) else 0) + 1.0)
            u = np.append(u, np.inf)
            m += 1
        found = solved(H, q, A, l, u)
        infeasible += found is None
        text += line("program", n, m, found is not None) + line("H", H) + line("q", q) + line("A", A)
        text += line("lower", l) + line("upper", u) + line("x", found[0] if found else np.full(n, np.nan))
    assert 3 <= infeasible <= 20, infeasible
    (HERE / "quadratic.txt").write_text(text)


def mpc(F, G, C, Qy, Rd, Ru, limits, H, x, w, u0, r, wanted, price):
    """The first move by the sparse form: variables x_1 … x_H, u_0 … u_{H-1}, excess."""
    n, m, p = F.shape[0], G.shape[1], C.shape[0]
    (ulo, uhi), dmax, (ylo, yhi) = limits
    soft = price is not None
    size = H * n + H * m + soft
    xi = lambda k: slice((k - 1) * n, k * n)
    ui = lambda k: slice(H * n + k * m, H * n + (k + 1) * m)
    P, q = np.zeros((size, size)), np.zeros(size)
    A, l, u = [], [], []

    def row(block, lo, hi):
        A.append(block); l.append(lo); u.append(hi)

    for k in range(1, H + 1):
        P[xi(k), xi(k)] += 2 * C.T @ np.diag(Qy) @ C
        q[xi(k)] += -2 * C.T @ (Qy * r)
        dynamics = np.zeros((n, size))
        dynamics[:, xi(k)] = np.eye(n)
        dynamics[:, ui(k - 1)] = -G
        known = w.copy()
        if k == 1:
            known = known + F @ x
        else:
            dynamics[:, xi(k - 1)] = -F
        row(dynamics, known, known)
        outputs = np.zeros((p, size))
        outputs[:, xi(k)] = C
        if soft:
            above, below = outputs.copy(), outputs.copy()
            above[:, -1], below[:, -1] = -1, 1
            row(above, np.full(p, -np.inf), yhi); row(below, ylo, np.full(p, np.inf))
        else:
            row(outputs, ylo, yhi)
    for k in range(H):
        E = np.zeros((m, size)); E[:, ui(k)] = np.eye(m)
        row(E, ulo, uhi)
        D, before = E.copy(), u0
        if k:
            D[:, ui(k - 1)] -= np.eye(m); before = np.zeros(m)
        row(D, before - dmax, before + dmax)
        P += 2 * D.T @ np.diag(Rd) @ D + 2 * E.T @ np.diag(Ru) @ E
        q += -2 * D.T @ (Rd * before) - 2 * E.T @ (Ru * wanted)
    if soft:
        P[-1, -1] += 2 * price; q[-1] += price
        E = np.zeros((1, size)); E[0, -1] = 1
        row(E, np.zeros(1), np.full(1, np.inf))
    found = solved(P, q, np.vstack(A), np.concatenate(l), np.concatenate(u))
    return None if found is None else (found[0][ui(0)], C @ found[0][xi(1)], C @ found[0][xi(H)], max(found[0][-1], 0.0) if soft else 0.0)


def controls():
    inf = np.inf
    tanks = (np.array([[0.95, 0.0], [0.04, 0.93]]), np.array([[0.12], [0.003]]), np.array([[0.0, 1.0]]))
    two = (np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.1], [0.05, 0.0, 0.95]]), np.array([[0.5, 0.0], [0.1, 0.4], [0.0, 0.3]]), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    cases = [
        (tanks, [1.0], [0.05], [0.0], (([-1.0], [2.0]), [0.4], ([-0.5], [1.2])), 20, None),
        (tanks, [1.0], [0.02], [0.01], (([-1.0], [2.0]), [0.4], ([-0.3], [0.8])), 20, 50.0),
        (two, [1.0, 2.0], [0.1, 0.1], [0.0, 0.05], (([-1.0, -0.5], [1.0, 0.5]), [0.3, inf], ([-inf, -1.0], [1.5, 1.0])), 12, 100.0),
    ]
    rng = np.random.default_rng(9)
    text = "# case: number, N, M, P, horizon, price of the excess (nan for hard limits); then its matrices and limits\n"
    text += "# now: number, x, w, u, reference, wanted, whether there is a plan, u, next y, last y, excess\n"
    infeasible = 0
    for number, ((F, G, C), Qy, Rd, Ru, limits, H, price) in enumerate(cases):
        Qy, Rd, Ru = (np.array(v) for v in (Qy, Rd, Ru))
        limits = tuple(np.array(v) if not isinstance(v, tuple) else tuple(np.array(w) for w in v) for v in limits)
        n, m, p = F.shape[0], G.shape[1], C.shape[0]
        text += line("case", number, n, m, p, H, np.nan if price is None else price)
        text += line("F", F) + line("G", G) + line("C", C) + line("weights", Qy, Rd, Ru)
        text += line("limits", *limits[0], limits[1], *limits[2])
        for k in range(30):
            x, w = rng.normal(0, 0.8, n), rng.normal(0, 0.02, n)
            u0, r, wanted = rng.uniform(limits[0][0], limits[0][1]), rng.uniform(-0.3, 0.9, p), rng.uniform(-0.2, 0.2, m)
            found = mpc(F, G, C, Qy, Rd, Ru, limits, H, x, w, u0, r, wanted, price)
            infeasible += found is None
            answer = found if found else (np.full(m, np.nan), np.full(p, np.nan), np.full(p, np.nan), np.nan)
            text += line("now", number, x, w, u0, r, wanted, found is not None, *answer)
    print("mpc without a plan:", infeasible)
    assert infeasible > 0
    (HERE / "mpc.txt").write_text(text)


if __name__ == "__main__":
    gaussian_process()
    fits()
    improvement()
    odes()
    programs()
    controls()
