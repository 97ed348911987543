"""The page layout of all reports: self-contained HTML with cards, tables, figures and verdict chips."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from homei.reporting import number_formats

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Dates and months in a table do not wrap at their hyphens: 2025-06-30, 2025-06, 30/06/2025, 30-Jun-25.
_DATE, _DATE_CLASS = re.compile(r"\d{1,4}([-/.])\w{1,3}\1\w{2,4}|\d{4}-\d{2}"), ' class="date"'
Verdict = bool | Literal["watch"] | None  # holds, fails, to be watched, or no verdict
# A verdict has a sign and a word, so that it is readable without colour.
_CHIPS = {True: ("good", "✓", "Holds"), "watch": ("watch", "!", "Watch"), False: ("bad", "✕", "Fails")}


class Html(str):
    """HTML text that a notebook renders."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    __html__ = _repr_html_


def page(title: str, body: str, subtitle: str = "", is_front_page: bool = False, origin: str = "") -> str:
    """A self-contained HTML5 page for screen, phone and print, with a light and a dark theme.

    `body` is HTML; `title` and `subtitle` (such as "Demo city · as of 2025-12-31") are text. `origin` is the footer's
    statement of what wrote the page, by default `dvc repro`.
    """
    values = {"title": title, "subtitle": subtitle, "is_front_page": is_front_page, "origin": origin}
    return render("page.html.j2", body=Markup(body), **values)


class Card(NamedTuple):
    """A headline figure. `word` replaces the verdict's own word, such as "Holds"."""

    label: str
    value: str
    note: str = ""
    ok: Verdict = None
    word: str = ""


def cards(*items: Card) -> Html:
    """A row of headline figures."""
    return Html(render("cards.html.j2", cards=items, chip=chip))


def chip(ok: Verdict, word: str = "") -> Markup:
    """A verdict as a coloured sign with its word; empty for None."""
    if ok is None:
        return Markup("")
    kind, sign, default = _CHIPS[ok if ok == "watch" else bool(ok)]
    html = Markup('<span class="chip {}"><span aria-hidden="true">{}</span> {}</span>')
    return html.format(kind, sign, word or default)


def table(
    frame: pd.DataFrame,
    formats: Mapping[str, str | Callable[[Any], str]] | None = None,
    headings: Mapping[str, str] | None = None,
) -> Html:
    """A frame as an HTML table without its index.

    Numbers are right-aligned; boolean columns become verdict chips.
    `formats` maps a column to a format of `number_formats.text`, to "verdict" (True, False, "watch", None), or to a
    function that returns text. `headings` maps a column to its title; the default is the column's name in words.
    """
    formats, headings = formats or {}, headings or {}
    right = {name: frame[name].dtype.kind in "iuf" for name in frame.columns}
    titles = {name: headings.get(name, _heading(name)) for name in frame.columns}
    head = "".join(f"<th{_align(right[name])}>{escape(title)}</th>" for name, title in titles.items())
    columns = [_cells(frame[name], formats.get(name), _align(right[name])) for name in frame.columns]
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True))
    return Html(f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>')


def figure(svg: str, caption: str = "", wide: bool = False) -> Html:
    """A chart with its caption. A `wide` chart scrolls horizontally on a phone instead of shrinking."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Html(f'<figure class="chart{" wide" if wide else ""}"><div class="picture">{svg}</div>{below}</figure>')


def figures(*pictures: str) -> Html:
    """Charts or figures side by side if the page is wide enough."""
    framed = (figure(picture) if picture.startswith("<svg") else picture for picture in pictures)
    return Html(f'<div class="figures">{"".join(framed)}</div>')


def render(template: str, **values: Any) -> str:
    """A rendered template of this package; raises jinja2.UndefinedError for a missing value."""
    return _TEMPLATES.get_template(template).render(**values)


def _cells(column: pd.Series, how: str | Callable[[Any], str] | None, align: str) -> list[str]:
    if how == "verdict" or (how is None and column.dtype.kind == "b"):
        return [f"<td>{chip(value)}</td>" for value in column]
    if callable(how):
        texts = [how(value) for value in column]
    else:
        default = {"i": "number", "u": "number", "f": "decimal"}.get(column.dtype.kind, "text")
        texts = [number_formats.text(value, how or default) for value in column]
    return [f"<td{_DATE_CLASS if _DATE.fullmatch(text) else align}>{escape(text)}</td>" for text in texts]


def _align(right: bool) -> str:
    return ' class="number"' if right else ""


def _heading(name: object) -> str:
    label = number_formats.label(name)
    return label[:1].upper() + label[1:]
