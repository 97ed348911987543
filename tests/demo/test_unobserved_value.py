"""Effects on prices that no register records: streets, buildings, renovations, local trends."""

import numpy as np
import pandas as pd
import pytest

from homei.demo.unobserved_value import RAMP_MONTHS, draw_unobserved_value, trend_levels

NONE = {"street": 0.0, "building": 0.0, "property": 0.0, "renovated_share": 0.0, "renovation_gain": 0.0}


@pytest.fixture(scope="module")
def draw(small, town):
    """Draws the effects for the shared city's properties, with only the given ones above zero."""

    def make(pairs=0, **effects):
        trends = {"pairs": pairs, "peak": 0.2, "radius_m": 600.0}
        simulate = small(unobserved=NONE | effects, local_trends=trends)
        return draw_unobserved_value(np.random.default_rng(3), town.properties, simulate)

    return make


@pytest.fixture(scope="module")
def every_property(town):
    return np.arange(len(town.properties))


def at(effects, rows, month):
    return effects.at(rows, np.full(len(rows), month))


@pytest.mark.parametrize(("effect", "unit"), [("street", "street_id"), ("building", "building_id")])
def test_the_units_of_a_street_or_building_share_its_effect(draw, town, every_property, effect, unit):
    values = pd.Series(at(draw(**{effect: 0.06}), every_property, 10))
    blocks = town.properties["floor"].notna()
    by_unit = values[blocks].groupby(town.properties.loc[blocks, unit])
    assert (by_unit.max() == by_unit.min()).all()
    assert by_unit.first().std() == pytest.approx(0.06, rel=0.3)


def test_lasting_effects_are_the_same_in_every_month(draw, every_property):
    effects = draw(street=0.05, building=0.06, property=0.03)
    assert (at(effects, every_property, 0) == at(effects, every_property, 59)).all()


def test_a_renovation_adds_to_the_price_from_its_month_on(draw, every_property):
    effects = draw(renovated_share=0.15, renovation_gain=0.08)
    renovated = effects.renovated_in < 60
    assert renovated.mean() == pytest.approx(0.15, abs=0.03)
    rows = every_property[renovated & (effects.renovated_in > 0)]
    assert (effects.at(rows, effects.renovated_in[rows] - 1) == 0).all()
    assert (effects.at(rows, effects.renovated_in[rows]) >= 0.04).all()
    assert (at(effects, every_property[~renovated], 59) == 0).all()


def test_a_local_trend_starts_reaches_its_peak_and_ends(draw):
    trends = draw(pairs=50).trends
    assert trends["months"].between(12, 36).all()
    start, end = (trends[name].to_numpy() for name in ("start", "months"))
    end = start + end
    own = np.arange(len(trends))
    assert (trend_levels(trends, start)[own, own] == 0).all()
    assert (trend_levels(trends, end)[own, own] == 0).all()
    assert trend_levels(trends, start + RAMP_MONTHS)[own, own] == pytest.approx(trends["peak"].to_numpy())


def test_a_boom_comes_with_a_slump_in_the_same_district(draw, town, every_property):
    effects = draw(pairs=50)
    peaks = effects.trends["peak"].to_numpy().reshape(-1, 2)
    assert (peaks.sum(axis=1) == 0).all()
    levels = pd.Series(at(effects, every_property, 30))
    assert levels.std() > 0.02
    assert levels.groupby(town.properties["district"]).mean().std() < 0.5 * levels.std()


def test_repeat_sales_and_neighbours_share_what_attributes_do_not_explain(market_town, as_numbers):
    _, rows = market_town
    sales = as_numbers(rows)
    unexplained = np.log(sales["true_price"] / sales["square_meters"])
    within_building = unexplained.groupby(sales["address"].str.split(", ").str[-1]).transform("mean")
    assert (unexplained - within_building).std() < 0.7 * unexplained.std()
    by_property = np.log(sales["price"] / sales["true_price"]).groupby(sales["property_id"])
    # The noise of a sale is its own: it does not return in the next sale of the property.
    repeated = by_property.filter(lambda noise: len(noise) == 2).groupby(sales["property_id"]).agg(["first", "last"])
    assert repeated.corr().iloc[0, 1] == pytest.approx(0, abs=0.1)
