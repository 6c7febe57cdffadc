"""A failed check is drawn with the wrong edges marked, and only those."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing import Finding, GradientFailure, check_graph, check_op, mutants
from viz.failures import marked, save_failure
from viz.words import plain


def failure(name="tanh", mutation="double"):
    """A graph of several ops in which one rule is wrong, and what the check says of it."""
    broken = next(m for m in mutants(mg.ops.REGISTRY[name]) if m.mutation == mutation)
    x = mg.input((2,), name="x")
    hidden = broken(x * 2.0)
    with pytest.raises(GradientFailure) as caught:
        check_graph(mg.sum(mg.sin(hidden) * x), {x: np.array([0.5, 1.0])})
    return caught.value.finding, hidden


def test_the_wrong_edge_is_found_and_named():
    finding, hidden = failure()
    assert [(edge.user, edge.slot) for edge in finding.edges] == [(hidden, 0)]
    assert f"the wrong rule: argument 0 of tanh ({hidden.site})" in str(finding)


def test_the_wrong_edge_is_marked_and_no_other():
    finding, hidden = failure()
    figure = marked(finding)
    chosen = [edge for edge in figure.scene.edges if edge.mark is not None and edge.mark.state == "wrong"]
    assert len(chosen) == 1
    assert hidden in figure.behind.members[chosen[0].target]
    legend = {plain(word.text) for word in figure.picture.words}
    assert "wrong gradient" in legend
    assert "gradient" not in legend, "no other arrow is drawn"


def test_the_picture_says_what_failed_and_calls_inputs_by_name():
    finding, _ = failure()
    scene = marked(finding).scene
    assert plain(scene.title) == "Gradient check failed: graph"
    assert plain(scene.subtitle) == finding.law
    assert plain(scene.sentence).startswith(f"{finding.element}: got {float(finding.got):.6g}, expected ")
    assert [plain(box.label) for box in scene.boxes if box.role == "input"] == ["x"]


def test_one_failure_has_one_file(tmp_path):
    finding, _ = failure()
    said = save_failure(finding, tmp_path / "kept")
    assert save_failure(finding, tmp_path / "kept") == said
    [file] = (tmp_path / "kept").iterdir()
    assert said.endswith(str(file))
    assert file.read_text(encoding="utf-8").startswith("<svg")


def test_a_failure_without_a_graph_is_not_drawn(tmp_path):
    assert save_failure(Finding("f", "some law"), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_failed_op_is_drawn(tmp_path):
    broken = next(m for m in mutants(mg.ops.mul) if m.mutation == "negate")
    with pytest.raises(GradientFailure) as caught:
        check_op(broken, args=[2.0, 3.0])
    assert len(caught.value.finding.edges) == 2
    assert save_failure(caught.value.finding, tmp_path) is not None


def test_a_graph_in_which_no_rule_is_wrong_is_drawn_without_a_mark(tmp_path):
    finding, _ = failure()
    finding.edges = ()
    assert save_failure(finding, tmp_path).startswith("the graph: ")
    assert all(edge.mark is None for edge in marked(finding).scene.edges)
