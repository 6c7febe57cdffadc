"""The laws of a flow on random recurrent nets: all cells, layers, directions and lengths, saturated or exploding."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
from rnn.testing import recurrent_nets


def sources(net):
    return st.sampled_from(sorted(net.model.parameters))


def tolerance(parts):
    return 1e-11 * sum(np.abs(part).max(initial=0) for part in parts)


@settings(max_examples=30)
@given(recurrent_nets(max_steps=4), st.data())
def test_entries_shares_and_lags_sum_to_the_gradient(net, data):
    source = net.model.parameters[data.draw(sources(net))]
    table = rnn.bptt(net.losses, source, net.unrolled)
    entries = [entry for row in table.gradient for entry in row]
    whole = mg.grad(mg.ops.add_n(*net.losses, 0.0), source).eval()
    assert np.abs(sum(entries) - whole).max() <= tolerance(entries)
    assert np.abs(table.total - whole).max() <= tolerance(entries)
    lags = table.by_lag()
    assert np.abs(sum(lag.gradient for lag in lags.values()) - whole).max() <= tolerance(entries)
    if whole.any():
        assert abs(table.share.sum() - 1) <= 1e-9 * max(1, np.abs(table.share).sum())
        assert abs(sum(lag.share for lag in lags.values()) - 1) <= 1e-9 * max(1, np.abs(table.share).sum())
    else:
        assert np.isnan(table.share[table.present]).all()


@settings(max_examples=30)
@given(recurrent_nets(max_steps=4), st.data())
def test_each_entry_is_the_flow_of_its_own_loss_through_its_own_use(net, data):
    source = net.model.parameters[data.draw(sources(net))]
    table = rnn.bptt(net.losses, source, net.unrolled)
    t = data.draw(st.integers(0, len(net.losses) - 1))
    assume(table.present[t].any())
    uses = mg.flow(net.losses[t], source).uses
    for k in range(table.steps):
        own = [use.gradient for use in uses if use.user.scope["t"] == k]
        assert bool(own) >= bool(table.present[t, k])
        expected = sum(own, np.zeros(source.shape))
        assert np.abs(table.gradient[t][k] - expected).max() <= 1e-12 * np.abs(expected).max()
        assert abs(table.norm[t, k] - np.linalg.norm(expected)) <= 1e-11 * np.linalg.norm(expected)


@settings(max_examples=30)
@given(recurrent_nets(max_steps=4), st.data())
def test_flow_is_conserved_at_every_node_and_across_the_steps(net, data):
    source = net.model.parameters[data.draw(sources(net))]
    loss = mg.ops.add_n(*net.losses, 0.0)
    flow = mg.flow(loss, source)
    assume(flow.gradient.any())
    shares = flow.edge_shares
    slack = 1e-9 * max(1, max(map(abs, shares.values())))
    for node in flow.paths.nodes:
        coming = sum(shares[edge] for edge in flow.paths.into[node]) if node is not source else 1
        going = sum(shares[edge] for edge in flow.paths.out[node]) if node is not loss else 1
        assert abs(coming - going) <= slack * max(1, len(flow.paths.out[node]))
    below = set(flow.paths.nodes[: data.draw(st.integers(1, len(flow.paths.nodes) - 1))])
    crossing = [share for edge, share in shares.items() if edge.argument in below and edge.user not in below]
    assert abs(sum(crossing) - 1) <= 1e-9 * max(1, sum(map(abs, crossing)))


@settings(max_examples=30)
@given(recurrent_nets(max_steps=4), st.data())
def test_the_paths_through_a_step_and_those_that_avoid_it_are_the_gradient(net, data):
    source = net.model.parameters[data.draw(sources(net))]
    loss = mg.ops.add_n(*net.losses, 0.0)
    flow = mg.flow(loss, source)
    step = data.draw(st.sampled_from(sorted({node.scope["t"] for node in flow.paths.nodes if "t" in node.scope})))
    through, avoiding = flow.through(f"t={step}"), flow.avoiding(f"t={step}")
    assert through.count + avoiding.count == flow.count()
    parts = [through.gradient, avoiding.gradient]
    assert np.abs(sum(parts) - flow.gradient).max() <= tolerance(parts)
    by_lane = rnn.lanes(loss, source, net.unrolled).by_lane
    parts = [part.gradient for part in by_lane.values()]
    assert np.abs(sum(parts) - flow.gradient).max() <= tolerance(parts)
    assert sum(part.count for part in by_lane.values()) == flow.count()
