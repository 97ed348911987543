"""Typed columns are written as text as their single cells are."""

import datetime
from decimal import Decimal
from numbers import Number

import numpy as np
import pyarrow as pa
import pytest

from homei.ingestion.connectors.text_rows import is_number, text, texts
from homei.ingestion.connectors.typed_cells import python_values

DAY, TIME, PAST = map(datetime.datetime.fromisoformat, ("2024-01-02", "2024-01-02T03:04:05", "1960-05-01"))
DRAW = np.random.default_rng(5)
COLUMNS = [
    pa.array([1.0, -0.0, None, float("nan"), 2.5]),
    pa.array(10 ** DRAW.uniform(-3, 9.99, 2000)),
    pa.array(10 ** DRAW.uniform(-12, 25, 200)),
    pa.array(np.floor(10 ** DRAW.uniform(0, 15.9, 500))),
    pa.array((10 ** DRAW.uniform(-3, 7, 500)).astype("f4")),
    pa.array([123456789.0, 84.1, None], pa.float32()),
    pa.array([float("inf"), 1.0]),
    pa.array([1, None, 2**62]),
    pa.array([True, False, None]),
    pa.array([DAY.date(), datetime.date(201, 5, 1), None]),
    pa.array([DAY, PAST, None]),
    pa.array([DAY, TIME]),
    pa.array([DAY], pa.timestamp("us", "UTC")),
    pa.array([Decimal("1.50"), None]),
    pa.array(["a", None, ""]).dictionary_encode(),
    pa.array(["a", None, ""], pa.large_string()),
    pa.array([[1, 2], None]),
    pa.array([b"x"]),
    pa.array([], pa.float64()),
    pa.nulls(2),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
def test_a_column_is_written_as_its_cells_are(column):
    values = python_values(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column)
    assert texts(column).to_pylist() == [text(value) or None for value in values]
    numbers = [isinstance(value, Number) and not isinstance(value, bool) for value in column.to_pylist()]
    assert is_number(column).tolist() == numbers
