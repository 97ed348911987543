"""Monthly series: read whole, known by their month, and only once they are published."""

import http.server
import threading
from pathlib import Path

import pytest

from homei import lake, params
from homei.quality.validate import judge
from homei.sources import ingest
from homei.sources.fetch import run as fetch
from homei.sources.rows import SourceError

SERIES = "TIME;OBS\n2024-11;3,25\n2024-12;3,00\n"


@pytest.fixture
def town(source_of):
    """Builds a source with one series of interest rates, published two months later."""

    def build(address, **parts):
        declared = {
            "name": "interest_rate", "kind": "indicators", "address": address, "reading": {"delimiter": ";"},
            "month": {"column": "TIME", "format": "%Y-%m"}, "value": {"column": "OBS", "decimal": ","},
            "lag_months": 2, **parts,
        }  # fmt: skip
        return source_of(indicators=declared)

    return build


@pytest.fixture
def bank():
    """A server that publishes the series; its address."""

    class Publishing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = SERIES.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publishing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/rates.csv?token=x"
        server.shutdown()


def judged(source):
    fetch(source)
    raw = ingest.records(source, "indicators").to_pandas()
    return judge(raw, source, "indicators")


def test_a_series_comes_from_an_address_with_the_month_in_which_it_is_known(town, bank, monkeypatch):
    monkeypatch.setenv("BANK", bank)
    valid = judged(town("$BANK")).valid
    assert valid[["series", "month", "value", "known_from"]].to_numpy().tolist() == [
        ["interest_rate", "2024-11", 3.25, "2025-01"],
        ["interest_rate", "2024-12", 3.0, "2025-02"],
    ]


def test_a_series_comes_from_a_file_and_its_revisions_are_archived(town):
    Path("rates.csv").write_text(SERIES)
    source = town("rates.csv")
    judged(source)
    Path("rates.csv").write_text(SERIES.replace("3,25", "3,30"))
    assert judged(source).valid["value"].tolist() == [3.3, 3.0]
    (replaced,) = lake.HISTORICAL.rglob("*.parquet")
    assert lake.read_arrow(replaced).to_pylist() == [{"OBS": "3,25", "TIME": "2024-11", "_key": "2024-11"}]


def test_a_value_that_is_none_and_a_month_that_is_none_are_set_aside(town):
    Path("rates.csv").write_text("TIME;OBS\n2024-11;soon\nNovember;1\n2024-10;2,5\n")
    found = judged(town("rates.csv"))
    assert found.valid["month"].tolist() == ["2024-10"]
    assert set(found.quarantined["reasons"]) == {"value: not a number", "month: not a date"}


def test_a_file_that_is_not_there_is_named(town):
    with pytest.raises(SourceError, match=r"feed interest_rate: address = 'rates\.csv': no such file"):
        list(town("rates.csv").indicators[0].records(None, {}))


def test_a_lag_below_zero_would_know_the_future(town):
    with pytest.raises(
        params.ParamsError, match=r"indicators\.lag_months = -1: input should be greater than or equal to 0"
    ):
        town("rates.csv", lag_months=-1)
