"""Lessons as one HTML file that needs nothing else: no script, no font, nothing from a network.

Colours follow the reader's system. Every text is escaped; the policy forbids whatever an escaped text could try.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from ..svg import text
from ..theme import page_rules
from ..words import Rich, Run, plural, rich, tick
from . import formula
from .lesson import Block, Claim, Formula, Lesson, Numbers, Shown

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NUMBER = re.compile(r"[-−+]?[\d∞—]|NaN|$")
_NEGATIVE = re.compile(r"(?<!\w)-(?=[\d∞])")
_POWER = re.compile(r"(?<=\d)e(-?)(\d+)\b")
_APOSTROPHE = re.compile(r"(?<=\w)'(?=[\w\s.,;:)]|$)")
_RIGHT = ' class="n"'
LECTURE = "Recurrent nets, and where their gradient goes"


def page(lessons: Mapping[str, Lesson], course: Sequence[str] = ()) -> str:
    """Return the page of these lessons, by name; more than one get a table of contents.

    `course` holds the names of all lessons in order, by which those here are numbered.
    """
    title = next(iter(lessons.values())).title if len(lessons) == 1 else LECTURE
    contents = [] if len(lessons) == 1 else [f"<h1>{text(LECTURE)}</h1>", _contents(lessons)]
    figures = [block.figure for lesson in lessons.values() for block in lesson.blocks if isinstance(block, Shown)]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(title)}</title>",
            f"<style>\n{page_rules([figure.sheet.identity for figure in figures])}{_style()}</style>",
            "</head>",
            "<body>",
            "<main>",
            *contents,
            *(
                _article(name, lesson, "h2" if contents else "h1", _place(name, course or tuple(lessons)))
                for name, lesson in lessons.items()
            ),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _contents(lessons: Mapping[str, Lesson]) -> str:
    items = [f'<li><a href="#{text(name)}">{_words(lesson.title)}</a></li>' for name, lesson in lessons.items()]
    return "\n".join(['<nav id="contents" aria-label="Contents">', "<ol>", *items, "</ol>", "</nav>"])


def _place(name: str, course: Sequence[str]) -> str:
    """Return which lesson of the course this is, if there are others."""
    return f"Lesson {course.index(name) + 1} of {len(course)}" if name in course and len(course) > 1 else ""


def _article(name: str, lesson: Lesson, heading: str, place: str) -> str:
    # Where there are contents, the line above a title leads back to them.
    place = f'<a href="#contents">{place}</a>' if place and heading == "h2" else place
    above = f'<p class="place">{place}</p>\n' if place else ""
    title = f"{above}<{heading}>{_words(lesson.title)}</{heading}>"
    checked = "h3" if heading == "h2" else "h2"
    blocks: list[str] = []
    for claims, group in itertools.groupby(lesson.blocks, lambda block: isinstance(block, Claim)):
        together = list(group)
        blocks += [_claims(together, checked)] if claims else map(_block, together)
    return "\n".join([f'<article id="{text(name)}">', title, *blocks, "</article>"])


def _claims(claims: Sequence[Block], heading: str) -> str:
    """Return claims in a row under a line that says how many hold."""
    held = sum(isinstance(claim, Claim) and claim.holds for claim in claims)
    said = f"Checked as this page was written: {held} of {plural(len(claims), 'claim')} hold{'s' * (len(claims) == 1)}"
    lines = [f"<{heading}>{said}</{heading}>", *map(_block, claims)]
    return "\n".join(['<section class="claims">', *lines, "</section>"])


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{_words(block)}</p>"
    if isinstance(block, Formula):
        wide = block.text.replace("  ", "\u2003")
        read = "".join(run.text for run in rich(formula.linear(wide)))
        return f'<p class="formula" role="math" aria-label="{text(read)}">{formula.html(wide, _words)}</p>'
    if isinstance(block, Claim):
        name = "holds" if block.holds else "fails"
        return f'<p class="claim {name}"><span>{tick(block.holds)}</span> {_words(block.text)}</p>'
    if isinstance(block, Numbers):
        return _table(block)
    caption = f"<figcaption>{_words(block.caption)}</figcaption>"
    room = f'style="max-width:{1.1 * block.figure.sheet.width:.0f}px"'
    wide = " wide" if block.figure.kind == "comparison" else ""
    return f'<figure class="shown{wide}">\n<div {room}>{block.figure.svg}</div>{caption}\n</figure>'


def _table(table: Numbers) -> str:
    measured = [all(_NUMBER.match(cell) for cell in column) for column in zip(*table.rows, strict=True)]
    rows = "\n".join(_row("td", row, measured) for row in table.rows)
    head = _row("th", table.columns, measured)
    return f"<table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _row(tag: str, cells: Sequence[str], measured: Sequence[bool]) -> str:
    """Return a row; numbers stand at the right of their column."""
    written = [f"<{tag}{_RIGHT * number}>{_words(cell)}</{tag}>" for cell, number in zip(cells, measured, strict=True)]
    return f"<tr>{''.join(written)}</tr>"


def _words(words: str) -> str:
    """Return a text as a book sets it: powers of ten, minus signs and apostrophes."""
    powers = _POWER.sub(lambda found: f"\u00a0×\u00a010^{{{found[1]}{found[2]}}}", words)
    return "".join(_run(rich(powers)))


def _run(words: Rich) -> Iterable[str]:
    for run in words:
        # A minus sign, unlike a hyphen, is not parted from its number at the end of a line.
        run = Run(_APOSTROPHE.sub("’", _NEGATIVE.sub("−", run.text)), run.shift)
        yield f"<{run.shift}>{text(run.text)}</{run.shift}>" if run.shift else text(run.text)


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
