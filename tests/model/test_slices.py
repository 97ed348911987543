"""Slices of the hold-out: which sales belong together, and what is said of them."""

import numpy as np
import pandas as pd
import pytest

from homei.model.slices import BY_WORTH, COLUMNS, WITH_INTERVALS, age_band, price_decile, slices


def valued_sales(n=3_000, sigma=0.05, seed=8):
    random = np.random.default_rng(seed)
    worth = random.lognormal(12, 0.5, n)
    return pd.DataFrame(
        {
            "predicted": worth * np.exp(random.normal(0, sigma, n)),
            "price": worth * np.exp(random.normal(0, sigma, n)),
            "month": 24_300,
            "location": np.where(np.arange(n) % 3 == 0, "Hill", "Dale"),
            "property_type": "flat",
            "year_built": np.where(np.arange(n) % 2 == 0, np.nan, 1990.0),
        }
    )


def test_each_slice_counts_each_sale_once():
    measured = slices(valued_sales(), smallest=30, draws=50, seed=1)
    assert list(measured.columns) == COLUMNS
    assert (measured.groupby("slice")["n"].sum() == 3_000).all()
    assert list(measured["slice"].unique()) == ["location", "property_type", "price_decile", "age"]


def test_a_slice_that_is_too_small_is_left_out():
    measured = slices(valued_sales(n=120), smallest=30, draws=20, seed=1)
    assert "price_decile" not in set(measured["slice"])
    assert slices(valued_sales(n=20), smallest=30, draws=20, seed=1).empty


def test_the_slice_that_is_valued_badly_stands_out_beyond_its_interval():
    sales = valued_sales()
    sales.loc[sales["location"] == "Hill", "predicted"] *= 1.2
    by_place = slices(sales, smallest=30, draws=200, seed=1).set_index("value")
    assert by_place.loc["Hill", "mdape_low"] > by_place.loc["Dale", "mdape_high"]
    assert by_place.loc["Hill", "median_ratio"] == pytest.approx(1.2, abs=0.02)


def test_a_tenth_of_worth_has_no_measure_against_worth():
    measured = slices(valued_sales(), smallest=30, draws=20, seed=1)
    tenths = measured["slice"] == "price_decile"
    assert measured.loc[tenths, BY_WORTH].isna().all(axis=None)
    assert measured.loc[~tenths, BY_WORTH].notna().all(axis=None)


def test_intervals_hold_the_estimate_and_repeat():
    measured = slices(valued_sales(), smallest=30, draws=100, seed=1)
    for name in WITH_INTERVALS:
        assert (measured[f"{name}_low"] <= measured[name]).all()
        assert (measured[name] <= measured[f"{name}_high"]).all()
    pd.testing.assert_frame_equal(measured, slices(valued_sales(), smallest=30, draws=100, seed=1))


def test_deciles_are_equally_large_and_rise_with_worth():
    sales = valued_sales()
    decile = price_decile(sales["predicted"], sales["price"])
    assert np.bincount(decile).tolist() == [0, *[300] * 10]
    assert pd.Series(sales["price"]).groupby(decile).median().is_monotonic_increasing


def test_noise_alone_tilts_no_decile():
    sales = valued_sales(n=20_000, sigma=0.10)
    ratios = (sales["predicted"] / sales["price"]).groupby(price_decile(sales["predicted"], sales["price"])).median()
    assert ratios.between(0.98, 1.02).all()


def test_an_age_falls_into_its_band():
    month = pd.Series([2025 * 12] * 7)
    built = pd.Series([2026, 2021, 2020, 2015, 1996, 1975, np.nan])
    assert age_band(month, built).tolist() == ["0–4", "0–4", "5–9", "10–19", "20–29", "50 and over", "unknown"]
