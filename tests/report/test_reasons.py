"""What a model looks at, as a reader sees it: a real small model, of a city whose prices are known."""

import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.model.estimators import UnexplainedError, create
from homei.model.preprocess import Encoder, columns_of, target
from homei.model.reasons import explain
from homei.model.valuation import Fitted
from homei.report import reasons


def city(count=1000, seed=4):
    draw = np.random.default_rng(seed)
    area, floor = np.round(draw.uniform(30, 150, count), 1), draw.integers(0, 9, count).astype(float)
    location = draw.choice(["harbour & quay", "hill"], count)
    floor[::50] = np.nan
    sales = pd.DataFrame({
        "transaction_id": [f"T{n:04}" for n in range(count)], "month": 24_300 + np.arange(count) // 50,
        "square_meters": area, "floor": floor, "year_built": 1990.0, "property_type": "flat", "location": location,
        "market_level": 8.0,
    })  # fmt: skip
    level = 8.0 + 0.03 * np.nan_to_num(floor, nan=4.0) + 0.3 * (location == "harbour & quay")
    return sales.assign(price=np.round(area * np.exp(level), 2))


class Silent:
    """A model of a kind that tells no contributions."""

    fitted = SimpleNamespace(encoder=Encoder((), {}))

    def reasons(self, columns):
        raise UnexplainedError("a Silent doesn't tell: others <do>")


@pytest.fixture(scope="module")
def model():
    columns = columns_of(city())
    encoder = Encoder.learn(columns, ("square_meters", "floor"), ("property_type", "location"))
    trees = create("lightgbm", {"n_estimators": 60, "min_child_samples": 5}, encoder, 1)
    trees.fit(encoder.matrix(columns), target(columns))
    fitted = Fitted(encoder, trees)
    return SimpleNamespace(
        fitted=fitted,
        value=lambda asked: SimpleNamespace(price=fitted.prices(asked)),
        reasons=lambda asked: explain(encoder, trees, asked, 80.0),
    )


@pytest.fixture(scope="module")
def told(model):
    return reasons.told(model, city(), seed=1)


def words_of(picture):
    return [element.text for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("text")]


def test_the_strongest_inputs_come_first_and_area_is_one_of_them(told):
    words = words_of(reasons.importance(told))
    assert [word for word in words if word in told.added][:3] == ["square_meters", "location", "floor"]
    assert "log_area" not in words


def test_how_an_input_works_is_what_the_city_was_made_of(told):
    ground, top = (told.added["floor"][told.values["floor"] == floor].mean() for floor in (0, 8))
    assert np.log((1 + top) / (1 + ground)) == pytest.approx(8 * 0.03, rel=0.1)
    assert np.allclose(1 + told.added["square_meters"], told.values["square_meters"] / 80, rtol=0.1)


def test_dependences_are_four_of_numbers_and_one_of_a_category(told):
    html = reasons.dependences(told)
    assert html.count("<svg") == 5
    titles = re.findall(r'aria-label="([^"]*)"', html)
    assert titles[:2] == ["square meters", "floor"]
    assert titles[-1] == "location"
    assert "harbour &amp; quay" in html


def test_a_sample_is_drawn_by_its_seed_and_the_pictures_keep_their_bytes(model, told):
    again = reasons.told(model, city(), seed=1)
    assert reasons.importance(again) + reasons.dependences(again) == reasons.importance(told) + reasons.dependences(
        told
    )
    assert len(again.values["floor"]) == reasons.SAMPLE
    other = reasons.told(model, city(), seed=2)
    assert reasons.dependences(other) != reasons.dependences(told)


def test_a_waterfall_tells_start_parts_and_value():
    words = words_of(reasons.waterfall(100_000.0, [("place", 30_000.4), ("age", -10_000.0)], "A home", "EUR"))
    assert {"average home", "place", "age", "value"} <= set(words)
    assert {"EUR\u00a0100,000", "+30,000", "−10,000", "EUR\u00a0120,000"} <= set(words)


def test_each_bar_of_a_waterfall_begins_where_the_one_above_ends():
    drawn = reasons.waterfall(100_000.0, [("place", 30_000.0), ("age", -10_000.0)], "A home", "EUR")
    bars = re.findall(r'd="M ([\d.]+) [\d.]+ \nL ([\d.]+) [^"]*z[^"]*"[^>]*fill: var\(--chart-(\w+)[^>]*0\.85', drawn)
    (zero, start, _), (bottom, value, _), place, age = bars
    assert (zero, start, place[1], value) == (bottom, place[0], age[0], age[1])
    assert (place[2], age[2]) == ("accent", "second")


def test_three_homes_go_from_an_average_one_to_their_values(model):
    sales = city()
    html = reasons.homes(model, sales, "EUR")
    assert re.findall(r'aria-label="([^"]*)"', html) == list(reasons.HOMES)
    prices = sales["price"].sort_values()
    for share in reasons.HOMES.values():
        assert f"sold for EUR\u00a0{prices.iloc[int(share * (len(sales) - 1))]:,.0f}" in html


def test_of_a_model_that_tells_nothing_there_is_a_sentence_and_no_picture():
    silent = reasons.told(Silent(), city(), seed=1)
    assert (
        reasons.importance(silent)
        == "<p>There are no reasons to show: a Silent doesn&#x27;t tell: others &lt;do&gt;.</p>"
    )
    assert reasons.dependences(silent) == reasons.homes(Silent(), city(), "EUR") == ""
