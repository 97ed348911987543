import copy
import http.server
import json
import threading

import pytest

from homei.config import params
from homei.config.city import CityConfig

COLUMNS = {
    "sale_date": "date",
    "price": "price",
    "square_meters": "area",
    "property_type": "type",
    "location": "town",
}


@pytest.fixture
def source_of(tmp_path, monkeypatch):
    """Builds a source with the folder data/ in an empty project; sales are files unless their kind is given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def build(sales=None, **parts):
        files = {"kind": "files", "files": ["sales.csv"], "columns": copy.deepcopy(COLUMNS)}
        sales = sales if "kind" in (sales or {}) else {**files, **(sales or {})}
        city = {"name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data"}
        city |= {name: parts.pop(name) for name in [*parts] if name in CityConfig.model_fields}
        kinds = sorted({places["kind"] for places in parts.get("places", [])})
        city = {"coordinates": {"origin": [48.1, 11.5]}, "place_kinds": kinds, **city}
        return params.source({"city": city, "feeds": {"sales": sales, **parts}, "contract": {"required": []}})

    return build


class Site(http.server.ThreadingHTTPServer):
    """A local HTTP server that answers as a test declares and stores the requests.

    `answers` maps a path to its answer: text, bytes, a value sent as JSON, (status, headers, body), or a function of
    the request (path, query, headers, body) that returns any of these. Of a list of tuples each is sent once, the last
    one for ever. A longer Content-Length makes a truncated body.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SiteHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers, self.requests = {}, []

    def paths(self):
        return [f"{path}?{query}" if query else path for path, query, _, _ in self.requests]


class SiteHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers["Content-Length"] or 0)
        request = (path, query, dict(self.headers), self.rfile.read(length).decode())
        self.server.requests.append(request)
        answer = self.server.answers.get(path, (404, {}, "Not found"))
        if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        answer = answer(*request) if callable(answer) else answer
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        if not isinstance(body, str | bytes):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        # A truncated body ends with the connection.
        self.close_connection = "Content-Length" in headers

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with Site() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def waits(monkeypatch):
    """The pauses that the code under test asks for, in seconds, without waiting."""
    seconds = []
    monkeypatch.setattr("homei.ingestion.connectors.http_client.sleep", seconds.append)
    return seconds
