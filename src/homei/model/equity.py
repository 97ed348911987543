"""Equity: whether cheap and dear homes are valued at one level, and like homes alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from homei.model.ratio import checked, cod, percentile_interval, resamples, strata_ends, value_proxy
from homei.model.slices import age_band

AREA_STEP = 1.1  # homes within a tenth of each other in size fall into the same or the next band
NORMAL_90 = 1.645  # the standard normal's two-sided 90 % point: what the draft's intervals are made with
FEWEST_GROUPS = 10  # of look-alikes: fewer resamples of groups say nothing about chance

LIKENESSES = {
    "same_property": ["property_id"],
    "lookalikes": ["location", "property_type", "area_band", "age_band"],
}


def vertical_equity(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> dict[str, Any]:
    """The strata behind the vertical equity indicator, from the cheapest to the dearest, and its `significance`.

    Each of `strata` has n, worth (the median of value_proxy), median_ratio and the 90 % interval low, high of that
    median by rank. The significance is how far the intervals of the first and the last stratum lie apart, ÷ the median
    ratio, with the indicator's sign: 0 where they overlap. IAAO, Standard on Ratio Studies, exposure draft of 2025,
    §8.2.1.2. Without enough sales for strata it is None.
    """
    valued, price = checked(predicted, actual)
    ratio = valued / price
    middle = float(np.median(ratio))
    worth = value_proxy(valued, price, middle)
    order = np.argsort(worth, kind="stable")
    ends = strata_ends(len(price))
    strata = [_stratum(ratio[rows], worth[rows]) for rows in np.split(order, ends[:-1])] if ends else []
    return {"significance": _significance(strata[0], strata[-1], middle) if strata else None, "strata": strata}


def _stratum(ratio: np.ndarray, worth: np.ndarray) -> dict[str, Any]:
    n, ranked = len(ratio), np.sort(ratio)
    reach = NORMAL_90 * np.sqrt(n) / 2
    low, high = int(np.ceil(n / 2 - reach)), int(np.floor(1 + n / 2 + reach))
    return {
        "n": n,
        "worth": float(np.median(worth)),
        "median_ratio": float(np.median(ratio)),
        "low": float(ranked[max(low, 1) - 1]),
        "high": float(ranked[min(high, n) - 1]),
    }


def _significance(cheapest: dict[str, Any], dearest: dict[str, Any], middle: float) -> float:
    above, below = dearest["low"] - cheapest["high"], cheapest["low"] - dearest["high"]
    return above / middle if above > 0 else -below / middle if below > 0 else 0.0


def horizontal_equity(held: pd.DataFrame, draws: int, seed: int) -> dict[str, dict[str, Any]]:
    """How unlike the ratios of like homes are, by each of LIKENESSES: groups, n, spread, low, high and cod.

    `spread` is the COD within groups of two and more sales: the mean distance of a ratio to its group's median ÷ that
    median, stretched by √(n ÷ (n − 1)) as the median follows the few sales it is taken from. Its 95 % interval low,
    high resamples whole groups. `cod` is that of the same sales taken together: what the spread would be were they not
    alike. Look-alikes share location and type, a tenth of area, and an age band: COD within groups of comparable
    homes is how IAAO's Standard on Mass Appraisal of Real Property (2017) tells horizontal equity.

    `held` has predicted, price, month, location, property_type, square_meters, year_built and property_id. The numbers
    are None where fewer than FEWEST_GROUPS homes have a like.
    """
    bands = held.assign(
        area_band=np.floor(np.log(held["square_meters"]) / np.log(AREA_STEP)),
        age_band=age_band(held["month"], held["year_built"]),
    )
    return {name: _within(bands, columns, draws, seed) for name, columns in LIKENESSES.items()}


def _within(held: pd.DataFrame, columns: list[str], draws: int, seed: int) -> dict[str, Any]:
    ratio = held["predicted"] / held["price"]
    alike = ratio.groupby([held[column] for column in columns], sort=True, dropna=True)
    middle, size = alike.transform("median"), alike.transform("size")
    several = size > 1  # never where the likeness is unknown
    stretch = np.sqrt(size[several] / (size[several] - 1))
    distance = (ratio[several] / middle[several] - 1).abs() * stretch
    sums = distance.groupby([held.loc[several, column] for column in columns], sort=True).agg(["sum", "size"])
    found = {"groups": len(sums), "n": int(several.sum())}
    if len(sums) < FEWEST_GROUPS:
        return {**found, **dict.fromkeys(("spread", "low", "high", "cod"))}
    total, count = sums["sum"].to_numpy(), sums["size"].to_numpy()
    drawn = [total[rows].sum(axis=-1) / count[rows].sum(axis=-1) for rows in resamples(len(sums), draws, seed)]
    low, high = percentile_interval(np.concatenate(drawn))
    overall = cod(held.loc[several, "predicted"], held.loc[several, "price"])
    return {**found, "spread": float(total.sum() / count.sum()), "low": low, "high": high, "cod": overall}
