"""Stage `backtest`: each of the last months valued by a model of the months before it, as it would have been in use.

Rivals learn from the same sales at the same time. The parameters were found on sales before all of these months (see
`recipe.untested`), and a month's intervals are calibrated on how far off the valuations of the months before it were.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei import config, lake
from homei.config import Backtest, Split
from homei.features.columns import month_of
from homei.model import baselines
from homei.model.coverage import split_conformal
from homei.model.intervals import OutOfTime, calibrate
from homei.model.preprocess import columns_of
from homei.model.recipe import Recipe, learnable
from homei.model.scope import Scope
from homei.model.split import SplitError
from homei.model.train import out_of_time, tuned
from homei.model.valuation import Fitted, Valuation

OWN = ["transaction_id", "month", "location", "price"]
RIVALS = ("untuned", "linear", "naive")


@dataclass(frozen=True)
class Period:
    """Months from `start` up to, not including, `end`, all valued by a model of what lies before `start`."""

    start: int
    end: int
    tested: bool  # or only there for its residuals


@dataclass(frozen=True)
class Refit:
    """A period's sales, the model that valued them without having seen them, and what its rivals said (if tested)."""

    fitted: Fitted
    scope: Scope
    asked: pd.DataFrame
    rivals: dict[str, np.ndarray]

    def month(self, month: int) -> pd.DataFrame:
        return self.asked[self.asked["month"] == month]


def run(p: SimpleNamespace) -> pd.DataFrame:
    """The table BACKTEST, written, from the sections seed, source … scope of params.yaml in `p`."""
    recipe = Recipe.of(p.seed, p.source, p.features, p.model, p.train).with_parameters(**tuned(p.model))
    untuned = baselines.untuned(recipe, p.source, p.features, p.backtest.untuned)
    last = month_of(p.source.as_of)
    sales, level = lake.read(lake.READY), p.intervals.level
    table = valued(sales, recipe, untuned, last, p.split, p.backtest, level, p.scope, p.train.workers)
    lake.write(table, lake.BACKTEST)
    return table


def valued(
    sales: pd.DataFrame,
    recipe: Recipe,
    untuned: Recipe,
    last: int,
    split: Split,
    backtest: Backtest,
    level: float,
    policy: config.Scope,
    workers: int = 1,
) -> pd.DataFrame:
    """A row a sale of the tested months up to `last`, in order of month: its price and what each estimator said.

    Columns: transaction_id, month, location, price; predicted, low, high, deviation (the system's); plain_low,
    plain_high (split-conformal around the same value); untuned, linear, naive. `workers` models are learnt at a time.
    """
    known = learnable(sales, split)
    steps = periods(last, split.tested_months, backtest)

    def refit(period: Period) -> Refit:
        return _refit(sales, known, period, recipe, untuned, policy)

    with ThreadPoolExecutor(workers) as pool:
        refits = _all(pool, refit, steps, "refits")
        by_month = {
            month: made
            for period, made in zip(steps, refits, strict=True)
            for month in range(period.start, period.end)
            if len(made.month(month))
        }
        past = _residuals(by_month, recipe)
        tested = [month for month in by_month if month > last - split.tested_months]

        def value(month: int) -> pd.DataFrame:
            earlier = [past[at] for at in range(month - backtest.calibration_months, month) if at in past]
            return _with_intervals(by_month[month], month, earlier, level, recipe)

        return pd.concat(_all(pool, value, tested, "months"), ignore_index=True)


def periods(last: int, tested_months: int, backtest: Backtest) -> list[Period]:
    """What is valued by one refit each, earliest first: first the months that only calibrate, then the tested ones."""
    first, step = last - tested_months + 1, backtest.refit_months
    spans = [(first - backtest.calibration_months, first, False), (first, last + 1, True)]
    return [
        Period(start, min(start + step, end), tested)
        for begin, end, tested in spans
        for start in range(begin, end, step)
    ]


def _all(pool: Executor, work: Any, over: Sequence[Any], title: str) -> list[Any]:
    return list(tqdm(pool.map(work, over), desc=title, total=len(over), unit=title[:-1], disable=None))


def _refit(
    sales: pd.DataFrame, known: pd.DataFrame, period: Period, recipe: Recipe, untuned: Recipe, policy: config.Scope
) -> Refit:
    learnt = known[known["month"] < period.start]
    asked = known[(known["month"] >= period.start) & (known["month"] < period.end)].reset_index(drop=True)
    if learnt.empty:
        raise SplitError(
            "there are no sales to learn from before the backtest: the sales span too few months; "
            "lower split.tested_months, backtest.calibration_months or split.warm_up_months"
        )
    rivals = {}
    if period.tested and len(asked):
        rivals = {
            "untuned": untuned.prices(learnt, asked),
            "linear": baselines.linear(recipe, learnt, asked),
            "naive": baselines.naive(sales, asked),
        }
    return Refit(recipe.fit(learnt), Scope.learn(columns_of(learnt), policy), asked, rivals)


def _residuals(by_month: dict[int, Refit], recipe: Recipe) -> dict[int, tuple[OutOfTime, np.ndarray]]:
    """By month: the residuals that `train` would calibrate on (sales and copies with gaps), and those of the sales."""
    found = {}
    for month, refit in by_month.items():
        asked = refit.month(month)
        part = out_of_time(refit.fitted, recipe.with_gaps(asked))
        found[month] = part, part.residuals[: len(asked)]
    return found


def _with_intervals(
    refit: Refit, month: int, earlier: Sequence[tuple[OutOfTime, np.ndarray]], level: float, recipe: Recipe
) -> pd.DataFrame:
    """The rows of BACKTEST for one month, its intervals from the residuals of `earlier` months."""
    if len(earlier) < 2:
        raise SplitError(
            f"{len(earlier)} months with sales before month {month} to calibrate intervals on, where two are needed: "
            "raise backtest.calibration_months"
        )
    parts, encoder = [part for part, _ in earlier], refit.fitted.encoder
    spread = calibrate(parts, encoder, recipe.attributes, level, recipe.seed)
    scope = refit.scope.measured(parts, encoder, spread, level)
    asked = refit.month(month)
    values = Valuation(refit.fitted, spread, scope, {}).value(columns_of(asked))
    residuals = np.concatenate([of_sales for _, of_sales in earlier])
    return asked[OWN].assign(
        predicted=values.price,
        low=values.low,
        high=values.high,
        deviation=values.deviation,
        **split_conformal(values.price, residuals, level),
        **{name: np.round(refit.rivals[name][asked.index], 2) for name in RIVALS},
    )
