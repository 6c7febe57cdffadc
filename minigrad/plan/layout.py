"""Where every value lies, chosen so that joining values costs nothing.

Three ideas, in order:

* a piece of a concatenation is computed inside it, and an operand that nobody else needs where its user's result will
  be (in place);
* values that one call wants side by side (the hidden states of all steps, say) are rows of one slab;
* whatever is left has a buffer of its own.

Nothing here affects what is computed, and no call depends on a wish having come true: lowering looks at where the
values ended up and cuts its calls to fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from .schedule import Group
from .spent import IN_PLACE, Parents, nest_spent
from .terms import VIEWS, Graph, Term
from .view import View, dense

_NOWHERE = View(-1, 0, (), ())


class Layout:
    """`view` says where each term lies, by its number; `size[buffer]` how many bytes each buffer has.

    `copied` are the views of the graph that strides cannot express, and have to be copied.
    """

    def __init__(self, graph: Graph, groups: Sequence[Group], *, in_place: bool = True, slabs: bool = True) -> None:
        self.base = graph.bases
        self.count = graph.uses
        # When each term is computed, by its number; -1 for leaves and views.
        self.position = [-1] * len(graph.terms)
        for k, term in enumerate(chain.from_iterable(groups)):
            self.position[term.number] = k
        self.view: list[View] = [_NOWHERE] * len(graph.terms)
        self.size: list[int] = []
        self.copied: set[Term] = set()
        self.free: set[Term] = set()
        # What each term lies in, and where.
        self._parent: Parents = [None] * len(graph.terms)
        self._slab: dict[Term, tuple[list[Term], int]] = {}
        if slabs:
            self._nest_pieces(graph)
        if in_place:
            self._nest_operands(graph)
            nest_spent(graph, groups, self.base, self._parent)
        self._order = self._roots_first(graph)
        # The outermost term that each base lies in.
        self._root = list(graph.terms)
        for term in self._order:
            if parent := self._parent[term.number]:
                self._root[term.number] = self._root[parent[0].number]
        if slabs:
            self._wish(graph, groups)
        self._settle(graph)

    def _computed(self, term: Term) -> bool:
        return bool(term.args) and term.op not in VIEWS

    def _nest_pieces(self, graph: Graph) -> None:
        for term in graph.terms:
            if term.op == "assemble" and term.params["covered"]:
                for piece, index in zip(term.args, term.params["indices"], strict=True):
                    if self._computed(piece) and not self._parent[piece.number]:
                        self._parent[piece.number] = (term, index)

    def _nest_operands(self, graph: Graph) -> None:
        # A piece read by others lies in its whole, which nothing may then overwrite.
        exposed = {parent[0] for parent, count in zip(self._parent, self.count, strict=True) if parent and count > 1}
        for term in graph.terms:
            able = None
            for arg in term.args[: IN_PLACE.get(term.op, 0)]:
                if (
                    self.count[arg.number] == 1
                    and self._computed(arg)
                    and arg.shape == term.shape
                    and arg.dtype == term.dtype
                    and arg not in exposed
                    and arg.op != "concat"
                    # The one computed first has been waiting longest: sharing its place saves most.
                    and (able is None or self._when(arg) < self._when(able))
                ):
                    able = arg
            if able is not None:
                self._parent[able.number] = (term, None)

    def _roots_first(self, graph: Graph) -> list[Term]:
        """The terms, each after the one it lies in."""
        order: list[Term] = []
        placed = bytearray(len(graph.terms))
        for term in graph.terms:
            chain = []
            at = term
            while not placed[at.number]:
                placed[at.number] = True
                chain.append(at)
                if parent := self._parent[at.number]:
                    at = parent[0]
            order += reversed(chain)
        return order

    def _wish(self, graph: Graph, groups: Sequence[Group]) -> None:
        for term in graph.terms:
            if term.op == "concat" and all(size == 1 for size in term.shape[: term.params["axis"]]):
                self._beside([self._shown(arg) for arg in term.args])
        for term in graph.terms:
            if term.op == "matmul_n":
                pairs = [(self._shown(a), self._shown(b), a) for a, b in pairs_of(term.args)]
                pairs.sort(key=lambda pair: (*self._place_key(pair[0]), _first_index(pair[2]), self._when(pair[1])))
                self._beside([a for a, _, _ in pairs])
                self._beside([b for _, b, _ in pairs])
        for term in graph.terms:
            if term.op == "sum_n":
                self._beside(sorted((self._shown(arg) for arg in term.args), key=self._when))
        for group in sorted(groups, key=len, reverse=True):
            if len(group) > 1:
                self._wish_group(group)

    def _wish_group(self, group: Group) -> None:
        """Lay side by side the arguments of a group, a slot at a time, and its results."""
        slots = [[self.base[term.args[slot].number] for term in group] for slot in range(len(group[0].args))]
        for members in (*slots, group):
            alike: dict[object, dict[Term, None]] = {}
            for term in members:
                root = self._root[term.number]
                op = root.op if root.args else "leaf"
                alike.setdefault((op, root.shape, root.dtype), {})[root] = None
            for roots in alike.values():
                # Leaves are read where the caller has them, unless copying them saves a call for each.
                if len(roots) > 1 and (all(root.args for root in roots) or 2 * len(roots) > len(members)):
                    self._beside(sorted(roots, key=self._when))

    def _shown(self, arg: Term) -> Term:
        """The outermost term that what the argument shows lies in."""
        return self._root[self.base[arg.number].number]

    def _when(self, term: Term) -> int:
        return self.position[term.number]

    def _place_key(self, root: Term) -> tuple[int, int]:
        slab = self._slab.get(root)
        return (slab[1], 0) if slab else (0, self._when(root))

    def _beside(self, roots: list[Term]) -> None:
        """Lay the roots side by side in this order, if they are alike and not promised otherwise."""
        first = roots[0]
        if len(roots) < 2 or len(set(roots)) < len(roots):
            return
        if any(root.shape != first.shape or root.dtype != first.dtype for root in roots):
            return
        known = [(k, *self._slab[root]) for k, root in enumerate(roots) if root in self._slab]
        if not known:
            slab = list(roots)
            self._slab.update((root, (slab, k)) for k, root in enumerate(slab))
            return
        k0, slab, p0 = known[0]
        if any(other is not slab or p - k != p0 - k0 for k, other, p in known):
            return
        begin = p0 - k0
        front, back = roots[: max(0, -begin)], roots[len(slab) - begin :]
        if any(root in self._slab for root in (*front, *back)) or len(known) + len(front) + len(back) != len(roots):
            return
        slab[:0] = front
        slab += back
        changed: Iterable[tuple[int, Term]] = enumerate(slab) if front else enumerate(back, len(slab) - len(back))
        self._slab.update((root, (slab, k)) for k, root in changed)

    def _buffer(self, nbytes: int) -> int:
        self.size.append(nbytes)
        return len(self.size) - 1

    def _settle(self, graph: Graph) -> None:
        numbers: dict[int, int] = {}
        for term in self._order:
            if term.op in VIEWS:
                continue
            parent = self._parent[term.number]
            if parent:
                whole = self.view[parent[0].number]
                self.view[term.number] = whole if parent[1] is None else whole.sliced(parent[1])
            elif term in self._slab:
                slab, place = self._slab[term]
                if id(slab) not in numbers:
                    numbers[id(slab)] = self._buffer(len(slab) * term.nbytes)
                self.view[term.number] = dense(numbers[id(slab)], place * term.nbytes, term.shape, term.dtype.itemsize)
            else:
                self.view[term.number] = dense(self._buffer(term.nbytes), 0, term.shape, term.dtype.itemsize)
        for term in graph.terms:
            if term.op in VIEWS:
                shown = _shown(term, self.view[term.args[0].number])
                if shown is None:
                    self.copied.add(term)
                    shown = dense(self._buffer(term.nbytes), 0, term.shape, term.dtype.itemsize)
                self.view[term.number] = shown
            elif term.op == "concat" and not self._parent[term.number]:
                joined = _adjoining([self.view[arg.number] for arg in term.args], term)
                if joined is not None:
                    self.free.add(term)
                    self.view[term.number] = joined


def pairs_of(args: Sequence[Term]) -> list[tuple[Term, Term]]:
    """The factors of a `matmul_n`, a pair a product."""
    return list(zip(args[::2], args[1::2], strict=True))


def _first_index(term: Term) -> tuple[int, ...]:
    """Where a slice begins, to sort x[0], x[1], ... of one x."""
    while term.op in VIEWS and term.op != "slice":
        term = term.args[0]
    if term.op != "slice":
        return ()
    return tuple([entry if isinstance(entry, int) else entry[0] for entry in term.params["index"]])


def _shown(term: Term, view: View) -> View | None:
    if term.op == "transpose":
        return view.transposed(term.params["axes"])
    if term.op == "slice":
        return view.sliced(term.params["index"])
    if term.op == "broadcast_to":
        return view.broadcast(term.shape)
    return view.reshaped(term.shape)


def _adjoining(parts: list[View], whole: Term) -> View | None:
    """The window on all the parts, where each begins where the one before ends."""
    axis = whole.params["axis"]
    first = dense(parts[0].buffer, parts[0].offset, whole.shape, whole.dtype.itemsize)
    at = first.offset
    for part in parts:
        length = part.shape[axis] * first.strides[axis]
        same = all(s == t or n == 1 for s, t, n in zip(part.strides, first.strides, part.shape, strict=True))
        if part.buffer != first.buffer or part.offset != at or not same or 0 in part.shape:
            return None
        at += length
    return first
