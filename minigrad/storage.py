"""Saving and loading graphs: one zip file with the graph as JSON and the arrays as .npy members.

Nothing is pickled, neither written nor read. Loading rebuilds every node through its op's own shape and dtype rules and
compares with what was written, so a file that was damaged or made by hand is refused rather than half believed.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import BroadcastWarning, StorageError
from .node import Array, Node, Parameter, describe, make_holder, walk
from .ops.core import op_named
from .ops.leaves import constant_op, input_op, parameter_op
from .origin import Scope, placed

_FORMAT = "minigrad graph"
_VERSION = 1
_GRAPH = "graph.json"
# What zipfile, json, numpy and the ops raise when bytes are not what they were.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, MemoryError, OverflowError, RuntimeError),
    *(KeyError, ValueError, TypeError, IndexError, AttributeError),
)
# Dtypes whose single numbers JSON carries exactly.
_EXACT_IN_JSON = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"


def save(path: str | os.PathLike[str], outputs: Node | Sequence[Node]) -> None:
    """Write `outputs` and everything they depend on to exactly `path`, replacing the file as a whole.

    Names, scopes, source lines and parameter values are kept; a gradient node keeps its link to the forward node if
    that node is saved too. Raises StorageError for a scope label that is not a string, a number or None.

    >>> import tempfile, pathlib
    >>> import minigrad as mg
    >>> w = mg.parameter([1.0, 2.0], name="w")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "square.graph"
    ...     mg.save(path, mg.sum(w * w))
    ...     [y] = mg.load(path)
    >>> y.eval()
    array(5.)
    """
    targets = [outputs] if isinstance(outputs, Node) else list(outputs)
    order = list(walk(targets))[::-1]
    place = {node: i for i, node in enumerate(order)}
    arrays: dict[str, Array] = {}
    sites: dict[Any, str] = {}  # a line makes many nodes, and is looked up once
    graph = {
        "format": _FORMAT,
        "version": _VERSION,
        "nodes": [_record(node, place, arrays, sites) for node in order],
        "outputs": [place[node] for node in targets],
    }
    with writing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        # Members carry no time of writing: the same graph gives the same bytes.
        archive.writestr(_member(_GRAPH), json.dumps(graph, separators=(",", ":")))
        for name, array in arrays.items():
            with archive.open(_member(name), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and leaves no trace when it does not."""
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _record(node: Node, place: dict[Node, int], arrays: dict[str, Array], sites: dict[Any, str]) -> dict[str, Any]:
    site = sites.get(node._site) or sites.setdefault(node._site, node.site)
    record: dict[str, Any] = {"op": node.op.name, "shape": node.shape, "dtype": node.dtype.str, "site": site}
    if node.args:
        record["args"] = [place[arg] for arg in node.args]
    if node.params:
        record["params"] = {key: _encoded(value) for key, value in node.params.items()}
    if node.name is not None:
        record["name"] = node.name
    if node.scope:
        record["scope"] = [[key, _checked_label(node, value)] for key, value in node.scope.frames]
    if node.of in place:
        record["of"] = place[node.of]
    if node.op in (parameter_op, constant_op):
        if node.shape == () and node.dtype.name in _EXACT_IN_JSON.split():
            record["value"] = node._value.item()
        else:
            record["array"] = f"arrays/{len(arrays)}.npy"
            arrays[record["array"]] = node._value
    return record


def _checked_label(node: Node, value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise StorageError(f"save: the scope of {describe(node)} has the label {value!r}; use strings, numbers or None")


def _encoded(value: Any) -> Any:
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    return [_encoded(member) for member in value] if isinstance(value, tuple) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return np.dtype(value["dtype"])
    return tuple(_decoded(member) for member in value) if isinstance(value, list) else value


def load(path: str | os.PathLike[str]) -> list[Node]:
    """The nodes that `save` wrote to `path`, as a new graph.

    Raises StorageError, with the reason, for a file that is not such a graph, is damaged, is of a newer version or
    uses an op that nobody has declared.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            graph = json.loads(archive.read(_GRAPH))
            if graph["format"] != _FORMAT:
                raise StorageError(f"load: {path} holds {graph['format']!r}, not a {_FORMAT}")
            if graph["version"] != _VERSION:
                raise StorageError(
                    f"load: {path} has format version {graph['version']}, this minigrad reads {_VERSION}; update it"
                )
            return _rebuilt(graph, archive)
    except (StorageError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except _DAMAGE as error:
        raise StorageError(f"load: {path} is not a saved graph, or is damaged: {error!r}") from None


def _rebuilt(graph: dict[str, Any], archive: zipfile.ZipFile) -> list[Node]:
    nodes: list[Node] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BroadcastWarning)  # it was given when the graph was written
        for i, record in enumerate(graph["nodes"]):
            file, _, line = record["site"].rpartition(":")
            scope = Scope(tuple((key, value) for key, value in record.get("scope", ())))
            of = _pick(nodes, [record["of"]])[0] if "of" in record else None
            with placed(scope, of, (file, int(line))):
                node = _node(record, nodes, archive)
            if (node.shape, node.dtype) != (tuple(record["shape"]), np.dtype(record["dtype"])):
                raise StorageError(f"load: node {i}, {describe(node)}, has another shape or dtype than was written")
            nodes.append(node if record.get("name") is None else node.named(record["name"]))
    return _pick(nodes, graph["outputs"])


def _node(record: dict[str, Any], nodes: Sequence[Node], archive: zipfile.ZipFile) -> Node:
    op = op_named(record["op"])
    if op is input_op:
        from .ops import input

        return input(tuple(record["shape"]), np.dtype(record["dtype"]))
    if op in (parameter_op, constant_op):
        return make_holder(Parameter if op is parameter_op else Node, op, _array(record, archive))
    args = _pick(nodes, record["args"])
    return op.build(tuple(args), {key: _decoded(value) for key, value in record.get("params", {}).items()})


def _array(record: dict[str, Any], archive: zipfile.ZipFile) -> Array:
    if "value" in record:
        array: Array = np.array(record["value"], dtype=np.dtype(record["dtype"]))
    else:
        with archive.open(record["array"]) as member:
            array = np.lib.format.read_array(member, allow_pickle=False)
            member.read()  # to the end, where the checksum is compared
    array.flags.writeable = False
    return array


def _pick(nodes: Sequence[Node], places: Iterable[Any]) -> list[Node]:
    picked = []
    for place in places:
        if type(place) is not int or not 0 <= place < len(nodes):
            raise StorageError(f"load: a node refers to node {place!r}, which does not come before it")
        picked.append(nodes[place])
    return picked
