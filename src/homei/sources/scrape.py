"""Feeds out of web sites: from list pages to the pages of single homes, as slowly and as far as the site allows."""

from __future__ import annotations

import hashlib
import re
import sys
import urllib.robotparser
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
from pydantic import Field, field_validator, model_validator

from homei.section import Count, Section
from homei.source import LivingFeed, Span
from homei.sources.environment import expanded
from homei.sources.rows import SourceError
from homei.sources.web import TIMEOUT, USER_AGENT, FetchError, Web

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

PAGE = "_page"  # the page itself, as it came, for audit
ENOUGH = 20  # pages of which none has a field: the site's layout has changed
BATCH = 50  # pages handed on at a time


class Selector(Section):
    """What to take of a page: CSS, and an attribute in place of the text; in YAML `.price` or `a.title@href`."""

    css: str
    attribute: str | None = None
    pattern: str | None = None  # of what is found, only this: its first group, if it has one
    required: bool = False

    @model_validator(mode="before")
    @classmethod
    def _bare_string_is_css(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        css, _, attribute = value.partition("@")
        return {"css": css.strip(), "attribute": attribute.strip() or None}

    @field_validator("css")
    @classmethod
    def _is_css(cls, value: str) -> str:
        import soupsieve

        try:
            soupsieve.compile(value)
        except soupsieve.SelectorSyntaxError as error:
            raise ValueError(f"no CSS selector: {str(error).partition(chr(10))[0]}") from error
        return value

    def of(self, node: Tag) -> str | None:
        """What the selector finds first, without blanks around it; null where it finds nothing."""
        if (found := node.select_one(self.css)) is None:
            return None
        told = " ".join(str(found.get(self.attribute) or "").split()) if self.attribute else found.get_text(" ", True)
        if self.pattern and (match := re.search(self.pattern, told)):
            return match[1] if match.groups() else match[0]
        return None if self.pattern else told or None


class Scrape(LivingFeed):
    """A feed that is a site's pages: lists of cards, each with a link to the page of one home."""

    kind: Literal["scrape"]
    key: list[str] = ["url"]
    url: str  # of the first list page
    item: str  # a card of a list page
    link: Selector = Selector(css="a", attribute="href")  # in a card
    stamp: Selector | None = None  # in a card: what tells that its home has changed; by default all of its text
    next: Selector | None = None  # the link to the next list page
    fields: Annotated[dict[str, Selector], Field(min_length=1)]  # on the page of a home
    delay: Annotated[float, Field(ge=0)] = 1.0  # seconds between two requests, unless robots.txt asks for more
    user_agent: str = USER_AGENT
    list_limit: Count = 10_000  # a stop for lists that never end

    def came_from(self) -> str:
        return self.url

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """What is on the pages of homes whose cards are new or have changed, with `url` (in the site) and the page.

        Raises SourceError where a page can't be had, where robots.txt closes the list, or where the layout has changed
        so that a selector finds nothing any more.
        """
        first = httpx.URL(expanded(self.url, f"feed {self.name}: url"))
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers={"User-Agent": self.user_agent}) as client:
            try:
                yield from self._crawl(Web(client, delay=self.delay), first, span, memory)
            except FetchError as error:
                raise SourceError(str(error)) from error

    def _crawl(
        self, web: Web, first: httpx.URL, span: Span, memory: MutableMapping[str, str]
    ) -> Iterator[list[dict[str, Any]]]:
        robots = _robots(web, first, f"feed {self.name}")
        web.delay = max(self.delay, float(robots.crawl_delay(self.user_agent) or 0))
        if not robots.can_fetch(self.user_agent, str(first)):
            raise SourceError(f"feed {self.name}: robots.txt does not allow {first}")
        cards, batch, read, found = {}, [], 0, dict.fromkeys(self.fields, 0)
        for url, stamp in self._cards(web, first):
            place = _place(url, first)
            cards[place] = stamp
            if memory.get(place) == stamp:
                continue
            if not robots.can_fetch(self.user_agent, str(url)):
                print(f"homei: feed {self.name}: robots.txt does not allow {url}", file=sys.stderr)  # noqa: T201
                continue
            page = web.read(str(url), f"feed {self.name}").text
            record = {"url": place, **self._fields_of(page), PAGE: page}
            read += 1
            for name in self.fields:
                found[name] += record[name] is not None
            if self._is_known_by(record, span):
                memory[place] = stamp
            batch.append(record)
            if len(batch) == BATCH:
                yield batch
                batch = []
        self._check_layout(found, read)
        yield batch
        for place in set(memory) - set(cards):
            del memory[place]

    def _cards(self, web: Web, url: httpx.URL) -> Iterator[tuple[httpx.URL, str]]:
        """The address and the stamp of each card, list page by list page."""
        seen = set()
        for _ in range(self.list_limit):
            seen.add(url)
            page = _soup(web.read(str(url), f"feed {self.name}").text)
            cards = page.select(self.item)
            if not cards and len(seen) == 1:
                raise SourceError(
                    f"feed {self.name}: {url} has nothing that matches item = {self.item!r}: has it changed?"
                )
            links = [self.link.of(card) for card in cards]
            if cards and not any(links):
                raise SourceError(f"feed {self.name}: no card of {url} has a link = {self.link.css!r}: has it changed?")
            for card, link in zip(cards, links, strict=True):
                if link:
                    yield url.join(link), self._stamp_of(card)
            following = self.next.of(page) if self.next else None
            if following is None or (url := url.join(following)) in seen:
                return

    def _stamp_of(self, card: Tag) -> str:
        told = self.stamp.of(card) if self.stamp else card.get_text(" ", True)
        return hashlib.sha256((told or "").encode()).hexdigest()[:16]

    def _fields_of(self, page: str) -> dict[str, str | None]:
        node = _soup(page)
        return {name: selector.of(node) for name, selector in self.fields.items()}

    def _is_known_by(self, record: dict[str, Any], span: Span) -> bool:
        """Whether the record is landed now: one that changed later must be read again then."""
        return self.changed is None or (record.get(self.changed) or "")[:10] <= f"{span.until:%Y-%m-%d}"

    def _check_layout(self, found: dict[str, int], read: int) -> None:
        for name, times in found.items():
            if read and not times and (self.fields[name].required or read >= ENOUGH):
                css = self.fields[name].css
                raise SourceError(
                    f"feed {self.name}: none of {read} pages has fields.{name} = {css!r}: have they changed?"
                )


def _place(url: httpx.URL, first: httpx.URL) -> str:
    """A page's address, without the site's own, which may move: `/homes/17`."""
    return url.raw_path.decode() if (url.host, url.port) == (first.host, first.port) else str(url)


def _robots(web: Web, url: httpx.URL, what: str) -> urllib.robotparser.RobotFileParser:
    """What the site allows (RFC 9309): everything without a robots.txt, nothing where it is refused."""
    robots, address = urllib.robotparser.RobotFileParser(), str(url.join("/robots.txt"))
    response = web.read(address, what, also=(401, 403, 404, 410))
    closed = "User-agent: *\nDisallow: /"
    told = response.text if response.is_success else closed if response.status_code in (401, 403) else ""
    robots.parse(told.splitlines())
    return robots


def _soup(page: str) -> BeautifulSoup:
    from bs4 import BeautifulSoup

    return BeautifulSoup(page, "html.parser")
