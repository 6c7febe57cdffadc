"""The algebras, and one of the reader's own, against all paths enumerated."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.derivative import pull_edge, push_edge
from minigrad.paths import (
    Best,
    Cotangents,
    Count,
    Entropy,
    MaxProduct,
    Paths,
    Polynomials,
    Reach,
    Rows,
    Tangents,
    Weights,
    sweep,
)
from minigrad.paths.bounds import edge_bound

from .graphs import build, every_path, programs, slack

SCALAR = [("sin", 1), ("tanh", 1), ("triple", 1), ("mul", 2), ("add", 2), ("sub", 2)]


@st.composite
def scalar_graphs(draw):
    instructions = []
    for number in range(draw(st.integers(1, 8))):
        name, arity = draw(st.sampled_from(SCALAR))
        earlier = st.one_of(st.just(number + 1), st.integers(0, number + 1))
        instructions.append((name, tuple(draw(earlier) for _ in range(arity))))
    y, leaves = build((((), ()), draw(st.integers(0, 2**32)), instructions))
    paths = every_path(y, leaves[0])
    assume(paths)
    return y, leaves[0], paths


@given(scalar_graphs())
def test_max_product_is_the_largest_path_with_its_sign(graph):
    y, x, paths = graph
    best = dict(sweep(Paths(y, x), MaxProduct(mg.run(y).values), {y: Best(1.0)}))[x]
    products = {edges: float(product) for edges, product in paths}
    assert abs(best.product) == pytest.approx(max(map(abs, products.values())), rel=1e-12, abs=1e-300)
    assert best.product == pytest.approx(products[tuple(best.edges)], rel=1e-12)


@given(scalar_graphs())
def test_entropy_is_that_of_the_sizes_of_all_paths(graph):
    y, x, paths = graph
    sizes = np.abs([float(product) for _, product in paths])
    assume(sizes.sum() > 1e-9)
    weights = dict(sweep(Paths(y, x), Entropy(mg.run(y).values), {y: Weights(1.0, 0.0)}))[x]
    assert weights.total == pytest.approx(sizes.sum(), rel=1e-12)
    assert weights.entropy == pytest.approx(_entropy(sizes), rel=1e-9, abs=1e-9)


def _entropy(sizes):
    portions = sizes[sizes > 0] / sizes.sum()
    return float(-(portions * np.log(portions)).sum())


@given(programs())
def test_tangents_and_cotangents_agree(program):
    y, leaves = build(program)
    paths = every_path(y, leaves[0])
    assume(paths)
    graph, values = Paths(y, leaves[0]), mg.run(y).values
    tangent = np.random.default_rng(0).normal(size=leaves[0].shape)
    forward = dict(sweep(graph, Tangents(values), {leaves[0]: tangent}, forward=True))[y]
    backward = dict(sweep(graph, Cotangents(values), {y: np.ones(())}))[leaves[0]]
    assert abs(forward - np.vdot(backward, tangent)) <= 10 * slack(paths) * max(1, np.abs(tangent).max(initial=0))


@given(programs(), st.integers(1, 3))
def test_a_cap_adds_up_all_powers_from_there_on(program, cap):
    y, leaves = build(program)
    assume(every_path(y, leaves[0]))
    graph, one = Paths(y, leaves[0]), Rows(0, np.array([1], dtype=object))
    whole = dict(sweep(graph, Polynomials(Count(), lambda edge: True), {y: one}))[leaves[0]]
    capped = dict(sweep(graph, Polynomials(Count(), lambda edge: True, cap), {y: one}))[leaves[0]]
    for power in range(cap):
        assert (capped.get(power) or 0) == (whole.get(power) or 0)
    assert (capped.get(cap) or 0) == sum(whole.get(k) or 0 for k in range(cap, whole.stop))


@given(programs())
def test_reach_names_the_targets_a_node_leads_to(program):
    y, leaves = build(program)
    nodes = [node for node in mg.walk(y) if node.args and node.dtype.kind == "f" and every_path(node, leaves[0])]
    targets = nodes[:3]
    assume(targets)
    reached = dict(sweep(Paths(targets, leaves[0]), Reach(), {node: 1 << i for i, node in enumerate(targets)}))
    assert reached[leaves[0]] == (1 << len(targets)) - 1
    for node, bits in reached.items():
        for i, target in enumerate(targets):
            assert bool(bits >> i & 1) == (node is target or bool(every_path(target, node)))


@given(programs(), st.integers(0, 2**32))
def test_bounds_are_never_below_what_an_edge_does(program, seed):
    y, leaves = build(program)
    assume(every_path(y, leaves[0]))
    values, rng = mg.run(y).values, np.random.default_rng(seed)
    for edge in Paths(y, leaves[0]).edges:
        args = [values[arg] for arg in edge.user.args]
        # The largest singular direction, by a few rounds of power iteration: bounds must hold where they bind.
        vector = rng.normal(size=edge.user.shape)
        for _ in range(10):
            size = np.linalg.norm(vector)
            if not size:
                break
            pulled = pull_edge(edge.user, edge.slot, vector / size, values[edge.user], args)
            assert np.linalg.norm(pulled) <= edge_bound(edge, values) * (1 + 1e-12)
            vector = np.asarray(push_edge(edge.user, edge.slot, pulled, values[edge.user], args))


def test_max_product_takes_bounds_where_edges_are_not_scalar():
    w = mg.parameter(np.full((2, 2), 0.5), name="w")
    y = mg.sum(mg.tanh(w @ w))
    values = mg.run(y).values
    with pytest.raises(mg.GradientError, match="needs scalar edges"):
        dict(sweep(Paths(y, w), MaxProduct(values), {y: Best(1.0)}))
    bounded = dict(sweep(Paths(y, w), MaxProduct(slope=lambda edge: edge_bound(edge, values)), {y: Best(1.0)}))[w]
    assert bounded.product >= mg.flow(y, w).top(1).paths[0].norm


def test_an_algebra_of_ones_own():
    class Longest:
        def along(self, edge, value):
            return value + 1

        def join(self, node, values):
            return max(values)

    x = mg.parameter(1.0)
    y = mg.sin(mg.sin(x)) + x
    assert dict(sweep(Paths(y, x), Longest(), {y: 0}))[x] == 3
    assert dict(sweep(Paths(y, x), Longest(), {x: 0}, forward=True))[y] == 3
