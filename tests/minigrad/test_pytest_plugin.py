"""The pytest plugin, in a pytest of its own."""

import os
import re
import subprocess
import sys

FAILING = """
import numpy as np
from minigrad.testing import check_gradient, on_failure
from minigrad.testing.profiles import current

@on_failure
def note(finding):
    return f"saved: {finding.law}"

@on_failure
def broken(finding):
    raise OSError("no room")

def test_wrong():
    check_gradient(np.sin, np.array([0.5]), lambda x, s: s * np.sin(x))

def test_profile():
    print("profile is", current().name)
    assert 1 + 1 == 3
"""


def run(tmp_path, *arguments):
    """Exit code and output of pytest on the two failing tests."""
    (tmp_path / "test_it.py").write_text(FAILING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "minigrad.pytest_plugin", "-p", "no:cacheprovider", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_hooks_speak_in_the_report_and_cannot_hide_the_failure(tmp_path):
    status, output = run(tmp_path)
    assert status == 1
    assert "saved: one-hot seeds" in output
    assert "a failure hook failed: OSError: no room" in output
    assert "np.sin: one-hot seeds" in output
    assert output.count("saved: ") == 1
    assert "profile is quick" in output


def test_the_profile_is_in_force_and_its_seeds_are_printed(tmp_path):
    _, output = run(tmp_path, "-v", "--minigrad-profile=deep", "--hypothesis-seed=7")
    said = "minigrad: profile deep, 1000 cases an op, 10000 graphs; the seed of cases is 0, of Hypothesis "
    assert output.count(f"{said}--hypothesis-seed=7") == 2  # above, and again below the failures
    assert "profile is deep" in output


PROJECT = """
from hypothesis import settings

settings.register_profile("project", derandomize=True)
settings.load_profile("project")
"""
DRAWING = """
from hypothesis import given
from hypothesis import strategies as st

seen = []

@given(st.integers(0, 2**60))
def test_number(n):
    seen.append(n)

def test_show():
    raise AssertionError(f"seen {hash(tuple(seen))}")
"""


def test_a_deep_run_is_new_every_time_and_can_be_repeated(tmp_path):
    (tmp_path / "conftest.py").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "test_draws.py").write_text(DRAWING, encoding="utf-8")

    def seen(*arguments):
        _, output = run(tmp_path, "test_draws.py", *arguments)
        return re.search(r"seen (-?\d+)", output)[1], re.search(r"of Hypothesis (.*)", output)[1]

    deep, seed = seen("--minigrad-profile=deep")
    assert seen("--minigrad-profile=deep", seed) == (deep, seed)
    quick, said = seen("--minigrad-profile=quick")
    assert said == "fixed by its settings"
    assert quick != deep


def test_an_unknown_profile_is_refused(tmp_path):
    status, output = run(tmp_path, "--minigrad-profile=thorough")
    assert status == 4
    assert "invalid choice" in output
