import re
from pathlib import Path

import pytest
import yaml

from homei import lake, params
from homei.report import card

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def source():
    return params.pick("source", given=params.read(PROJECT / "params.yaml")).source


def pages(source):
    card.run(source)
    return [path.read_text(encoding="utf-8") for path in (card.CARD, card.CONTROL)]


def test_a_number_that_was_measured_anew_is_on_both_pages(measured, source, metrics):
    before = pages(source)
    lake.write_json({**metrics, "out_of_time": {**metrics["out_of_time"], "mdape": 0.0777}}, card.FOUND["metrics"])
    for old, new in zip(before, pages(source), strict=True):
        assert "7.77" not in old
        assert "7.77" in new


@pytest.mark.parametrize("missing", [*map(str, card.FOUND.values()), str(card.SLICES)])
def test_what_is_missing_is_named_and_no_page_is_written(measured, source, missing):
    Path(missing).unlink()
    card.CARD.unlink()
    with pytest.raises(lake.MissingTableError, match=missing):
        card.run(source)
    assert not card.CARD.exists()


def test_names_from_the_data_cannot_write_html(measured, source):
    slices = lake.read_csv(card.SLICES).assign(value="<script>alert(1)</script>")
    lake.write_text(slices.to_csv(index=False), card.SLICES)
    assert all("<script" not in html for html in pages(source))


def test_links_lead_to_what_the_graph_writes_and_nowhere_else(measured, source):
    graph = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    outs = {out if isinstance(out, str) else next(iter(out)) for stage in graph.values() for out in stage["outs"]}
    for html in pages(source):
        links = re.findall(r'<a [^>]*href="\.\./([^"]+)"', html)
        assert links
        assert {f"reports/{link}" for link in links} <= outs
        assert not re.search(r'(?:src|href)="https?:', html)


def test_without_declared_groups_no_page_claims_a_comparison(measured, source):
    assert all("declares no group" in html for html in pages(source))


def test_declared_groups_are_compared_on_both_pages(measured, source, metrics):
    gap = {"gap": 0.0123, "low": 0.001, "high": 0.02, "tolerance": 0.05, "p_holm": 0.4, "ok": True, "differs": False}
    gap |= {"highest": "low", "lowest": "high"}
    group = {"name": "income_band", "origin": "a file", "shown": 2, "suppressed": [], "level": gap, "error": gap}
    lake.write_json({**metrics, "fairness": [group]}, card.FOUND["metrics"])
    for html in pages(source):
        assert "income" in html and "1.23" in html
        assert "declares no group" not in html


def test_what_a_flag_does_is_said(measured, source):
    model_card, _ = pages(source)
    assert "1.5 times" in model_card
    assert "with unknown location and no comparable" in model_card
