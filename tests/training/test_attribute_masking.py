from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.features.columns import optional_columns
from homei.training.attribute_masking import masked_copies
from homei.training.config import MaskingConfig
from homei.training.encoding import columns_of
from homei.training.train import train_models


@pytest.fixture(scope="module")
def optional(sections):
    return optional_columns(sections.city, sections.features)


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_each_copy_lacks_at_least_one_attribute_and_is_otherwise_unchanged(ready, optional, share, seed):
    sales = ready(300)
    copies = masked_copies(sales, optional, share, seed)
    lost = copies.isna() & sales.loc[copies.index].notna()
    assert (copies.isna() | (copies == sales.loc[copies.index])).all(axis=None)
    assert copies.isna().any(axis=1).all()
    assert not lost[["transaction_id", "month", "price", "square_meters", "property_type", "market_level"]].any(
        axis=None
    )
    together = next(group for group in optional if "latitude" in group)
    assert (lost["latitude"] == lost["station_distance"]).all()
    assert {"longitude", "fine_level_12", "station_count"} <= set(together)


def test_the_original_sales_are_not_changed(ready, optional):
    sales = ready(300)
    masked_copies(sales, optional, 1.0, 1)
    assert sales.equals(ready(300))


def test_intervals_of_incomplete_requests_keep_their_coverage(two_folds, recipe, ready):
    sales, later = ready(12_000, noise=0.05), ready(12_000, noise=0.05, seed=12)
    later = later[later["month"] > later["month"].max() - 6]

    def widths_and_coverage(recipe, test):
        trained = train_models(sales, recipe, two_folds, "data")
        values = trained.holdout.value(columns_of(test))
        return np.median(values.high - values.low), later["price"].between(values.low, values.high).mean()

    somewhere = later.assign(location=None)
    without_masking = replace(recipe, masking=MaskingConfig(share=0.0, weight=0.0))
    width, coverage = widths_and_coverage(recipe, later)
    wider, still_covered = widths_and_coverage(recipe, somewhere)
    assert coverage > 0.88
    assert wider > 1.5 * width
    assert still_covered > max(0.86, widths_and_coverage(without_masking, somewhere)[1] + 0.1)
