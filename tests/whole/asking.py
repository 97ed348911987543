"""Sales as one would ask for their valuation, and answers as numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from homei.features.columns import first_day

ASKED = (
    "square_meters", "property_type", "location", "bedrooms", "bathrooms", "year_built", "floor", "latitude",
    "longitude", "property_id",
)  # fmt: skip


def as_requests(sales: pd.DataFrame, extras: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Each sale with all that is known of it, in the month in which it was sold."""
    names = [*ASKED, *extras]
    told = sales[names].astype(object).where(sales[names].notna(), None).to_dict("records")
    return [
        {**{name: value for name, value in row.items() if value is not None}, "valuation_date": str(first_day(month))}
        for row, month in zip(told, sales["month"].tolist(), strict=True)
    ]


def as_numbers(answers: Iterable[Mapping[str, Any]]) -> np.ndarray:
    """price, low and high of each answer."""
    return np.array([[one["predicted_price"], one["interval"]["low"], one["interval"]["high"]] for one in answers])
