"""Numbers, times and tables as text, as the simulated feeds write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


def office_hours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random seconds of the day between 7:00 and 19:00."""
    return rng.integers(7 * 3600, 19 * 3600, count)


def format_times(days: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Days and seconds of the day in UTC as ISO 8601 text: `2025-03-04T09:12:33Z`."""
    times = days.astype("datetime64[s]") + seconds * np.timedelta64(1, "s")
    return np.char.add(np.datetime_as_string(times, unit="s"), "Z")


def format_numbers(values: Iterable[float], decimals: int) -> list[str]:
    """Numbers as text with so many decimals, empty for NaN."""
    return ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]


def format_csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")


def format_json_lines(records: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
