"""A search finds what a plain look at every home finds, in pages without gaps or doubles, on both databases."""

import functools
import math
import string

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from homei.warehouse.connection import reading, writing
from homei.warehouse.contents import counted, kinds, schema_of, searched
from homei.warehouse.costs import Costs
from homei.warehouse.filters import DISTANCE, ORDERS, Filters, Place, Start
from homei.warehouse.merge import merge
from homei.warehouse.schema import migrate
from homei.warehouse.search import find
from homei.warehouse.tables import STRIPS, property_analytics, property_kinds
from homei.warehouse.ways import INDEXES
from homei.warehouse.words import index_words, terms

PLACES = {"wgs84": Place("wgs84", 78_715.0, 111_320.0), "plane": Place("plane", 1.0, 1.0)}
HOSTILE = [
    "' OR 1=1 --", "'; DROP TABLE property_analytics; --",
    '" OR ""="', "%", "_", "\\", "a' UNION SELECT secret", "mill*",
    "NEAR(mill lane)", "mill OR lane", "mill & !lane | (x", "address:mill", "mill <-> lane", "é😀", "🏠", "^mill",
    "-mill", "{mill}", "mill\nlane", "$1", "%s", ":sought", "%(sought)s", "?", "mill:*",
]  # fmt: skip

words = strategies.sampled_from(["mill", "millers", "lane", "12", "1", "high", "street", "été"])
some = functools.partial(strategies.one_of, strategies.none())
names = strategies.sampled_from(["north", "south", "it's", "%"])
# Few values, so that many homes share one and a page can end between them.
numbers = strategies.integers(0, 4).map(float)
places = {
    "wgs84": ([44.9949, 44.995, 45.0, 45.01], [-30.02, -30.0, -29.99]),
    "plane": ([-1.0, 0.0, 499.9, 500.0, 1200.0], [0.0, 250.0, 900.0]),
}


@strategies.composite
def towns(draw):
    system = draw(strategies.sampled_from([*PLACES]))
    latitudes, longitudes = map(strategies.sampled_from, places[system])
    home = strategies.fixed_dictionaries(
        {
            "location": some(names), "property_type": some(strategies.sampled_from(["flat", "house"])),
            "price": some(numbers), "square_meters": some(numbers), "bedrooms": some(numbers),
            "year_built": some(strategies.integers(1990, 1993)),
            "place": some(strategies.tuples(latitudes, longitudes)),
            "address": some(strategies.lists(words, min_size=1, max_size=3).map(" ".join)),
        }
    )  # fmt: skip
    homes = draw(strategies.lists(home, max_size=25))
    return PLACES[system], [row | {"property_id": f"p{number:03d}"} for number, row in enumerate(homes)]


@strategies.composite
def questions(draw, place):
    """Filters with an order; few conditions at once, so that homes are left for several pages."""
    latitudes, longitudes = map(strategies.sampled_from, places[place.system])
    kinds_ = ["location", "property_type", "price", "area", "bedrooms", "year", "box", "circle", "address"]
    chosen = draw(strategies.lists(strategies.sampled_from(kinds_), max_size=3))
    if_chosen = lambda name, values: draw(values) if name in chosen else None  # noqa: E731
    types = strategies.sampled_from(["flat", "house", "barn"])
    told = {"location": if_chosen("location", names), "property_type": if_chosen("property_type", types)}
    for name in ("price", "area", "bedrooms", "year"):
        values = strategies.integers(1989, 1994) if name == "year" else numbers
        told |= {f"{name}_{end}": if_chosen(name, some(values)) for end in ("min", "max")}
    if box := if_chosen("box", strategies.tuples(latitudes, longitudes, latitudes, longitudes)):
        told |= dict(zip(("south", "west", "north", "east"), box, strict=True))
    circle = strategies.tuples(latitudes, longitudes, strategies.sampled_from([1.0, 600.0, 2000.0]))
    if centre := if_chosen("circle", circle):
        told |= dict(zip(("latitude", "longitude", "radius"), centre, strict=True))
    sought = strategies.lists(words | strategies.just("mi"), min_size=1, max_size=2).map(" ".join)
    text = if_chosen("address", sought)
    orders = [*ORDERS, *([DISTANCE] if centre else [])]
    return Filters(**told, address=text), draw(strategies.sampled_from(orders)), draw(strategies.booleans())


def published(engine, place, homes):
    """Makes the warehouse hold these homes and no others."""
    rows = []
    for home in homes:
        latitude, longitude = home["place"] or (None, None)
        strip = None if latitude is None else math.floor(latitude / STRIPS[place.system])
        at = {"latitude": latitude, "longitude": longitude, "strip": strip}
        counts = {"market_sales": 0, "other_sales": 0, "listings_seen": 0, "is_listed": False, "features": "{}"}
        rows.append({**home, **at, **counts})
    schema = schema_of(property_analytics)
    table = pa.table({name: [row.get(name) for row in rows] for name in schema.names}, schema=schema)
    for name, told in (
        ("kind", kinds(table["property_type"], table["bedrooms"])),
        ("words", searched(table["address"])),
    ):
        table = table.set_column(schema.get_field_index(name), name, told)
    with writing(engine) as connection:
        merge(connection, property_analytics, table)
        index_words(connection)
        merge(connection, property_kinds, counted(table))


def expected(place, homes, filters, order, descending):
    """The ids that the question asks for, found by a look at every home."""
    kept = [
        (value, home["property_id"]) for home in homes if (value := matched(place, home, filters, order)) is not None
    ]
    return [key for _, key in sorted(kept, reverse=descending)]


def matched(place, home, filters, order):
    """The home's value of the order, if it matches."""
    own = {"area": home["square_meters"], "year": home["year_built"]}
    value = lambda name: own[name] if name in own else home[name]  # noqa: E731
    for name in ("location", "property_type"):
        if getattr(filters, name) not in (None, home[name]):
            return None
    for name in ("price", "area", "bedrooms", "year"):
        low, high = getattr(filters, f"{name}_min"), getattr(filters, f"{name}_max")
        if low is not None and not (value(name) is not None and value(name) >= low):
            return None
        if high is not None and not (value(name) is not None and value(name) <= high):
            return None
    away = None
    if filters.south is not None:
        if home["place"] is None or not (filters.south <= home["place"][0] <= filters.north):
            return None
        if not filters.west <= home["place"][1] <= filters.east:
            return None
    if filters.radius is not None:
        if home["place"] is None:
            return None
        east = (home["place"][1] - filters.longitude) * place.east
        north = (home["place"][0] - filters.latitude) * place.north
        away = east * east + north * north
        if away > filters.radius**2:
            return None
    if filters.address is not None:
        *whole, last = terms(filters.address)
        there = terms(home["address"] or "")
        if not all(word in there for word in whole) or not any(word.startswith(last) for word in there):
            return None
    return away if order == DISTANCE else value(order)


@pytest.fixture
def warehouse(engine):
    migrate(engine)
    return engine


def pages(connection, question, place, limit, counted=None):
    """All pages from the first to the last."""
    found, start = [], None
    while True:
        page = find(connection, *at(question, place), limit, start, counted)
        counted = page.counted
        found.append([home["property_id"] for home in page.homes])
        assert page.has_previous == (start is not None)
        if not page.has_next:
            return found
        start = Start(page.homes[-1]["order_value"], page.homes[-1]["property_id"])


def at(question, place):
    filters, order, descending = question
    return filters, place, order, descending


@given(strategies.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_put_together_are_what_a_look_at_every_home_finds(warehouse, data):
    place, homes = data.draw(towns())
    published(warehouse, place, homes)
    limit = data.draw(strategies.integers(1, 7))
    for _ in range(4):
        question = data.draw(questions(place))
        ids = expected(place, homes, *question)
        with reading(warehouse) as connection:
            found = pages(connection, question, place, limit)
            assert [key for page in found for key in page] == ids
            assert all(len(page) == limit for page in found[:-1])
            assert find(connection, *at(question, place), limit, None).counted == len(ids)


@given(strategies.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whichever_way_homes_are_looked_for_they_are_the_same(warehouse, data):
    place, homes = data.draw(towns())
    published(warehouse, place, homes)
    for _ in range(4):
        question, limit = data.draw(questions(place)), data.draw(strategies.integers(1, 7))
        costs = dict(zip([*INDEXES, "words", "walk"], data.draw(strategies.permutations(range(7))), strict=True))
        with reading(warehouse) as connection, pytest.MonkeyPatch.context() as patch:
            walk = math.inf if question[1] == DISTANCE else costs["walk"]
            patch.setattr(Costs, "looking", lambda _, way: costs[way])  # noqa: B023
            patch.setattr(Costs, "walking", lambda *_: walk)  # noqa: B023
            found = pages(connection, question, place, limit, data.draw(strategies.sampled_from([None, 1_001])))
        assert [key for page in found for key in page] == expected(place, homes, *question)


@given(strategies.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_going_back_shows_the_same_homes_as_going_on(warehouse, data):
    place, homes = data.draw(towns())
    published(warehouse, place, homes)
    question, limit = data.draw(questions(place)), data.draw(strategies.integers(1, 7))
    with reading(warehouse) as connection:
        *before, last = find(connection, *at(question, place), 100, None).homes or [None]
        back, start = [], last and Start(last["order_value"], last["property_id"], True)
        while start:
            page = find(connection, *at(question, place), limit, start)
            assert page.has_next
            back = [home["property_id"] for home in page.homes] + back
            first = page.homes[0] if page.has_previous else None
            start = first and Start(first["order_value"], first["property_id"], True)
        assert back == [home["property_id"] for home in before]


def test_no_text_is_taken_for_anything_but_text(warehouse):
    place = PLACES["plane"]
    for text in HOSTILE:
        home = {"property_id": "p1", "address": "12 Mill Lane", "location": text, "price": 1.0, "place": None}
        published(warehouse, place, [home, {**home, "property_id": "p2", "location": "north"}])
        with reading(warehouse) as connection:
            for name in ("location", "property_type"):
                page = find(connection, Filters(**{name: text}), place, "price", False, 10, None)
                assert [home["property_id"] for home in page.homes] == (["p1"] if name == "location" else [])
            assert len(find(connection, Filters(), place, "price", False, 10, Start(0.0, text)).homes) == 2
            if terms(text):
                page = find(connection, Filters(address=text), place, "price", False, 10, None)
                assert len(page.homes) == (2 if is_of_the_address(text) else 0)


def is_of_the_address(text):
    *whole, last = terms(text)
    there = ("12", "mill", "lane")
    return all(word in there for word in whole) and any(word.startswith(last) for word in there)


@given(strategies.text(max_size=40) | strategies.text(string.punctuation + "mil ", max_size=20))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_may_be_looked_for_in_addresses(warehouse, text):
    if terms(text):
        with reading(warehouse) as connection:
            find(connection, Filters(address=text), PLACES["plane"], "price", False, 10, None)


@given(strategies.lists(strategies.none() | strategies.text(string.printable + "éßİⅫ²一", max_size=12)))
def test_words_of_addresses_are_parted_as_those_of_a_search(addresses):
    said = [None if address is None else " ".join(terms(address)) for address in addresses]
    found = searched(pa.chunked_array([pa.array(addresses, pa.string())]))
    assert found.to_pylist() == [f" {words} " if words else None for words in said]


def test_a_box_keeps_to_its_sides_within_a_strip(warehouse):
    place, latitudes = PLACES["plane"], [-1.0, 0.0, 499.9, 1200.0]
    homes = [{"property_id": f"p{at}", "price": 1.0, "place": (at, 0.0), "address": None} for at in latitudes]
    published(warehouse, place, homes)
    box = Filters(south=0.0, north=0.0, west=0.0, east=1.0)
    with reading(warehouse) as connection:
        page = find(connection, box, place, "price", False, 10, None)
    assert [home["property_id"] for home in page.homes] == ["p0.0"]


def test_more_homes_than_are_counted_are_told_as_more(warehouse, monkeypatch):
    monkeypatch.setattr("homei.warehouse.search.MOST_COUNTED", 3)
    homes = [{"property_id": f"p{n}", "price": 1.0, "place": None, "address": None} for n in range(9)]
    published(warehouse, PLACES["plane"], homes)
    with reading(warehouse) as connection:
        for filters, counted in ((Filters(), 4), (Filters(price_min=2.0), 0)):
            assert find(connection, filters, PLACES["plane"], "price", False, 2, None).counted == counted
