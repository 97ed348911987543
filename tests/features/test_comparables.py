import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.config.projection import Coordinates
from homei.features.comparable_evidence import comparable_evidence
from homei.features.comparables import Comparables

PLANE = Coordinates(system="plane")
MONTH = 2021 * 12


def properties(*rows: dict) -> dict[str, np.ndarray]:
    """Columns of properties on a plane, with defaults for what a row leaves out."""
    ordinary = {
        "transaction_id": "t", "sale_date": "2020-12-01", "month": MONTH - 1, "price": 200_000.0, "u": 0.0,
        "property_type": "flat", "location": "north", "square_meters": 100.0, "floor": 2.0, "year_built": 1990.0,
        "latitude": 0.0, "longitude": 0.0,
    }  # fmt: skip
    texts = {"transaction_id", "sale_date", "property_type", "location"}
    full = [ordinary | row for row in rows]
    return {name: np.array([row[name] for row in full], dtype=object if name in texts else None) for name in ordinary}


@pytest.fixture(scope="session")
def config(features):
    return features.comparables.model_copy(update={"count": 3})


@pytest.fixture
def search(config):
    def make(*pool: dict, adjustments: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Comparables:
        rows = sorted((row for row in pool), key=lambda row: row.get("month", MONTH - 1))
        return Comparables(properties(*rows), {MONTH: np.array(adjustments)}, config, PLANE)

    return make


def level(comparables: Comparables, columns: dict[str, np.ndarray]) -> np.ndarray:
    return comparables.features(columns)["comparable_level"]


def ids(comparables: Comparables, row: dict, count: int = 3) -> list[str]:
    result = comparables.nearest(properties({"month": MONTH} | row), count)
    return [comparables.pool["transaction_id"][row] for row in result.row[0] if row >= 0]


def test_comparables_are_ordered_by_position_floor_area_and_age(search):
    pool = search(
        {"transaction_id": "far", "longitude": 900.0},
        {"transaction_id": "twin"},
        {"transaction_id": "older", "year_built": 1985.0},
        {"transaction_id": "high", "floor": 8.0},
    )
    assert ids(pool, {}, 4) == ["twin", "high", "older", "far"]


def test_equally_similar_sales_are_ordered_by_month_and_then_by_id(search):
    units = [{"transaction_id": f"unit {number:02d}"} for number in range(40)]
    assert ids(search(*units), {}) == ["unit 00", "unit 01", "unit 02"]
    around = [{"transaction_id": f"floor {floor}", "floor": floor} for floor in (0.0, 1.0, 3.0, 4.0)]
    assert ids(search(*around), {}) == ["floor 1.0", "floor 3.0", "floor 0.0"]
    older = {"transaction_id": "a", "month": MONTH - 24}
    newer = {"transaction_id": "b", "month": MONTH - 12, "floor": 14.0, "year_built": 1995.0, "longitude": 300.0}
    assert ids(search(older, newer), {}, 1) == ["b"]


def test_sales_of_another_type_are_not_comparables(search):
    pool = search({"transaction_id": "house", "property_type": "house"}, {"transaction_id": "flat", "longitude": 600.0})
    assert ids(pool, {}) == ["flat"]
    assert ids(pool, {"property_type": "castle"}) == []


def test_only_sales_of_earlier_months_are_comparables(search):
    pool = search(
        {"transaction_id": "before", "month": MONTH - 1},
        {"transaction_id": "same", "month": MONTH},
        {"transaction_id": "after", "month": MONTH + 1},
    )
    assert ids(pool, {}) == ["before"]


def test_sales_before_the_window_or_beyond_the_search_radius_are_not_comparables(search, config):
    beyond = config.reach * config.scales.metres + 1
    pool = search({"month": MONTH - config.months - 1}, {"longitude": beyond})
    assert ids(pool, {}) == []
    assert np.isnan(level(pool, properties({"month": MONTH})))[0]


def test_differences_are_adjusted_for(search):
    pool = search(
        {"floor": 1.0, "year_built": 1980.0, "square_meters": 80.0, "u": 0.2}, adjustments=(0.01, -0.5, 0.002)
    )
    (result,) = level(pool, properties({"month": MONTH, "floor": 5.0, "year_built": 1990.0}))
    assert result == pytest.approx(0.2 + 4 * 0.01 - 0.5 * np.log(100 / 80) + 10 * 0.002, abs=1e-6)


def test_nearer_comparables_weigh_more(search):
    pool = search({"u": 0.0}, {"u": 1.0, "longitude": 300.0})
    (result,) = level(pool, properties({"month": MONTH}))
    share = np.exp(-(np.hypot(1, 1 / 12) - 1 / 12) / 0.3)
    assert result == pytest.approx(share / (1 + share), abs=1e-6)


def test_a_property_with_missing_attributes_has_comparables_but_no_level(search):
    pool = search(
        {"transaction_id": "north", "location": "north"},
        {"transaction_id": "south", "location": "south", "latitude": -5000.0},
    )
    unknown = {"latitude": np.nan, "longitude": np.nan, "location": "south", "month": MONTH}
    assert ids(pool, unknown) == ["south"]
    assert np.isnan(level(pool, properties(unknown)))[0]
    assert ids(pool, unknown | {"location": "a new quarter", "latitude": 0.0, "longitude": 0.0}) == ["north"]
    assert ids(pool, unknown | {"location": "a new quarter"}) == []


def test_an_attribute_that_a_type_lacks_is_not_compared_for_it(search):
    flats, house = [{}, {"floor": 9.0}, {"floor": 4.0}], {"property_type": "house", "floor": np.nan}
    pool = search(*flats, house | {"transaction_id": "house", "u": 0.4})
    assert ids(pool, house) == ["house"]
    result = pool.features(properties({"month": MONTH} | house))
    assert (result["comparable_level"], result["alike_distance"]) == (0.4, 0.0)
    assert np.isnan(level(pool, properties({"month": MONTH, "floor": np.nan})))[0]


def test_an_attribute_missing_from_all_sales_is_not_compared(search):
    pool = search({"floor": np.nan, "u": 0.3})
    assert level(pool, properties({"month": MONTH, "floor": 40.0})) == [0.3]
    assert level(pool, properties({"month": MONTH, "floor": np.nan})) == [0.3]


def test_distances_are_measured_in_scales(search):
    pool = search({"longitude": 600.0, "floor": 8.0}, {"longitude": 9_000.0, "floor": 5.0})
    result = pool.features(properties({"month": MONTH}))
    assert result["comparable_distance"] == pytest.approx(np.sqrt(2**2 + 0.5**2 + (1 / 12) ** 2), abs=1e-6)
    assert result["alike_distance"] == pytest.approx(3 / 12)


def test_a_type_without_earlier_sales_is_as_unlike_as_the_search_radius(search, config):
    pool = search({}, {"property_type": "house", "month": MONTH + 1})
    result = pool.features(properties({"month": MONTH, "property_type": "house"}, {"month": MONTH, "floor": 200.0}))
    assert result["alike_distance"].tolist() == [config.reach] * 2
    assert np.isnan(result["comparable_distance"]).all()


def test_without_sales_there_are_no_comparables(config):
    nothing = {name: column[:0] for name, column in properties({}).items()}
    assert np.isnan(level(Comparables(nothing, {}, config, PLANE), properties({"month": MONTH})))[0]


@st.composite
def cities(draw):
    """Sales in order of month, and properties to value."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 60))

    def random_properties(number: int, months: np.ndarray) -> dict[str, np.ndarray]:
        return properties(*[{}] * number) | {
            "transaction_id": np.arange(number).astype(str).astype(object),
            "month": months,
            "property_type": random.choice(["flat", "house"], number).astype(object),
            "location": random.choice(["north", "south"], number).astype(object),
            "square_meters": random.uniform(30, 200, number),
            "floor": np.where(random.random(number) < 0.1, np.nan, random.integers(0, 20, number)),
            "year_built": random.integers(1900, 2020, number).astype(float),
            "latitude": random.uniform(-1500, 1500, number),
            "longitude": random.uniform(-1500, 1500, number),
            "u": random.normal(0, 0.2, number),
        }

    months = np.sort(MONTH - random.integers(-2, 40, size))
    return random_properties(size, months), random_properties(5, MONTH - random.integers(0, 3, 5))


def brute_force_distances(pool, queried, row: int, config) -> np.ndarray:
    """The distance of one property to all sales, infinite where a sale may not be compared."""
    before = (pool["month"] < queried["month"][row]) & (pool["month"] >= queried["month"][row] - config.months)
    scales = config.scales
    like = before & (pool["property_type"] == queried["property_type"][row])
    has_floor = np.isfinite(pool["floor"][like]).mean() >= 0.5 if like.any() else False
    squares = ((pool["month"] - queried["month"][row]) / scales.months) ** 2
    for name, scale in (("longitude", scales.metres), ("latitude", scales.metres), ("year_built", scales.years)):
        squares = squares + ((pool[name] - queried[name][row]) / scale) ** 2
    squares = squares + (np.log(pool["square_meters"] / queried["square_meters"][row]) / scales.area) ** 2
    comparable = before & (pool["property_type"] == queried["property_type"][row])
    if has_floor:
        squares = squares + ((pool["floor"] - queried["floor"][row]) / scales.floors) ** 2
    return np.where(comparable & np.isfinite(squares) & (squares <= config.reach**2), np.sqrt(squares), np.inf)


@settings(deadline=None, max_examples=60)
@given(cities())
def test_the_tree_search_equals_a_brute_force_search(config, city):
    pool, queried = city
    queried["floor"] = np.nan_to_num(queried["floor"])
    result = Comparables(pool, {}, config, PLANE).nearest(queried, 3)
    for row in range(5):
        expected = np.sort(brute_force_distances(pool, queried, row, config))[:3]
        np.testing.assert_allclose(np.nan_to_num(result.distance[row], nan=np.inf)[: len(expected)], expected)
        rows = result.row[row][result.row[row] >= 0]
        assert (pool["month"][rows] < queried["month"][row]).all()
        assert (pool["property_type"][rows] == queried["property_type"][row]).all()


@settings(deadline=None, max_examples=40)
@given(cities())
def test_a_single_property_gets_the_same_features_as_in_a_batch(config, city):
    pool, queried = city
    search = Comparables(pool, {MONTH: np.array([0.01, -0.4, 0.003])}, config, PLANE)
    together = search.features(queried)
    for row in range(5):
        alone = search.features({name: column[[row]] for name, column in queried.items()})
        assert all(alone[name].tobytes() == column[[row]].tobytes() for name, column in together.items())


def test_evidence_holds_the_adjusted_price(search):
    pool = search(
        {"transaction_id": "t1", "price": 240_000.0, "longitude": 30.0, "floor": 1.0, "u": 0.1},
        adjustments=(0.02, 0, 0),
    )
    (answers,) = comparable_evidence(pool, properties({"month": MONTH, "floor": 3.0}), np.array([7.5]), 5)
    (answer,) = answers
    assert answer["transaction_id"] == "t1" and answer["sale_date"] == "2020-12-01"
    assert (answer["price"], answer["distance"], answer["floor"]) == (240_000.0, 30.0, 1.0)
    assert answer["adjusted_price"] == pytest.approx(100 * np.exp(7.5 + 0.1 + 2 * 0.02), abs=0.01)


def test_evidence_has_no_distance_without_the_propertys_position(search):
    pool = search({"floor": np.nan})
    (((answer,)),) = comparable_evidence(pool, properties({"month": MONTH, "latitude": np.nan}), np.array([7.5]), 5)
    assert answer["distance"] is None and answer["floor"] is None
