"""When two areas are one."""

from __future__ import annotations

import numpy as np


def same_area(one: np.ndarray, other: np.ndarray, rounding: float) -> np.ndarray:
    """Whether two areas in m² are one, rounded: half a square metre apart is, whatever its share."""
    return np.abs(one - other) <= np.maximum(0.51, rounding * np.maximum(one, other))
