"""Checkpoints: arrays and a JSON header in one file, written whole or not at all, and never unpickled.

The file is a NumPy .npz: `numpy.load(path)` opens it, and `header` in it is a JSON text.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.node import Array

FORMAT = "minigrad checkpoint 1"


class CheckpointError(ValueError):
    """A file that is not a checkpoint, or not of what it is loaded into."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        header: what JSON can say: the task, its options, the step, the generator's state.
        arrays: name -> array, the names grouped by folders (`parameters/...`, `best/...`, `optimiser/...`).
    """

    header: dict[str, Any]
    arrays: dict[str, Array]

    def folder(self, name: str) -> dict[str, Array]:
        """The arrays of one folder, without its name."""
        prefix = f"{name}/"
        return {key.removeprefix(prefix): array for key, array in self.arrays.items() if key.startswith(prefix)}


def write_checkpoint(path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Replace `path` by a checkpoint. Whenever the process dies, `path` is the old file or the new one, whole.

    Raises ValueError for arrays of objects, which only a pickle could hold, and OSError where `path` cannot be written.

    >>> import tempfile
    >>> import numpy as np
    >>> import rnn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rnn.write_checkpoint(f"{folder}/run.npz", {"step": 3}, {"parameters/w": np.ones(2)})
    ...     saved = rnn.read_checkpoint(f"{folder}/run.npz")
    >>> saved.header["step"], saved.folder("parameters")
    (3, {'w': array([1., 1.])})
    """
    path = Path(path)
    text = json.dumps({"format": FORMAT, **header}, ensure_ascii=False)
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in {"header": np.array(text), **arrays}.items():
                # The same bytes for the same contents: an archive member opened by name carries no time.
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote. Raises CheckpointError for any other file, FileNotFoundError for none."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name.removesuffix(".npy"): _member(archive, name) for name in archive.namelist()}
        header = json.loads(str(arrays.pop("header")))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint written by minigrad train ({type(error).__name__})"
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a {FORMAT}; it was written by another version or another program")
    return Checkpoint(header, arrays)


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
        return array
