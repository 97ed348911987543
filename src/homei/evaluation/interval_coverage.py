"""Coverage and width of prediction intervals, overall and by month, value decile and location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation.slices import price_decile
from homei.evaluation.verdicts import NO_INTERVAL, TOO_FEW, Verdict, overlaps, verdict
from homei.features.columns import first_day

# Accepted difference between coverage and nominal level, overall and in each group of a kind.
MARGINS = {"overall": 0.02, "month": 0.06, "worth_decile": 0.05, "valued_decile": 0.05, "location": 0.05}
# With fewer sales, chance alone moves a group's coverage out of its band.
MIN_SALES = {"month": 30, "worth_decile": 30, "valued_decile": 30, "location": 100}


def coverage_band(kind: str, level: float) -> tuple[float, float]:
    """The accepted coverage of intervals of a nominal `level`; `kind` is one of MARGINS."""
    return round(level - MARGINS[kind], 6), round(min(level + MARGINS[kind], 1.0), 6)


def coverage_study(table: pd.DataFrame, level: float) -> dict[str, Any]:
    """The `interval_study` of `intervals` and of `split_conformal`, and `coverage` of the former by group.

    `table` has month, location, price, predicted, low, high, and the ends plain_low, plain_high of `split_conformal`.
    """
    plain = table.assign(low=table["plain_low"], high=table["plain_high"])
    return {
        "intervals": interval_study(table, level),
        "split_conformal": interval_study(plain, level),
        "coverage": coverage_groups(table),
    }


def interval_study(table: pd.DataFrame, level: float) -> dict[str, Any]:
    """The nominal level, coverage, mean width relative to the value, and number of sales."""
    measures = coverage_and_width(table)
    return {
        "level": level, "coverage": measures["coverage"], "mean_relative_width": measures["width"], "n": len(table)
    }  # fmt: skip


def coverage_and_width(sales: pd.DataFrame) -> dict[str, float | None]:
    """The share of prices inside their interval, and its mean relative width; None without sales."""
    if sales.empty:
        return {"coverage": None, "width": None}
    inside = sales["price"].between(sales["low"], sales["high"])
    width = (sales["high"] - sales["low"]) / sales["predicted"]
    return {"coverage": float(inside.mean()), "width": float(width.mean())}


def coverage_groups(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By kind of group, the value, n, coverage with its 95 % interval low, high, and width of each group.

    The kinds are months, deciles of `value_proxy` (worth_decile), deciles of the value alone (valued_decile, known
    before a sale), and locations. Groups with fewer than MIN_SALES are left out.
    """
    if table.empty:
        return {kind: [] for kind in MIN_SALES}
    kinds = {
        "month": table["month"].map(lambda month: f"{first_day(month):%Y-%m}"),
        "worth_decile": price_decile(table["predicted"], table["price"]),
        "valued_decile": price_decile(table["predicted"], table["predicted"]),
        "location": table["location"],
    }
    return {
        kind: [_group(value, sales) for value, sales in table.groupby(group) if len(sales) >= MIN_SALES[kind]]
        for kind, group in kinds.items()
    }


def coverage_verdicts(study: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts on a `coverage_study`: overall, each kind of group, and interval width."""
    return [
        _overall(study["intervals"]),
        *(_groups(kind, groups, study["intervals"]["level"]) for kind, groups in study["coverage"].items()),
        _width(study["intervals"], study["split_conformal"]),
    ]


def coverage_without(table: pd.DataFrame, level: float, locations: Sequence[str]) -> dict[str, Any]:
    """The `coverage_study` with its verdicts of the sales outside `locations`.

    With the locations whose prices shifted after training, it separates their effect from faults of the intervals. It
    replaces no verdict on all sales.
    """
    study = coverage_study(table[~table["location"].isin(locations)], level)
    return {"without": list(locations), **study, "verdicts": coverage_verdicts(study)}


def share_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % confidence interval of a share of n (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half_width = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(middle - half_width), float(middle + half_width)


def _group(value: object, sales: pd.DataFrame) -> dict[str, Any]:
    measures = coverage_and_width(sales)
    low, high = share_interval(measures["coverage"], len(sales))
    return {"value": str(value), "n": len(sales), "low": low, "high": high, **measures}


def _overall(intervals: Mapping[str, Any]) -> Verdict:
    level, share, n = intervals["level"], intervals["coverage"], intervals["n"]
    band = coverage_band("overall", level)
    if share is None:
        return verdict("coverage", None, band, NO_INTERVAL, None)
    text = f"{share * 100:.1f} % of prices lie within their interval; the nominal level is {level * 100:.0f} %."
    interval, ok = share_interval(share, n), band[0] <= share <= band[1]
    # Where chance moves the coverage by more than the margin, a share outside the band says nothing.
    if not ok and n < level * (1 - level) / MARGINS["overall"] ** 2 and overlaps(interval, band):
        ok, text = None, f"{text} {TOO_FEW}"
    return verdict("coverage", share, band, interval, ok, text)


def _groups(kind: str, groups: list[dict[str, Any]], level: float) -> Verdict:
    """Whether every group's coverage is in its band; the value is the furthest from the level."""
    low, high = coverage_band(kind, level)
    name = f"coverage_{kind}"
    if not groups:
        return verdict(name, None, (low, high), NO_INTERVAL, None)
    outside = [group for group in groups if not low <= group["coverage"] <= high]
    furthest = max(groups, key=lambda group: abs(group["coverage"] - level))
    text = f"All {len(groups)} lie within; {furthest['value']} is furthest from the nominal level."
    if outside:
        listing = ", ".join(f"{group['value']} ({group['coverage'] * 100:.1f} %)" for group in outside)
        text = f"{len(outside)} of {len(groups)} lie{'s' * (len(outside) == 1)} outside: {listing}."
    interval = furthest["low"], furthest["high"]
    result = verdict(name, furthest["coverage"], (low, high), interval, not outside, text)
    return {**result, "outside": len(outside)}


def _width(intervals: Mapping[str, Any], plain: Mapping[str, Any]) -> Verdict:
    width, plain_width = intervals["mean_relative_width"], plain["mean_relative_width"]
    if width is None:
        return verdict("interval_width", None, (None, 1.0), NO_INTERVAL, None)
    coverage, plain_coverage = (f"{study['coverage'] * 100:.1f} %" for study in (intervals, plain))
    text = f"Intervals are {width * 100:.1f} % of the value wide on average and cover {coverage} of the prices; "
    text += f"split-conformal ones are {plain_width * 100:.1f} % wide and cover {plain_coverage}."
    return verdict("interval_width", width / plain_width, (None, 1.0), NO_INTERVAL, width <= plain_width, text)
