"""One sale that several feeds report."""

import datetime

import pytest

from homei.entities.sales import merged

FEEDS = ["register", "brokers", "agents"]
REPORT = {"source_feed": "brokers", "property_id": "P1", "price": 301_000.0, "sale_date": datetime.date(2024, 5, 6)}


@pytest.fixture
def kept(records_of, settings):
    def find(*rows):
        sales, gone = merged(records_of(*rows), FEEDS, settings.merge)
        return sales, dict(zip(gone["transaction_id"], gone["merged_into"], strict=True))

    return find


def test_the_feed_of_highest_precedence_wins_and_the_other_fills_its_gaps(kept):
    sales, gone = kept({"property_id": "P1", "bedrooms": None}, {**REPORT, "bedrooms": 3.0, "bathrooms": 1.0})
    assert sales["transaction_id"].tolist() == ["T1"]
    assert sales[["price", "bedrooms", "bathrooms", "source_feed"]].to_numpy().tolist() == [
        [300_000.0, 3.0, 1.0, "register"]
    ]
    assert gone == {"T2": "T1"}


@pytest.mark.parametrize(
    "difference",
    [{"price": 320_000.0}, {"sale_date": datetime.date(2024, 8, 1)}, {"property_id": "P2", "location": "West"}],
)
def test_another_price_date_or_property_is_another_sale(kept, difference):
    sales, gone = kept({"property_id": "P1"}, {**REPORT, **difference})
    assert len(sales) == 2
    assert gone == {}


def test_a_report_without_a_property_is_known_by_location_type_and_area(kept):
    assert kept({"property_id": "P1"}, {**REPORT, "property_id": None})[1] == {"T2": "T1"}
    assert kept({"property_id": "P1"}, {**REPORT, "property_id": None, "square_meters": 95.0})[1] == {}


def test_a_report_that_fits_several_sales_is_merged_with_none(kept):
    assert kept({"property_id": "P1"}, {"property_id": "P2"}, {**REPORT, "property_id": None})[1] == {}


def test_reports_of_one_feed_are_never_one_sale(kept):
    assert kept(REPORT, REPORT)[1] == {}
    # Nor by way of a third: the nearest report is the sale, the other stays.
    near, far = REPORT, {**REPORT, "price": 302_900.0}
    assert kept({"property_id": "P1"}, far, near)[1] == {"T3": "T1"}
    assert kept({"property_id": "P1"}, near, near)[1] == {"T2": "T1"}


def test_flats_of_one_price_list_are_told_apart_by_their_properties(kept):
    assert kept({"property_id": "P1"}, {**REPORT, "property_id": "P2", "price": 300_000.0})[1] == {}


def test_a_gap_is_filled_by_the_first_feed_that_knows(kept):
    agents = {**REPORT, "source_feed": "agents", "bedrooms": 4.0, "floor": 2.0}
    brokers = {**REPORT, "bedrooms": 3.0}
    sales, _ = kept(agents, brokers, {"property_id": "P1"})
    assert sales[["transaction_id", "bedrooms", "floor"]].to_numpy().tolist() == [["T3", 3.0, 2.0]]


def test_three_feeds_that_tell_of_one_sale_leave_one(kept):
    sales, gone = kept({"property_id": "P1"}, REPORT, {**REPORT, "source_feed": "agents"})
    assert sales["transaction_id"].tolist() == ["T1"]
    assert gone == {"T2": "T1", "T3": "T1"}


def test_what_the_register_lacks_stays_from_the_next_feed(kept):
    sales, gone = kept(REPORT, {**REPORT, "source_feed": "agents"})
    assert sales["transaction_id"].tolist() == ["T1"]
    assert gone == {"T2": "T1"}
