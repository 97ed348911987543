import numpy as np
import pytest

from homei.config.projection import Coordinates
from homei.features.adjustments import adjustments_by_month, comparable_features
from homei.features.neighbours import ADJUSTED

PLANE = Coordinates(system="plane")
FIRST, MONTHS = 2020 * 12, 12
LEVEL = "comparable_level"
ADJUSTMENTS = {"floor": 0.008, "log_area": -0.3, "year_built": 0.004}


@pytest.fixture(scope="module")
def pool() -> dict[str, np.ndarray]:
    """A year of flats around one point, whose u is a linear function of floor, area and year plus a little noise."""
    random = np.random.default_rng(4)
    size = 1_200
    floor, area = random.integers(0, 20, size).astype(float), random.uniform(50, 90, size)
    year = random.integers(1980, 2010, size).astype(float)
    adjustments = (
        floor * ADJUSTMENTS["floor"] + np.log(area) * ADJUSTMENTS["log_area"] + year * ADJUSTMENTS["year_built"]
    )
    return {
        "month": np.sort(FIRST + random.integers(0, MONTHS, size)),
        "property_type": np.full(size, "flat", dtype=object),
        "location": np.full(size, "north", dtype=object),
        "square_meters": area, "floor": floor, "year_built": year,
        "latitude": random.uniform(-200, 200, size), "longitude": random.uniform(-200, 200, size),
        "u": adjustments + random.normal(0, 0.02, size),
    }  # fmt: skip


@pytest.fixture(scope="module")
def result(pool, features):
    return comparable_features(pool, features.comparables, PLANE, FIRST + MONTHS)


def test_known_adjustments_are_recovered_from_pairs(result):
    last = adjustments_by_month(result.adjustments)[FIRST + MONTHS]
    assert dict(zip(ADJUSTED, last, strict=True)) == pytest.approx(ADJUSTMENTS, rel=0.1)


def test_adjustments_start_at_zero_in_the_second_month_and_cover_every_month_since(result):
    assert result.adjustments["month"].tolist() == list(range(FIRST + 1, FIRST + MONTHS + 1))
    assert (result.adjustments.loc[0, list(ADJUSTED)] == 0).all()


def test_adjusted_comparables_predict_prices_better_than_unadjusted_ones(pool, result, features):
    is_late = pool["month"] >= FIRST + 6
    error = np.abs(result.features[LEVEL] - pool["u"])[is_late]
    one_month = features.comparables.model_copy(update={"months": 1})  # within one month there are no earlier pairs
    unadjusted_error = np.abs(comparable_features(pool, one_month, PLANE, FIRST + MONTHS).features[LEVEL] - pool["u"])[
        is_late
    ]
    assert np.nanmedian(error) < 0.02 < np.nanmedian(unadjusted_error) * 1.5


@pytest.mark.parametrize("since", [FIRST + 4, FIRST + 9])
def test_prices_from_a_month_on_change_neither_levels_nor_adjustments_up_to_it(pool, result, features, since):
    is_later = pool["month"] >= since
    scrambled = pool | {"u": np.where(is_later, np.random.default_rng(0).normal(0, 1, len(is_later)), pool["u"])}
    rerun = comparable_features(scrambled, features.comparables, PLANE, FIRST + MONTHS)
    up_to = pool["month"] <= since
    np.testing.assert_array_equal(rerun.features[LEVEL][up_to], result.features[LEVEL][up_to])
    months = result.adjustments["month"] <= since
    assert rerun.adjustments[months].equals(result.adjustments[months])
    assert not np.array_equal(rerun.features[LEVEL][~up_to], result.features[LEVEL][~up_to])


def test_no_sales_give_no_adjustments(pool, features):
    empty = comparable_features({name: column[:0] for name, column in pool.items()}, features.comparables, PLANE, FIRST)
    assert empty.features[LEVEL].size == 0 and empty.adjustments.empty
