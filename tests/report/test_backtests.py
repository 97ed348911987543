from homei.report import backtests


def test_the_cards_tell_the_pooled_error_beside_the_rivals(backtest):
    said = str(backtests.headline(backtest))
    for shown in ("2.70\u202f%", "LightGBM as it comes 2.90\u202f%", "11 of 12", "15.0\u202f% of the value wide"):
        assert shown in said


def test_every_month_is_a_row_with_every_estimator(backtest):
    said = str(backtests.month_table(backtest))
    assert all(f"2025-{month:02d}" in said for month in range(1, 13))
    assert all(title in said for title in backtests.ESTIMATORS.values())
