"""NumPy's own functions on nodes: one row a name, values against NumPy, gradients against the complex step."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.numpy_protocol import FUNCTIONS, UFUNCS
from minigrad.syntax import Syntax

RNG = np.random.default_rng(7)
A = RNG.uniform(0.3, 0.9, (3, 4)) * RNG.choice([-1, 1], (3, 4))
P = RNG.uniform(0.3, 0.9, (3, 4))  # positive, below 1
Q = RNG.uniform(1.2, 1.9, (3, 4))  # above 1
S = RNG.uniform(-1, 1, (3, 3))
V = RNG.uniform(0.3, 1, 4)
T = RNG.uniform(-1, 1, (2, 3, 4))
NAN = np.where(A > 0.7, np.nan, A)
N = np.linalg
POSITIONS = np.array([[0, 2], [2, 2]])
ORDER = np.array([[1, 0, 0, 2], [2, 1, 0, 0], [0, 0, 0, 1]])


def kinked(f):
    """The function has kinks or jumps: the gradient is checked by a stencil."""
    f.kinked = True
    return f


ONE_KINKED = """
    absolute fabs sign floor ceil rint trunc cbrt deg2rad rad2deg degrees radians isnan isinf isfinite signbit
    logical_not
"""
TWO_KINKED = """
    maximum minimum fmax fmin remainder mod fmod floor_divide copysign greater greater_equal less less_equal equal
    not_equal logical_and logical_or logical_xor
"""

# name -> (function of arrays, the arrays it is called on). The name is NumPy's, under np or np.linalg.
ROWS = {
    "add": (lambda x, y: np.add(x, y), A, V),
    "subtract": (lambda x, y: np.subtract(x, y), A, V),
    "multiply": (lambda x, y: np.multiply(x, y), A, V),
    "divide": (lambda x, y: np.divide(x, y), A, V),
    "true_divide": (lambda x, y: np.true_divide(x, y), A, V),
    "negative": (lambda x: np.negative(x), A),
    "positive": (lambda x: np.positive(x), A),
    "power": (lambda x, y: np.power(x, y), P, V),
    "float_power": (lambda x: np.float_power(x, 3), P),
    "square": (lambda x: np.square(x), A),
    "reciprocal": (lambda x: np.reciprocal(x), A),
    "conjugate": (lambda x: np.conjugate(x), A),
    "heaviside": (kinked(lambda x, y: np.heaviside(x, y)), A, V),
    "hypot": (kinked(lambda x, y: np.hypot(x, y)), A, V),
    "arctan2": (kinked(lambda x, y: np.arctan2(x, y)), A, V),
    "logaddexp": (kinked(lambda x, y: np.logaddexp(x, y)), A, V),
    "logaddexp2": (kinked(lambda x, y: np.logaddexp2(x, y)), A, V),
    **{
        name: ((lambda ufunc: lambda x: ufunc(x))(getattr(np, name)), x)
        for names, x in [
            ("exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh arcsin arccos arctanh", A),
            ("log log2 log10 log1p sqrt", P),
            ("arccosh", Q),
        ]
        for name in names.split()
    },
    **{name: (kinked((lambda ufunc: lambda x: ufunc(x))(getattr(np, name))), A) for name in ONE_KINKED.split()},
    **{
        name: (kinked((lambda ufunc: lambda x, y: ufunc(x, y))(getattr(np, name))), A, V) for name in TWO_KINKED.split()
    },
    "bitwise_and": (kinked(lambda x, y: np.bitwise_and(x > 0, y > 0.5)), A, V),
    "bitwise_or": (kinked(lambda x, y: np.bitwise_or(x > 0, y > 0.5)), A, V),
    "bitwise_xor": (kinked(lambda x, y: np.bitwise_xor(x > 0, y > 0.5)), A, V),
    "invert": (kinked(lambda x: np.invert(x > 0)), A),
    "matmul": (lambda x, y: np.matmul(x, y), T, A.T.copy()),
    "vecdot": (lambda x, y: np.vecdot(x, y), A, V),
    "sum": (lambda x: np.sum(x, axis=(0, -1), keepdims=True), T),
    "mean": (lambda x: np.mean(x, 1), T),
    "average": (lambda x, w: np.average(x, 1, weights=w), A, V),
    "var": (lambda x: np.var(x, axis=0, ddof=1), A),
    "std": (lambda x: np.std(x, axis=-1), A),
    "nansum": (lambda x: np.nansum(x, 0), NAN),
    "nanmean": (lambda x: np.nanmean(x, 0), NAN),
    "prod": (lambda x: np.prod(x, axis=(0, 2)), T),
    "max": (kinked(lambda x: np.max(x, axis=1)), A),
    "min": (kinked(lambda x: np.min(x)), A),
    "amax": (kinked(lambda x: np.amax(x, 0)), A),
    "amin": (kinked(lambda x: np.amin(x, 0)), A),
    "ptp": (kinked(lambda x: np.ptp(x, axis=0)), A),
    "median": (kinked(lambda x: np.median(x, axis=1)), A),
    "all": (kinked(lambda x: np.all(x > 0, axis=0)), A),
    "any": (kinked(lambda x: np.any(x > 0.8, axis=0)), A),
    "argmax": (kinked(lambda x: np.argmax(x, axis=1)), A),
    "argmin": (kinked(lambda x: np.argmin(x)), A),
    "count_nonzero": (kinked(lambda x: np.count_nonzero(x > 0, axis=0)), A),
    "cumsum": (lambda x: np.cumsum(x, axis=0), A),
    "cumprod": (lambda x: np.cumprod(x, axis=0), A),
    "diff": (lambda x: np.diff(x, 2, axis=0), A),
    "ediff1d": (lambda x: np.ediff1d(x), A),
    "trapezoid": (lambda y, x: np.trapezoid(y, x), A, np.sort(V)),
    "norm": (lambda x: N.norm(x, axis=1), A),
    "vector_norm": (lambda x: N.vector_norm(x), A),
    "reshape": (lambda x: np.reshape(x, (2, -1)), A),
    "ravel": (lambda x: np.ravel(x), A),
    "transpose": (lambda x: np.transpose(x, (2, 0, 1)), T),
    "permute_dims": (lambda x: np.permute_dims(x, (2, 0, 1)), T),
    "matrix_transpose": (lambda x: np.matrix_transpose(x), T),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), T),
    "moveaxis": (lambda x: np.moveaxis(x, (0, 1), (-1, 0)), T),
    "rollaxis": (lambda x: np.rollaxis(x, 2, 1), T),
    "expand_dims": (lambda x: np.expand_dims(x, (0, -1)), A),
    "squeeze": (lambda x: np.squeeze(x[None, :, None]), A),
    "broadcast_to": (lambda x: np.broadcast_to(x, (3, 4)), V),
    "broadcast_arrays": (lambda x, y: np.broadcast_arrays(x, y)[1], A, V),
    "atleast_1d": (lambda x: np.atleast_1d(x[0]), V),
    "atleast_2d": (lambda x: np.atleast_2d(x), V),
    "atleast_3d": (lambda x, y: np.atleast_3d(x, y)[0], A, V),
    "concatenate": (lambda x, y: np.concatenate([x, y], axis=-1), A, S),
    "concat": (lambda x, y: np.concat([x, y], axis=None), A, S),
    "stack": (lambda x, y: np.stack([x, y], axis=1), A, P),
    "vstack": (lambda x, y: np.vstack([x, y]), A, V),
    "hstack": (lambda x, y: np.hstack([x, y]), A, S),
    "dstack": (lambda x, y: np.dstack([x, y]), A, P),
    "column_stack": (lambda x, y: np.column_stack([x, y]), A, V[:3]),
    "append": (lambda x, y: np.append(x, y), A, V),
    "insert": (lambda x, y: np.insert(x, 1, y, axis=0), A, V),
    "delete": (lambda x: np.delete(x, [0, -1], axis=1), A),
    "split": (lambda x: np.split(x, [1, 3], axis=1)[1], A),
    "array_split": (lambda x: np.array_split(x, 3, axis=1)[0], A),
    "vsplit": (lambda x: np.vsplit(x, 3)[2], A),
    "hsplit": (lambda x: np.hsplit(x, 2)[1], A),
    "dsplit": (lambda x: np.dsplit(x, 2)[1], T),
    "flip": (lambda x: np.flip(x, (0, 2)), T),
    "flipud": (lambda x: np.flipud(x), A),
    "fliplr": (lambda x: np.fliplr(x), A),
    "rot90": (lambda x: np.rot90(x, 3), A),
    "roll": (lambda x: np.roll(x, (1, -2), (0, 1)), A),
    "repeat": (lambda x: np.repeat(x, [2, 0, 1], axis=0), A),
    "tile": (lambda x: np.tile(x, (2, 1, 3)), A),
    "pad": (lambda x: np.pad(x, ((1, 0), (2, 3)), constant_values=2.0), A),
    "meshgrid": (lambda x, y: np.meshgrid(x, y)[0], V, V[:3]),
    "copy": (lambda x: np.copy(x), A),
    "zeros_like": (lambda x: np.zeros_like(x) + x, A),
    "ones_like": (lambda x: np.ones_like(x) * x, A),
    "full_like": (lambda x: np.full_like(x, 3.0) * x, A),
    "empty_like": (lambda x: np.empty_like(x) * 0 + x, A),
    "dot": (lambda x, y: np.dot(x, y), S, T),
    "vdot": (lambda x, y: np.vdot(x, y), A, P),
    "inner": (lambda x, y: np.inner(x, y), A, V),
    "outer": (lambda x, y: np.outer(x, y), A, V),
    "tensordot": (lambda x, y: np.tensordot(x, y, axes=((2, 1), (1, 0))), T, A),
    "einsum": (lambda x, y: np.einsum("iij,...j->i...", x[:, :2], y), T, A),
    "kron": (lambda x, y: np.kron(x, y), S, V),
    "cross": (lambda x, y: np.cross(x, y), S, S[0] + 1),
    "trace": (lambda x: np.trace(x, 1), A),
    "multi_dot": (lambda x, y: N.multi_dot([x, y, y.T]), S, A),
    "matrix_power": (lambda x: N.matrix_power(x, 5), S),
    "diagonal": (lambda x: np.diagonal(x, -1, 0, 2), T),
    "diag": (lambda x: np.diag(x, 1), V),
    "diagflat": (lambda x: np.diagflat(x), S),
    "tril": (lambda x: np.tril(x, -1), T),
    "triu": (lambda x: np.triu(x, 1), A),
    "where": (kinked(lambda x, y: np.where(x > 0, x, y)), A, V),
    "select": (kinked(lambda x, y: np.select([x > 0.5, x < -0.5], [x, y], 7.0)), A, P),
    "choose": (lambda x, y: np.choose(ORDER, [x, y, x * y]), A, P),
    "clip": (kinked(lambda x: np.clip(x, -0.5, 0.55)), A),
    "take": (lambda x: np.take(x, POSITIONS, axis=0), A),
    "take_along_axis": (lambda x: np.take_along_axis(x, ORDER, axis=0), A),
    "compress": (lambda x: np.compress([True, False, True], x, axis=0), A),
    "extract": (lambda x: np.extract(A > 0, x), A),
    "round": (kinked(lambda x: np.round(x, 1)), A),
    "around": (kinked(lambda x: np.around(x)), A),
    "nan_to_num": (lambda x: np.nan_to_num(x), NAN),
    "isclose": (kinked(lambda x, y: np.isclose(x, y)), A, V),
    "sort": (kinked(lambda x: np.sort(x, axis=0)), A),
    "argsort": (kinked(lambda x: np.argsort(x, axis=None if x.ndim == 0 else 1)), A),
    "real": (lambda x: np.real(x), A),
    "shape": (kinked(lambda x: np.shape(x)[0] * x), A),
    "ndim": (kinked(lambda x: np.ndim(x) * x), A),
    "size": (kinked(lambda x: np.size(x) * x), A),
}
if hasattr(np, "fix"):  # from NumPy 2.5 on it warns where it is called on arrays, and trunc is what it says to use
    ROWS["fix"] = (kinked(lambda x: np.fix(x) if isinstance(x, mg.Node) else np.trunc(x)), A)
if hasattr(np, "matvec"):
    ROWS["matvec"] = (lambda x, y: np.matvec(x, y), T, V)
    ROWS["vecmat"] = (lambda x, y: np.vecmat(x, y), V[:3], T)
if hasattr(np, "unstack"):
    ROWS["unstack"] = (lambda x: np.unstack(x, axis=1)[2], T)


def test_at_least_130_names_are_covered():
    assert len(ROWS) >= 130


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    f, *arrays = ROWS[name]
    xs = [mg.input(array.shape) for array in arrays]
    feed = dict(zip(xs, arrays, strict=True))
    y = f(*xs)
    expected = np.asarray(f(*arrays))
    assert isinstance(y, mg.Node)
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(y.eval(feed), expected, rtol=1e-13, atol=1e-14)
    if y.dtype.kind != "f":
        return
    rng = np.random.default_rng(1)
    seed = rng.standard_normal(y.shape)
    for x, g in zip(xs, mg.vjp(y, xs, seed, unreachable="zero"), strict=True):
        direction = rng.standard_normal(x.shape)

        def at(h, x=x, direction=direction):
            return np.sum(seed * y.eval({**feed, x: feed[x] + h * direction}))

        # A complex step goes through the graph; where NumPy's own function has kinks a stencil over NumPy does.
        if getattr(f, "kinked", False):
            h = 1e-4
            steps = {
                k: np.sum(seed * f(*[a + k * h * direction if n is x else a for n, a in feed.items()]))
                for k in (-2, -1, 1, 2)
            }
            slope, rtol = (8 * (steps[1] - steps[-1]) - (steps[2] - steps[-2])) / (12 * h), 1e-8
        else:
            slope, rtol = at(1e-20j).imag / 1e-20, 1e-12
        got = g.eval(feed)
        assert abs(np.sum(got * direction) - slope) <= rtol * (
            np.sum(np.abs(got * direction)) + abs(slope) + np.sum(np.abs(seed))
        )


COVERED = {*UFUNCS, *FUNCTIONS}
NAMES = {
    id(getattr(module, name)): name
    for module in (np.linalg, np)
    for name in dir(module)
    if callable(getattr(module, name))
}


def test_every_covered_function_has_a_row():
    for function in COVERED:
        spelled = {name for module in (np, np.linalg) for name in dir(module) if getattr(module, name) is function}
        assert spelled & set(ROWS) or (N and function.__name__ in ROWS), spelled


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "std", "var", "max", "min", "argmax", "any", "all", "ptp"])
def test_methods_are_the_functions(name):
    assert name in vars(Syntax)
    x = mg.input((3, 4))
    value = getattr(x, name)(axis=1).eval({x: A})
    np.testing.assert_allclose(value, getattr(np, name)(A, axis=1), rtol=1e-13)


def test_plain_numpy_code_builds_graphs_unchanged():
    def program(X, W, b):
        return np.sum(np.tanh(X @ W + b)[:, ::-2])

    x, w, b = (mg.input(a.shape) for a in (A, A.T, S[0]))
    value = program(x, w, b).eval({x: A, w: A.T, b: S[0]})
    np.testing.assert_allclose(value, program(A, A.T, S[0]), rtol=1e-14)


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "@": lambda a, b: a @ b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@pytest.mark.parametrize("sign", OPERATORS)
def test_an_array_on_either_side_of_an_operator_gives_one_node(sign):
    operator = OPERATORS[sign]
    x = mg.input((3, 3))
    for y, expected in [
        (operator(P[:, :3], x), operator(P[:, :3], Q[:, :3])),
        (operator(x, P[:, :3]), operator(Q[:, :3], P[:, :3])),
    ]:
        assert isinstance(y, mg.Node)
        assert y.shape == expected.shape
        np.testing.assert_allclose(y.eval({x: Q[:, :3]}), expected, rtol=1e-13)


def test_no_spelling_loses_a_gradient_silently():
    x = mg.input((3,), name="x")
    array = np.ones((2, 3))
    assert mg.grad(mg.sum(array @ x), x).eval({x: np.ones(3)}).tolist() == [2, 2, 2]
    assert isinstance(np.dot(array, x), mg.Node)
    with pytest.raises(TypeError, match="not an array before it is evaluated"):
        array.dot(x)
    with pytest.raises(TypeError, match="not an array before it is evaluated"):
        np.array(x)
    with pytest.raises(TypeError):
        np.array([x, x])
    with pytest.raises(TypeError, match="write y = x \\+ node"):
        array += x
    with pytest.raises(TypeError):
        array[0] = x
    with pytest.raises(TypeError, match="not a number before it is evaluated"):
        float(x[0])
    with pytest.raises(TypeError, match="no truth value"):
        bool(x[0] > 1)
    with pytest.raises(TypeError, match=r"np\.equal"):
        x == 0  # noqa: B015  # the comparison itself is what raises
    with pytest.raises(TypeError, match=r"np\.not_equal"):
        x != np.zeros(3)  # noqa: B015  # the comparison itself is what raises
    assert (x == x[:]) is True
    assert (x == "x") is False


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda x: np.linalg.svd(x), "np.linalg.svd"),
        (lambda x: np.fft.fft(x), "np.fft.fft"),
        (lambda x: np.spacing(x), "np.spacing"),
        (lambda x: np.add.at(x, 0, 1), "np.add.at"),
        (lambda x: np.convolve(x[0], x[0]), "np.convolve"),
        (lambda x: np.sum(x, initial=3.0), "np.sum"),
        (lambda x: np.exp(x, where=A > 0), "np.exp"),
        (lambda x: np.linalg.inv(x), "np.linalg.inv"),
    ],
)
def test_what_is_not_covered_raises_by_name(call, named):
    with pytest.raises(TypeError, match=named.replace(".", r"\.")):
        call(mg.input((3, 4)))


def test_masks_are_combined_as_numpy_users_write_them():
    x = mg.input((3, 4))

    def masks(x):
        a, b = x > 0, x < 0.5
        return [a & b, a | b, a ^ b, ~a, True & a, True | a, True ^ a]

    for y, expected in zip(masks(x), masks(A), strict=True):
        np.testing.assert_array_equal(y.eval({x: A}), expected)
    with pytest.raises(mg.DtypeError, match=r"& is for booleans, got .*test_numpy_protocol"):
        x & (x > 0)


def test_methods_take_what_numpys_take():
    x = mg.input((3, 4))
    for f in (
        lambda x: x.sum(axis=0, dtype=np.float32),
        lambda x: x.mean(0, keepdims=True),
        lambda x: x.clip(min=0.0),
        lambda x: np.clip(x, min=-0.5, max=0.5),
        lambda x: x.std(axis=0, ddof=1),
        lambda x: x.flatten(),
    ):
        got, expected = f(x).eval({x: A}), f(A)
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-6 if expected.dtype == np.float32 else 1e-14)
    with pytest.raises(TypeError, match=r"the method sum of a node: .*out"):
        x.sum(out=np.zeros(()))


def test_ufunc_methods():
    x = mg.input((3, 4))
    for f in (
        lambda x: np.add.reduce(x),
        lambda x: np.add.reduce(x, axis=None),
        lambda x: np.maximum.reduce(x, axis=1),
        lambda x: np.multiply.accumulate(x, axis=1),
        lambda x: np.subtract.outer(x, V),
    ):
        np.testing.assert_allclose(f(x).eval({x: A}), f(A), rtol=1e-14)
    assert np.sum(x, dtype=np.float32).dtype == np.float32
    assert np.add(x, 1, dtype=np.float32).dtype == np.float32
