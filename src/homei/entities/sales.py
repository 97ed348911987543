"""One sale that several feeds report: the feed of highest precedence wins, and the others fill its gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.config import Merge
from homei.entities.lookalikes import same_area

KEPT = "merged_into"


def merged(sales: pd.DataFrame, feeds: list[str], settings: Merge) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sales without those that a feed of higher precedence reports too, and those with `merged_into`.

    `feeds` are in order of precedence. Two reports are of one sale where the price and the date agree within
    `settings`, and so does the property or, where one's is unknown, the location, type and area; of several sales like
    that it is none. Reports of the same feed are never one sale. What the winner lacks is taken from the report of the
    first feed that tells it; all others stay as they are.
    """
    into = pd.Series(None, index=sales.index, dtype=object)
    for place, feed in enumerate(feeds[1:], 1):
        reports = sales[(sales["source_feed"] == feed).to_numpy()]
        above = sales[sales["source_feed"].isin(feeds[:place]).to_numpy() & into.isna().to_numpy()]
        into = into.where(into.notna(), _same_sales(reports, above, settings).reindex(sales.index))
    gone = sales[into.notna()].assign(**{KEPT: sales["transaction_id"].reindex(into.dropna()).to_numpy()})
    return _filled(sales, into, feeds[1:]), gone


def _same_sales(reports: pd.DataFrame, above: pd.DataFrame, settings: Merge) -> pd.Series:
    """The index of the one sale that each report is about; reports without one are left out."""
    pairs = _candidates(reports, above, settings)
    left, right = reports.loc[pairs["left"]], above.loc[pairs["right"]]
    pairs["days"] = np.abs(_days(left) - _days(right))
    pairs["change"] = np.abs(np.log(left["price"].to_numpy()) - np.log(right["price"].to_numpy()))
    pairs = pairs[(pairs["days"] <= settings.days) & (pairs["change"] <= np.log1p(settings.price))]
    sole = pairs[pairs.groupby("left")["right"].transform("nunique") == 1]
    # Two reports of a feed are two sales: the nearer one is the sale above.
    nearest = sole.sort_values(["days", "change", "left"]).drop_duplicates("right")
    return nearest.set_index("left")["right"].astype(object)


def _candidates(reports: pd.DataFrame, above: pd.DataFrame, settings: Merge) -> pd.DataFrame:
    """Pairs of the same property, or that look alike where the property of one is unknown."""
    alike = _pairs(reports, above, ["location", "property_type"], settings.price)
    areas = reports.loc[alike["left"], "square_meters"], above.loc[alike["right"], "square_meters"]
    alike = alike[same_area(*(area.to_numpy() for area in areas), settings.area)]
    told = [rows["property_id"].notna() for rows in (reports, above)]
    both = told[0].loc[alike["left"]].to_numpy() & told[1].loc[alike["right"]].to_numpy()
    # Flats of one price list look alike to the cent, but are not one.
    same = _pairs(reports, above, ["property_id"], settings.price)
    return pd.concat([same, alike[~both]], ignore_index=True)


def _pairs(reports: pd.DataFrame, above: pd.DataFrame, columns: list[str], change: float) -> pd.DataFrame:
    """Pairs that agree in `columns` and whose prices are of the same or of neighbouring spans: few of a million."""
    span = max(np.log1p(change), 1e-6)
    left, right = (
        rows[columns].assign(span=np.log(rows["price"]) // span).dropna().rename_axis(name).reset_index()
        for name, rows in (("left", reports), ("right", above))
    )
    spans = pd.concat([left.assign(span=left["span"] + step) for step in (-1, 0, 1)])
    return spans.merge(right, on=[*columns, "span"])[["left", "right"]]


def _filled(sales: pd.DataFrame, into: pd.Series, feeds: list[str]) -> pd.DataFrame:
    kept = sales[into.isna()]
    own = [name for name in sales.columns if not name.startswith("source_")]
    for feed in feeds:
        reports = sales[into.notna() & (sales["source_feed"] == feed).to_numpy()]
        gaps = reports[own].set_index(pd.Index(into[reports.index])).reindex(kept.index)
        kept = kept.assign(**{name: kept[name].where(kept[name].notna(), gaps[name]) for name in own})
    return kept


def _days(rows: pd.DataFrame) -> np.ndarray:
    return pd.to_datetime(rows["sale_date"]).to_numpy("datetime64[D]").astype(int)
