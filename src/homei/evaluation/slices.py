"""Ratio studies of slices of the sales: by location, property type, price decile and age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation.ratio_study import bootstrapped, median_ratio, percentile_interval, ratio_study, value_proxy

WITH_INTERVALS = ["mdape", "median_ratio", "cod"]
STUDY = [
    "n", "mdape", "mdape_low", "mdape_high", "ppe10", "median_ratio", "median_ratio_low", "median_ratio_high",
    "cod", "cod_low", "cod_high", "prd", "prb", "mki", "vei",
]  # fmt: skip
COLUMNS = ["slice", "value", *STUDY]
VALUE_RELATED = ["prb", "mki", "vei"]  # meaningless within a decile of similar values
AGES = {0: "0–4", 5: "5–9", 10: "10–19", 20: "20–29", 30: "30–49", 50: "50 and over"}  # by lower bound in years
UNKNOWN = "unknown"


def price_decile(predicted: pd.Series, price: pd.Series) -> np.ndarray:
    """The decile of each sale by `value_proxy`, 1 (lowest) to 10.

    Deciles by price alone would show cheap properties as overvalued in any market with noise.
    """
    proxy = value_proxy(predicted.to_numpy(), price.to_numpy(), median_ratio(predicted, price))
    rank = np.argsort(np.argsort(proxy, kind="stable"), kind="stable")
    return rank * 10 // len(proxy) + 1


def age_band(month: pd.Series, year_built: pd.Series) -> np.ndarray:
    """The building's age at the sale in bands (AGES); "unknown" without a year of building."""
    age = (month // 12 - year_built).clip(lower=0).to_numpy(dtype=np.float64)
    band = np.searchsorted(list(AGES), np.nan_to_num(age), side="right") - 1
    return np.where(np.isnan(age), UNKNOWN, np.array(list(AGES.values()))[band])


def slices(holdout: pd.DataFrame, min_sales: int, draws: int, seed: int) -> pd.DataFrame:
    """The ratio study of each slice of at least `min_sales` sales, with intervals of WITH_INTERVALS.

    `holdout` has predicted, price, month, location, property_type and year_built. The result has COLUMNS, with slices
    in the order location, property_type, price_decile, age; VALUE_RELATED is NaN for price deciles.
    """
    rows = []
    for kind, value, members in _members(holdout):
        if len(members) >= min_sales:
            rows.append({"slice": kind, "value": value, **slice_study(members, draws, seed)})
    table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(STUDY[1:], np.float64)).round(6)
    table.loc[table["slice"] == "price_decile", VALUE_RELATED] = np.nan
    return table


def slice_study(members: pd.DataFrame, draws: int, seed: int | Sequence[int]) -> dict[str, Any]:
    """The ratio study of a slice, with `<name>_low` and `<name>_high` of each of WITH_INTERVALS."""
    valued, price = members["predicted"], members["price"]
    study = ratio_study(valued, price)
    for name, drawn in bootstrapped(WITH_INTERVALS, valued, price, draws, seed).items():
        study[f"{name}_low"], study[f"{name}_high"] = percentile_interval(drawn)
    return study


def _members(holdout: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    by_price = [f"{decile:02d}" for decile in price_decile(holdout["predicted"], holdout["price"])]
    by_age = age_band(holdout["month"], holdout["year_built"])
    kinds = {"location": holdout["location"], "property_type": holdout["property_type"], "price_decile": by_price}
    for kind, values in {**kinds, "age": by_age}.items():
        groups = holdout.groupby(pd.Series(values, index=holdout.index), sort=True)
        order = [*AGES.values(), UNKNOWN] if kind == "age" else list(groups.groups)
        yield from ((kind, str(value), groups.get_group(value)) for value in order if value in groups.groups)
