"""The layered layout on graphs nobody drew before."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from viz.layout.layered import BEND, layers, positions

GAP = 10.0


@st.composite
def dags(draw):
    count = draw(st.integers(1, 14))
    names = [f"n{place}" for place in range(count)]
    pairs = list(itertools.combinations(names, 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    anchors = frozenset(draw(st.sets(st.sampled_from(names))))
    widths = {name: draw(st.floats(1, 120)) for name in names}
    return names, edges, anchors, widths


@given(dags())
def test_links_climb_one_row_and_neighbours_keep_apart(dag):
    names, edges, anchors, widths = dag
    found = layers(names, edges, anchors, frozenset())
    for source, target in edges:
        chain = found.chains[source, target]
        assert chain[0] == source
        assert chain[-1] == target
        assert [found.row[name] for name in chain] == list(range(found.row[source], found.row[target] + 1))
    wide = {name: 14.0 if name[0] == BEND else widths[name] for name in found.row}
    x = positions(found, wide, GAP)
    for row in found.rows:
        for one, other in itertools.pairwise(row):
            assert x[other] - x[one] >= (wide[one] + wide[other]) / 2 + GAP - 1e-6
    assert sorted(name for row in found.rows for name in row) == sorted(found.row)


@given(dags())
def test_the_same_graph_gives_the_same_positions(dag):
    names, edges, anchors, widths = dag
    shown = []
    for _ in range(2):
        found = layers(names, edges, anchors, frozenset())
        shown.append(positions(found, {**dict.fromkeys(found.row, 14.0), **widths}, GAP))
    assert shown[0] == shown[1]


@given(st.integers(2, 30))
def test_a_chain_stands_straight(length):
    names = [f"n{place}" for place in range(length)]
    found = layers(names, list(itertools.pairwise(names)), frozenset(names[:1]), frozenset())
    assert len(set(positions(found, dict.fromkeys(names, 20.0), GAP).values())) == 1


def test_long_edges_stand_straight_past_every_row():
    names = ["x", "a", "b", "c", "y"]
    edges = [*itertools.pairwise(names), ("x", "y")]
    found = layers(names, edges, frozenset("x"), frozenset())
    x = positions(found, {**dict.fromkeys(found.row, 14.0), "a": 30.0, "b": 200.0, "c": 80.0}, GAP)
    assert len({x[name] for name in found.chains["x", "y"][1:-1]}) == 1


def test_what_takes_a_lane_in_comes_first_in_its_row():
    names = ["x", "a", "b", "c"]
    found = layers(names, [("x", "a"), ("x", "b"), ("x", "c")], frozenset("x"), frozenset("c"))
    assert found.rows[1][0] == "c"
