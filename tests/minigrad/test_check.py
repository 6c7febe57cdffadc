"""`minigrad check`: what it prints and its exit codes."""

import argparse
import os
import subprocess
import sys
import textwrap

import pytest

from minigrad.check import check_arguments, run_check
from minigrad.errors import Misuse
from minigrad.ops import REGISTRY

FILE = """
import numpy as np
from minigrad.ops.core import Elementwise, Linear

def loss(x, w):
    return np.sum(np.tanh(x @ w) ** 2)

def layer(x):
    return np.tanh(x) * 2

def größe(x):
    return np.sin(x)

def right(x, seed):
    return 2 * seed * (1 - np.tanh(x) ** 2)

def wrong(x, seed):
    return seed * (1 - np.tanh(x) ** 2)

def integer(x):
    return 3

class Rotate(Linear):
    name = "rotate"

def raises(x):
    raise RuntimeError("no luck")

def raising_vjp(x, seed):
    raise KeyError("w")

def composed(x):
    return np.sum(cube(np.tanh(x) * 2))

def dot(p):
    return np.sum(p[0] * p[1])

def pull_dot(p, seed):
    return [seed * p[1], seed * p[0]]

cube = Elementwise("my_cube", lambda x: x * x * x, (lambda out, x: 2 * x * x,), latex="{0}^3", doc="Wrong.")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("check")
    (path / "model.py").write_text(textwrap.dedent(FILE), encoding="utf-8")
    (path / "broken.py").write_text("1 / 0", encoding="utf-8")
    (path / "exits.py").write_text("raise SystemExit(3)", encoding="utf-8")
    (path / "syntax.py").write_text("def f(x:\n    return x", encoding="utf-8")
    yield path
    REGISTRY.pop("my_cube", None)


@pytest.fixture
def check(folder, capsys, monkeypatch):
    """Exit code and output of `minigrad check`, run in the folder."""

    def run(*arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.setattr("minigrad.testing.failure.hooks", list)
        parser = argparse.ArgumentParser(exit_on_error=False)
        check_arguments(parser)
        try:
            status = run_check(parser.parse_args(arguments))
        except (Misuse, argparse.ArgumentError) as misuse:
            return 2, str(misuse)
        return status, capsys.readouterr().out

    return run


def test_the_shell_sees_one_sentence_and_an_exit_code(folder):
    program = "import sys; from viz.cli import main; sys.exit(main(sys.argv[1:]))"
    for arguments, status in ((("model.py::layer", "--gradient", "model.py::wrong"), 1), (("model.py::raises",), 2)):
        done = subprocess.run(
            [sys.executable, "-c", program, "check", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        assert "Traceback" not in output
        assert status == 1 or len(output.strip().splitlines()) == 1


def test_a_terminal_that_lacks_a_letter_shows_a_question_mark(folder):
    program = "import sys; from viz.cli import main; sys.exit(main(['check', 'model.py::gr\xf6\xdfe']))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, check=True)
    assert done.stdout.startswith(b"passed: gr??e")


@pytest.mark.parametrize(
    "arguments",
    [
        ("model.py::loss", "--shape", "2,3", "--shape", "3"),
        ("model.py::layer", "--gradient", "model.py::right", "--shape", "2"),
        ("model.py::dot", "--gradient", "model.py::pull_dot", "--shape", "2", "--shape", "2"),
    ],
)
def test_right_gradients_pass(check, arguments):
    status, output = check(*arguments)
    assert status == 0, output
    assert output.startswith("passed: ")
    assert " x dot test\n" in output


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("model.py::layer", "--gradient", "model.py::wrong", "--shape", "2"), "relative error  5.0e-01"),
        (("model.py::layer", "--gradient", "model.py::raising_vjp"), "KeyError: 'w' (model.py:"),
        (("model.py::cube",), "import model; check_op('my_cube', args=(np.array(1.0),))"),
        (("model.py::composed",), "the wrong rule: argument 0 of my_cube (model.py:"),
    ],
)
def test_wrong_gradients_fail_with_a_report(check, arguments, shown):
    status, output = check(*arguments)
    assert status == 1
    assert shown in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model.py",), "expects FILE.py::FUNCTION"),
        (("nowhere.py::f",), "there is no file nowhere.py"),
        (("broken.py::f",), "cannot be imported (ZeroDivisionError"),
        (("exits.py::f",), "cannot be imported (SystemExit: 3)"),
        (("syntax.py::f",), "cannot be imported (SyntaxError"),
        (("model.py::Rotate",), "Rotate is a class of ops; make one"),
        (("model.py::raises",), "RuntimeError: no luck"),
        (("model.py::raises", "--shape", "3"), "raises raises for shapes 3 (RuntimeError: no luck)"),
        (("model.py::dot", "--gradient", "model.py::pull_dot", "--shape", "2", "--shape", "3"), "give --shape once"),
        (("model.py::nothing",), "has no function nothing; it has"),
        (("model.py::integer",), "gives int for nodes"),
        (("model.py::loss", "--shape", "3"), "takes 2 arguments, got 1 shapes"),
        (("model.py::layer", "--shape", "a"), "expects shapes like 3,4"),
        (("model.py::layer", "--shape", "(-3)"), "expects shapes like 3,4"),
        (("model.py::layer", "--profile", "slow"), "invalid choice"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(check, arguments, said):
    status, output = check(*arguments)
    assert status == 2
    assert said in output
    assert len(output.strip().splitlines()) == 1


def test_a_torch_function_is_checked_by_its_own_backward(check, folder):
    pytest.importorskip("torch", reason="torch is optional: pip install minigrad[bench]")
    (folder / "layers.py").write_text(LAYER, encoding="utf-8")
    status, output = check("layers.py::Square")
    assert status == 1
    assert "check_gradient(from_torch(Square)[0], np.array([1.0]), from_torch(Square)[1])" in output


LAYER = """
import torch

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, seed):
        return 3 * seed * ctx.saved_tensors[0]
"""
