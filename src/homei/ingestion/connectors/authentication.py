"""Authentication for REST APIs: a header, a query parameter or an OAuth 2.0 token.

Credentials are sent to the API's own host only: an answer may link to another one.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

import httpx

from homei.config.model import ConfigModel
from homei.ingestion.connectors.http_client import FetchError, check_status, json_body, without_query
from homei.ingestion.connectors.text_rows import expanded


class HeaderAuthentication(ConfigModel):
    """A header such as `X-Api-Key: $PORTAL_KEY`."""

    kind: Literal["header"]
    name: str = "Authorization"
    value: str


class QueryAuthentication(ConfigModel):
    """A query parameter of each request."""

    kind: Literal["query"]
    name: str
    value: str


class ClientCredentials(ConfigModel):
    """OAuth 2.0 client credentials (RFC 6749, section 4.4): an id and a secret are exchanged for a token."""

    kind: Literal["client_credentials"]
    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None


Authentication = HeaderAuthentication | QueryAuthentication | ClientCredentials


class ApiAuth(httpx.Auth):
    """Adds credentials to each request of an httpx client, and renews an expired token.

    `label` names the feed in messages. Raises SourceError where an environment variable is not set.
    """

    requires_response_body = True

    def __init__(self, declared: Authentication, api_url: httpx.URL, label: str) -> None:
        self._declared, self._api_url, self._label = declared, api_url, f"{label}: authentication"
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx's protocol: yields the requests to send and receives their responses."""
        if _origin(request.url) != _origin(self._api_url):
            yield request
            return
        declared = self._declared
        if isinstance(declared, ClientCredentials):
            yield from self._flow_with_token(declared, request)
            return
        value = expanded(declared.value, self._label)
        if isinstance(declared, HeaderAuthentication):
            request.headers[declared.name] = value
        else:
            request.url = request.url.copy_set_param(declared.name, value)
        yield request

    def _flow_with_token(
        self, declared: ClientCredentials, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        for _ in range(2):  # a second time with a new token, if the first one has expired
            if self._token is None:
                self._token = self._token_in((yield self._token_request(declared)))
            request.headers["Authorization"] = f"Bearer {self._token}"
            response = yield request
            if response.status_code != 401:
                return
            self._token = None

    def _token_request(self, declared: ClientCredentials) -> httpx.Request:
        form = {
            "grant_type": "client_credentials",
            "client_id": expanded(declared.client_id, self._label),
            "client_secret": expanded(declared.client_secret, self._label),
            **({"scope": declared.scope} if declared.scope else {}),
        }
        return httpx.Request("POST", expanded(declared.token_url, self._label), data=form)

    def _token_in(self, response: httpx.Response) -> str:
        check_status(response, self._label)
        body = json_body(response, self._label)
        if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
            raise FetchError(f"{self._label}: {without_query(response.request.url)} answered without an access_token")
        return body["access_token"]


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
