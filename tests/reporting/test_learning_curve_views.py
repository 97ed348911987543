import pandas as pd
import pytest

from homei.reporting.learning_curve_views import learning_curve_section

SAMPLED = {"market_sales": 9_000_000, "max_training_rows": 2_000_000, "is_sampled": True, "rate": 0.222}


@pytest.fixture
def curve():
    rows = [(10_000, 0.06, 0.058, 0.062, 0.72), (40_000, 0.05, 0.049, 0.051, 0.8)]
    return pd.DataFrame(rows, columns=["n_sales", "mdape", "low", "high", "ppe10"])


def test_the_section_says_what_more_sales_changed(curve):
    html = learning_curve_section(curve, SAMPLED | {"is_sampled": False, "market_sales": 41_000})
    assert "holds all 41,000 market sales; 40,000 of them are usable and before the hold-out" in html
    assert "With 4.00 times the sales of the largest sample, the median error fell by 1.00 points." in html
    assert "<svg" in html


def test_a_sampled_training_set_is_named_with_its_rate(curve):
    html = learning_curve_section(curve, SAMPLED)
    assert "The city has 9,000,000 market sales" in html
    assert "at a rate of 22.2\u202f%" in html or "at a rate of 22.2 %" in html


def test_a_city_without_a_smaller_size_has_no_chart(curve):
    html = learning_curve_section(curve.tail(1), SAMPLED)
    assert "too few sales" in html
    assert "<svg" not in html
