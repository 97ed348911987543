from pathlib import Path

import pytest

from homei.config import params
from homei.reporting import site
from homei.reporting.results import RESULTS
from homei.storage import lake

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def sections():
    return params.check(params.read(PROJECT / "params.yaml"))


def test_two_buildings_have_the_same_bytes(project, sections):
    site.run(sections.city, sections.evaluate)
    first = site.INDEX.read_bytes()
    site.run(sections.city, sections.evaluate)
    assert site.INDEX.read_bytes() == first


@pytest.mark.parametrize(
    "missing",
    [
        "reports/backtest/backtest.json",
        "reports/evaluation/metrics.json",
        "reports/evaluation/slices.csv",
        "reports/drift/drift.json",
        "models/bento.json",
    ],
)
def test_a_missing_result_is_an_error_and_no_page_is_written(project, sections, missing):
    Path(missing).unlink()
    with pytest.raises(lake.MissingTableError, match=missing):
        site.run(sections.city, sections.evaluate)
    assert not site.INDEX.exists()


def test_names_from_the_data_cannot_write_html(project, sections):
    slices = lake.read_csv(RESULTS["slices"]).assign(value="<script>alert(1)</script>")
    lake.write_text(slices.to_csv(index=False), RESULTS["slices"])
    site.run(sections.city, sections.evaluate)
    assert "<script" not in site.INDEX.read_text(encoding="utf-8")
