import numpy as np
import pandas as pd
import pytest

from homei.model.confidence import confidence_study, confidence_table


def held(said: float = 1.0, size: int = 5_000) -> pd.DataFrame:
    """Valuations whose errors have known deviations, of which they state `said` times as much."""
    random = np.random.default_rng(5)
    deviation = random.uniform(0.02, 0.2, size)
    price = np.exp(random.normal(12, 0.3, size))
    return pd.DataFrame(
        {"price": price, "predicted": price * np.exp(random.normal(0, deviation)), "deviation": said * deviation}
    )


def test_an_honest_confidence_is_what_came_in_every_fifth():
    table = confidence_table(held(), 100, 1)
    assert table["n"].tolist() == [1_000] * 5
    assert table["stated"].is_monotonic_decreasing
    np.testing.assert_allclose(table["stated"], table["came"], atol=0.01)
    assert ((table["low"] < table["came"]) & (table["came"] < table["high"])).all()
    assert confidence_study(table)["ok"]


@pytest.mark.parametrize("said", [0.6, 1.6])
def test_one_that_claims_too_much_or_too_little_is_told(said):
    study = confidence_study(confidence_table(held(said), 100, 1))
    assert not study["ok"]
    assert study["largest_gap"] > 0.05


def test_a_few_valuations_make_fewer_groups():
    assert len(confidence_table(held(size=3), 20, 1)) == 3
