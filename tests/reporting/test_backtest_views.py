from homei.reporting import backtest_views


def test_headline_cards_show_the_pooled_error_and_the_baseline(backtest):
    html = str(backtest_views.headline(backtest))
    for expected in (
        "2.70\u202f%",
        "LightGBM with default parameters 2.90\u202f%",
        "11 of 12",
        "15.0\u202f% mean width",
    ):
        assert expected in html


def test_month_table_has_a_row_a_month_and_a_column_an_estimator(backtest):
    html = str(backtest_views.month_table(backtest))
    assert all(f"2025-{month:02d}" in html for month in range(1, 13))
    assert all(title in html for title in backtest_views.ESTIMATORS.values())
