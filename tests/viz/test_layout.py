"""Figure-level invariants: nothing overlaps, lanes are straight, equal steps look equal, text can be read."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from functools import partial

import numpy as np
import pytest

import minigrad as mg
import rnn
import viz
from viz.ink import Group
from viz.layout.picture import Picture
from viz.layout.sizes import ACTIVATION, CHIP, NOTE, OP, TEXT
from viz.layout.spot import Spot
from viz.layout.stamp import Word
from viz.words import SMALL, plain, width

from .subjects import IN_TIME, PLAIN

CELLS = {"lstm": rnn.LSTM, "rnn": rnn.RNN}
TEXTS = ("he", "hello", "hello wor", "hello world, this is backprop")
CASES = list(itertools.product(CELLS, TEXTS, ("cell", "op")))
VIEWS = ("rolled", "open")
SLIDE = 1600


def sequence(steps: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(steps, 2, 3))


def last_state_loss(layers: int, steps: int = 4) -> mg.Node:
    return mg.sum(rnn.unroll(rnn.LSTM(3, 4, layers=layers, rng=0), sequence(steps)).steps[-1].h)


def relu_net(length: int, hidden: int, rng: int | np.random.Generator | None = None) -> rnn.RNN:
    return rnn.RNN(length, hidden, activation="relu", rng=rng)


def identity_net(length: int, hidden: int, rng: int | np.random.Generator | None = None) -> rnn.RNN:
    return rnn.RNN(length, hidden, activation="identity", rng=rng)


def leaky(steps: int = 4) -> mg.Node:
    """A cell of a user's own: h_t = h_{t-1} + tau (u_t - h_{t-1}), vectors in rows."""
    rng = np.random.default_rng(0)
    w, u, b, tau = (
        mg.parameter(rng.normal(size=size), name=name)
        for name, size in (("W", (3, 4)), ("U", (4, 4)), ("b", (4,)), ("tau", (4,)))
    )
    h, losses = mg.constant(np.zeros((2, 4))), []
    for t, x in enumerate(sequence(steps)):
        with mg.scope("leaky", t=t):
            drive = mg.tanh(mg.constant(x).named("x") @ w + h @ u + b).named("u")
            h = (h + tau * (drive - h)).named("h")
        with mg.scope("loss", t=t):
            losses.append(mg.sum(h * h).named("L"))
    return mg.ops.add_n(*losses)


def minimal_gated(steps: int = 4) -> mg.Node:
    """A cell of a user's own: the minimal gated unit (Zhou et al. 2016), its loss behind the last step."""
    rng = np.random.default_rng(0)
    sizes = {"W_f": (4, 3), "U_f": (4, 4), "b_f": (4,), "W_h": (4, 3), "U_h": (4, 4), "b_h": (4,)}
    p = {name: mg.parameter(rng.normal(size=size), name=name) for name, size in sizes.items()}
    xs, h = mg.constant(sequence(steps)), mg.constant(np.zeros((2, 4)))
    for t in range(steps):
        with mg.scope("mgu", t=t):
            x = xs[t]
            f = mg.sigmoid(x @ p["W_f"].T + h @ p["U_f"].T + p["b_f"]).named("f")
            n = mg.tanh(x @ p["W_h"].T + (f * h) @ p["U_h"].T + p["b_h"]).named("n")
            h = ((1 - f) * h + f * n).named("h")
    return mg.sum(h * h)


OTHERS = [
    (name, make, level)
    for level in ("cell", "op", "rolled", "open")
    for name, make in {
        "gru": lambda: rnn.read("hello", rnn.GRU),
        "gru before": lambda: rnn.read("hell", partial(rnn.GRU, reset="before")),
        "bidirectional": lambda: rnn.read("hell", partial(rnn.LSTM, bidirectional=True)),
        "two layers each way": lambda: rnn.read("he", partial(rnn.GRU, layers=2, bidirectional=True)),
        "long each way": lambda: rnn.read("hello hello hello", partial(rnn.RNN, bidirectional=True)),
        "three layers": lambda: rnn.read("hel", partial(rnn.RNN, layers=3)),
        "relu": lambda: rnn.read("hello", relu_net),
        "identity": lambda: rnn.read("hello", identity_net),
        "stacked": lambda: last_state_loss(2, 3),
        "last state": lambda: last_state_loss(1),
        "forward": lambda: rnn.unroll(rnn.LSTM(3, 4, rng=0), sequence()),
        "shares": lambda: rnn.read("hello", rnn.LSTM),
        "shares each way": lambda: rnn.read("hel", partial(rnn.GRU, bidirectional=True)),
        "leaky": leaky,
        "minimal gated": minimal_gated,
    }.items()
] + [(name, functools.partial(rnn.read, "hello", cell), level) for level in VIEWS for name, cell in CELLS.items()]

OTHERS += [(name, make, level) for level in ("cell", "op") for name, make in IN_TIME.items()]
TIMELESS = [(name, make, "op") for name, make in PLAIN.items()]


@functools.cache
def drawn(case: tuple[str, str, str]) -> Picture:
    name, text, level = case
    if name == "other":
        subject = next(make for other, make, at in [*OTHERS, *TIMELESS] if (other, at) == (text, level))()
    else:
        subject = rnn.read(text, CELLS[name])
    return viz.draw(subject, level=level, edges="share" if text.startswith("shares") else "magnitude").picture


@pytest.fixture(params=[*CASES, *(("other", name, level) for name, _, level in [*OTHERS, *TIMELESS])], ids="-".join)
def picture(request) -> Picture:
    return drawn(request.param)


@pytest.fixture(params=[*CASES, *(("other", name, level) for name, _, level in OTHERS)], ids="-".join)
def timed(request) -> Picture:
    return drawn(request.param)


def place_of(word: Word) -> Spot:
    wide = width(word.text, word.size)
    left = {"start": word.x, "middle": word.x - wide / 2, "end": word.x - wide}[word.anchor]
    return Spot(left + wide / 2, word.y - 0.3 * word.size, wide, 0.9 * word.size)


def overlap(a: Spot, b: Spot, slack: float = 0.5) -> bool:
    across = min(a.right, b.right) - max(a.left, b.left)
    down = min(a.bottom, b.bottom) - max(a.top, b.top)
    return across > slack and down > slack


def solids(picture: Picture) -> list[tuple[str, Spot]]:
    """Everything that must not touch anything else: boxes, free words, dock, legend."""
    x, y = picture.origin
    found = [(box.id, spot.moved(x, y)) for box, spot in picture.body.boxes]
    found += [(f"note {word.text}", place_of(word).moved(x, y)) for word in picture.body.words if word.style != "label"]
    found += [(item.id, spot) for item, spot in picture.dock]
    found += [(f"word {word.text}", place_of(word)) for word in picture.words]
    found += [(sample.kind, sample.spot) for sample in picture.samples]
    return found


def test_no_boxes_or_labels_overlap(picture):
    for (one, a), (other, b) in itertools.combinations(solids(picture), 2):
        assert not overlap(a, b), f"{one} and {other}"


def test_the_dock_keeps_apart_from_the_lines_above_it(picture):
    titles = [word for word in picture.words if word.anchor == "start" and word.y < picture.origin[1]]
    (dock,) = [word for word in picture.words if plain(word.text) == "weights"] or [None]
    if dock is not None:
        others = [place_of(word).bottom for word in titles if word is not dock and word.y < dock.y]
        assert place_of(dock).top - max(others) > dock.size, "it reads as one more line of the subtitle"


def test_everything_is_inside_the_view_box(picture):
    for name, spot in solids(picture):
        assert spot.left >= 0, name
        assert spot.top >= 0, name
        assert spot.right <= picture.width, name
        assert spot.bottom <= picture.height, name


def test_labels_fit_their_boxes(picture):
    for box, spot in picture.body.boxes:
        if box.role != "pointwise" and not box.tags:
            sizes = {"op": OP, "constant": OP, "function": NOTE, "delay": NOTE}
            assert width(box.label, sizes.get(box.role, TEXT)) <= spot.w - 4, box.id
    chips = defaultdict(list)
    boxes = {tag.id: spot for box, spot in picture.body.boxes for tag in box.tags}
    for tag, spot in picture.body.chips:
        around = boxes[tag.id]
        assert around.left <= spot.left
        assert spot.right <= around.right
        chips[around].append(spot)
    for row in chips.values():
        assert not any(overlap(a, b) for a, b in itertools.combinations(row, 2))


def test_lanes_are_straight(timed):
    picture = timed
    heights = defaultdict(set)
    for box, spot in picture.body.boxes:
        if box.lane:
            heights[box.lane].add(spot.y)
    assert heights
    assert all(len(found) == 1 for found in heights.values())
    states = {box.id: spot for box, spot in picture.body.boxes if box.lane}
    lanes = {box.id: box.lane for box, _ in picture.body.boxes if box.lane}
    for edge, route in picture.body.wires:
        if edge.source in states and edge.target in states and lanes[edge.source] == lanes[edge.target]:
            assert {point[1] for point in route.forward.path.points()} == {states[edge.source].y}


def test_equal_steps_are_congruent(timed):
    picture = timed
    lefts = {column.index: spot.left for column, spot in picture.body.bands}
    kinds = {column.index: column.kind for column, _ in picture.body.bands}
    keys = defaultdict(set)
    for box, _ in picture.body.boxes:
        keys[box.column].add(box.key)
    alike = {column: frozenset(found - {key for key in found if "sequence" in key}) for column, found in keys.items()}
    widths = defaultdict(set)
    for column, spot in picture.body.bands:
        widths[alike[column.index]] |= {round(spot.w, 6)} if column.kind == "step" else set()
    assert all(len(found) <= 1 for found in widths.values())
    if not any("decoder" in plain(column.header) for column, _ in picture.body.bands):
        assert len(set().union(*widths.values())) == 1
    seen = defaultdict(set)
    for box, spot in picture.body.boxes:
        if kinds[box.column] == "step":
            seen[alike[box.column], box.key].add((round(spot.x - lefts[box.column], 6), spot.y, spot.w, spot.h))
    assert all(len(found) == 1 for found in seen.values())


def inside(points: list[tuple[float, float]], spot: Spot) -> bool:
    left, right, top, bottom = spot.left + 2, spot.right - 2, spot.top + 2, spot.bottom - 2
    return any(left < x < right and top < y < bottom for x, y in points)


def test_edges_pass_no_box_but_their_own(picture):
    for edge, route in picture.body.wires:
        points = route.forward.path.points(pieces=16) + route.back.path.points(pieces=16)
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        for box, spot in picture.body.boxes:
            far = spot.right < left or spot.left > right
            if not far and box.id not in (edge.source, edge.target) and box.role != "junction":
                assert not inside(points, spot), (edge.id, box.id)


def test_edges_join_the_boxes_they_name(picture):
    """In a rolled view an edge from a state may start at the box that makes it: the value is the same."""
    spots = {box.id: spot for box, spot in picture.body.boxes}
    states = {box.id for box, _ in picture.body.boxes if box.lane and picture.scene.level == "rolled"}
    maker = {edge.target: edge.source for edge, _ in picture.body.wires if edge.target in states}
    for edge, route in picture.body.wires:
        starts = [spots[edge.source], spots[maker.get(edge.source, edge.source)]]
        assert min(distance(route.forward.path.start, spot) for spot in starts) < 9, edge.id
        assert distance(route.forward.head[0], spots[edge.target]) < 9, edge.id


def test_nothing_comes_back_from_a_state_that_nothing_takes_up(timed):
    taken = {edge.source for edge, _ in timed.body.wires}
    states = {box.id for box, _ in timed.body.boxes if box.lane} - taken
    assert not [e.id for e, _ in timed.body.wires if e.target in states and e.mark and timed.scene.level != "rolled"]


def distance(point: tuple[float, float], spot: Spot) -> float:
    x = max(spot.left - point[0], 0.0, point[0] - spot.right)
    y = max(spot.top - point[1], 0.0, point[1] - spot.bottom)
    return max(x, y)


def test_gradient_runs_the_other_way_close_to_its_edge(picture):
    for edge, route in picture.body.wires:
        start, end = route.forward.path.start, route.forward.head[0]
        tip = route.back.head[0]
        assert max(abs(tip[0] - start[0]), abs(tip[1] - start[1])) < 13, edge.id
        back = route.back.path.start
        assert max(abs(back[0] - end[0]), abs(back[1] - end[1])) < 13, edge.id


def test_text_can_be_read_on_a_slide(picture):
    words = [word.size for word in (*picture.words, *picture.body.words)]
    scale = SLIDE / picture.width
    title = picture.scene.title[0].text
    wide = "bidirectional" in title or ({"GRU", "decoder,"} & set(title.split()) and picture.scene.level == "op")
    usual = picture.scene.columns[-1].kind == "step" and not wide
    usual = usual and bool(picture.scene.columns[0].header or len(picture.scene.columns) > 1)
    least = 10.9 if usual and len(picture.scene.columns) <= 6 else 8.0 if wide else 9.3
    assert min([*words, TEXT, ACTIVATION]) * scale > least, "labels"
    assert min(CHIP, TEXT) * SMALL * scale > least, "subscripts"


def test_layout_does_not_depend_on_the_numbers():
    one, other = (viz.draw(rnn.read("hello", rnn.LSTM, rng=seed)).picture for seed in (1, 2))
    assert [spot for _, spot in one.body.boxes] == [spot for _, spot in other.body.boxes]


def test_nothing_hops_where_no_lane_runs(picture):
    """A half circle in an edge stands on a level line of another edge, or it bridges nothing."""
    levels = []
    for edge, route in picture.body.wires:
        points = route.forward.path.points()
        levels += [
            (edge.id, a[1], *sorted((a[0], b[0])))
            for a, b in itertools.pairwise([*points, route.forward.head[0]])
            if abs(a[1] - b[1]) < 0.01
        ]
    for edge, route in picture.body.wires:
        for x, y in route.over:
            assert any(name != edge.id and abs(y - at) < 0.5 and left < x < right for name, at, left, right in levels)


def test_level_and_upright_lines_cross_with_a_bridge(picture):
    """Where an upright stretch of one edge passes a level stretch of another, it hops."""
    level, upright = [], []
    for edge, route in picture.body.wires:
        for a, b in itertools.pairwise([*route.forward.path.points(), route.forward.head[0]]):
            if abs(a[1] - b[1]) < 0.01:
                level.append((edge, a[1], *sorted((a[0], b[0]))))
            elif abs(a[0] - b[0]) < 0.01:
                upright.append((edge, a[0], *sorted((a[1], b[1]))))
    for edge, x, top, bottom in upright:
        for other, y, left, right in level:
            shared = {edge.source, edge.target} & {other.source, other.target}
            if not shared and left + 8 < x < right - 8:
                assert not top + 0.5 < y < bottom - 0.5, (edge.id, other.id)


HAND_DRAWN = (
    "gru",
    "gru before",
    "relu",
    "identity",
    "stacked",
    "bidirectional",
    "two layers each way",
    "three layers",
)


def test_cells_are_drawn_by_hand():
    """Known cells never fall back to rows of boxes: each has its frame, and frames of a column do not overlap."""
    for name in HAND_DRAWN:
        picture = drawn(("other", name, "cell"))
        assert len(picture.body.frames) == len(picture.scene.cells) > 0, name
        for (one, a), (other, b) in itertools.combinations(picture.body.frames, 2):
            assert not overlap(a, b), (one.id, other.id)
        inside = {cell.key for cell, _ in picture.body.frames}
        for box, spot in picture.body.boxes:
            if box.cell in inside:
                frame = next(s for c, s in picture.body.frames if (c.key, c.column) == (box.cell, box.column))
                assert frame.left <= spot.left <= spot.right <= frame.right, box.id
                assert frame.top <= spot.top <= spot.bottom <= frame.bottom, box.id


@pytest.mark.parametrize("name", ["lstm", "rnn", *HAND_DRAWN])
def test_gradients_in_cells_drawn_by_hand_run_apart(name):
    """No gradient runs over another, not even where two end at the same state: each tip is seen."""
    runs = []
    for edge, route in drawn((name, "hello", "cell") if name in CELLS else ("other", name, "cell")).body.wires:
        points = [*route.back.path.points(), route.back.head[0]]
        for a, b in itertools.pairwise(points):
            for along, across in ((0, 1), (1, 0)):
                if abs(a[across] - b[across]) < 0.01:
                    runs.append((edge.id, along, a[across], *sorted((a[along], b[along]))))
    for one, other in itertools.combinations(runs, 2):
        if one[0] != other[0] and one[1] == other[1] and abs(one[2] - other[2]) < 5:
            assert min(one[4], other[4]) - max(one[3], other[3]) < 2, (one[0], other[0])


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
def test_the_nought_of_an_edge_stands_beside_it_not_on_it(cell, both, level):
    figure = viz.draw(rnn.read("hel", partial(cell, bidirectional=both)), edges="share", level=level)
    drawn_of = {group.part: group.items for group in figure.sheet.items[0].items if isinstance(group, Group)}
    zeros = [(edge, route) for edge, route in figure.picture.body.wires if edge.mark and edge.mark.state == "zero"]
    assert zeros
    for edge, placed in zeros:
        (gradient,) = (item for item in drawn_of[edge.id] if isinstance(item, Group))
        (word,) = (item for item in gradient.items if isinstance(item, Word))
        corners = [*placed.route.forward.path.points(16), placed.route.forward.head[0]]
        line = [
            (a + (c - a) * n / 64, b + (d - b) * n / 64)
            for (a, b), (c, d) in itertools.pairwise(corners)
            for n in range(65)
        ]
        assert plain(word.text) == "0"
        assert not inside(line, place_of(word)), edge.id


def test_a_reverse_net_runs_from_right_to_left():
    """Its states stand left of their cells, take their edges from the right, and start behind the last step."""
    picture = drawn(("other", "bidirectional", "cell"))
    frames = {(cell.key, cell.column): spot for cell, spot in picture.body.frames}
    reverse = [(box, spot) for box, spot in picture.body.boxes if box.lane and "reverse" in box.lane]
    last = max(box.column for box, _ in reverse)
    assert [box.column for box, _ in reverse].count(last) == 2
    for box, spot in reverse:
        if box.column != last:
            assert spot.right < frames["lstm/l0/reverse/cell", box.column].left
    columns = {box.id: box.column for box, _ in picture.body.boxes}
    crossing = [e for e, _ in picture.body.wires if columns[e.source] != columns[e.target]]
    assert {columns[e.target] - columns[e.source] for e in crossing if "reverse" in e.source} == {-1}
    assert {columns[e.target] - columns[e.source] for e in crossing if "reverse" not in e.source} == {1}


def test_every_step_has_its_own_loss_wherever_it_was_made():
    """Losses made outside of any step stand over the step they read."""
    net = rnn.unroll(rnn.LSTM(3, 4, rng=0), sequence())
    scene = viz.draw(mg.ops.add_n(*(mg.sum(step.h * step.h) for step in net.steps))).scene
    assert [box.column for box in scene.boxes if box.role == "loss"] == [1, 2, 3, 4]


@pytest.mark.parametrize("level", ["cell", "op"])
def test_columns_that_are_alike_share_their_routes(level):
    long = viz.draw(rnn.read("hello" * 8, rnn.LSTM), level=level, steps=99).picture
    short = viz.draw(rnn.read("hello", rnn.LSTM), level=level, steps=99).picture
    distinct = [len({id(placed.route) for _, placed in picture.body.wires}) for picture in (long, short)]
    assert distinct[0] == distinct[1] < len(short.body.wires)
    for _, placed in long.body.wires:
        assert placed.forward.path.start[0] == placed.route.forward.path.start[0] + placed.dx
        assert placed.back.head[0][0] == placed.route.back.head[0][0] + placed.dx


@pytest.mark.parametrize("level", ["op", "open"])
@pytest.mark.parametrize("cell", [rnn.RNN, rnn.LSTM, rnn.GRU])
def test_a_state_leaves_its_step_round_the_boxes_of_the_other_direction(cell, level):
    """The boxes that make the states of both directions stand in one row, and only the forward ones run on."""
    picture = viz.draw(rnn.read("hel", partial(cell, layers=2, bidirectional=True)), level=level).picture
    spots = {box.id: spot for box, spot in picture.body.boxes}
    states = {box.id for box, _ in picture.body.boxes if box.role == "state"}
    for edge, found in picture.body.wires:
        if edge.target not in states:
            continue
        for (a, b), (c, d) in itertools.pairwise(found.forward.path.points()):
            for name, spot in spots.items():
                across = min(max(a, c), spot.right) - max(min(a, c), spot.left)
                down = min(max(b, d), spot.bottom) - max(min(b, d), spot.top)
                assert name in (edge.source, edge.target) or min(across, down) < 0, (edge.id, name)
