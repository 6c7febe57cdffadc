"""check_gradient on gradients that torch computes: its own pass, and a wrong rule planted in a Function is found."""

import numpy as np
import pytest

from minigrad.testing import GradientFailure, check_gradient, from_torch

torch = pytest.importorskip("torch", reason="torch is optional: pip install minigrad[bench]")

X = np.array([0.5, -1.25, 2.0])


class Cube(torch.autograd.Function):
    """x ** 3 with the derivative `factor` x ** 2, and a slip where `slip` names one."""

    factor = 3.0
    slip = None

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, seed):
        (x,) = ctx.saved_tensors
        if Cube.slip == "ignores the seed":
            return Cube.factor * x**2
        if Cube.slip == "float32":
            return (seed * Cube.factor * x**2).float().double()
        return seed * Cube.factor * x**2


def check(function, x=X):
    f, gradient = from_torch(function)
    check_gradient(f, x, gradient)


@pytest.mark.parametrize("function", [torch.tanh, torch.sin, torch.relu, lambda x: torch.softmax(x, -1)])
def test_torch_passes(function):
    check(function)


def test_a_right_function_passes():
    check(Cube)


@pytest.mark.parametrize(
    ("factor", "slip"), [(2.0, None), (3.000001, None), (3.0, "ignores the seed"), (3.0, "float32")]
)
def test_a_wrong_rule_planted_in_a_function_is_found(monkeypatch, factor, slip):
    monkeypatch.setattr(Cube, "factor", factor)
    monkeypatch.setattr(Cube, "slip", slip)
    with pytest.raises(GradientFailure, match=r"^Cube.forward: ") as caught:
        check(Cube)
    assert "check_gradient(from_torch(Cube)[0], np.array(" in caught.value.finding.reproduce


def test_a_function_of_several_tensors():
    check(torch.dot, [X, X[::-1]])
    check(lambda x, labels: x[labels], [X, np.array([0, 2, 2])])
