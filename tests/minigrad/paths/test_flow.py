"""Every question a Flow answers, against all paths enumerated one by one."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.paths.measure import norms

from .graphs import build, every_path, programs, slack, total


def flow_of(program, which=0):
    """The flow to y from one leaf, skipping programs where the leaf does not reach it."""
    y, leaves = build(program)
    source = leaves[which]
    paths = every_path(y, source)
    assume(paths)
    return mg.flow(y, source), source, paths


def same(part, expected, tolerance):
    assert np.shape(part) == np.shape(expected)
    return np.abs(part - expected).max(initial=0) <= tolerance


@given(programs(), st.integers(0, 1))
def test_gradient_and_count_are_those_of_all_paths(program, which):
    flow, source, paths = flow_of(program, which)
    assert flow.count() == len(paths)
    assert same(flow.gradient, total(paths, source), slack(paths))
    assert same(flow.gradient, mg.grad(flow.y, source).eval(), slack(paths))


@given(programs())
def test_uses_sum_to_the_gradient_and_each_is_its_own_paths(program):
    flow, source, paths = flow_of(program)
    for use in flow.uses:
        own = [path for path in paths if path[0][-1] == use.edge]
        assert use.count == len(own)
        assert same(use.gradient, total(own, source), slack(paths))
    assert same(sum(use.gradient for use in flow.uses), flow.gradient, slack(paths))
    if flow.gradient.any():
        shares = [use.share for use in flow.uses]
        assert abs(sum(shares) - 1) <= 1e-10 * max(1, sum(map(abs, shares)))


@given(programs(), st.data())
def test_through_and_avoiding_any_set_are_the_paths_that_meet_it_and_that_do_not(program, data):
    flow, source, paths = flow_of(program)
    members = data.draw(st.lists(st.sampled_from([*mg.walk(flow.y), *flow.paths.edges]), max_size=3))

    def meets(path):
        edges = set(path[0])
        nodes = {edge.user for edge in edges} | {edge.argument for edge in edges}
        return any(member in nodes or member in edges for member in members)

    through, avoiding = flow.through(members), flow.avoiding(members)
    met, missed = [p for p in paths if meets(p)], [p for p in paths if not meets(p)]
    assert (through.count, avoiding.count) == (len(met), len(missed))
    assert same(through.gradient, total(met, source), slack(paths))
    assert same(avoiding.gradient, total(missed, source), slack(paths))


@given(programs(), st.sampled_from(["sin", "mul", "add", "tanh"]))
def test_classes_are_the_paths_by_their_number_of_marked_edges(program, op):
    flow, source, paths = flow_of(program)
    classes = flow.classes(lambda edge: edge.user.op.name == op)
    expected = {}
    for path in paths:
        expected.setdefault(sum(edge.user.op.name == op for edge in path[0]), []).append(path)
    assert list(classes) == sorted(expected)
    for k, part in classes.items():
        assert part.count == len(expected[k])
        assert same(part.gradient, total(expected[k], source), slack(paths))
    assert same(sum(part.gradient for part in classes.values()), flow.gradient, slack(paths))


@given(programs())
def test_shares_of_edges_are_those_of_the_paths_through_them(program):
    flow, _, paths = flow_of(program)
    assume(np.abs(flow.gradient).max(initial=0) > 1e-6)
    tolerance = 1e-9 * sum(np.abs(product).max(initial=0) for _, product in paths) / np.abs(flow.gradient).max()
    assert set(flow.edge_shares) == {edge for path, _ in paths for edge in path}
    for edge, share in flow.edge_shares.items():
        assert abs(share - flow.through(edge).share) <= tolerance


@given(programs(), st.data())
def test_shares_are_conserved_at_every_node_and_across_every_cut(program, data):
    flow, source, paths = flow_of(program)
    assume(np.abs(flow.gradient).max(initial=0) > 1e-6)
    tolerance = 1e-9 * sum(np.abs(product).max(initial=0) for _, product in paths) / np.abs(flow.gradient).max()
    shares = flow.edge_shares
    for node in flow.paths.nodes:
        coming = sum(shares[edge] for edge in flow.paths.into[node]) if node is not source else 1
        going = sum(shares[edge] for edge in flow.paths.out[node]) if node is not flow.y else 1
        assert abs(coming - going) <= tolerance
    # A cut: any set of nodes that holds the source and, with a node, all its arguments.
    size = data.draw(st.integers(1, len(flow.paths.nodes) - 1))
    below = set(flow.paths.nodes[:size])
    crossing = sum(share for edge, share in shares.items() if edge.argument in below and edge.user not in below)
    assert abs(crossing - 1) <= tolerance


@given(programs(), st.integers(1, 5))
def test_top_paths_are_the_largest_of_all_and_leave_an_exact_remainder(program, k):
    flow, _, paths = flow_of(program)
    top = flow.top(k)
    norms = sorted((float(np.linalg.norm(product)) for _, product in paths), reverse=True)
    assert not top.spent
    assert len(top.paths) == min(k, len(paths))
    for path, size in zip(top.paths, norms, strict=False):
        assert path.norm == pytest.approx(size, rel=1e-9, abs=1e-14 * norms[0])
        listed = dict(paths)[path.edges[::-1]]
        assert same(path.gradient, listed, 1e-12 * path.norm)
    left = flow.gradient - sum(path.gradient for path in top.paths)
    assert same(top.remainder.gradient, left, slack(paths))
    assert top.remainder.count == len(paths) - len(top.paths)


@given(programs())
def test_counts_do_not_depend_on_the_weights(program):
    flow, _, paths = flow_of(program)
    shapes, _, instructions = program
    other, leaves = build((shapes, 1, instructions))
    for leaf in leaves:
        leaf.assign(np.full(leaf.shape, np.nan))
    assert mg.flow(other, leaves[0]).count() == flow.count() == len(paths)


@given(programs())
def test_renaming_and_rebuilding_change_no_bit(program):
    flow, _, _ = flow_of(program)
    y, leaves = build(program, names=("z", "y"), inner_scope="step")
    again = mg.flow(y, leaves[0])
    np.testing.assert_array_equal(again.gradient, flow.gradient)
    assert list(again.edge_shares.values()) == pytest.approx(list(flow.edge_shares.values()), rel=0, nan_ok=True)
    for one, other in zip(again.uses, flow.uses, strict=True):
        np.testing.assert_array_equal(one.gradient, other.gradient)


@given(programs())
def test_simplifying_the_graph_changes_neither_gradient_nor_count(program):
    flow, source, paths = flow_of(program)
    again = mg.flow(mg.simplify(flow.y), source)
    assert again.count() == flow.count()
    assert same(again.gradient, flow.gradient, slack(paths))


@given(programs())
def test_the_edges_of_the_paths_are_those_that_backprop_uses(program):
    flow, source, _ = flow_of(program)
    assert set(flow.paths.edges) == set(mg.backprop(flow.y, source).contributions)


@given(programs())
def test_several_sources_are_one_gradient(program):
    y, leaves = build(program)
    paths = [every_path(y, leaf) for leaf in leaves]
    assume(all(paths))
    flow = mg.flow(y, leaves)
    assert flow.count() == sum(map(len, paths))
    for gradient, leaf, own in zip(flow.gradient, leaves, paths, strict=True):
        assert same(gradient, total(own, leaf), slack(own))
    size = sum(float(np.vdot(gradient, gradient)) for gradient in flow.gradient)
    assume(size > 1e-6)
    for use in flow.uses:
        inner = sum(float(np.vdot(a, b)) for a, b in zip(use.gradient, flow.gradient, strict=True))
        assert use.share == pytest.approx(inner / size, rel=1e-9, abs=1e-12)


def test_an_inner_node_is_a_source_and_a_seed_makes_y_any_shape():
    x = mg.input((2, 3), name="x")
    h = mg.tanh(x)
    y = h * h + x
    feed = {x: np.arange(6.0).reshape(2, 3) / 7}
    seed = np.arange(6.0).reshape(2, 3) - 2
    value = np.tanh(feed[x])
    np.testing.assert_allclose(mg.flow(y, h, feed, seed=seed).gradient, 2 * value * seed, rtol=1e-15)
    whole = mg.flow(y, x, feed, seed=seed)
    np.testing.assert_allclose(whole.avoiding(h).gradient, seed)
    np.testing.assert_allclose(whole.through(h).gradient, 2 * value * (1 - value**2) * seed, rtol=1e-14)


def test_a_source_on_the_way_from_another_keeps_both_kinds_of_paths():
    x = mg.parameter(2.0, name="x")
    h = x * x
    flow = mg.flow(h * 3.0, [x, h])
    assert [float(gradient) for gradient in flow.gradient] == [12.0, 3.0]
    assert flow.count() == 3
    assert sum(use.share for use in flow.uses) == pytest.approx(1)


def test_a_scope_pattern_takes_the_nodes_of_any_matching_scope():
    w = mg.parameter(0.5, name="w")
    h = w
    for t in range(4):
        with mg.scope("rnn", t=t):
            h = mg.sin(w * h)
    flow = mg.flow(h, w)
    last = flow.through("t=3").gradient
    np.testing.assert_allclose(last, flow.gradient)
    by_hand = flow.avoiding([node for node in mg.walk(h) if node.scope.get("t") in (1, 2)])
    np.testing.assert_array_equal(flow.avoiding("rnn t=[12]").gradient, by_hand.gradient)


def test_counting_needs_no_values_and_numbers_say_what_is_missing():
    x = mg.input((), name="x")
    flow = mg.flow(x * x, x)
    assert flow.count() == 2
    with pytest.raises(mg.FeedError, match="no value was fed for the input x"):
        _ = flow.gradient


def test_the_numbers_are_those_of_the_moment_it_was_made():
    w = mg.parameter(3.0)
    flow = mg.flow(w * w, w)
    w.assign(5.0)
    assert flow.gradient == 6.0


def test_zero_gradients_have_no_shares_and_say_so_by_nan():
    x = mg.parameter(0.0)
    flow = mg.flow(x * x, x)
    assert all(np.isnan(use.share) for use in flow.uses)
    assert np.isnan(mg.dispersion(flow.uses))


def test_shares_survive_numbers_whose_squares_do_not():
    x = mg.parameter([1e-200, 2e-200])
    flow = mg.flow(mg.sum(x * x * 1e-60), x)
    assert [use.share for use in flow.uses] == pytest.approx([0.5, 0.5], rel=1e-12)
    assert sum(flow.edge_shares[use.edge] for use in flow.uses) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_are_right_at_both_ends_of_the_floats(dtype):
    limits = np.finfo(dtype)
    sizes = [1.0, 0.0, 8 * limits.smallest_subnormal, float(limits.tiny), 2.0 ** (limits.maxexp - 4), np.inf, np.nan]
    stack = np.array(sizes, dtype)[:, None, None] * np.array([[3, 4]], dtype)
    with np.errstate(all="ignore"):
        found = norms(stack)
    np.testing.assert_allclose(found, 5 * np.array(sizes, float), rtol=1e-15)


def test_a_quotient_counts_paths_between_groups_and_refuses_circles():
    x = mg.parameter(1.0)
    a = mg.sin(x) + mg.cos(x)
    y = mg.sin(a) * mg.cos(a)
    group = {x: "x", y: "y", a: "a"}
    flow = mg.flow(y, x)
    assert flow.count() == 4
    assert flow.count(by=lambda node: group[node] if node in group else (node.op.name, node.args[0] is x)) == 4
    # Everything between a and y in one group: x -> (sin | cos) -> a -> middle -> y.

    def coarse(node):
        return group.get(node) or ("middle" if node.args[0] is a else node.op.name)

    assert flow.count(by=coarse) == 2
    with pytest.raises(mg.GradientError, match="the labels make a cycle"):
        flow.count(by=lambda node: "even" if node.id % 2 else "odd")


@given(st.lists(st.tuples(*[st.floats(0.01, 100)] * 3), min_size=2, max_size=6), st.integers(1, 4))
def test_a_path_that_starts_small_and_ends_large_is_not_overtaken(branches, k):
    x = mg.parameter(1.0)
    y = mg.sum(mg.stack([first * mg.sin(second * (third * x)) for first, second, third in branches]))
    slopes = sorted((abs(a * b * c * np.cos(b * c)) for a, b, c in branches), reverse=True)
    top = mg.flow(y, x).top(k)
    assert [path.norm for path in top.paths] == pytest.approx(slopes[:k], rel=1e-9)
    assert top.bound >= (slopes[k] if k < len(slopes) else 0) * (1 - 1e-9)


def test_a_spent_budget_is_said_and_what_is_listed_stays_exact():
    x = mg.parameter(0.3)
    h = x
    for _ in range(12):
        h = mg.sin(h) + h * h
    flow = mg.flow(h, x)
    top = flow.top(50, budget=60)
    assert top.spent
    assert top.tried <= 60 + 4
    assert len(top.paths) < 50
    full = flow.top(5)
    assert not full.spent
    assert all(path.norm <= full.paths[0].norm for path in full.paths)
    np.testing.assert_allclose(full.remainder.gradient + sum(p.gradient for p in full.paths), flow.gradient)
    assert full.remainder.count == 3**12 - 5


def test_a_long_chain_is_no_recursion():
    x = mg.parameter(1.0)
    h = x
    for _ in range(5_000):
        h = h * 1.0
    flow = mg.flow(h, x)
    assert flow.count() == 1
    assert flow.edge_shares[mg.Edge(h, 0)] == 1
    assert flow.top(1).paths[0].norm == 1


W = mg.parameter(np.ones(2), name="w")
Y = mg.sum(mg.sin(W))


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: mg.flow(mg.sin(W), W), mg.GradientError, r"expects a scalar, got sin .* of shape \(2,\); sum it"),
        (lambda: mg.flow(Y, mg.parameter(1.0)), mg.GradientError, "made after the target"),
        (lambda: mg.flow(mg.stop_gradient(Y), W), mg.GradientError, "no differentiable path leads from the source w"),
        (lambda: mg.flow(Y, Y), mg.GradientError, "is the target itself"),
        (lambda: mg.flow(Y, []), mg.GradientError, "the source is an empty list"),
        (lambda: mg.flow(Y, 3), TypeError, "the source must be a node or a list of nodes, got int"),
        (lambda: mg.flow(3.0, W), TypeError, "expects the target as a node, got float"),
        (lambda: mg.flow(mg.sin(W), W, seed=[1.0]), mg.FeedError, r"has shape \(2,\), got an array of shape \(1,\)"),
        (lambda: mg.flow(Y, W).classes(3), TypeError, "or a predicate of an edge, got int"),
        (lambda: mg.flow(Y, W).classes(lambda edge: 2), TypeError, "answers True or False, this one gave int"),
        (lambda: mg.flow(Y, W).through(lambda edge: edge.op), TypeError, "is given an edge, with .user"),
        (lambda: mg.flow(Y, W).through("t=1"), mg.GradientError, "no node on these paths has a scope like 't=1'"),
        (lambda: mg.flow(Y, W).through([W, 5]), TypeError, "got int"),
        (lambda: mg.flow(Y, W).top(-1), ValueError, "how many paths as a whole number"),
        (lambda: mg.flow(Y, W).top(1, budget=0), ValueError, "expects a budget of 1 edge or more, got 0"),
        (lambda: mg.flow(Y, W).count(by=3), TypeError, "by must be a function of a node"),
    ],
)
def test_bad_input_is_one_sentence(ask, error, words):
    with pytest.raises(error, match=words) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_parts_and_paths_say_what_they_are_without_their_arrays():
    x = mg.parameter(np.ones(1000), name="x")
    flow = mg.flow(mg.sum(mg.sin(x) * x), x)
    assert repr(flow.classes(lambda edge: edge.user.op.name == "sin")[1]) == "<part: 1 path, share 0.391, norm 17.1>"
    assert repr(flow.uses[1]).startswith("<use: 1 path, share 0.609, norm 26.6, as argument 1 of mul")
    assert repr(flow.top(1).paths[0]) == "<path x -> mul -> sum: share 0.609, norm 26.6>"
