"""`homei sample`: a random sample of valuations for human review.

The American rule on automated valuation models (89 FR 64538) requires lenders to test random samples. The sample is
determined by a seed, which is stored beside it with a description of the population, so that anyone can repeat it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from homei.evaluation.evaluate import HOLD_OUT
from homei.features.columns import first_day
from homei.storage import lake

FOLDER = Path("reports/review")
REVIEWER_COLUMNS = ("reviewer_value", "reviewer", "remarks")
ID_COLUMNS = ("transaction_id", "property_id", "id")
ATTRIBUTES = (
    "property_id", "property_type", "location", "square_meters", "bedrooms", "bathrooms", "year_built", "floor",
    "latitude", "longitude",
)  # fmt: skip
VALUES = ("predicted", "low", "high", "price")


class ReviewError(ValueError):
    """A sample that cannot be drawn: the message says how to correct the options."""


def run(number: int, seed: int, file: Path | None = None, strata: str | None = None, month: str | None = None) -> str:
    """Draws the sample, writes sample.csv and sample.json to FOLDER, and returns a sentence about it."""
    valuations = read_valuations(file) if file else holdout_valuations()
    if month:
        valuations = of_month(valuations, month)
    sample = draw_sample(valuations, number, seed, strata)
    header = {
        "population": len(valuations),
        "drawn": len(sample),
        "seed": seed,
        "month": month,
        "strata": strata,
        "method": f"in proportion to the shares of {strata}, at random within each" if strata else "simple random",
        "valuations": file.name if file else lake.PREDICTIONS.as_posix(),
        "sha256": lake.digest(file or lake.PREDICTIONS),
    }
    table, path = sample.assign(**dict.fromkeys(REVIEWER_COLUMNS, "")), FOLDER / "sample.csv"
    lake.write_text(table.to_csv(index=False, lineterminator="\n"), path)
    lake.write_json(header, FOLDER / "sample.json")
    return f"{len(sample)} of {len(valuations)} valuations drawn ({header['method']}, seed {seed}): {path}"


def holdout_valuations() -> pd.DataFrame:
    """The hold-out's transaction_id, month ("2016-07"), those ATTRIBUTES that exist, and VALUES."""
    predictions, sales = lake.read(lake.PREDICTIONS), lake.read(lake.TRAINING_SET)
    attributes = [name for name in ATTRIBUTES if name in sales]
    holdout = predictions[predictions["part"] == HOLD_OUT]
    valuations = holdout.merge(
        sales[["transaction_id", *attributes]], on="transaction_id", how="left", validate="one_to_one"
    )
    months = [f"{first_day(month):%Y-%m}" for month in valuations["month"]]
    return valuations[["transaction_id", "month", *attributes, *VALUES]].assign(month=months)


def read_valuations(file: Path) -> pd.DataFrame:
    """The valuations of a CSV or Parquet file; raises ReviewError for other types and without unique ids."""
    if file.suffix not in (".csv", ".parquet"):
        raise ReviewError(f"{file}: cannot read {file.suffix or 'a file without suffix'}: give a .csv or .parquet file")
    valuations = pd.read_csv(file, dtype_backend="pyarrow") if file.suffix == ".csv" else pd.read_parquet(file)
    ids = valuations[_id_column(valuations)]
    if ids.duplicated().any():
        raise ReviewError(f"{file}: {ids.name} {ids[ids.duplicated()].iloc[0]} occurs twice: remove duplicates")
    return valuations


def of_month(valuations: pd.DataFrame, month: str) -> pd.DataFrame:
    """The valuations of one month such as 2016-12; raises ReviewError if there are none."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ReviewError(f"--month {month}: write it as 2016-12")
    if "month" not in valuations:
        raise ReviewError(f"--month {month}: the valuations have no column month")
    months = valuations["month"].astype(str).str[:7]
    if not (months == month).any():
        raise ReviewError(f"--month {month}: no valuations: choose a month from {months.min()} to {months.max()}")
    return valuations[months == month]


def draw_sample(valuations: pd.DataFrame, number: int, seed: int, strata: str | None = None) -> pd.DataFrame:
    """`number` random rows in the order of their ids, independent of the order of the rows.

    With `strata`, each value of that column gets its proportional share, rounded by largest remainders.
    """
    if number > len(valuations):
        raise ReviewError(f"cannot draw {number} of {len(valuations)} valuations: choose a smaller number")
    if strata and strata not in valuations:
        raise ReviewError(f"--by {strata}: no such column: choose one of {', '.join(valuations.columns)}")
    ordered = valuations.sort_values(_id_column(valuations), ignore_index=True)
    random = np.random.default_rng(seed)
    if not strata:
        return ordered.iloc[np.sort(random.choice(len(ordered), number, replace=False))]
    groups = list(ordered.groupby(ordered[strata].astype(str), dropna=False).indices.values())
    shares = proportional_shares(np.array([len(rows) for rows in groups]), number)
    drawn = [random.choice(rows, share, replace=False) for rows, share in zip(groups, shares, strict=True)]
    return ordered.iloc[np.sort(np.concatenate(drawn))]


def proportional_shares(sizes: np.ndarray, number: int) -> np.ndarray:
    """`number` divided among groups in proportion to their sizes, rounded by largest remainders."""
    exact = number * sizes / sizes.sum()
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: number - whole.sum()]] += 1
    return whole


def _id_column(valuations: pd.DataFrame) -> str:
    column = next((name for name in ID_COLUMNS if name in valuations), None)
    if column is None:
        raise ReviewError(f"the valuations have no identifier: add one of the columns {', '.join(ID_COLUMNS)}")
    return column
