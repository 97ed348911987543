"""Feeds from web sites: politeness, incremental reading, and changed layouts."""

import datetime

import pytest

from homei.config.params import ParamsError
from homei.ingestion.connectors.http_client import USER_AGENT
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.feeds import Span
from homei.ingestion.ingest import records as ingested
from homei.ingestion.landing import folder_of, land
from homei.storage import lake

COLUMNS = {"listing_id": "id", "listed_on": "listed", "property_type": "type", "location": "district", "price": "price"}
FIELDS = {
    "id": "article@data-id", "listed": "time@datetime", "type": ".type", "district": ".district",
    "price": {"css": ".price", "pattern": r"[0-9,]+"}, "updated": ".updated", "floor": ".floor",
}  # fmt: skip
ALL = Span(None, datetime.datetime(2024, 12, 31, 23, 59, tzinfo=datetime.UTC))


class ListingSite:
    """A site that lists homes, two cards a page."""

    def __init__(self, site):
        self.site, self.homes = site, {}
        for number in range(1, 6):
            self.put(number)

    def put(self, number, price=100, updated="2024-05-01"):
        self.homes[number] = (price, updated)
        for page in range(3):
            self.site.answers["/homes" + (f"/page{page}" if page else "")] = self.page(page)
        self.site.answers[f"/home/{number}"] = self.home(number)

    def page(self, page):
        numbers = sorted(self.homes)[2 * page : 2 * page + 2]
        cards = "".join(
            f'<li class="card"><a href="/home/{number}">Home {number}</a> <i>{self.homes[number]}</i></li>'
            for number in numbers
        )
        more = f'<a rel="next" href="/homes/page{page + 1}">more</a>' if len(self.homes) > 2 * page + 2 else ""
        return f"<ul>{cards}</ul>{more}"

    def home(self, number):
        price, updated = self.homes[number]
        return (
            f'<article data-id="R{number}"><time datetime="2024-04-0{number}">April</time> <b class="type">flat</b>'
            f'<p class="district">East</p><p class="price">EUR {price},000.-</p>'
            f'<p class="updated">{updated}</p></article>'
        )


@pytest.fixture
def listing_site(site):
    return ListingSite(site)


@pytest.fixture
def town(site, source_of):
    def build(as_of="2024-12-31", **parts):
        feed = {
            "name": "rival", "kind": "scrape", "url": f"{site.url}/homes", "item": "li.card",
            "next": "a[rel=next]@href", "fields": FIELDS, "delay": 0, "columns": COLUMNS, **parts,
        }  # fmt: skip
        return source_of(listings=feed, as_of=as_of)

    return build


def read(source, span=ALL, memory=None):
    memory = {} if memory is None else memory
    return [record for batch in source.feeds.listings[0].records(span, memory) for record in batch]


def requested_pages(site):
    paths = [path for path in site.paths() if path.startswith("/home/")]
    site.requests.clear()
    return paths


def test_all_list_pages_and_property_pages_are_read(site, listing_site, town):
    records = read(town())
    assert [record["id"] for record in records] == ["R1", "R2", "R3", "R4", "R5"]
    assert records[0]["price"] == "100,000"
    assert records[0]["url"] == "/home/1"
    assert records[0]["floor"] is None
    assert records[0]["_page"] == listing_site.home(1)
    assert {headers["User-Agent"] for _, _, headers, _ in site.requests} == {USER_AGENT}


def test_html_is_landed_for_audits_but_not_mapped(listing_site, town):
    source = town(columns={**COLUMNS, "price": {"column": "price", "thousands": ","}})
    land(source.city, "listings", source.feeds.listings[0])
    landed = lake.read_arrow(
        folder_of(source.city, "listings", source.feeds.listings[0]) / "records.parquet"
    ).to_pylist()
    assert [record["_page"] for record in landed] == [listing_site.home(number) for number in range(1, 6)]
    raw = ingested(source, "listings")
    assert raw["listing_id"].to_pylist() == ["R1", "R2", "R3", "R4", "R5"]
    assert "_page" not in raw.column_names


def test_only_new_and_changed_pages_are_requested_again(site, listing_site, town):
    memory = {}
    read(town(), memory=memory)
    assert len(requested_pages(site)) == 5
    listing_site.put(2, price=90)
    listing_site.put(6)
    assert [record["id"] for record in read(town(), memory=memory)] == ["R2", "R6"]
    assert requested_pages(site) == ["/home/2", "/home/6"]


def test_a_page_that_changed_after_as_of_is_requested_again_on_that_day(site, listing_site, town):
    listing_site.put(2, price=90, updated="2024-06-02")
    source = town(changed="updated", as_of="2024-06-01")
    assert land(source.city, "listings", source.feeds.listings[0]).records == 4
    requested_pages(site)
    source = town(changed="updated", as_of="2024-06-02")
    assert land(source.city, "listings", source.feeds.listings[0]) == (5, 1, 0, 0)
    assert requested_pages(site) == ["/home/2"]


def test_a_listing_that_is_no_longer_linked_is_closed(site, listing_site, town):
    for as_of, deleted in (("2024-05-31", 0), ("2024-06-30", 1), ("2024-07-31", 0)):
        source = town(as_of=as_of)
        assert land(source.city, "listings", source.feeds.listings[0]).deleted == deleted
        listing_site.homes.pop(4, None)
        listing_site.put(1)
    assert ingested(source, "listings")["closed_on"].to_pylist() == [None, None, None, "2024-06-30", None]


def test_pages_disallowed_by_robots_txt_are_not_requested_and_reported(site, listing_site, town, capsys):
    site.answers["/robots.txt"] = "User-agent: *\nDisallow: /home/3\n"
    assert [record["id"] for record in read(town())] == ["R1", "R2", "R4", "R5"]
    assert "/home/3" not in site.paths()
    assert f"robots.txt does not allow {site.url}/home/3" in capsys.readouterr().err


@pytest.mark.parametrize("robots", ["User-agent: homei\nDisallow: /\n", (403, {}, "")])
def test_a_disallowed_site_is_not_read(site, listing_site, town, robots):
    site.answers["/robots.txt"] = robots
    with pytest.raises(SourceError, match=r"feed rival: robots\.txt does not allow http"):
        read(town())
    assert site.paths() == ["/robots.txt"]


@pytest.mark.parametrize(("rule", "expected"), [("Crawl-delay: 3", 3.0), ("", 0.5)])
def test_the_longer_of_declared_delay_and_crawl_delay_applies(site, listing_site, town, waits, rule, expected):
    site.answers["/robots.txt"] = f"User-agent: *\n{rule}\n"
    read(town(delay=0.5))
    assert len(waits) == 9
    assert all(expected - 0.4 < wait <= expected for wait in waits[1:])


def test_a_list_without_cards_is_an_error_that_names_selector_and_address(site, listing_site, town):
    with pytest.raises(SourceError, match=rf"feed rival: {site.url}/homes has no match for item = 'li\.tile'"):
        read(town(item="li.tile"))


def test_cards_without_links_are_an_error_that_names_the_selector(listing_site, town):
    with pytest.raises(SourceError, match=r"no card of .* has a match for link = 'a\.title'"):
        read(town(link="a.title@href"))


def test_a_required_field_on_no_page_is_an_error_that_names_the_selector(listing_site, town):
    fields = {**FIELDS, "price": {"css": ".amount", "required": True}}
    with pytest.raises(SourceError, match=r"none of 5 pages has a match for fields\.price = '\.amount'"):
        read(town(fields=fields))


def test_a_field_on_none_of_many_pages_is_an_error_that_names_the_selector(listing_site, town):
    for number in range(6, 26):
        listing_site.put(number)
    for page in range(3, 13):
        listing_site.site.answers[f"/homes/page{page}"] = listing_site.page(page)
    with pytest.raises(SourceError, match=r"none of 25 pages has a match for fields\.floor = '\.floor'"):
        read(town())


def test_a_changed_layout_leaves_the_landing_as_it_was(listing_site, town):
    source = town()
    land(source.city, "listings", source.feeds.listings[0])
    folder = folder_of(source.city, "listings", source.feeds.listings[0])
    before = lake.digest(folder)
    listing_site.site.answers["/homes"] = "<p>Under construction</p>"
    with pytest.raises(SourceError, match="has no match for item"):
        land(source.city, "listings", source.feeds.listings[0])
    assert lake.digest(folder) == before


def test_list_pages_that_link_back_are_read_once(site, listing_site, town):
    site.answers["/homes/page2"] = listing_site.page(2) + '<a rel="next" href="/homes">first</a>'
    assert len(read(town())) == 5


def test_temporary_failures_lose_no_pages(site, listing_site, town, waits):
    site.answers["/home/3"] = [
        (500, {}, ""),
        (200, {"Content-Length": "9999"}, b"<art"),
        (200, {}, listing_site.home(3)),
    ]
    assert len(read(town())) == 5


def test_an_invalid_selector_is_a_configuration_error(town):
    with pytest.raises(ParamsError, match=r"listings\.fields\.id\.css = 'a\[': not a CSS selector"):
        town(fields={"id": "a["})
