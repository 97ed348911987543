"""Sales as requests for their valuation, and the answers as numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from homei.features.columns import first_day

FIELDS = (
    "square_meters", "property_type", "location", "bedrooms", "bathrooms", "year_built", "floor", "latitude",
    "longitude", "property_id",
)  # fmt: skip


def to_requests(sales: pd.DataFrame, attributes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A request for each sale: its known fields and the city's own attributes, in the month of the sale."""
    names = [*FIELDS, *attributes]
    rows = sales[names].astype(object).where(sales[names].notna(), None).to_dict("records")
    return [
        {**{name: value for name, value in row.items() if value is not None}, "valuation_date": str(first_day(month))}
        for row, month in zip(rows, sales["month"].tolist(), strict=True)
    ]


def to_numbers(valuations: Iterable[Mapping[str, Any]]) -> np.ndarray:
    """price, low and high of each valuation."""
    return np.array([[one["predicted_price"], one["interval"]["low"], one["interval"]["high"]] for one in valuations])
