"""Makes batches of a simulated process and fits the surrogate's first hyperparameters to them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python train.py

Writes `batches.csv` (settings, hardness without and with noise) and `fit.txt` (what scikit-learn makes of them), both
committed. The defaults in `src/parameters.rs` are the figures of `fit.txt`, rounded.

The process: a steel is quenched and tempered. How far tempering goes follows the parameter of Hollomon and Jaffe (Trans.
AIME 162 (1945), 223), P = T (20 + log10 t), T in K and t in h; how much of the hardness was there to begin with, a share
of martensite that rises with the quench rate. The form of both curves and their figures are chosen to look like a
chromium-molybdenum steel; they are fitted to no table.
"""
import pathlib
import warnings

import numpy as np
from scipy.stats import qmc
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

HERE = pathlib.Path(__file__).parent
LOWER, UPPER = np.array([350.0, 30.0, 5.0]), np.array([650.0, 240.0, 60.0])  # Cel, min, K/s
BATCHES = 60
NOISE = 0.5  # HRC, of the process and of its measurement together
SEED = 20261130


def hardness(temperature, soak, quench):
    """HRC from Cel, min, K/s."""
    tempering = (temperature + 273.15) * (20.0 + np.log10(soak / 60.0)) / 1000.0
    martensite = 1.0 / (1.0 + (8.0 / quench) ** 2)
    quenched = 30.0 + 27.0 * martensite
    return 8.0 + (quenched - 8.0) / (1.0 + np.exp((tempering - 17.5) / 2.0))


def coordinates(settings):
    """What the surrogate sees: soak time and quench rate as decades."""
    return np.column_stack([settings[:, 0], np.log10(settings[:, 1]), np.log10(settings[:, 2])])


def main():
    unit = qmc.LatinHypercube(3, seed=SEED).random(BATCHES)
    settings = np.round(LOWER + unit * (UPPER - LOWER), 2)
    truth = hardness(*settings.T)
    told = np.round(truth + NOISE * np.random.default_rng(SEED).normal(size=BATCHES), 2)
    rows = [f"{t!r},{s!r},{q!r},{h!r},{m!r}" for (t, s, q), h, m in
            zip(settings.tolist(), truth.tolist(), told.tolist())]
    (HERE / "batches.csv").write_text("temperature,soak_time,quench_rate,truth,hardness\n" + "\n".join(rows) + "\n")

    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern([100.0, 1.0, 0.5], (1e-2, 1e4), nu=2.5) \
        + WhiteKernel(1e-2, (1e-6, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        surrogate = GaussianProcessRegressor(kernel, n_restarts_optimizer=20, normalize_y=True, random_state=0)
        surrogate.fit(coordinates(settings), told)
    found, spread = surrogate.kernel_, float(np.std(told))
    lines = [f"log_likelihood {float(surrogate.log_marginal_likelihood_value_)!r}"]
    for name, value in zip(["temperature_length", "soak_length", "quench_length"], found.k1.k2.length_scale):
        lines.append(f"{name} {float(value)!r}")
    lines.append(f"hardness_deviation {spread * float(np.sqrt(found.k1.k1.constant_value))!r}")
    lines.append(f"hardness_noise {spread * float(np.sqrt(found.k2.noise_level))!r}")
    (HERE / "fit.txt").write_text("\n".join(lines) + "\n")


main()
