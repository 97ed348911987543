import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.reporting import number_formats

NARROW_SPACE, NO_BREAK_SPACE = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("value", "how", "expected"),
    [
        (0.0314, "percent", f"3.1{NARROW_SPACE}%"),
        (0.0314, "percent0", f"3{NARROW_SPACE}%"),
        (-0.18, "change", f"−18.0{NARROW_SPACE}%"),
        (0.05, "change", f"+5.0{NARROW_SPACE}%"),
        (89356, "number", "89,356"),
        (1.00349, "ratio", "1.003"),
        (428000, "SGD", f"SGD{NO_BREAK_SPACE}428,000"),
        (-0.00001, "percent", f"0.0{NARROW_SPACE}%"),
        (None, "percent", "–"),
        (math.nan, "EUR", "–"),
        ("BEDOK", "text", "BEDOK"),
    ],
)
def test_a_value_is_formatted(value, how, expected):
    assert number_formats.text(value, how) == expected


def test_an_unknown_format_is_an_error_that_lists_the_formats():
    with pytest.raises(ValueError, match=r"'percnt'.*percent.*EUR"):
        number_formats.text(1.0, "percnt")


@pytest.mark.parametrize(
    ("how", "values", "expected"),
    [
        ("SGD", [0, 500_000, 1_000_000], ["0", "0.5m", "1.0m"]),
        ("SGD", [0, 20_000, 40_000], ["0", "20k", "40k"]),
        ("percent", [0.0, 0.025, 0.05], [f"0.0{NARROW_SPACE}%", f"2.5{NARROW_SPACE}%", f"5.0{NARROW_SPACE}%"]),
        ("number", [8.25, 8.3, 8.35], ["8.25", "8.30", "8.35"]),
    ],
)
def test_tick_labels_have_enough_digits_to_differ(how, values, expected):
    tick = number_formats.short(how, values[1] - values[0])
    assert [tick(value) for value in values] == expected


@given(st.floats(-1e9, 1e9))
def test_a_formatted_number_parses_to_its_value(value):
    formatted = number_formats.text(value, "decimal").replace(",", "").replace("−", "-")
    assert float(formatted) == pytest.approx(value, abs=0.006)


def test_a_range_without_one_end_says_so():
    assert number_formats.span(None, 0.05, "percent0") == "at most 5\u202f%"
    assert number_formats.span(0.9, None, "ratio") == "at least 0.900"
