"""Result of an experiment: errors of champion and challenger against the prices of later sales.

Each sale was valued by one of the two models, so their errors form two samples. Units (properties or clients) are
assigned as a whole and resampled as a whole. The number of sales is fixed in advance: repeated looks at an interval
until it excludes zero inflate false positives (Johari et al., "Peeking at A/B tests", KDD 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation.ratio_study import checked, mdape, percentile_interval, ppe10, resamples
from homei.registry.config import ExperimentConfig, PromoteConfig
from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign

VARIANTS = (CHAMPION, CHALLENGER)
POWER = 0.8  # probability of detecting a true difference, for sample sizes
MIN_SALES = 10  # sales of either variant, below which there is neither spread nor interval
# A strict level, since the test runs on every look and true mismatches soon exceed it: Fabijan et al., "Diagnosing
# sample ratio mismatch in online controlled experiments", KDD 2019.
MISMATCH_LEVEL = 0.001
MIN_EXPECTED = 5  # of either variant, for the chi-square approximation (Cochran, 1954)
TOO_EARLY, MISMATCHED, BETTER, WORSE, ALIKE = "too_early", "mismatched", "better", "worse", "alike"


def evaluate_experiment(
    sales: pd.DataFrame,
    units: Mapping[str, int],
    design: ExperimentDesign,
    experiment: ExperimentConfig,
    promote: PromoteConfig,
    seed: int,
) -> dict[str, Any]:
    """Errors of both variants, the difference of their medians with its interval, and the verdict.

    `sales` (unit, variant, price, valued, low, high, level) are in order of their reports; those beyond
    `experiment.sales` are not counted. `units` holds the number of units that each variant valued. The `verdict` on
    the challenger is "too_early" before all planned sales are reported, "mismatched" if the units, or those sold, are
    not split as designed, else "better", "worse" or "alike". `interval`, `needed_sales` and `detectable` (difference)
    are None while either variant has fewer than MIN_SALES sales.
    """
    counted = sales.head(experiment.sales)
    samples = {name: counted[counted["variant"] == name] for name in VARIANTS}
    medians = None
    if min(len(sample) for sample in samples.values()) >= MIN_SALES:
        medians = [_bootstrap_medians(samples[name], promote.draws, (seed, n)) for n, name in enumerate(VARIANTS)]
    variants = {
        name: _measures(samples[name], promote.confidence, medians and medians[n]) for n, name in enumerate(VARIANTS)
    }
    ratios = {
        "units": sample_ratio([units.get(name, 0) for name in VARIANTS], design.share),
        "sold": sample_ratio([samples[name]["unit"].nunique() for name in VARIANTS], design.share),
    }
    interval = difference = n_needed = detectable = None
    if medians:
        interval = percentile_interval(medians[1] - medians[0], promote.confidence)
        difference = variants[CHALLENGER]["mdape"] - variants[CHAMPION]["mdape"]
        spread = _spread([variants[name]["n"] for name in VARIANTS], medians, design.share)
        n_needed = needed_sales(spread, experiment.difference, promote.confidence)
        detectable = detectable_difference(spread, experiment.sales, promote.confidence)
    return {
        "variants": variants,
        "difference": difference,
        "interval": interval,
        "confidence": promote.confidence,
        "sales": len(counted),
        "planned": experiment.sales,
        "ignored_sales": len(sales) - len(counted),
        "relevant_difference": experiment.difference,
        "needed_sales": n_needed,
        "detectable": detectable,
        "sample_ratio": ratios,
        "verdict": _verdict(len(counted) >= experiment.sales, ratios, interval),
    }


def sample_ratio(counts: Sequence[int], share: float) -> dict[str, Any]:
    """Test that champion and challenger got the designed shares of units: `counts`, `p` and `ok`.

    Pearson's chi-square test with one degree of freedom at MISMATCH_LEVEL; None below MIN_EXPECTED expected units.
    """
    from scipy.stats import chisquare  # slow to import, rarely needed

    total = sum(counts)
    expected = [total * (1 - share), total * share]
    if min(expected) < MIN_EXPECTED:
        return {"counts": list(counts), "p": None, "ok": None}
    p = float(chisquare(counts, expected).pvalue)
    return {"counts": list(counts), "p": p, "ok": p >= MISMATCH_LEVEL}


def needed_sales(spread: float, difference: float, confidence: float) -> int:
    """Number of sales, of both variants together, that detect a difference with probability POWER.

    (z(1 − α ÷ 2) + z(power))² × spread² ÷ difference²: Chow, Shao and Wang, Sample Size Calculations in Clinical
    Research (2nd ed., 2008), §3.2.1, for two samples of unequal size.
    """
    return math.ceil((_z(confidence) * spread / difference) ** 2)


def detectable_difference(spread: float, sales: int, confidence: float) -> float:
    """The difference that a number of sales detects with probability POWER; the inverse of `needed_sales`."""
    return _z(confidence) * spread / math.sqrt(sales)


def planned_spread(errors: np.ndarray, share: float, draws: int, seed: int) -> float:
    """The spread for `needed_sales` before an experiment, with both variants' errors like `errors`."""
    sales = pd.DataFrame({"unit": np.arange(len(errors)), "price": 1.0, "valued": 1 + errors})
    medians = _bootstrap_medians(sales, draws, (seed,))
    return _spread([len(errors)] * 2, [medians, medians], share)


def _measures(sample: pd.DataFrame, confidence: float, medians: np.ndarray | None) -> dict[str, Any]:
    if sample.empty:
        return {"n": 0, **dict.fromkeys(("mdape", "mdape_interval", "ppe10", "coverage", "level"))}
    price = sample["price"]
    return {
        "n": len(sample),
        "mdape": mdape(sample["valued"], price),
        "mdape_interval": None if medians is None else percentile_interval(medians, confidence),
        "ppe10": ppe10(sample["valued"], price),
        "coverage": float(price.between(sample["low"], sample["high"]).mean()),
        "level": float(sample["level"].median()),
    }


def _bootstrap_medians(sample: pd.DataFrame, draws: int, seed: Sequence[int]) -> np.ndarray:
    """The median error of each of `draws` resamples of units, each unit with all of its sales.

    Davison and Hinkley, Bootstrap Methods and their Application (1997), §3.8: nested data are resampled at the outer
    level only. A unit drawn twice counts twice, so each median is a weighted one.
    """
    valued, price = checked(sample["valued"], sample["price"])
    errors = np.abs(valued / price - 1)
    order = np.argsort(errors, kind="stable")
    codes, units = pd.factorize(sample["unit"])
    errors, codes, n_units = errors[order], codes[order], len(units)
    medians = []
    for rows in resamples(n_units, draws, list(seed)):
        shifted = rows + n_units * np.arange(len(rows))[:, None]
        times = np.bincount(shifted.ravel(), minlength=n_units * len(rows)).reshape(len(rows), n_units)
        cumulative = times[:, codes].cumsum(axis=1)
        size = cumulative[:, -1:]
        middle = [(cumulative > rank).argmax(axis=1) for rank in ((size - 1) // 2, size // 2)]
        medians.append((errors[middle[0]] + errors[middle[1]]) / 2)
    return np.concatenate(medians)


def _spread(counts: Sequence[int], medians: Sequence[np.ndarray], share: float) -> float:
    """Standard error of the difference × √(number of sales), for sales split as designed."""
    champion, challenger = (n * values.var() for n, values in zip(counts, medians, strict=True))
    return float(np.sqrt(champion / (1 - share) + challenger / share))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2) + NormalDist().inv_cdf(POWER)


def _verdict(
    is_complete: bool, ratios: Mapping[str, Mapping[str, Any]], interval: tuple[float, float] | tuple[None, None] | None
) -> str:
    if any(ratio["ok"] is False for ratio in ratios.values()):
        return MISMATCHED
    if not is_complete or interval is None:
        return TOO_EARLY
    low, high = interval
    return BETTER if high < 0 else WORSE if low > 0 else ALIKE
