"""Curated views in SQL: files in views/, run by Spark SQL over temporary views with the tables' names.

Values are named parameters of the query, never part of its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run_view(name: str, tables: Mapping[str, DataFrame], parameters: Mapping[str, Any]) -> DataFrame:
    """The result of views/`<name>`.sql over `tables`, with values for its `:parameters`."""
    engine = next(iter(tables.values())).sparkSession
    for table, frame in tables.items():
        frame.createOrReplaceTempView(table)
    text = (Path(__file__).parent / "views" / f"{name}.sql").read_text(encoding="utf-8")
    return engine.sql(text, args=dict(parameters))
