import copy
import http.server
import json
import threading

import pytest

from homei import params

COLUMNS = {
    "sale_date": "date",
    "price": "price",
    "square_meters": "area",
    "property_type": "type",
    "location": "town",
}


@pytest.fixture
def source_of(tmp_path, monkeypatch):
    """Builds a checked source whose folder is data/ in an empty project, from the parts that a test cares for.

    Its sales come from files unless the test's own say of which kind they are.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def build(sales=None, **parts):
        files = {"kind": "files", "files": ["sales.csv"], "columns": copy.deepcopy(COLUMNS)}
        sales = sales if "kind" in (sales or {}) else {**files, **(sales or {})}
        source = {
            "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
            "coordinates": {}, "contract": {"required": []}, "sales": sales, **parts,
        }  # fmt: skip
        return params.section("source", source)

    return build


class Site(http.server.ThreadingHTTPServer):
    """A server on loopback that answers as a test says, and remembers what it was asked.

    `answers` maps a path to what it answers: text, bytes, a value to be told as JSON, (status, headers, body), or a
    function of the request (path, query, headers, body) that gives any of these; a list is answered one by one, the
    last one for ever. A body of bytes may be cut short by a longer Content-Length.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answering)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers, self.asked = {}, []

    def paths(self):
        return [f"{path}?{query}" if query else path for path, query, _, _ in self.asked]


class _Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers["Content-Length"] or 0)
        request = (path, query, dict(self.headers), self.rfile.read(length).decode())
        self.server.asked.append(request)
        found = self.server.answers.get(path, (404, {}, "Not found"))
        if isinstance(found, list) and found and isinstance(found[0], tuple):
            found = found.pop(0) if len(found) > 1 else found[0]
        found = found(*request) if callable(found) else found
        status, headers, body = found if isinstance(found, tuple) else (200, {}, found)
        if not isinstance(body, str | bytes):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        # What is cut short ends the connection.
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
    """What the code under test would have waited, in seconds."""
    found = []
    monkeypatch.setattr("homei.sources.web.sleep", found.append)
    return found
