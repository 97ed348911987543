"""Mock servers of the simulated feeds: the portal's API, the rival's site, indicators, databases."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from homei.demo.conditional_requests import with_etag
from homei.demo.portal_api import portal_router
from homei.demo.rival_site import rival_router

# The demo city holds no personal data, so its secrets may be public.
CLIENT_SECRET = "demo-client-secret"
PSEUDONYM_KEY = "demo-pseudonym-key-of-a-city-where-nobody-lives"


@contextlib.contextmanager
def running_servers(world: Path) -> Iterator[None]:
    """Serves the feeds that `homei simulate` wrote to `world` while the block runs.

    Sets environment variables, and restores them afterwards: HOMEI_DEMO_URL (a server on a free port of the loopback
    interface), HOMEI_DEMO_REGISTER and HOMEI_DEMO_CRM (paths of SQLite databases), HOMEI_DEMO_CLIENT_SECRET and
    HOMEI_PSEUDONYM_KEY. Raises FileNotFoundError if there are no feeds.
    """
    if not (world / "sales.csv").is_file():
        raise FileNotFoundError(f"{world / 'sales.csv'} does not exist: run `homei simulate`")
    with tempfile.TemporaryDirectory(prefix="homei-demo-") as folder, _serving(feeds_app(world)) as url:
        register, crm = Path(folder).resolve() / "register.sqlite", Path(folder).resolve() / "crm.sqlite"
        _load_csv(register, "deeds", world / "sales.csv", "entry_no INTEGER PRIMARY KEY")
        _load_csv(crm, "customers", world / "crm" / "customers.csv", "customer_id TEXT PRIMARY KEY")
        _load_csv(crm, "leads", world / "crm" / "leads.csv", "lead_id TEXT PRIMARY KEY")
        variables = {
            "HOMEI_DEMO_URL": url,
            "HOMEI_DEMO_REGISTER": str(register),
            "HOMEI_DEMO_CRM": str(crm),
            "HOMEI_DEMO_CLIENT_SECRET": CLIENT_SECRET,
            "HOMEI_PSEUDONYM_KEY": PSEUDONYM_KEY,
        }
        with mock.patch.dict(os.environ, variables):
            yield


def feeds_app(world: Path) -> FastAPI:
    """The web application of the simulated feeds, from the files in `world`."""
    app = FastAPI(openapi_url=None)
    app.include_router(portal_router(_records(world / "portal" / "listings.jsonl"), CLIENT_SECRET))
    app.include_router(rival_router(_records(world / "rival" / "homes.jsonl")))
    series = {path.name: path.read_bytes() for path in (world / "indicators").glob("*.csv")}

    @app.get("/indicators/{name}")
    async def show_indicator(request: Request, name: str) -> Response:
        if name not in series:
            raise HTTPException(404)
        return with_etag(request, Response(series[name], media_type="text/csv"))

    return app


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _load_csv(database: Path, table: str, csv_file: Path, key: str) -> None:
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


@contextlib.contextmanager
def _serving(app: FastAPI) -> Iterator[str]:
    """Runs an application in a thread, on a free port of the loopback interface; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
