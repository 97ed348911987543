"""Contribution charts of a small trained model, on sales with a known price formula."""

import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei.reporting import contribution_views
from homei.training.contributions import explain
from homei.training.encoding import Encoder, columns_of
from homei.training.estimators import UnexplainedError, create
from homei.training.valuation_model import FittedModel


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


class ModelWithoutContributions:
    """A model that cannot explain its values."""

    fitted = SimpleNamespace(encoder=Encoder((), {}))

    def contributions(self, columns):
        raise UnexplainedError("the model has no contributions: others <do>")


@pytest.fixture(scope="module")
def model():
    columns = columns_of(city())
    encoder = Encoder.fit(columns, ("square_meters", "floor"), ("property_type", "location"))
    trees = create("lightgbm", {"n_estimators": 60, "min_child_samples": 5}, encoder, 1)
    trees.fit(encoder.matrix(columns), encoder.target(columns))
    fitted = FittedModel(encoder, trees)
    return SimpleNamespace(
        fitted=fitted,
        value=lambda columns: SimpleNamespace(price=fitted.prices(columns)),
        contributions=lambda columns: explain(encoder, trees, columns, 80.0),
    )


@pytest.fixture(scope="module")
def sample(model):
    return contribution_views.sample_contributions(model, city(), seed=1)


def texts_of(chart):
    return [element.text for element in ElementTree.fromstring(chart).iter() if element.tag.endswith("text")]


def test_importance_ranks_inputs_and_merges_the_two_area_inputs(sample):
    texts = texts_of(contribution_views.importance(sample))
    assert [name for name in texts if name in sample.effects][:3] == ["square_meters", "location", "floor"]
    assert "log_area" not in texts


def test_contributions_match_the_price_formula(sample):
    ground, top = (sample.effects["floor"][sample.values["floor"] == floor].mean() for floor in (0, 8))
    assert np.log((1 + top) / (1 + ground)) == pytest.approx(8 * 0.03, rel=0.1)
    assert np.allclose(1 + sample.effects["square_meters"], sample.values["square_meters"] / 80, rtol=0.1)


def test_dependences_show_numeric_inputs_and_one_category(sample):
    html = contribution_views.dependences(sample)
    assert html.count("<svg") == 5
    titles = re.findall(r'aria-label="([^"]*)"', html)
    assert titles[:2] == ["square meters", "floor"]
    assert titles[-1] == "location"
    assert "harbour &amp; quay" in html


def test_charts_are_reproducible_for_one_seed(model, sample):
    again = contribution_views.sample_contributions(model, city(), seed=1)
    assert contribution_views.importance(again) + contribution_views.dependences(
        again
    ) == contribution_views.importance(sample) + contribution_views.dependences(sample)
    assert len(again.values["floor"]) == contribution_views.SAMPLE
    other = contribution_views.sample_contributions(model, city(), seed=2)
    assert contribution_views.dependences(other) != contribution_views.dependences(sample)


def test_a_waterfall_shows_start_contributions_and_value():
    texts = texts_of(
        contribution_views.waterfall(100_000.0, [("place", 30_000.4), ("age", -10_000.0)], "A property", "EUR")
    )
    assert {"average property", "place", "age", "value"} <= set(texts)
    assert {"EUR\u00a0100,000", "+30,000", "−10,000", "EUR\u00a0120,000"} <= set(texts)


def test_each_waterfall_bar_starts_at_the_end_of_the_bar_above():
    drawn = contribution_views.waterfall(100_000.0, [("place", 30_000.0), ("age", -10_000.0)], "A property", "EUR")
    bars = re.findall(r'd="M ([\d.]+) [\d.]+ \nL ([\d.]+) [^"]*z[^"]*"[^>]*fill: var\(--chart-(\w+)[^>]*0\.85', drawn)
    (zero, start, _), place, age, (bottom, value, _) = bars
    assert (zero, start, place[1], value) == (bottom, place[0], age[0], age[1])
    assert (place[2], age[2]) == ("accent", "second")


def test_waterfalls_show_a_low_a_median_and_a_high_price(model):
    sales = city()
    html = contribution_views.property_waterfalls(model, sales, "EUR")
    assert re.findall(r'aria-label="([^"]*)"', html) == list(contribution_views.EXAMPLES)
    prices = sales["price"].sort_values()
    for share in contribution_views.EXAMPLES.values():
        assert f"sale price EUR\u00a0{prices.iloc[int(share * (len(sales) - 1))]:,.0f}" in html


def test_a_model_without_contributions_gives_a_sentence_and_no_chart():
    sample = contribution_views.sample_contributions(ModelWithoutContributions(), city(), seed=1)
    assert (
        contribution_views.importance(sample)
        == "<p>No contributions available: the model has no contributions: others &lt;do&gt;.</p>"
    )
    assert (
        contribution_views.dependences(sample)
        == contribution_views.property_waterfalls(ModelWithoutContributions(), city(), "EUR")
        == ""
    )
