"""One sale that several feeds report."""

import datetime

import pytest

from homei.resolution.duplicate_sales import merge_duplicates

FEEDS = ["register", "brokers", "agents"]
REPORT = {"source_feed": "brokers", "property_id": "P1", "price": 301_000.0, "sale_date": datetime.date(2024, 5, 6)}


@pytest.fixture
def merge(records_of, settings):
    def find(*rows):
        sales, merged = merge_duplicates(records_of(*rows), FEEDS, settings.merge)
        return sales, dict(zip(merged["transaction_id"], merged["merged_into"], strict=True))

    return find


def test_the_preferred_report_is_kept_and_its_missing_values_are_filled(merge):
    sales, merged = merge({"property_id": "P1", "bedrooms": None}, {**REPORT, "bedrooms": 3.0, "bathrooms": 1.0})
    assert sales["transaction_id"].tolist() == ["T1"]
    assert sales[["price", "bedrooms", "bathrooms", "source_feed"]].to_numpy().tolist() == [
        [300_000.0, 3.0, 1.0, "register"]
    ]
    assert merged == {"T2": "T1"}


@pytest.mark.parametrize(
    "difference",
    [{"price": 320_000.0}, {"sale_date": datetime.date(2024, 8, 1)}, {"property_id": "P2", "location": "West"}],
)
def test_another_price_date_or_property_is_another_sale(merge, difference):
    sales, merged = merge({"property_id": "P1"}, {**REPORT, **difference})
    assert len(sales) == 2
    assert merged == {}


def test_a_report_without_property_is_matched_by_location_type_and_area(merge):
    assert merge({"property_id": "P1"}, {**REPORT, "property_id": None})[1] == {"T2": "T1"}
    assert merge({"property_id": "P1"}, {**REPORT, "property_id": None, "square_meters": 95.0})[1] == {}


def test_a_report_that_fits_several_sales_is_not_merged(merge):
    assert merge({"property_id": "P1"}, {"property_id": "P2"}, {**REPORT, "property_id": None})[1] == {}


def test_reports_of_one_feed_are_never_merged(merge):
    assert merge(REPORT, REPORT)[1] == {}
    # Only the nearest report of a feed is merged into another one.
    near, far = REPORT, {**REPORT, "price": 302_900.0}
    assert merge({"property_id": "P1"}, far, near)[1] == {"T3": "T1"}
    assert merge({"property_id": "P1"}, near, near)[1] == {"T2": "T1"}


def test_sales_of_two_known_properties_are_not_merged(merge):
    assert merge({"property_id": "P1"}, {**REPORT, "property_id": "P2", "price": 300_000.0})[1] == {}


def test_a_missing_value_is_filled_from_the_first_feed_that_has_it(merge):
    agents = {**REPORT, "source_feed": "agents", "bedrooms": 4.0, "floor": 2.0}
    brokers = {**REPORT, "bedrooms": 3.0}
    sales, _ = merge(agents, brokers, {"property_id": "P1"})
    assert sales[["transaction_id", "bedrooms", "floor"]].to_numpy().tolist() == [["T3", 3.0, 2.0]]


def test_three_reports_of_one_sale_leave_one(merge):
    sales, merged = merge({"property_id": "P1"}, REPORT, {**REPORT, "source_feed": "agents"})
    assert sales["transaction_id"].tolist() == ["T1"]
    assert merged == {"T2": "T1", "T3": "T1"}


def test_a_sale_that_the_first_feed_lacks_is_kept_from_the_next_one(merge):
    sales, merged = merge(REPORT, {**REPORT, "source_feed": "agents"})
    assert sales["transaction_id"].tolist() == ["T1"]
    assert merged == {"T2": "T1"}
