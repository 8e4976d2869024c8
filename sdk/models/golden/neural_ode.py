"""Trains the neural ODE of a stirred tank reactor and writes its weights, and rollouts of it by torchdiffeq.

    python3.10 -m venv venv && venv/bin/pip install -r requirements-torch.txt && venv/bin/python neural_ode.py [train]

With `train` the network is trained anew (gradients through torchdiffeq's RK4, a fixed seed, about five minutes) and the
weights in ../data are replaced; without it the weights there are read back and only the golden rollouts are made anew.
The reactor is the one of Seborg, Edgar, Mellichamp, *Process Dynamics and Control*, here with the figures of PLANT.
Training data is simulated: windows of noisy samples under coolant temperatures that are held and change at random.
"""
import pathlib
import sys

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torchdiffeq import odeint

HERE = pathlib.Path(__file__).parent
WEIGHTS = HERE / "../data/cstr.neural-ode"
PLANT = dict(k0=7.2e10, EoverR=8750.0, U=54.94, rho=1000.0, Cp=0.239, dH=-5e4, r=0.219, level=0.659, F=0.1, T0=350.0, c0=1.0)
SEED = 20261130
LAYERS = [3, 16, 16, 2]
OFFSET = [0.75, 330.0, 297.0]     # concentration in kmol/m3, temperature in K, coolant in K
SCALE = [0.25, 20.0, 5.0]
RATE = [0.1, 8.0]                 # per minute
LOWER = [0.2, 300.0, 290.0]       # where the training data lies
UPPER = [1.0, 375.0, 302.0]
HOLD = 0.5                        # minutes between samples, and for which an input is held
SUBSTEPS = 2
WINDOW = 10
NOISE = [0.004, 0.4]
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def rates(t, x, Tc):
    p = PLANT
    c, T = x
    flow = p["F"] / (np.pi * p["r"] ** 2 * p["level"])
    reaction = p["k0"] * np.exp(-p["EoverR"] / T) * c
    return [flow * (p["c0"] - c) - reaction,
            flow * (p["T0"] - T) - p["dH"] / (p["rho"] * p["Cp"]) * reaction
            + 2 * p["U"] / (p["r"] * p["rho"] * p["Cp"]) * (Tc - T)]


def simulate(x0, coolant):
    """Samples at the ends of the intervals, the start first."""
    xs = [np.array(x0)]
    for Tc in coolant:
        xs.append(solve_ivp(rates, (0, HOLD), xs[-1], args=(Tc,), method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1])
    return np.array(xs)


def excitation(rng, steps):
    """Held for three to fifteen minutes, then somewhere else."""
    coolant = []
    while len(coolant) < steps:
        coolant += [rng.uniform(LOWER[2], UPPER[2])] * int(rng.integers(6, 31))
    return np.array(coolant[:steps])


def trajectories(rng, count, steps):
    found = []
    while len(found) < count:
        coolant = excitation(rng, steps)
        x = simulate([rng.uniform(0.5, 1.0), rng.uniform(308.0, 345.0)], coolant)
        if (x[:, 1] < UPPER[1]).all() and (x[:, 1] > LOWER[1]).all() and (x[:, 0] > LOWER[0]).all():
            found.append((x, coolant))
    return found


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        parts = []
        for a, b in zip(LAYERS, LAYERS[1:]):
            parts += [torch.nn.Linear(a, b), torch.nn.Tanh()]
        self.layers = torch.nn.Sequential(*parts[:-1])
        self.offset, self.scale, self.rate = (torch.tensor(v) for v in (OFFSET, SCALE, RATE))

    def forward(self, x, u):
        return self.rate * self.layers((torch.cat([x, u], -1) - self.offset) / self.scale)

    def hold(self, x, u, method="rk4", **options):
        f = lambda t, x: self(x, u)
        if method == "rk4":
            # torchdiffeq's "rk4" is the 3/8 rule of the same order; the classic one is written out.
            h = HOLD / SUBSTEPS
            for _ in range(SUBSTEPS):
                a = f(0, x); b = f(0, x + h / 2 * a); c = f(0, x + h / 2 * b); d = f(0, x + h * c)
                x = x + h / 6 * (a + 2 * b + 2 * c + d)
            return x
        return odeint(f, x, torch.tensor([0.0, HOLD]), method=method, **options)[-1]


def train():
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    starts, inputs, targets = [], [], []
    for x, coolant in trajectories(rng, 60, 60):
        noisy = x + rng.normal(0, NOISE, x.shape)
        for k in range(0, len(coolant) - WINDOW + 1, 3):
            starts.append(noisy[k]); inputs.append(coolant[k:k + WINDOW]); targets.append(noisy[k:k + WINDOW + 1])
    starts, inputs, targets = (torch.tensor(np.array(v)) for v in (starts, inputs, targets))
    net = Network()
    # The start of each window is noisy too: it is estimated along with the weights, held by its sample.
    begin = torch.nn.Parameter(starts.clone())
    scale, noise = torch.tensor(SCALE[:2]), torch.tensor(NOISE)
    steps = 2500
    optimiser = torch.optim.Adam([{"params": net.parameters(), "lr": 5e-3}, {"params": [begin], "lr": 1e-3}])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [1e-2, 2e-3], total_steps=steps)
    for step in range(steps):
        pick = torch.randperm(len(starts))[:192]
        x = begin[pick]
        loss = (((x - targets[pick][:, 0]) / noise) ** 2).mean()
        for k in range(WINDOW):
            u = inputs[pick][:, k:k + 1]
            # Gradients go through the solver; every fiftieth time through torchdiffeq's own, which is slower.
            x = net.hold(x, u) if step % 50 else odeint(lambda t, x: net(x, u), x, torch.tensor([0.0, HOLD]), method="rk4", options={"step_size": HOLD / SUBSTEPS})[-1]
            loss = loss + (((x - targets[pick][:, k + 1]) / noise) ** 2).mean()
        loss = loss / (WINDOW + 1)
        optimiser.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step(); schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(step, float(loss), flush=True)
    return net


def validate(net):
    """RMSE over held-out hours against the noiseless plant, and the spread of one-interval errors."""
    rng = np.random.default_rng(SEED + 1)
    errors, single = [], []
    for x, coolant in trajectories(rng, 30, 120):
        now = torch.tensor(x[0])
        for k, Tc in enumerate(coolant):
            u = torch.tensor([Tc])
            now = net.hold(now, u)
            errors.append(now.detach().numpy() - x[k + 1])
            single.append(net.hold(torch.tensor(x[k]), u).detach().numpy() - x[k + 1])
    rms = lambda e: np.sqrt((np.array(e) ** 2).mean(axis=0))
    return rms(errors), rms(single)


def words(values):
    return "".join(f" {float(v)!r}" for v in np.asarray(values, float).ravel()) + "\n"


def save(net, residual):
    text = "geminus-neural-ode 1\nstates 2\ninputs 1\n"
    text += "offset" + words(OFFSET) + "scale" + words(SCALE) + "rate" + words(RATE)
    text += "lower" + words(LOWER) + "upper" + words(UPPER) + "residual" + words(residual)
    text += "layers " + " ".join(map(str, LAYERS)) + "\n"
    for layer in net.layers:
        if isinstance(layer, torch.nn.Linear):
            text += "weight" + words(layer.weight.detach().numpy()) + "bias" + words(layer.bias.detach().numpy())
    WEIGHTS.write_text(text + "end\n")


def load():
    net = Network()
    lines = [line.split() for line in WEIGHTS.read_text().splitlines()]
    weights = iter([np.array(w[1:], float) for w in lines if w[0] == "weight"])
    biases = iter([np.array(w[1:], float) for w in lines if w[0] == "bias"])
    with torch.no_grad():
        for layer in net.layers:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.copy_(torch.tensor(next(weights)).reshape(layer.weight.shape))
                layer.bias.copy_(torch.tensor(next(biases)))
    return net


def golden(net):
    rng = np.random.default_rng(SEED + 2)
    rms, single = validate(net)
    text = f"# made by neural_ode.py with torch {torch.__version__.split('+')[0]} and torchdiffeq 0.2.5\n"
    text += "hold" + words([HOLD]) + "substeps" + words([SUBSTEPS]) + "rmse" + words(rms) + "rmse_interval" + words(single)
    text += "# interval: number of the rollout, coolant, plant, classic RK4, torchdiffeq dopri5 at 1e-12, at the end of the interval\n"
    for number, (x, coolant) in enumerate(trajectories(rng, 5, 120)):
        text += "start" + words([number, *x[0]])
        rk4 = exact = torch.tensor(x[0])
        for k, Tc in enumerate(coolant):
            u = torch.tensor([Tc])
            rk4 = net.hold(rk4, u)
            exact = net.hold(exact, u, "dopri5", rtol=1e-12, atol=1e-12)
            text += "interval" + words([number, Tc, *x[k + 1], *rk4.detach().numpy(), *exact.detach().numpy()])
    (HERE / "neural-ode.txt").write_text(text)
    print("rmse", rms, "interval", single)


if __name__ == "__main__":
    check = solve_ivp(rates, (0, 10), [0.828, 327.5], args=(300.0,), method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    assert np.allclose(check, [0.87782538, 324.49670139], atol=1e-8), check
    if sys.argv[1:] == ["train"]:
        net = train()
        save(net, validate(net)[1])
    golden(load())
