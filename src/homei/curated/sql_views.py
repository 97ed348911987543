"""The curated views: SQL files in views/, run by Spark SQL over tables registered under the names that they read.

Whatever varies comes in as a named parameter of the query, never as a part of its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run_view(name: str, tables: Mapping[str, DataFrame], parameters: Mapping[str, Any]) -> DataFrame:
    """What `<name>.sql` selects from `tables`, with the parameters in place of its `:names`."""
    engine = next(iter(tables.values())).sparkSession
    for table, frame in tables.items():
        frame.createOrReplaceTempView(table)
    text = (Path(__file__).parent / "views" / f"{name}.sql").read_text(encoding="utf-8")
    return engine.sql(text, args=dict(parameters))
