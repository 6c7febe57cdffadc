"""Formulas: every command becomes what it says, whatever stands in it stays words, and a mistake is named."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.lessons import formula

WORDS = st.text(st.characters(exclude_characters="\\{}&;", exclude_categories=("Cs", "Cc")), max_size=8)
FORMULAS = st.recursive(
    WORDS,
    lambda part: st.one_of(
        st.tuples(st.sampled_from(["frac", "sum", "prod", "binom"]), part, part).map(
            lambda found: rf"\{found[0]}{{{found[1]}}}{{{found[2]}}}"
        ),
        st.lists(WORDS, min_size=1, max_size=4).map(lambda row: rf"\matrix{{{' & '.join(row)} ; {' & '.join(row)}}}"),
        st.tuples(part, part).map("".join),
    ),
    max_leaves=8,
)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<p>{formula.html(text, html.escape)}</p>")


@given(FORMULAS)
def test_every_word_is_shown_once_and_nothing_else(text):
    signs = {"Σ", "∏"}
    shown = "".join(parsed(text).itertext())
    words = text
    for name in formula.COMMANDS:
        words = words.replace(f"\\{name}{{", "")
    letters = [c for c in words if c not in "{}&;" and not c.isspace() and c not in signs]
    assert sorted(c for c in shown if not c.isspace() and c not in signs) == sorted(letters)
    assert {node.get("class") for node in parsed(text).iter("span")} - {None} <= {
        "frac",
        "limits",
        "binom",
        "matrix",
    }


def test_parts_stand_where_they_belong():
    (frac,) = parsed(r"\frac{∂L}{\frac{a}{b}}")
    assert (frac.get("class"), frac[0].text, frac[1][0].get("class")) == ("frac", "∂L", "frac")
    (limits,) = parsed(r"\sum{k=0}{3}")
    assert [part.text for part in limits] == ["3", "Σ", "k=0"]
    (matrix,) = parsed(r"\matrix{1 & 2 ; 3 & 4}")
    assert [[entry.text for entry in row] for row in matrix] == [["1", "2"], ["3", "4"]]


def test_is_read_out_in_one_line():
    assert formula.linear(r"\frac{∂E}{∂W} = \prod{j}{3} \binom{n + 1}{2}") == "∂E/∂W = ∏_{j}^{3} (n + 1 over 2)"


@pytest.mark.parametrize(
    ("text", "said"),
    [(r"\root{2}", "no command 'root'"), (r"\frac{a}", "braces do not match"), (r"\frac{a}{b", "braces do not match")],
)
def test_a_mistake_is_named(text, said):
    with pytest.raises(ValueError, match=said):
        formula.html(text, str)
