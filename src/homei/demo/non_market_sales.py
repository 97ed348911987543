"""Planted sales at other than market prices, recorded without fault, each kind at a known rate."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import numpy as np
import pandas as pd

from homei.demo.faults import DUPLICATE
from homei.demo.market import HIGHEST, LOWEST

BULK, FAMILY, RESALE, NOMINAL, DISTRESSED = NON_MARKET_KINDS = (
    "bulk_transfer", "family_transfer", "quick_resale", "nominal_price", "distressed",
)  # fmt: skip
# The price as a share of the true price. Only sales take part whose price per m² then still keeps the contract.
PRICE_SHARES = {BULK: (0.45, 0.70), FAMILY: (0.35, 0.70), DISTRESSED: (0.50, 0.60)}
BULK_SIZE = (4, 10)
RESALE_DAYS = (3, 20)
RESALE_CHANGE = (0.35, 0.60)  # up or down


def plant_non_market_sales(
    rng: np.random.Generator, rows: pd.DataFrame, shares: Mapping[str, float], as_of: datetime.date
) -> pd.DataFrame:
    """The register's rows (faults planted) with `non_market` (None for market sales) and `bulk_deal`.

    Only clean rows without a duplicate change. A quick resale is an additional row, after its first sale in order of
    date. The sales of one bulk transfer follow one another on one day and share a `bulk_deal` number (0 for others).
    The number of each kind follows `shares`; bulk transfers also need districts with four sales in a month. Raises
    ValueError for an unknown kind.
    """
    if unknown := sorted(set(shares) - set(NON_MARKET_KINDS)):
        raise ValueError(f"simulate.non_market_sales: {', '.join(unknown)} is not one of {', '.join(NON_MARKET_KINDS)}")
    rows = rows.assign(
        non_market=pd.Series(None, index=rows.index, dtype=object), bulk_deal=0, position=np.arange(len(rows)) * 1.0
    )
    n_sales = int((rows["fault"] != DUPLICATE).sum())
    counts = {kind: int(shares.get(kind, 0.0) * n_sales + 0.5) for kind in NON_MARKET_KINDS}
    before, after = adjacent_sales(rows)
    is_free = (rows["fault"].isna() & ~rows["transaction_id"].duplicated(keep=False)).to_numpy()

    rows = _with_bulk_transfers(rng, rows, is_free, counts[BULK])
    is_bulk = (rows["non_market"] == BULK).to_numpy()
    # The parties of a bulk transfer are companies, also in the property's sales before and after it.
    is_free &= ~is_bulk
    is_free[before[is_bulk & (before >= 0)]] = False
    is_free[after[is_bulk & (after >= 0)]] = False

    first = _resold(rng, rows, is_free, after, counts[RESALE], as_of)
    is_free[first] = False
    resales = _resales(rng, rows, first)
    for kind in (FAMILY, NOMINAL, DISTRESSED):
        positions = rng.permutation(np.flatnonzero(is_free & _leaves_valid_price(rows, kind)))[: counts[kind]]
        is_free[positions] = False
        rows.loc[positions, "non_market"] = kind
        rows.loc[positions, "price"] = _non_market_prices(rng, rows.loc[positions], kind)
    all_rows = pd.concat([rows, resales]) if len(resales) else rows
    return all_rows.sort_values("position", kind="stable", ignore_index=True).drop(columns="position")


def adjacent_sales(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the property's sale before and after each row, by sold_on; -1 without one."""
    code = pd.factorize(rows["property_id"])[0]
    order = np.lexsort([np.arange(len(rows)), rows["sold_on"].to_numpy(), code])
    is_same = code[order][1:] == code[order][:-1]
    before, after = np.full(len(rows), -1), np.full(len(rows), -1)
    before[order[1:][is_same]] = order[:-1][is_same]
    after[order[:-1][is_same]] = order[1:][is_same]
    return before, after


def _with_bulk_transfers(rng: np.random.Generator, rows: pd.DataFrame, is_free: np.ndarray, count: int) -> pd.DataFrame:
    """The rows with bulk transfers: sales of one district and month, on one day at one price per m²."""
    rows, candidates = rows.copy(), rows[is_free & _leaves_valid_price(rows, BULK)]
    month = candidates["sold_on"].dt.to_period("M").to_numpy()
    groups = [group for _, group in candidates.groupby([candidates["district"], month]) if len(group) >= BULK_SIZE[0]]
    sold: set[str] = set()
    for deal, number in enumerate(rng.permutation(len(groups)).tolist(), 1):
        remaining = count - len(sold)
        if remaining < BULK_SIZE[0]:
            break
        size = min(int(rng.integers(BULK_SIZE[0], BULK_SIZE[1] + 1)), remaining)
        sales = groups[number][~groups[number]["property_id"].isin(sold)]
        sales = sales.iloc[np.sort(rng.permutation(len(sales))[:size])]
        if len(sales) < BULK_SIZE[0]:
            continue
        area = sales["square_meters"].astype(float)
        price = area * (rng.uniform(*PRICE_SHARES[BULK]) * sales["true_price"].sum() / area.sum())
        last = sales.iloc[-1]
        rows.loc[sales.index, ["non_market", "bulk_deal", "sold_on", "sale_date"]] = [
            BULK, deal, last["sold_on"], last["sale_date"],
        ]  # fmt: skip
        rows.loc[sales.index, "price"] = _format_money(price)
        rows.loc[sales.index, "position"] = last["position"] + np.arange(len(sales)) / 100
        sold |= set(sales["property_id"])
    return rows


def _resold(
    rng: np.random.Generator,
    rows: pd.DataFrame,
    is_free: np.ndarray,
    after: np.ndarray,
    count: int,
    as_of: datetime.date,
) -> np.ndarray:
    """Positions of sales that a quick resale follows before the next sale and the end of the data."""
    sold = rows["sold_on"].to_numpy()
    end = np.where(after >= 0, sold[after], np.datetime64(as_of) + np.timedelta64(1, "D"))
    in_time = sold + np.timedelta64(RESALE_DAYS[1], "D") < end
    price = _per_square_metre(rows, "price", is_free)
    lowest, highest = LOWEST / (1 - RESALE_CHANGE[1]), HIGHEST / (1 + RESALE_CHANGE[1])
    return rng.permutation(np.flatnonzero(is_free & in_time & (price >= lowest) & (price <= highest)))[:count]


def _resales(rng: np.random.Generator, rows: pd.DataFrame, first: np.ndarray) -> pd.DataFrame:
    """An additional row for each of the sales `first`, with a new transaction_id and its position by date."""
    again = rows.loc[np.sort(first)]
    days = rng.integers(RESALE_DAYS[0], RESALE_DAYS[1] + 1, len(again))
    change = rng.uniform(*RESALE_CHANGE, len(again)) * rng.choice([-1, 1], len(again))
    sold_on = again["sold_on"] + pd.to_timedelta(days, unit="D")
    regular = rows[(rows["fault"] != DUPLICATE) & (rows["bulk_deal"] == 0)]
    previous = np.searchsorted(regular["sold_on"].to_numpy(), sold_on.to_numpy(), side="right") - 1
    number = rows["transaction_id"].str[1:].astype(int).max() + 1 + np.arange(len(again))
    return again.assign(
        transaction_id=[f"T{value:06d}" for value in number],
        sold_on=sold_on,
        sale_date=sold_on.dt.strftime("%Y-%m-%d"),
        price=_format_money(again["price"].astype(float) * (1 + change)),
        non_market=RESALE,
        position=regular["position"].to_numpy()[previous] + 0.5,
    )


def _non_market_prices(rng: np.random.Generator, sales: pd.DataFrame, kind: str) -> list[str]:
    if kind == NOMINAL:
        return ["1"] * len(sales)
    return _format_money(sales["true_price"] * rng.uniform(*PRICE_SHARES[kind], len(sales)))


def _leaves_valid_price(rows: pd.DataFrame, kind: str) -> np.ndarray:
    if kind not in PRICE_SHARES:
        return np.ones(len(rows), dtype=bool)
    is_clean = rows["fault"].isna().to_numpy()
    return _per_square_metre(rows, "true_price", is_clean) * PRICE_SHARES[kind][0] >= LOWEST


def _per_square_metre(rows: pd.DataFrame, column: str, where: np.ndarray) -> np.ndarray:
    """A column of amounts per m²; NaN outside `where`, as cells with faults may not be numbers."""
    value = np.full(len(rows), np.nan)
    value[where] = rows.loc[where, column].astype(float) / rows.loc[where, "square_meters"].astype(float)
    return value


def _format_money(prices: pd.Series) -> list[str]:
    return [f"{price:.0f}" for price in np.round(prices, -1)]
