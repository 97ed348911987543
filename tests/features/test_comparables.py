import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.features.comparables import Comparables
from homei.features.implied import told
from homei.source import Coordinates

PLANE = Coordinates(system="plane")
MONTH = 2021 * 12


def homes(*rows: dict) -> dict[str, np.ndarray]:
    """Columns of homes on a plane; what a row leaves out is ordinary."""
    ordinary = {
        "transaction_id": "t", "sale_date": "2020-12-01", "month": MONTH - 1, "price": 200_000.0, "u": 0.0,
        "property_type": "flat", "location": "north", "square_meters": 100.0, "floor": 2.0, "year_built": 1990.0,
        "latitude": 0.0, "longitude": 0.0,
    }  # fmt: skip
    texts = {"transaction_id", "sale_date", "property_type", "location"}
    full = [ordinary | row for row in rows]
    return {name: np.array([row[name] for row in full], dtype=object if name in texts else None) for name in ordinary}


@pytest.fixture(scope="session")
def likeness(features):
    return features.comparables.model_copy(update={"count": 3})


@pytest.fixture
def search(likeness):
    def make(*sold: dict, worth: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Comparables:
        rows = sorted((row for row in sold), key=lambda row: row.get("month", MONTH - 1))
        return Comparables(homes(*rows), {MONTH: np.array(worth)}, likeness, PLANE)

    return make


def level(comparables: Comparables, columns: dict[str, np.ndarray]) -> np.ndarray:
    return comparables.features(columns)["comparable_level"]


def ids(comparables: Comparables, home: dict, count: int = 3) -> list[str]:
    found = comparables.of(homes({"month": MONTH} | home), count)
    return [comparables.sold["transaction_id"][row] for row in found.row[0] if row >= 0]


def test_the_nearest_in_place_floor_area_and_age_comes_first(search):
    sold = search(
        {"transaction_id": "far", "longitude": 900.0},
        {"transaction_id": "twin"},
        {"transaction_id": "older", "year_built": 1985.0},
        {"transaction_id": "high", "floor": 8.0},
    )
    assert ids(sold, {}, 4) == ["twin", "high", "older", "far"]


def test_another_type_is_no_comparable_however_near(search):
    sold = search({"transaction_id": "house", "property_type": "house"}, {"transaction_id": "flat", "longitude": 600.0})
    assert ids(sold, {}) == ["flat"]
    assert ids(sold, {"property_type": "castle"}) == []


def test_neither_the_months_own_nor_later_sales_are_comparables(search):
    sold = search(
        {"transaction_id": "before", "month": MONTH - 1},
        {"transaction_id": "same", "month": MONTH},
        {"transaction_id": "after", "month": MONTH + 1},
    )
    assert ids(sold, {}) == ["before"]


def test_a_sale_from_before_the_window_or_beyond_reach_is_no_comparable(search, likeness):
    beyond = likeness.reach * likeness.scales.metres + 1
    sold = search({"month": MONTH - likeness.months - 1}, {"longitude": beyond})
    assert ids(sold, {}) == []
    assert np.isnan(level(sold, homes({"month": MONTH})))[0]


def test_what_differs_is_made_up_for_at_its_worth(search):
    sold = search({"floor": 1.0, "year_built": 1980.0, "square_meters": 80.0, "u": 0.2}, worth=(0.01, -0.5, 0.002))
    (found,) = level(sold, homes({"month": MONTH, "floor": 5.0, "year_built": 1990.0}))
    assert found == pytest.approx(0.2 + 4 * 0.01 - 0.5 * np.log(100 / 80) + 10 * 0.002, abs=1e-6)


def test_the_level_leans_on_the_nearest(search):
    sold = search({"u": 0.0}, {"u": 1.0, "longitude": 300.0})
    (found,) = level(sold, homes({"month": MONTH}))
    share = np.exp(-(np.hypot(1, 1 / 12) - 1 / 12) / 0.3)
    assert found == pytest.approx(share / (1 + share), abs=1e-6)


def test_a_home_that_leaves_something_out_has_comparables_but_no_level(search):
    sold = search(
        {"transaction_id": "north", "location": "north"},
        {"transaction_id": "south", "location": "south", "latitude": -5000.0},
    )
    unknown = {"latitude": np.nan, "longitude": np.nan, "location": "south", "month": MONTH}
    assert ids(sold, unknown) == ["south"]
    assert np.isnan(level(sold, homes(unknown)))[0]
    assert ids(sold, unknown | {"location": "a new quarter", "latitude": 0.0, "longitude": 0.0}) == ["north"]
    assert ids(sold, unknown | {"location": "a new quarter"}) == []


def test_what_a_type_never_tells_is_not_compared_for_it(search):
    flats, house = [{}, {"floor": 9.0}, {"floor": 4.0}], {"property_type": "house", "floor": np.nan}
    sold = search(*flats, house | {"transaction_id": "house", "u": 0.4})
    assert ids(sold, house) == ["house"]
    found = sold.features(homes({"month": MONTH} | house))
    assert (found["comparable_level"], found["alike_distance"]) == (0.4, 0.0)
    assert np.isnan(level(sold, homes({"month": MONTH, "floor": np.nan})))[0]


def test_what_no_sale_tells_is_not_compared(search):
    sold = search({"floor": np.nan, "u": 0.3})
    assert level(sold, homes({"month": MONTH, "floor": 40.0})) == [0.3]
    assert level(sold, homes({"month": MONTH, "floor": np.nan})) == [0.3]


def test_how_far_the_nearest_comparable_and_the_most_alike_sale_are_is_told_in_scales(search):
    sold = search({"longitude": 600.0, "floor": 8.0}, {"longitude": 9_000.0, "floor": 5.0})
    found = sold.features(homes({"month": MONTH}))
    assert found["comparable_distance"] == pytest.approx(np.sqrt(2**2 + 0.5**2 + (1 / 12) ** 2), abs=1e-6)
    assert found["alike_distance"] == pytest.approx(3 / 12)


def test_without_sales_there_are_no_comparables(likeness):
    nothing = {name: column[:0] for name, column in homes({}).items()}
    assert np.isnan(level(Comparables(nothing, {}, likeness, PLANE), homes({"month": MONTH})))[0]


@st.composite
def cities(draw):
    """Sales in order of month, and homes to compare them with."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 60))

    def some(number: int, months: np.ndarray) -> dict[str, np.ndarray]:
        return homes(*[{}] * number) | {
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
    return some(size, months), some(5, MONTH - random.integers(0, 3, 5))


def by_hand(sold, asked, home: int, likeness) -> np.ndarray:
    """The distance of one home to all sales, infinite where a sale may not be compared."""
    before = (sold["month"] < asked["month"][home]) & (sold["month"] >= asked["month"][home] - likeness.months)
    scales = likeness.scales
    like = before & (sold["property_type"] == asked["property_type"][home])
    told_floor = np.isfinite(sold["floor"][like]).mean() >= 0.5 if like.any() else False
    squares = ((sold["month"] - asked["month"][home]) / scales.months) ** 2
    for name, scale in (("longitude", scales.metres), ("latitude", scales.metres), ("year_built", scales.years)):
        squares = squares + ((sold[name] - asked[name][home]) / scale) ** 2
    squares = squares + (np.log(sold["square_meters"] / asked["square_meters"][home]) / scales.area) ** 2
    comparable = before & (sold["property_type"] == asked["property_type"][home])
    if told_floor:
        squares = squares + ((sold["floor"] - asked["floor"][home]) / scales.floors) ** 2
    return np.where(comparable & np.isfinite(squares) & (squares <= likeness.reach**2), np.sqrt(squares), np.inf)


@settings(deadline=None, max_examples=60)
@given(cities())
def test_the_tree_finds_what_comparing_with_every_sale_finds(likeness, city):
    sold, asked = city
    asked["floor"] = np.nan_to_num(asked["floor"])
    found = Comparables(sold, {}, likeness, PLANE).of(asked, 3)
    for home in range(5):
        expected = np.sort(by_hand(sold, asked, home, likeness))[:3]
        np.testing.assert_allclose(np.nan_to_num(found.distance[home], nan=np.inf)[: len(expected)], expected)
        rows = found.row[home][found.row[home] >= 0]
        assert (sold["month"][rows] < asked["month"][home]).all()
        assert (sold["property_type"][rows] == asked["property_type"][home]).all()


@settings(deadline=None, max_examples=40)
@given(cities())
def test_a_home_alone_gets_what_it_gets_among_others(likeness, city):
    sold, asked = city
    search = Comparables(sold, {MONTH: np.array([0.01, -0.4, 0.003])}, likeness, PLANE)
    together = search.features(asked)
    for home in range(5):
        alone = search.features({name: column[[home]] for name, column in asked.items()})
        assert all(alone[name].tobytes() == column[[home]].tobytes() for name, column in together.items())


def test_a_comparable_is_told_with_what_it_implies(search):
    sold = search(
        {"transaction_id": "t1", "price": 240_000.0, "longitude": 30.0, "floor": 1.0, "u": 0.1}, worth=(0.02, 0, 0)
    )
    (answers,) = told(sold, homes({"month": MONTH, "floor": 3.0}), np.array([7.5]), 5)
    (answer,) = answers
    assert answer["transaction_id"] == "t1" and answer["sale_date"] == "2020-12-01"
    assert (answer["price"], answer["distance"], answer["floor"]) == (240_000.0, 30.0, 1.0)
    assert answer["adjusted_price"] == pytest.approx(100 * np.exp(7.5 + 0.1 + 2 * 0.02), abs=0.01)


def test_a_comparables_distance_is_unknown_where_the_homes_place_is(search):
    sold = search({"floor": np.nan})
    (((answer,)),) = told(sold, homes({"month": MONTH, "latitude": np.nan}), np.array([7.5]), 5)
    assert answer["distance"] is None and answer["floor"] is None
