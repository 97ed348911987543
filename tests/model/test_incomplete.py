from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.config import Incomplete
from homei.features.columns import optional_columns
from homei.model.incomplete import incomplete
from homei.model.preprocess import columns_of
from homei.model.train import fit


@pytest.fixture(scope="module")
def optional(sections):
    return optional_columns(sections.source, sections.features)


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_copy_differs_from_its_sale_by_what_is_left_out_and_each_lacks_something(ready, optional, share, seed):
    sales = ready(300)
    copies = incomplete(sales, optional, share, seed)
    lost = copies.isna() & sales.loc[copies.index].notna()
    assert (copies.isna() | (copies == sales.loc[copies.index])).all(axis=None)
    assert copies.isna().any(axis=1).all()
    assert not lost[["transaction_id", "month", "price", "square_meters", "property_type", "market_level"]].any(
        axis=None
    )
    together = next(group for group in optional if "latitude" in group)
    assert (lost["latitude"] == lost["station_distance"]).all()
    assert {"longitude", "fine_level_12", "station_count"} <= set(together)


def test_the_sales_themselves_stay_as_they_are(ready, optional):
    sales = ready(300)
    incomplete(sales, optional, 1.0, 1)
    assert sales.equals(ready(300))


def test_what_a_request_leaves_out_widens_its_interval_so_that_the_promise_is_kept(sections, recipe, ready):
    sales, later = ready(12_000, noise=0.05), ready(12_000, noise=0.05, seed=12)
    later = later[later["month"] > later["month"].max() - 6]
    few = sections.intervals.model_copy(update={"folds": 2})

    def widths_and_coverage(recipe, asked):
        trained = fit(sales, recipe, sections.source, sections.split, few, sections.scope, "data")
        values = trained.holdout.value(columns_of(asked))
        return np.median(values.high - values.low), later["price"].between(values.low, values.high).mean()

    somewhere = later.assign(location=None)
    taught_nothing = replace(recipe, incomplete=Incomplete(share=0.0, weight=0.0))
    width, coverage = widths_and_coverage(recipe, later)
    wider, still_covered = widths_and_coverage(recipe, somewhere)
    assert coverage > 0.88
    assert wider > 1.5 * width
    assert still_covered > max(0.86, widths_and_coverage(taught_nothing, somewhere)[1] + 0.1)
