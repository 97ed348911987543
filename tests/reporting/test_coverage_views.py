from homei.reporting import coverage_views

HILL = {"value": "Hill", "n": 120, "coverage": 0.81, "low": 0.73, "high": 0.87, "width": 0.1}
DALE = {**HILL, "value": "Dale", "coverage": 0.79}


def test_interval_table_shows_both_widths(metrics):
    html = str(coverage_views.interval_table(metrics))
    assert html.index("15.0\u202f%") < html.index("16.0\u202f%")


def test_a_kind_without_groups_has_no_chart_and_no_table(metrics):
    assert "ocation" not in coverage_views.coverage_study(metrics)
    metrics["coverage"]["location"] = [HILL]
    html = coverage_views.coverage_study(metrics)
    assert "by location" in html and "<th>Location</th>" in html


def test_locations_are_sorted_by_coverage_and_deciles_by_order(metrics):
    metrics["coverage"]["location"] = [HILL, DALE]
    tables = coverage_views.coverage_study(metrics).rpartition('<div class="figures">')[2]
    assert tables.index("Dale") < tables.index("Hill")
    assert tables.index("valued_decile 2") < tables.index("valued_decile 9")


def test_shifted_locations_are_named_with_both_coverages(metrics):
    metrics["steady"] |= {
        "without": ["Hill & Sons", "Dale"],
        "intervals": {**metrics["intervals"], "coverage": 0.912},
        "verdicts": metrics["verdicts"][-2:],
    }
    html = str(coverage_views.coverage_without_shifted_locations(metrics))
    assert "Without Hill &amp; Sons and Dale, 91.2\u202f% of prices" in html
    assert "With all locations, 89.3\u202f%" in html


def test_a_city_without_shifted_locations_says_so(metrics):
    html = str(coverage_views.coverage_without_shifted_locations(metrics))
    assert "No location left" in html and "<table" not in html
