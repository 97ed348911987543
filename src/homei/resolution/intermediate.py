"""Intermediate tables of a stage in Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def kept(frame: DataFrame) -> DataFrame:
    """The frame, computed once and kept on the executors' disks while the session lives.

    Its plan is forgotten: plans that grow from step to step take Spark longer to print than to run.
    """
    return frame.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)
