"""Honest intervals: how far off earlier out-of-time valuations were, for homes like this one.

A small model of the residuals' size gives each home its spread; a conformal quantile of the latest residuals, in units
of that spread, gives the reach that a share `level` of the sales stays within (split conformal prediction with
normalised scores: Lei et al., Distribution-Free Predictive Inference for Regression, 2018, §5.2).
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
    """The spread learnt from all `parts` but the last, its reach and scale measured on the last, the most recent."""
    model = LightGBM(PARAMETERS, encoder, seed)
    earlier = np.concatenate([encoder.matrix(part.columns) for part in parts[:-1]])
    sizes = np.abs(np.concatenate([part.residuals for part in parts[:-1]]))
    model.fit(earlier, np.maximum(np.round(sizes, 9), SMALLEST))
    latest = parts[-1]
    scores = np.abs(latest.residuals) / model.predict(encoder.matrix(latest.columns))
    return Spread(model, round(conformal_quantile(scores, level), 9), round(float(np.sqrt(np.mean(scores**2))), 9))


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The score that a further one stays within with probability `level` or more, if it is like those given.

    That is the ⌈(n + 1) · level⌉-th smallest; where n is too small for that, the largest.
    """
    rank = min(math.ceil((len(scores) + 1) * level), len(scores))
    return float(np.sort(scores)[rank - 1])
