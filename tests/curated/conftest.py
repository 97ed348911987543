"""Small tables as the stages before leave them: of each row only what matters, the rest is ordinary or unknown."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest

from homei.config.city import CityConfig, ContractConfig
from homei.config.feeds import FeedsConfig, Source
from homei.config.projection import Coordinates
from homei.curated.config import CurateConfig, QualityThresholds
from homei.features.columns import month_of
from homei.features.price_index import with_changes
from homei.ingestion.connectors.files import Files

AS_OF = datetime.date(2021, 12, 31)
ORIGIN = "source_feed string, source_file string, source_line long"
HOME = (
    "square_meters double, property_type string, location string, bedrooms double, bathrooms double, "
    "year_built double, floor double, latitude double, longitude double, address string"
)
SALE = f"transaction_id string, property_id string, sale_date date, price double, {HOME}, seller string, buyer string"
LISTING = f"listing_id string, property_id string, listed_on date, closed_on date, price double, {HOME}"
SCHEMAS = {
    "sales": f"{SALE}, {ORIGIN}, is_market boolean, market_reasons string",
    "properties": f"property_id string, {HOME}, source_feed string",
    "listings": f"{LISTING}, {ORIGIN}, duplicate_of string",
    "customers": "customer_id string, name string, email string, phone string, location string, registered_on date, "
    + ORIGIN,
    "leads": "lead_id string, customer_id string, listing_id string, transaction_id string, activity string, "
    f"happened_on date, budget double, {ORIGIN}",
    "indicators": f"series string, month string, value double, known_from string, {ORIGIN}",
}
PLACE = {"location": "north", "property_type": "flat", "square_meters": 100.0}
ORDINARY = {
    "sales": {"sale_date": datetime.date(2021, 6, 15), "price": 200_000.0, "is_market": True} | PLACE,
    "properties": PLACE,
    "listings": {"listed_on": datetime.date(2021, 6, 1), "price": 210_000.0} | PLACE,
    "customers": {"registered_on": datetime.date(2021, 1, 1)},
    "leads": {"activity": "inquiry", "happened_on": datetime.date(2021, 6, 20)},
    "indicators": {},
}
IDS = {"sales": "transaction_id", "listings": "listing_id", "leads": "lead_id"}


def names(schema: str) -> list[str]:
    return [column.split()[0] for column in schema.split(", ")]


@pytest.fixture(scope="session")
def rows_of(spark):
    """Makes a table of the lake, as a frame of Spark, out of rows that tell what is not ordinary about them."""

    def make(table: str, *rows: dict):
        schema, key = SCHEMAS[table], IDS.get(table)
        full = [
            dict.fromkeys(names(schema))
            | {"source_feed": "main", "source_file": "main.csv", "source_line": number + 2}
            | ORDINARY[table]
            | ({key: f"{key[0]}{number}"} if key else {})
            | row
            for number, row in enumerate(rows)
        ]
        return spark.createDataFrame([tuple(row[name] for name in names(schema)) for row in full], schema)

    return make


@pytest.fixture(scope="session")
def index():
    """Makes a market index out of the levels at which months close, from January 2021 on."""

    def make(*closing: float) -> pd.DataFrame:
        first = month_of(datetime.date(2021, 1, 1)) + 1
        months = pd.Series(range(first, first + len(closing)), dtype="int64")
        return with_changes(pd.DataFrame({"month": months, "market_level": list(closing)}))

    return make


@pytest.fixture(scope="session")
def curate() -> CurateConfig:
    thresholds = QualityThresholds(completeness=0.98, optional=0.0, validity=0.9, uniqueness=1.0, freshness_days=45)
    return CurateConfig(commission_rate=0.03, history_months=12, average_months=12, thresholds=thresholds)


@pytest.fixture(scope="session")
def town() -> Source:
    """A town with two feeds of sales, and customers."""
    columns = {name: name for name in ("transaction_id", "sale_date", "price", "square_meters", "location")}
    customers = {name: name for name in ("customer_id", "name", "email", "phone", "registered_on")}
    city = CityConfig(
        name="town",
        title="Town",
        currency="EUR",
        as_of=AS_OF,
        folder="data/external/town",
        coordinates=Coordinates(system="plane"),
    )
    feeds = FeedsConfig(
        sales=[
            Files(kind="files", name="main", files=["main.csv"], columns=columns),
            Files(kind="files", name="brokers", files=["brokers.csv"], columns={**columns, "floor": "floor"}),
        ],
        customers=Files(kind="files", name="main", files=["customers.csv"], columns=customers),
    )
    return Source(city, feeds, ContractConfig(required=["price", "square_meters", "location", "property_type"]))
