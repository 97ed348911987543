"""Typed cells of Arrow as text, whole columns at a time where Arrow writes them as `text` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FRACTIONS = (1e-3, 1e10)  # between which Arrow and Python write a float alike, without an exponent
EXACT = {"double": 2.0**53, "float": 2.0**24}  # the limit below which a type holds every whole number


def plain_texts(cells: pa.Array) -> pa.Array | None:
    """The cells as text, null where they are null or NaN.

    None for a type that Arrow writes in another way than Python.
    """
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return plain_texts(cells.dictionary_decode())
    if pa.types.is_floating(kind):
        return _floats_as_text(cells)
    if pa.types.is_timestamp(kind):
        return _days_as_text(cells)
    are_alike = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
    if pa.types.is_date32(kind) or any(is_type(kind) for is_type in are_alike):
        return cells.cast(pa.string())
    return None


def python_values(cells: pa.Array) -> list[Any]:
    """The cells as Python values; 32-bit numbers as people see them, 84.1 and not 84.09999847."""
    if str(cells.type) not in ("float", "halffloat"):
        return cells.to_pylist()
    numbers = cells.to_numpy(zero_copy_only=False).astype(np.float32)
    return [None if number != number else float(str(number)) for number in numbers]


def number_mask(cells: pa.Array) -> np.ndarray:
    """A mask of the cells whose type is a number."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return cells.is_valid().to_numpy(zero_copy_only=False)
    return np.zeros(len(cells), dtype=bool)


def _floats_as_text(cells: pa.Array) -> pa.Array | None:
    """Floats as text, whole numbers without a point.

    None if a number is so large or small that Python writes it in another way.
    """
    numbers = cells.to_numpy(zero_copy_only=False).astype(np.float64)
    sizes, is_whole = np.abs(numbers), np.floor(numbers) == numbers
    is_alike = np.where(
        is_whole, sizes < EXACT.get(str(cells.type), 0.0), (sizes >= FRACTIONS[0]) & (sizes < FRACTIONS[1])
    )
    if not (is_alike | np.isnan(numbers)).all():
        return None
    without_nan = pc.if_else(pa.array(np.isnan(numbers)), None, cells)
    whole = pc.if_else(pa.array(is_whole), without_nan, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(whole, pc.if_else(pa.array(is_whole), None, without_nan).cast(pa.string()))


def _days_as_text(cells: pa.Array) -> pa.Array | None:
    """Days without a time; None if a cell has one, or if they are instants."""
    days = cells.cast(pa.date32(), safe=False)
    is_day = pc.equal(days.cast(cells.type), cells) if cells.type.tz is None else None
    return days.cast(pa.string()) if is_day is not None and pc.all(is_day, min_count=0).as_py() else None
