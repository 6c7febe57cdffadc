"""Errors and warnings say what was expected, what came, whose names and lines, and what to do."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import minigrad as mg


def test_a_shape_error_names_both_operands_with_scope_and_line():
    with mg.scope("lstm", t=3):
        h = mg.input((4, 3), name="h")
    w = mg.parameter(np.ones((2, 4)), name="W_hh")
    with pytest.raises(mg.ShapeError) as caught:
        h @ w
    line = h.site.rpartition(":")[2]
    text = str(caught.value)
    assert text.startswith("matmul: expects a.shape[-1] == b.shape[-2], got 3 and 2; ")
    assert f"a = h (test_errors.py:{line}, lstm t=3) with shape (4, 3)" in text
    assert "b = W_hh (test_errors.py:" in text


@pytest.mark.parametrize(
    "build",
    [
        lambda a, b: a + b,
        lambda a, b: np.where(a > 0, a, b),
        lambda a, b: np.concatenate([a, b], axis=0),
        lambda a, b: np.stack([a, b]),
        lambda a, b: np.einsum("ij,ij->i", a, b),
        lambda a, b: np.tensordot(a, b, axes=1),
        lambda a, b: mg.broadcast_to(a + 0, (3, 5)) + b,
        lambda a, b: mg.mse(a, b),
        lambda a, b: mg.cross_entropy(a, np.zeros(7, int)) + b,
        lambda a, b: np.vecdot(a, b),
        lambda a, b: np.cross(a, b),
        lambda a, b: np.take_along_axis(a, np.zeros(2, int), axis=1) + b,
    ],
)
def test_every_misfit_names_its_operands(build):
    a, b = mg.input((2, 3), name="left"), mg.input((4, 5), name="right")
    with pytest.raises(mg.ShapeError, match=r"test_errors\.py:\d+\).* with shape"):
        build(a, b)


def test_mutual_broadcasting_warns_and_can_be_made_an_error():
    a, b = mg.input((4,), name="prediction"), mg.input((4, 1), name="target")
    with pytest.warns(mg.BroadcastWarning, match=r"sub: both operands grow to \(4, 4\).*prediction.*target") as caught:
        a - b
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", mg.BroadcastWarning)
        with pytest.raises(mg.BroadcastWarning):
            a - b
        # Meant: one operand grows, or both have the same number of axes, or one is a number.
        for fine in (a[None, :] - b, b + mg.input((5, 4, 1)), a * 2.0, mg.input((3, 4)) + a, mg.input(()) * b):
            assert fine.shape
        mg.grad(mg.sum(a[None, :] * b), a)


@pytest.mark.parametrize(
    "index", [(5,), (0, 0, 0), (slice(None), 4), ([7],), (..., ...), ("a",), (1.5,), (np.array([0.5]),)]
)
def test_an_index_that_does_not_fit_names_the_node(index):
    x = mg.input((2, 3), name="x")
    with pytest.raises(IndexError, match="x = input"):
        x[index]


def test_a_mask_must_be_known():
    x = mg.input((3,), name="x")
    assert x[np.array([True, False, True])].shape == (2,)
    with pytest.raises(IndexError, match=r"np\.where"):
        x[x > 0]
    with pytest.raises(IndexError, match=r"np\.where"):
        mg.embedding(x, x > 0)


def test_positions_out_of_range_raise_when_evaluated():
    table, at = mg.parameter(np.ones((3, 2))), mg.input((2,), dtype=int)
    with pytest.raises(IndexError, match="out of bounds"):
        mg.embedding(table, at).eval({at: [0, 3]})


def test_leaves_take_real_numbers():
    for bad in (1j, "a", None, object()):
        with pytest.raises(mg.DtypeError, match="real numbers"):
            mg.constant(bad)
    with pytest.raises(ValueError, match="sizes of 0 or more"):
        mg.input((-1,))
    with pytest.raises(TypeError, match="expects numbers, got the node"):
        mg.constant(mg.input(()))
    with pytest.raises(mg.DtypeError, match="integer labels"):
        mg.cross_entropy(mg.input((2,)), mg.input(()))


def test_nodes_are_immutable_shared_by_copies_and_not_pickled():
    x = mg.tanh(mg.input((2,), name="x"))
    for change in (lambda: setattr(x, "shape", (3,)), lambda: delattr(x, "op"), lambda: setattr(x, "new", 1)):
        with pytest.raises(AttributeError, match="immutable"):
            change()
    assert copy.copy(x) is x
    assert copy.deepcopy([x])[0] is x
    with pytest.raises(TypeError, match=r"mg\.save"):
        pickle.dumps(x)
    assert pickle.loads(pickle.dumps(x.op)) is x.op


def test_a_name_is_given_once():
    x = mg.input((2,), name="x")
    assert x.named("x") is x
    with pytest.raises(ValueError, match="already has a name"):
        x.named("y")


def test_feeds_are_checked():
    x, w = mg.input((2,), name="x"), mg.parameter([1.0, 2.0], name="w")
    y = x * w
    for feed, says in [
        ({}, "no value was fed for the input x"),
        ({x: [1.0]}, r"x .* has shape \(2,\), got an array of shape \(1,\)"),
        ({x: w}, "expects an array, got the node w"),
    ]:
        with pytest.raises(mg.FeedError, match=says):
            y.eval(feed)
    n = mg.input((2,), dtype=int, name="n")
    with pytest.raises(mg.FeedError, match=r"n .* has dtype int64, got an array of dtype float64"):
        n.eval({n: [0.5, 1.0]})
    with pytest.raises(ValueError, match="has shape"):
        w.assign([1.0])
    with pytest.raises(KeyError, match="not needed"):
        mg.run(w)[x]


def test_the_site_is_the_callers_line_for_every_spelling():
    x = mg.input((2, 3), name="x")
    here = int(x.site.rpartition(":")[2])
    made = [
        x + 1,
        np.tanh(x),
        x.sum(axis=0),
        mg.softmax(x),
        np.concatenate([x, x]),
        x[0],
    ]
    lines = [int(node.site.rpartition(":")[2]) for node in made]
    assert [node.site.rpartition(":")[0] for node in made] == ["test_errors.py"] * 6
    assert all(here + 2 <= line <= here + 9 for line in lines)
    assert lines == sorted(lines)


def test_equal_code_in_two_files_has_two_sites():
    source = "import minigrad as mg\ndef make():\n    return mg.input(())\n"
    made = []
    for name in ("first.py", "second.py"):
        scope: dict = {}
        exec(compile(source, name, "exec"), scope)
        made.append(scope["make"]())
    assert [node.site for node in made] == ["first.py:3", "second.py:3"]
