"""The web site of the portal's rival: pages of cards, one page per property, and robots.txt."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

CARDS_PER_PAGE = 40
PATH = "/rival/homes"
ROBOTS = """User-agent: *
Allow: /rival/homes
Disallow: /rival/private
Crawl-delay: 0
"""
# Python's names of months depend on the locale.
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
# Facts on a property's page: label, CSS class, field of the record and unit.
FACTS = (
    ("Type", "type", "property_type", ""),
    ("Living area", "area", "square_meters", "m²"),
    ("Bedrooms", "bedrooms", "bedrooms", ""),
    ("Bathrooms", "bathrooms", "bathrooms", ""),
    ("Floor", "floor", "floor", ""),
    ("Built in", "built", "year_built", ""),
)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
</head>
<body>
<header><a href="/rival/homes">Hearth &amp; Gable</a></header>
<main>
{main}
</main>
<footer><a href="/rival/private/agents">For agents</a></footer>
</body>
</html>
"""


def list_page(homes: Sequence[Mapping[str, Any]], page: int) -> str | None:
    """Page `page` (from 1) of the cards, in the order of `homes`; None beyond the last one."""
    pages = max(1, -(-len(homes) // CARDS_PER_PAGE))
    if not 1 <= page <= pages:
        return None
    cards = "\n".join(_card(home) for home in homes[(page - 1) * CARDS_PER_PAGE : page * CARDS_PER_PAGE])
    neighbours = [(page - 1, "prev", "Previous")] if page > 1 else []
    neighbours += [(page + 1, "next", "Next")] if page < pages else []
    links = " ".join(f'<a rel="{rel}" href="{PATH}?page={number}">{label}</a>' for number, rel, label in neighbours)
    main = f'<h1>{len(homes)} homes for sale</h1>\n<ul class="cards">\n{cards}\n</ul>\n<nav class="pages">{links}</nav>'
    return PAGE.format(title=f"Homes for sale, page {page} of {pages}", main=main)


def property_page(home: Mapping[str, Any]) -> str:
    """The page of one property, without missing attributes."""
    facts = "\n".join(
        f"<dt>{label}</dt><dd>{_text(name, home[field])}{unit and f' {unit}'}</dd>"
        for label, name, field, unit in FACTS
        if home[field] is not None
    )
    main = f"""<article class="home" data-id="{home["listing_id"]}">
<h1>{_headline(home)}</h1>
<p class="place">{_text("address", home["address"])}, {_text("district", home["location"])}</p>
{_price(home)}
<dl class="facts">
{facts}
</dl>
<div class="map" data-lat="{home["latitude"]}" data-lon="{home["longitude"]}"></div>
<p>On sale since {_time("listed", home["listed_on"])}, changed {_time("updated", home["updated_at"])}</p>
</article>"""
    return PAGE.format(title=_headline(home), main=main)


def _card(home: Mapping[str, Any]) -> str:
    link = f'<a class="title" href="{PATH}/{home["listing_id"]}">{_headline(home)}</a>'
    changed = _time("updated", home["updated_at"])
    return f'<li class="card" data-id="{home["listing_id"]}">{link} {_price(home)} {changed}</li>'


def _headline(home: Mapping[str, Any]) -> str:
    return escape(f"{home['property_type'].capitalize()} in {home['location']}")


def _price(home: Mapping[str, Any]) -> str:
    amount = format(home["price"], ",")
    return f'<p class="price">{_text("currency", "EUR")} {_text("amount", amount)}</p>'


def _text(name: str, value: Any) -> str:
    return f'<span class="{name}">{escape(str(value))}</span>'


def _time(name: str, moment: str) -> str:
    day = datetime.date.fromisoformat(moment[:10])
    return f'<time class="{name}" datetime="{moment}">{day.day} {MONTHS[day.month - 1]} {day.year}</time>'
