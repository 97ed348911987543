"""The running world: what answers over HTTP and in databases is what the stage wrote."""

import json
import os
import socket
import sqlite3
import struct
from pathlib import Path

import httpx
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from homei.demo.mock_servers import running_servers

NAMES = (
    "HOMEI_DEMO_URL", "HOMEI_DEMO_REGISTER", "HOMEI_DEMO_CRM", "HOMEI_DEMO_CLIENT_SECRET", "HOMEI_PSEUDONYM_KEY",
)  # fmt: skip


@pytest.fixture(scope="module")
def variables(world):
    with running_servers(world):
        yield {name: os.environ[name] for name in NAMES}


@pytest.fixture(scope="module")
def web(variables):
    with httpx.Client(base_url=variables["HOMEI_DEMO_URL"]) as client:
        yield client


@pytest.fixture(scope="module")
def token(web, variables):
    grant = {"grant_type": "client_credentials"}
    response = web.post("/oauth/token", data=grant, auth=("homei", variables["HOMEI_DEMO_CLIENT_SECRET"]))
    assert response.json()["token_type"] == "Bearer"
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


@pytest.fixture(scope="module")
def pages(web, token):
    """All pages of listings for a query, following the cursor."""

    def read_pages(**query):
        listed, cursor = [], {}
        while cursor is not None:
            page = web.get("/api/v1/listings", params=query | cursor, headers=token).raise_for_status().json()
            listed.append(page["listings"])
            cursor = {"cursor": page["next"]} if page["next"] else None
        return listed

    return read_pages


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def soup(response):
    return BeautifulSoup(response.raise_for_status().text, "html.parser")


def test_environment_variables_are_set_and_restored_afterwards(world, monkeypatch):
    monkeypatch.setenv("HOMEI_DEMO_URL", "http://before")
    monkeypatch.delenv("HOMEI_DEMO_CRM", raising=False)
    with running_servers(world):
        url, database = os.environ["HOMEI_DEMO_URL"], Path(os.environ["HOMEI_DEMO_CRM"])
        assert httpx.get(f"{url}/robots.txt").status_code == 200
        assert database.is_absolute()
        assert database.is_file()
    assert os.environ["HOMEI_DEMO_URL"] == "http://before"
    assert "HOMEI_DEMO_CRM" not in os.environ
    assert not database.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/robots.txt")


def test_missing_feeds_are_named_with_the_remedy(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"sales\.csv does not exist: run `homei simulate`"),
        running_servers(tmp_path),
    ):
        pass


def test_a_reset_connection_leaves_no_trace_in_the_output(world, capfd):
    with running_servers(world):
        port = int(os.environ["HOMEI_DEMO_URL"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(b"GET /rival/homes HTTP/1.1\r\nHost: demo\r\n")
            # Without lingering, closing resets the connection.
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert httpx.get(f"http://127.0.0.1:{port}/rival/homes").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_the_register_database_holds_the_lines_as_text(variables, world):
    expected = pd.read_csv(world / "sales.csv", dtype=str, keep_default_na=False)
    with sqlite3.connect(variables["HOMEI_DEMO_REGISTER"]) as database:
        deeds = pd.read_sql("SELECT * FROM deeds ORDER BY entry_no", database)
        kinds = {row[1]: row[2:3] + row[5:] for row in database.execute("PRAGMA table_info(deeds)")}
    assert kinds.pop("entry_no") == ("INTEGER", 1)
    assert set(kinds.values()) == {("TEXT", 0)}
    assert (deeds["price"] == "").any()
    pd.testing.assert_frame_equal(deeds.astype({"entry_no": str}), expected)


@pytest.mark.parametrize(("table", "key"), [("customers", "customer_id"), ("leads", "lead_id")])
def test_the_crm_database_holds_customers_and_leads(variables, world, table, key):
    expected = pd.read_csv(world / "crm" / f"{table}.csv", dtype=str, keep_default_na=False)
    with sqlite3.connect(variables["HOMEI_DEMO_CRM"]) as database:
        pd.testing.assert_frame_equal(pd.read_sql(f"SELECT * FROM {table} ORDER BY {key}", database), expected)


def test_the_secret_in_form_or_header_gives_a_token_and_nothing_else_does(web, variables):
    secret = variables["HOMEI_DEMO_CLIENT_SECRET"]
    grant = {"grant_type": "client_credentials", "client_id": "homei"}
    assert web.post("/oauth/token", data=grant | {"client_secret": secret}).status_code == 200
    wrong = web.post("/oauth/token", data=grant | {"client_secret": "guess"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert web.post("/oauth/token", data=grant, auth=("somebody", secret)).status_code == 401
    other = web.post("/oauth/token", data={"grant_type": "password"}, auth=("homei", secret))
    assert (other.status_code, other.json()) == (400, {"error": "unsupported_grant_type"})


def test_listings_need_a_token(web):
    for headers in ({}, {"Authorization": "Bearer guess"}):
        response = web.get("/api/v1/listings", headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("limit", [97, 500])
def test_pages_hold_each_listing_once_in_order_of_its_update(pages, world, limit):
    listed = pages(limit=limit)
    assert {len(page) for page in listed[:-1]} == {limit}
    expected = sorted(lines(world / "portal" / "listings.jsonl"), key=lambda one: (one["updated_at"], one["id"]))
    assert [one for page in listed for one in page] == expected


def test_a_period_includes_both_ends(pages, world):
    changes = sorted(one["updated_at"] for one in lines(world / "portal" / "listings.jsonl"))
    since, until = changes[100], changes[-100]
    listed = [one["updated_at"] for page in pages(updated_since=since, updated_until=until, limit=300) for one in page]
    assert listed == [change for change in changes if since <= change <= until]
    assert pages(updated_since="2026-01-01T00:00:00+00:00") == [[]]


def test_a_time_of_another_zone_is_the_same_moment(pages):
    assert pages(updated_since="2025-12-30T01:00:00+01:00") == pages(updated_since="2025-12-30T00:00:00Z")


@pytest.mark.parametrize(
    ("query", "status"),
    [({"limit": "501"}, 422), ({"limit": "many"}, 422), ({"updated_since": "yesterday"}, 422), ({"cursor": "%%"}, 400)],
)
def test_an_invalid_parameter_is_refused_by_its_name(web, token, query, status):
    response = web.get("/api/v1/listings", params=query, headers=token)
    assert response.status_code == status
    assert next(iter(query)) in response.text


@pytest.mark.parametrize("path", ["/indicators/cpi.csv", "/rival/homes", "/api/v1/listings?limit=10"])
def test_an_unchanged_response_is_not_sent_again(web, token, path):
    first = web.get(path, headers=token)
    again = web.get(path, headers=token | {"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert web.get(path, headers=token | {"If-None-Match": '"other"'}).content == first.content


@pytest.mark.parametrize("name", ["interest_rate", "cpi", "population"])
def test_indicators_are_served_as_they_were_written(web, world, name):
    assert web.get(f"/indicators/{name}.csv").content == (world / "indicators" / f"{name}.csv").read_bytes()


def test_robots_txt_allows_properties_and_nothing_private(web):
    rules = web.get("/robots.txt").text.splitlines()
    assert "Allow: /rival/homes" in rules
    assert "Disallow: /rival/private" in rules
    assert web.get("/rival/private/agents").status_code == 403


def test_the_rivals_pages_link_each_property_once_with_its_update(web, world):
    cards, path = [], "/rival/homes"
    while path:
        page = soup(web.get(path))
        cards += page.select("ul.cards > li.card")
        following = page.select_one('nav.pages a[rel="next"]')
        path = following["href"] if following else None
    properties = {record["listing_id"]: record for record in lines(world / "rival" / "homes.jsonl")}
    expected = {card.select_one("a.title")["href"].rpartition("/")[2]: card for card in cards}
    assert len(cards) == len(expected) == len(properties) > 40
    for number, record in properties.items():
        assert expected[number].select_one("time.updated")["datetime"] == record["updated_at"]
        assert expected[number].select_one(".price .amount").text == f"{record['price']:,}"


def test_a_property_page_shows_its_attributes_without_missing_ones(web, world):
    for record in lines(world / "rival" / "homes.jsonl")[:30]:
        page = soup(web.get(f"/rival/homes/{record['listing_id']}")).select_one("article.home")
        assert page.select_one(".address").text == record["address"]
        assert page.select_one(".district").text == record["location"]
        assert page.select_one(".amount").text == f"{record['price']:,}"
        assert page.select_one(".area").text == str(record["square_meters"])
        assert page.select_one("time.listed")["datetime"] == record["listed_on"]
        assert float(page.select_one(".map")["data-lat"]) == record["latitude"]
        for name, field in (("bedrooms", "bedrooms"), ("floor", "floor"), ("built", "year_built")):
            shown = page.select_one(f".{name}")
            assert (shown and shown.text) == (None if record[field] is None else str(record[field]))


@pytest.mark.parametrize("path", ["/nowhere", "/rival/homes?page=99", "/rival/homes/1", "/indicators/gold.csv"])
def test_an_unknown_path_is_not_found(web, path):
    assert web.get(path).status_code == 404
