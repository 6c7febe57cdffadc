"""How many characters a second does training read? The sonnets, beside NumPy in the style of min-char, and PyTorch.

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_train.py

A step reads a window of 25 characters, differentiates the mean loss of predicting each next one, clips and updates the
weights. Two nets: the tanh RNN of min-char (hidden size 100, one place in the text, Adagrad), and the LSTM that
`minigrad train sonnets` trains (hidden size 96, 8 places at once, Adam). Everything runs interleaved on one thread in
float32; the figures are medians of processor time. PyTorch comes with `pip install 'minigrad[bench]'`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

import rnn
from rnn.tasks.characters import sonnets

sys.path.insert(0, str(Path(__file__).parent))
import by_hand

WINDOW = 25
NETS = {"tanh RNN, H=100, B=1, Adagrad": ("rnn", 100, 1), "LSTM, H=96, B=8, Adam": ("lstm", 96, 8)}
CLIP = 5.0
ROUNDS = 150

Step = Callable[[], float]


def minigrad_step(model: rnn.CharacterModel, batch: int) -> Step:
    """What `minigrad train` does at each step."""
    learner = rnn.CharacterLearner(model, sonnets(), window=WINDOW, batch=batch)
    optimiser = rnn.Adagrad(model.parameters, 0.1) if batch == 1 else rnn.Adam(model.parameters, 1e-2)
    training = rnn.Training(learner, optimiser, np.random.default_rng(0))
    return lambda: training.advance(CLIP).loss


def windows(codes: np.ndarray, batch: int) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """(read, wanted, whether the states begin anew) for ever: the windows that `CharacterLearner` reads, (T, B)."""
    stretch = (len(codes) - 1) // batch
    columns = np.stack([codes[k * stretch : (k + 1) * stretch + 1] for k in range(batch)], axis=1)
    for begin in cycle(range(0, len(columns) - 1 - WINDOW, WINDOW)):
        yield columns[begin : begin + WINDOW], columns[begin + 1 : begin + WINDOW + 1], begin == 0


def numpy_step(cell: str, weights: list[np.ndarray], codes: np.ndarray, batch: int) -> Step:
    """One step at a time, a product each, as min-char has it."""
    hidden = weights[1].shape[1]
    memory = [np.zeros_like(w) for w in weights]
    means = [np.zeros_like(w) for w in weights]
    steps, reader = 0, windows(codes, batch)
    states = [np.zeros((batch, hidden), np.float32)] * 2

    def step() -> float:
        nonlocal states, steps
        read, wanted, anew = next(reader)
        if anew:
            states = [np.zeros((batch, hidden), np.float32)] * 2
        loss, gradients, states = by_hand.character_window(cell, read, wanted, states, weights)
        size = np.sqrt(sum(float(np.vdot(g, g)) for g in gradients))
        steps += 1
        for w, g, m, mean in zip(weights, gradients, memory, means, strict=True):
            g *= min(1.0, CLIP / size)
            if batch == 1:
                m += g * g
                w -= 0.1 * g / (np.sqrt(m) + 1e-10)
            else:
                mean += 0.1 * (g - mean)
                m += 0.001 * (g * g - m)
                w -= 1e-2 * (mean / (1 - 0.9**steps)) / (np.sqrt(m / (1 - 0.999**steps)) + 1e-8)
        return loss

    return step


def torch_step(cell: str, weights: list[np.ndarray], codes: np.ndarray, batch: int) -> Step:
    """PyTorch's own fused cell, loss and optimiser."""
    import torch

    torch.set_num_threads(1)
    (_, size), hidden = weights[0].shape, weights[1].shape[1]
    net = (torch.nn.RNN if cell == "rnn" else torch.nn.LSTM)(size, hidden)
    readout = torch.nn.Linear(hidden, size)
    parameters = [*net.parameters(), *readout.parameters()]
    with torch.no_grad():
        for own, given in zip(parameters, weights, strict=True):
            own.copy_(torch.from_numpy(given))
    optimiser = torch.optim.Adagrad(parameters, 0.1) if batch == 1 else torch.optim.Adam(parameters, 1e-2)
    eye, reader = torch.eye(size), windows(codes, batch)
    state: Any = None

    def step() -> float:
        nonlocal state
        read, wanted, anew = next(reader)
        outputs, state = net(eye[torch.from_numpy(read)], None if anew else state)
        state = tuple(s.detach() for s in state) if cell == "lstm" else state.detach()
        logits = readout(outputs).reshape(-1, size)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted).reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimiser.step()
        return loss.item()

    return step


def main() -> None:
    """Print the table."""
    print(f"{'characters a second':32}" + "".join(f"{name:>34}" for name in NETS))
    table: dict[str, list[float]] = {}
    for cell, hidden, batch in NETS.values():
        model = rnn.CharacterModel("".join(sorted(set(sonnets()))), cell=cell, hidden=hidden)
        codes = model.vocabulary.encode(sonnets())
        weights = [parameter.value.copy() for parameter in model.parameters.values()]
        contenders = {"minigrad": minigrad_step(model, batch)}
        contenders["NumPy by hand, min-char style"] = numpy_step(cell, [w.copy() for w in weights], codes, batch)
        if find_spec("torch"):
            contenders["torch, fused cell"] = torch_step(cell, weights, codes, batch)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(ROUNDS):
            losses = []
            for name, step in contenders.items():
                start = time.process_time()
                losses.append(step())
                times[name].append(time.process_time() - start)
            if number < 3 and not np.allclose(losses, losses[0], rtol=1e-3):
                raise AssertionError(
                    f"step {number + 1}: the losses differ, {dict(zip(contenders, losses, strict=True))}"
                )
        for name, own in times.items():
            table.setdefault(name, []).append(WINDOW * batch / statistics.median(own))
    for name, speeds in table.items():
        print(f"{name:32}" + "".join(f"{speed:34,.0f}" for speed in speeds))


if __name__ == "__main__":
    main()
