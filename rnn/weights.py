"""Weights in the order and layout of other libraries: tables of gate orders, and how each library lays its arrays out.

Inside, a layer's weights are those of torch: four arrays with one block of rows a gate. Every convention is a gate
order (`GATES`) and a pair of functions between those four arrays and its own (`LAYOUTS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minigrad import Node
from minigrad.node import Array

from .cells import GRU, Recurrent, suffix_of

# The order in which a library's arrays hold the gates, in this package's letters: Keras and ONNX say c for the g of
# an LSTM and h for the n of a GRU.
GATES: dict[str, dict[str, str]] = {
    "torch": {"rnn": "h", "lstm": "ifgo", "gru": "rzn"},
    "keras": {"rnn": "h", "lstm": "ifgo", "gru": "zrn"},
    "onnx": {"rnn": "h", "lstm": "iofg", "gru": "zrn"},
}
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

# The four arrays of one layer and direction by their part's name, and a library's arrays by its names.
Parts = dict[str, Array]
Arrays = dict[str, Array]


def load_weights(model: Recurrent, arrays: Mapping[str, ArrayLike], convention: str = "torch") -> None:
    """Assign a library's arrays, by that library's names, to the parameters of `model`, cast to its dtype.

    * torch: `weight_ih_l0 (G*H, I)`, `weight_hh_l0 (G*H, H)`, `bias_ih_l0`, `bias_hh_l0`, `..._l0_reverse`, `..._l1`.
      torch's GRU resets after the product.
    * keras: `kernel (I, G*H)`, `recurrent_kernel (H, G*H)`, `bias (G*H,)`, or `(2, G*H)` for a GRU that resets after
      the product. Of a path only the end counts and whether a part begins with "backward", so that
      `{w.path: w.numpy() for w in layer.weights}` can be given as it is.
    * onnx: `W (D, G*H, I)`, `R (D, G*H, H)`, `B (D, 2*G*H)`; a GRU with linear_before_reset=1 resets after the product.

    A Keras layer and an ONNX node are one layer: for a model of several, add `_l0`, `_l1` ... to the names. Biases may
    be left out and are 0 then. Raises ValueError, before anything is assigned, for names or shapes that do not fit.

    >>> import numpy as np
    >>> import rnn
    >>> model = rnn.LSTM(3, 2, rng=0)
    >>> rnn.load_weights(model, {"kernel": np.ones((3, 8)), "recurrent_kernel": np.zeros((2, 8))}, "keras")
    >>> model.parameters["weight_ih_l0"].value.shape, model.parameters["bias_ih_l0"].value.any()
    ((8, 3), np.False_)
    """
    order = _order(model, convention)
    named = _keras_names(model, arrays) if convention == "keras" else dict(arrays)
    expected = dump_weights(model, convention=convention)
    given = {name: np.asarray(array) for name, array in named.items()}
    _check(model, convention, given, expected)
    for name, own in expected.items():
        given.setdefault(name, np.zeros_like(own))
    back = np.argsort(order)
    read = LAYOUTS[convention][0]
    for layer, direction in model.rows:
        for part, array in read(model, given, layer, direction).items():
            model.parameters[f"{part}_{suffix_of(layer, direction)}"].assign(_reordered(array, back, model.hidden_size))


def dump_weights(model: Recurrent, values: Mapping[Node, ArrayLike] | None = None, convention: str = "torch") -> Arrays:
    """The parameters of `model` as a library's arrays, by its names and in its layout (see `load_weights`).

    `values` maps parameters to arrays that are converted in place of the parameters' own values: their gradients, say.
    Other nodes in it are ignored, and an array whose parameters are not all there is left out. Where a library adds
    this package's two biases up to one, a parameter's value is the sum of both, and a gradient is that of the first,
    which is the gradient of the sum.

    >>> import rnn
    >>> {name: array.shape for name, array in rnn.dump_weights(rnn.GRU(3, 2, rng=0), convention="onnx").items()}
    {'W': (1, 6, 3), 'R': (1, 6, 2), 'B': (1, 12)}
    """
    order = _order(model, convention)
    known: Mapping[Node, ArrayLike] = values if values is not None else {p: p.value for p in model.parameters.values()}
    parts: dict[tuple[int, int], Parts] = {}
    for layer, direction in model.rows:
        parts[layer, direction] = {
            part: _reordered(np.asarray(known[parameter]), order, model.hidden_size)
            for part in PARTS
            if (parameter := model.parameters[f"{part}_{suffix_of(layer, direction)}"]) in known
        }
    return LAYOUTS[convention][1](model, parts, values is not None)


def _order(model: Recurrent, convention: str) -> list[int]:
    """Which of this package's blocks stands at each place of the library's arrays."""
    if convention not in GATES:
        raise ValueError(f"convention must be one of {', '.join(GATES)}, got {convention!r}")
    if convention == "torch":
        return list(range(len(model.gates)))
    if model.kind not in GATES[convention]:
        raise ValueError(f"{convention} has no cell like {model!r}")
    return [model.gates.index(gate) for gate in GATES[convention][model.kind]]


def _reordered(array: Array, order: Any, size: int) -> Array:
    """`array` with its blocks of `size` rows permuted."""
    moved: Array = array.reshape(len(order), size, *array.shape[1:])[order].reshape(array.shape)
    return moved


def _check(model: Recurrent, convention: str, given: Arrays, expected: Arrays) -> None:
    unknown = sorted(set(given) - set(expected))
    missing = [name for name in expected if name not in given and not _is_bias(name)]
    if unknown or missing:
        raise ValueError(
            f"load_weights: {model!r} takes the {convention} arrays {', '.join(expected)}; "
            + "; ".join(
                f"{what}: {', '.join(names)}" for what, names in (("unknown", unknown), ("missing", missing)) if names
            )
        )
    for name, array in given.items():
        if array.shape != expected[name].shape:
            raise ValueError(
                f"load_weights: the {convention} array {name} of {model!r} must have shape {expected[name].shape}, "
                f"got {array.shape}"
            )


def _is_bias(name: str) -> bool:
    return "bias" in name or name == "B" or name.startswith("B_")


def _read_torch(model: Recurrent, arrays: Arrays, layer: int, direction: int) -> Parts:
    return {part: arrays[f"{part}_{suffix_of(layer, direction)}"] for part in PARTS}


def _write_torch(model: Recurrent, parts: Mapping[tuple[int, int], Parts], gradients: bool) -> Arrays:
    return {f"{part}_{suffix_of(*row)}": array for row, own in parts.items() for part, array in own.items()}


def _suffix(model: Recurrent, layer: int) -> str:
    return f"_l{layer}" if model.layers > 1 else ""


def _read_onnx(model: Recurrent, arrays: Arrays, layer: int, direction: int) -> Parts:
    w, r, b = (arrays[name + _suffix(model, layer)][direction] for name in "WRB")
    first, second = np.split(b, 2)
    return {"weight_ih": w, "weight_hh": r, "bias_ih": first, "bias_hh": second}


def _write_onnx(model: Recurrent, parts: Mapping[tuple[int, int], Parts], gradients: bool) -> Arrays:
    arrays = {}
    for layer in range(model.layers):
        for name, members in (("W", PARTS[:1]), ("R", PARTS[1:2]), ("B", PARTS[2:])):
            own = [parts[layer, direction] for direction in range(model.directions)]
            if all(part in one for one in own for part in members):
                rows = [np.concatenate([one[part] for part in members]) for one in own]
                arrays[name + _suffix(model, layer)] = np.stack(rows)
    return arrays


def _keras_names(model: Recurrent, arrays: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
    """Paths like `bidirectional/backward_lstm/lstm_cell/kernel:0` cut down to `backward/kernel`."""
    named = {}
    for path, array in arrays.items():
        *folders, name = path.split(":")[0].split("/")
        backward = any(folder.startswith("backward") for folder in folders)
        prefix = ("backward/" if backward else "forward/") if model.directions == 2 else "backward/" * backward
        if prefix + name in named:
            raise ValueError(
                f"load_weights: two of the keras arrays are called {prefix + name}; give one layer at a time"
            )
        named[prefix + name] = array
    return named


def _keras_name(model: Recurrent, name: str, layer: int, direction: int) -> str:
    prefix = ("forward/", "backward/")[direction] if model.directions == 2 else ""
    return f"{prefix}{name}{_suffix(model, layer)}"


def _two_biases(model: Recurrent) -> bool:
    return isinstance(model, GRU) and model.reset == "after"


def _read_keras(model: Recurrent, arrays: Arrays, layer: int, direction: int) -> Parts:
    kernel, recurrent, bias = (
        arrays[_keras_name(model, name, layer, direction)] for name in ("kernel", "recurrent_kernel", "bias")
    )
    first, second = bias if _two_biases(model) else (bias, np.zeros_like(bias))
    return {"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias_ih": first, "bias_hh": second}


def _write_keras(model: Recurrent, parts: Mapping[tuple[int, int], Parts], gradients: bool) -> Arrays:
    arrays: Arrays = {}
    for (layer, direction), own in parts.items():
        made = {"kernel": own["weight_ih"].T} if "weight_ih" in own else {}
        if "weight_hh" in own:
            made["recurrent_kernel"] = own["weight_hh"].T
        biases = [own[part] for part in PARTS[2:] if part in own]
        if gradients and not _two_biases(model) and "bias_ih" in own:
            made["bias"] = own["bias_ih"]
        elif len(biases) == 2:
            made["bias"] = np.stack(biases) if _two_biases(model) else biases[0] + biases[1]
        arrays |= {_keras_name(model, name, layer, direction): array for name, array in made.items()}
    return arrays


Reader = Callable[[Recurrent, Arrays, int, int], Parts]
Writer = Callable[[Recurrent, Mapping[tuple[int, int], Parts], bool], Arrays]
LAYOUTS: dict[str, tuple[Reader, Writer]] = {
    "torch": (_read_torch, _write_torch),
    "keras": (_read_keras, _write_keras),
    "onnx": (_read_onnx, _write_onnx),
}
