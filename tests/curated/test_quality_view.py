import datetime

import pytest

from homei.curated.quality_view import data_quality
from homei.validation.validate import feed_columns

MAY, JUNE = datetime.date(2021, 5, 1), datetime.date(2021, 6, 1)
QUARANTINE = (
    "transaction_id string, sale_date string, price string, floor string, source_feed string, source_table string, "
    "reasons string"
)
REJECTED = [
    ("t1", "2021-06-02", "9", None, "main", "sales", "duplicate: of line 3"),
    ("t8", "2021-06-03", "-5", None, "main", "sales", "price: outside [0, 10]; price_per_square_meter: outside [1, 2]"),
    ("t9", "2021-06-03", "n/a", None, "main", "sales", "price: missing, the cell says n/a"),
    ("t10", "45000", "7", None, "main", "sales", "sale_date: not a date"),
    (None, None, None, None, "main", "leads", "row: can't be read"),
    ("t0", "2021-05-03", "8", None, "main", "sales", "replaced: by line 7 in new.csv"),
    (None, None, None, None, None, "places", "name: missing"),
]


@pytest.fixture(scope="module")
def told(spark, rows_of, town, curate) -> dict:
    """The rows by table, feed, month and column."""
    sales = rows_of(
        "sales",
        {"transaction_id": "t0", "sale_date": datetime.date(2021, 5, 3)},
        {"transaction_id": "t1", "sale_date": datetime.date(2021, 6, 2)},
        {"transaction_id": "t2", "sale_date": datetime.date(2021, 6, 4), "source_feed": "brokers", "floor": 3.0},
        {"transaction_id": "t3", "sale_date": datetime.date(2021, 12, 1), "source_feed": "brokers"},
    ).drop("is_market", "market_reasons")
    valid = {name: rows_of(name) for name in ("listings", "leads")} | {
        "sales": sales,
        "customers": rows_of("customers", {"customer_id": "c1", "email": "0e"}),
        "indicators": rows_of(
            "indicators", {"series": "rate", "month": "2021-11", "value": 1.0, "known_from": "2021-12"}
        ),
    }
    received = {
        "sales": ["main"] * 7 + ["brokers"] * 3,
        "customers": ["main"],
        "leads": ["main"] * 2,
        "listings": ["gone"],
    }
    raw = {
        name: spark.createDataFrame([(feed,) for feed in received.get(name, ["main"])], "source_feed string")
        for name in valid
    }
    declared = spark.createDataFrame(feed_columns(town))
    quarantine = spark.createDataFrame(REJECTED, QUARANTINE)
    rows = data_quality(raw, valid, quarantine, declared, town.city.as_of, curate.thresholds).collect()
    return {(row["table_name"], row["feed"], row["month"], row["column_name"]): row.asDict() for row in rows}


def of(row: dict, *names: str) -> list:
    return [row[name] for name in names]


def test_a_record_is_valid_where_nothing_is_held_against_it(told):
    assert of(told["sales", "main", JUNE, "*"], "rows", "validity", "validity_threshold") == [4, 0.25, 0.9]
    assert told["sales", "main", JUNE, "*"]["verdict"] == "fails"
    assert of(told["sales", "main", MAY, "*"], "rows", "validity", "verdict") == [2, 1.0, "holds"]


def test_ids_are_unique_where_each_comes_once_rejected_ones_too(told):
    assert told["sales", "main", JUNE, "*"]["uniqueness"] == 0.75
    assert told["sales", "main", MAY, "*"]["uniqueness"] == 1.0


def test_a_column_is_complete_where_it_holds_something_and_valid_where_that_was_not_objected_to(told):
    price = told["sales", "main", JUNE, "price"]
    assert of(price, "rows", "completeness", "completeness_threshold") == [4, 0.75, 0.98]
    assert price["validity"] == round(2 / 3, 6)
    assert price["verdict"] == "fails"


def test_what_is_not_required_may_be_missing(told):
    floor = told["sales", "brokers", datetime.date(2021, 12, 1), "floor"]
    assert of(floor, "completeness", "completeness_threshold", "validity", "verdict") == [0.0, 0.0, None, "holds"]


def test_only_columns_that_a_feed_declares_are_measured(told):
    measured = {column for table, feed, _, column in told if (table, feed) == ("sales", "main")}
    assert measured == {"*", "transaction_id", "sale_date", "price", "square_meters", "location"}


def test_freshness_is_the_newest_records_age_in_days(told):
    brokers = [told["sales", "brokers", month, "*"]["freshness_days"] for month in (JUNE, datetime.date(2021, 12, 1))]
    assert brokers == [None, 30]
    assert of(told["sales", "main", JUNE, "*"], "freshness_days", "freshness_threshold") == [211, 45]
    assert told["sales", "brokers", datetime.date(2021, 12, 1), "*"]["verdict"] == "fails"  # a row was lost


def test_an_indicator_is_as_fresh_as_its_publication(told):
    row = told["indicators", "main", datetime.date(2021, 11, 1), "*"]
    assert of(row, "freshness_days", "verdict") == [30, "holds"]


def test_every_row_received_was_believed_or_rejected(told):
    assert told["sales", "main", JUNE, "*"]["accounted"] == 1.0
    assert told["sales", "brokers", datetime.date(2021, 12, 1), "*"]["accounted"] == round(2 / 3, 6)
    lost = told["listings", "gone", None, "*"]
    assert of(lost, "rows", "accounted", "accounted_threshold", "verdict") == [0, 0.0, 1.0, "fails"]


def test_a_rejected_row_whose_date_cant_be_read_is_of_no_month(told):
    assert of(told["sales", "main", None, "*"], "rows", "validity", "freshness_days") == [1, 0.0, None]
    assert told["sales", "main", None, "sale_date"]["validity"] == 0.0
    assert told["leads", "main", None, "*"]["accounted"] == 0.5


def test_points_of_interest_are_no_records(told):
    assert {table for table, *_ in told} == {"sales", "listings", "customers", "leads", "indicators"}
