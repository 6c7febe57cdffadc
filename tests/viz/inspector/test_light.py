"""What lights up: against every path enumerated, and against the engine's own table."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
import rnn
from minigrad import Edge
from viz.inspector.light import Light, light
from viz.study import study

CELLS = {"rnn": rnn.RNN, "lstm": rnn.LSTM, "gru": rnn.GRU}


def lit(cell, text="hello", hidden=3, weight="weight_hh_l0") -> Light:
    reading = rnn.read(text, CELLS[cell], hidden)
    return light(study(reading), mg.flow(reading.loss, reading.unrolled.model.parameters[weight]))


def all_paths(flow) -> list[tuple[Edge, ...]]:
    """Every path from the source to the target, its use of the source first."""
    whole, begun = [], [(edge,) for edge in flow.paths.out[flow.sources[0]]]
    while begun:
        path = begun.pop()
        if path[-1].user is flow.y:
            whole.append(path)
        begun += [(*path, edge) for edge in flow.paths.out[path[-1].user]]
    return whole


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_lights_exactly_the_edges_of_its_paths(cell):
    found = lit(cell, "hel")
    losses = {loss: t for t, loss in enumerate(found.table.losses)}
    wanted: dict[Edge, set[tuple[int, int]]] = {}
    for path in all_paths(found.flow):
        k = path[0].user.scope["t"]
        end = next(place for place, edge in enumerate(path) if edge.user in losses)
        for edge in path[: end + 1]:
            wanted.setdefault(edge, set()).add((losses[path[end].user], k))
    assert {edge: set(cells) for edge, cells in found.cells.items()} == wanted


@pytest.mark.parametrize("cell", CELLS)
def test_a_group_is_met_by_exactly_the_edges_of_the_paths_through_it(cell):
    found = lit(cell, "hel")
    gates = list(found.gates().values())
    wanted: dict[Edge, int] = {}
    for path in all_paths(found.flow):
        nodes = {edge.user for edge in path}
        bits = sum(1 << place for place, gate in enumerate(gates) if nodes & set(gate))
        for edge in path:
            wanted[edge] = wanted.get(edge, 0) | bits
    assert found.met(gates) == wanted


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("weight", ["weight_hh_l0", "weight_ih_l0", "bias_hh_l0"])
def test_cell_shares_are_the_tables_and_are_conserved(cell, weight):
    found = lit(cell, weight=weight)
    table, paths = found.table, found.flow.paths
    shape = table.share.shape

    def carried(edges):
        total = np.zeros(shape)
        for edge in edges:
            for place, share in found.cells.get(edge, {}).items():
                total[place] += share
        return total

    scale = float(np.abs(table.share).sum())
    np.testing.assert_allclose(carried(paths.out[found.source]), table.share, rtol=0, atol=1e-13 * scale)
    for loss in table.losses:
        t = table.losses.index(loss)
        np.testing.assert_allclose(carried(paths.into[loss])[t], table.share[t], rtol=0, atol=1e-13 * scale)
    for node in paths.nodes:
        if node in table.losses or node is found.source or node is found.flow.y:
            continue
        into, out = carried(paths.into[node]), carried(paths.out[node])
        np.testing.assert_allclose(into, out, rtol=0, atol=1e-12 * scale)


def test_cell_shares_add_up_to_the_edge_shares_of_the_flow():
    found = lit("lstm")
    for edge, cells in found.cells.items():
        whole = found.flow.edge_shares[edge]
        assert sum(cells.values()) == pytest.approx(whole, rel=0, abs=1e-13 * max(1.0, sum(map(abs, cells.values()))))


def test_a_long_sequence_offers_no_single_cells():
    assert not lit("rnn", "a" * 40, 2).cells


def test_a_graph_without_steps_has_no_table():
    x = mg.parameter([1.0, 2.0], name="x")
    loss = mg.sum(mg.tanh(x) * x)
    found = light(study(loss), mg.flow(loss, x))
    assert found.table is None
    assert found.gates() == {}
