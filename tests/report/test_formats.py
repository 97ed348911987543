import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.report import formats

THIN, FIRM = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("value", "how", "shown"),
    [
        (0.0314, "percent", f"3.1{THIN}%"),
        (0.0314, "percent0", f"3{THIN}%"),
        (-0.18, "change", f"−18.0{THIN}%"),
        (0.05, "change", f"+5.0{THIN}%"),
        (89356, "number", "89,356"),
        (1.00349, "ratio", "1.003"),
        (428000, "SGD", f"SGD{FIRM}428,000"),
        (-0.00001, "percent", f"0.0{THIN}%"),
        (None, "percent", "–"),
        (math.nan, "EUR", "–"),
        ("BEDOK", "text", "BEDOK"),
    ],
)
def test_numbers_read_as_in_a_board_paper(value, how, shown):
    assert formats.text(value, how) == shown


def test_an_unknown_format_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'percnt'.*percent.*EUR"):
        formats.text(1.0, "percnt")


@pytest.mark.parametrize(
    ("how", "values", "shown"),
    [
        ("SGD", [0, 500_000, 1_000_000], ["0", "0.5m", "1.0m"]),
        ("SGD", [0, 20_000, 40_000], ["0", "20k", "40k"]),
        ("percent", [0.0, 0.025, 0.05], [f"0.0{THIN}%", f"2.5{THIN}%", f"5.0{THIN}%"]),
        ("number", [8.25, 8.3, 8.35], ["8.25", "8.30", "8.35"]),
    ],
)
def test_ticks_have_as_many_digits_as_tell_them_apart(how, values, shown):
    tick = formats.short(how, values[1] - values[0])
    assert [tick(value) for value in values] == shown


@given(st.floats(-1e9, 1e9))
def test_a_number_can_be_read_back(value):
    shown = formats.text(value, "decimal").replace(",", "").replace("−", "-")
    assert float(shown) == pytest.approx(value, abs=0.006)
