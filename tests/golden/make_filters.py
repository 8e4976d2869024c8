"""Makes the golden vectors of nonlinear filters, smoothing and calibration with filterpy, numpy and exact fractions.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make_filters.py

Format as in make.py: `name value value ...`, matrices row-major, numbers that read back to the same bits, nan for a missing
measurement. Rerun only to change a case: the files are committed.
"""
from fractions import Fraction

import numpy as np
from filterpy.common import Q_continuous_white_noise, Q_discrete_white_noise
from filterpy.kalman import ExtendedKalmanFilter, KalmanFilter, MerweScaledSigmaPoints, UnscentedKalmanFilter

from make import HERE, line, network, zero_order_hold

DT, DRAG = 0.5, 0.002


def surprise(kf, count):
    """NIS and log-likelihood from y and S."""
    y = np.asarray(kf.y, float).ravel()
    nis = y @ np.linalg.solve(kf.S, y)
    return nis, -0.5 * (nis + np.linalg.slogdet(kf.S)[1] + count * np.log(2 * np.pi))


# A body that air slows down, seen by a radar: x = (px, vx, py, vy), z = (range, bearing).
def flight(x, dt=DT):
    px, vx, py, vy = x
    s = np.hypot(vx, vy)
    return np.array([px + dt * vx, vx - dt * DRAG * vx * s, py + dt * vy, vy - dt * DRAG * vy * s])


def flight_jacobian(x, dt=DT):
    _, vx, _, vy = x
    s = np.hypot(vx, vy)
    k = dt * DRAG
    return np.array([
        [1, dt, 0, 0],
        [0, 1 - k * (s + vx * vx / s), 0, -k * vx * vy / s],
        [0, 0, 1, dt],
        [0, -k * vx * vy / s, 0, 1 - k * (s + vy * vy / s)],
    ])


def radar(x):
    return np.array([np.hypot(x[0], x[2]), np.arctan2(x[2], x[0])])


def radar_jacobian(x):
    px, _, py, _ = x
    r2 = px * px + py * py
    r = np.sqrt(r2)
    return np.array([[px / r, 0, py / r, 0], [-py / r2, 0, px / r2, 0]])


def radar_run(steps, seed):
    """Q, R, first belief, and what the radar said; each of its two numbers is silent now and then."""
    rng = np.random.default_rng(seed)
    Q = Q_discrete_white_noise(2, DT, 0.5, block_size=2)
    R = np.array([[25.0, 0.01], [0.01, 1e-4]])
    x0, P0 = np.array([900.0, -18.0, 400.0, 12.0]), np.diag([400.0, 25.0, 400.0, 25.0])
    truth = x0 + np.linalg.cholesky(P0) @ rng.standard_normal(4)
    zs = []
    for k in range(steps):
        shove = rng.standard_normal(2) * np.sqrt(0.5)
        truth = flight(truth) + np.array([DT**2 / 2 * shove[0], DT * shove[0], DT**2 / 2 * shove[1], DT * shove[1]])
        z = radar(truth) + np.linalg.cholesky(R) @ rng.standard_normal(2)
        z[np.array([k % 7 == 3 or k % 31 == 30, k % 5 == 2 or k % 31 == 30])] = np.nan
        zs.append(z)
    return Q, R, x0, P0, zs


class Flying(ExtendedKalmanFilter):
    def predict_x(self, u=0):
        self.F = flight_jacobian(self.x)
        self.x = flight(self.x)


def radar_head(Q, R, x0, P0):
    text = line("dt", DT) + line("drag", DRAG) + line("Q", Q) + line("R", R) + line("x", x0) + line("P", P0)
    return text + "# step: z, x, P (upper triangle), NIS and log-likelihood (nan when nothing was measured)\n"


def ekf_radar():
    Q, R, x0, P0, zs = radar_run(150, seed=3)
    kf = Flying(dim_x=4, dim_z=2)
    kf.x, kf.P, kf.Q = x0.copy(), P0.copy(), Q
    text = radar_head(Q, R, x0, P0)
    for z in zs:
        kf.predict()
        seen, told = ~np.isnan(z), (np.nan, np.nan)
        if seen.any():
            kf.update(z[seen], lambda x: radar_jacobian(x)[seen], lambda x: radar(x)[seen], R=R[np.ix_(seen, seen)])
            told = surprise(kf, seen.sum())
        text += line("step", z, kf.x, kf.P[np.triu_indices(4)], *told)
    (HERE / "extended-radar.txt").write_text(text)


def ukf_radar(name, alpha, beta, kappa, seed):
    Q, R, x0, P0, zs = radar_run(120, seed)
    points = MerweScaledSigmaPoints(4, alpha, beta, kappa)
    kf = UnscentedKalmanFilter(dim_x=4, dim_z=2, dt=DT, hx=radar, fx=lambda x, dt: flight(x, dt), points=points)
    kf.x, kf.P, kf.Q = x0.copy(), P0.copy(), Q
    text = line("points", alpha, beta, kappa) + radar_head(Q, R, x0, P0)
    for z in zs:
        kf.predict()
        seen, told = ~np.isnan(z), (np.nan, np.nan)
        if seen.any():
            kf.update(z[seen], R=R[np.ix_(seen, seen)], hx=lambda x: radar(x)[seen])
            told = surprise(kf, seen.sum())
        text += line("step", z, kf.x, kf.P[np.triu_indices(4)], *told)
    (HERE / f"{name}.txt").write_text(text)


# A heated body of unknown resistance and capacity: x = (T, ln R, ln C), rows at uneven intervals.
def ekf_calibration():
    rng = np.random.default_rng(5)
    sensor, wander = 0.2, 0.01
    R_true, C_true = 0.8, 600.0
    x0, P0 = np.array([20.3, np.log(1.1), np.log(450.0)]), np.diag([sensor, 0.4, 0.4]) ** 2
    kf = ExtendedKalmanFilter(dim_x=3, dim_z=1)
    kf.x, kf.P, kf.R = x0.copy(), P0.copy(), np.array([[sensor**2]])
    text = line("sensor", sensor) + line("wander", wander) + line("x", x0) + line("P", P0) + line("truth", R_true, C_true)
    text += "# step: dt, heat, surroundings, z, x, P (upper triangle), NIS and log-likelihood\n"
    truth = 20.0

    def end(T, R, C, dt, q, around):
        return around + q * R + (T - around - q * R) * np.exp(-dt / (R * C))

    for k in range(200):
        dt = [1.0, 2.5, 10.0, 30.0, 0.25][int(rng.integers(5))]
        q, around = (60.0 if k // 25 % 2 == 0 else 15.0), 20.0 + 2.0 * np.sin(k / 40)
        truth = end(truth, R_true, C_true, dt, q, around) + wander * np.sqrt(dt) * rng.standard_normal()
        z = np.nan if k % 9 == 4 else truth + sensor * rng.standard_normal()
        T, R, C = kf.x[0], np.exp(kf.x[1]), np.exp(kf.x[2])
        away, a, part = T - around - q * R, np.exp(-dt / (R * C)), dt / (R * C)
        kf.F = np.array([[a, q * R * (1 - a) + away * a * part, away * a * part], [0, 1, 0], [0, 0, 1]])
        kf.Q = np.diag([wander**2 * R * C / 2 * (1 - np.exp(-2 * part)), 0, 0])
        kf.x = np.array([end(T, R, C, dt, q, around), kf.x[1], kf.x[2]])
        kf.P = kf.F @ kf.P @ kf.F.T + kf.Q
        told = (np.nan, np.nan)
        if not np.isnan(z):
            kf.update(np.array([z]), lambda x: np.array([[1.0, 0, 0]]), lambda x: x[:1])
            told = surprise(kf, 1)
        text += line("step", dt, q, around, z, kf.x, kf.P[np.triu_indices(3)], *told)
    (HERE / "extended-calibration.txt").write_text(text)


def rts():
    """The network motor at one second, one sensor, without input; filtered and smoothed."""
    rng = np.random.default_rng(6)
    A, B, Qc = network()
    F, _, Q = zero_order_hold(A, B, Qc, 1.0)
    kf = KalmanFilter(dim_x=4, dim_z=1)
    kf.F, kf.Q, kf.H, kf.R = F, Q, np.array([[1.0, 0, 0, 0]]), np.array([[0.25]])
    kf.x, kf.P = np.full((4, 1), 40.0), np.eye(4) * 25.0
    text = line("F", F) + line("Q", Q) + line("H", kf.H) + line("R", kf.R) + line("x", kf.x) + line("P", kf.P)
    truth, zs = kf.x + 5.0 * rng.standard_normal((4, 1)), []
    for k in range(120):
        truth = F @ truth + rng.multivariate_normal(np.zeros(4), Q)[:, None]
        zs.append(None if k % 11 == 6 else kf.H @ truth + 0.5 * rng.standard_normal((1, 1)))
    means, covariances, _, _ = kf.batch_filter(zs)
    x, P, _, _ = kf.rts_smoother(means, covariances)
    text += "# step: z, smoothed x, smoothed P (upper triangle)\n"
    for k, z in enumerate(zs):
        text += line("step", np.nan if z is None else z, x[k], P[k][np.triu_indices(4)])
    (HERE / "smoother.txt").write_text(text)


def least_squares():
    """Exponentially weighted least squares with a prior, solved as one system at every step: no recursion to share."""
    rng = np.random.default_rng(7)
    theta0, P0, R, forgetting = np.array([0.5, -1.0, 0.2]), np.diag([4.0, 1.0, 9.0]), 0.09, 0.97
    text = line("theta", theta0) + line("P", P0) + line("R", R) + line("forgetting", forgetting)
    text += "# step: z, phi, theta, P (upper triangle)\n"
    rows = []
    for k in range(80):
        phi = np.array([1.0, np.sin(k / 3), rng.standard_normal()])
        z = phi @ np.array([2.0, 0.7, -0.3 + 0.01 * k]) + np.sqrt(R) * rng.standard_normal()
        rows.append((z, phi))
        age = np.arange(len(rows) - 1, -1, -1)
        # A row of age a weighs forgetting^a; the covariance that is kept is divided by it once more.
        weight = np.sqrt(forgetting**age / R)
        prior = np.linalg.cholesky(np.linalg.inv(P0) * forgetting ** len(rows)).T
        M = np.vstack([prior] + [w * p for w, (_, p) in zip(weight, rows)])
        b = np.concatenate([prior @ theta0, [w * z for w, (z, _) in zip(weight, rows)]])
        # The prior ages with every row before the newest: it has been divided once less when that one is weighed.
        M[:3] /= np.sqrt(forgetting)
        b[:3] /= np.sqrt(forgetting)
        theta = np.linalg.lstsq(M, b, rcond=None)[0]
        P = np.linalg.inv(M.T @ M) / forgetting
        text += line("step", z, phi, theta, P[np.triu_indices(3)])
    (HERE / "least-squares.txt").write_text(text)


def process_noise():
    text = ""
    for dt in (0.1, 1.0, 7.5):
        for n in (2, 3, 4):
            text += line(f"discrete-{n}", dt, 0.3, Q_discrete_white_noise(n, dt, 0.3))
            text += line(f"continuous-{n}", dt, 0.3, Q_continuous_white_noise(n, dt, 0.3))
    (HERE / "process-noise.txt").write_text(text)


def sharp_sensors():
    """Two sensors that are almost one and far sharper than the belief; posterior in exact fractions."""
    text = "# case: the power of two that is delta, then P after measuring [1 1] and [1 1+delta] with variance delta² from P = I\n"
    for power in (-10, -20, -26, -28, -30, -40):
        d = Fraction(2) ** power
        # (I + Hᵀ H / d²)⁻¹ by Cramer's rule.
        a, b, c = 1 + 2 / d**2, (2 + d) / d**2, 1 + (1 + (1 + d) ** 2) / d**2
        det = a * c - b * b
        text += line("case", power, *(float(v) for v in (c / det, -b / det, -b / det, a / det)))
    (HERE / "sharp-sensors.txt").write_text(text)


if __name__ == "__main__":
    ekf_radar()
    ukf_radar("unscented-radar", 0.1, 2.0, -1.0, seed=4)
    ukf_radar("unscented-wide", 0.5, 2.0, 0.0, seed=8)
    ekf_calibration()
    rts()
    least_squares()
    process_noise()
    sharp_sensors()
