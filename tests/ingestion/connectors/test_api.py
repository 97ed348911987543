"""Feeds from REST APIs, against a local HTTP server that can fail."""

import datetime
import email.utils
import time

import pytest

from homei.config.params import ParamsError
from homei.ingestion.connectors.http_client import ATTEMPTS
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.feeds import Span
from homei.ingestion.ingest import records
from homei.ingestion.landing import land, landed_records

COLUMNS = {"listing_id": "id", "listed_on": "on", "property_type": "type", "location": "place.district"}
END = datetime.datetime(2024, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
ALL = Span(None, END)
HOMES = [{"id": number, "on": "2024-01-01", "type": "flat", "place": {"district": "East"}} for number in range(1, 8)]


@pytest.fixture
def api_of(site, source_of):
    """Builds an API feed at /homes of the site."""

    def build(**parts):
        declared = {"kind": "api", "url": f"{site.url}/homes", "key": "id", "columns": COLUMNS, **parts}
        return source_of(listings=declared).feeds.listings[0]

    return build


def ids(feed, span=ALL, memory=None):
    return [record["id"] for page in feed.records(span, {} if memory is None else memory) for record in page]


def paged(slice_for):
    """An answer with the part of HOMES that `slice_for` returns for the query parameters."""

    def answer(path, query, headers, body):
        return HOMES[slice_for(dict(part.split("=") for part in query.split("&") if part))]

    return answer


def test_one_answer_may_hold_all_records(site, api_of):
    site.answers["/homes"] = {"data": {"homes": HOMES}}
    assert ids(api_of(records_at="data.homes")) == [1, 2, 3, 4, 5, 6, 7]


def test_pages_by_number_end_with_an_empty_one(site, api_of):
    site.answers["/homes"] = paged(lambda query: slice((int(query["p"]) - 1) * 3, int(query["p"]) * 3))
    assert ids(api_of(paging={"kind": "page", "parameter": "p", "size_parameter": "n", "size": 3})) == list(range(1, 8))
    assert site.paths()[0] == "/homes?n=3&p=1"
    assert len(site.requests) == 4


def test_pages_by_offset_start_after_the_records_received_so_far(site, api_of):
    site.answers["/homes"] = paged(lambda query: slice(int(query["offset"]), int(query["offset"]) + 3))
    assert ids(api_of(paging={"kind": "offset", "size_parameter": "limit", "size": 5})) == list(range(1, 8))
    assert [path.partition("offset=")[2] for path in site.paths()] == ["0", "3", "6", "7"]


def test_pages_by_cursor_end_with_a_response_without_cursor(site, api_of):
    pages = {"": (HOMES[:4], "a b&c"), "cursor=a%20b%26c": (HOMES[4:], None)}
    pages["cursor=a+b%26c"] = pages["cursor=a%20b%26c"]
    site.answers["/homes"] = lambda path, query, *_: dict(zip(("homes", "next"), pages[query], strict=True))
    assert ids(api_of(records_at="homes", paging={"kind": "cursor"})) == list(range(1, 8))


@pytest.mark.parametrize("at", [None, "links.next"])
def test_pages_by_link_are_followed_from_the_header_or_the_body(site, api_of, at):
    first = {"homes": HOMES[:4], "links": {"next": "/more?x=1"}}
    site.answers["/homes"] = (200, {} if at else {"Link": '</more?x=1>; rel="next"'}, first)
    site.answers["/more"] = {"homes": HOMES[4:], "links": {}}
    assert ids(api_of(records_at="homes", paging={"kind": "link", "at": at})) == list(range(1, 8))
    assert site.paths() == ["/homes", "/more?x=1"]


def test_a_nested_value_is_mapped_by_its_path(site, api_of, source_of):
    site.answers["/homes"] = HOMES
    source = source_of(
        listings={"kind": "api", "url": f"{site.url}/homes", "key": "id", "columns": COLUMNS, "name": "portal"}
    )
    assert land(source.city, "listings", source.feeds.listings[0]) == (7, 7, 0, 0)
    raw = records(source, "listings")
    assert raw["listing_id"].to_pylist() == ["1", "2", "3", "4", "5", "6", "7"]
    assert set(raw["location"].to_pylist()) == {"East"}


def test_only_changed_records_are_requested(site, api_of):
    site.answers["/homes"] = HOMES
    feed = api_of(changed="on", since={"parameter": "from"}, until={"parameter": "to", "format": "%Y-%m-%d"})
    ids(feed, Span(datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC), END))
    assert site.paths() == ["/homes?from=2024-03-01T00%3A00%3A00Z&to=2024-12-31"]


def test_an_etag_is_stored_and_a_304_brings_no_records(site, api_of):
    def answer(path, query, headers, body):
        return (
            (304, {"ETag": '"v1"'}, b"") if headers.get("If-None-Match") == '"v1"' else (200, {"ETag": '"v1"'}, HOMES)
        )

    site.answers["/homes"] = answer
    memory = {}
    assert len(ids(api_of(), memory=memory)) == 7
    assert ids(api_of(), memory=memory) == []
    assert len(ids(api_of(paging={"kind": "link"}), memory=memory)) == 7


@pytest.mark.parametrize("kind", ["header", "query"])
def test_credentials_come_from_the_environment_and_stay_out_of_messages(site, api_of, monkeypatch, capsys, waits, kind):
    monkeypatch.setenv("PORTAL_KEY", "open-sesame")
    site.answers["/homes"] = [(503, {}, ""), (200, {}, HOMES), (401, {}, "")]
    feed = api_of(authentication={"kind": kind, "name": "X-Key", "value": "$PORTAL_KEY"})
    assert len(ids(feed)) == 7
    _, query, headers, _ = site.requests[-1]
    assert (headers.get("X-Key") or query.removeprefix("X-Key=")) == "open-sesame"
    with pytest.raises(SourceError, match="was answered 401 Unauthorized") as refused:
        ids(feed)
    assert "open-sesame" not in str(refused.value) + capsys.readouterr().err
    monkeypatch.delenv("PORTAL_KEY")
    with pytest.raises(SourceError, match="authentication: the environment variable PORTAL_KEY is not set"):
        ids(feed)


def test_a_token_is_requested_once_and_again_when_it_has_expired(site, api_of, monkeypatch):
    monkeypatch.setenv("PORTAL_SECRET", "s3cret")
    tokens = iter("abc")
    site.answers["/token"] = lambda *_: {"access_token": next(tokens)}
    valid = {"Bearer a": 2, "Bearer b": 9}

    def answer(path, query, headers, body):
        valid[headers["Authorization"]] -= 1
        if valid[headers["Authorization"]] < 0:
            return 401, {}, ""
        start = int(query.partition("offset=")[2])
        return HOMES[start : start + 2]

    site.answers["/homes"] = answer
    token = {"kind": "client_credentials", "token_url": f"{site.url}/token", "client_id": "homei"}
    feed = api_of(paging={"kind": "offset"}, authentication={**token, "client_secret": "$PORTAL_SECRET"})
    assert ids(feed) == list(range(1, 8))
    forms = [body for path, _, _, body in site.requests if path == "/token"]
    assert forms == ["grant_type=client_credentials&client_id=homei&client_secret=s3cret"] * 2


def test_credentials_are_not_sent_to_another_host(site, api_of, monkeypatch):
    monkeypatch.setenv("PORTAL_KEY", "open-sesame")
    other = site.url.replace("127.0.0.1", "localhost")
    site.answers["/homes"] = {"homes": HOMES[:4], "next": f"{other}/more"}
    site.answers["/more"] = {"homes": HOMES[4:]}
    paging = {"kind": "link", "at": "next"}
    feed = api_of(records_at="homes", paging=paging, authentication={"kind": "header", "value": "$PORTAL_KEY"})
    assert len(ids(feed)) == 7
    assert [headers.get("Authorization") for _, _, headers, _ in site.requests] == ["open-sesame", None]


def test_retry_after_is_respected_as_seconds_or_date(site, api_of, waits):
    later = email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=40), usegmt=True
    )
    site.answers["/homes"] = [(429, {"Retry-After": "7"}, ""), (429, {"Retry-After": later}, ""), (200, {}, HOMES)]
    assert len(ids(api_of())) == 7
    assert waits[0] == 7.0
    assert 30 < waits[1] <= 40


def test_temporary_failures_lose_no_records(site, api_of, waits, capsys):
    site.answers["/homes"] = [(500, {}, ""), (502, {}, ""), (200, {}, HOMES)]
    assert len(ids(api_of())) == 7
    assert len(waits) == 2
    assert "homei: feed main: the server answered 500 Internal Server Error; retry in" in capsys.readouterr().err


def test_a_server_that_keeps_failing_is_reported_with_its_address(site, api_of, waits):
    site.answers["/homes"] = (500, {}, "")
    message = rf"feed main: {site.url}/homes failed {ATTEMPTS} times: the server answered 500"
    with pytest.raises(SourceError, match=message):
        ids(api_of())


def test_an_unreachable_server_is_reported_with_its_address(api_of, waits):
    with pytest.raises(SourceError, match=r"feed main: http://127\.0\.0\.1:9/homes failed 6 times"):
        ids(api_of(url="http://127.0.0.1:9/homes"))


def test_a_request_is_repeated_after_a_timeout(site, api_of, waits):
    seconds = iter([0.1, 0.0])
    site.answers["/homes"] = lambda *_: (time.sleep(next(seconds)), HOMES)[1]
    assert len(ids(api_of(timeout=0.05))) == 7


@pytest.mark.parametrize("cut", [(200, {"Content-Length": "9999"}, b'[{"id": 1'), (200, {}, b'[{"id": 1')])
def test_a_request_is_repeated_after_a_truncated_response(site, api_of, waits, cut):
    site.answers["/homes"] = [cut, (200, {}, HOMES)]
    assert len(ids(api_of())) == 7
    assert len(waits) == 1


def test_a_repeated_page_is_an_error_that_names_its_address(site, api_of):
    site.answers["/homes"] = HOMES
    with pytest.raises(SourceError, match=rf"page 2 of {site.url}/homes repeats the one before: correct `paging`"):
        ids(api_of(paging={"kind": "page"}))


def test_a_repeated_cursor_is_an_error(site, api_of):
    pages = iter([HOMES[:2], HOMES[2:4], HOMES[4:]])
    site.answers["/homes"] = lambda *_: {"homes": next(pages), "next": "again"}
    with pytest.raises(SourceError, match="links itself as the next page"):
        ids(api_of(records_at="homes", paging={"kind": "cursor"}))


def test_a_response_without_records_is_an_error_that_names_its_keys(site, api_of):
    site.answers["/homes"] = {"listings": HOMES, "count": 7}
    message = r"has no list of records at homes: correct `records_at`; the response has listings, count"
    with pytest.raises(SourceError, match=message):
        ids(api_of(records_at="homes"))


def test_a_forbidden_request_is_not_repeated(site, api_of, waits):
    site.answers["/homes"] = (403, {}, "")
    with pytest.raises(SourceError, match=rf"feed main: GET {site.url}/homes was answered 403 Forbidden"):
        ids(api_of())
    assert waits == []


def test_requests_keep_the_declared_rate(site, api_of, waits):
    site.answers["/homes"] = paged(lambda query: slice((int(query["page"]) - 1) * 3, int(query["page"]) * 3))
    ids(api_of(paging={"kind": "page"}, requests_per_second=2.0))
    assert len(waits) == 4
    assert waits[0] == 0.0
    assert all(0.3 < wait <= 0.5 for wait in waits[1:])


def test_an_unknown_kind_of_paging_is_an_error_with_a_suggestion(api_of):
    with pytest.raises(ParamsError, match=r"listings\.paging\.kind = 'pages': did you mean page\?"):
        api_of(paging={"kind": "pages"})


def test_an_error_with_the_status_of_a_success_is_shown_in_its_own_words(site, api_of, waits):
    site.answers["/homes"] = {"error": {"code": 499, "message": "Token Required", "details": []}}
    with pytest.raises(SourceError, match=rf"{site.url}/homes answered with an error: 499 Token Required$"):
        ids(api_of(records_at="features"))
    assert waits == []


def test_a_temporary_error_with_the_status_of_a_success_is_retried(site, api_of, waits):
    failure = {"error": {"code": 503, "message": "Service not started", "details": ["Service not started"]}}
    site.answers["/homes"] = [(200, {}, failure), (200, {}, HOMES)]
    assert len(ids(api_of())) == 7
    assert len(waits) == 1


def test_an_answer_that_is_no_json_is_named_once(site, api_of, waits):
    site.answers["/homes"] = (200, {"Content-Type": "text/html; charset=utf-8"}, "<html><title>Query</title></html>")
    message = rf"feed main: {site.url}/homes was answered with text/html, not JSON; it begins with '<html><title>Query"
    with pytest.raises(SourceError, match=message):
        ids(api_of())
    assert (waits, len(site.requests)) == ([], 1)


@pytest.mark.parametrize("last", [(200, {}, {"homes": []}), (200, {}, {"homes": None}), (200, {}, {}), (404, {}, "")])
def test_each_kind_of_empty_last_page_ends_the_reading(site, api_of, last):
    pages = iter([(200, {}, {"homes": HOMES}), last])
    site.answers["/homes"] = lambda *_: next(pages)
    assert len(ids(api_of(records_at="homes", paging={"kind": "page"}))) == 7


def test_records_that_come_twice_within_one_reading_are_counted_and_none_is_deleted(site, source_of, capsys):
    pages = iter([HOMES, [], HOMES[:4], HOMES[2:5], []])
    site.answers["/homes"] = lambda *_: next(pages)
    listings = {"kind": "api", "url": f"{site.url}/homes", "key": "id", "columns": COLUMNS, "paging": {"kind": "page"}}
    source = source_of(listings=listings)
    for _ in range(2):
        assert land(source.city, "listings", source.feeds.listings[0]).records == 7
    assert "_deleted" not in landed_records(source.city, "listings", source.feeds.listings[0]).column_names
    message = "feed main: 2 records came twice within one reading, so that others may be missing: does the source keep"
    assert message in capsys.readouterr().err
