"""One sale that several feeds report: the feed of highest precedence wins, and the others fill its gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.config import Merge

KEPT = "merged_into"


def merged(sales: pd.DataFrame, feeds: list[str], settings: Merge) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sales without those that a feed of higher precedence reports too, and those with `merged_into`.

    `feeds` are in order of precedence. Two reports are of one sale where the price and the date agree within
    `settings`, and so does the property, or the location, type and area; of several sales like that it is none. Reports
    of the same feed are never one sale. What the winner lacks is taken from the report; all others stay as they are.
    """
    into = pd.Series(None, index=sales.index, dtype=object)
    for place, feed in enumerate(feeds[1:], 1):
        reports = sales[(sales["source_feed"] == feed).to_numpy()]
        above = sales[sales["source_feed"].isin(feeds[:place]).to_numpy() & into.isna().to_numpy()]
        into = into.where(into.notna(), _same_sales(reports, above, settings).reindex(sales.index))
    gone = sales[into.notna()].assign(**{KEPT: sales["transaction_id"].reindex(into.dropna()).to_numpy()})
    return _filled(sales, into), gone


def _same_sales(reports: pd.DataFrame, above: pd.DataFrame, settings: Merge) -> pd.Series:
    """The index of the one sale that each report is about; reports without one are left out."""
    pairs = [_pairs(reports, above, ["property_id"]), _pairs(reports, above, ["location", "property_type"])]
    pairs[1] = pairs[1][_same_area(reports, above, pairs[1], settings.area)]
    pairs = pd.concat(pairs).drop_duplicates()
    left, right = reports.loc[pairs["left"]], above.loc[pairs["right"]]
    days = np.abs(_days(left) - _days(right))
    prices = np.abs(np.log(left["price"].to_numpy()) - np.log(right["price"].to_numpy()))
    pairs = pairs[(days <= settings.days) & (prices <= np.log1p(settings.price))]
    sole = pairs.groupby("left")["right"].transform("nunique") == 1
    return pairs[sole].drop_duplicates("left").set_index("left")["right"].astype(object)


def _pairs(reports: pd.DataFrame, above: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    sides = [
        rows[columns].dropna().rename_axis(name).reset_index() for name, rows in (("left", reports), ("right", above))
    ]
    return sides[0].merge(sides[1], on=columns)[["left", "right"]]


def _same_area(reports: pd.DataFrame, above: pd.DataFrame, pairs: pd.DataFrame, rounding: float) -> np.ndarray:
    one = reports.loc[pairs["left"], "square_meters"].to_numpy()
    other = above.loc[pairs["right"], "square_meters"].to_numpy()
    return np.abs(one - other) <= np.maximum(0.51, rounding * other)


def _filled(sales: pd.DataFrame, into: pd.Series) -> pd.DataFrame:
    kept = sales[into.isna()]
    reports = sales[into.notna()].set_index(pd.Index(into.dropna()))
    reports = reports[~reports.index.duplicated()]
    own = [name for name in sales.columns if not name.startswith("source_")]
    gaps = reports[own].reindex(kept.index)
    return kept.assign(**{name: kept[name].where(kept[name].notna(), gaps[name]) for name in own})


def _days(rows: pd.DataFrame) -> np.ndarray:
    return pd.to_datetime(rows["sale_date"]).to_numpy("datetime64[D]").astype(int)
