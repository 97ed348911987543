"""Stage `backtest`: values each of the last months with a model of the months before it.

Baselines are trained on the same sales. Parameters were tuned on sales before all tested months (see
`training_recipe.tuning_sales`). The intervals of a month are calibrated on the residuals of the months before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei.features.columns import month_of
from homei.storage import lake
from homei.training import baselines
from homei.training.applicability import Applicability
from homei.training.config import ApplicabilityConfig, BacktestConfig, SplitConfig
from homei.training.encoding import columns_of
from homei.training.intervals import OutOfTimeSales, calibrate
from homei.training.time_splits import SplitError
from homei.training.train import out_of_time_sales, tuned_parameters
from homei.training.training_recipe import Recipe, usable_sales
from homei.training.valuation_model import FittedModel, ValuationModel

SALE_COLUMNS = ["transaction_id", "month", "location", "price"]
BASELINES = ("untuned", "linear", "naive")


@dataclass(frozen=True)
class Period:
    """Months from `start` until before `end`, valued by one model of the sales before `start`."""

    start: int
    end: int
    is_tested: bool  # otherwise only its residuals are used


@dataclass(frozen=True)
class Refit:
    """A period's sales, the model trained before them, and values by the baselines (if tested)."""

    fitted: FittedModel
    applicability: Applicability
    sales: pd.DataFrame
    baseline_values: dict[str, np.ndarray]

    def month(self, month: int) -> pd.DataFrame:
        return self.sales[self.sales["month"] == month]


def run(p: SimpleNamespace) -> pd.DataFrame:
    """Writes and returns the table BACKTEST; `p` has the sections of params.yaml."""
    recipe = Recipe.from_config(p.seed, p.city, p.features, p.model, p.train)
    recipe = recipe.with_parameters(**tuned_parameters(p.model))
    untuned = baselines.untuned(recipe, p.city, p.features, p.backtest.untuned)
    last = month_of(p.city.as_of)
    sales, level = lake.read(lake.TRAINING_SET), p.intervals.level
    table = backtest_predictions(
        sales, recipe, untuned, last, p.split, p.backtest, level, p.applicability, p.train.workers
    )
    lake.write(table, lake.BACKTEST)
    return table


def backtest_predictions(
    sales: pd.DataFrame,
    recipe: Recipe,
    untuned: Recipe,
    last: int,
    split: SplitConfig,
    backtest: BacktestConfig,
    level: float,
    config: ApplicabilityConfig,
    workers: int = 1,
) -> pd.DataFrame:
    """A row for each sale of the tested months up to `last`, in order of month.

    Columns: transaction_id, month, location, price; predicted, low, high, deviation (of the model); plain_low,
    plain_high (split-conformal around the same value); untuned, linear, naive. Trains `workers` models in parallel.
    """
    usable = usable_sales(sales, split)
    steps = periods(last, split.tested_months, backtest)
    with ThreadPoolExecutor(workers) as pool:
        refits = _map(pool, lambda period: _refit(sales, usable, period, recipe, untuned, config), steps, "refits")
        by_month = {
            month: refit
            for period, refit in zip(steps, refits, strict=True)
            for month in range(period.start, period.end)
            if len(refit.month(month))
        }
        residuals = {month: _residuals(refit, month, recipe) for month, refit in by_month.items()}
        tested = [month for month in by_month if month > last - split.tested_months]

        def value(month: int) -> pd.DataFrame:
            earlier = range(month - backtest.calibration_months, month)
            calibration = [residuals[other] for other in earlier if other in residuals]
            return _with_intervals(by_month[month], month, calibration, level, recipe)

        return pd.concat(_map(pool, value, tested, "months"), ignore_index=True)


def periods(last: int, tested_months: int, backtest: BacktestConfig) -> list[Period]:
    """The periods of one refit each, earliest first: those for calibration only, then the tested ones."""
    first, step = last - tested_months + 1, backtest.refit_months
    spans = [(first - backtest.calibration_months, first, False), (first, last + 1, True)]
    return [
        Period(start, min(start + step, end), is_tested)
        for begin, end, is_tested in spans
        for start in range(begin, end, step)
    ]


def _map(pool: Executor, function: Callable[[Any], Any], items: Sequence[Any], title: str) -> list[Any]:
    return list(tqdm(pool.map(function, items), desc=title, total=len(items), unit=title[:-1], disable=None))


def _refit(
    sales: pd.DataFrame,
    usable: pd.DataFrame,
    period: Period,
    recipe: Recipe,
    untuned: Recipe,
    config: ApplicabilityConfig,
) -> Refit:
    training = usable[usable["month"] < period.start]
    test = usable[(usable["month"] >= period.start) & (usable["month"] < period.end)].reset_index(drop=True)
    if training.empty:
        raise SplitError(
            "no sales to train on before the backtest: the sales span too few months; "
            "lower split.tested_months, backtest.calibration_months or split.warm_up_months"
        )
    values = {}
    if period.is_tested and len(test):
        values = {
            "untuned": untuned.prices(training, test),
            "linear": baselines.linear(recipe, training, test),
            "naive": baselines.naive(sales, test),
        }
    return Refit(recipe.fit(training), Applicability.fit(columns_of(training), config), test, values)


def _residuals(refit: Refit, month: int, recipe: Recipe) -> tuple[OutOfTimeSales, np.ndarray]:
    """A month's out-of-time sales with their masked copies, and the residuals of the sales alone."""
    sales = refit.month(month)
    part = out_of_time_sales(refit.fitted, recipe.with_masked_copies(sales))
    return part, part.residuals[: len(sales)]


def _with_intervals(
    refit: Refit, month: int, calibration: Sequence[tuple[OutOfTimeSales, np.ndarray]], level: float, recipe: Recipe
) -> pd.DataFrame:
    """The rows of BACKTEST for one month, with intervals from the residuals of earlier months."""
    if len(calibration) < 2:
        raise SplitError(
            f"{len(calibration)} months with sales before month {month} to calibrate intervals on, but two are "
            "required: raise backtest.calibration_months"
        )
    parts, encoder = [part for part, _ in calibration], refit.fitted.encoder
    intervals = calibrate(parts, encoder, recipe.attributes, level, recipe.seed)
    applicability = refit.applicability.calibrated(parts, encoder, intervals, level)
    sales = refit.month(month)
    valuations = ValuationModel(refit.fitted, intervals, applicability, {}).value(columns_of(sales))
    residuals = np.concatenate([of_sales for _, of_sales in calibration])
    return sales[SALE_COLUMNS].assign(
        predicted=valuations.price,
        low=valuations.low,
        high=valuations.high,
        deviation=valuations.deviation,
        **baselines.split_conformal(valuations.price, residuals, level),
        **{name: np.round(refit.baseline_values[name][sales.index], 2) for name in BASELINES},
    )
