"""What intervals hold: the share of prices inside, and the width, overall and by month, worth, value and district."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from homei.features.columns import first_day
from homei.model.intervals import conformal_quantile
from homei.model.slices import price_decile
from homei.model.verdicts import Verdict, verdict

SMALLEST = 100  # sales of a district, below which chance alone leads its coverage out of any band
# The shares of prices that may lie inside an interval of 90 %, overall and in each group of a kind.
BANDS = {
    "overall": (0.88, 0.92),
    "month": (0.84, 0.96),
    "worth_decile": (0.85, 0.95),
    "valued_decile": (0.85, 0.95),
    "location": (0.85, 0.95),
}


def coverage_study(table: pd.DataFrame, level: float) -> dict[str, Any]:
    """intervals and split_conformal, the `interval_study` of either, and `coverage` of the former by kind of group.

    `table` has month, location, price, predicted, low, high, and the ends plain_low, plain_high of `split_conformal`.
    """
    plain = table.assign(low=table["plain_low"], high=table["plain_high"])
    return {
        "intervals": interval_study(table, level),
        "split_conformal": interval_study(plain, level),
        "coverage": coverage_groups(table),
    }


def split_conformal(predicted: pd.Series, residuals: np.ndarray, level: float) -> dict[str, pd.Series]:
    """plain_low and plain_high, to the cent: what split-conformal intervals are around the values `predicted`.

    All are as wide in log price as the share `level` of the log `residuals` needs.
    """
    reach = np.exp(conformal_quantile(np.abs(residuals), level))
    return {"plain_low": np.round(predicted / reach, 2), "plain_high": np.round(predicted * reach, 2)}


def interval_study(table: pd.DataFrame, level: float) -> dict[str, Any]:
    """How many prices lie within their interval of the promised `level`, and how wide it is relative to the value."""
    inside = inside_study(table)
    return {
        "level": level,
        "coverage": inside["coverage"],
        "mean_relative_width": inside["width"],
        "n": len(table),
    }


def inside_study(sales: pd.DataFrame) -> dict[str, float]:
    """The share of prices inside their interval (coverage), and its mean width relative to the value."""
    inside = sales["price"].between(sales["low"], sales["high"])
    return {
        "coverage": float(inside.mean()),
        "width": float(((sales["high"] - sales["low"]) / sales["predicted"]).mean()),
    }


def coverage_groups(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By kind of group, each group's value, n, coverage, its 95 % interval low, high, and width.

    The kinds are months, tenths of worth and of value, and districts. Worth is half price and half value, see
    `slices.price_decile`; tenths of the value alone are what can be known before a sale. Districts of fewer than
    SMALLEST sales are left out.
    """
    kinds = {
        "month": table["month"].map(lambda month: f"{first_day(month):%Y-%m}"),
        "worth_decile": pd.Series(price_decile(table["predicted"], table["price"]), table.index),
        "valued_decile": pd.Series(price_decile(table["predicted"], table["predicted"]), table.index),
        "location": table["location"],
    }
    least = {"location": SMALLEST}
    return {
        kind: [_group(value, sales) for value, sales in table.groupby(group) if len(sales) >= least.get(kind, 1)]
        for kind, group in kinds.items()
    }


def coverage_verdicts(study: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts on a `coverage_study`: overall, each kind of group, and the width against plain split-conformal."""
    return [
        _overall(study["intervals"]),
        *(_groups(kind, groups, study["intervals"]["level"]) for kind, groups in study["coverage"].items()),
        _width(study["intervals"], study["split_conformal"]),
    ]


def steady_study(table: pd.DataFrame, level: float, moved: Sequence[str]) -> dict[str, Any]:
    """The `coverage_study`, with its verdicts, of the sales outside the locations `moved`, which it names.

    Where prices left the city's level after a model was made, its intervals can't have known. What they hold elsewhere
    tells that failure from one of their making; it replaces no verdict on all sales.
    """
    study = coverage_study(table[~table["location"].isin(moved)], level)
    return {"without": list(moved), **study, "verdicts": coverage_verdicts(study)}


def share_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(middle - reach), float(middle + reach)


def _group(value: object, sales: pd.DataFrame) -> dict[str, Any]:
    inside = inside_study(sales)
    low, high = share_interval(inside["coverage"], len(sales))
    return {"value": str(value), "n": len(sales), "low": low, "high": high, **inside}


def _overall(intervals: Mapping[str, Any]) -> Verdict:
    share, (low, high) = intervals["coverage"], BANDS["overall"]
    text = f"{share * 100:.1f} % of prices lie within their interval, {intervals['level'] * 100:.0f} % were promised."
    around = share_interval(share, intervals["n"])
    return verdict("coverage", share, (low, high), around, low <= share <= high, text)


def _groups(kind: str, groups: list[dict[str, Any]], level: float) -> Verdict:
    """Whether every group's coverage is in its band; the value is that of the group furthest from the level."""
    low, high = BANDS[kind]
    name = f"coverage_{kind}"
    if not groups:
        return verdict(name, None, (low, high), (None, None), None, "There are too few sales to tell.")
    beyond = [group for group in groups if not low <= group["coverage"] <= high]
    furthest = max(groups, key=lambda group: abs(group["coverage"] - level))
    named = ", ".join(f"{group['value']} ({group['coverage'] * 100:.1f} %)" for group in beyond)
    text = f"All {len(groups)} lie within; {furthest['value']} is furthest from the promise."
    if beyond:
        text = f"{len(beyond)} of {len(groups)} lie{'s' * (len(beyond) == 1)} outside: {named}."
    around = furthest["low"], furthest["high"]
    return {**verdict(name, furthest["coverage"], (low, high), around, not beyond, text), "outside": len(beyond)}


def _width(intervals: Mapping[str, Any], plain: Mapping[str, Any]) -> Verdict:
    own, other = intervals["mean_relative_width"], plain["mean_relative_width"]
    shares = [f"{study['coverage'] * 100:.1f} %" for study in (intervals, plain)]
    text = f"Intervals are {own * 100:.1f} % of the value wide on average and hold {shares[0]} of the prices; "
    text += f"plain split-conformal ones are {other * 100:.1f} % wide and hold {shares[1]}."
    return verdict("interval_width", own / other, (None, 1.0), (None, None), own <= other, text)
