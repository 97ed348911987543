"""Search and detail over HTTP, from SQLite and from PostgreSQL."""

import base64
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homei.serving.property_responses import PropertyDetail, PropertyPage
from homei.serving.search_params import SearchParams

SEARCH = "/api/v1/properties/search"
DETAIL = "/api/v1/properties/{}"


def refused(response, status=422):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return [problem["field"] for problem in response.json()["errors"]]


def ids(response):
    assert response.status_code == 200, response.text
    return [home["property_id"] for home in response.json()["properties"]]


def test_a_search_result_has_asking_price_and_valuation(reader):
    answer = reader.get(SEARCH, params={"location": "harbour", "price_min": 150_000, "limit": 1}).json()
    PropertyPage.model_validate(answer)
    (home,) = answer["properties"]
    assert (home["property_id"], home["price"], home["asking_price"]) == ("p003", 150_003.0, 150_003.0)
    interval = {"low": 90_000.0, "high": 120_000.0, "level": 0.9}
    worth = {"predicted_price": 100_003.0, "interval": interval, "confidence": 0.9, "flags": []}
    assert home["valuation"] == worth and "distance" not in home
    assert answer["total"] == {"count": 5, "exact": True}
    assert (answer["currency"], answer["model_version"], answer["as_of"]) == ("EUR", "m1", "2025-12-31")


def test_a_property_without_a_valuation_has_null(reader):
    (home,) = reader.get(SEARCH, params={"address": "20 mill"}).json()["properties"] or [None]
    assert home is None or home["valuation"] is None
    assert ids(reader.get(SEARCH, params={"address": "20 mill", "sort": "area"})) == ["p020"]


@pytest.mark.parametrize("sort", ["price", "-price", "area", "-area", "year", "-year"])
def test_cursors_lead_through_all_pages_and_back(reader, sort):
    whole = ids(reader.get(SEARCH, params={"sort": sort, "limit": 100}))
    page = reader.get(SEARCH, params={"sort": sort, "limit": 7}).json()
    assert page["previous"] is None and page["total"]["count"] == len(whole)
    seen, pages = [], [page]
    while page["next"]:
        page = reader.get(SEARCH, params={"sort": sort, "limit": 7, "cursor": page["next"]}).json()
        assert page["total"] == pages[0]["total"]
        pages.append(page)
    for found in pages:
        seen += [home["property_id"] for home in found["properties"]]
    assert seen == whole and "p029" not in whole
    for expected in pages[-2::-1]:
        page = reader.get(SEARCH, params={"sort": sort, "limit": 7, "cursor": page["previous"]}).json()
        assert page["properties"] == expected["properties"]
    assert page["previous"] is None


def test_a_circle_search_returns_distances_the_nearest_first(reader):
    circle = {"latitude": 45.0101, "longitude": -30.0, "radius": 300, "sort": "distance"}
    answer = reader.get(SEARCH, params=circle).json()
    assert [(home["property_id"], home["distance"]) for home in answer["properties"]] == [
        ("p010", 11.1), ("p011", 100.2), ("p009", 122.5), ("p012", 211.5), ("p008", 233.8),
    ]  # fmt: skip
    page = reader.get(SEARCH, params={**circle, "limit": 2}).json()
    assert ids(reader.get(SEARCH, params={**circle, "limit": 2, "cursor": page["next"]})) == ["p009", "p012"]


def test_a_box_holds_what_lies_within(reader):
    box = {"south": 45.0045, "north": 45.0075, "west": -30.1, "east": -29.9, "sort": "area"}
    assert ids(reader.get(SEARCH, params=box)) == ["p005", "p006", "p007"]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("price_min=2&price_max=1", "price_min", "should not be above price_max, 1"),
        ("area_min=2&area_max=1", "area_min", "above"),
        ("south=1&west=1&north=2&east=0", "west", "should not be above east, 0"),
        ("south=2&west=1&north=1&east=3", "south", "above"),
        ("south=2", "west", "required where south is given"),
        ("radius=5", "latitude", "required where radius is given"),
        ("latitude=45&longitude=-30", "radius", "required where latitude is given"),
        ("latitude=95&longitude=-30&radius=5", "latitude", "less than or equal to 90"),
        ("latitude=45&longitude=-30&radius=0", "radius", "greater than 0"),
        ("sort=distance", "radius", "required where sort is distance"),
        ("sort=bedrooms", "sort", "'price'"),
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=101", "limit", "less than or equal to 100"),
        ("limit=ten", "limit", "integer"),
        ("limit=1&limit=2", "limit", "should be given once"),
        ("price_min=nan", "price_min", "finite"),
        ("price_min=1e999", "price_min", "finite"),
        ("price_min=1e308", "price_min", "less than or equal"),
        ("price_min=", "price_min", "number"),
        ("year_min=99999999999999999999", "year_min", "less than or equal"),
        ("location=", "location", "at least 1"),
        ("location=%00", "location", "can't be printed"),
        ("location=a%0ab", "location", "can't be printed"),
        ("location=%ff", "query", "UTF-8"),
        ("address=%25%27--", "address", "words or numbers"),
        ("address=a+b+c+d+e+f+g+h+i+j+k", "address", "words or numbers"),
        ("pric_min=1", "pric_min", "did you mean price_min?"),
        ("colour=red", "colour", "there is no such parameter"),
        ("&".join(f"a{n}=1" for n in range(200)), "query", "at most 100"),
        ("cursor=nonsense", "cursor", "not a cursor of this service"),
        ("cursor=%F0%9F%8F%A0", "cursor", "not a cursor of this service"),
    ],
)
def test_what_is_wrong_with_a_search_is_named(reader, query, field, message):
    response = reader.get(f"{SEARCH}?{query}")
    assert field in refused(response)
    (problem,) = [problem for problem in response.json()["errors"] if problem["field"] == field]
    assert message in problem["message"]


def test_a_cursor_is_valid_for_its_own_search_and_data_only(reader):
    cursor = reader.get(SEARCH, params={"limit": 2}).json()["next"]
    assert refused(reader.get(SEARCH, params={"cursor": cursor, "location": "hill"})) == ["cursor"]
    assert refused(reader.get(SEARCH, params={"cursor": cursor, "sort": "-price"})) == ["cursor"]
    assert len(ids(reader.get(SEARCH, params={"cursor": cursor, "limit": 5}))) == 5
    *told, _ = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    old = base64.urlsafe_b64encode(json.dumps([*told, "another"]).encode()).decode()
    assert "has been replaced" in reader.get(SEARCH, params={"cursor": old}).json()["detail"]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, "x"), (0, None), (0, math.inf), (0, 10**400), (0, True), (0, -1e305), (1, 5), (1, "\0"), (1, "\ud800"),
        (2, 7), (3, -1), (3, 10**9), (3, 1.5), (4, None), (5, []),
    ],
)  # fmt: skip
def test_a_cursor_that_was_tampered_with_is_refused(reader, at, value):
    cursor = reader.get(SEARCH, params={"limit": 2}).json()["next"]
    told = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    told[at] = value
    for content in (told, told[:3], {"a": 1}, [told]):
        tampered = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
        assert refused(reader.get(SEARCH, params={"cursor": tampered})) == ["cursor"]


def test_a_property_has_valuation_history_and_comparables(reader):
    answer = reader.get(DETAIL.format("p001"))
    told = PropertyDetail.model_validate(answer.json())
    assert (told.valuation.predicted_price, told.valuation.flags) == (100_001.0, ["unusual_area"])
    assert [(event.event, str(event.happened_on)) for event in told.history] == [
        ("listing", "2022-05-01"), ("sale", "2021-05-01"),
    ]  # fmt: skip
    assert len(told.comparables) == 4 and told.comparables[0].adjusted_price == 201_000.5
    assert told.features == {"heating": "gas", "plot": 3.5}
    assert (told.currency, told.data_version) == ("EUR", "d1")
    unknown = PropertyDetail.model_validate(reader.get(DETAIL.format("p029")).json())
    assert (unknown.valuation, unknown.comparables, unknown.history) == (None, [], [])


@pytest.mark.parametrize("key", ["p999", "%00", "'%20OR%201=1--", "a/b", "%F0%9F%8F%A0", "%ff", "x" * 3000, ""])
def test_an_unpublished_property_is_not_found(reader, key):
    assert refused(reader.get(DETAIL.format(key)), 404) == ["property_id"]


@given(
    st.dictionaries(
        st.sampled_from([*SearchParams.model_fields]), st.text(max_size=30) | st.floats().map(str), max_size=5
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_makes_the_service_fail(reader, query):
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    assert reader.get(SEARCH, params=clean).status_code in (200, 422)
