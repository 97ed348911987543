"""Evaluation of a backtest: errors by month and pooled, baselines, and interval coverage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation import verdicts
from homei.evaluation.interval_coverage import coverage_and_width, coverage_study, coverage_verdicts, coverage_without
from homei.evaluation.location_shifts import find_shifted_locations
from homei.evaluation.ratio_study import bootstrap_interval, ratio_study, rounded
from homei.features.columns import first_day
from homei.storage import lake
from homei.training import backtest
from homei.training.backtest import BASELINES
from homei.training.time_splits import TimeSplit

REPORTS = Path("reports/backtest")
ESTIMATORS = {"model": "predicted", **{name: name for name in BASELINES}}
MONTHLY = ("mdape", "ppe10", "median_ratio", "cod")
MIN_SHARE_WON = 10 / 12  # of the months, in which the model must beat untuned LightGBM


@dataclass(frozen=True)
class BacktestResult:
    """The contents of backtest.json, and a row a month for the plots."""

    metrics: dict[str, Any]
    months: pd.DataFrame

    def save(self, folder: Path = REPORTS) -> None:
        lake.write_json(self.metrics, folder / "backtest.json")
        lake.write_text(self.months.to_csv(index=False, lineterminator="\n"), folder / "months.csv")


def run(**sections: Any) -> None:
    """Stage `backtest`: the table BACKTEST, backtest.json and months.csv."""
    p = SimpleNamespace(**sections)
    evaluate_backtest(backtest.run(p), lake.read(lake.TRAINING_SET), p).save()


def evaluate_backtest(table: pd.DataFrame, sales: pd.DataFrame, p: SimpleNamespace) -> BacktestResult:
    """All measures of the table BACKTEST; `p` has the sections of params.yaml."""
    draws, seed, level = p.evaluate.bootstrap, p.seed, p.intervals.level
    table = table.dropna(subset=list(ESTIMATORS.values()))
    by_month = monthly(table)
    periods = TimeSplit.plan(sales["month"], p.split).record(backtest=p.backtest)
    metrics = {
        "source": p.city.name,
        "currency": p.city.currency,
        "as_of": p.city.as_of.isoformat(),
        "refit_months": p.backtest.refit_months,
        "calibration_months": periods["backtest.calibration_months"],
        "periods": periods,
        "months": by_month,
        "pooled": {name: pooled(table, column, draws, seed) for name, column in ESTIMATORS.items()},
        "months_won": {"won": months_won(by_month), "of": len(by_month)},
        **coverage_study(table, level),
        "steady": coverage_without(table, level, find_shifted_locations(sales, p.city, p.split)),
    }
    metrics["verdicts"] = backtest_verdicts(table, metrics, draws, seed)
    return BacktestResult(rounded(metrics), month_rows(table, by_month, draws, seed))


def monthly(table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each month ("2016-07"): n, MONTHLY statistics of each estimator, interval coverage and width."""
    rows = []
    for month, sales in table.groupby("month"):
        studies = {name: ratio_study(sales[column], sales["price"]) for name, column in ESTIMATORS.items()}
        statistics = {name: {statistic: study[statistic] for statistic in MONTHLY} for name, study in studies.items()}
        rows.append({"month": f"{first_day(month):%Y-%m}", "n": len(sales), **statistics, **coverage_and_width(sales)})
    return rows


def pooled(table: pd.DataFrame, column: str, draws: int, seed: int) -> dict[str, Any]:
    """The ratio study of all months together, and the bootstrap interval of its MdAPE."""
    interval = bootstrap_interval("mdape", table[column], table["price"], draws, seed)
    return {**ratio_study(table[column], table["price"]), "mdape_interval": list(interval)}


def months_won(months: list[dict[str, Any]]) -> int:
    """The number of months in which the model's MdAPE is below that of untuned LightGBM."""
    return sum(month["model"]["mdape"] < month["untuned"]["mdape"] for month in months)


def backtest_verdicts(table: pd.DataFrame, metrics: Mapping[str, Any], draws: int, seed: int) -> list[dict[str, Any]]:
    """The verdicts against baselines, on the months won, and on coverage and width of the intervals."""
    values, price = table["predicted"], table["price"]
    return [
        *(verdicts.baseline_verdict(name, values, table[name], price, draws, seed) for name in BASELINES),
        _months_won_verdict(**metrics["months_won"]),
        *coverage_verdicts(metrics),
    ]


def month_rows(table: pd.DataFrame, months: list[dict[str, Any]], draws: int, seed: int) -> pd.DataFrame:
    """month, n, the MdAPE of each estimator, low and high (95 % interval of the model's), coverage, width."""
    rows = []
    for month, (_, sales) in zip(months, table.groupby("month"), strict=True):
        low, high = bootstrap_interval("mdape", sales["predicted"], sales["price"], draws, seed)
        errors = {name: month[name]["mdape"] for name in ESTIMATORS}
        measures = {name: month[name] for name in ("coverage", "width")}
        rows.append({"month": month["month"], "n": month["n"], **errors, "low": low, "high": high, **measures})
    return pd.DataFrame(rows).round(6)


def _months_won_verdict(won: int, of: int) -> dict[str, Any]:
    required = int(np.ceil(MIN_SHARE_WON * of))
    text = f"In {won} of {of} months the error is below that of {verdicts.BASELINES['untuned']}."
    return verdicts.verdict("months_won", won, (required, None), (None, None), won >= required, text)
