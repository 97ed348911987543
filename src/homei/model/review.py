"""`homei sample`: a random sample of valuations for people to review.

The American rule on automated valuation models (89 FR 64538) asks lenders for random sample testing and reviews. So
that anyone can check that nobody chose, a seed draws, and it is kept beside the sample with what it was drawn from.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from homei import lake
from homei.features.columns import first_day
from homei.model.evaluate import HOLD_OUT

FOLDER = Path("reports/review")
FOR_THE_REVIEWER = ("reviewer_value", "reviewer", "remarks")
IDENTITIES = ("transaction_id", "property_id", "id")
ATTRIBUTES = (
    "property_id", "property_type", "location", "square_meters", "bedrooms", "bathrooms", "year_built", "floor",
    "latitude", "longitude",
)  # fmt: skip
VALUES = ("predicted", "low", "high", "price")


class ReviewError(ValueError):
    """A sample that can't be drawn as asked: the message says what would be right."""


def run(number: int, seed: int, file: Path | None = None, strata: str | None = None, month: str | None = None) -> str:
    """Draws the sample, writes sample.csv and sample.json to FOLDER, and returns what was done, in a sentence."""
    valuations = read(file) if file else of_the_hold_out()
    if month:
        valuations = of_month(valuations, month)
    drawn = draw(valuations, number, seed, strata)
    header = {
        "population": len(valuations),
        "drawn": len(drawn),
        "seed": seed,
        "month": month,
        "strata": strata,
        "method": f"in proportion to the shares of {strata}, at random within each" if strata else "simple random",
        "valuations": file.name if file else lake.PREDICTIONS.as_posix(),
        "sha256": lake.digest(file or lake.PREDICTIONS),
    }
    table = drawn.assign(**dict.fromkeys(FOR_THE_REVIEWER, ""))
    lake.write_text(table.to_csv(index=False, lineterminator="\n"), FOLDER / "sample.csv")
    lake.write_json(header, FOLDER / "sample.json")
    return (
        f"{len(drawn)} of {len(valuations)} valuations drawn ({header['method']}, seed {seed}): {FOLDER / 'sample.csv'}"
    )


def of_the_hold_out() -> pd.DataFrame:
    """The hold-out's valuations with the attributes of their sales: month, ATTRIBUTES that there are, VALUES."""
    predictions, ready = lake.read(lake.PREDICTIONS), lake.read(lake.READY)
    held = predictions[predictions["part"] == HOLD_OUT]
    known = ready[["transaction_id", *(name for name in ATTRIBUTES if name in ready)]]
    found = held.merge(known, on="transaction_id", how="left", validate="one_to_one")
    names = ["transaction_id", "month", *known.columns.drop("transaction_id"), *VALUES]
    return found[names].assign(month=[f"{first_day(month):%Y-%m}" for month in found["month"]])


def read(file: Path) -> pd.DataFrame:
    """The valuations of a CSV or Parquet file; raises ReviewError for another kind or one without identities."""
    if file.suffix not in (".csv", ".parquet"):
        raise ReviewError(f"{file}: valuations are read from .csv or .parquet, not from {file.suffix or 'this'}")
    found = pd.read_csv(file, dtype_backend="pyarrow") if file.suffix == ".csv" else pd.read_parquet(file)
    identity = _identity(found)
    if found[identity].duplicated().any():
        raise ReviewError(f"{file}: {identity} {found[identity][found[identity].duplicated()].iloc[0]} is there twice")
    return found


def of_month(valuations: pd.DataFrame, month: str) -> pd.DataFrame:
    """The valuations of one month, given as 2016-12; raises ReviewError where there are none."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ReviewError(f"--month {month}: write it as 2016-12")
    if "month" not in valuations:
        raise ReviewError(f"--month {month}: the valuations have no column month")
    months = valuations["month"].astype(str).str[:7]
    if not (months == month).any():
        raise ReviewError(f"--month {month}: no valuations; there are some from {months.min()} to {months.max()}")
    return valuations[months == month]


def draw(valuations: pd.DataFrame, number: int, seed: int, strata: str | None = None) -> pd.DataFrame:
    """`number` rows at random, in the order of their identities: the same for the same seed, however rows lie.

    With `strata`, each value of that column has its share of them, rounded by largest remainders.
    """
    if number > len(valuations):
        raise ReviewError(f"{number} were asked for, and there are {len(valuations)} valuations")
    if strata and strata not in valuations:
        raise ReviewError(f"--by {strata}: there is no such column; there are {', '.join(valuations.columns)}")
    ordered = valuations.sort_values(_identity(valuations), ignore_index=True)
    random = np.random.default_rng(seed)
    if not strata:
        return ordered.iloc[np.sort(random.choice(len(ordered), number, replace=False))]
    groups = list(ordered.groupby(ordered[strata].astype(str), dropna=False).indices.values())
    shares = allocated(np.array([len(rows) for rows in groups]), number)
    picked = [random.choice(rows, share, replace=False) for rows, share in zip(groups, shares, strict=True)]
    return ordered.iloc[np.sort(np.concatenate(picked))]


def allocated(sizes: np.ndarray, number: int) -> np.ndarray:
    """How many of `number` each group gets, in proportion to its size; what rounding leaves goes by remainder."""
    exact = number * sizes / sizes.sum()
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: number - whole.sum()]] += 1
    return whole


def _identity(valuations: pd.DataFrame) -> str:
    found = next((name for name in IDENTITIES if name in valuations), None)
    if found is None:
        raise ReviewError(f"the valuations have none of the columns {', '.join(IDENTITIES)}: which is which?")
    return found
