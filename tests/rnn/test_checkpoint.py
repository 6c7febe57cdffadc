"""Checkpoints are written whole or not at all, the same bytes for the same contents, and never unpickled."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import rnn

ARRAYS = st.dictionaries(
    st.text(st.characters(categories=["L", "Nd"], include_characters="._/"), min_size=1, max_size=8).map(
        "parameters/".__add__
    ),
    npst.arrays(st.sampled_from(["f8", "f4", "i8", "?"]), npst.array_shapes(min_dims=0, min_side=0, max_side=3)),
    max_size=3,
)
in_one_folder = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(
    ARRAYS,
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(0, 2**128), st.floats(allow_nan=False))
    ),
)
def test_what_was_written_is_read(tmp_path, arrays, header):
    header.pop("format", None)
    path = tmp_path / "run.npz"
    rnn.write_checkpoint(path, header, arrays)
    first = path.read_bytes()
    read = rnn.read_checkpoint(path)
    assert {key: read.header[key] for key in header} == header
    assert list(read.arrays) == list(arrays)
    for name, array in arrays.items():
        assert (read.arrays[name].dtype, read.arrays[name].shape) == (array.dtype, array.shape)
        assert read.arrays[name].tobytes() == array.tobytes()
    assert list(read.folder("parameters")) == [name.removeprefix("parameters/") for name in arrays]
    rnn.write_checkpoint(path, header, arrays)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


@in_one_folder
@given(st.data())
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, data):
    path = tmp_path / "run.npz"
    rnn.write_checkpoint(path, {"step": 3}, {"parameters/w": np.arange(50.0)})
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(rnn.CheckpointError, match=r"run.npz is not a checkpoint written by minigrad train"):
        rnn.read_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", bytes(range(256)) * 9])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    with pytest.raises(rnn.CheckpointError):
        rnn.read_checkpoint(path)
    with pytest.raises(rnn.CheckpointError):
        rnn.read_checkpoint(tmp_path)
    np.savez(path, header=np.array('{"format": "another"}'))
    with pytest.raises(rnn.CheckpointError, match="written by another version or another program"):
        rnn.read_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        rnn.read_checkpoint(tmp_path / "missing.npz")


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "run.npz"
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb()
    member = io.BytesIO()
    np.lib.format.write_array(member, bomb, allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", member.getvalue())
    for content in (path.read_bytes(), pickle.dumps(Bomb())):
        path.write_bytes(content)
        with pytest.raises(rnn.CheckpointError):
            rnn.read_checkpoint(path)
    assert not Bomb.exploded
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        rnn.write_checkpoint(path, {}, {"w": bomb})


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.npz"
    rnn.write_checkpoint(path, {"step": 1}, {"w": np.ones(3)})
    with pytest.raises(ValueError, match="Object arrays"):
        rnn.write_checkpoint(path, {"step": 2}, {"w": np.ones(3), "bad": np.empty(1, dtype=object)})
    assert rnn.read_checkpoint(path).header["step"] == 1
