"""Deeds on several rows: the price is for all of them, so that a deed is one sale or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from homei.config.feeds import Feed
from homei.validation.contracts import reason_rows

FURTHER = "deed: further row"  # of a sale that another row states, so not rejected
SEVERAL = "deed: several properties at one price"
MIXED = "deed: different dates or prices"  # so that its number does not identify a sale
# Rows that differ in one of these are of different properties. Land and coordinates differ by parcel.
PROPERTY = (
    "property_id", "property_type", "location", "address", "square_meters", "bedrooms", "bathrooms", "year_built",
    "floor",
)  # fmt: skip


def deed_reasons(raw: pd.DataFrame, columns: pd.DataFrame, feeds: Sequence[Feed], rejected: set[int]) -> pd.DataFrame:
    """The rows to set aside because of another one of their deed, with `kind` and `reason`.

    The row of the deed's only property is the sale. Rows in `rejected`, and rows without an area beside one with an
    area, are further rows: outbuildings, land. A deed with several properties is no sale, as its price is for all: the
    first of them is rejected, the others are further rows. Rows with different dates or prices are all rejected.
    """
    with_deeds = [feed.name for feed in feeds if feed.deed is not None]
    if not with_deeds:
        return reason_rows([], "", [])
    has_deed = (raw["source_feed"].isin(with_deeds) & raw["source_deed"].notna()).to_numpy(bool)
    rows = pd.DataFrame({"row": np.flatnonzero(has_deed)})
    rows["deed"] = raw[has_deed].groupby(["source_feed", "source_deed"], sort=False).ngroup().to_numpy()
    rows = rows[rows["deed"].duplicated(keep=False)]
    valid = rows[~rows["row"].isin(rejected)]
    terms = columns[["sale_date", "price"]].iloc[valid["row"]].set_index(valid.index)
    is_mixed = (terms.groupby(valid["deed"]).transform("nunique") > 1).any(axis=1)
    mixed = valid[is_mixed]
    first = _first_stated(valid[~is_mixed], columns)
    rows = rows.join(first, on="deed", how="inner")
    several = first.loc[first["is_several"], "first"]
    lines = raw["source_line"].to_numpy()
    others = rows[rows["row"] != rows["first"]]
    further = [f"{FURTHER} of line {lines[row]}" for row in others["first"]]
    reasons = [
        reason_rows(mixed["row"], MIXED, MIXED),
        reason_rows(several, SEVERAL, SEVERAL),
        reason_rows(others["row"], FURTHER, further),
    ]
    return pd.concat(reasons, ignore_index=True)


def _first_stated(rows: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """By deed the `first` row of a property, and `is_several`: whether other rows are of other properties."""
    of_rows = columns.iloc[rows["row"]]
    stated = rows.assign(
        has_area=of_rows["square_meters"].notna().to_numpy(),
        property=of_rows.groupby([*PROPERTY], sort=False, dropna=False).ngroup().to_numpy(),
    )
    stated = stated[stated["has_area"] | ~stated.groupby("deed")["has_area"].transform("any")]
    deeds = stated.groupby("deed").agg(first=("row", "first"), properties=("property", "nunique"))
    return deeds[["first"]].assign(is_several=deeds["properties"] > 1)
