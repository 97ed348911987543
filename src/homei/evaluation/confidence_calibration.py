"""Calibration of confidences: one minus the predicted standard deviation relative to the price.

A confidence of 0.95 states that the log prices of such valuations deviate from the log values by 0.05 (standard
deviation). Valuations are ranked by their stated deviation and compared with the observed one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation.ratio_study import percentile_interval, resamples

N_GROUPS = 5
MARGIN = 0.01  # accepted difference between stated and observed confidence of a group


def confidence_table(holdout: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """Fifths of the valuations, the most confident first: group, n, stated, observed, low, high.

    `holdout` has predicted, price and deviation. `stated` is one minus the root mean square of the stated deviations,
    `observed` one minus that of the log errors, with its 95 % bootstrap interval low, high.
    """
    order = np.argsort(holdout["deviation"].to_numpy(), kind="stable")
    rows = []
    for number, members in enumerate(np.array_split(order, min(N_GROUPS, len(order))), start=1):
        group = holdout.iloc[members]
        squares = np.log(group["price"].to_numpy() / group["predicted"].to_numpy()) ** 2
        drawn = [np.sqrt(squares[sample].mean(axis=1)) for sample in resamples(len(group), draws, seed)]
        low, high = percentile_interval(1 - np.concatenate(drawn))
        stated = 1 - np.sqrt(np.mean(group["deviation"] ** 2))
        observed = 1 - np.sqrt(squares.mean())
        rows.append(
            {"group": number, "n": len(group), "stated": stated, "observed": observed, "low": low, "high": high}
        )
    return pd.DataFrame(rows).round(6)


def confidence_study(table: pd.DataFrame) -> dict[str, Any]:
    """The largest gap between stated and observed confidence, the groups, and `ok`.

    `ok` holds if each stated confidence lies within the interval of the observed one, extended by MARGIN.
    """
    is_beyond = (table["stated"] < table["low"] - MARGIN) | (table["stated"] > table["high"] + MARGIN)
    return {
        "largest_gap": float((table["stated"] - table["observed"]).abs().max()),
        "margin": MARGIN,
        "groups": table.to_dict("records"),
        "ok": not is_beyond.any(),
    }
