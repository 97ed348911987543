"""Feeds from web sites: list pages and property pages, read slowly and as robots.txt allows."""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
import urllib.robotparser
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
from pydantic import Field, field_validator, model_validator

from homei.config.model import ConfigModel, Count
from homei.ingestion.connectors.http_client import TIMEOUT_SECONDS, USER_AGENT, FetchError, HttpClient
from homei.ingestion.connectors.text_rows import SourceError, expanded
from homei.ingestion.feeds import IncrementalFeed, Span

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

PAGE = "_page"  # the column that keeps a page's HTML for audits
PAGES_TO_JUDGE = 20  # a field that none of so many pages has is gone from the site's layout
PAGES_A_BATCH = 50


class Selector(ConfigModel):
    """A CSS selector for a text or an attribute; in YAML also a string, `.price` or `a.title@href`."""

    css: str
    attribute: str | None = None
    pattern: str | None = None  # a regular expression; its first group, or its whole match, is the value
    required: bool = False

    @model_validator(mode="before")
    @classmethod
    def _string_is_css(cls, value: Any) -> Any:
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
            raise ValueError(f"not a CSS selector: {str(error).partition(chr(10))[0]}") from error
        return value

    def value_in(self, node: Tag) -> str | None:
        """The first match's value with single spaces; None without a match."""
        if (match := node.select_one(self.css)) is None:
            return None
        text = " ".join(str(match.get(self.attribute) or "").split()) if self.attribute else match.get_text(" ", True)
        if self.pattern is None:
            return text or None
        part = re.search(self.pattern, text)
        return part and part[1 if part.groups() else 0]


class Scrape(IncrementalFeed):
    """A feed that is a web site: list pages of cards, each with a link to the page of one property."""

    kind: Literal["scrape"]
    key: list[str] = ["url"]
    url: str  # of the first list page
    item: str  # CSS of a card on a list page
    link: Selector = Selector(css="a", attribute="href")  # in a card
    stamp: Selector | None = None  # the part of a card that changes with the property's page; by default all its text
    next: Selector | None = None  # the link to the next list page
    fields: Annotated[dict[str, Selector], Field(min_length=1)]  # of a property's page
    delay: Annotated[float, Field(ge=0)] = 1.0  # seconds between two requests; robots.txt may ask for more
    user_agent: str = USER_AGENT
    list_limit: Count = 10_000  # ends a site whose list never stops

    def came_from(self) -> str:
        return self.url

    def present_keys(self, read: set[str], memory: Mapping[str, str]) -> set[str] | None:
        """The paths of all pages that the list links: `memory` has those of unchanged pages."""
        return {*memory, *read} if self.key == ["url"] else None

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """The fields of new and changed property pages, with `url` (its path on the site) and the page's HTML.

        Raises SourceError where a page can't be fetched, where robots.txt disallows the list, or where a selector
        finds nothing any more because the layout has changed.
        """
        label = f"feed {self.name}"
        list_url = httpx.URL(expanded(self.url, f"{label}: url"))
        headers = {"User-Agent": self.user_agent}
        with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True, headers=headers) as client:
            try:
                pages = self._property_pages(HttpClient(client, label, self.delay), list_url, span, memory)
                while batch := list(itertools.islice(pages, PAGES_A_BATCH)):
                    yield batch
            except FetchError as error:
                raise SourceError(str(error)) from error

    def _property_pages(
        self, client: HttpClient, list_url: httpx.URL, span: Span, memory: MutableMapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """`memory` holds the stamp of each page that was landed, so that an unchanged page is not read again."""
        robots = _robots_txt(client, list_url)
        client.delay_seconds = max(self.delay, float(robots.crawl_delay(self.user_agent) or 0))
        if not robots.can_fetch(self.user_agent, str(list_url)):
            raise SourceError(f"{client.label}: robots.txt does not allow {list_url}")
        paths, n_pages, n_values = set(), 0, Counter()
        for url, stamp in self._cards(client, list_url):
            path = _path_on_site(url, list_url)
            paths.add(path)
            if memory.get(path) == stamp:
                continue
            if not robots.can_fetch(self.user_agent, str(url)):
                print(f"homei: {client.label}: robots.txt does not allow {url}", file=sys.stderr)  # noqa: T201
                continue
            html = client.get(str(url)).text
            page = _parsed(html)
            values = {name: selector.value_in(page) for name, selector in self.fields.items()}
            n_pages += 1
            n_values.update(name for name, value in values.items() if value is not None)
            record = {"url": path, **values, PAGE: html}
            # A page that changed after the span is not landed now, so it must be read again later.
            if self.changed is None or (record.get(self.changed) or "")[:10] <= f"{span.until:%Y-%m-%d}":
                memory[path] = stamp
            yield record
        self._check_layout(n_values, n_pages)
        for path in set(memory) - paths:
            del memory[path]

    def _cards(self, client: HttpClient, list_url: httpx.URL) -> Iterator[tuple[httpx.URL, str]]:
        """The address of each card's property page and the card's stamp, a hash that changes with the page."""
        visited = set()
        for _ in range(self.list_limit):
            visited.add(list_url)
            page = _parsed(client.get(str(list_url)).text)
            cards = page.select(self.item)
            hint = "if the site's layout has changed, correct the selector"
            if not cards and len(visited) == 1:
                raise SourceError(f"{client.label}: {list_url} has no match for item = {self.item!r}: {hint}")
            links = [self.link.value_in(card) for card in cards]
            if cards and not any(links):
                raise SourceError(
                    f"{client.label}: no card of {list_url} has a match for link = {self.link.css!r}: {hint}"
                )
            for card, link in zip(cards, links, strict=True):
                if link:
                    text = self.stamp.value_in(card) if self.stamp else card.get_text(" ", True)
                    yield list_url.join(link), hashlib.sha256((text or "").encode()).hexdigest()[:16]
            next_link = self.next.value_in(page) if self.next else None
            if next_link is None or (list_url := list_url.join(next_link)) in visited:
                return

    def _check_layout(self, n_values: Counter[str], n_pages: int) -> None:
        for name, selector in self.fields.items():
            if n_pages and not n_values[name] and (selector.required or n_pages >= PAGES_TO_JUDGE):
                raise SourceError(
                    f"feed {self.name}: none of {n_pages} pages has a match for fields.{name} = {selector.css!r}: "
                    f"if the site's layout has changed, correct the selector"
                )


def _path_on_site(url: httpx.URL, list_url: httpx.URL) -> str:
    """A page's path, `/homes/17`, as the site's host may change; the whole address of a page elsewhere."""
    return url.raw_path.decode() if (url.host, url.port) == (list_url.host, list_url.port) else str(url)


def _robots_txt(client: HttpClient, url: httpx.URL) -> urllib.robotparser.RobotFileParser:
    """The rules of robots.txt (RFC 9309); no file allows all, no access to it nothing."""
    response = client.get(str(url.join("/robots.txt")), accept=(401, 403, 404, 410))
    rules = response.text if response.is_success else ""
    if response.status_code in (401, 403):
        rules = "User-agent: *\nDisallow: /"
    robots = urllib.robotparser.RobotFileParser()
    robots.parse(rules.splitlines())
    return robots


def _parsed(html: str) -> BeautifulSoup:
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "html.parser")
