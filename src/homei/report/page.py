"""The one shell that every report wears: a complete HTML page that asks nothing of the outside world."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from homei.report import formats as formatting

if TYPE_CHECKING:
    import pandas as pd

TEMPLATES = Path(__file__).with_name("templates")
Verdict = bool | Literal["watch"] | None
# A verdict is a sign and a word, never a colour alone.
_CHIPS = {True: ("good", "✓", "Holds"), "watch": ("watch", "!", "Watch"), False: ("bad", "✕", "Fails")}


class Html(str):
    """A piece of HTML as text, which a notebook shows as it would look."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    __html__ = _repr_html_


REBUILT = Markup("Rebuilt byte for byte by <code>dvc repro</code>.")


def page(title: str, body: str, subtitle: str = "", depth: int = 1, origin: str = REBUILT) -> str:
    """A self-contained HTML5 page with the project's look, for screen, phone and print, light and dark.

    `body` is HTML that goes in as it is; `title` and `subtitle` (source and date, such as "Demo city · as of
    2025-12-31") are text. `depth` says how many folders below `reports/` the page lies, for the link back to the
    front page; 0 is the front page itself, which has no such link. `origin` says at the foot what made the page.
    """
    return render(
        "page.html.j2", title=title, subtitle=subtitle, body=Markup(body), depth=depth, origin=origin, css=_css()
    )


def cards(items: Sequence[Mapping[str, Any]]) -> Html:
    """A row of headline figures: each has `label` and `value`, maybe a `note` and a verdict `ok`.

    `ok` is True (holds), False (fails), "watch" or None (no verdict); `word` replaces the verdict's word.
    """
    return Html(render("cards.html.j2", cards=items, chip=chip))


def chip(ok: Verdict, word: str = "") -> Markup:
    """A verdict as a coloured sign with its word; nothing for None."""
    if ok is None:
        return Markup("")
    kind, sign, usual = _CHIPS[ok if ok == "watch" else bool(ok)]
    return Markup('<span class="chip {}"><span aria-hidden="true">{}</span> {}</span>').format(
        kind, sign, word or usual
    )


def table(
    frame: pd.DataFrame,
    formats: Mapping[str, str | Callable[[Any], str]] | None = None,
    headings: Mapping[str, str] | None = None,
) -> Html:
    """A frame as an HTML table without its index; numbers stand right, a boolean column becomes verdict chips.

    `formats` gives a column's format (`report.formats.text`; or "verdict" for True, False, "watch" and None) or a
    function that returns *text*; `headings` a column's title, which else is its name in words.
    """
    formats, headings = formats or {}, headings or {}
    right = {name: frame[name].dtype.kind in "iuf" for name in frame.columns}
    head = "".join(
        f"<th{_align(right[name])}>{escape(headings.get(name, _in_words(name)))}</th>" for name in frame.columns
    )
    columns = [_cells(frame[name], formats.get(name), _align(right[name])) for name in frame.columns]
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True))
    return Html(f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>')


def figure(svg: str, caption: str = "", wide: bool = False) -> Html:
    """A picture with its caption (text); a `wide` one scrolls sideways on a phone instead of shrinking."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Html(f'<figure class="chart{" wide" if wide else ""}"><div class="picture">{svg}</div>{below}</figure>')


def figures(*pictures: str) -> Html:
    """Pictures or figures side by side where the page is wide enough."""
    framed = (figure(picture) if picture.startswith("<svg") else picture for picture in pictures)
    return Html(f'<div class="figures">{"".join(framed)}</div>')


def render(template: str, **values: Any) -> str:
    """A template of this package, filled in; raises jinja2.UndefinedError where a value is missing."""
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _css() -> Markup:
    return Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))


def _cells(column: pd.Series, how: str | Callable[[Any], str] | None, align: str) -> list[str]:
    if how == "verdict" or (how is None and column.dtype.kind == "b"):
        return [f"<td>{chip(value)}</td>" for value in column]
    if callable(how):
        texts = [how(value) for value in column]
    else:
        usual = {"i": "number", "u": "number", "f": "decimal"}.get(column.dtype.kind, "text")
        texts = [formatting.text(value, how or usual) for value in column]
    return [f"<td{align}>{escape(text)}</td>" for text in texts]


def _align(right: bool) -> str:
    return ' class="number"' if right else ""


def _in_words(name: str) -> str:
    words = str(name).replace("_", " ")
    return words[:1].upper() + words[1:]
