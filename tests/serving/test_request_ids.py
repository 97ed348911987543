"""Request ids, and the response if the service fails."""

import asyncio
import re

import httpx
import pytest

from homei.serving.middleware.request_id import RequestIdMiddleware


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "x" * 64])
def test_a_plain_name_is_taken_over(client, name):
    assert client.get("/openapi.json", headers={"x-request-id": name}).headers.get_list("x-request-id") == [name]
    refused = client.get("/nowhere", headers={"x-request-id": name})
    assert (refused.headers["x-request-id"], refused.json()["request_id"]) == (name, name)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a;b", "<script>", b"\xff"])
def test_any_other_name_is_replaced(client, name):
    made = client.get("/nowhere", headers=[("x-request-id", name)]).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_two_names_are_none(client):
    made = client.get("/nowhere", headers=[("x-request-id", "a"), ("x-request-id", "b")]).headers
    assert re.fullmatch("[0-9a-f]{32}", made["x-request-id"])


def test_names_that_are_made_differ(client):
    assert len({client.get("/nowhere").headers["x-request-id"] for _ in range(5)}) == 5


def test_a_failure_is_logged_under_the_request_s_name_and_not_shown(caplog):
    async def broken(scope, receive, send):
        raise RuntimeError("the password is 1234")

    async def ask():
        transport = httpx.ASGITransport(RequestIdMiddleware(broken))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/", headers={"x-request-id": "r1"})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["request_id"]) == (500, "r1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "1234" not in answer.text
    assert "request r1" in caplog.text and "1234" in caplog.text
