"""The economy's series: monthly, eight years, up to the world's date."""

import pandas as pd
import pytest


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("interest_rate", 0.1, 6), ("cpi", 98, 130), ("population", 500_000, 620_000)],
)
def test_a_series_has_a_plausible_value_for_each_month(world, name, lowest, highest):
    series = pd.read_csv(world / "indicators" / f"{name}.csv")
    assert list(series.columns) == ["month", "value"]
    assert series["month"].tolist() == pd.period_range("2018-01", "2025-12", freq="M").astype(str).tolist()
    assert series["value"].between(lowest, highest).all()
    assert series["value"].pct_change().abs().iloc[1:].max() < 0.5
