"""What came of an experiment: how far champion and challenger were from what homes then sold at.

Each sale was valued by one of them, so the two errors are those of two samples; units (homes, or clients) were assigned
as a whole and are resampled as a whole. When to look is fixed beforehand: an interval that is looked at until it is
clear of zero is clear of it far too often (Johari et al., "Peeking at A/B tests", KDD 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from homei import config
from homei.assignment import CHALLENGER, CHAMPION, Design
from homei.model.ratio import checked, mdape, percentile_interval, ppe10, resamples

VARIANTS = (CHAMPION, CHALLENGER)
POWER = 0.8  # the chance of seeing a difference that is there, by which samples are sized
FEWEST = 10  # sales of either, below which neither spread nor interval is told
# A strict level, since the check is made each time, and a true mismatch soon is far beyond it: Fabijan et al.,
# "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
MISMATCH = 0.001
LEAST_EXPECTED = 5  # of either, for the chi-square approximation (Cochran, 1954)
TOO_EARLY, MISMATCHED, BETTER, WORSE, ALIKE = "too_early", "mismatched", "better", "worse", "alike"


def judge(
    sales: pd.DataFrame,
    units: Mapping[str, int],
    design: Design,
    settings: config.Experiment,
    judging: config.Promote,
    seed: int,
) -> dict[str, Any]:
    """How both did, the difference in their median errors with its interval, and whether that decides.

    `sales` (unit, variant, price, valued, low, high, level), in order of being told: those beyond settings.sales don't
    count. `units` says how many of them each variant answered. The `verdict` on the challenger is "too_early" until
    that many are told, "mismatched" where units, or those that sold, are not shared as the design says, else "better",
    "worse" or "alike"; `interval`, `needed` and `detectable` are None while either has fewer than FEWEST sales.
    """
    counted = sales.head(settings.sales)
    parts = {name: counted[counted["variant"] == name] for name in VARIANTS}
    few = min(len(part) for part in parts.values()) < FEWEST
    drawn = None if few else [_medians(parts[name], judging.draws, (seed, n)) for n, name in enumerate(VARIANTS)]
    told = {name: _figures(parts[name], judging.confidence, drawn and drawn[n]) for n, name in enumerate(VARIANTS)}
    ratios = {
        "units": sample_ratio([units.get(name, 0) for name in VARIANTS], design.share),
        "sold": sample_ratio([parts[name]["unit"].nunique() for name in VARIANTS], design.share),
    }
    interval = percentile_interval(drawn[1] - drawn[0], judging.confidence) if drawn else None
    spread = None if drawn is None else _spread([told[name]["n"] for name in VARIANTS], drawn, design.share)
    return {
        "variants": told,
        "difference": None if few else told[CHALLENGER]["mdape"] - told[CHAMPION]["mdape"],
        "interval": interval,
        "confidence": judging.confidence,
        "sales": len(counted),
        "planned": settings.sales,
        "beyond": len(sales) - len(counted),
        "worth_seeing": settings.difference,
        "needed": None if spread is None else needed(spread, settings.difference, judging.confidence),
        "detectable": None if spread is None else detectable(spread, settings.sales, judging.confidence),
        "sample_ratio": ratios,
        "verdict": _verdict(len(counted) >= settings.sales, ratios, interval),
    }


def sample_ratio(counts: Sequence[int], share: float) -> dict[str, Any]:
    """Whether champion and challenger got as many units as the share says: `counts`, `p` and whether that is `ok`.

    Pearson's chi-square test with one degree of freedom, of level MISMATCH; None where too few are expected of either.
    """
    from scipy.stats import chisquare  # slow to import, and most who judge need it once

    total = sum(counts)
    expected = [total * (1 - share), total * share]
    if min(expected) < LEAST_EXPECTED:
        return {"counts": list(counts), "p": None, "ok": None}
    p = float(chisquare(counts, expected).pvalue)
    return {"counts": list(counts), "p": p, "ok": p >= MISMATCH}


def needed(spread: float, difference: float, confidence: float) -> int:
    """How many sales, of both together, it takes to see such a difference with a chance of POWER.

    (z(1 − α ÷ 2) + z(power))² × spread² ÷ difference²: Chow, Shao and Wang, Sample Size Calculations in Clinical
    Research (2nd ed., 2008), §3.2.1, for two samples of unequal size.
    """
    return math.ceil((_z(confidence) * spread / difference) ** 2)


def detectable(spread: float, sales: int, confidence: float) -> float:
    """The difference that so many sales show with a chance of POWER."""
    return _z(confidence) * spread / math.sqrt(sales)


def spread_of(errors: np.ndarray, share: float, draws: int, seed: int) -> float:
    """The spread that `needed` asks for, where both err as one model did: for a plan, before there is an experiment."""
    sales = pd.DataFrame({"unit": np.arange(len(errors)), "price": 1.0, "valued": 1 + errors})
    drawn = _medians(sales, draws, (seed,))
    return _spread([len(errors)] * 2, [drawn, drawn], share)


def _figures(part: pd.DataFrame, confidence: float, drawn: np.ndarray | None) -> dict[str, Any]:
    if part.empty:
        return {"n": 0, **dict.fromkeys(("mdape", "mdape_interval", "ppe10", "coverage", "level"))}
    price = part["price"]
    return {
        "n": len(part),
        "mdape": mdape(part["valued"], price),
        "mdape_interval": None if drawn is None else percentile_interval(drawn, confidence),
        "ppe10": ppe10(part["valued"], price),
        "coverage": float(price.between(part["low"], part["high"]).mean()),
        "level": float(part["level"].median()),
    }


def _medians(part: pd.DataFrame, draws: int, seed: Sequence[int]) -> np.ndarray:
    """The median error of each of `draws` resamples of units, each with all of its sales.

    Davison and Hinkley, Bootstrap Methods and their Application (1997), §3.8: of nested data, the outer level alone. A
    unit that is drawn twice counts twice, so each median is a weighted one.
    """
    valued, price = checked(part["valued"], part["price"])
    errors = np.abs(valued / price - 1)
    order = np.argsort(errors, kind="stable")
    codes, known = pd.factorize(part["unit"])
    errors, codes, units = errors[order], codes[order], len(known)
    drawn = []
    for rows in resamples(units, draws, list(seed)):
        shifted = rows + units * np.arange(len(rows))[:, None]
        times = np.bincount(shifted.ravel(), minlength=units * len(rows)).reshape(len(rows), units)
        up_to = times[:, codes].cumsum(axis=1)
        size = up_to[:, -1:]
        middle = [(up_to > place).argmax(axis=1) for place in ((size - 1) // 2, size // 2)]
        drawn.append((errors[middle[0]] + errors[middle[1]]) / 2)
    return np.concatenate(drawn)


def _spread(counts: Sequence[int], drawn: Sequence[np.ndarray], share: float) -> float:
    """What the difference's standard error is, times the root of all sales, where they are shared as planned."""
    ours, theirs = (n * values.var() for n, values in zip(counts, drawn, strict=True))
    return float(np.sqrt(ours / (1 - share) + theirs / share))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2) + NormalDist().inv_cdf(POWER)


def _verdict(
    is_told: bool, ratios: Mapping[str, Mapping[str, Any]], interval: tuple[float, float] | tuple[None, None] | None
) -> str:
    if any(ratio["ok"] is False for ratio in ratios.values()):
        return MISMATCHED
    if not is_told or interval is None:
        return TOO_EARLY
    low, high = interval
    return BETTER if high < 0 else WORSE if low > 0 else ALIKE
