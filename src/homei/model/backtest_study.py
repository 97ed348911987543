"""What a backtest amounts to: errors by month and pooled beside the rivals', coverage by month, worth and district."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.features.columns import first_day
from homei.model import verdicts
from homei.model.backtest import RIVALS
from homei.model.evaluate import interval_study, rounded
from homei.model.ratio import bootstrap_interval, mdape, ratio_study
from homei.model.slices import price_decile

REPORTS = Path("reports/backtest")
ESTIMATORS = {"model": "predicted", **{name: name for name in RIVALS}}
MONTHLY = ("mdape", "ppe10", "median_ratio", "cod")
SMALLEST = 100  # sales of a district, below which chance alone leads its coverage out of any band
# The shares of prices that may lie inside an interval of 90 %, overall and in each group of a kind.
BANDS = {
    "overall": (0.88, 0.92),
    "month": (0.84, 0.96),
    "worth_decile": (0.85, 0.95),
    "valued_decile": (0.85, 0.95),
    "location": (0.85, 0.95),
}
WON = 10 / 12  # of the months are to be valued better than by LightGBM untuned


@dataclass(frozen=True)
class Measured:
    """What backtest.json holds, and a row a month for the plots."""

    metrics: dict[str, Any]
    months: pd.DataFrame

    def save(self, folder: Path = REPORTS) -> None:
        lake.write_json(self.metrics, folder / "backtest.json")
        lake.write_text(self.months.to_csv(index=False, lineterminator="\n"), folder / "months.csv")


def measure(table: pd.DataFrame, p: SimpleNamespace) -> Measured:
    """All that is measured of the table BACKTEST, from the sections of params.yaml in `p`."""
    draws, seed, level = p.evaluate.bootstrap, p.seed, p.intervals.level
    table = table.dropna(subset=list(ESTIMATORS.values()))
    by_month = monthly(table)
    plain = table.assign(low=table["plain_low"], high=table["plain_high"])
    found = {
        "source": p.source.name,
        "currency": p.source.currency,
        "as_of": p.source.as_of.isoformat(),
        "refit_months": p.backtest.refit_months,
        "calibration_months": p.backtest.calibration_months,
        "months": by_month,
        "pooled": {name: pooled(table, column, draws, seed) for name, column in ESTIMATORS.items()},
        "months_won": {"won": won(by_month), "of": len(by_month)},
        "intervals": interval_study(table, level),
        "split_conformal": interval_study(plain, level),
        "coverage": coverage(table),
    }
    found["verdicts"] = verdicts_of(table, found, draws, seed)
    return Measured(rounded(found), month_rows(table, by_month, draws, seed))


def monthly(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each month, such as "2016-07": n, the measures MONTHLY of each estimator, coverage and width of the intervals."""
    rows = []
    for month, sales in table.groupby("month"):
        studies = {name: ratio_study(sales[column], sales["price"]) for name, column in ESTIMATORS.items()}
        own = {name: {measure: study[measure] for measure in MONTHLY} for name, study in studies.items()}
        rows.append({"month": f"{first_day(month):%Y-%m}", "n": len(sales), **own, **_inside(sales)})
    return rows


def pooled(table: pd.DataFrame, column: str, draws: int, seed: int) -> dict[str, Any]:
    """The ratio study of all months together, and the bootstrap interval of its MdAPE."""
    interval = bootstrap_interval("mdape", table[column], table["price"], draws, seed)
    return {**ratio_study(table[column], table["price"]), "mdape_interval": list(interval)}


def won(months: list[dict[str, Any]]) -> int:
    """In how many months the model's MdAPE is below that of LightGBM untuned."""
    return sum(month["model"]["mdape"] < month["untuned"]["mdape"] for month in months)


def coverage(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By kind of group, each group's value, n, coverage and width: months, tenths of worth and of value, districts.

    Worth is half price and half value, see `slices.price_decile`; tenths of the value alone are what can be known
    before a sale. Districts of fewer than SMALLEST sales are left out.
    """
    kinds = {
        "month": table["month"].map(lambda month: f"{first_day(month):%Y-%m}"),
        "worth_decile": pd.Series(price_decile(table["predicted"], table["price"]), table.index),
        "valued_decile": pd.Series(price_decile(table["predicted"], table["predicted"]), table.index),
        "location": table["location"],
    }
    least = {"location": SMALLEST}
    return {
        kind: [
            {"value": str(value), "n": len(sales), **_inside(sales)}
            for value, sales in table.groupby(group)
            if len(sales) >= least.get(kind, 1)
        ]
        for kind, group in kinds.items()
    }


def verdicts_of(table: pd.DataFrame, found: Mapping[str, Any], draws: int, seed: int) -> list[dict[str, Any]]:
    """All verdicts on the backtest: the rivals, the months won, the coverage overall and by group, the width."""
    values, price = table["predicted"], table["price"]
    return [
        *(verdicts.rival_verdict(name, values, table[name], price, draws, seed) for name in RIVALS),
        _months_won(**found["months_won"]),
        _overall(found["intervals"]),
        *(_groups(kind, groups, found["intervals"]["level"]) for kind, groups in found["coverage"].items()),
        _width(found["intervals"], found["split_conformal"]),
    ]


def month_rows(table: pd.DataFrame, months: list[dict[str, Any]], draws: int, seed: int) -> pd.DataFrame:
    """month, n, the MdAPE of each estimator, low and high (95 % interval of the model's), coverage, width."""
    rows = []
    for month, (_, sales) in zip(months, table.groupby("month"), strict=True):
        low, high = bootstrap_interval("mdape", sales["predicted"], sales["price"], draws, seed)
        errors = {name: mdape(sales[column], sales["price"]) for name, column in ESTIMATORS.items()}
        own = {"month": month["month"], "n": month["n"], **errors, "low": low, "high": high}
        rows.append({**own, "coverage": month["coverage"], "width": month["width"]})
    return pd.DataFrame(rows).round(6)


def _inside(sales: pd.DataFrame) -> dict[str, float]:
    inside = sales["price"].between(sales["low"], sales["high"])
    return {
        "coverage": float(inside.mean()),
        "width": float(((sales["high"] - sales["low"]) / sales["predicted"]).mean()),
    }


def _months_won(won: int, of: int) -> dict[str, Any]:
    least = int(np.ceil(WON * of))
    text = f"In {won} of {of} months the error is below that of LightGBM as it comes."
    return _verdict("months_won", won, least, None, won >= least, text)


def _overall(intervals: Mapping[str, Any]) -> dict[str, Any]:
    share, (low, high) = intervals["coverage"], BANDS["overall"]
    text = f"{share * 100:.1f} % of prices lie within their interval, {intervals['level'] * 100:.0f} % were promised."
    return _verdict("coverage", share, low, high, low <= share <= high, text)


def _groups(kind: str, groups: list[dict[str, Any]], level: float) -> dict[str, Any]:
    """Whether every group's coverage is in its band; the value is that of the group furthest from the level."""
    low, high = BANDS[kind]
    name = f"coverage_{kind}"
    if not groups:
        return _verdict(name, None, low, high, None, "There are too few sales to tell.")
    outside = [group["value"] for group in groups if not low <= group["coverage"] <= high]
    furthest = max(groups, key=lambda group: abs(group["coverage"] - level))
    said = f"{len(outside)} of {len(groups)} lie outside: {', '.join(outside)}."
    text = said if outside else f"All {len(groups)} lie within; {furthest['value']} is furthest from the promise."
    return {**_verdict(name, furthest["coverage"], low, high, not outside, text), "outside": len(outside)}


def _width(intervals: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    own, other = intervals["mean_relative_width"], plain["mean_relative_width"]
    text = (
        f"Intervals are {own * 100:.1f} % of the value wide on average, plain split-conformal ones {other * 100:.1f} %."
    )
    return _verdict("interval_width", own / other, None, 1.0, own <= other, text)


def _verdict(
    name: str, value: float | None, low: float | None, high: float | None, ok: bool | None, text: str
) -> dict[str, Any]:
    return {
        "name": name, "value": value, "low": low, "high": high, "interval": [None, None],
        "ok": None if ok is None else bool(ok), "text": text,
    }  # fmt: skip
