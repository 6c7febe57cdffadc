"""The rolled view: every number is the unrolled drawing's, folded as the caption says, and nothing is lost."""

from __future__ import annotations

import io
import itertools
import json
import math
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from functools import partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minigrad as mg
import rnn
import viz
from rnn.testing import recurrent_nets
from viz.figure import WRITERS
from viz.scene import Scene
from viz.words import plain

from .subjects import IN_TIME

NETS = recurrent_nets(lengths=False)


def both(net, *, steps: int = 0) -> tuple[Scene, Scene]:
    """The rolled scene of a net with a loss at every step, and the unrolled one."""
    loss = mg.ops.add_n(*net.losses)
    return viz.draw(loss, level="rolled").scene, viz.draw(loss, steps=len(net.losses)).scene


def classes(scene: Scene) -> dict[tuple[str, str], list]:
    """Edges of the unrolled drawing by what they are at any step: the key of the source, `<` for another step's, and of
    the target."""
    boxes = {box.id: box for box in scene.boxes}
    found = defaultdict(list)
    for edge in scene.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        found["<" * (source.column != target.column) + source.key, target.key].append(edge)
    return found


def folded(scene: Scene) -> dict[tuple[str, str], list]:
    """The same of the rolled drawing, without the loops."""
    boxes = {box.id: box for box in scene.boxes}
    found = defaultdict(list)
    for edge in scene.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        if "delay" not in (source.role, target.role):
            found["<" * (source.column != target.column) + source.key, target.key].append(edge)
    return found


@settings(max_examples=20)
@given(NETS)
def test_an_edge_shows_the_root_of_the_sum_of_squares_over_the_steps(net):
    rolled, unrolled = both(net)
    found, wanted = folded(rolled), classes(unrolled)
    assert found.keys() == wanted.keys()
    for key, edges in found.items():
        (edge,) = edges
        norms = [old.mark.norm for old in wanted[key] if old.mark]
        assert (edge.mark is None) == (not norms), key
        if norms:
            assert edge.mark.norm == pytest.approx(math.hypot(*norms), rel=1e-12), key


@settings(max_examples=20)
@given(NETS)
def test_the_gain_is_what_is_sent_over_what_arrives_both_over_all_steps(net):
    rolled, unrolled = both(net)
    wanted = classes(unrolled)
    for key, (edge,) in folded(rolled).items():
        marks = [old.mark for old in wanted[key] if old.mark]
        if marks and all(mark.state == "measured" and mark.gain for mark in marks):
            arrives = math.hypot(*(mark.norm / mark.gain for mark in marks))
            assert edge.mark.gain == pytest.approx(edge.mark.norm / arrives, rel=1e-9), key


@settings(max_examples=20)
@given(NETS)
def test_a_share_is_the_sum_over_the_steps_and_passes_every_box_whole(net):
    loss = mg.ops.add_n(*net.losses)
    try:
        rolled, unrolled = (viz.draw(loss, edges="share", level=level, steps=99).scene for level in ("rolled", "cell"))
    except ValueError as error:
        assume("there is none" not in str(error))
        raise
    assert rolled.shows == "share"
    assert plain(rolled.proof) == "" or "NOT" not in plain(rolled.proof)
    wanted = classes(unrolled)
    for key, (edge,) in folded(rolled).items():
        shares = [old.mark.share for old in wanted[key] if old.mark]
        assert (edge.mark is None) == (not shares), key
        if shares:
            assert edge.mark.share == pytest.approx(math.fsum(shares), rel=1e-12, abs=1e-15, nan_ok=True), key
    by_label = defaultdict(float)
    for tag in (tag for box in unrolled.boxes for tag in box.tags if tag.mark):
        by_label[plain(tag.label)] += tag.mark.share
    tags = {plain(tag.label): tag for box in rolled.boxes for tag in box.tags if tag.mark}
    assert tags.keys() == by_label.keys()
    for label, tag in tags.items():
        assert tag.mark.share == pytest.approx(by_label[label], rel=1e-12, nan_ok=True)
        assert "of the gradient leaves here" in tag.title or tag.mark.state == "nonfinite"


def test_the_loops_carry_the_steps_that_a_path_of_the_gradient_runs_over():
    reading = rnn.read("hello", rnn.LSTM)
    scene = viz.draw(reading, level="rolled", edges="share").scene
    loops = {edge.source: edge.mark.share for edge in scene.edges if edge.target.endswith(".delay@t")}
    weight = reading.unrolled.model.parameters["weight_hh_l0"]
    flow = mg.flow(reading.loss, weight)
    crossing = [
        share
        for use, share in flow.edge_shares.items()
        if None not in (at := [node.scope.get("t") for node in (use.argument, use.user)]) and at[0] + 1 == at[1]
    ]
    assert len(loops) == 2
    assert math.fsum(loops.values()) == pytest.approx(math.fsum(crossing), rel=1e-12)
    assert "a path runs over 0.29 steps" in plain(scene.sentence)
    assert math.fsum(loops.values()) == pytest.approx(0.29, abs=0.005)
    said = plain(scene.subtitle) + plain(scene.hidden) + plain(scene.norm)
    assert "width is the share of ∂L/∂W_hh that passes, colour its sign" in said
    assert "its share is the sum of theirs" in said
    assert "share of ∂L/∂W_hh, all steps:" in said
    assert "norm" not in said
    head, *rows = [[plain(entry) for entry in row] for row in scene.table]
    assert head == ["t", "share at h_t", "share at c_t"]
    for row, step in zip(rows, reading.unrolled.steps, strict=True):
        shares = (0.0 if step.t == 0 else flow.through([node]).share for node in (step.h, step.c))
        assert [float(entry.rstrip(" %")) / 100 for entry in row[1:]] == pytest.approx(list(shares), rel=0.06)
    title = next(edge.title for edge in scene.edges if edge.source.endswith(".delay@t"))
    assert "of the gradient passes in all, " in title
    assert "root" not in title


@settings(max_examples=20)
@given(recurrent_nets(lengths=False, max_layers=1, bidirectional=False))
def test_a_loop_carries_what_the_next_steps_send_back(net):
    """Against the gradient graph, evaluated: a way the figures do not take."""
    loss = mg.ops.add_n(*net.losses)
    scene = viz.draw(loss, level="rolled").scene
    steps = net.unrolled.steps
    sweep = mg.backprop(loss, list(net.model.parameters.values()))
    run = mg.run(list(sweep.contributions.values()))
    delays = {box.id: box for box in scene.boxes if box.role == "delay"}
    assert len(delays) == (len(net.model.states) if len(steps) > 1 else 0)
    for edge in scene.edges:
        if edge.target not in delays:
            continue
        squares = 0.0
        for step in steps[:-1]:
            state = getattr(step, "c" if "/c." in edge.target else "h")
            back = [t for use, t in sweep.contributions.items() if use.argument is state and _later(use.user, step.t)]
            squares += float(np.sum(sum(run[term] for term in back) ** 2)) if back else 0.0
        assert edge.mark.norm == pytest.approx(math.sqrt(squares), rel=1e-12, abs=1e-300)
        assert plain(delays[edge.target].label) == f"delay ×{len(steps) - 1}"


def _later(user: mg.Node, t: int) -> bool:
    return user.scope.get("t") == t + 1


@settings(max_examples=20)
@given(NETS)
def test_everything_of_a_step_is_drawn_once(net):
    rolled, unrolled = both(net)
    steps = {column.index for column in unrolled.columns if column.kind == "step"}
    of_a_step = {box.key for box in unrolled.boxes if box.column in steps}
    (column,) = [column.index for column in rolled.columns if column.kind == "step"]
    found = [box.key for box in rolled.boxes if box.column == column and box.role != "delay"]
    assert sorted(found) == sorted(of_a_step)
    tags = [tag for box in rolled.boxes for tag in box.tags]
    assert len(tags) * len(steps) == sum(len(box.tags) for box in unrolled.boxes)
    assert {item.id for item in rolled.dock} == {tag.parameter for tag in tags}


@settings(max_examples=20)
@given(NETS)
def test_every_state_comes_back_to_where_the_next_step_takes_it_up(net):
    figure = viz.draw(mg.ops.add_n(*net.losses), level="rolled")
    graph = nx.MultiDiGraph([(edge.source, edge.target) for edge in figure.scene.edges])
    for delay in (box for box in figure.scene.boxes if box.role == "delay"):
        (before,), (after,) = graph.predecessors(delay.id), graph.successors(delay.id)
        states = {box.id: box for box in figure.scene.boxes}
        assert states[before].lane == states[after].lane != ""
        assert nx.has_path(graph, after, before)
    graph.remove_nodes_from([box.id for box in figure.scene.boxes if box.role == "delay"])
    assert nx.is_directed_acyclic_graph(graph)


@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU, partial(rnn.GRU, reset="before")])
def test_the_caption_says_what_an_edge_stands_for_and_what_is_hidden(cell):
    scene = viz.draw(rnn.read("hello", cell), level="rolled").scene
    hidden = plain(scene.hidden)
    assert "Hidden: 3 steps, folded onto the one drawn" in hidden
    assert "Every edge stands for 4 uses: width is the root of the sum of their squared norms" in hidden
    assert "At t = 1 the given h_0" in hidden
    assert plain(scene.norm) == "√Σ_t |∂L/∂·|² over the steps:"
    assert plain(scene.columns[1].header) == "t = 1 … 4"
    title = next(edge.title for edge in scene.edges if edge.source.endswith(".delay@t"))
    assert "root of the sum of squares" in title
    assert "(t = " in title


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "identity"])
def test_every_weight_is_shown_once_in_a_cell_with_all_its_uses(activation):
    net = rnn.unroll(rnn.RNN(2, 3, activation=activation, rng=0), np.ones((4, 1, 2)))
    figure = viz.draw(mg.ops.add_n(*(mg.sum(step.h) for step in net.steps)), level="rolled")
    (tags,) = (box.tags for box in figure.scene.boxes if box.tags)
    assert [plain(tag.label) for tag in tags] == ["W_hh", "W_ih", "b_hh", "b_ih"]
    assert all(
        tag.title.startswith(f"{plain(tag.label)}, 4 uses; together they contribute ")
        and tag.title.endswith(f" to |dL/d{plain(tag.label)}|")
        for tag in tags
    )
    assert [len(figure.behind.uses[tag.id]) for tag in tags] == [4] * 4


def test_a_weight_used_twice_in_a_step_has_two_tags():
    w, b, h = mg.parameter([[0.5]], name="w"), mg.parameter([0.2], name="b"), mg.constant([[0.1]])
    for t in range(3):
        with mg.scope("twice", t=t):
            h = mg.tanh(h @ w + b + b).named("h")
    scene = viz.draw(mg.sum(h), level="rolled").scene
    (tags,) = (box.tags for box in scene.boxes if box.tags)
    assert [tag.title.split(";")[0] for tag in tags] == ["w, 3 uses", "b, 3 uses", "b, 3 uses"]


@pytest.mark.parametrize("level", ["cell", "op", "rolled", "open"])
def test_padded_nets_and_nets_that_read_both_ways_are_drawn_and_have_a_page(level):
    """Masks stand before and behind the cell; the page tells of what is drawn, not of what rows leave out."""
    model = rnn.GRU(2, 2, layers=2, bidirectional=True, reset="before", rng=0)
    net = rnn.unroll(model, np.ones((2, 2, 2)), lengths=[1, 2])
    ElementTree.fromstring(viz.draw(net, level=level).svg)
    assert viz.draw(mg.sum(net.outputs), level=level).html.startswith("<!DOCTYPE html>")


def test_the_table_beside_it_tells_what_arrives_at_every_step():
    reading = rnn.read("hello hello", rnn.LSTM)
    scene = viz.draw(reading, level="rolled").scene
    steps = reading.unrolled.steps
    gradients = mg.grad(reading.loss, [node for step in steps for node in (step.h, step.c)])
    run = mg.run(gradients)
    sizes = iter([float(np.linalg.norm(run[gradient])) for gradient in gradients])
    head, *rows = [[plain(entry) for entry in row] for row in scene.table]
    assert head == ["t", "|∂L/∂h_t|", "|∂L/∂c_t|"]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "…", "7", "8", "9", "10"]
    told = {int(row[0]): list(map(float, row[1:])) for row in rows if row[0] != "…"}
    for t, pair in enumerate(zip(sizes, sizes, strict=True), 1):
        assert told.get(t, pair) == pytest.approx(pair, rel=0.06)
    assert viz.draw(reading.unrolled, level="rolled").scene.table == ()


def test_a_long_sequence_is_one_cell_whatever_its_length():
    short, long = (viz.draw(rnn.read("hello" * many, rnn.LSTM), level="rolled").picture for many in (1, 20))
    assert [spot for _, spot in short.body.boxes if spot] != []
    assert len(short.body.boxes) == len(long.body.boxes)
    assert "delay ×98" in {plain(box.label) for box in long.scene.boxes}


def test_one_step_has_no_loop_and_a_reverse_net_loops_to_the_right():
    scene = viz.draw(rnn.read("hi", rnn.LSTM), level="rolled").scene
    assert "delay" not in {box.role for box in scene.boxes}
    assert "loop" not in plain(scene.hidden)
    picture = viz.draw(rnn.read("hello", partial(rnn.RNN, bidirectional=True)), level="rolled").picture
    spots = {box.id: (box, spot) for box, spot in picture.body.boxes}
    pairs = [(spots[e.source], spots[e.target]) for e in picture.scene.edges if spots[e.target][0].role == "delay"]
    states = {box.id: spot.x for box, spot in spots.values() if box.role == "state"}
    assert len(pairs) == 2
    for (here, spot), (delay, _) in pairs:
        (back,) = [states[edge.target] for edge in picture.scene.edges if edge.source == delay.id]
        assert (back > spot.x) == ("reverse" in here.id)


def test_steps_that_differ_are_told():
    """The first step of this net has no product with the state: two boxes stand for three steps of four."""
    x, w, u, h = (mg.constant([[1.0]]), *(mg.parameter([[v]], name=n) for v, n in ((0.5, "W"), (0.3, "U"))), None)
    for t in range(4):
        with mg.scope("cell", t=t):
            drive = x @ w
            h = mg.tanh(drive if h is None else mg.tanh(h @ u) + drive).named("h")
    scene = viz.draw(mg.sum(h), level="rolled").scene
    assert "of the boxes stand for fewer steps than 4" in plain(scene.hidden)
    assert "delay ×3" in {plain(box.label) for box in scene.boxes}


def test_what_was_made_at_one_step_and_is_used_at_all_is_drawn_once():
    context, h, w = mg.parameter([[2.0]], name="context"), mg.constant([[0.0]]), mg.parameter([[0.5]], name="w")
    with mg.scope("encoder", t=0):
        shared = (context * 1.0).named("s")
    for t in range(4):
        with mg.scope("cell", t=t):
            h = mg.tanh(h @ w + shared).named("h")
    scene = viz.draw(mg.sum(h), level="rolled").scene
    assert [plain(box.label) for box in scene.boxes].count("held") == 1
    assert "Not drawn" not in plain(scene.note)
    assert "delay ×3" in {plain(box.label) for box in scene.boxes}


def test_what_a_step_makes_for_all_later_ones_does_not_feed_itself():
    h, w, first = mg.constant([[0.5]]), mg.parameter([[0.5]], name="w"), mg.constant([[0.0]])
    for t in range(4):
        with mg.scope("cell", t=t):
            h = mg.tanh(h @ w + first).named("h")
        first = h if t == 0 else first
    figure = viz.draw(mg.sum(h), level="rolled")
    scene = figure.scene
    step = {box.id for box in scene.boxes if box.id.endswith("@t") and box.role != "delay"}
    inner = nx.DiGraph((edge.source, edge.target) for edge in scene.edges if {edge.source, edge.target} <= step)
    assert nx.is_directed_acyclic_graph(inner)
    assert {box.id for box, _ in figure.picture.body.boxes} == {box.id for box in scene.boxes}
    assert "held" in {plain(box.label) for box in scene.boxes}
    assert plain(scene.note) == "Not drawn: 1 edge that skips a step."


def test_a_graph_without_steps_cannot_be_rolled():
    x = mg.parameter([1.0, 2.0], name="x")
    with pytest.raises(ValueError, match=r'level "rolled" needs a graph made in steps .* draw it at level "op"'):
        viz.draw(mg.sum(x * x), level="rolled")


@pytest.mark.parametrize("level", ["rolled", "open"])
@pytest.mark.parametrize("name", ["encoder decoder", "attended", "chunks", "bridge"])
def test_nets_in_a_row_are_not_folded_onto_one(name, level):
    """Their weights differ, or their steps are counted twice: one cell, or one step of all, would tell neither's."""
    with pytest.raises(ValueError, match=rf'level "{level}" shows the steps of one net; this graph has 2 in a row'):
        viz.draw(IN_TIME[name](), level=level)


def test_a_gradient_that_is_none_is_drawn_and_not_folded_away():
    x, h = mg.parameter([0.0], name="x"), mg.parameter([1.0], name="h0")
    for t in range(3):
        with mg.scope("cell", t=t):
            h = mg.log(h * x).named("h")
    with np.errstate(all="ignore"):
        scene = viz.draw(mg.sum(h), level="rolled").scene
    assert "nonfinite" in {edge.mark.state for edge in scene.edges if edge.mark}


def test_a_gradient_cut_at_every_step_is_cut_and_cut_at_some_is_measured():
    def scene(cut):
        h, w = mg.parameter([[0.5, -0.5]], name="h"), mg.parameter([[0.3, 0.2], [0.1, 0.4]], name="w")
        for t in range(3):
            with mg.scope("net", t=t):
                h = (mg.tanh(mg.stop_gradient(h) @ w) if t in cut else mg.tanh(h @ w)).named("h")
        return viz.draw(mg.sum(h), level="rolled").scene

    cut = [edge for edge in scene({0, 1, 2}).edges if edge.mark and edge.mark.state == "cut"]
    assert [edge.source for edge in cut] == [".net/h.state@t-1"]
    into = [edge.mark for edge in scene({1}).edges if edge.mark and edge.target.endswith(".delay@t")]
    assert [mark.state for mark in into] == ["measured"]  # at one of two steps


@pytest.mark.parametrize("theme", ["light", "dark", "auto", "print"])
def test_every_format_is_written_well_formed_and_the_same_again(theme):
    figure = viz.draw(rnn.read("hello", partial(rnn.LSTM, layers=2)), level="rolled", theme=theme)
    again = viz.draw(rnn.read("hello", partial(rnn.LSTM, layers=2)), level="rolled", theme=theme)
    for ending in (".svg", ".json", ".dot", ".graphml", ".tex"):
        written = WRITERS[ending](figure)
        if ending != ".json":  # holds source lines
            assert "delay" in written.decode()
        other = WRITERS[ending](again)
        assert len(written) == len(other)
    ElementTree.fromstring(figure.svg)
    assert json.loads(WRITERS[".json"](figure))["scene"]["level"] == "rolled"
    graph = nx.read_graphml(io.StringIO(WRITERS[".graphml"](figure).decode()), force_multigraph=True)
    assert [data["role"] for _, data in graph.nodes(data=True)].count("delay") == 4


def test_the_page_shows_the_rolled_cell_and_the_unrolled_ones():
    figure = viz.draw(rnn.read("hello", rnn.LSTM), level="rolled")
    html = figure.html
    data = json.loads(html.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    assert [view["level"] for view in data["views"]] == ["rolled", "cell"]
    (rolled, _) = data["views"]
    assert sorted(rolled["order"]) == list(range(len(figure.scene.boxes)))
    state = next(box for box in rolled["boxes"] if box["label"] == "h_t")
    assert len(state["nodes"]) == 4


@settings(max_examples=20)
@given(NETS, st.booleans())
def test_no_box_lies_on_another_and_no_edge_on_a_box(net, last):
    loss = mg.sum(net.unrolled.steps[-1].h) if last else mg.ops.add_n(*net.losses, *net.losses)
    picture = viz.draw(loss, level="rolled").picture
    spots = {box.id: spot for box, spot in picture.body.boxes}
    for (one, a), (other, b) in itertools.combinations(spots.items(), 2):
        across = min(a.right, b.right) - max(a.left, b.left)
        assert across < 0.5 or min(a.bottom, b.bottom) - max(a.top, b.top) < 0.5, (one, other)
    roles = {box.id: box.role for box, _ in picture.body.boxes}
    for edge, route in picture.body.wires:
        ends = {edge.source, edge.target}
        for x, y in route.forward.path.points(16):
            for name, spot in spots.items():
                within = abs(x - spot.x) < spot.w / 2 - 2 and abs(y - spot.y) < spot.h / 2 - 2
                assert name in ends or roles[name] == "junction" or not within, (edge.id, name)
