"""Duplicate sales: of the reports of one sale, the one from the most preferred feed is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.resolution.config import MergeConfig
from homei.resolution.identical_units import is_same_area


def merge_duplicates(sales: pd.DataFrame, feeds: list[str], settings: MergeConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sales without duplicates, and the duplicates with `merged_into`.

    `merged_into` is the transaction_id of the kept report; `feeds` are in order of precedence. Two reports are of one
    sale if price and date agree within `settings`, and so do the properties or, if one is unknown, location, type and
    area. A report that fits several sales is no duplicate, nor is one of the same feed. Missing values of a kept report
    are filled from its duplicates, first feed first.
    """
    replaced_by = pd.Series(None, index=sales.index, dtype=object)  # a duplicate's kept report, by index
    for position, feed in enumerate(feeds[1:], 1):
        reports = sales[(sales["source_feed"] == feed).to_numpy()]
        preferred = sales[sales["source_feed"].isin(feeds[:position]).to_numpy() & replaced_by.isna().to_numpy()]
        originals = _same_sales(reports, preferred, settings).reindex(sales.index)
        replaced_by = replaced_by.where(replaced_by.notna(), originals)
    merged_into = sales["transaction_id"].reindex(replaced_by.dropna()).to_numpy()
    return _filled(sales, replaced_by, feeds[1:]), sales[replaced_by.notna()].assign(merged_into=merged_into)


def _same_sales(reports: pd.DataFrame, preferred: pd.DataFrame, settings: MergeConfig) -> pd.Series:
    """The index of the preferred report of the same sale, by the index of those reports that have one."""
    pairs = _candidates(reports, preferred, settings)
    left, right = reports.loc[pairs["left"]], preferred.loc[pairs["right"]]
    pairs = pairs.assign(**differences(left, right), id=left["transaction_id"].to_numpy())
    pairs = pairs[(pairs["days"] <= settings.days) & (pairs["change"] <= np.log1p(settings.price))]
    unambiguous = pairs[pairs.groupby("left")["right"].transform("nunique") == 1]
    # Two reports of one feed are two sales, so only the nearer one is a duplicate.
    nearest = unambiguous.sort_values(["days", "change", "id"]).drop_duplicates("right")
    return nearest.set_index("left")["right"].astype(object)


def differences(left: pd.DataFrame, right: pd.DataFrame) -> dict[str, np.ndarray]:
    """`days` between the dates, and `change` between the log prices, of two tables row by row."""
    change = np.log(left["price"].to_numpy(float)) - np.log(right["price"].to_numpy(float))
    return {"days": np.abs(_days(left) - _days(right)), "change": np.abs(change)}


def _candidates(reports: pd.DataFrame, preferred: pd.DataFrame, settings: MergeConfig) -> pd.DataFrame:
    """Pairs of the same property, or of the same location, type and area if one property is unknown."""
    same_property = _pairs(reports, preferred, ["property_id"], settings.price)
    similar = _pairs(reports, preferred, ["location", "property_type"], settings.price)
    left, right = reports.loc[similar["left"]], preferred.loc[similar["right"]]
    areas = left["square_meters"].to_numpy(), right["square_meters"].to_numpy()
    # Units sold from one price list have equal prices, types and areas, so two known properties must be the same.
    are_known = left["property_id"].notna().to_numpy() & right["property_id"].notna().to_numpy()
    similar = similar[is_same_area(*areas, settings.area) & ~are_known]
    return pd.concat([same_property, similar], ignore_index=True)


def _pairs(reports: pd.DataFrame, preferred: pd.DataFrame, columns: list[str], change: float) -> pd.DataFrame:
    """Pairs that agree in `columns` and have prices in the same or a neighbouring band of width `change`."""
    width = max(np.log1p(change), 1e-6)
    left, right = (
        rows[columns].assign(band=np.log(rows["price"]) // width).dropna().rename_axis(name).reset_index()
        for name, rows in (("left", reports), ("right", preferred))
    )
    bands = pd.concat([left.assign(band=left["band"] + step) for step in (-1, 0, 1)])
    return bands.merge(right, on=[*columns, "band"])[["left", "right"]]


def _filled(sales: pd.DataFrame, replaced_by: pd.Series, feeds: list[str]) -> pd.DataFrame:
    """The sales without duplicates, with missing values filled from them."""
    unique = sales[replaced_by.isna()]
    columns = [name for name in sales.columns if not name.startswith("source_")]
    for feed in feeds:
        reports = sales[replaced_by.notna() & (sales["source_feed"] == feed).to_numpy()]
        values = reports[columns].set_index(pd.Index(replaced_by[reports.index])).reindex(unique.index)
        unique = unique.assign(**{name: unique[name].where(unique[name].notna(), values[name]) for name in columns})
    return unique


def _days(rows: pd.DataFrame) -> np.ndarray:
    return pd.to_datetime(rows["sale_date"]).to_numpy("datetime64[D]").astype(int)
