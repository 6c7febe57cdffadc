"""check_gradient on gradients that torch computes: its own pass, and a wrong rule planted in a Function is found."""

import numpy as np
import pytest

from minigrad.testing import GradientFailure, check_gradient

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


def vjp_of(function):
    """The vjp of a torch function as arrays."""

    def gradient(x, seed):
        leaf = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
        function(leaf).backward(torch.tensor(seed))
        return leaf.grad.numpy()

    return gradient


def value_of(function):
    """A torch function of arrays."""
    return lambda x: function(torch.tensor(np.ascontiguousarray(x))).detach().numpy()


@pytest.mark.parametrize("function", [torch.tanh, torch.sin, torch.relu, lambda x: torch.softmax(x, -1)])
def test_torch_passes(function):
    check_gradient(value_of(function), X, vjp_of(function))


def test_a_right_function_passes():
    check_gradient(value_of(Cube.apply), X, vjp_of(Cube.apply))


@pytest.mark.parametrize(
    ("factor", "slip"), [(2.0, None), (3.000001, None), (3.0, "ignores the seed"), (3.0, "float32")]
)
def test_a_wrong_rule_planted_in_a_function_is_found(monkeypatch, factor, slip):
    monkeypatch.setattr(Cube, "factor", factor)
    monkeypatch.setattr(Cube, "slip", slip)
    with pytest.raises(GradientFailure):
        check_gradient(value_of(Cube.apply), X, vjp_of(Cube.apply))
