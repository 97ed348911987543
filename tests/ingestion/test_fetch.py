"""`homei fetch` of files, against a local HTTP server that follows data.gov.sg's dataset API."""

import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest

from homei.ingestion.connectors.http_client import ATTEMPTS, FetchError
from homei.ingestion.feeds import FetchConfig
from homei.ingestion.fetch import run
from homei.ingestion.source_files import POLL_PAUSE_SECONDS, read_checksums

CONTENT = ("month,price\n" + "2015-01,255000\n" * 4000).encode()


def fetch(declared, from_dir=None, **options):
    """Runs the stage on a source, or on a source and its section `fetch`."""
    source, config = declared if len(declared) == 2 else (declared, FetchConfig(url=""))
    return run(source.city, source.feeds, config, from_dir, **options)


class DatasetServer(http.server.ThreadingHTTPServer):
    """A dataset API: `pending` polls without a result, then the answers of `plan` to /file, then the file."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), DatasetHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.content, self.etag, self.pending, self.plan, self.requests = CONTENT, '"v1"', 0, [], []


class DatasetHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, byte_range = self.server, self.headers.get("Range")
        path = self.path.partition("?")[0]
        server.requests.append(f"{path} {byte_range}" if byte_range else path)
        if path == "/file":
            self.send_file(byte_range)
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

    def send_file(self, byte_range):
        server = self.server
        step = server.plan.pop(0) if server.plan else "whole"
        if isinstance(step, tuple):
            return self.send(step[0], b"", **step[1])
        same = self.headers.get("If-Range", server.etag) == server.etag
        start = int(byte_range[6:-1]) if byte_range and same and step != "no ranges" else 0
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
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = DatasetServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def town(source_of, server):
    def build(datasets=None, **parts):
        return source_of(**parts), FetchConfig(url=server.url, datasets=datasets or {"sales.csv": "d_1"})

    return build


def files_of(server):
    return [request for request in server.requests if request.startswith("/file")]


TARGET = Path("data/sales.csv")


def test_a_dataset_is_exported_polled_and_downloaded(town, server):
    server.pending, waits = 2, []
    assert fetch(town(), sleep=waits.append) == [TARGET]
    assert TARGET.read_bytes() == CONTENT
    assert server.requests == ["/d_1/initiate-download", *["/d_1/poll-download"] * 3, "/file"]
    assert waits == [POLL_PAUSE_SECONDS] * 2
    assert read_checksums(TARGET.parent) == {"sales.csv": hashlib.sha256(CONTENT).hexdigest()}
    assert sorted(path.name for path in TARGET.parent.iterdir()) == ["SHA256SUMS", "sales.csv"]


def test_an_interrupted_download_is_resumed(town, server):
    server.plan = ["cut", "cut"]
    fetch(town(), sleep=lambda seconds: None)
    assert TARGET.read_bytes() == CONTENT
    half, rest = len(CONTENT) // 2, len(CONTENT) - len(CONTENT) // 2
    assert files_of(server) == ["/file", f"/file bytes={half}-", f"/file bytes={half + rest // 2}-"]


def test_a_download_restarts_where_the_server_does_not_support_ranges(town, server):
    server.plan = ["cut", "no ranges"]
    fetch(town(), sleep=lambda seconds: None)
    assert TARGET.read_bytes() == CONTENT


def test_a_later_call_resumes_an_incomplete_download(town, server):
    server.plan = ["cut", *[(503, {})] * (ATTEMPTS - 1)]
    with pytest.raises(FetchError, match="503"):
        fetch(town(), sleep=lambda seconds: None)
    assert not TARGET.exists()
    server.requests.clear()
    fetch(town(), sleep=lambda seconds: None)
    assert files_of(server) == [f"/file bytes={len(CONTENT) // 2}-"]
    assert TARGET.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['"v2"', None])
def test_an_incomplete_download_of_another_version_is_discarded(town, server, etag):
    server.etag = server.etag if etag else None
    server.plan = ["cut", *[(503, {})] * (ATTEMPTS - 1)]
    with pytest.raises(FetchError):
        fetch(town(), sleep=lambda seconds: None)
    server.etag, server.content = etag, CONTENT.replace(b"255000", b"300000")
    fetch(town(), sleep=lambda seconds: None)
    assert TARGET.read_bytes() == server.content


def test_a_download_restarts_where_the_file_has_become_shorter(town, server):
    server.plan = ["cut"]
    source = town()

    def shrink(seconds):
        server.content = CONTENT[:100]

    fetch(source, sleep=shrink)
    assert TARGET.read_bytes() == CONTENT[:100]


def test_retry_after_is_respected(town, server, capsys):
    server.plan, waits = [(429, {"Retry_After": "1"}), (429, {"Retry_After": "0"}), (503, {})], []
    fetch(town(), sleep=waits.append)
    assert TARGET.read_bytes() == CONTENT
    assert waits[:2] == [1.0, 0.0]
    assert 4.0 <= waits[2] <= 8.0
    assert "homei: d_1: the server answered 429 Too Many Requests; retry in 1 s\n" in capsys.readouterr().err


def test_a_download_that_keeps_failing_is_an_error(town, server):
    server.plan, waits = [(500, {})] * ATTEMPTS, []
    with pytest.raises(FetchError, match=rf"d_1: {server.url}/file failed {ATTEMPTS} times: the server answered 500"):
        fetch(town(), sleep=waits.append)
    assert all(0.5 <= wait / 2.0**failures <= 1.0 for failures, wait in enumerate(waits, 1))
    assert len(waits) == ATTEMPTS - 1


def test_messages_do_not_contain_the_signature_of_an_address(town, server):
    server.plan = [(403, {})]
    with pytest.raises(FetchError) as error:
        fetch(town(), sleep=lambda seconds: None)
    assert "was answered 403 Forbidden" in str(error.value)
    assert "secret" not in str(error.value)


def test_an_unknown_dataset_is_an_error_that_names_its_address(town, server):
    message = rf"d_unknown: GET {server.url}/d_unknown/initiate-download was answered 404 Not Found"
    with pytest.raises(FetchError, match=message):
        fetch(town({"sales.csv": "d_unknown"}))


def test_the_error_message_of_the_api_is_passed_on(town):
    with pytest.raises(FetchError, match=r"d_refused: .* refused the request: Dataset is not published"):
        fetch(town({"sales.csv": "d_refused"}))


def test_an_export_that_never_ends_is_an_error(town, server):
    server.pending = 1000
    with pytest.raises(FetchError, match="d_1: not exported after"):
        fetch(town(), sleep=lambda seconds: None)


def test_an_intact_file_is_not_downloaded_again(town, server):
    fetch(town())
    server.requests.clear()
    assert fetch(town()) == [TARGET]
    assert server.requests == []


def test_a_changed_file_is_downloaded_again(town, server):
    fetch(town())
    TARGET.write_bytes(CONTENT + b"2015-02,1\n")
    fetch(town())
    assert TARGET.read_bytes() == CONTENT


def test_a_complete_file_stays_when_the_next_one_fails(town):
    with pytest.raises(FetchError, match="d_unknown"):
        fetch(town({"sales.csv": "d_1", "more.csv": "d_unknown"}))
    assert list(read_checksums(TARGET.parent)) == ["sales.csv"]


def test_a_file_outside_the_folder_is_an_error(town):
    with pytest.raises(FetchError, match=r"'\.\./sales\.csv' is not a valid name"):
        fetch(town({"../sales.csv": "d_1"}))


def test_files_outside_the_download_are_listed(town, capsys):
    places = [{"kind": "park", "file": "parks.csv", "name": "n", "latitude": "y", "longitude": "x"}]
    fetch(town(places=places))
    message = "not part of the download: parks.csv; copy them with `homei fetch town --from DIR`"
    assert message in capsys.readouterr().err


def test_the_file_of_a_group_belongs_to_the_source(town, capsys):
    fetch(town(groups=[{"name": "band", "file": "bands.csv", "key": "location", "value": "band"}]))
    assert "not part of the download: bands.csv" in capsys.readouterr().err


def test_an_unreachable_server_is_an_error(town, source_of):
    source = source_of(), FetchConfig(url="http://127.0.0.1:9", datasets={"sales.csv": "d_1"})
    with pytest.raises(FetchError, match=r"d_1: http://127\.0\.0\.1:9/d_1/initiate-download failed"):
        fetch(source, sleep=lambda seconds: None)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("sales-1.csv", "sales-2.csv", "parks.csv", "notes.txt"):
        (folder / name).write_text(f"{name}\n1\n")
    return folder


PARKS = {"kind": "park", "file": "parks.csv", "name": "n", "latitude": "y", "longitude": "x"}
MALLS = {**PARKS, "kind": "mall", "file": "malls.csv"}


def test_copying_takes_every_file_that_the_source_declares(source_of, folder):
    source = source_of({"files": ["sales-*.csv"]}, places=[PARKS, MALLS])
    copied = fetch(source, folder)
    assert [path.name for path in copied] == ["parks.csv", "sales-1.csv", "sales-2.csv"]
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in copied)
    assert sorted(read_checksums(Path("data"))) == ["parks.csv", "sales-1.csv", "sales-2.csv"]


def test_copying_again_replaces_files_changed_on_either_side(source_of, folder):
    source = source_of({"files": ["sales-*.csv"]})
    fetch(source, folder)
    Path("data/sales-1.csv").write_text("spoiled")
    (folder / "sales-2.csv").write_text("newer")
    fetch(source, folder)
    assert Path("data/sales-1.csv").read_text() == "sales-1.csv\n1\n"
    assert Path("data/sales-2.csv").read_text() == "newer"


def test_copying_lists_all_required_files_that_are_missing(source_of, folder):
    source = source_of({"files": ["sales-1.csv", "old-*.csv"]}, places=[{**MALLS, "required": True}])
    with pytest.raises(FetchError, match=r"folder: lacks old-\*\.csv, malls\.csv, which city town needs"):
        fetch(source, folder)
    assert not list(Path("data").iterdir())


def test_a_source_without_addresses_needs_a_folder_to_copy_from(source_of):
    with pytest.raises(FetchError, match=r"city town declares no address to fetch from: copy .* with --from DIR"):
        fetch(source_of())
