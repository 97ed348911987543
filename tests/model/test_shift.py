"""The test of each location's price level: shifts are found, noise and a different mix of homes are not."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from homei import params
from homei.demo.simulate import simulate_city
from homei.model.shift import COLUMNS, FEWEST_SALES, adjusted, location_shifts, unexplained

PLACES = [f"District {number:02d}" for number in range(40)]


def sold(n=3_000, changes=None, larger_in=None, seed=3):
    """Sales whose level depends on place, size and type, with noise of 8 % and changes by place."""
    random = np.random.default_rng(seed)
    place = random.integers(0, len(PLACES), n)
    frame = pd.DataFrame({"location": np.array(PLACES)[place], "property_type": random.choice(["flat", "house"], n)})
    size = random.normal(80, 20, n).clip(20) * np.where(frame["location"] == larger_in, 1.5, 1.0)
    level = 0.01 * place - 0.4 * np.log(size) + 0.1 * (frame["property_type"] == "house")
    level += frame["location"].map(changes or {}).fillna(0.0) + random.normal(0, 0.08, n)
    return frame.assign(square_meters=size, price_level=level)


def shifts(before, after):
    return location_shifts(before, after, ["square_meters"], ["property_type"])


def test_two_shifted_locations_are_found_and_no_other():
    after = sold(changes={PLACES[7]: -0.18, PLACES[21]: -0.18}, seed=4)
    found = shifts(sold(n=6_000), after)
    assert list(found.columns) == COLUMNS
    assert set(found.loc[found["shifted"], "location"]) == {PLACES[7], PLACES[21]}
    assert found.loc[found["shifted"], "change"].tolist() == pytest.approx([np.expm1(-0.18)] * 2, abs=0.03)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_found_where_nothing_shifted(seed):
    assert not shifts(sold(n=6_000, seed=100 + seed), sold(seed=200 + seed))["shifted"].any()


@pytest.mark.parametrize("change", [-0.18, 0.0])
def test_the_demo_citys_shift_is_found_and_its_control_is_not_flagged(change):
    values = yaml.safe_load(params.compose([f"simulate.shift.change={change}"]))
    simulate, source = (params.section(name, values[name]) for name in ("simulate", "source"))
    _, rows, facts = simulate_city(values["seed"], simulate, source)
    month = rows["sale_date"].str[:7]
    clean = rows[rows["fault"].isna() & month.isin(facts["market"])].rename(columns={"district": "location"})
    numeric = ["square_meters", "bedrooms", "bathrooms", "floor", "year_built"]
    clean = clean.assign(**{name: pd.to_numeric(clean[name]) for name in [*numeric, "price"]})
    level = np.log(clean["price"] / clean["square_meters"]) - clean["sale_date"].str[:7].map(facts["market"])
    after = clean["sale_date"].str[:7] >= facts["shift_month"]
    clean = clean.assign(price_level=level)
    found = location_shifts(clean[~after], clean[after], numeric, ["property_type"])
    assert sorted(found.loc[found["shifted"], "location"]) == (facts["shifted_districts"] if change else [])


def test_a_rise_is_found_as_well():
    found = shifts(sold(n=6_000), sold(changes={PLACES[5]: 0.15}, seed=4))
    assert found.loc[found["shifted"], "location"].tolist() == [PLACES[5]]
    assert found.iloc[-1]["location"] == PLACES[5]


def test_a_move_of_the_whole_city_singles_out_no_location():
    assert not shifts(sold(n=6_000), sold(changes=dict.fromkeys(PLACES, -0.2), seed=4))["shifted"].any()


def test_larger_homes_in_one_location_are_no_shift():
    assert not shifts(sold(n=6_000), sold(larger_in=PLACES[3], seed=4))["shifted"].any()


def test_a_certain_but_tiny_change_is_no_shift():
    changes = {PLACES[3]: -0.03}
    assert not shifts(sold(n=60_000), sold(n=60_000, changes=changes, seed=4))["shifted"].any()


def test_a_location_with_hardly_any_sales_is_not_judged():
    after = sold(seed=4)
    rare = after[after["location"] == PLACES[0]].index[FEWEST_SALES - 1 :]
    assert PLACES[0] not in set(shifts(sold(n=6_000), after.drop(index=rare))["location"])


def test_unknown_attributes_and_new_categories_are_survived():
    before, after = sold(n=6_000), sold(seed=4)
    before.loc[::3, "square_meters"] = np.nan
    after.loc[::5, "property_type"] = "houseboat"
    after.loc[::7, "location"] = "Reclaimed land"
    rest = unexplained(before, after, ["square_meters"], ["property_type"])
    assert all(np.isfinite(side).all() for side in rest)
    assert "Reclaimed land" not in set(shifts(before, after)["location"])


def test_no_common_location_leaves_nothing_to_judge():
    assert shifts(sold(n=200), sold(n=200).assign(location="Elsewhere")).empty


def test_benjamini_hochberg_of_a_worked_example():
    # Benjamini and Hochberg (1995), §3.2: of 15 p-values, the first four pass at 5 %.
    p = np.array([
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0000,
    ])  # fmt: skip
    assert (adjusted(p) <= 0.05).tolist() == [True] * 4 + [False] * 11


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusting_keeps_the_order_and_never_lowers(p):
    p = np.array(p)
    q = adjusted(p)
    assert (q >= p - 1e-12).all() and (q <= 1).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0).all()
