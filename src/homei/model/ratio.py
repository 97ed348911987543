"""The ratio study: how valuations compare with what was paid.

Source of the formulas: IAAO, Standard on Ratio Studies (2013), §5 and Appendices B to D, where none else is named. A
ratio is value ÷ price; every share, COD, PRB and VEI here is a fraction (0.145), where assessors often print a
percentage (14.5).
Each statistic takes valued and paid amounts and raises RatioStudyError on input that has no ratio.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Name → formula along the last axis, unchecked: what the bootstrap applies to many resamples at once.
STATISTICS: dict[str, Formula] = {}

# Resampled values held in memory at once: 40 MB of doubles for the two sides and their ratios.
BLOCK = 2_000_000

# From how many sales on the vertical equity indicator has how many strata.
STRATA = {20: 2, 51: 4, 501: 10}


class RatioStudyError(ValueError):
    """Amounts of which no ratio can be taken."""


def checked(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both sides as equally long series of positive numbers; raises RatioStudyError."""
    valued, price = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if valued.ndim != 1 or valued.shape != price.shape:
        raise RatioStudyError(f"{valued.shape} valuations against {price.shape} prices: give one of each per sale")
    if not valued.size:
        raise RatioStudyError("no sales: a ratio study needs at least one")
    for name, amounts in (("valuations", valued), ("prices", price)):
        wrong = ~(np.isfinite(amounts) & (amounts > 0))
        if wrong.any():
            example = amounts[wrong][0]
            raise RatioStudyError(f"{wrong.sum()} {name} are not positive numbers (such as {example}): drop them first")
    return valued, price


def _statistic(formula: Formula) -> Callable[[npt.ArrayLike, npt.ArrayLike], float]:
    STATISTICS[formula.__name__] = formula

    @functools.wraps(formula)
    def of_sales(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> float:
        return float(formula(*checked(predicted, actual)))

    return of_sales


def _share_within(error: float, valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    # The margin lets 110 count as within 10 % of 100, which binary fractions would deny.
    return np.mean(np.abs(valued - price) <= (error + 1e-12) * price, axis=-1)


@_statistic
def mdape(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Median absolute error as a fraction of the price."""
    return np.median(np.abs(valued / price - 1), axis=-1)


@_statistic
def mape(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Mean absolute error as a fraction of the price."""
    return np.mean(np.abs(valued / price - 1), axis=-1)


@_statistic
def ppe5(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Share of valuations within 5 % of the price."""
    return _share_within(0.05, valued, price)


@_statistic
def ppe10(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Share of valuations within 10 % of the price."""
    return _share_within(0.10, valued, price)


@_statistic
def ppe20(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Share of valuations within 20 % of the price."""
    return _share_within(0.20, valued, price)


@_statistic
def r2(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Share of the variance of prices that the valuations explain; NaN where all prices are the same."""
    spread = np.sum((price - price.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    return 1 - np.sum((price - valued) ** 2, axis=-1) / np.where(spread > 0, spread, np.nan)


@_statistic
def median_ratio(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """The level of valuation: the median of value ÷ price (§5.3.1)."""
    return np.median(valued / price, axis=-1)


@_statistic
def cod(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Coefficient of dispersion: mean absolute deviation of the ratios from their median ÷ that median (§5.4.1)."""
    ratio = valued / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    return np.mean(np.abs(ratio - middle), axis=-1) / middle[..., 0]


@_statistic
def prd(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Price-related differential: mean ratio ÷ price-weighted mean ratio (§5.6); above 1, dear homes are valued low."""
    return np.mean(valued / price, axis=-1) * price.sum(axis=-1) / valued.sum(axis=-1)


@_statistic
def prb(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Price-related bias: by how much, relative to the median, ratios rise as value doubles (§5.6, Appendix D).

    The least-squares slope of (ratio − median) ÷ median on log2 of the mean of price and value ÷ median; NaN where
    all of these values are the same.
    """
    ratio = valued / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    doublings = np.log2(value_proxy(valued, price, middle))
    x = doublings - doublings.mean(axis=-1, keepdims=True)
    spread = np.sum(x * x, axis=-1)
    return np.sum(x * (ratio - middle) / middle, axis=-1) / np.where(spread > 0, spread, np.nan)


@_statistic
def mki(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Modified Kakwani index: Gini of the values ÷ Gini of the prices, both in order of price; below 1, regressive.

    Quintos, "A Gini measure for vertical equity in property assessments", J. of Property Tax Assessment &
    Administration 17 (2), 2020. Equal prices share their mean rank; NaN where all prices are the same.
    """
    from scipy.stats import rankdata  # slow to import, and most who take a median need none of it

    beyond = rankdata(price, axis=-1) - (price.shape[-1] + 1) / 2
    of_prices = np.sum(beyond * price, axis=-1) / price.sum(axis=-1)
    of_values = np.sum(beyond * valued, axis=-1) / valued.sum(axis=-1)
    return of_values / np.where(of_prices > 0, of_prices, np.nan)


@_statistic
def vei(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Vertical equity indicator: the median ratio of the dearest stratum less that of the cheapest, ÷ the median ratio.

    IAAO, Standard on Ratio Studies, exposure draft of 2025, §8.2.1: strata by value_proxy, see strata_ends; below 0,
    regressive. NaN for fewer sales than two strata need.
    """
    ends = strata_ends(price.shape[-1])
    if not ends:
        return np.full(price.shape[:-1], np.nan)
    ratio = valued / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    # Stable: which of two equal sales comes first must not depend on the processor.
    order = np.argsort(value_proxy(valued, price, middle), axis=-1, kind="stable")
    ranked = np.take_along_axis(ratio, order, axis=-1)
    cheapest, dearest = (np.median(part, axis=-1) for part in (ranked[..., : ends[0]], ranked[..., ends[-2] :]))
    return (dearest - cheapest) / middle[..., 0]


def strata_ends(n: int) -> list[int]:
    """Where each stratum of n sales in order of worth ends, exclusively; none for too few sales (STRATA).

    At n · k ÷ strata, rounded up: the rule that gives the strata of the exposure draft's table 4.
    """
    strata = max((count for least, count in STRATA.items() if n >= least), default=0)
    return [-(-n * stratum // strata) for stratum in range(1, strata + 1)]


def value_proxy(valued: np.ndarray, price: np.ndarray, middle: np.ndarray | float) -> np.ndarray:
    """What a property is worth, half by its price and half by its value at the median level `middle` (Appendix D).

    Prices alone would make low ones look overvalued and high ones undervalued by nothing but their noise.
    """
    return 0.5 * (valued / middle + price)


def ratio_study(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> dict[str, Any]:
    """The number of sales `n` and every statistic by name; None for one that these sales leave undefined."""
    valued, price = checked(predicted, actual)
    measured = {name: float(formula(valued, price)) for name, formula in STATISTICS.items()}
    return {"n": len(price), **{name: value if np.isfinite(value) else None for name, value in measured.items()}}


def within_fences(predicted: npt.ArrayLike, actual: npt.ArrayLike, reach: float) -> np.ndarray:
    """Which ratios lie within `reach` interquartile ranges of the quartiles: the others are outliers (Appendix B).

    The standard calls those beyond 1.5 outliers and those beyond 3 extreme ones. Quartiles lie at (n + 1) ÷ 4.
    """
    valued, price = checked(predicted, actual)
    ratio = valued / price
    low, high = np.quantile(ratio, [0.25, 0.75], method="weibull")
    return (ratio >= low - reach * (high - low)) & (ratio <= high + reach * (high - low))


def resamples(n: int, draws: int, seed: int | Sequence[int]) -> Iterator[np.ndarray]:
    """`draws` bootstrap resamples of n sales in blocks of shape (some, n), the same for the same seed."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // n)
    for start in range(0, draws, block):
        yield random.integers(0, n, size=(min(block, draws - start), n), dtype=np.int32)


def bootstrapped(
    names: Sequence[str], predicted: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int | Sequence[int]
) -> dict[str, np.ndarray]:
    """Statistics named as in STATISTICS, each of every one of the same `draws` resamples."""
    valued, price = checked(predicted, actual)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for rows in resamples(len(price), draws, seed):
        some_valued, some_price = valued[rows], price[rows]
        for name in names:
            drawn[name].append(STATISTICS[name](some_valued, some_price))
    return {name: np.concatenate(blocks) for name, blocks in drawn.items()}


def bootstrap_interval(
    statistic: str, predicted: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int, level: float = 0.95
) -> tuple[float, float] | tuple[None, None]:
    """The percentile interval of a statistic named as in STATISTICS (§5.5); a pair of None where it is undefined."""
    return percentile_interval(bootstrapped([statistic], predicted, actual, draws, seed)[statistic], level)


def bootstrap_study(predicted: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int) -> dict[str, Any]:
    """The ratio study with its 95 % intervals: `n`, and by name of each statistic its value, low and high."""
    study = ratio_study(predicted, actual)
    drawn = bootstrapped(list(STATISTICS), predicted, actual, draws, seed)
    around = {name: percentile_interval(values) for name, values in drawn.items()}
    return {
        "n": study["n"],
        **{name: {"value": study[name], "low": low, "high": high} for name, (low, high) in around.items()},
    }


def percentile_interval(drawn: np.ndarray, level: float = 0.95) -> tuple[float, float] | tuple[None, None]:
    """The middle `level` of bootstrapped values, of which undefined ones are left out; None twice if all are."""
    defined = drawn[np.isfinite(drawn)]
    if not defined.size:
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
