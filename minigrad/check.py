"""`minigrad check FILE.py::function`: the ladder from the shell.

The console command belongs to another package; it calls `check_arguments` and `run_check`. The kit is imported when a
check is run: it needs hypothesis, which nothing else here does.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .console import say
from .errors import Misuse
from .node import Node
from .ops import input as input_node
from .ops.core import Op

PROFILES = ("quick", "ci", "deep")


def check_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `minigrad check`."""
    parser.epilog = (
        "examples:\n"
        "  minigrad check model.py::loss                    shapes are found by trying\n"
        "  minigrad check model.py::loss --shape 3,4 --shape 4\n"
        "  minigrad check ops.py::my_op                     an op of your own\n"
        "  minigrad check layer.py::f --gradient layer.py::f_vjp --shape 5\n"
        "  minigrad check layer.py::Swish                   a torch.autograd.Function\n\n"
        "FUNCTION takes nodes and gives a node, as plain NumPy code does; minigrad's gradient of it is checked.\n"
        "With --gradient it takes an array (with several --shape a list), and gradient(x, seed) is the vjp that\n"
        "is checked. The exit code is 0 if every law holds, 1 if one does not, 2 if there was nothing to check."
    )
    parser.add_argument("target", metavar="FILE.py::FUNCTION", help="what to check")
    parser.add_argument("--gradient", metavar="FILE.py::VJP", help="a hand-written vjp of FUNCTION: gradient(x, seed)")
    parser.add_argument(
        "--shape",
        metavar="N,M",
        action="append",
        help="the shape of an argument, like 3,4 (or () for a number); once for each argument",
    )
    parser.add_argument("--profile", choices=PROFILES, default="quick", help="how much to try (default: quick)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="seed of the drawn inputs (default: 0)")


def run_check(options: argparse.Namespace) -> int:
    """Run `minigrad check`; 0 if every law holds, 1 if one does not. Raises Misuse for wrong use."""
    try:
        from .testing import GradientFailure, check_op, from_torch
        from .testing.failure import hooks
        from .testing.profiles import choose
    except ModuleNotFoundError as missing:
        raise Misuse(f"check: needs {missing.name}; install it by: pip install minigrad[test]") from None
    profile = choose(options.profile)
    subject = _load(options.target)
    started = time.perf_counter()
    laws = _Progress()
    try:
        if isinstance(subject, Op):
            check_op(subject, seed=options.seed, progress=laws)
            what = f"the op {subject.name}"
        elif options.gradient:
            what = _check_vjp(subject, _load(options.gradient), options, profile.examples, laws)
        elif _is_torch_function(subject):
            what = _check_vjp(*from_torch(subject), options, profile.examples, laws)
        else:
            what = _check_function(subject, options, profile.examples, laws)
    except GradientFailure as failure:
        laws.clear()
        say(f"FAILED {options.target}\n{failure}")
        for hook in hooks():
            answer = hook(failure.finding)
            if answer:
                say(answer)
        return 1
    laws.clear()
    say(f"passed: {what}, {laws.count} checks, seed {options.seed}, {time.perf_counter() - started:.1f} s")
    for law, count in laws.seen.items():
        say(f"  {count:>5} x {law}")
    return 0


class _Progress:
    """What is being checked, on one line of the terminal that is rewritten."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.count = 0
        self._shows = sys.stderr.isatty()

    def __call__(self, law: str) -> None:
        law = law[:1].lower() + law[1:]
        self.count += 1
        self.seen[law] = self.seen.get(law, 0) + 1
        if self._shows:
            sys.stderr.write(f"\r\033[K{self.count} checks: {law}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._shows:
            sys.stderr.write("\r\033[K")


def _load(target: str) -> Any:
    file, separator, name = target.partition("::")
    if not separator or not name:
        raise Misuse(f"check: expects FILE.py::FUNCTION, got {target!r}")
    path = Path(file)
    if not path.is_file():
        raise Misuse(f"check: there is no file {file}")
    module = _imported.get(path.resolve()) or _imported.setdefault(path.resolve(), _import(path))
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Op):
        raise Misuse(f"check: {name} is a class of ops; make one, my_op = {name}(), and check {file}::my_op")
    if not callable(found):
        names = [n for n, value in vars(module).items() if _may_be_checked(value, module) and not n.startswith("_")]
        raise Misuse(f"check: {file} has no function {name}; it has {', '.join(names) or 'none'}")
    return found


def _may_be_checked(value: Any, module: ModuleType) -> bool:
    return isinstance(value, Op) or (callable(value) and getattr(value, "__module__", None) == module.__name__)


# A function and its vjp may share a file, whose ops can be declared only once.
_imported: dict[Path, ModuleType] = {}


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Misuse(f"check: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Misuse(f"check: {path} cannot be imported ({type(error).__name__}: {error})") from error
    return module


def _check_function(
    function: Callable[..., Any], options: argparse.Namespace, examples: int, progress: Callable[[str], None]
) -> str:
    from .testing.gradients import degenerated
    from .testing.graphs import check_graph

    shapes = _shapes(options, _arity(function)) or _shapes_that_fit(function)
    try:
        leaves, y = _built(function, shapes)
    except Misuse:
        raise
    except Exception as error:
        written = ", ".join(map(_written, shapes))
        raise Misuse(f"check: {function.__name__} raises for shapes {written} ({_told(error)})") from error
    if y.dtype.kind != "f":
        raise Misuse(f"check: the result has dtype {y.dtype}; only a float has a gradient")
    rng = np.random.default_rng(options.seed)
    arrays = [rng.uniform(0.25, 1.5, shape) * rng.choice([-1, 1], shape) for shape in shapes]
    for i in range(examples):
        points = [arrays, *degenerated(arrays, rng)] if not i else [[rng.uniform(-2, 2, s) for s in shapes]]
        for point in points:
            with np.errstate(all="ignore"):
                if not np.all(np.isfinite(y.eval(dict(zip(leaves, point, strict=True))))):
                    continue
            feed = dict(zip(leaves, point, strict=True))
            again = partial(_reproduce, function, leaves)
            check_graph(y, feed, name=function.__name__, reproduce=again, strict=False, progress=progress)
    return f"{function.__name__} at shapes {', '.join(map(_written, shapes))}"


def _reproduce(function: Callable[..., Any], leaves: Sequence[Node], feed: Mapping[Node, Any]) -> str:
    from .testing.written import code, line, reference

    inputs = [f"mg.input({leaf.shape})" for leaf in leaves]
    numbers = ", ".join(code(feed[leaf]) for leaf in leaves)
    f = reference(function, "f")
    statements = [
        f"x = [{', '.join(inputs)}]",
        f"check_graph({f.expression}(*x), dict(zip(x, [{numbers}])), strict=False)",
    ]
    return line(statements, "check_graph", of=(f,))


def _check_vjp(
    function: Callable[..., Any],
    gradient: Callable[..., Any],
    options: argparse.Namespace,
    examples: int,
    progress: Callable[[str], None],
) -> str:
    from .testing.gradients import check_gradient

    shapes = _shapes(options, None) or [(3,)]
    rng = np.random.default_rng(options.seed)
    for _ in range(examples // 5):
        arrays = [rng.uniform(0.25, 1.5, shape) * rng.choice([-1, 1], shape) for shape in shapes]
        x = arrays[0] if len(arrays) == 1 else arrays
        try:
            function(x)
        except Exception as error:
            given = "an array" if len(arrays) == 1 else f"a list of {len(arrays)} arrays"
            written = ", ".join(map(_written, shapes))
            raise Misuse(
                f"check: {function.__name__} raises for {given} of shape {written} ({_told(error)}); "
                "give --shape once for each array"
            ) from error
        check_gradient(function, x, gradient, seed=options.seed, progress=progress)
    return f"{function.__name__} against {gradient.__name__}"


def _is_torch_function(subject: Any) -> bool:
    """Whether it is a `torch.autograd.Function`; torch is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(subject, type) and issubclass(subject, torch.autograd.Function)


def _arity(function: Callable[..., Any]) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [p for p in inspect.signature(function).parameters.values() if p.kind in kinds and p.default is p.empty]
    if not found:
        raise Misuse(f"check: {getattr(function, '__name__', function)} takes no argument to differentiate by")
    return len(found)


def _shapes(options: argparse.Namespace, count: int | None) -> list[tuple[int, ...]]:
    given = options.shape or []
    if given and count is not None and len(given) != count:
        raise Misuse(f"check: the function takes {count} arguments, got {len(given)} shapes")
    try:
        shapes = [tuple(int(n) for n in text.strip("()").split(",") if n.strip()) for text in given]
    except ValueError:
        shapes = [(-1,)]
    if any(size < 0 for shape in shapes for size in shape):
        raise Misuse(f"check: expects shapes like 3,4, got {' '.join(given)}")
    return shapes


def _told(error: Exception) -> str:
    """An error of the user's own code in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _written(shape: Sequence[int]) -> str:
    return ",".join(map(str, shape)) or "()"


_TRIED: tuple[tuple[int, ...], ...] = ((3,), (3, 3), (), (2, 3), (3, 2), (2, 3, 3))


def _shapes_that_fit(function: Callable[..., Any]) -> list[tuple[int, ...]]:
    count = _arity(function)
    troubles: list[Exception] = []
    for shapes in _combinations(count):
        try:
            _built(function, shapes)
        except Misuse:
            raise
        except Exception as error:
            troubles.append(error)
            continue
        return list(shapes)
    raise Misuse(f"check: found no shapes that fit ({_told(troubles[0])}); give --shape for each argument")


def _combinations(count: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    for shape in _TRIED:
        yield (shape,) * count
    if count <= 4:
        yield from itertools.product(_TRIED, repeat=count)


def _built(function: Callable[..., Any], shapes: Sequence[tuple[int, ...]]) -> tuple[list[Node], Node]:
    names = list(inspect.signature(function).parameters)
    leaves = [input_node(shape, name=name) for shape, name in zip(shapes, names, strict=False)]
    y = function(*leaves)
    if not isinstance(y, Node):
        raise Misuse(
            f"check: {function.__name__} gives {type(y).__name__} for nodes, not a node; for a function of arrays "
            "pass its vjp by --gradient"
        )
    return leaves, y
