"""Prediction intervals from out-of-time residuals, by normalised conformal prediction.

A small model predicts the size of each residual (the spread). The conformal multiplier is the quantile of residuals ÷
spreads that a share `level` of the sales stays within (Lei et al., Distribution-Free Predictive Inference for
Regression, 2018, §5.2). Each period is measured with a model of the others, as in cross-conformal prediction (Vovk
2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from homei.training.encoding import Columns, Encoder
from homei.training.estimators import LightGBM
from homei.training.missing_attributes import MissingAttributes

# Few large leaves: residual sizes are far noisier than prices. The gamma loss keeps predictions positive.
PARAMETERS = {
    "objective": "gamma",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 100,
    "colsample_bytree": 0.5,
    "reg_lambda": 10.0,
    "cat_smooth": 100.0,
}
MIN_RESIDUAL = 1e-4  # the gamma loss requires positive values
ROUNDS = (10, 20, 40, 80, 120, 160)  # candidate numbers of trees
UNMEASURED_AREA_FACTOR = 2.0  # for an unknown area, where fewer sales than MIN_GROUP_SALES measure the factor
MIN_GROUP_SALES = 100  # out-of-time sales of a group, to measure its interval factor
PASSES = 5  # over the factors of overlapping groups, until they converge


@dataclass(frozen=True)
class OutOfTimeSales:
    """Sales valued by a model trained before them: their columns and log residuals."""

    columns: Columns
    residuals: np.ndarray


@dataclass(frozen=True)
class IntervalModel:
    """A spread model, and multipliers from spreads to intervals and standard deviations, in log price."""

    model: LightGBM
    missing: MissingAttributes
    conformal_multiplier: float
    deviation_multiplier: float

    def spread(self, columns: Columns, matrix: np.ndarray) -> np.ndarray:
        """The expected size of each log residual, wider for missing attributes; `matrix` encodes `columns`."""
        return self.model.predict(matrix) * self.missing.factor(columns)


def calibrate(
    parts: Sequence[OutOfTimeSales], encoder: Encoder, attributes: Sequence[str], level: float, seed: int
) -> IntervalModel:
    """The interval model from two or more periods of out-of-time sales.

    The scores of all periods form one quantile. The largest of the periods' own quantiles would cover too much in all
    periods but the worst: on HDB in 2015, with six months of calibration for each month, it covered 91.7 % at a level
    of 90 %, this one 90.2 %. The quantile is that of the most complete sales; the factors of missing attributes are
    measured separately, because one common quantile would be too wide for the former and too narrow for the others.
    """
    if any(np.isnan(part.columns["square_meters"]).any() for part in parts):
        attributes = [*attributes, "square_meters"]
    matrices = [encoder.matrix(part.columns) for part in parts]
    sizes = [np.maximum(np.abs(part.residuals), MIN_RESIDUAL) for part in parts]
    names = ["property_type", *attributes]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in names}
    missing = MissingAttributes.fit(columns, attributes)
    if "square_meters" in attributes:
        missing = replace(missing, widening={**missing.widening, "square_meters": UNMEASURED_AREA_FACTOR})
    is_missing = missing.missing(columns)
    n_missing = is_missing.sum(axis=1)
    is_complete = n_missing == n_missing.min()
    rounds, spreads = _cross_fitted_spreads(matrices, sizes, is_complete, encoder, level, seed)
    scores = np.concatenate(sizes) / spreads
    multiplier = conformal_quantile(scores[is_complete], level)
    groups = dict(zip(attributes, is_missing.T, strict=True))
    missing = replace(missing, widening=group_widening(scores, groups, missing.widening, level, multiplier))
    deviation = float(np.sqrt(np.mean((scores / missing.factor(columns)) ** 2)))
    model = _fit_spread(matrices, sizes, rounds, encoder, seed)
    return IntervalModel(model, missing, round(multiplier, 9), round(deviation, 9))


def group_widening(
    scores: np.ndarray, groups: Mapping[str, np.ndarray], start: Mapping[str, float], level: float, multiplier: float
) -> dict[str, float]:
    """The factor, at least 1, on the conformal `multiplier` that each group of sales needs.

    `groups` are masks of `scores` by name; a sale in several groups has the product of their factors. Factors are
    fitted one group at a time in PASSES. A group with fewer than MIN_GROUP_SALES sales keeps its factor of `start`.
    """
    factors = dict(start)
    measured = [name for name, members in groups.items() if members.sum() >= MIN_GROUP_SALES]
    for name in measured * PASSES:
        members = groups[name]
        other_factors = [np.where(groups[other][members], factors[other], 1.0) for other in groups if other != name]
        required = conformal_quantile(scores[members] / np.prod(other_factors, axis=0), level) / multiplier
        factors[name] = max(1.0, round(required, 3))
    return factors


def interval_score(sizes: np.ndarray, half_widths: np.ndarray, level: float) -> float:
    """The mean interval score of symmetric intervals for absolute residuals `sizes`; lower is better.

    The width plus 2 / (1 - level) times the distance of a residual outside: Gneiting & Raftery, Strictly Proper
    Scoring Rules, 2007, §6.2.
    """
    return float(np.mean(2 * half_widths + 2 / (1 - level) * np.maximum(sizes - half_widths, 0)))


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The ⌈(n + 1) · level⌉-th smallest of n scores, or the largest if n is too small.

    A further exchangeable score is at most this with probability `level` or more.
    """
    rank = min(math.ceil((len(scores) + 1) * level), len(scores))
    return float(np.sort(scores)[rank - 1])


def _cross_fitted_spreads(
    matrices: Sequence[np.ndarray],
    sizes: Sequence[np.ndarray],
    is_complete: np.ndarray,
    encoder: Encoder,
    level: float,
    seed: int,
) -> tuple[int, np.ndarray]:
    """The best number of trees, and each period's spreads by a model of the other periods.

    The best number minimises the interval score of the complete sales. Where errors are alike everywhere, more trees
    only add noise to the intervals.
    """

    def others(parts: Sequence[np.ndarray], number: int) -> list[np.ndarray]:
        return [*parts[:number], *parts[number + 1 :]]

    models = [
        _fit_spread(others(matrices, number), others(sizes, number), ROUNDS[-1], encoder, seed)
        for number in range(len(sizes))
    ]
    spreads = {
        rounds: np.concatenate([model.predict(matrix, rounds) for model, matrix in zip(models, matrices, strict=True)])
        for rounds in ROUNDS
    }
    complete_sizes = np.concatenate(sizes)[is_complete]

    def score(rounds: int) -> float:
        spread = spreads[rounds][is_complete]
        half_widths = conformal_quantile(complete_sizes / spread, level) * spread
        return round(interval_score(complete_sizes, half_widths, level), 9)

    best = min(ROUNDS, key=score)
    return best, spreads[best]


def _fit_spread(
    matrices: Sequence[np.ndarray], sizes: Sequence[np.ndarray], rounds: int, encoder: Encoder, seed: int
) -> LightGBM:
    model = LightGBM({**PARAMETERS, "n_estimators": rounds}, encoder, seed)
    model.fit(np.concatenate(matrices), np.round(np.concatenate(sizes), 9))
    return model
