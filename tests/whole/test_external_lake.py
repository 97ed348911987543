"""A lake outside the workspace gives the same tables as one in it, from files to the analysts' tables.

Costs about six minutes: each stage starts a Spark of its own in both copies of the project.
"""

import pytest
from project_copy import copy_project, run

from homei.storage import lake, spark_tables
from homei.storage.snapshots import read_receipt

pytestmark = pytest.mark.nightly

N_SALES = 4_000
STAGES = [*(["ingest", name] for name in lake.RAW), ["validate"], ["resolve"], ["features"], ["curate"]]
# Indicators and places stay in the workspace, as do tables that hold only aggregates.
EXTERNAL = [
    lake.RAW["sales"], lake.VALID["sales"], lake.VALID["listings"], lake.QUARANTINE, lake.RESOLVED_SALES,
    lake.RESOLVED_PROPERTIES, lake.RESOLVED_LISTINGS, lake.TRAINING_SET, lake.MARKET_HISTORY, lake.PREVIOUS_SALES,
    lake.COMPARABLE_POOL, lake.PROPERTY_ANALYTICS, lake.MARKET_ANALYTICS,
]  # fmt: skip
IN_WORKSPACE = [lake.MARKET_INDEX, lake.ADJUSTMENTS]
REPORTS = ["reports/quality/quality.json", "reports/resolve/resolve.json"]


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Builds the stages up to the analysts' tables in a copy of the project, for a lake."""
    monkeypatch.setenv("HOMEI_LAKE", f"file://{tmp_path}/lake")
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "test")

    def build(name: str):
        folder = copy_project(tmp_path / name)
        run(["homei", "simulate", "--sales", str(N_SALES)], folder)
        run(["homei", "compose", "city=region", f"lake={name}"], folder)
        run(["homei", "fetch", "region"], folder)
        for stage in STAGES:
            run(["homei", *stage], folder)
        return folder

    return build


def test_both_lakes_hold_the_same_rows(built, spark):
    workspace, external = built("workspace"), built("folder")
    for table in EXTERNAL:
        receipt = read_receipt(external / table)
        assert receipt is not None, f"{table} is in the workspace"
        frame = spark_tables.read(spark, workspace / table)
        assert (frame.count(), spark_tables.digest(frame)) == (receipt.rows, receipt.digest), table
    for table in IN_WORKSPACE:
        assert lake.digest(workspace / table) == lake.digest(external / table), table
    for report in REPORTS:
        assert (workspace / report).read_bytes() == (external / report).read_bytes(), report
