"""What is saved is what is loaded, and nothing damaged is half believed."""

import json
import zipfile

import numpy as np
import pytest

import minigrad as mg


def small_graph():
    x = mg.input((2, 3), dtype=np.float32, name="x")
    w = mg.parameter(np.arange(12.0, dtype=np.float32).reshape(3, 4) / 10, name="w")
    with mg.scope("cell", t=1, gate=None):
        h = mg.tanh(x @ w).named("h")
    y = mg.sum(
        np.where(h > 0, h[:, ::-2][:, [0, 0]].sum() * np.float32(0.1), -np.inf) * np.array([1.0, -0.0, np.nan, 2.0])
    )
    return x, w, h, y, mg.grad(y, w)


def same(a, b):
    return (a.op, a.shape, a.dtype, a.params, a.name, a.scope, a.site) == (
        b.op, b.shape, b.dtype, b.params, b.name, b.scope, b.site,
    )  # fmt: skip


def test_a_graph_comes_back_node_for_node(tmp_path):
    x, w, h, y, g = small_graph()
    path = tmp_path / "any name.at-all"
    mg.save(path, [y, g, y])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    loaded = mg.load(path)
    assert len(loaded) == 3
    assert loaded[0] is loaded[2]
    before, after = list(mg.walk([y, g])), list(mg.walk(loaded))
    assert all(same(a, b) for a, b in zip(before, after, strict=True))
    pair = dict(zip(before, after, strict=True))
    assert all(pair[a].args == tuple(pair[arg] for arg in a.args) for a in before)
    assert all(pair[a].of is (pair.get(a.of) if a.of is not None else None) for a in before)
    array = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    old, new = mg.run([y, g], {x: array}), mg.run(loaded, {pair[x]: array})
    for a in before:
        np.testing.assert_array_equal(old[a], new[pair[a]])
    pair[w].assign(np.zeros((3, 4)))
    assert float(h.eval({x: array}).max()) != 0


def test_the_same_graph_gives_the_same_bytes_and_one_output_a_list(tmp_path):
    *_, y, _ = small_graph()
    mg.save(tmp_path / "a", y)
    mg.save(str(tmp_path / "b"), [y])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert [node.shape for node in mg.load(str(tmp_path / "a"))] == [()]
    mg.save(tmp_path / "none", [])
    assert mg.load(tmp_path / "none") == []


@pytest.mark.parametrize(
    "value", [0.1, -0.0, np.nan, np.inf, -np.inf, 5e-324, np.float32(0.1), 3, -7, True, np.int8(5)]
)
@pytest.mark.parametrize("shape", [(), (2,)])
def test_numbers_survive_exactly(tmp_path, value, shape):
    array = np.full(shape, value)
    mg.save(tmp_path / "f", mg.constant(array))
    [node] = mg.load(tmp_path / "f")
    assert node.dtype == array.dtype
    assert node.eval().tobytes() == array.tobytes()


def test_damage_anywhere_is_noticed(tmp_path):
    *_, y, g = small_graph()
    path = tmp_path / "graph"
    mg.save(path, [y, g])
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    harmless = 0
    for place in rng.integers(0, len(whole), 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            loaded = mg.load(path)
        except mg.StorageError:
            continue
        else:  # a byte of the container that carries no meaning, such as a time or an attribute
            harmless += 1
            assert all(same(a, b) for a, b in zip(mg.walk([y, g]), mg.walk(loaded), strict=True))
    assert harmless < 50
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(mg.StorageError, match="not a saved graph, or is damaged"):
            mg.load(path)


def rewritten(path, change):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    graph = json.loads(members["graph.json"])
    change(graph)
    members["graph.json"] = json.dumps(graph).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda g: g.update(version=2), "format version 2, this minigrad reads 1"),
        (lambda g: g.update(format="recipe"), "holds 'recipe'"),
        (lambda g: g["nodes"][-1].update(op="launch"), "no op named 'launch'"),
        (lambda g: g["nodes"][2].update(args=[5]), "does not come before it"),
        (lambda g: g["nodes"][2].update(args=[-1]), "does not come before it"),
        (lambda g: g["nodes"][2].update(args=[True]), "another shape|damaged|before"),
        (lambda g: g["nodes"][2].update(shape=[7]), "another shape or dtype"),
        (lambda g: g["nodes"][2].update(dtype="<f4"), "another shape or dtype"),
        (lambda g: g["nodes"][1].update(shape=[7]), "another shape or dtype|damaged"),
        (lambda g: g.update(outputs=[99]), "does not come before it"),
        (lambda g: g.pop("nodes"), "damaged"),
        (lambda g: g.update(nodes=7), "damaged"),
        (lambda g: g["nodes"][0].update(site=3), "damaged"),
    ],
)
def test_a_file_made_by_hand_is_checked(tmp_path, change, says):
    x = mg.input((3,), name="x")
    path = tmp_path / "graph"
    mg.save(path, mg.sum(x * np.array([1.0, 2.0, 3.0])))
    rewritten(path, change)
    with pytest.raises(mg.StorageError, match=says):
        mg.load(path)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "graph"
    mg.save(path, mg.constant([1.0, 2.0]))
    with zipfile.ZipFile(path) as archive:
        graph = archive.read("graph.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.json", graph)
        with archive.open("arrays/0.npy", "w") as member:
            np.lib.format.write_array(member, np.array([print, 1], dtype=object), allow_pickle=True)
    with pytest.raises(mg.StorageError, match="allow_pickle"):
        mg.load(path)


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "graph"
    mg.save(path, mg.constant(1.0))
    before = path.read_bytes()
    with mg.scope(label=(1, 2)):
        bad = mg.input(())
    with pytest.raises(mg.StorageError, match=r"label \(1, 2\)"):
        mg.save(path, bad)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["graph"]
    with pytest.raises(FileNotFoundError):
        mg.save(tmp_path / "no folder" / "graph", mg.constant(1.0))
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "nothing")
