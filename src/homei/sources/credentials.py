"""Who asks an API: a header, a query parameter, or a token of OAuth 2.0; shown to the API's own host only."""

from __future__ import annotations

from typing import Any, Literal

import httpx

from homei.section import Section
from homei.sources.environment import expanded
from homei.sources.web import FetchError, Web, json_of, plain


class HeaderAuthentication(Section):
    """A header such as `X-Api-Key: $PORTAL_KEY`."""

    kind: Literal["header"]
    name: str = "Authorization"
    value: str


class QueryAuthentication(Section):
    """A parameter of the address."""

    kind: Literal["query"]
    name: str
    value: str


class ClientCredentials(Section):
    """OAuth 2.0's client credentials (RFC 6749, section 4.4): a token for an id and a secret."""

    kind: Literal["client_credentials"]
    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None


Authentication = HeaderAuthentication | QueryAuthentication | ClientCredentials


class Credentials:
    """What is shown to an API; a token is asked for once, and anew after it was refused."""

    def __init__(self, declared: Authentication | None, web: Web, api: httpx.URL, what: str) -> None:
        self._declared, self._web, self._api, self._what = declared, web, api, what
        self._token: str | None = None

    def shown_to(self, url: httpx.URL) -> tuple[httpx.URL, dict[str, str]]:
        """The address to ask and the headers to ask it with; on another host they show nothing."""
        declared, what = self._declared, f"{self._what}: authentication"
        if declared is None or _origin(url) != _origin(self._api):
            return url, {}
        if isinstance(declared, QueryAuthentication):
            return url.copy_set_param(declared.name, expanded(declared.value, what)), {}
        if isinstance(declared, HeaderAuthentication):
            return url, {declared.name: expanded(declared.value, what)}
        if self._token is None:
            self._token = self._new_token(declared, what)
        return url, {"Authorization": f"Bearer {self._token}"}

    def refuse(self, url: httpx.URL) -> None:
        """Forgets a token that has expired; raises FetchError where no new one would help."""
        if (
            not isinstance(self._declared, ClientCredentials)
            or self._token is None
            or _origin(url) != _origin(self._api)
        ):
            raise FetchError(f"{self._what}: GET {plain(str(url))} answered 401 Unauthorized (authentication)")
        self._token = None

    def _new_token(self, declared: ClientCredentials, what: str) -> str:
        url = expanded(declared.token_url, what)
        form = {
            "grant_type": "client_credentials",
            "client_id": expanded(declared.client_id, what),
            "client_secret": expanded(declared.client_secret, what),
            **({"scope": declared.scope} if declared.scope else {}),
        }

        def attempt() -> Any:
            with self._web.answer(url, what, {}, data=form) as response:
                response.read()
                return json_of(response)

        answer = self._web.patiently(attempt, url, what)
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise FetchError(f"{what}: {plain(url)} answered no access_token")
        return answer["access_token"]


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
