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
from homei.model.coverage import coverage_study, coverage_verdicts, inside_study, steady_study
from homei.model.drift import moved_locations
from homei.model.evaluate import rounded
from homei.model.ratio import bootstrap_interval, mdape, ratio_study

REPORTS = Path("reports/backtest")
ESTIMATORS = {"model": "predicted", **{name: name for name in RIVALS}}
MONTHLY = ("mdape", "ppe10", "median_ratio", "cod")
WON = 10 / 12  # of the months are to be valued better than by LightGBM untuned


@dataclass(frozen=True)
class Measured:
    """What backtest.json holds, and a row a month for the plots."""

    metrics: dict[str, Any]
    months: pd.DataFrame

    def save(self, folder: Path = REPORTS) -> None:
        lake.write_json(self.metrics, folder / "backtest.json")
        lake.write_text(self.months.to_csv(index=False, lineterminator="\n"), folder / "months.csv")


def measure(table: pd.DataFrame, sales: pd.DataFrame, p: SimpleNamespace) -> Measured:
    """All that is measured of the table BACKTEST, of `sales` (READY), from the sections of params.yaml in `p`."""
    draws, seed, level = p.evaluate.bootstrap, p.seed, p.intervals.level
    table = table.dropna(subset=list(ESTIMATORS.values()))
    by_month = monthly(table)
    found = {
        "source": p.source.name,
        "currency": p.source.currency,
        "as_of": p.source.as_of.isoformat(),
        "refit_months": p.backtest.refit_months,
        "calibration_months": p.backtest.calibration_months,
        "months": by_month,
        "pooled": {name: pooled(table, column, draws, seed) for name, column in ESTIMATORS.items()},
        "months_won": {"won": won(by_month), "of": len(by_month)},
        **coverage_study(table, level),
        "steady": steady_study(table, level, moved_locations(sales, p.source, p.split)),
    }
    found["verdicts"] = verdicts_of(table, found, draws, seed)
    return Measured(rounded(found), month_rows(table, by_month, draws, seed))


def monthly(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each month, such as "2016-07": n, the measures MONTHLY of each estimator, coverage and width of the intervals."""
    rows = []
    for month, sales in table.groupby("month"):
        studies = {name: ratio_study(sales[column], sales["price"]) for name, column in ESTIMATORS.items()}
        own = {name: {measure: study[measure] for measure in MONTHLY} for name, study in studies.items()}
        rows.append({"month": f"{first_day(month):%Y-%m}", "n": len(sales), **own, **inside_study(sales)})
    return rows


def pooled(table: pd.DataFrame, column: str, draws: int, seed: int) -> dict[str, Any]:
    """The ratio study of all months together, and the bootstrap interval of its MdAPE."""
    interval = bootstrap_interval("mdape", table[column], table["price"], draws, seed)
    return {**ratio_study(table[column], table["price"]), "mdape_interval": list(interval)}


def won(months: list[dict[str, Any]]) -> int:
    """In how many months the model's MdAPE is below that of LightGBM untuned."""
    return sum(month["model"]["mdape"] < month["untuned"]["mdape"] for month in months)


def verdicts_of(table: pd.DataFrame, found: Mapping[str, Any], draws: int, seed: int) -> list[dict[str, Any]]:
    """All verdicts on the backtest: the rivals, the months won, the coverage overall and by group, the width."""
    values, price = table["predicted"], table["price"]
    return [
        *(verdicts.rival_verdict(name, values, table[name], price, draws, seed) for name in RIVALS),
        _months_won(**found["months_won"]),
        *coverage_verdicts(found),
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


def _months_won(won: int, of: int) -> dict[str, Any]:
    least = int(np.ceil(WON * of))
    text = f"In {won} of {of} months the error is below that of LightGBM as it comes."
    return verdicts.verdict("months_won", won, (least, None), (None, None), won >= least, text)
