"""Sales without a market price are flagged with reasons, and unusual market sales are not."""

import datetime

import numpy as np
import pandas as pd
import pytest

from homei.resolution.sale_validation import comparable_ratio, comparison_rows, flag_sales


@pytest.fixture
def street(records_of):
    """Sixty flats of one street, sold for about 4,000 per m² over two years, after the rows that a test adds."""

    def build(*rows, sigma=0.06):
        random = np.random.default_rng(5)
        usual = [
            {
                "property_id": f"P{number}",
                "price": 320_000.0 * float(np.exp(random.normal(0, sigma))),
                "latitude": float(random.uniform(0, 500)),
                "longitude": 0.0,
                "sale_date": datetime.date(2023, 1, 1) + datetime.timedelta(days=12 * number),
            }
            for number in range(60)
        ]
        here = {"latitude": 250.0, "longitude": 0.0, "sale_date": datetime.date(2024, 1, 10)}
        return records_of(*({**here, **row} for row in rows), *usual)

    return build


@pytest.fixture
def reasons(street, plane, settings):
    def find(*rows, **changes):
        flags = flag_sales(street(*rows, **changes), plane, settings.market)
        assert (flags["is_market"] == (flags["market_reasons"] == "")).all()
        assert flags["is_market"].iloc[len(rows) :].all()
        return flags["market_reasons"].head(len(rows)).tolist()

    return find


def test_usual_sales_are_market_sales(reasons):
    assert reasons({"price": 330_000.0}) == [""]


def test_a_price_of_one_is_nominal(reasons):
    assert reasons({"price": 1.0}) == ["nominal_price; ratio_outlier"]


@pytest.mark.parametrize("price", [190_000.0, 520_000.0])
def test_a_price_far_above_or_below_its_comparables_is_an_outlier(reasons, price):
    assert reasons({"price": price}) == ["ratio_outlier"]


def test_new_buildings_among_old_ones_are_compared_with_each_other(records_of, plane, settings):
    random = np.random.default_rng(2)
    rows = [
        {
            "price": 320_000.0 * float(np.exp(random.normal(0, 0.06))) * (1.5 if new else 1.0),
            "year_built": 2015.0 if new else 1975.0,
            "latitude": float(random.uniform(0, 500)),
            "longitude": 0.0,
            "sale_date": datetime.date(2023, 1, 1) + datetime.timedelta(days=3 * number),
        }
        for number in range(240) for new in [number % 6 == 0]
    ]  # fmt: skip
    flags = flag_sales(records_of(*rows), plane, settings.market)["is_market"]
    assert flags.tail(120).all()  # from when some new ones have sold


def test_an_outlier_must_be_farther_off_where_comparables_vary_more(reasons):
    assert reasons({"price": 225_000.0}) == ["ratio_outlier"]
    assert reasons({"price": 225_000.0}, sigma=0.15) == [""]


def test_a_low_price_within_a_family_is_flagged_and_a_usual_one_is_not(reasons):
    family = {"seller_family": "f1", "buyer_family": "f1"}
    assert reasons({"price": 215_000.0, **family}, {"price": 325_000.0, **family}) == [
        "family_transfer; ratio_outlier",
        "",
    ]
    assert reasons({"price": 250_000.0, **family}) == ["family_transfer"]
    assert reasons({"price": 250_000.0, "seller_family": "f1", "buyer_family": "f2"}) == [""]


def test_several_cheap_sales_to_one_buyer_in_a_day_are_a_bulk_transfer(reasons):
    deal = {"buyer": "b1", "price": 250_000.0}
    assert reasons(deal, deal, deal) == ["bulk_transfer"] * 3
    assert reasons(deal, deal) == ["", ""]
    assert reasons(*[{**deal, "price": 320_000.0}] * 3) == [""] * 3
    sold = {"seller": "s1", "price": 250_000.0}
    assert reasons(sold, sold, sold) == ["bulk_transfer"] * 3


def test_several_deeds_with_the_total_price_are_a_bulk_transfer(reasons):
    deed = {"buyer": "b1", "price": 960_000.0}
    assert reasons(deed, deed, deed) == ["bulk_transfer; ratio_outlier"] * 3


def test_later_prices_do_not_change_the_flags_of_earlier_sales(street, plane, settings):
    sales = street({"price": 190_000.0}, {"price": 330_000.0})
    before = (sales["sale_date"] < "2024-03-01").to_numpy()
    results = [
        flag_sales(sales.assign(price=sales["price"].where(before, prices)), plane, settings.market)
        for prices in (sales["price"], sales["price"] / 5)
    ]
    assert results[0][before].equals(results[1][before])
    assert not results[0][~before].equals(results[1][~before])


def test_later_sales_do_not_change_the_flags_of_earlier_ones(street, plane, settings):
    sales = street({"price": 190_000.0}, {"price": 330_000.0})
    before = sales["sale_date"] < "2024-03-01"
    later = sales[~before]
    # Hundreds of later sales next door take no earlier sale's place among the comparables.
    copies = [later.assign(transaction_id=later["transaction_id"] + f"-{number}") for number in range(200)]
    flags = flag_sales(sales, plane, settings.market)[before]
    assert flags["market_reasons"].iloc[0] == "ratio_outlier"
    for changed in (sales[before], pd.concat([*copies, sales])):
        assert flag_sales(changed, plane, settings.market).loc[flags.index].equals(flags)


def test_flags_do_not_depend_on_the_order_of_rows(street, plane, settings):
    sales = street({"price": 190_000.0}, {"price": 330_000.0})
    shuffled = sales.sample(frac=1, random_state=1)
    flags = flag_sales(sales, plane, settings.market)
    assert flag_sales(shuffled, plane, settings.market).loc[flags.index].equals(flags)


def test_sales_without_an_area_are_compared_by_their_whole_price(street, plane, settings):
    sales = street({"price": 190_000.0}, {"price": 330_000.0}).assign(square_meters=np.nan)
    assert flag_sales(sales, plane, settings.market)["market_reasons"].head(3).tolist() == ["ratio_outlier", "", ""]
    some = street({"price": 190_000.0, "square_meters": np.nan}, {"price": 330_000.0})
    assert flag_sales(some, plane, settings.market)["is_market"].all(), "no other sale is without an area"


def test_a_quick_resale_farther_from_comparables_is_flagged_and_the_previous_sale_is_not(reasons):
    first = {"property_id": "Q", "price": 320_000.0}
    again = {"property_id": "Q", "price": 415_000.0, "sale_date": datetime.date(2024, 1, 30)}
    assert reasons(first, again) == ["", "quick_resale"]
    assert reasons({**first, "price": 415_000.0}, {**again, "price": 320_000.0}) == ["", ""]


def test_a_resale_at_a_similar_price_or_much_later_is_not_flagged(reasons):
    first = {"property_id": "Q", "price": 320_000.0}
    soon, later = datetime.date(2024, 1, 30), datetime.date(2024, 9, 30)
    assert reasons(first, {"property_id": "Q", "price": 340_000.0, "sale_date": soon}) == ["", ""]
    assert reasons(first, {"property_id": "Q", "price": 415_000.0, "sale_date": later}) == ["", ""]


def test_sales_with_too_few_comparables_are_not_flagged(records_of, plane, settings):
    few = records_of(
        *({"price": 300_000.0, "latitude": 0.0, "longitude": float(x)} for x in range(5)), {"price": 90_000.0}
    )
    assert flag_sales(few, plane, settings.market)["is_market"].all()


def test_without_coordinates_sales_of_the_same_location_are_compared(street, plane, settings):
    sales = street({"price": 190_000.0}).assign(latitude=np.nan, longitude=np.nan)
    assert flag_sales(sales, plane, settings.market)["market_reasons"].tolist() == ["ratio_outlier"] + [""] * 60
    elsewhere = sales.assign(location=["West"] + ["East"] * 60)
    assert flag_sales(elsewhere, plane, settings.market)["is_market"].all()


def test_a_district_with_falling_prices_is_not_flagged_as_a_whole(records_of, plane, settings):
    random = np.random.default_rng(3)
    rows = [
        {
            "price": 320_000.0 * float(np.exp(random.normal(0, 0.06) - 0.18 * (district == 1 and month >= 18))),
            "latitude": float(random.uniform(0, 1500) + 1500 * district),
            "longitude": float(random.uniform(0, 1500)),
            "sale_date": datetime.date(2023 + month // 12, month % 12 + 1, 15),
        }
        for district in (0, 1, 2) for month in range(24) for _ in range(8)
    ]  # fmt: skip
    flags = flag_sales(records_of(*rows), plane, settings.market)
    assert (~flags["is_market"]).mean() < 0.01


@pytest.mark.parametrize("n_twins", [24, 30, 400])
def test_of_equally_near_comparables_those_with_the_lowest_ids_count_in_any_order_of_rows(records_of, plane, n_twins):
    random = np.random.default_rng(4)
    here = {"latitude": 0.0, "longitude": 0.0}
    twins = [
        {**here, "transaction_id": f"A{number:03d}", "price": float(random.integers(200_000, 400_000))}
        for number in range(n_twins)
    ]
    later = {**here, "transaction_id": "later", "sale_date": datetime.date(2024, 6, 1)}
    rows = comparison_rows(records_of(*twins, later), plane)
    expected = rows["log_price"].iloc[-1] - rows["log_price"].iloc[:24].median()
    for ordered in (rows, rows.sample(frac=1.0, random_state=1)):
        ratio, _ = comparable_ratio(ordered)
        assert ratio[(ordered["id"] == "later").to_numpy()] == pytest.approx(expected, abs=1e-12)
