"""Makes the golden vectors of the health models with scipy, scikit-learn and river, which know nothing of our code.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make.py

Each output line is `name value value ...`; matrices are row-major; numbers are printed so that they read back to the
same bits; nan is a missing value. Rerun only to change a case: the files are committed.
"""
import pathlib

import numpy as np
from river.anomaly import HalfSpaceTrees
from scipy import stats
from scipy.integrate import quad
from sklearn.decomposition import PCA

HERE = pathlib.Path(__file__).parent


def line(name, *arrays):
    return name + "".join(f" {float(v)!r}" for a in arrays for v in np.asarray(a, float).ravel()) + "\n"


def thresholds():
    """chi_square: probability, freedom, point; fisher: probability, two freedoms, point; normal: probability, point."""
    text = ""
    probabilities = (1e-6, 0.001, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999, 1 - 1e-6)
    for p in probabilities:
        text += line("normal", p, stats.norm.ppf(p))
        for k in (0.5, 1, 2, 3, 6, 14, 50, 300):
            text += line("chi_square", p, k, stats.chi2.ppf(p, k))
        for a, b in ((1, 1), (2, 5), (3, 397), (6, 294), (14, 40), (40, 3), (0.5, 9)):
            text += line("fisher", p, a, b, stats.f.ppf(p, a, b))
    (HERE / "thresholds.txt").write_text(text)


def components():
    """Correlated healthy rows, scikit-learn's components, T² and Q of new rows, limits of T² by scipy."""
    rng = np.random.default_rng(11)
    mix = rng.normal(size=(3, 5))
    healthy = rng.normal(size=(200, 3)) @ mix + 0.2 * rng.normal(size=(200, 5)) + np.array([1, -2, 300, 0.5, 7])
    new = np.vstack([healthy[:5], healthy[:20] + rng.normal(size=(20, 5))])
    pca = PCA(svd_solver="full").fit(healthy)
    text = "".join(line("healthy", row) for row in healthy)
    text += line("variances", pca.explained_variance_)
    signs = np.sign(pca.components_[np.arange(5), np.abs(pca.components_).argmax(1)])
    text += line("axes", pca.components_ * signs[:, None])
    for part in (0.5, 0.9, 0.99):
        kept = PCA(n_components=part, svd_solver="full").fit(healthy)
        k, n = kept.n_components_, len(healthy)
        scores = kept.transform(new)
        t2 = (scores**2 / kept.explained_variance_).sum(1)
        q = ((new - kept.inverse_transform(scores)) ** 2).sum(1)
        limits = [k * (n**2 - 1) / (n * (n - k)) * stats.f.ppf(p, k, n - k) for p in (0.95, 0.99)]
        text += line("kept", part, k, limits)
        text += "".join(line("new", part, row, a, b) for row, a, b in zip(new, t2, q))
    # Q of many rows that are healthy by construction: the limit must leave out the share it promises.
    rest = pca.explained_variance_[3:]
    drawn = (rng.normal(size=(4_000_000, len(rest))) ** 2 * rest).sum(1)
    text += line("q_points", np.quantile(drawn, [0.95, 0.99]))
    (HERE / "components.txt").write_text(text)


def trees():
    """river's forest cut by cut (order of breadth), a stream, and its scores before each row is learnt."""
    features, height, window, count = 3, 4, 50, 7
    forest = HalfSpaceTrees(n_trees=count, height=height, window_size=window, seed=5)
    rng = np.random.default_rng(12)
    rows = np.clip(rng.normal(0.5, 0.1, size=(180, features)), 0, 1)
    rows[::17] = rng.uniform(size=rows[::17].shape)
    text = line("shape", features, height, window, count)
    scored = ""
    for row in rows:
        x = {f"x{i}": float(v) for i, v in enumerate(row)}
        scored += line("row", row, forest.score_one(x) if not forest._first_window else np.nan)
        forest.learn_one(x)
    for root in forest.trees:
        level = [root]
        for _ in range(height):
            text += "".join(line("cut", int(node.feature[1:]), node.threshold) for node in level)
            level = [child for node in level for child in node.children]
    (HERE / "trees.txt").write_text(text + scored)


def first_passage():
    """Known drift: distance, drift, diffusion, 0, probability, point by scipy's inverse Gaussian. Then its probabilities,
    with a drift that is uncertain too: those are averaged over the drift by quadrature."""
    text = ""
    for left, drift, diffusion in ((1.0, 1.0, 1.0), (20.0, 1.0, 0.3), (50.0, 1.0, 16.0), (3.0, 1.0, 0.01)):
        mean, shape = left / drift, (left / diffusion) ** 2
        law = stats.invgauss(mu=mean / shape, scale=shape)
        for p in (0.025, 0.05, 0.5, 0.95, 0.975):
            text += line("point", left, drift, diffusion, 0.0, p, law.ppf(p))
        for time in (0.2 * mean, 0.9 * mean, mean, 1.5 * mean, 4 * mean):
            text += line("cdf", left, drift, diffusion, 0.0, time, law.cdf(time))

    def known(mu, left, diffusion, time):
        """First passage for any sign of the drift."""
        root = diffusion * np.sqrt(time)
        tail = 2 * mu * left / diffusion**2 + stats.norm.logcdf((-left - mu * time) / root)
        return stats.norm.cdf((mu * time - left) / root) + np.exp(tail)

    for left, drift, diffusion, spread in ((1.0, 1.0, 1.0, 0.3), (30.0, 1.0, 1.0, 0.18), (5.0, 0.2, 0.5, 0.3)):
        for time in (0.3 * left / drift, left / drift, 4 * left / drift):
            density = lambda mu: stats.norm.pdf(mu, drift, spread) * known(mu, left, diffusion, time)
            value, _ = quad(density, drift - 12 * spread, drift + 12 * spread, points=[drift], epsabs=1e-13, epsrel=1e-12, limit=500)
            text += line("cdf", left, drift, diffusion, spread, time, value)
    (HERE / "first-passage.txt").write_text(text)


def windows():
    """A column with holes and a level of 1e6, and numpy's features of its last 30 rows at each row."""
    rng = np.random.default_rng(13)
    column = 1e6 + 0.03 * np.arange(120) + rng.normal(size=120)
    column[rng.random(120) < 0.15] = np.nan
    text = ""
    for end in range(1, 121):
        part = column[max(0, end - 30): end]
        there = np.isfinite(part)
        if there.sum() < 2:
            continue
        places, values = np.arange(len(part))[there], part[there]
        # The level is taken off for the line: with it, numpy's own fit would lose the digits that are compared.
        slope = np.polyfit(places - places.mean(), values - values.mean(), 1)[0]
        text += line("window", end, there.sum(), values.mean(), values.std(), slope, values.min(), values.max(), values[-1])
    (HERE / "windows.txt").write_text(line("column", column) + text)


if __name__ == "__main__":
    thresholds()
    components()
    trees()
    first_passage()
    windows()
