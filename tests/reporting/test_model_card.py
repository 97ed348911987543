import re
from pathlib import Path

import pytest
import yaml

from homei.config import params
from homei.reporting import model_card
from homei.reporting.results import RESULTS
from homei.storage import lake

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def city():
    return params.check(params.read(PROJECT / "params.yaml")).city


def pages(city):
    model_card.run(city)
    return [path.read_text(encoding="utf-8") for path in (model_card.CARD, model_card.CONTROL)]


def test_both_pages_show_changed_metrics(project, city, metrics):
    before = pages(city)
    lake.write_json({**metrics, "out_of_time": {**metrics["out_of_time"], "mdape": 0.0777}}, RESULTS["metrics"])
    for old, new in zip(before, pages(city), strict=True):
        assert "7.77" not in old
        assert "7.77" in new


@pytest.mark.parametrize("missing", [str(RESULTS[name]) for name in model_card.RESULTS])
def test_a_missing_result_is_an_error_and_no_page_is_written(project, city, missing):
    Path(missing).unlink()
    model_card.CARD.unlink()
    with pytest.raises(lake.MissingTableError, match=missing):
        model_card.run(city)
    assert not model_card.CARD.exists()


def test_names_from_the_data_cannot_write_html(project, city):
    slices = lake.read_csv(RESULTS["slices"]).assign(value="<script>alert(1)</script>")
    lake.write_text(slices.to_csv(index=False), RESULTS["slices"])
    assert all("<script" not in html for html in pages(city))


def test_links_lead_only_to_outputs_of_the_graph(project, city):
    graph = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    outs = {out if isinstance(out, str) else next(iter(out)) for stage in graph.values() for out in stage["outs"]}
    for html in pages(city):
        links = re.findall(r'<a [^>]*href="\.\./([^"]+)"', html)
        assert links
        assert {f"reports/{link}" for link in links} <= outs
        assert not re.search(r'(?:src|href)="https?:', html)


def test_without_declared_groups_no_page_claims_a_comparison(project, city):
    assert all("declares no group" in html for html in pages(city))


def test_declared_groups_are_compared_on_both_pages(project, city, metrics):
    gap = {"gap": 0.0123, "low": 0.001, "high": 0.02, "tolerance": 0.05, "p_holm": 0.4, "ok": True, "differs": False}
    gap |= {"highest": "low", "lowest": "high"}
    group = {"name": "income_band", "origin": "a file", "shown": 2, "suppressed": [], "level": gap, "error": gap}
    lake.write_json({**metrics, "fairness": [group]}, RESULTS["metrics"])
    for html in pages(city):
        assert "income" in html and "1.23" in html
        assert "declares no group" not in html


def test_the_card_lists_the_effects_of_each_flag(project, city):
    model_card, _ = pages(city)
    assert "1.5 times" in model_card
    assert "with unknown location and no comparable" in model_card
