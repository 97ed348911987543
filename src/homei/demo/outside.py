"""The simulated world, running: the portal's API, the rival's site, the statistical office and two databases."""

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
from homei.demo.portal_api import Answer, PortalApi, Query, entity_tag

# Nobody real lives in the demo city, so what keeps its secrets may be read here.
CLIENT_SECRET = "demo-client-secret"
PSEUDONYM_KEY = "demo-pseudonym-key-of-a-city-where-nobody-lives"
HTML = "text/html; charset=utf-8"


@contextlib.contextmanager
def running(world: Path) -> Iterator[None]:
    """The world that `homei simulate` wrote, reachable for as long as the block runs.

    Environment variables tell where, and are as before afterwards: HOMEI_DEMO_URL (a server on a free port of the
    loopback), HOMEI_DEMO_REGISTER and HOMEI_DEMO_CRM (paths of SQLite databases), HOMEI_DEMO_CLIENT_SECRET and
    HOMEI_PSEUDONYM_KEY. Raises FileNotFoundError naming what the world lacks.
    """
    if not (world / "sales.csv").is_file():
        raise FileNotFoundError(f"{world / 'sales.csv'} is not there: `homei simulate` makes it")
    with tempfile.TemporaryDirectory(prefix="homei-demo-") as folder, _serving(Site(world)) as url:
        register, crm = Path(folder).resolve() / "register.sqlite", Path(folder).resolve() / "crm.sqlite"
        store(register, "deeds", world / "sales.csv", "entry_no INTEGER PRIMARY KEY")
        store(crm, "customers", world / "crm" / "customers.csv", "customer_id TEXT PRIMARY KEY")
        store(crm, "leads", world / "crm" / "leads.csv", "lead_id TEXT PRIMARY KEY")
        told = {
            "HOMEI_DEMO_URL": url,
            "HOMEI_DEMO_REGISTER": str(register),
            "HOMEI_DEMO_CRM": str(crm),
            "HOMEI_DEMO_CLIENT_SECRET": CLIENT_SECRET,
            "HOMEI_PSEUDONYM_KEY": PSEUDONYM_KEY,
        }
        with _environment(told):
            yield


def store(database: Path, table: str, rows: Path, key: str) -> None:
    """A CSV file's rows as a table of an SQLite database: text as it is, empty cells as empty text.

    `key` declares the first column.
    """
    with rows.open(newline="", encoding="utf-8") as file, contextlib.closing(sqlite3.connect(database)) as connection:
        lines = csv.reader(file)
        names = next(lines)
        columns = ", ".join([key, *(f"{name} TEXT NOT NULL" for name in names[1:])])
        with connection:
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", lines)
            connection.execute(f"CREATE INDEX {table}_changed_at ON {table} (changed_at)")


class Site:
    """What the world's servers answer, from the world's files."""

    def __init__(self, world: Path) -> None:
        self._api = PortalApi(_records(world / "portal" / "listings.jsonl"), CLIENT_SECRET)
        # As such sites do: what is new comes first.
        homes = sorted(_records(world / "rival" / "homes.jsonl"), key=lambda home: home["listing_id"])
        self._homes = sorted(homes, key=lambda home: home["listed_on"], reverse=True)
        self._pages = {home["listing_id"]: home for home in homes}
        self._series = {path.name: path.read_bytes() for path in sorted((world / "indicators").glob("*.csv"))}

    def get(self, path: str, query: Query, authorization: str | None) -> Answer:
        """The answer to GET, 404 where there is nothing."""
        if path == "/api/v1/listings":
            return self._api.listings(query, authorization)
        if path == "/robots.txt":
            return Answer(200, rival_site.ROBOTS.encode(), "text/plain; charset=utf-8")
        if path == rival_site.PATH:
            number = query.get("page", "1")
            return _html(rival_site.list_page(self._homes, int(number)) if number.isdecimal() else None)
        folder, _, name = path.rpartition("/")
        if folder == rival_site.PATH and name in self._pages:
            return _html(rival_site.home_page(self._pages[name]))
        if path.startswith("/rival/private"):
            return Answer(403, b"For agents only", "text/plain; charset=utf-8")
        if folder == "/indicators" and name in self._series:
            return Answer(200, self._series[name], "text/csv; charset=utf-8")
        return _nothing()

    def post(self, path: str, body: bytes, authorization: str | None) -> Answer:
        """The answer to POST, 404 where there is nothing."""
        return self._api.token(body, authorization) if path == "/oauth/token" else _nothing()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A kept connection waits 40 ms for each answer that goes out in two small pieces.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        answer = self.server.site.get(address.path, query, self.headers["Authorization"])
        tag = entity_tag(answer.body)
        if answer.status == 200 and tag in _tags(self.headers["If-None-Match"]):
            answer = answer._replace(status=304, body=b"")
        self._send(answer, {"ETag": tag} if answer.status in (200, 304) else {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._send(self.server.site.post(urlsplit(self.path).path, body, self.headers["Authorization"]), {})

    def _send(self, answer: Answer, headers: Mapping[str, str]) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, **headers}.items():
            self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the world outside doesn't speak into a run's output."""


class _Server(ThreadingHTTPServer):
    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is no error of the server's.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def _serving(site: Site) -> Iterator[str]:
    with _Server(site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _environment(told: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _html(page: str | None) -> Answer:
    return _nothing() if page is None else Answer(200, page.encode(), HTML)


def _nothing() -> Answer:
    return Answer(404, b"Not found", "text/plain; charset=utf-8")


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
