"""Feeds of monthly indicators: read as a whole, keyed by month, known after their publication lag."""

from pathlib import Path

import pytest

from homei.config import params
from homei.ingestion import ingest
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.feeds import FetchConfig
from homei.ingestion.fetch import run as fetch
from homei.storage import lake
from homei.validation.validate import validate_records

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
def series_url(site):
    """The address of the series on a local server."""

    site.answers["/rates.csv"] = SERIES
    return f"{site.url}/rates.csv?token=x"


def validated(source):
    fetch(source.city, source.feeds, FetchConfig(url=""))
    raw = ingest.records(source, "indicators").to_pandas()
    return validate_records(raw, source, "indicators")


def test_a_series_at_an_address_has_the_month_of_its_publication(town, series_url, monkeypatch):
    monkeypatch.setenv("BANK", series_url)
    valid = validated(town("$BANK")).valid
    assert valid[["series", "month", "value", "known_from"]].to_numpy().tolist() == [
        ["interest_rate", "2024-11", 3.25, "2025-01"],
        ["interest_rate", "2024-12", 3.0, "2025-02"],
    ]


def test_a_series_in_a_file_is_read_and_its_revisions_are_archived(town):
    Path("rates.csv").write_text(SERIES)
    source = town("rates.csv")
    validated(source)
    Path("rates.csv").write_text(SERIES.replace("3,25", "3,30"))
    assert validated(source).valid["value"].tolist() == [3.3, 3.0]
    (replaced,) = lake.HISTORICAL.rglob("*.parquet")
    assert lake.read_arrow(replaced).to_pylist() == [{"OBS": "3,25", "TIME": "2024-11", "_key": "2024-11"}]


def test_unreadable_values_and_months_are_quarantined(town):
    Path("rates.csv").write_text("TIME;OBS\n2024-11;soon\nNovember;1\n2024-10;2,5\n")
    result = validated(town("rates.csv"))
    assert result.valid["month"].tolist() == ["2024-10"]
    assert set(result.quarantined["reasons"]) == {"value: not a number", "month: not a date"}


def test_a_missing_file_is_an_error_that_names_it(town):
    with pytest.raises(SourceError, match=r"feed interest_rate: address = 'rates\.csv': no such file"):
        list(town("rates.csv").feeds.indicators[0].records(None, {}))


def test_a_negative_lag_is_an_error(town):
    with pytest.raises(
        params.ParamsError, match=r"indicators\.lag_months = -1: input should be greater than or equal to 0"
    ):
        town("rates.csv", lag_months=-1)
