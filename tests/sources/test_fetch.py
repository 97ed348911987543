"""`homei fetch` against a real HTTP server on loopback that behaves as data.gov.sg's dataset API is documented to."""

import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest

from homei.sources.checksums import read_sums
from homei.sources.fetch import POLL_PAUSE
from homei.sources.fetch import run as fetch
from homei.sources.web import ATTEMPTS, FetchError

CONTENT = ("month,price\n" + "2015-01,255000\n" * 4000).encode()


class Register(http.server.ThreadingHTTPServer):
    """A dataset API that follows a script: `pending` polls, then answers of /file from `plan`, then the file."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.content, self.etag, self.pending, self.plan, self.requests = CONTENT, '"v1"', 0, [], []


class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        path = self.path.partition("?")[0]
        server.requests.append(f"{path} {asked}" if asked else path)
        if path == "/file":
            self.send_file(asked)
        elif path.startswith("/d_unknown/"):
            self.send(404, b"")
        elif path.startswith("/d_refused/"):
            self.send_json({"code": 24, "errorMsg": "Dataset is not published", "data": None})
        elif path.endswith("/initiate-download"):
            self.send_json({"code": 0, "data": {"message": "Download started"}, "errorMsg": ""}, 201)
        elif server.pending:
            server.pending -= 1
            self.send_json({"code": 0, "data": {"status": "DOWNLOAD_PENDING"}, "errorMsg": ""})
        else:
            url = f"{server.url}/file?signature=secret"
            self.send_json({"code": 0, "data": {"status": "DOWNLOAD_SUCCESS", "url": url}, "errorMsg": ""})

    def send_file(self, asked):
        server = self.server
        step = server.plan.pop(0) if server.plan else "whole"
        if isinstance(step, tuple):
            return self.send(step[0], b"", **step[1])
        same = self.headers.get("If-Range", server.etag) == server.etag
        start = int(asked[6:-1]) if asked and same and step != "no ranges" else 0
        if start >= len(server.content):
            return self.send(416, b"")
        body = server.content[start:]
        extra = {"Content-Range": f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"} if start else {}
        if server.etag:
            extra["ETag"] = server.etag
        return self.send(206 if start else 200, body, cut=step == "cut", **extra)

    def send_json(self, value, status=200):
        self.send(status, json.dumps(value).encode())

    def send(self, status, body, cut=False, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        # Cut in the middle of the body, the connection closes before all that was announced has come.
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = True


@pytest.fixture
def register(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Register()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def town(source_of, register):
    def build(datasets=None, **parts):
        return source_of(fetch={"url": register.url, "datasets": datasets or {"sales.csv": "d_1"}}, **parts)

    return build


def files_of(register):
    return [request for request in register.requests if request.startswith("/file")]


TARGET = Path("data/sales.csv")


def test_a_dataset_is_exported_polled_and_downloaded(town, register):
    register.pending, waits = 2, []
    assert fetch(town(), sleep=waits.append) == [TARGET]
    assert TARGET.read_bytes() == CONTENT
    assert register.requests == ["/d_1/initiate-download", *["/d_1/poll-download"] * 3, "/file"]
    assert waits == [POLL_PAUSE] * 2
    assert read_sums(TARGET.parent) == {"sales.csv": hashlib.sha256(CONTENT).hexdigest()}
    assert sorted(path.name for path in TARGET.parent.iterdir()) == ["SHA256SUMS", "sales.csv"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(town, register):
    register.plan = ["cut", "cut"]
    fetch(town(), sleep=lambda seconds: None)
    assert TARGET.read_bytes() == CONTENT
    half, rest = len(CONTENT) // 2, len(CONTENT) - len(CONTENT) // 2
    assert files_of(register) == ["/file", f"/file bytes={half}-", f"/file bytes={half + rest // 2}-"]


def test_a_server_without_ranges_starts_over(town, register):
    register.plan = ["cut", "no ranges"]
    fetch(town(), sleep=lambda seconds: None)
    assert TARGET.read_bytes() == CONTENT


def test_a_later_call_resumes_what_an_earlier_one_left(town, register):
    register.plan = ["cut", *[(503, {})] * (ATTEMPTS - 1)]
    with pytest.raises(FetchError, match="503"):
        fetch(town(), sleep=lambda seconds: None)
    assert not TARGET.exists()
    register.requests.clear()
    fetch(town(), sleep=lambda seconds: None)
    assert files_of(register) == [f"/file bytes={len(CONTENT) // 2}-"]
    assert TARGET.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['"v2"', None])
def test_a_half_of_another_version_is_not_completed(town, register, etag):
    register.etag = register.etag if etag else None
    register.plan = ["cut", *[(503, {})] * (ATTEMPTS - 1)]
    with pytest.raises(FetchError):
        fetch(town(), sleep=lambda seconds: None)
    register.etag, register.content = etag, CONTENT.replace(b"255000", b"300000")
    fetch(town(), sleep=lambda seconds: None)
    assert TARGET.read_bytes() == register.content


def test_a_file_that_has_shrunk_starts_over(town, register):
    register.plan = ["cut"]
    source = town()

    def shrink(seconds):
        register.content = CONTENT[:100]

    fetch(source, sleep=shrink)
    assert TARGET.read_bytes() == CONTENT[:100]


def test_a_server_that_asks_for_patience_gets_it(town, register, capsys):
    register.plan, waits = [(429, {"Retry_After": "1"}), (429, {"Retry_After": "0"}), (503, {})], []
    fetch(town(), sleep=waits.append)
    assert TARGET.read_bytes() == CONTENT
    assert waits[:2] == [1.0, 0.0]
    assert 4.0 <= waits[2] <= 8.0
    assert "homei: d_1: it answered 429 Too Many Requests; again in 1 s\n" in capsys.readouterr().err


def test_a_server_that_stays_broken_is_given_up(town, register):
    register.plan, waits = [(500, {})] * ATTEMPTS, []
    with pytest.raises(FetchError, match=rf"d_1: {register.url}/file failed {ATTEMPTS} times: it answered 500"):
        fetch(town(), sleep=waits.append)
    assert all(0.5 <= wait / 2.0**failures <= 1.0 for failures, wait in enumerate(waits, 1))
    assert len(waits) == ATTEMPTS - 1


def test_a_signature_never_shows_in_a_message(town, register):
    register.plan = [(403, {})]
    with pytest.raises(FetchError) as error:
        fetch(town(), sleep=lambda seconds: None)
    assert "answered 403 Forbidden" in str(error.value)
    assert "secret" not in str(error.value)


def test_an_unknown_dataset_is_named_with_its_address(town, register):
    message = rf"d_unknown: GET {register.url}/d_unknown/initiate-download answered 404 Not Found"
    with pytest.raises(FetchError, match=message):
        fetch(town({"sales.csv": "d_unknown"}))


def test_a_refusal_of_the_api_is_passed_on(town):
    with pytest.raises(FetchError, match=r"d_refused: .* refuses: Dataset is not published"):
        fetch(town({"sales.csv": "d_refused"}))


def test_an_export_that_never_ends_is_given_up(town, register):
    register.pending = 1000
    with pytest.raises(FetchError, match="d_1: not exported after"):
        fetch(town(), sleep=lambda seconds: None)


def test_what_is_there_and_intact_is_not_downloaded_again(town, register):
    fetch(town())
    register.requests.clear()
    assert fetch(town()) == [TARGET]
    assert register.requests == []


def test_a_file_that_was_changed_is_downloaded_again(town, register):
    fetch(town())
    TARGET.write_bytes(CONTENT + b"2015-02,1\n")
    fetch(town())
    assert TARGET.read_bytes() == CONTENT


def test_what_is_finished_stays_when_the_next_one_fails(town):
    with pytest.raises(FetchError, match="d_unknown"):
        fetch(town({"sales.csv": "d_1", "more.csv": "d_unknown"}))
    assert list(read_sums(TARGET.parent)) == ["sales.csv"]


def test_a_file_outside_the_folder_is_refused(town):
    with pytest.raises(FetchError, match=r"'\.\./sales\.csv' is no name"):
        fetch(town({"../sales.csv": "d_1"}))


def test_what_the_download_does_not_bring_is_said(town, capsys):
    places = [{"kind": "park", "file": "parks.csv", "name": "n", "latitude": "y", "longitude": "x"}]
    fetch(town(places=places))
    assert "not part of the download: parks.csv; `homei fetch town --from DIR`" in capsys.readouterr().err


def test_a_file_that_a_group_is_declared_by_belongs_to_the_source(town, capsys):
    fetch(town(groups=[{"name": "band", "file": "bands.csv", "key": "location", "value": "band"}]))
    assert "not part of the download: bands.csv" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_an_error(town, source_of):
    source = source_of(fetch={"url": "http://127.0.0.1:9", "datasets": {"sales.csv": "d_1"}})
    with pytest.raises(FetchError, match=r"d_1: http://127\.0\.0\.1:9/d_1/initiate-download failed"):
        fetch(source, sleep=lambda seconds: None)


@pytest.fixture
def shelf(tmp_path):
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in ("sales-1.csv", "sales-2.csv", "parks.csv", "notes.txt"):
        (folder / name).write_text(f"{name}\n1\n")
    return folder


PARKS = {"kind": "park", "file": "parks.csv", "name": "n", "latitude": "y", "longitude": "x"}
MALLS = {**PARKS, "kind": "mall", "file": "malls.csv"}


def test_copying_takes_every_file_that_the_source_names(source_of, shelf):
    source = source_of({"files": ["sales-*.csv"]}, places=[PARKS, MALLS])
    copied = fetch(source, shelf)
    assert [path.name for path in copied] == ["parks.csv", "sales-1.csv", "sales-2.csv"]
    assert all(path.read_bytes() == (shelf / path.name).read_bytes() for path in copied)
    assert sorted(read_sums(Path("data"))) == ["parks.csv", "sales-1.csv", "sales-2.csv"]


def test_copying_again_brings_what_has_changed_on_either_side(source_of, shelf):
    source = source_of({"files": ["sales-*.csv"]})
    fetch(source, shelf)
    Path("data/sales-1.csv").write_text("spoiled")
    (shelf / "sales-2.csv").write_text("newer")
    fetch(source, shelf)
    assert Path("data/sales-1.csv").read_text() == "sales-1.csv\n1\n"
    assert Path("data/sales-2.csv").read_text() == "newer"


def test_copying_lists_all_that_is_needed_and_missing(source_of, shelf):
    source = source_of({"files": ["sales-1.csv", "old-*.csv"]}, places=[{**MALLS, "required": True}])
    with pytest.raises(FetchError, match=r"shelf: lacks old-\*\.csv, malls\.csv, which source town needs"):
        fetch(source, shelf)
    assert not list(Path("data").iterdir())


def test_a_source_without_addresses_asks_for_a_folder(source_of):
    with pytest.raises(FetchError, match="source town has no addresses to read from: use --from DIR"):
        fetch(source_of())
