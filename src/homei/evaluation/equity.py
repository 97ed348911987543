"""Vertical equity (low and high values at one level) and horizontal equity (similar properties alike)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from homei.evaluation.ratio_study import checked, cod, percentile_interval, resamples, strata_ends, value_proxy
from homei.evaluation.slices import age_band

AREA_STEP = 1.1  # areas within a tenth of each other fall into the same or the next band
NORMAL_90 = 1.645  # two-sided 90 % point of the standard normal, which the draft's intervals use
MIN_GROUPS = 10  # of similar properties; fewer cannot be resampled

SIMILARITIES = {
    "same_property": ["property_id"],
    "lookalikes": ["location", "property_type", "area_band", "age_band"],
}


def vertical_equity(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> dict[str, Any]:
    """The strata of the vertical equity indicator, lowest first, and its `significance`.

    Each of `strata` has n, worth (median of `value_proxy`), median_ratio and the 90 % rank interval low, high of that
    median. The significance is the gap between the intervals of the first and last stratum ÷ the median ratio, with the
    indicator's sign: 0 if they overlap, None with too few sales. IAAO, Standard on Ratio Studies, exposure draft of
    2025, §8.2.1.2.
    """
    valued, price = checked(predicted, actual)
    ratio = valued / price
    middle = float(np.median(ratio))
    proxy = value_proxy(valued, price, middle)
    order = np.argsort(proxy, kind="stable")
    ends = strata_ends(len(price))
    strata = [_stratum(ratio[rows], proxy[rows]) for rows in np.split(order, ends[:-1])] if ends else []
    return {"significance": _significance(strata[0], strata[-1], middle) if strata else None, "strata": strata}


def _stratum(ratio: np.ndarray, proxy: np.ndarray) -> dict[str, Any]:
    n, ranked = len(ratio), np.sort(ratio)
    half_width = NORMAL_90 * np.sqrt(n) / 2
    low, high = int(np.ceil(n / 2 - half_width)), int(np.floor(1 + n / 2 + half_width))
    return {
        "n": n,
        "worth": float(np.median(proxy)),
        "median_ratio": float(np.median(ratio)),
        "low": float(ranked[max(low, 1) - 1]),
        "high": float(ranked[min(high, n) - 1]),
    }


def _significance(lowest: dict[str, Any], highest: dict[str, Any], middle: float) -> float:
    above, below = highest["low"] - lowest["high"], lowest["low"] - highest["high"]
    return above / middle if above > 0 else -below / middle if below > 0 else 0.0


def horizontal_equity(holdout: pd.DataFrame, draws: int, seed: int) -> dict[str, dict[str, Any]]:
    """Dispersion of ratios among similar properties: groups, n, spread, low, high, cod by SIMILARITIES.

    `spread` is the COD within groups of at least two sales, multiplied by √(n ÷ (n − 1)) because each group's median
    follows its few sales; low, high is its 95 % interval from resampled groups. `cod` is that of the same sales
    together, for comparison. Lookalikes share location, type, and bands of area and age. IAAO, Standard on Mass
    Appraisal of Real Property (2017), measures horizontal equity by the COD within groups of comparable properties.

    `holdout` has predicted, price, month, location, property_type, square_meters, year_built and property_id. The
    measures are None with fewer than MIN_GROUPS groups.
    """
    bands = holdout.assign(
        area_band=np.floor(np.log(holdout["square_meters"]) / np.log(AREA_STEP)),
        age_band=age_band(holdout["month"], holdout["year_built"]),
    )
    return {name: _dispersion(bands, columns, draws, seed) for name, columns in SIMILARITIES.items()}


def _dispersion(sales: pd.DataFrame, columns: list[str], draws: int, seed: int) -> dict[str, Any]:
    ratio = sales["predicted"] / sales["price"]
    groups = ratio.groupby([sales[column] for column in columns], sort=True, dropna=True)
    middle, size = groups.transform("median"), groups.transform("size")
    is_grouped = size > 1  # False for a sale with an unknown column
    stretch = np.sqrt(size[is_grouped] / (size[is_grouped] - 1))
    distance = (ratio[is_grouped] / middle[is_grouped] - 1).abs() * stretch
    sums = distance.groupby([sales.loc[is_grouped, column] for column in columns], sort=True).agg(["sum", "size"])
    counts = {"groups": len(sums), "n": int(is_grouped.sum())}
    if len(sums) < MIN_GROUPS:
        return {**counts, **dict.fromkeys(("spread", "low", "high", "cod"))}
    total, count = sums["sum"].to_numpy(), sums["size"].to_numpy()
    drawn = [total[rows].sum(axis=-1) / count[rows].sum(axis=-1) for rows in resamples(len(sums), draws, seed)]
    low, high = percentile_interval(np.concatenate(drawn))
    overall = cod(sales.loc[is_grouped, "predicted"], sales.loc[is_grouped, "price"])
    return {**counts, "spread": float(total.sum() / count.sum()), "low": low, "high": high, "cod": overall}
