"""Detection of shifted locations: true shifts are detected, noise and mix effects are not."""

import numpy as np
import pandas as pd
import pytest
import yaml

from homei.config import params
from homei.demo.simulate import city_facts
from homei.demo.synthetic_register import draw_city
from homei.evaluation.location_shifts import MIN_SALES, location_shifts, residual_levels

PLACES = [f"District {number:02d}" for number in range(40)]


def simulated_sales(n=3_000, changes=None, larger_in=None, seed=3):
    """Sales whose level depends on location, area and type, with noise of 8 % and changes by location."""
    random = np.random.default_rng(seed)
    place = random.integers(0, len(PLACES), n)
    frame = pd.DataFrame({"location": np.array(PLACES)[place], "property_type": random.choice(["flat", "house"], n)})
    size = random.normal(80, 20, n).clip(20) * np.where(frame["location"] == larger_in, 1.5, 1.0)
    level = 0.01 * place - 0.4 * np.log(size) + 0.1 * (frame["property_type"] == "house")
    level += frame["location"].map(changes or {}).fillna(0.0) + random.normal(0, 0.08, n)
    return frame.assign(square_meters=size, price_level=level)


def shifts(before, after):
    return location_shifts(before, after, ["square_meters"], ["property_type"])


def test_two_shifted_locations_are_detected_and_no_other():
    after = simulated_sales(changes={PLACES[7]: -0.18, PLACES[21]: -0.18}, seed=4)
    result = shifts(simulated_sales(n=6_000), after)
    assert list(result) == ["location", "n", "change", "q", "shifted"]
    assert set(result.loc[result["shifted"], "location"]) == {PLACES[7], PLACES[21]}
    assert result.loc[result["shifted"], "change"].tolist() == pytest.approx([np.expm1(-0.18)] * 2, abs=0.03)


@pytest.mark.parametrize("seed", range(10))
def test_no_shift_is_detected_without_one(seed):
    assert not shifts(simulated_sales(n=6_000, seed=100 + seed), simulated_sales(seed=200 + seed))["shifted"].any()


@pytest.mark.parametrize("change", [-0.18, 0.0])
def test_the_demo_citys_shift_is_detected_and_its_control_is_not(change):
    values = yaml.safe_load(params.compose([f"simulate.shift.change={change}"]))
    simulate, city = (params.section(name, values[name]) for name in ("simulate", "city"))
    simulated, rows = draw_city(values["seed"], simulate, city)
    facts = city_facts(values["seed"], simulated)
    month = rows["sale_date"].str[:7]
    is_market = rows["fault"].isna() & rows["non_market"].isna() & month.isin(facts["market"])
    clean = rows[is_market].rename(columns={"district": "location"})
    numeric = ["square_meters", "bedrooms", "bathrooms", "floor", "year_built", "latitude", "longitude"]
    clean = clean.assign(**{name: pd.to_numeric(clean[name]) for name in [*numeric, "price"]})
    level = np.log(clean["price"] / clean["square_meters"]) - clean["sale_date"].str[:7].map(facts["market"])
    after = clean["sale_date"].str[:7] >= facts["shift_month"]
    before = ~after & (clean["sale_date"] >= "2024-07")
    clean = clean.assign(price_level=level)
    result = location_shifts(clean[before], clean[after], numeric, ["property_type"])
    assert sorted(result.loc[result["shifted"], "location"]) == (facts["shifted_districts"] if change else [])


def test_a_rise_is_detected():
    result = shifts(simulated_sales(n=6_000), simulated_sales(changes={PLACES[5]: 0.15}, seed=4))
    assert result.loc[result["shifted"], "location"].tolist() == [PLACES[5]]
    assert result.iloc[-1]["location"] == PLACES[5]


def test_a_change_of_the_whole_city_shifts_no_location():
    assert not shifts(simulated_sales(n=6_000), simulated_sales(changes=dict.fromkeys(PLACES, -0.2), seed=4))[
        "shifted"
    ].any()


def test_larger_properties_in_one_location_are_not_a_shift():
    assert not shifts(simulated_sales(n=6_000), simulated_sales(larger_in=PLACES[3], seed=4))["shifted"].any()


def test_a_significant_but_small_change_is_not_a_shift():
    changes = {PLACES[3]: -0.03}
    assert not shifts(simulated_sales(n=60_000), simulated_sales(n=60_000, changes=changes, seed=4))["shifted"].any()


def test_a_location_with_few_sales_is_left_out():
    after = simulated_sales(seed=4)
    rare = after[after["location"] == PLACES[0]].index[MIN_SALES - 1 :]
    assert PLACES[0] not in set(shifts(simulated_sales(n=6_000), after.drop(index=rare))["location"])


def test_missing_attributes_and_new_categories_are_accepted():
    before, after = simulated_sales(n=6_000), simulated_sales(seed=4)
    before.loc[::3, "square_meters"] = np.nan
    after.loc[::5, "property_type"] = "houseboat"
    after.loc[::7, "location"] = "Reclaimed land"
    rest = residual_levels(before, after, ["square_meters"], ["property_type"])
    assert all(np.isfinite(side).all() for side in rest)
    assert "Reclaimed land" not in set(shifts(before, after)["location"])


def test_no_common_location_gives_an_empty_table():
    assert shifts(simulated_sales(n=200), simulated_sales(n=200).assign(location="Elsewhere")).empty


@pytest.mark.parametrize("number", [1, 2])
def test_one_or_two_locations_cannot_leave_the_citys_trend(number):
    before = simulated_sales(n=600).assign(location=lambda sale: sale.index.map(lambda row: PLACES[row % number]))
    after = before.assign(price_level=before["price_level"] - 0.3 * (before["location"] == PLACES[0]))
    assert shifts(before, after).empty


def test_sales_without_a_price_level_or_any_attribute_are_no_error():
    empty = simulated_sales().head(0)
    assert location_shifts(empty, empty, [], []).empty
    three = simulated_sales(n=600).assign(location=lambda sale: sale.index.map(lambda row: PLACES[row % 3]))
    assert len(location_shifts(three, three, [], [])) == 3
