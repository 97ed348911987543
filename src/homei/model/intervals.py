"""Honest intervals: how far off earlier out-of-time valuations were, for homes like this one.

A small model of the residuals' size gives each home its spread; a conformal quantile of the residuals, in units of that
spread, gives the reach that a share `level` of the sales stays within (conformal prediction with normalised scores:
Lei et al., Distribution-Free Predictive Inference for Regression, 2018, §5.2; each period against the others as in
cross-conformal prediction: Vovk 2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from homei.model.estimators import LightGBM
from homei.model.gaps import Gaps
from homei.model.preprocess import Columns, Encoder

# Few leaves and many sales in each: the size of an error is far noisier than a price. The gamma loss keeps it positive.
PARAMETERS = {
    "objective": "gamma",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 100,
    "colsample_bytree": 0.5,
    "reg_lambda": 10.0,
    "cat_smooth": 100.0,
}
SMALLEST = 1e-4  # of a residual: the gamma loss wants them positive
ROUNDS = (10, 20, 40, 80, 120, 160)  # trees, of which as many are kept as tell something of other periods
FEWEST = 100  # out-of-time sales that lack something, to tell how much less sure that makes a valuation
PASSES = 5  # over the factors of groups that overlap, until none moves any more


@dataclass(frozen=True)
class OutOfTime:
    """Sales that were valued by a model which knew only what lay before: their columns and log residuals."""

    columns: Columns
    residuals: np.ndarray


@dataclass(frozen=True)
class Spread:
    """Each home's interval: `reach` spreads up and down in log price; `scale` spreads are a standard deviation."""

    model: LightGBM
    gaps: Gaps
    reach: float
    scale: float

    def of(self, columns: Columns, matrix: np.ndarray) -> np.ndarray:
        """The expected size of each log residual, above 0, wider for what is not told; `matrix` is the encoder's."""
        return self.model.predict(matrix) * self.gaps.of(columns)


def calibrate(
    parts: Sequence[OutOfTime], encoder: Encoder, attributes: Sequence[str], level: float, seed: int
) -> Spread:
    """The spread learnt from all `parts`, two or more periods, and the reach and scale measured on them.

    Each period is measured by a spread learnt from the others, and all periods' scores make one quantile. The largest
    of the periods' own quantiles would keep the promise in the worst of them and overshoot it in all others: on the
    months of 2015 of HDB, each calibrated on the six before, it covered 91.7 % for 90 % promised; this covers 90.2 %.
    The quantile is that of the homes of which most is told, usually all, and what each of the `attributes` left out
    costs is measured apart: in one quantile the former would be too wide and the latter too narrow.
    """
    matrices = [encoder.matrix(part.columns) for part in parts]
    sizes = [np.maximum(np.abs(part.residuals), SMALLEST) for part in parts]
    size, columns = np.concatenate(sizes), _together(parts, ["property_type", *attributes])
    gaps = Gaps.learn(columns, attributes)
    lacking = gaps.lacking(columns)
    lacks = lacking.sum(axis=1)
    whole = lacks == lacks.min()
    rounds, expected = _crossed(matrices, sizes, whole, encoder, level, seed)
    scores = size / expected
    reach = conformal_quantile(scores[whole], level)
    without = dict(zip(attributes, lacking.T, strict=True))
    gaps = replace(gaps, widening=widening(scores, without, gaps.widening, level, reach))
    scale = float(np.sqrt(np.mean((scores / gaps.of(columns)) ** 2)))
    return Spread(_learn(matrices, sizes, rounds, encoder, seed), gaps, round(reach, 9), round(scale, 9))


def widening(
    scores: np.ndarray, groups: Mapping[str, np.ndarray], start: Mapping[str, float], level: float, reach: float
) -> dict[str, float]:
    """How many times the `reach` of all each group needs, 1 or more; who is in several has the product of the factors.

    `groups` are masks of `scores` by name. Each group's factor is what its scores still need beside the factors of the
    others that they are in, found in PASSES; a group of fewer than FEWEST keeps its factor of `start`.
    """
    factors = dict(start)
    enough = [name for name, members in groups.items() if members.sum() >= FEWEST]
    for name in enough * PASSES:
        members = groups[name]
        beside = [np.where(groups[other][members], factors[other], 1.0) for other in groups if other != name]
        needed = conformal_quantile(scores[members] / np.prod(beside, axis=0), level) / reach
        factors[name] = max(1.0, round(needed, 3))
    return factors


def interval_score(sizes: np.ndarray, reaches: np.ndarray, level: float) -> float:
    """The mean score of intervals of `reaches` up and down around residuals of `sizes`; the lower, the better.

    Their width, and what lies beyond them times 2 / (1 - level): Gneiting & Raftery, Strictly Proper Scoring Rules,
    2007, §6.2.
    """
    return float(np.mean(2 * reaches + 2 / (1 - level) * np.maximum(sizes - reaches, 0)))


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The score that a further one stays within with probability `level` or more, if it is like those given.

    That is the ⌈(n + 1) · level⌉-th smallest; where n is too small for that, the largest.
    """
    rank = min(math.ceil((len(scores) + 1) * level), len(scores))
    return float(np.sort(scores)[rank - 1])


def _together(parts: Sequence[OutOfTime], names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part.columns[name] for part in parts]) for name in names}


def _crossed(
    matrices: Sequence[np.ndarray], sizes: Sequence[np.ndarray], whole: np.ndarray, encoder: Encoder, level: float,
    seed: int,
) -> tuple[int, np.ndarray]:  # fmt: skip
    """Of how many trees a spread is best, and the sizes that such ones expect, each learnt from the other periods.

    Best is the interval score of the `whole` homes. Where errors are alike everywhere, a spread tells only noise, which
    makes intervals wider for nothing: few trees are kept then.
    """
    models = [
        _learn(_without(matrices, number), _without(sizes, number), ROUNDS[-1], encoder, seed)
        for number in range(len(sizes))
    ]
    size = np.concatenate(sizes)[whole]
    expected = {
        rounds: np.concatenate([model.predict(own, rounds) for model, own in zip(models, matrices, strict=True)])
        for rounds in ROUNDS
    }

    def score(rounds: int) -> float:
        spread = expected[rounds][whole]
        return round(interval_score(size, conformal_quantile(size / spread, level) * spread, level), 9)

    best = min(ROUNDS, key=score)
    return best, expected[best]


def _without(parts: Sequence[np.ndarray], number: int) -> list[np.ndarray]:
    return [part for place, part in enumerate(parts) if place != number]


def _learn(
    matrices: Sequence[np.ndarray], sizes: Sequence[np.ndarray], rounds: int, encoder: Encoder, seed: int
) -> LightGBM:
    model = LightGBM({**PARAMETERS, "n_estimators": rounds}, encoder, seed)
    model.fit(np.concatenate(matrices), np.round(np.concatenate(sizes), 9))
    return model
