"""Accuracy by location, type, price and age: where an average that looks good hides a place that does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from homei.model.ratio import bootstrapped, median_ratio, percentile_interval, ratio_study, value_proxy

WITH_INTERVALS = ["mdape", "median_ratio", "cod"]
STUDY = [
    "n", "mdape", "mdape_low", "mdape_high", "ppe10", "median_ratio", "median_ratio_low", "median_ratio_high",
    "cod", "cod_low", "cod_high", "prd", "prb", "mki", "vei",
]  # fmt: skip
COLUMNS = ["slice", "value", *STUDY]
BY_WORTH = ["prb", "mki", "vei"]  # ask whether worth matters: not where all homes are worth about the same
AGES = {0: "0–4", 5: "5–9", 10: "10–19", 20: "20–29", 30: "30–49", 50: "50 and over"}  # years, from the lower end
UNKNOWN = "unknown"


def price_decile(predicted: pd.Series, price: pd.Series) -> np.ndarray:
    """1 (cheapest tenth) to 10, by half the price and half the value: what PRB takes for a property's worth.

    Tenths by price alone would find cheap homes overvalued in any market that has noise.
    """
    worth = value_proxy(predicted.to_numpy(), price.to_numpy(), median_ratio(predicted, price))
    rank = np.argsort(np.argsort(worth, kind="stable"), kind="stable")
    return rank * 10 // len(worth) + 1


def age_band(month: pd.Series, year_built: pd.Series) -> np.ndarray:
    """The building's age at the sale, in bands of years; "unknown" without a year of building."""
    age = (month // 12 - year_built).clip(lower=0).to_numpy(dtype=np.float64)
    band = np.searchsorted(list(AGES), np.nan_to_num(age), side="right") - 1
    return np.where(np.isnan(age), UNKNOWN, np.array(list(AGES.values()))[band])


def slices(held: pd.DataFrame, smallest: int, draws: int, seed: int) -> pd.DataFrame:
    """The ratio study of each slice of at least `smallest` sales, with the 95 % intervals of WITH_INTERVALS.

    Of a tenth of worth BY_WORTH is left out.

    `held` has predicted, price, month, location, property_type and year_built; the result has COLUMNS, the slices in
    the order location, property_type, price_decile, age.
    """
    rows = []
    for kind, value, members in _members(held):
        if len(members) >= smallest:
            rows.append({"slice": kind, "value": value, **slice_study(members, draws, seed)})
    found = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(STUDY[1:], np.float64)).round(6)
    found.loc[found["slice"] == "price_decile", BY_WORTH] = np.nan
    return found


def slice_study(members: pd.DataFrame, draws: int, seed: int | Sequence[int]) -> dict[str, Any]:
    """The ratio study of a slice's sales, and `<name>_low`, `<name>_high` of each of WITH_INTERVALS."""
    valued, price = members["predicted"], members["price"]
    study = ratio_study(valued, price)
    for name, drawn in bootstrapped(WITH_INTERVALS, valued, price, draws, seed).items():
        study[f"{name}_low"], study[f"{name}_high"] = percentile_interval(drawn)
    return study


def _members(held: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    by_price = [f"{decile:02d}" for decile in price_decile(held["predicted"], held["price"])]
    by_age = age_band(held["month"], held["year_built"])
    kinds = {"location": held["location"], "property_type": held["property_type"], "price_decile": by_price}
    for kind, values in {**kinds, "age": by_age}.items():
        groups = held.groupby(pd.Series(values, index=held.index), sort=True)
        order = [*AGES.values(), UNKNOWN] if kind == "age" else list(groups.groups)
        yield from ((kind, str(value), groups.get_group(value)) for value in order if value in groups.groups)
