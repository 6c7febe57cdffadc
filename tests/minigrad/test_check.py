"""`minigrad check`, as the shell sees it: what it prints and its exit codes."""

import os
import subprocess
import sys
import textwrap

import pytest

FILE = """
import numpy as np
from minigrad.ops.core import Elementwise

def loss(x, w):
    return np.sum(np.tanh(x @ w) ** 2)

def layer(x):
    return np.tanh(x) * 2

def right(x, seed):
    return 2 * seed * (1 - np.tanh(x) ** 2)

def wrong(x, seed):
    return seed * (1 - np.tanh(x) ** 2)

def integer(x):
    return 3

cube = Elementwise("my_cube", lambda x: x * x * x, (lambda out, x: 2 * x * x,), latex="{0}^3", doc="Wrong.")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("check")
    (path / "model.py").write_text(textwrap.dedent(FILE), encoding="utf-8")
    (path / "broken.py").write_text("1 / 0", encoding="utf-8")
    return path


def check(folder, *arguments):
    """Exit code and output of `minigrad check`."""
    program = "import sys; from viz.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("model.py::loss", "--shape", "2,3", "--shape", "3"),
        ("model.py::layer", "--gradient", "model.py::right", "--shape", "2"),
    ],
)
def test_right_gradients_pass(folder, arguments):
    status, output = check(folder, *arguments)
    assert status == 0, output
    assert output.startswith("passed: ")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("model.py::layer", "--gradient", "model.py::wrong", "--shape", "2"), "relative error  5.0e-01"),
        (("model.py::cube",), "check_op('my_cube', args=(np.array(1.0),), params={})"),
    ],
)
def test_wrong_gradients_fail_with_a_report(folder, arguments, shown):
    status, output = check(folder, *arguments)
    assert status == 1
    assert shown in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model.py",), "expects FILE.py::FUNCTION"),
        (("nowhere.py::f",), "there is no file nowhere.py"),
        (("broken.py::f",), "cannot be imported (ZeroDivisionError"),
        (("model.py::nothing",), "has no function nothing; it has"),
        (("model.py::integer",), "gives int for nodes"),
        (("model.py::loss", "--shape", "3"), "takes 2 arguments, got 1 shapes"),
        (("model.py::layer", "--shape", "a"), "expects shapes like 3,4"),
        (("model.py::layer", "--profile", "slow"), "invalid choice"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(folder, arguments, said):
    status, output = check(folder, *arguments)
    assert status == 2
    assert said in output
    assert len(output.strip().splitlines()) == 1
