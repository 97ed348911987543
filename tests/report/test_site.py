from pathlib import Path

import pytest

from homei import lake, params
from homei.report import site

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def sections():
    return params.pick("source", "evaluate", given=params.read(PROJECT / "params.yaml"))


def test_two_buildings_have_the_same_bytes(measured, sections):
    site.run(sections.source, sections.evaluate)
    first = site.INDEX.read_bytes()
    site.run(sections.source, sections.evaluate)
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
def test_a_missing_finding_is_an_error_and_not_an_empty_section(measured, sections, missing):
    Path(missing).unlink()
    with pytest.raises(lake.MissingTableError, match=missing):
        site.run(sections.source, sections.evaluate)
    assert not site.INDEX.exists()


def test_names_from_the_data_cannot_write_html(measured, sections):
    slices = lake.read_csv(site.EVALUATION / "slices.csv").assign(value="<script>alert(1)</script>")
    lake.write_text(slices.to_csv(index=False), site.EVALUATION / "slices.csv")
    site.run(sections.source, sections.evaluate)
    assert "<script" not in site.INDEX.read_text(encoding="utf-8")
