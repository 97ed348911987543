"""Planted oddities: sales that are well recorded but show no market price, each kind at a known rate."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import numpy as np
import pandas as pd

from homei.demo.faults import DUPLICATE
from homei.demo.market import HIGHEST, LOWEST

BULK, FAMILY, RESALE, NOMINAL, DISTRESSED = KINDS = (
    "bulk_transfer", "family_transfer", "quick_resale", "nominal_price", "distressed",
)  # fmt: skip
# What is paid as a share of the value, and only where even the lowest leaves a price per m² that a contract believes:
# it is the price's being no market price that is to be found out, not a fault.
SHARES_OF_VALUE = {BULK: (0.45, 0.70), FAMILY: (0.35, 0.70), DISTRESSED: (0.50, 0.60)}
BULK_HOMES = (4, 10)
RESALE_DAYS = (3, 20)
RESALE_CHANGE = (0.35, 0.60)  # up or down


def plant(
    rng: np.random.Generator, rows: pd.DataFrame, shares: Mapping[str, float], as_of: datetime.date
) -> pd.DataFrame:
    """The register's rows, faults planted, with its odd sales: `oddity` (None where normal) and `deal`.

    Only clean rows become odd, and none that has a duplicate. A quick resale is a row more, after its first sale in
    order of date; homes of one bulk transfer stand together on one day and have a `deal` number in common (0 for
    others). As many sales are odd as `shares` tells, bulk transfers as far as there are districts with four sales in a
    month. Raises ValueError for an unknown kind.
    """
    if unknown := sorted(set(shares) - set(KINDS)):
        raise ValueError(f"simulate.oddities: {', '.join(unknown)} is no kind: it is one of {', '.join(KINDS)}")
    rows = rows.assign(oddity=pd.Series(None, index=rows.index, dtype=object), deal=0, place=np.arange(len(rows)) * 1.0)
    sales = int((rows["fault"] != DUPLICATE).sum())
    counts = {kind: int(shares.get(kind, 0.0) * sales + 0.5) for kind in KINDS}
    before, after = neighbours(rows)
    free = (rows["fault"].isna() & ~rows["transaction_id"].duplicated(keep=False)).to_numpy()

    rows = _bulk_transfers(rng, rows, free, counts[BULK])
    bulk = (rows["oddity"] == BULK).to_numpy()
    # Who sells in bulk has bought before, and is no family: neither of the two sales takes another oddity.
    free &= ~bulk
    free[before[bulk & (before >= 0)]] = False
    free[after[bulk & (after >= 0)]] = False

    first = _resold(rng, rows, free, after, counts[RESALE], as_of)
    free[first] = False
    resales = _resales(rng, rows, first)
    for kind in (FAMILY, NOMINAL, DISTRESSED):
        picked = rng.permutation(np.flatnonzero(free & _dear_enough(rows, kind)))[: counts[kind]]
        free[picked] = False
        rows.loc[picked, "oddity"] = kind
        rows.loc[picked, "price"] = _odd_prices(rng, rows.loc[picked], kind)
    every = pd.concat([rows, resales]) if len(resales) else rows
    return every.sort_values("place", kind="stable", ignore_index=True).drop(columns="place")


def neighbours(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """For each row the position of the same home's sale before it and after it, by sold_on; -1 where there is none."""
    home = pd.factorize(rows["property_id"])[0]
    order = np.lexsort([np.arange(len(rows)), rows["sold_on"].to_numpy(), home])
    same = home[order][1:] == home[order][:-1]
    before, after = np.full(len(rows), -1), np.full(len(rows), -1)
    before[order[1:][same]] = order[:-1][same]
    after[order[:-1][same]] = order[1:][same]
    return before, after


def _bulk_transfers(rng: np.random.Generator, rows: pd.DataFrame, free: np.ndarray, count: int) -> pd.DataFrame:
    """Sales of one district and month, made one deal on the last one's day at one price per m²."""
    rows, pool = rows.copy(), rows[free & _dear_enough(rows, BULK)]
    month = pool["sold_on"].dt.to_period("M").to_numpy()
    deals = [group for _, group in pool.groupby([pool["district"], month]) if len(group) >= BULK_HOMES[0]]
    sold: set[str] = set()
    for deal, at in enumerate(rng.permutation(len(deals)).tolist(), 1):
        left = count - len(sold)
        if left < BULK_HOMES[0]:
            break
        size = min(int(rng.integers(BULK_HOMES[0], BULK_HOMES[1] + 1)), left)
        homes = deals[at][~deals[at]["property_id"].isin(sold)]
        homes = homes.iloc[np.sort(rng.permutation(len(homes))[:size])]
        if len(homes) < BULK_HOMES[0]:
            continue
        area = homes["square_meters"].astype(float)
        price = area * (rng.uniform(*SHARES_OF_VALUE[BULK]) * homes["true_price"].sum() / area.sum())
        last = homes.iloc[-1]
        rows.loc[homes.index, ["oddity", "deal", "sold_on", "sale_date"]] = [
            BULK, deal, last["sold_on"], last["sale_date"],
        ]  # fmt: skip
        rows.loc[homes.index, "price"] = _money(price)
        rows.loc[homes.index, "place"] = last["place"] + np.arange(len(homes)) / 100
        sold |= set(homes["property_id"])
    return rows


def _resold(
    rng: np.random.Generator,
    rows: pd.DataFrame,
    free: np.ndarray,
    after: np.ndarray,
    count: int,
    as_of: datetime.date,
) -> np.ndarray:
    """The sales after which the home is sold again at once: not where it is soon sold anyhow, or time is up."""
    sold = rows["sold_on"].to_numpy()
    end = np.where(after >= 0, sold[after], np.datetime64(as_of) + np.timedelta64(1, "D"))
    in_time = sold + np.timedelta64(RESALE_DAYS[1], "D") < end
    price = _per_square_metre(rows, "price", free)
    lowest, highest = LOWEST / (1 - RESALE_CHANGE[1]), HIGHEST / (1 + RESALE_CHANGE[1])
    return rng.permutation(np.flatnonzero(free & in_time & (price >= lowest) & (price <= highest)))[:count]


def _resales(rng: np.random.Generator, rows: pd.DataFrame, first: np.ndarray) -> pd.DataFrame:
    """A row more for each of the sales `first`, with an id of its own and its place in the order of dates."""
    again = rows.loc[np.sort(first)]
    days = rng.integers(RESALE_DAYS[0], RESALE_DAYS[1] + 1, len(again))
    change = rng.uniform(*RESALE_CHANGE, len(again)) * rng.choice([-1, 1], len(again))
    sold_on = again["sold_on"] + pd.to_timedelta(days, unit="D")
    own = rows[(rows["fault"] != DUPLICATE) & (rows["deal"] == 0)]
    behind = np.searchsorted(own["sold_on"].to_numpy(), sold_on.to_numpy(), side="right") - 1
    number = rows["transaction_id"].str[1:].astype(int).max() + 1 + np.arange(len(again))
    return again.assign(
        transaction_id=[f"T{one:06d}" for one in number],
        sold_on=sold_on,
        sale_date=sold_on.dt.strftime("%Y-%m-%d"),
        price=_money(again["price"].astype(float) * (1 + change)),
        oddity=RESALE,
        place=own["place"].to_numpy()[behind] + 0.5,
    )


def _odd_prices(rng: np.random.Generator, sales: pd.DataFrame, kind: str) -> list[str]:
    if kind == NOMINAL:
        return ["1"] * len(sales)
    return _money(sales["true_price"] * rng.uniform(*SHARES_OF_VALUE[kind], len(sales)))


def _dear_enough(rows: pd.DataFrame, kind: str) -> np.ndarray:
    if kind not in SHARES_OF_VALUE:
        return np.ones(len(rows), dtype=bool)
    clean = rows["fault"].isna().to_numpy()
    return _per_square_metre(rows, "true_price", clean) * SHARES_OF_VALUE[kind][0] >= LOWEST


def _per_square_metre(rows: pd.DataFrame, column: str, where: np.ndarray) -> np.ndarray:
    """A column of money per m²; NaN outside `where`, as spoiled cells are no numbers."""
    value = np.full(len(rows), np.nan)
    value[where] = rows.loc[where, column].astype(float) / rows.loc[where, "square_meters"].astype(float)
    return value


def _money(prices: pd.Series) -> list[str]:
    return [f"{price:.0f}" for price in np.round(prices, -1)]
