"""Feeds out of web sites: manners, increments, and layouts that change."""

import datetime

import pytest

from homei import lake
from homei.params import ParamsError
from homei.source import Span
from homei.sources.ingest import records as ingested
from homei.sources.landing import folder_of, land
from homei.sources.rows import SourceError
from homei.sources.web import USER_AGENT

COLUMNS = {"listing_id": "id", "listed_on": "listed", "property_type": "type", "location": "district", "price": "price"}
FIELDS = {
    "id": "article@data-id", "listed": "time@datetime", "type": ".type", "district": ".district",
    "price": {"css": ".price", "pattern": r"[0-9,]+"}, "updated": ".updated", "floor": ".floor",
}  # fmt: skip
ALL = Span(None, datetime.datetime(2024, 12, 31, 23, 59, tzinfo=datetime.UTC))


class Rival:
    """A competitor's site of homes, two cards a page."""

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
def rival(site):
    return Rival(site)


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
    return [record for batch in source.listings[0].records(span, memory) for record in batch]


def homes_asked(site):
    found = [path for path in site.paths() if path.startswith("/home/")]
    site.asked.clear()
    return found


def test_lists_are_followed_and_homes_are_read_with_their_pages(site, rival, town):
    found = read(town())
    assert [record["id"] for record in found] == ["R1", "R2", "R3", "R4", "R5"]
    assert found[0]["price"] == "100,000"
    assert found[0]["url"] == "/home/1"
    assert found[0]["floor"] is None
    assert found[0]["_page"] == rival.home(1)
    assert {headers["User-Agent"] for _, _, headers, _ in site.asked} == {USER_AGENT}


def test_pages_are_landed_for_audit_and_only_fields_are_mapped(rival, town):
    source = town(columns={**COLUMNS, "price": {"column": "price", "thousands": ","}})
    land(source, "listings", source.listings[0])
    landed = lake.read_arrow(folder_of(source, "listings", source.listings[0]) / "records.parquet").to_pylist()
    assert [record["_page"] for record in landed] == [rival.home(number) for number in range(1, 6)]
    raw = ingested(source, "listings")
    assert raw["listing_id"].to_pylist() == ["R1", "R2", "R3", "R4", "R5"]
    assert "_page" not in raw.column_names


def test_only_new_and_changed_homes_are_read_again(site, rival, town):
    memory = {}
    read(town(), memory=memory)
    assert len(homes_asked(site)) == 5
    rival.put(2, price=90)
    rival.put(6)
    assert [record["id"] for record in read(town(), memory=memory)] == ["R2", "R6"]
    assert homes_asked(site) == ["/home/2", "/home/6"]


def test_a_home_that_changed_after_as_of_is_read_again_on_its_day(site, rival, town):
    rival.put(2, price=90, updated="2024-06-02")
    source = town(changed="updated", as_of="2024-06-01")
    assert land(source, "listings", source.listings[0]).records == 4
    homes_asked(site)
    source = town(changed="updated", as_of="2024-06-02")
    assert land(source, "listings", source.listings[0]) == (5, 1, 0)
    assert homes_asked(site) == ["/home/2"]


def test_what_robots_txt_closes_is_left_alone_and_told(site, rival, town, capsys):
    site.answers["/robots.txt"] = "User-agent: *\nDisallow: /home/3\n"
    assert [record["id"] for record in read(town())] == ["R1", "R2", "R4", "R5"]
    assert "/home/3" not in site.paths()
    assert f"robots.txt does not allow {site.url}/home/3" in capsys.readouterr().err


@pytest.mark.parametrize("robots", ["User-agent: homei\nDisallow: /\n", (403, {}, "")])
def test_a_site_that_is_closed_is_not_read(site, rival, town, robots):
    site.answers["/robots.txt"] = robots
    with pytest.raises(SourceError, match=r"feed rival: robots\.txt does not allow http"):
        read(town())
    assert site.paths() == ["/robots.txt"]


@pytest.mark.parametrize(("asked", "expected"), [("Crawl-delay: 3", 3.0), ("", 0.5)])
def test_requests_keep_the_longer_of_both_delays(site, rival, town, waits, asked, expected):
    site.answers["/robots.txt"] = f"User-agent: *\n{asked}\n"
    read(town(delay=0.5))
    assert len(waits) == 9
    assert all(expected - 0.4 < wait <= expected for wait in waits[1:])


def test_a_list_without_cards_names_its_selector_and_its_address(site, rival, town):
    with pytest.raises(SourceError, match=rf"feed rival: {site.url}/homes has nothing that matches item = 'li\.tile'"):
        read(town(item="li.tile"))


def test_cards_without_links_name_the_selector(rival, town):
    with pytest.raises(SourceError, match=r"no card of .* has a link = 'a\.title'"):
        read(town(link="a.title@href"))


def test_a_required_field_that_is_on_no_page_names_its_selector(rival, town):
    fields = {**FIELDS, "price": {"css": ".amount", "required": True}}
    with pytest.raises(SourceError, match=r"none of 5 pages has fields\.price = '\.amount': have they changed\?"):
        read(town(fields=fields))


def test_a_field_that_is_on_none_of_many_pages_names_its_selector(rival, town):
    for number in range(6, 26):
        rival.put(number)
    for page in range(3, 13):
        rival.site.answers[f"/homes/page{page}"] = rival.page(page)
    with pytest.raises(SourceError, match=r"none of 25 pages has fields\.floor = '\.floor'"):
        read(town())


def test_a_changed_layout_leaves_what_was_landed(rival, town):
    source = town()
    land(source, "listings", source.listings[0])
    folder = folder_of(source, "listings", source.listings[0])
    before = lake.digest(folder)
    rival.site.answers["/homes"] = "<p>Under construction</p>"
    with pytest.raises(SourceError, match="has nothing that matches item"):
        land(source, "listings", source.listings[0])
    assert lake.digest(folder) == before


def test_lists_that_lead_back_to_themselves_end(site, rival, town):
    site.answers["/homes/page2"] = rival.page(2) + '<a rel="next" href="/homes">first</a>'
    assert len(read(town())) == 5


def test_a_site_that_fails_for_a_while_loses_nothing(site, rival, town, waits):
    site.answers["/home/3"] = [(500, {}, ""), (200, {"Content-Length": "9999"}, b"<art"), (200, {}, rival.home(3))]
    assert len(read(town())) == 5


def test_a_selector_that_is_no_css_is_named(town):
    with pytest.raises(ParamsError, match=r"listings\.fields\.id\.css = 'a\[': no CSS selector"):
        town(fields={"id": "a["})
