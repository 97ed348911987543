"""Ratio study: statistics of the ratios of values to prices paid.

Formulas: IAAO, Standard on Ratio Studies (2013), §5 and Appendices B to D, unless another source is named. Shares, COD,
PRB and VEI are fractions (0.145), where assessors often print percentages (14.5). Each statistic takes values and
prices and raises RatioStudyError on input without a ratio.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Name → formula along the last axis, without input checks: the bootstrap applies it to many resamples at once.
STATISTICS: dict[str, Formula] = {}
BLOCK = 2_000_000  # resampled sales in memory at once: 40 MB for values, prices and ratios
STRATA = {20: 2, 51: 4, 501: 10}  # number of strata of the vertical equity indicator, by minimum number of sales


class RatioStudyError(ValueError):
    """Values or prices without a ratio: the message says what is wrong."""


def checked(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Values and prices as arrays of positive numbers of equal length; raises RatioStudyError otherwise."""
    valued, price = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if valued.ndim != 1 or valued.shape != price.shape:
        raise RatioStudyError(f"{valued.shape} valuations against {price.shape} prices: give one of each per sale")
    if not valued.size:
        raise RatioStudyError("no sales: a ratio study needs at least one")
    for name, amounts in (("valuations", valued), ("prices", price)):
        is_invalid = ~(np.isfinite(amounts) & (amounts > 0))
        if is_invalid.any():
            example = f"such as {amounts[is_invalid][0]}"
            raise RatioStudyError(f"{is_invalid.sum()} {name} are not positive numbers ({example}): drop them first")
    return valued, price


def _statistic(formula: Formula) -> Callable[[npt.ArrayLike, npt.ArrayLike], float]:
    STATISTICS[formula.__name__] = formula

    @functools.wraps(formula)
    def statistic(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> float:
        return float(formula(*checked(predicted, actual)))

    return statistic


def _share_within(error: float, valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    # The margin makes 110 count as within 10 % of 100 despite binary rounding.
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
    """Coefficient of determination of prices by values; NaN if all prices are equal."""
    spread = np.sum((price - price.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    return 1 - np.sum((price - valued) ** 2, axis=-1) / np.where(spread > 0, spread, np.nan)


@_statistic
def median_ratio(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Level of valuation: the median of value ÷ price (§5.3.1)."""
    return np.median(valued / price, axis=-1)


@_statistic
def cod(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Coefficient of dispersion: mean absolute deviation from the median ratio ÷ median ratio (§5.4.1)."""
    ratio = valued / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    return np.mean(np.abs(ratio - middle), axis=-1) / middle[..., 0]


@_statistic
def prd(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Price-related differential: mean ratio ÷ price-weighted mean ratio (§5.6); above 1 is regressive."""
    return np.mean(valued / price, axis=-1) * price.sum(axis=-1) / valued.sum(axis=-1)


@_statistic
def prb(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Price-related bias: relative change of the ratio as the value doubles (§5.6, Appendix D).

    The least-squares slope of (ratio − median) ÷ median on log2 of `value_proxy`; NaN if all proxies are equal.
    """
    ratio = valued / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    doublings = np.log2(value_proxy(valued, price, middle))
    x = doublings - doublings.mean(axis=-1, keepdims=True)
    spread = np.sum(x * x, axis=-1)
    return np.sum(x * (ratio - middle) / middle, axis=-1) / np.where(spread > 0, spread, np.nan)


@_statistic
def mki(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Modified Kakwani index: Gini of values ÷ Gini of prices, by price; below 1 is regressive.

    Quintos, J. of Property Tax Assessment & Administration 17 (2), 2020. Equal prices share their mean rank; NaN if
    all prices are equal.
    """
    from scipy.stats import rankdata  # slow to import, rarely needed

    rank = rankdata(price, axis=-1) - (price.shape[-1] + 1) / 2
    price_gini = np.sum(rank * price, axis=-1) / price.sum(axis=-1)
    value_gini = np.sum(rank * valued, axis=-1) / valued.sum(axis=-1)
    return value_gini / np.where(price_gini > 0, price_gini, np.nan)


@_statistic
def vei(valued: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Vertical equity indicator: median ratio of the highest minus the lowest stratum, ÷ median ratio.

    IAAO's exposure draft of 2025, §8.2.1: strata by `value_proxy`. Below 0 is regressive; NaN with too few sales.
    """
    ends = strata_ends(price.shape[-1])
    if not ends:
        return np.full(price.shape[:-1], np.nan)
    ratio = valued / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    # A stable sort, so that the order of equal sales does not depend on the processor.
    order = np.argsort(value_proxy(valued, price, middle), axis=-1, kind="stable")
    ranked = np.take_along_axis(ratio, order, axis=-1)
    lowest, highest = (np.median(part, axis=-1) for part in (ranked[..., : ends[0]], ranked[..., ends[-2] :]))
    return (highest - lowest) / middle[..., 0]


def strata_ends(n: int) -> list[int]:
    """The exclusive ends of the strata of n sales by value (the draft's table 4); empty for few sales."""
    strata = max((count for least, count in STRATA.items() if n >= least), default=0)
    return [-(-n * stratum // strata) for stratum in range(1, strata + 1)]


def value_proxy(valued: np.ndarray, price: np.ndarray, middle: np.ndarray | float) -> np.ndarray:
    """Proxy of a property's market value: the mean of its price and its value ÷ median ratio (Appendix D).

    Ranking by prices alone would make low prices look overvalued and high ones undervalued, because of their noise.
    """
    return 0.5 * (valued / middle + price)


def ratio_study(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> dict[str, Any]:
    """The number of sales `n` and every statistic by name; None for an undefined statistic."""
    valued, price = checked(predicted, actual)
    statistics = {name: float(formula(valued, price)) for name, formula in STATISTICS.items()}
    return {"n": len(price), **{name: value if np.isfinite(value) else None for name, value in statistics.items()}}


NO_STUDY = {"n": 0, **dict.fromkeys(STATISTICS)}  # of no sales


def within_fences(predicted: npt.ArrayLike, actual: npt.ArrayLike, iqr_multiple: float) -> np.ndarray:
    """Mask of ratios within `iqr_multiple` interquartile ranges of the quartiles (Appendix B)."""
    valued, price = checked(predicted, actual)
    ratio = valued / price
    low, high = np.quantile(ratio, [0.25, 0.75], method="weibull")
    margin = iqr_multiple * (high - low)
    return (ratio >= low - margin) & (ratio <= high + margin)


def resamples(n: int, draws: int, seed: int | Sequence[int]) -> Iterator[np.ndarray]:
    """`draws` bootstrap resamples of n sales as blocks of row numbers (draws in the block × n), by seed."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // n)
    for start in range(0, draws, block):
        yield random.integers(0, n, size=(min(block, draws - start), n), dtype=np.int32)


def bootstrapped(
    names: Sequence[str], predicted: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int | Sequence[int]
) -> dict[str, np.ndarray]:
    """Bootstrap distributions of statistics (names of STATISTICS), all from the same `draws` resamples."""
    valued, price = checked(predicted, actual)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for rows in resamples(len(price), draws, seed):
        resampled = valued[rows], price[rows]
        for name in names:
            drawn[name].append(STATISTICS[name](*resampled))
    return {name: np.concatenate(blocks) for name, blocks in drawn.items()}


def bootstrap_interval(
    statistic: str, predicted: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int, level: float = 0.95
) -> tuple[float, float] | tuple[None, None]:
    """The bootstrap percentile interval of a statistic (§5.5); a pair of None if it is undefined."""
    return percentile_interval(bootstrapped([statistic], predicted, actual, draws, seed)[statistic], level)


def bootstrap_study(predicted: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int) -> dict[str, Any]:
    """The ratio study with 95 % bootstrap intervals: `n`, and for each statistic its value, low and high."""
    study = ratio_study(predicted, actual)
    for name, drawn in bootstrapped(list(STATISTICS), predicted, actual, draws, seed).items():
        low, high = percentile_interval(drawn)
        study[name] = {"value": study[name], "low": low, "high": high}
    return study


def percentile_interval(drawn: np.ndarray, level: float = 0.95) -> tuple[float, float] | tuple[None, None]:
    """The central `level` interval of the defined bootstrapped values; a pair of None without any."""
    defined = drawn[np.isfinite(drawn)]
    if not defined.size:
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def rounded(value: Any) -> Any:
    """`value` with all floats as Python numbers of 6 decimals, which are equal on all processors."""
    if isinstance(value, Mapping):
        return {key: rounded(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(member) for member in value]
    return round(float(value), 6) if isinstance(value, float | np.floating) else value
