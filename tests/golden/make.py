"""Makes the golden vectors of the numeric models with filterpy and scipy, which know nothing of our code.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make.py

Each output line is `name value value ...`; matrices are row-major; numbers are printed so that they read back
to the same bits; nan is a missing measurement. Rerun only to change a case: the files are committed.
"""
import pathlib

import numpy as np
from filterpy.common import van_loan_discretization
from filterpy.kalman import KalmanFilter
from scipy.integrate import quad_vec
from scipy.linalg import expm, solve_discrete_are

HERE = pathlib.Path(__file__).parent
STEPS = 600


def line(name, *arrays):
    return name + "".join(f" {float(v)!r}" for a in arrays for v in np.asarray(a, float).ravel()) + "\n"


def textbook():
    """The motor matrices of a textbook: hand-written F, unstable (spectral radius 1.033). One sensor."""
    F = np.array([
        [np.exp(-1 / 120), 0.05, 0.02, 0.01],
        [0.02, np.exp(-1 / 60), 0.01, 0.0],
        [0.01, 0.03, np.exp(-1 / 180), 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ])
    B = np.array([[0.0], [5.0], [2.0], [0.0]])
    H = np.array([[1.0, 0.0, 0.0, 0.0]])
    return F, B, H, np.diag([0.1, 0.5, 0.2, 0.01]), np.array([[0.25]])


def network():
    """The same motor as a conductance network: surface, winding, bearing, ambient. Continuous A, B, Qc."""
    joints = {(0, 1): 0.8, (1, 2): 0.1, (0, 2): 0.3, (0, 3): 1.0}
    tau = [120.0, 60.0, 180.0]
    G = np.zeros((4, 4))
    for (i, j), g in joints.items():
        G[i, j] = G[j, i] = g
    C = np.array([tau[i] * G[i].sum() for i in range(3)] + [np.inf])
    A = G / C[:, None]
    A -= np.diag(A.sum(axis=1))
    B = np.array([[0.0, 45.0], [10.0, 0.0], [0.0, 5.0], [0.0, 0.0]]) / C[:, None]
    return A, B, np.diag([0.1, 0.3, 0.2, 0.02]) ** 2


def zero_order_hold(A, B, Qc, dt):
    """F, G by the exponential of the augmented matrix, Q by filterpy's Van Loan."""
    n, m = B.shape
    both = expm(np.block([[A, B], [np.zeros((m, n + m))]]) * dt)
    F, Q = van_loan_discretization(A, np.linalg.cholesky(Qc), dt)
    assert np.allclose(F, both[:n, :n], rtol=1e-13, atol=1e-15)
    return both[:n, :n], both[:n, n:], Q


def run(name, F, B, H, Q, R, load, missing, seed):
    """Simulates truth and sensors, filters them with filterpy, writes every step."""
    rng = np.random.default_rng(seed)
    n, m = F.shape[0], H.shape[0]
    kf = KalmanFilter(dim_x=n, dim_z=m, dim_u=B.shape[1])
    kf.F, kf.B, kf.Q, kf.x, kf.P = F, B, Q, np.zeros((n, 1)), np.eye(n) * 100.0
    text = line("F", F) + line("B", B) + line("H", H) + line("Q", Q) + line("R", R)
    text += "# step: u, z, x, P (upper triangle), then NIS and log-likelihood (nan when nothing was measured)\n"
    truth = np.zeros((n, 1))
    for k in range(STEPS):
        u = load(k)
        truth = F @ truth + B @ u + rng.multivariate_normal(np.zeros(n), Q)[:, None]
        z = H @ truth + rng.multivariate_normal(np.zeros(m), R)[:, None]
        seen = np.array([not missing(k, i) for i in range(m)])
        kf.predict(u=u)
        nis = log_likelihood = np.nan
        if seen.any():
            kf.dim_z, kf.z = int(seen.sum()), np.zeros((int(seen.sum()), 1))
            kf._I = np.eye(n)
            kf.update(z[seen], R=R[np.ix_(seen, seen)], H=H[seen])
            nis = (kf.y.T @ np.linalg.inv(kf.S) @ kf.y).item()
            _, ln_det = np.linalg.slogdet(kf.S)
            log_likelihood = -0.5 * (nis + ln_det + seen.sum() * np.log(2 * np.pi))
        shown = np.where(seen, z[:, 0], np.nan)
        text += line("step", u, shown, kf.x, kf.P[np.triu_indices(n)], nis, log_likelihood)
    (HERE / f"{name}.txt").write_text(text)


def steady(name, F, H, Q, R, extra=""):
    """Prior covariance in steady state, spectral radius, condition of the observability matrix."""
    P = solve_discrete_are(F.T, H.T, Q, R)
    O = np.vstack([H @ np.linalg.matrix_power(F, k) for k in range(F.shape[0])])
    text = line("F", F) + line("H", H) + line("Q", Q) + line("R", R) + line("P", P)
    text += line("spectral_radius", np.abs(np.linalg.eigvals(F)).max())
    text += line("observability_condition", np.linalg.cond(O)) + extra
    (HERE / f"{name}.txt").write_text(text)


def discretised():
    """F, G, Q of the network over several intervals; Q of long ones by quadrature, since Van Loan overflows."""
    A, B, Qc = network()
    text = line("A", A) + line("B", B) + line("Qc", Qc)
    for dt in (0.01, 0.1, 1.0, 10.0, 60.0):
        text += line("interval", dt, *zero_order_hold(A, B, Qc, dt))
    for dt in (3600.0,):
        n, m = B.shape
        both = expm(np.block([[A, B], [np.zeros((m, n + m))]]) * dt)
        Q, _ = quad_vec(lambda s: expm(A * s) @ Qc @ expm(A * s).T, 0, dt, epsrel=1e-12, epsabs=1e-14)
        text += line("interval", dt, both[:n, :n], both[:n, n:], Q)
    (HERE / "thermal-network.txt").write_text(text)


def main():
    F, B, H, Q, R = textbook()
    run("kalman-textbook", F, B, H, Q, R, lambda k: np.array([[0.7]]), lambda k, i: k % 17 == 5, seed=1)
    steady("steady-textbook", F, H, Q, R)

    A, B, Qc = network()
    F, G, Q = zero_order_hold(A, B, Qc, 1.0)
    H = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    R = np.array([[0.25, 0.03], [0.03, 0.25]])
    load = lambda k: np.array([[0.49 if k % 200 < 120 else 1.21], [1.0]])
    # The ambient sensor speaks every fifth step; the surface sensor drops out for a while; sometimes both are silent.
    missing = lambda k, i: (k % 5 != 0) if i == 1 else (300 <= k < 340 or k % 23 == 7)
    run("kalman-network", F, G, H, Q, R, load, missing, seed=2)
    steady("steady-network", F, H, Q, R)
    discretised()


if __name__ == "__main__":
    main()
