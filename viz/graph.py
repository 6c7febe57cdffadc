"""A picture as a graph with positions: a `networkx.MultiDiGraph`, and from it Graphviz's DOT and GraphML.

Nodes are called `n0`, `n1` ...: what users call things stands in attributes, where it can break nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import graphviz
import networkx as nx

from .layout.picture import Picture
from .layout.spot import Spot
from .pen import style_of
from .scene import Edge, Mark, OpenScene, Scale
from .theme import resolve
from .words import clean, plain

_SHAPES = {"input": "circle", "pointwise": "circle", "junction": "point", "loss": "diamond", "parameter": "hexagon"}


def graph_of(picture: Picture) -> nx.MultiDiGraph:
    """Return boxes and parameters as nodes, with their places, and edges with the gradient that runs back.

    Positions are in points from the lower left corner, as Graphviz counts. An edge of kind `use` joins a parameter
    to the box that uses it. Numbers that are not finite are left out; `state` says why.
    """
    scene, graph = picture.scene, nx.MultiDiGraph()
    graph.graph.update(title=plain(scene.title), sentence=plain(scene.sentence), proof=plain(scene.proof))
    x0, y0 = picture.origin
    names: dict[str, str] = {}
    for item, spot in picture.dock:
        names[item.id] = f"n{len(names)}"
        graph.add_node(names[item.id], role="parameter", label=plain(item.label), shape=item.shape, title=item.title)
        graph.nodes[names[item.id]].update(_place(picture, spot))
    equations = {found.box: plain(found.formula) for found in scene.equations} if isinstance(scene, OpenScene) else {}
    for box, spot in picture.body.boxes:
        name = names[box.id] = f"n{len(names)}"
        column = scene.columns[box.column]
        graph.add_node(name, role=box.role, label=plain(box.label), title=box.title, key=box.key, column=box.column)
        graph.nodes[name].update(
            header=plain(column.header), kind=box.kind, cell=box.cell, lane=box.lane, note=plain(box.note)
        )
        if box.id in equations:
            graph.nodes[name]["equation"] = equations[box.id]
        graph.nodes[name].update(_place(picture, spot.moved(x0, y0)))
        for tag in box.tags:
            share = _gradient(tag.mark).get("share")
            told = {"note": plain(tag.note)} if share is None else {"note": plain(tag.note), "share": share}
            graph.add_edge(names[tag.parameter], name, kind="use", title=tag.title, **told)
    for edge in scene.edges:
        graph.add_edge(
            names[edge.source],
            names[edge.target],
            kind="forward",
            title=edge.title,
            **_hidden(edge),
            **_gradient(edge.mark),
        )
    for nodes in (graph.graph, *graph.nodes.values(), *(data for *_, data in graph.edges(data=True))):
        nodes.update({key: clean(value) for key, value in nodes.items() if isinstance(value, str)})
    return graph


def _place(picture: Picture, spot: Spot) -> dict[str, float]:
    places = {"x": spot.x, "y": picture.height - spot.y, "width": spot.w, "height": spot.h}
    return {name: round(value, 2) for name, value in places.items()}


def _hidden(edge: Edge) -> dict[str, int]:
    return {"hidden": edge.hidden} if edge.hidden else {}


def _gradient(found: Mark | None) -> dict[str, str | float]:
    if found is None:
        return {}
    numbers = {"norm": found.norm, "gain": found.gain, "share": found.share}
    known = {name: value for name, value in numbers.items() if value is not None and math.isfinite(value)}
    return {"state": found.state, **known}


def graphml(picture: Picture) -> str:
    """Return the graph as GraphML."""
    return "\n".join(nx.generate_graphml(graph_of(picture))) + "\n"


def digraph(picture: Picture, theme: str = "light") -> graphviz.Digraph:
    """Return the graph for Graphviz, every node pinned where the picture has it.

    `neato` keeps the places, and so does `dot`, which the attribute `layout` sends there. Making it starts no program.
    """
    scene, graph = picture.scene, graph_of(picture)
    ink, paper = resolve(theme, ["text"])["fill"], resolve(theme, ["paper"])["fill"]
    found = graphviz.Digraph(
        "minigrad",
        graph_attr={
            "layout": "neato",
            "inputscale": "72",
            "splines": "line",
            "bgcolor": paper,
            "label": _quoted("\n".join(graph.graph[name] for name in ("title", "sentence", "proof"))),
            "fontcolor": ink,
            "fontname": "Helvetica",
        },
        node_attr={"fixedsize": "true", "style": "filled,rounded", "fontname": "Helvetica", "fontcolor": ink},
        edge_attr={"arrowsize": "0.6", "color": resolve(theme, ["f"])["stroke"]},
    )
    used: dict[str, list[str]] = {}
    for parameter, user, data in graph.edges(data=True):
        if data["kind"] == "use":
            used.setdefault(user, []).append(f"{graph.nodes[parameter]['label']} {data.get('note', '')}".strip())
    for name, data in graph.nodes(data=True):
        found.node(name, **_node(data, used.get(name, ()), theme))
    for source, target, data in graph.edges(data=True):
        if data["kind"] == "forward":
            found.edge(source, target, tooltip=_quoted(data["title"]))
    for source, target, data in graph.edges(data=True):
        if "state" in data:
            mark = Mark(data["state"], data.get("norm", math.nan), data.get("gain", math.nan), data.get("share"))
            found.edge(target, source, tooltip=_quoted(data["title"]), **_back(mark, scene.scale, theme))
    return found


def _node(data: dict[str, Any], used: Sequence[str], theme: str) -> dict[str, str]:
    role = data["role"]
    name = "w" if role == "parameter" else style_of(role, data.get("kind", ""))
    style = resolve(theme, [name, "s"])
    named = data["label"] if role == "op" or not used else ""
    lines = [" ".join(filter(None, (named, *used))), data.get("note", "") if role == "gate" else ""]
    return {
        "label": "" if role == "junction" else _quoted("\n".join(filter(None, lines))),
        "tooltip": _quoted("\n".join(filter(None, (data.get("equation"), data["title"])))),
        "shape": _SHAPES.get(role, "box"),
        "pos": f"{data['x']:g},{data['y']:g}!",
        "width": f"{data['width'] / 72:.4f}",
        "height": f"{data['height'] / 72:.4f}",
        "fillcolor": style["fill"],
        "color": style["stroke"],
        "fontsize": "13",
    }


def _back(mark: Mark, scale: Scale, theme: str) -> dict[str, str]:
    """Return how Graphviz draws the gradient arrow of an edge: what is not a number is not scaled."""
    if mark.state == "measured" and not scale.below(mark.size):
        wide = scale.width(mark.size)
        found = {"color": resolve(theme, [f"g{mark.bin}", "r"])["stroke"], "penwidth": f"{wide:.2f}"}
        # Graphviz draws heads in proportion to the line; a broad band would end in one larger than boxes.
        return found if mark.share is None else {**found, "arrowsize": f"{min(0.6, 1.8 / wide):.2f}"}
    names = {"measured": "below", "nonfinite": "nan", "structural": "hollow", "wrong": "nan"}
    found = {"color": resolve(theme, [names.get(mark.state, mark.state), "r"])["stroke"]}
    if mark.state in ("nonfinite", "wrong"):
        return {**found, "penwidth": "3"}
    return {**found, "style": "dashed" if mark.state == "measured" else "dotted"}


def _quoted(text: str) -> str:
    """Return `text` so that Graphviz shows it as it is: no escape sequences, no entities, no HTML-like label.

    The package's own `escape` lets `<>` through as markup; as an entity, `<` cannot open any.
    """
    return str(graphviz.escape(clean(text).replace("&", "&amp;").replace("<", "&lt;")))
