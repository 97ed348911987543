import datetime

import numpy as np
import pandas as pd
import pytest

from homei.features.columns import month_of
from homei.features.index import with_changes
from homei.features.market import market_history, with_history, with_keys, with_market

JANUARY = month_of(datetime.date(2021, 1, 1))


def day(month: int) -> datetime.date:
    return datetime.date(2021, month, 20)


@pytest.fixture(scope="module")
def priced(spark, source, features, valid_sales):
    """Makes sales with u: the index is 7 throughout 2021, so a u of 0.5 is a price of e^7.5 per m²."""

    def make(*rows: dict):
        frame = valid_sales(*({**row, "price": 100 * float(np.exp(7 + row.get("u", 0.0)))} for row in rows)).drop(
            columns="u", errors="ignore"
        )
        index = with_changes(pd.DataFrame({"month": np.arange(JANUARY, JANUARY + 13), "market_level": 7.0}))
        return spark.createDataFrame(frame).transform(with_keys(source, features)).transform(with_market(index))

    return make


@pytest.fixture(scope="module")
def told(features):
    """The rows of some sales with their market history, as dictionaries in the order in which the sales were given."""

    def tell(sales) -> list[dict]:
        history = market_history(sales, features, JANUARY + 12).cache()
        rows = sales.transform(with_history(history, features)).orderBy("source_line").collect()
        return [row.asDict() for row in rows]

    return tell


def test_a_sale_is_measured_against_the_city_in_whole_micro_units(priced):
    (row,) = priced({"sale_date": day(3), "u": 0.25}).collect()
    assert row["u_micro"] == 250_000
    assert row["market_level"] == 7.0


def test_a_month_before_the_index_begins_has_no_level_and_no_u(priced):
    (row,) = priced({"sale_date": datetime.date(2020, 6, 1)}).collect()
    assert row["market_level"] is None
    assert row["u_micro"] is None


def test_level_spread_and_count_are_of_the_months_before(priced, told):
    *_, june = told(
        priced(
            {"sale_date": day(4), "u": 0.1},
            {"sale_date": day(5), "u": 0.3},
            {"sale_date": day(6), "u": 0.9},
        )
    )
    assert june["location_level_3"] == 0.2
    assert june["location_spread_3"] == pytest.approx(np.std([0.1, 0.3], ddof=1), abs=1e-6)
    assert june["location_count_3"] == 2.0


def test_a_window_forgets_what_is_older(priced, told):
    *_, june = told(priced({"sale_date": day(2), "u": 0.1}, {"sale_date": day(3), "u": 0.3}, {"sale_date": day(6)}))
    assert (june["fine_level_3"], june["fine_count_3"]) == (0.3, 1.0)
    assert (june["fine_level_12"], june["fine_count_12"]) == (0.2, 2.0)


def test_one_sale_has_no_spread(priced, told):
    *_, june = told(priced({"sale_date": day(5), "u": 0.3}, {"sale_date": day(6)}))
    assert june["location_spread_3"] is None


def test_sales_that_are_all_alike_have_no_spread_to_speak_of(priced, told):
    *_, june = told(priced(*[{"sale_date": day(5), "u": 0.3}] * 7, {"sale_date": day(6)}))
    assert june["location_spread_3"] == 0.0


def test_another_type_and_another_place_are_another_market(priced, told):
    *_, june = told(
        priced(
            {"sale_date": day(5), "property_type": "house"},
            {"sale_date": day(5), "location": "south", "latitude": 9000.0},
            {"sale_date": day(6)},
        )
    )
    for level in ("location", "fine", "coarse"):
        assert june[f"{level}_level_12"] is None
        assert june[f"{level}_count_12"] == 0.0


def test_a_coarse_cell_reaches_further_than_a_fine_one(priced, told):
    *_, june = told(priced({"sale_date": day(5), "latitude": 1900.0}, {"sale_date": day(6)}))
    assert (june["fine_count_3"], june["coarse_count_3"]) == (0.0, 1.0)


@pytest.mark.parametrize("missing", ["latitude", "longitude"])
def test_a_missing_coordinate_gives_nulls(priced, told, missing):
    *_, june = told(priced({"sale_date": day(5)}, {"sale_date": day(6), missing: float("nan")}))
    assert june["location_count_3"] == 1.0
    for level in ("fine", "coarse"):
        assert {june[f"{level}_{name}_3"] for name in ("level", "spread", "count")} == {None}


def test_a_location_never_seen_before_gives_nulls_and_no_sales(priced, told):
    *_, june = told(priced({"sale_date": day(5)}, {"sale_date": day(6), "location": "new town"}))
    assert june["location_level_12"] is None
    assert june["location_count_12"] == 0.0


def test_history_is_told_up_to_the_month_asked_for_and_no_longer(priced, features):
    sales = priced({"sale_date": day(11), "u": 0.5})
    rows = market_history(sales, features, JANUARY + 12).where("level = 'location'").toPandas()
    assert sorted(rows["month"]) == [JANUARY + 11, JANUARY + 12]
    assert set(rows["level_12"]) == {0.5}


def test_sums_are_exact_whatever_the_order(priced, features):
    random = np.random.default_rng(0)
    rows = [{"sale_date": day(5), "u": u} for u in random.normal(0, 0.3, 50)]
    shuffled = [rows[at] for at in random.permutation(50)]
    first, second = (
        market_history(priced(*some), features, JANUARY + 12)
        .toPandas()
        .sort_values(["level", "month"], ignore_index=True)
        for some in (rows, shuffled)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert first["level_3"].dropna().iloc[0] == pytest.approx(np.mean([row["u"] for row in rows]), abs=1e-6)
