"""Searches: the properties that a plain filter finds, in pages without gaps or repeats."""

import functools
import math
import string

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from homei.warehouse.connection import reading, writing
from homei.warehouse.merge import merge
from homei.warehouse.published_rows import arrow_schema, searchable_words
from homei.warehouse.search_sql import DISTANCE, ORDERINGS, CoordinateScale, PageStart, PropertySearch, SearchFilters
from homei.warehouse.search_terms import address_words, refresh_word_index
from homei.warehouse.shards import shard_of
from homei.warehouse.tables import STRIP_HEIGHT, property_analytics

SCALES = {"wgs84": CoordinateScale("wgs84", 78_715.0, 111_320.0), "plane": CoordinateScale("plane", 1.0, 1.0)}
PLANE = SCALES["plane"]
HOSTILE = [
    "' OR 1=1 --", "'; DROP TABLE property_analytics; --",
    '" OR ""="', "%", "_", "\\", "a' UNION SELECT secret", "mill*",
    "NEAR(mill lane)", "mill OR lane", "mill & !lane | (x", "address:mill", "mill <-> lane", "é😀", "🏠", "^mill",
    "-mill", "{mill}", "mill\nlane", "$1", "%s", ":words", "%(words)s", "?", "mill:*",
]  # fmt: skip
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

words = strategies.sampled_from(["mill", "millers", "lane", "12", "1", "high", "street", "été"])
optional = functools.partial(strategies.one_of, strategies.none())
names = strategies.sampled_from(["north", "south", "it's", "%"])
# Few values, so that several properties share one and a page can end between them.
numbers = strategies.integers(0, 4).map(float)
coordinates = {
    "wgs84": ([44.9949, 44.995, 45.0, 45.01], [-30.02, -30.0, -29.99]),
    "plane": ([-1.0, 0.0, 499.9, 500.0, 1200.0], [0.0, 250.0, 900.0]),
}


@strategies.composite
def towns(draw):
    """A coordinate scale and up to 25 properties."""
    system = draw(strategies.sampled_from([*SCALES]))
    latitudes, longitudes = map(strategies.sampled_from, coordinates[system])
    row = strategies.fixed_dictionaries(
        {
            "location": optional(names), "property_type": optional(strategies.sampled_from(["flat", "house"])),
            "price": optional(numbers), "square_meters": optional(numbers), "bedrooms": optional(numbers),
            "year_built": optional(strategies.integers(1990, 1993)),
            "place": optional(strategies.tuples(latitudes, longitudes)),
            "address": optional(strategies.lists(words, min_size=1, max_size=3).map(" ".join)),
        }
    )  # fmt: skip
    rows = draw(strategies.lists(row, max_size=25))
    return SCALES[system], [row | {"property_id": f"p{number:03d}"} for number, row in enumerate(rows)]


@strategies.composite
def searches(draw, scale):
    """A search with few conditions, so that its results fill several pages."""
    latitudes, longitudes = map(strategies.sampled_from, coordinates[scale.system])
    conditions = ["location", "property_type", "price", "area", "bedrooms", "year", "box", "circle", "address"]
    chosen = draw(strategies.lists(strategies.sampled_from(conditions), max_size=3))
    if_chosen = lambda name, values: draw(values) if name in chosen else None  # noqa: E731
    types = strategies.sampled_from(["flat", "house", "barn"])
    filters = {"location": if_chosen("location", names), "property_type": if_chosen("property_type", types)}
    for name in ("price", "area", "bedrooms", "year"):
        values = strategies.integers(1989, 1994) if name == "year" else numbers
        filters |= {f"{name}_{end}": if_chosen(name, optional(values)) for end in ("min", "max")}
    if box := if_chosen("box", strategies.tuples(latitudes, longitudes, latitudes, longitudes)):
        filters |= dict(zip(("south", "west", "north", "east"), box, strict=True))
    circle = strategies.tuples(latitudes, longitudes, strategies.sampled_from([1.0, 600.0, 2000.0]))
    if centre := if_chosen("circle", circle):
        filters |= dict(zip(("latitude", "longitude", "radius"), centre, strict=True))
    texts = strategies.lists(words | strategies.just("mi"), min_size=1, max_size=2).map(" ".join)
    filters["address"] = if_chosen("address", texts)
    orderings = [ordering for ordering in ORDERINGS if ordering != DISTANCE or centre]
    ordering, is_descending = draw(strategies.sampled_from(orderings)), draw(strategies.booleans())
    return PropertySearch(SearchFilters(**filters), scale, ordering, is_descending)


def publish(engine, scale, properties):
    """Makes the warehouse hold exactly these properties."""
    rows = []
    for row in properties:
        latitude, longitude = row["place"] or (None, None)
        strip = None if latitude is None else math.floor(latitude / STRIP_HEIGHT[scale.system])
        counts = {"market_sales": 0, "other_sales": 0, "listings_seen": 0, "is_listed": False, "features": "{}"}
        rows.append({**row, "latitude": latitude, "longitude": longitude, "strip": strip, **counts})
        rows[-1]["shard"] = shard_of(row.get("location"))
    schema = arrow_schema(property_analytics)
    table = pa.table({name: [row.get(name) for row in rows] for name in schema.names}, schema=schema)
    table = table.set_column(schema.get_field_index("words"), "words", searchable_words(table["address"]))
    with writing(engine) as connection:
        merge(connection, property_analytics, table.to_batches())
        refresh_word_index(connection)


def expected_ids(properties, search):
    """The ids that the search should list, from a filter over all properties."""
    values = [(order_value(row, search), row["property_id"]) for row in properties]
    matches = [(value, property_id) for value, property_id in values if value is not None]
    return [property_id for _, property_id in sorted(matches, reverse=search.is_descending)]


def order_value(row, search):
    """The property's value of the ordering; None if it does not match."""
    filters = search.filters
    columns = {"price": "price", "area": "square_meters", "bedrooms": "bedrooms", "year": "year_built"}
    for name in ("location", "property_type"):
        if getattr(filters, name) not in (None, row[name]):
            return None
    for name, column in columns.items():
        low, high, value = getattr(filters, f"{name}_min"), getattr(filters, f"{name}_max"), row[column]
        if low is not None and (value is None or value < low):
            return None
        if high is not None and (value is None or value > high):
            return None
    square_distance = None
    if filters.south is not None or filters.radius is not None:
        if row["place"] is None:
            return None
        latitude, longitude = row["place"]
    if filters.south is not None and not (filters.south <= latitude <= filters.north):
        return None
    if filters.south is not None and not (filters.west <= longitude <= filters.east):
        return None
    if filters.radius is not None:
        east = (longitude - filters.longitude) * search.scale.east
        north = (latitude - filters.latitude) * search.scale.north
        square_distance = east * east + north * north
        if square_distance > filters.radius**2:
            return None
    if filters.address is not None and not has_words(row["address"], filters.address):
        return None
    return square_distance if search.ordering == DISTANCE else row[columns[search.ordering]]


def has_words(address, text):
    *whole, last = address_words(text)
    present = address_words(address or "")
    return all(word in present for word in whole) and any(word.startswith(last) for word in present)


def ids(page):
    return [row["property_id"] for row in page.rows]


@given(strategies.data())
@EXAMPLES
def test_all_pages_together_equal_a_filter_over_all_properties(engine, data):
    scale, properties = data.draw(towns())
    publish(engine, scale, properties)
    limit = data.draw(strategies.integers(1, 7))
    for _ in range(4):
        search = data.draw(searches(scale))
        expected = expected_ids(properties, search)
        pages, start, n_matches = [], None, None
        with reading(engine) as connection:
            while not pages or pages[-1].has_next:
                pages.append(page := search.page(connection, limit, start, n_matches))
                assert page.has_previous == (start is not None)
                n_matches = page.n_matches
                start = page.rows and PageStart(page.rows[-1]["order_value"], page.rows[-1]["property_id"])
        assert [property_id for page in pages for property_id in ids(page)] == expected
        assert all(len(page.rows) == limit for page in pages[:-1])
        assert n_matches == len(expected)


@given(strategies.data())
@EXAMPLES
def test_previous_pages_list_the_same_properties_as_next_pages(engine, data):
    scale, properties = data.draw(towns())
    publish(engine, scale, properties)
    search, limit = data.draw(searches(scale)), data.draw(strategies.integers(1, 7))
    with reading(engine) as connection:
        *before, last = search.page(connection, 100).rows or [None]
        result, start = [], last and PageStart(last["order_value"], last["property_id"], True)
        while start:
            page = search.page(connection, limit, start)
            assert page.has_next
            result = ids(page) + result
            first = page.rows[0] if page.has_previous else None
            start = first and PageStart(first["order_value"], first["property_id"], True)
    assert result == [row["property_id"] for row in before]


def test_hostile_text_is_compared_as_text(engine):
    for text in HOSTILE:
        row = {"property_id": "p1", "address": "12 Mill Lane", "location": text, "price": 1.0, "place": None}
        publish(engine, PLANE, [row, {**row, "property_id": "p2", "location": "north"}])
        with reading(engine) as connection:
            assert ids(PropertySearch(SearchFilters(location=text), PLANE).page(connection, 10)) == ["p1"]
            assert ids(PropertySearch(SearchFilters(property_type=text), PLANE).page(connection, 10)) == []
            assert len(PropertySearch(SearchFilters(), PLANE).page(connection, 10, PageStart(0.0, text)).rows) == 2
            if address_words(text):
                page = PropertySearch(SearchFilters(address=text), PLANE).page(connection, 10)
                assert len(page.rows) == (2 if has_words("12 Mill Lane", text) else 0)


@given(strategies.text(max_size=40) | strategies.text(string.punctuation + "mil ", max_size=20))
@EXAMPLES
def test_any_text_can_be_searched_in_addresses(engine, text):
    if address_words(text):
        with reading(engine) as connection:
            PropertySearch(SearchFilters(address=text), PLANE).page(connection, 10)


def test_an_address_is_found_by_its_words_in_any_order_and_the_beginning_of_the_last(engine):
    addresses = {"p1": "12/3 Mill-Lane", "p2": "Été 12", "p3": None}
    rows = [
        {"property_id": property_id, "address": address, "price": 1.0, "place": None}
        for property_id, address in addresses.items()
    ]
    publish(engine, PLANE, rows)
    with reading(engine) as connection:
        cases = {"mill 3": ["p1"], "3 LANE mi": ["p1"], "ét": ["p2"], "1": ["p1", "p2"], "mil 3": []}
        for text, expected in cases.items():
            assert ids(PropertySearch(SearchFilters(address=text), PLANE).page(connection, 10)) == expected, text


@pytest.mark.parametrize("height", [1.0, 1e7])
def test_a_box_ends_at_its_sides_within_a_strip(engine, height):
    rows = [{"property_id": f"p{at}", "price": 1.0, "place": (at, 0.0), "address": None} for at in (-1.0, 0.0, 499.9)]
    publish(engine, PLANE, rows)
    box = SearchFilters(south=0.0, north=height, west=0.0, east=1.0)
    with reading(engine) as connection:
        assert ids(PropertySearch(box, PLANE).page(connection, 10)) == ["p0.0", *(["p499.9"] if height > 500 else [])]


def test_counting_stops_after_the_maximum(engine, monkeypatch):
    monkeypatch.setattr("homei.warehouse.search_sql.MAX_COUNTED", 3)
    publish(engine, PLANE, [{"property_id": f"p{n}", "price": 1.0, "place": None, "address": None} for n in range(9)])
    with reading(engine) as connection:
        assert PropertySearch(SearchFilters(), PLANE).page(connection, 2).n_matches == 4
        assert PropertySearch(SearchFilters(price_min=2.0), PLANE).page(connection, 2).n_matches == 0
