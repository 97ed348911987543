from homei.report import coverages

HILL = {"value": "Hill", "n": 120, "coverage": 0.81, "low": 0.73, "high": 0.87, "width": 0.1}
DALE = {**HILL, "value": "Dale", "coverage": 0.79}


def test_widths_stand_beside_each_other(metrics):
    said = str(coverages.interval_table(metrics))
    assert said.index("15.0\u202f%") < said.index("16.0\u202f%")


def test_a_kind_without_groups_has_neither_picture_nor_table(metrics):
    for shown in (coverages.coverage_pictures, coverages.coverage_tables):
        assert "istrict" not in str(shown(metrics))
    metrics["coverage"]["location"] = [HILL]
    assert "by district" in str(coverages.coverage_pictures(metrics))
    assert "District" in str(coverages.coverage_tables(metrics))


def test_the_least_covered_district_comes_first_and_the_tenths_stay_in_order(metrics):
    metrics["coverage"]["location"] = [HILL, DALE]
    said = str(coverages.coverage_tables(metrics))
    assert said.index("Dale") < said.index("Hill")
    assert said.index("valued_decile 2") < said.index("valued_decile 9")


def test_districts_that_left_the_price_level_are_named_with_both_shares(metrics):
    metrics["steady"] |= {
        "without": ["Hill & Sons", "Dale"],
        "intervals": {**metrics["intervals"], "coverage": 0.912},
        "verdicts": metrics["verdicts"][-2:],
    }
    said = str(coverages.steady(metrics))
    assert "Without Hill &amp; Sons and Dale, 91.2\u202f% of prices" in said
    assert "with all, 89.3\u202f%" in said


def test_a_city_whose_prices_kept_pace_says_so(metrics):
    said = str(coverages.steady(metrics))
    assert "in every district" in said and "<table" not in said
