"""Long graphs: nothing recurses over nodes, and nothing is visited twice.

Each program runs in a fresh interpreter whose recursion limit is 200, so that one hidden recursion fails it.
"""

import subprocess
import sys
import textwrap

import minigrad as mg

CHAIN = """
import copy, gc, pickle, sys, weakref
import numpy as np
import minigrad as mg
sys.setrecursionlimit(200)
x = mg.input((), name="x")
y = x
for _ in range({length}):
    y = mg.tanh(y)
"""


def run_shallow(program, length=100_000):
    source = CHAIN.format(length=length) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_chain_of_100_000_nodes_differentiates_evaluates_prints_and_is_deleted():
    run_shallow(
        """
        g = mg.grad(y, x)
        assert abs(float(g.eval({x: 1e-9})) - 1) < 1e-6
        assert len(repr(g)) < 200 and len(repr(y)) < 200
        gone = weakref.ref(y)
        del y, g
        assert gone() is None
        """
    )


def test_200_000_nodes_are_differentiated_twice_saved_loaded_copied_printed_and_deleted(tmp_path):
    run_shallow(
        f"""
        for step in range(200_000):
            y = mg.sin(y) if step % 1000 == 0 else -y
        g = mg.grad(y, x)
        h = mg.grad(g, x)
        path = {str(tmp_path / "chain")!r}
        mg.save(path, y)
        loaded = mg.load(path)
        [z] = [node for node in mg.walk(loaded) if node.name == "x"]
        assert loaded[0].eval({{z: 0.5}}) == y.eval({{x: 0.5}})
        assert copy.copy(g) is g and copy.deepcopy(g) is g
        assert len(repr(h)) < 200
        assert mg.listing(y).count(chr(10)) == 200_000
        assert len(mg.simplify(y).args) == 1
        gone = weakref.ref(y), weakref.ref(h)
        del y, g, h, loaded, z
        assert [ref() for ref in gone] == [None, None]
        """,
        length=0,
    )


def test_graphs_are_freed_without_the_garbage_collector():
    run_shallow(
        """
        gc.disable()
        w = mg.parameter(np.ones((3, 3)), name="w")
        z = mg.sum(mg.tanh(w @ w))
        f = mg.function([w], [z, mg.grad(z, w)])
        f(np.ones((3, 3)))
        values = mg.run(mg.grad(z, w))
        gone = [weakref.ref(node) for node in (z, w, mg.jacobian(mg.tanh(w), w), mg.simplify(z))]
        del w, z, f, values
        assert [ref() for ref in gone] == [None] * 4, gone
        """,
        length=1,
    )


def test_shared_subgraphs_are_visited_once():
    x = mg.input(())
    y = x
    for _ in range(2_000):
        y = y + y
    assert sum(1 for _ in mg.walk(y)) == 2_001
    # One join a node: linear, where a walk along paths would take 2**2000 steps.
    assert sum(1 for _ in mg.walk(mg.grad(y, x))) <= 3 * 2_000
    assert y.eval({x: 2.0**-1000}) == 2.0**1000
