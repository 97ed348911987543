"""Whether a confidence is what it says: one minus the forecast's standard deviation, relative to the price.

A valuation of confidence 0.95 promises that the logs of such homes' prices lie ± 0.05 around that of the value, in the
sense of a standard deviation. Here valuations are ranked by what they promise and held against what came.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from homei.model.ratio import percentile_interval, resamples

GROUPS = 5
MARGIN = 0.01  # between the confidence stated and the one that came, in each group


def confidence_table(held: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """Fifths of the valuations, the surest first: group, n, stated, came, and the 95 % interval low, high of `came`.

    `held` has predicted, price and deviation. `stated` is one minus the root mean square of the deviations stated,
    `came` one minus that of the distances between the logs of price and value.
    """
    order = np.argsort(held["deviation"].to_numpy(), kind="stable")
    rows = []
    for number, members in enumerate(np.array_split(order, min(GROUPS, len(order))), start=1):
        part = held.iloc[members]
        squares = np.log(part["price"].to_numpy() / part["predicted"].to_numpy()) ** 2
        drawn = [np.sqrt(squares[sample].mean(axis=1)) for sample in resamples(len(part), draws, seed)]
        low, high = percentile_interval(1 - np.concatenate(drawn))
        stated = 1 - np.sqrt(np.mean(part["deviation"] ** 2))
        came = 1 - np.sqrt(squares.mean())
        rows.append({"group": number, "n": len(part), "stated": stated, "came": came, "low": low, "high": high})
    return pd.DataFrame(rows).round(6)


def confidence_study(table: pd.DataFrame) -> dict[str, Any]:
    """The largest distance between stated and came, the groups, and whether chance accounts for what exceeds MARGIN."""
    beyond = (table["stated"] < table["low"] - MARGIN) | (table["stated"] > table["high"] + MARGIN)
    return {
        "largest_gap": float((table["stated"] - table["came"]).abs().max()),
        "margin": MARGIN,
        "groups": table.to_dict("records"),
        "ok": not beyond.any(),
    }
