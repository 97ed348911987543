"""Intermediate tables of a stage in Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel
from pyspark.sql import functions as F  # noqa: N812

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_SENT = 500_000  # rows of a table that is sent to all executors, some 100 MB


def checkpointed(frame: DataFrame) -> DataFrame:
    """The frame, computed once and kept on the executors' disks while the session lives.

    Its plan is forgotten: plans that grow from step to step take Spark longer to print than to run.
    """
    return frame.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)


def small_side(frame: DataFrame, max_rows: int = MAX_SENT) -> DataFrame:
    """A checkpointed frame as one side of a join: sent to all executors if it has few rows.

    So the other side, which may be all sales with all columns, is not sorted and sent across the cluster.
    """
    return F.broadcast(frame) if frame.count() <= max_rows else frame
