"""Rich text: nothing is lost in setting it, and it fits where it is put."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from viz.words import Run, clean, fit, one_line, plain, rich, width, wrap

texts = st.text(st.characters(exclude_categories=()), max_size=80)
runs = st.lists(st.builds(Run, st.text("abc xyz", max_size=12), st.sampled_from(["", "sub", "sup"])), max_size=6)


@given(runs.map(tuple), st.floats(20, 400))
def test_wrapping_keeps_every_word_and_fits(words, room):
    lines = wrap(words, 10, room)

    def letters(found):
        return [(char, run.shift) for run in found for char in run.text if char != " "]

    assert letters([run for line in lines for run in line]) == letters(words)
    for line in lines:
        assert width(line, 10) <= room + 1e-9 or " " not in "".join(run.text for run in line).strip()


@given(runs.map(tuple), st.floats(15, 200))
def test_fitting_never_exceeds_the_room(words, room):
    assert width(fit(words, 10, room), 10) <= room + 1e-9


@given(texts, st.integers(2, 40))
def test_one_line_is_one_short_line(text, limit):
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1 or not set(shown) & set("\n\r\t\x85\u2028\u2029")
    assert clean(shown) == shown


@given(st.text(st.characters(exclude_characters="_^"), max_size=40))
def test_text_without_marks_is_one_run(text):
    assert rich(text) == ((Run(text),) if text else ())


def test_subscripts():
    assert plain(rich("W_hh x_{t-1}^2")) == "W_hh x_t-1^2"
    assert [run.shift for run in rich("h_1")] == ["", "sub"]
    assert rich("a_") == (Run("a"), Run("_"))
