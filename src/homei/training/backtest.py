"""Stage `backtest`: values each of the last months with a model of the months before it.

Baselines are trained on the same sales. Parameters were tuned on sales before all tested months (see
`time_splits.tuning_sales`). The intervals of a month are calibrated on the residuals of the months before it.
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

from homei.storage import lake
from homei.training import baselines
from homei.training.applicability import Applicability
from homei.training.encoding import columns_of
from homei.training.intervals import OutOfTimeSales
from homei.training.time_splits import TimeSplit, usable_sales
from homei.training.train import calibrate_model, fit_applicability, out_of_time_sales, tuned_parameters
from homei.training.training_recipe import Recipe
from homei.training.valuation_model import FittedModel, ValuationModel

SALE_COLUMNS = ["transaction_id", "month", "location", "price"]
BASELINES = ("untuned", "linear", "naive")


@dataclass(frozen=True)
class Period:
    """Months valued by one model of the sales before them; not tested: only their residuals are used."""

    months: tuple[int, ...]
    is_tested: bool


@dataclass(frozen=True)
class Refit:
    """A period's sales, the model of those before it, its limits, and values by the baselines (if tested)."""

    fitted: FittedModel
    limits: Applicability
    sales: pd.DataFrame
    baseline_values: dict[str, np.ndarray]

    def month(self, month: int) -> pd.DataFrame:
        return self.sales[self.sales["month"] == month]


def run(p: SimpleNamespace) -> pd.DataFrame:
    """Writes and returns the table BACKTEST; `p` has the sections of params.yaml."""
    recipe = Recipe.from_config(p).with_parameters(**tuned_parameters(p.model))
    untuned = baselines.untuned(recipe, p.city, p.features, p.backtest.untuned)
    table = backtest_predictions(lake.read(lake.TRAINING_SET), recipe, untuned, p, p.train.workers)
    lake.write(table, lake.BACKTEST)
    return table


def backtest_predictions(
    sales: pd.DataFrame, recipe: Recipe, untuned: Recipe, p: SimpleNamespace, workers: int = 1
) -> pd.DataFrame:
    """A row for each sale of the tested months, in order of month; `p` as for `train_models`.

    `p` also has the section backtest. Columns: transaction_id, month, location, price; predicted, low, high, deviation
    (of the model); plain_low, plain_high (split-conformal around the same value); untuned, linear, naive. Trains
    `workers` models in parallel.
    """
    usable, time_split = usable_sales(sales, p.split), TimeSplit.plan(sales["month"], p.split)
    n_calibration = time_split.calibration_months(p.backtest)
    steps = periods(time_split, n_calibration, p.backtest.refit_months)
    with ThreadPoolExecutor(workers) as pool:
        refits = _map(pool, lambda period: _refit(sales, usable, period, recipe, untuned, p), steps, "refits")
        by_month = {month: refit for period, refit in zip(steps, refits, strict=True) for month in period.months}
        residuals = {month: _residuals(refit, month, recipe) for month, refit in by_month.items()}
        months = list(by_month)

        def value(number: int) -> pd.DataFrame:
            calibration = [residuals[month] for month in months[number - n_calibration : number]]
            return _with_intervals(by_month[months[number]], months[number], calibration, recipe, p)

        return pd.concat(_map(pool, value, range(n_calibration, len(months)), "months"), ignore_index=True)


def periods(time_split: TimeSplit, n_calibration: int, refit_months: int) -> list[Period]:
    """The periods of one refit each, earliest first: those for calibration only, then the tested ones."""
    months, n_tested = time_split.months.tolist(), time_split.tested
    parts = {False: months[-n_tested - n_calibration : -n_tested], True: months[-n_tested:]}
    return [
        Period(tuple(part[first : first + refit_months]), is_tested)
        for is_tested, part in parts.items()
        for first in range(0, len(part), refit_months)
    ]


def _map(pool: Executor, function: Callable[[Any], Any], items: Sequence[Any], title: str) -> list[Any]:
    return list(tqdm(pool.map(function, items), desc=title, total=len(items), unit=title[:-1], disable=None))


def _refit(
    sales: pd.DataFrame, usable: pd.DataFrame, period: Period, recipe: Recipe, untuned: Recipe, p: SimpleNamespace
) -> Refit:
    market, training = (table[table["month"] < period.months[0]] for table in (sales, usable))
    test = usable[usable["month"].isin(period.months)].reset_index(drop=True)
    values = {}
    if period.is_tested:
        values = {
            "untuned": untuned.prices(training, test),
            "linear": baselines.linear(recipe, training, test),
            "naive": baselines.naive(sales, test),
        }
    limits = fit_applicability(training, market, p.applicability)
    return Refit(recipe.fit(training), limits, test, values)


def _residuals(refit: Refit, month: int, recipe: Recipe) -> tuple[OutOfTimeSales, np.ndarray]:
    """A month's out-of-time sales with their masked copies, and the residuals of the sales alone."""
    sales = refit.month(month)
    part = out_of_time_sales(refit.fitted, recipe.with_masked_copies(sales))
    return part, part.residuals[: len(sales)]


def _with_intervals(
    refit: Refit,
    month: int,
    calibration: Sequence[tuple[OutOfTimeSales, np.ndarray]],
    recipe: Recipe,
    p: SimpleNamespace,
) -> pd.DataFrame:
    """The rows of BACKTEST for one month, with intervals from the residuals of earlier months."""
    parts, residuals = zip(*calibration, strict=True)
    intervals, applicability = calibrate_model(refit.fitted, parts, refit.limits, recipe, p)
    sales = refit.month(month)
    valuations = ValuationModel(refit.fitted, intervals, applicability, {}).value(columns_of(sales))
    return sales[SALE_COLUMNS].assign(
        predicted=valuations.price,
        low=valuations.low,
        high=valuations.high,
        deviation=valuations.deviation,
        **baselines.split_conformal(valuations.price, np.concatenate(residuals), p.intervals.level),
        **{name: np.round(refit.baseline_values[name][sales.index], 2) for name in BASELINES},
    )
