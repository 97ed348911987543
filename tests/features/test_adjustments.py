import numpy as np
import pytest

from homei.features.adjustments import as_of, worth_by_month
from homei.features.comparables import ADJUSTED
from homei.source import Coordinates

PLANE = Coordinates(system="plane")
FIRST, MONTHS = 2020 * 12, 12
LEVEL = "comparable_level"
WORTH = {"floor": 0.008, "log_area": -0.3, "year_built": 0.004}


@pytest.fixture(scope="module")
def sold() -> dict[str, np.ndarray]:
    """A year of flats in one place whose floor, area and age have a known worth, with a little noise."""
    random = np.random.default_rng(4)
    size = 1_200
    floor, area = random.integers(0, 20, size).astype(float), random.uniform(50, 90, size)
    year = random.integers(1980, 2010, size).astype(float)
    worth = floor * WORTH["floor"] + np.log(area) * WORTH["log_area"] + year * WORTH["year_built"]
    return {
        "month": np.sort(FIRST + random.integers(0, MONTHS, size)),
        "property_type": np.full(size, "flat", dtype=object),
        "location": np.full(size, "north", dtype=object),
        "square_meters": area, "floor": floor, "year_built": year,
        "latitude": random.uniform(-200, 200, size), "longitude": random.uniform(-200, 200, size),
        "u": worth + random.normal(0, 0.02, size),
    }  # fmt: skip


@pytest.fixture(scope="module")
def known(sold, features):
    return as_of(sold, features.comparables, PLANE, FIRST + MONTHS)


def test_a_known_worth_is_learnt_from_pairs(known):
    last = worth_by_month(known.worth)[FIRST + MONTHS]
    assert dict(zip(ADJUSTED, last, strict=True)) == pytest.approx(WORTH, rel=0.1)


def test_there_is_a_worth_for_every_month_from_the_second_and_none_in_it(known):
    assert known.worth["month"].tolist() == list(range(FIRST + 1, FIRST + MONTHS + 1))
    assert (known.worth.loc[0, list(ADJUSTED)] == 0).all()


def test_adjusted_comparables_come_nearer_to_the_price_than_unadjusted_ones(sold, known, features):
    late = sold["month"] >= FIRST + 6
    error = np.abs(known.features[LEVEL] - sold["u"])[late]
    unpriced = features.comparables.model_copy(update={"months": 1})  # one month back there is no pair to learn from
    nothing_learnt = np.abs(as_of(sold, unpriced, PLANE, FIRST + MONTHS).features[LEVEL] - sold["u"])[late]
    assert np.nanmedian(error) < 0.02 < np.nanmedian(nothing_learnt) * 1.5


@pytest.mark.parametrize("since", [FIRST + 4, FIRST + 9])
def test_prices_from_a_month_on_change_neither_levels_nor_worths_up_to_it(sold, known, features, since):
    later = sold["month"] >= since
    scrambled = sold | {"u": np.where(later, np.random.default_rng(0).normal(0, 1, len(later)), sold["u"])}
    again = as_of(scrambled, features.comparables, PLANE, FIRST + MONTHS)
    up_to = sold["month"] <= since
    np.testing.assert_array_equal(again.features[LEVEL][up_to], known.features[LEVEL][up_to])
    months = known.worth["month"] <= since
    assert again.worth[months].equals(known.worth[months])
    assert not np.array_equal(again.features[LEVEL][~up_to], known.features[LEVEL][~up_to])


def test_no_sales_give_no_worths(sold, features):
    nothing = as_of({name: column[:0] for name, column in sold.items()}, features.comparables, PLANE, FIRST)
    assert nothing.features[LEVEL].size == 0 and nothing.worth.empty
