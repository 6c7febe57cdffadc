"""Random small graphs with vectors, matrices, broadcasting, repeated use and edges that no gradient passes."""

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from minigrad.derivative import pull_edge

UNARY = {
    "tanh": mg.tanh,
    "sin": mg.sin,
    "exp": lambda x: mg.exp(0.1 * x),
    "sum": lambda x: mg.sum(x),
    "relu": mg.relu,
    "stop": mg.stop_gradient,
    "transpose": lambda x: x.T,
    "logsumexp": lambda x: mg.logsumexp(x),
    "row": lambda x: x[0] if x.ndim else x,
    "triple": lambda x: 3.0 * x,
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "matmul": lambda x, y: x @ y if x.shape == y.shape == (2, 2) else x * y,
    "concat": lambda x, y: mg.concatenate([x, y])[0:2] if x.shape == y.shape == (2, 2) else y - x,
}
UNARY_NAMES, BINARY_NAMES = sorted(UNARY), sorted(BINARY)


@st.composite
def programs(draw, most=8):
    """Shapes of two leaves, their values' seed, and instructions that name earlier nodes by number."""
    shapes = draw(st.tuples(*[st.sampled_from([(), (2,), (2, 2)])] * 2))
    count = draw(st.integers(1, most))
    instructions = []
    for number in range(count):
        # Mostly the node just made, so that graphs are deep and most of them is on a path.
        earlier = st.one_of(st.just(number + 1), st.integers(0, number + 1))
        if draw(st.booleans()):
            instructions.append((draw(st.sampled_from(UNARY_NAMES)), (draw(earlier),)))
        else:
            instructions.append((draw(st.sampled_from(BINARY_NAMES)), (draw(earlier), draw(earlier))))
    return shapes, draw(st.integers(0, 2**32)), instructions


def build(program, names=("a", "b"), inner_scope="t"):
    """(y, leaves): the graph of a program; its last node is summed."""
    shapes, seed, instructions = program
    rng = np.random.default_rng(seed)
    leaves = [mg.parameter(rng.normal(size=shape), name=name) for name, shape in zip(names, shapes, strict=True)]
    nodes = list(leaves)
    for number, (name, args) in enumerate(instructions):
        with mg.scope(**{inner_scope: number % 3}):
            nodes.append({**UNARY, **BINARY}[name](*(nodes[arg] for arg in args)))
    return mg.sum(nodes[-1]), leaves


def every_path(y, source):
    """All paths by brute force: (edges from y down, product of the local derivatives)."""
    values = mg.run(y).values
    paths, found = [((), y, np.ones(y.shape))], []
    while paths:
        edges, node, cotangent = paths.pop()
        if node is source:
            found.append((edges, cotangent))
        for slot, arg in enumerate(node.args):
            if arg.dtype.kind != "f" or node.dtype.kind != "f":
                continue
            term = pull_edge(node, slot, cotangent, values[node], [values[a] for a in node.args])
            if term is not None:
                paths.append(((*edges, mg.Edge(node, slot)), arg, term))
    return found


def total(paths, source):
    return sum((product for _, product in paths), np.zeros(source.shape))


def slack(paths):
    """The rounding that sums of these terms may leave."""
    return 1e-12 * sum((np.abs(product).max(initial=0) for _, product in paths), 1e-300)
