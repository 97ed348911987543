"""The simulated economic indicators: monthly series as a statistical office publishes them."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

MONTHS = 96


def indicators(rng: np.random.Generator, as_of: datetime.date) -> dict[str, pd.DataFrame]:
    """By name of the series: month ("2024-05") and value (text), for eight years up to as_of's month.

    interest_rate in percent, cpi as an index with 100 in the first month, population in people.
    """
    month = np.datetime64(as_of, "M") - (MONTHS - 1) + np.arange(MONTHS)
    rate = 2.4 - 1.4 * np.cos(2 * np.pi * np.arange(MONTHS) / 80) + 0.06 * rng.standard_normal(MONTHS).cumsum()
    # Prices rise by some 2 % a year, and less while interest is high.
    inflation = (0.026 - 0.002 * rate) / 12 + 0.001 * rng.standard_normal(MONTHS)
    cpi = 100 * np.exp(np.concatenate([[0.0], inflation[1:]]).cumsum())
    population = 540_000 * np.exp((0.006 / 12 + 0.0002 * rng.standard_normal(MONTHS)).cumsum())
    series = {
        "interest_rate": [f"{value:.2f}" for value in np.maximum(rate, 0.1)],
        "cpi": [f"{value:.1f}" for value in cpi],
        "population": [f"{value:.0f}" for value in population],
    }
    return {name: pd.DataFrame({"month": month.astype(str), "value": values}) for name, values in series.items()}
