"""Slices of the hold-out and their ratio studies."""

import numpy as np
import pandas as pd
import pytest

from homei.evaluation.slices import COLUMNS, VALUE_RELATED, WITH_INTERVALS, age_band, price_decile, slices


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


def test_each_kind_of_slice_contains_each_sale_once():
    measured = slices(valued_sales(), min_sales=30, draws=50, seed=1)
    assert list(measured.columns) == COLUMNS
    assert (measured.groupby("slice")["n"].sum() == 3_000).all()
    assert list(measured["slice"].unique()) == ["location", "property_type", "price_decile", "age"]


def test_small_slices_are_left_out():
    measured = slices(valued_sales(n=120), min_sales=30, draws=20, seed=1)
    assert "price_decile" not in set(measured["slice"])
    assert slices(valued_sales(n=20), min_sales=30, draws=20, seed=1).empty


def test_a_badly_valued_slice_differs_beyond_its_interval():
    sales = valued_sales()
    sales.loc[sales["location"] == "Hill", "predicted"] *= 1.2
    by_place = slices(sales, min_sales=30, draws=200, seed=1).set_index("value")
    assert by_place.loc["Hill", "mdape_low"] > by_place.loc["Dale", "mdape_high"]
    assert by_place.loc["Hill", "median_ratio"] == pytest.approx(1.2, abs=0.02)


def test_price_deciles_have_no_vertical_equity_measures():
    measured = slices(valued_sales(), min_sales=30, draws=20, seed=1)
    tenths = measured["slice"] == "price_decile"
    assert measured.loc[tenths, VALUE_RELATED].isna().all(axis=None)
    assert measured.loc[~tenths, VALUE_RELATED].notna().all(axis=None)


def test_intervals_contain_the_estimate_and_are_repeatable():
    measured = slices(valued_sales(), min_sales=30, draws=100, seed=1)
    for name in WITH_INTERVALS:
        assert (measured[f"{name}_low"] <= measured[name]).all()
        assert (measured[name] <= measured[f"{name}_high"]).all()
    pd.testing.assert_frame_equal(measured, slices(valued_sales(), min_sales=30, draws=100, seed=1))


def test_deciles_are_equally_large_and_rise_with_value():
    sales = valued_sales()
    decile = price_decile(sales["predicted"], sales["price"])
    assert np.bincount(decile).tolist() == [0, *[300] * 10]
    assert pd.Series(sales["price"]).groupby(decile).median().is_monotonic_increasing


def test_noise_alone_gives_no_decile_a_bias():
    sales = valued_sales(n=20_000, sigma=0.10)
    ratios = (sales["predicted"] / sales["price"]).groupby(price_decile(sales["predicted"], sales["price"])).median()
    assert ratios.between(0.98, 1.02).all()


def test_ages_are_assigned_to_bands():
    month = pd.Series([2025 * 12] * 7)
    built = pd.Series([2026, 2021, 2020, 2015, 1996, 1975, np.nan])
    assert age_band(month, built).tolist() == ["0–4", "0–4", "5–9", "10–19", "20–29", "50 and over", "unknown"]
