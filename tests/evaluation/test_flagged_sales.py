"""The sales of the hold-out that were excluded only because of their price."""

import datetime

import pandas as pd
import pytest

from homei.evaluation.flagged_sales import flagged_sales


@pytest.mark.parametrize(
    ("date", "reasons", "is_included"),
    [
        ((2021, 7, 1), "ratio_outlier", True),
        ((2021, 12, 31), "ratio_outlier", True),
        ((2021, 6, 30), "ratio_outlier", False),
        ((2021, 8, 1), "", False),
        ((2021, 8, 1), "bulk_transfer; ratio_outlier", False),
    ],
)
def test_only_outliers_of_the_hold_outs_months_are_included(date, reasons, is_included):
    sales = pd.DataFrame(
        {"transaction_id": ["T1"], "sale_date": [datetime.date(*date)], "market_reasons": [reasons], "price": [1.0]}
    )
    result = flagged_sales(sales, first_month=2021 * 12 + 6)
    assert len(result) == is_included
    assert result["month"].tolist() == [date[0] * 12 + date[1] - 1] * is_included
