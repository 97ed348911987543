"""Mock servers of the simulated feeds: the portal's API, the rival's site, the indicators and two databases."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from homei.demo import rival_site
from homei.demo.portal_api import PortalApi, Query, Response, entity_tag

# The demo city holds no personal data, so its secrets may be public.
CLIENT_SECRET = "demo-client-secret"
PSEUDONYM_KEY = "demo-pseudonym-key-of-a-city-where-nobody-lives"
HTML = "text/html; charset=utf-8"


@contextlib.contextmanager
def running_servers(world: Path) -> Iterator[None]:
    """Serves the feeds that `homei simulate` wrote to `world` while the block runs.

    Sets environment variables, and restores them afterwards: HOMEI_DEMO_URL (a server on a free port of the loopback
    interface), HOMEI_DEMO_REGISTER and HOMEI_DEMO_CRM (paths of SQLite databases), HOMEI_DEMO_CLIENT_SECRET and
    HOMEI_PSEUDONYM_KEY. Raises FileNotFoundError if there are no feeds.
    """
    if not (world / "sales.csv").is_file():
        raise FileNotFoundError(f"{world / 'sales.csv'} does not exist: run `homei simulate`")
    with tempfile.TemporaryDirectory(prefix="homei-demo-") as folder, _serving(FeedRoutes(world)) as url:
        register, crm = Path(folder).resolve() / "register.sqlite", Path(folder).resolve() / "crm.sqlite"
        load_csv(register, "deeds", world / "sales.csv", "entry_no INTEGER PRIMARY KEY")
        load_csv(crm, "customers", world / "crm" / "customers.csv", "customer_id TEXT PRIMARY KEY")
        load_csv(crm, "leads", world / "crm" / "leads.csv", "lead_id TEXT PRIMARY KEY")
        variables = {
            "HOMEI_DEMO_URL": url,
            "HOMEI_DEMO_REGISTER": str(register),
            "HOMEI_DEMO_CRM": str(crm),
            "HOMEI_DEMO_CLIENT_SECRET": CLIENT_SECRET,
            "HOMEI_PSEUDONYM_KEY": PSEUDONYM_KEY,
        }
        with _environment(variables):
            yield


def load_csv(database: Path, table: str, csv_file: Path, key: str) -> None:
    """Loads a CSV file into an SQLite table, as text but for the first column, which `key` declares."""
    with (
        csv_file.open(newline="", encoding="utf-8") as file,
        contextlib.closing(sqlite3.connect(database)) as connection,
    ):
        lines = csv.reader(file)
        names = next(lines)
        columns = ", ".join([key, *(f"{name} TEXT NOT NULL" for name in names[1:])])
        with connection:
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", lines)
            connection.execute(f"CREATE INDEX {table}_changed_at ON {table} (changed_at)")


class FeedRoutes:
    """Responses to requests for the simulated feeds, from the files in `world`."""

    def __init__(self, world: Path) -> None:
        self._api = PortalApi(_records(world / "portal" / "listings.jsonl"), CLIENT_SECRET)
        listings = sorted(_records(world / "rival" / "homes.jsonl"), key=lambda listing: listing["listing_id"])
        # The newest listings come first.
        self._rival_listings = sorted(listings, key=lambda listing: listing["listed_on"], reverse=True)
        self._rival_listing = {listing["listing_id"]: listing for listing in listings}
        self._series = {path.name: path.read_bytes() for path in sorted((world / "indicators").glob("*.csv"))}

    def get(self, path: str, query: Query, authorization: str | None) -> Response:
        """The response to GET; 404 for an unknown path."""
        if path == "/api/v1/listings":
            return self._api.listings(query, authorization)
        if path == "/robots.txt":
            return Response(200, rival_site.ROBOTS.encode(), "text/plain; charset=utf-8")
        if path == rival_site.PATH:
            number = query.get("page", "1")
            return _html(rival_site.list_page(self._rival_listings, int(number)) if number.isdecimal() else None)
        folder, _, name = path.rpartition("/")
        if folder == rival_site.PATH and name in self._rival_listing:
            return _html(rival_site.property_page(self._rival_listing[name]))
        if path.startswith("/rival/private"):
            return Response(403, b"For agents only", "text/plain; charset=utf-8")
        if folder == "/indicators" and name in self._series:
            return Response(200, self._series[name], "text/csv; charset=utf-8")
        return _not_found()

    def post(self, path: str, body: bytes, authorization: str | None) -> Response:
        """The response to POST; 404 for an unknown path."""
        return self._api.token(body, authorization) if path == "/oauth/token" else _not_found()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise a persistent connection waits 40 ms for each response sent in two small packets.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        response = self.server.routes.get(address.path, query, self.headers["Authorization"])
        tag = entity_tag(response.body)
        if response.status == 200 and tag in _tags(self.headers["If-None-Match"]):
            response = response._replace(status=304, body=b"")
        self._send(response, {"ETag": tag} if response.status in (200, 304) else {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._send(self.server.routes.post(urlsplit(self.path).path, body, self.headers["Authorization"]), {})

    def _send(self, response: Response, headers: Mapping[str, str]) -> None:
        self.send_response(response.status)
        for name, value in {**response.headers, **headers}.items():
            self.send_header(name, value)
        if response.status != 304:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *_: Any) -> None:
        """Writes nothing: requests do not belong into the output of a run."""


class _Server(ThreadingHTTPServer):
    def __init__(self, routes: FeedRoutes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes = routes

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that closes its connection is not an error.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def _serving(routes: FeedRoutes) -> Iterator[str]:
    with _Server(routes) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _html(page: str | None) -> Response:
    return _not_found() if page is None else Response(200, page.encode(), HTML)


def _not_found() -> Response:
    return Response(404, b"Not found", "text/plain; charset=utf-8")


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
