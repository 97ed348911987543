import numpy as np
import pandas as pd
import pytest

from homei.evaluation.confidence_calibration import confidence_study, confidence_table


def holdout(said: float = 1.0, size: int = 5_000) -> pd.DataFrame:
    """Valuations with known deviations, stated `said` times as large."""
    random = np.random.default_rng(5)
    deviation = random.uniform(0.02, 0.2, size)
    price = np.exp(random.normal(12, 0.3, size))
    return pd.DataFrame(
        {"price": price, "predicted": price * np.exp(random.normal(0, deviation)), "deviation": said * deviation}
    )


def test_calibrated_confidences_equal_the_observed_ones_in_every_fifth():
    table = confidence_table(holdout(), 100, 1)
    assert table["n"].tolist() == [1_000] * 5
    assert table["stated"].is_monotonic_decreasing
    np.testing.assert_allclose(table["stated"], table["observed"], atol=0.01)
    assert ((table["low"] < table["observed"]) & (table["observed"] < table["high"])).all()
    assert confidence_study(table)["ok"]


@pytest.mark.parametrize("said", [0.6, 1.6])
def test_overstated_and_understated_confidences_fail(said):
    study = confidence_study(confidence_table(holdout(said), 100, 1))
    assert not study["ok"]
    assert study["largest_gap"] > 0.05


def test_few_valuations_give_fewer_groups():
    assert len(confidence_table(holdout(size=3), 20, 1)) == 3
