"""Rows of a batch: each is taken, or refused in the same words, as if it had come alone."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homei.serve.intake import MOST_FIELDS, Intake
from homei.serve.refusal import RequestError

HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
SOUND = [
    {},
    {"floor": 3, "year_built": 1990, "plot": 2},
    {"latitude": 45, "longitude": -30},
    {"valuation_date": "2025-03-31", "heating": "gas"},
    {"bedrooms": None, "valuation_date": None},
]
WRONG = [
    {"square_meters": -4},
    {"square_meters": "70"},
    {"property_type": "castle", "floor": True},
    {"latitude": 45},
    {"year_built": 2026, "valuation_date": "2025-03-31"},
    {"year_built": 2027, "longitude": -30},
    {"valuation_date": "soon"},
    {"location": "\u2003"},
    {"colour": "red"},
    {f"x{number}": number for number in range(MOST_FIELDS)},
]
ROWS = st.sampled_from(SOUND).map(lambda more: HOME | more)
OTHERS = ROWS | st.sampled_from(WRONG).map(lambda more: HOME | more) | st.sampled_from([None, [], 1, {}])


def alone(intake, row):
    try:
        return intake.one(json.dumps(row).encode()), []
    except RequestError as refused:
        return None, refused.problems


def at(problem, number):
    # What is wrong with a request as a whole is told of its body, or in a batch of its row.
    place = f"properties.{number}"
    return (place if problem.field == "body" else f"{place}.{problem.field}"), problem.message, problem.value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=9))
def test_sound_rows_are_those_of_single_requests(contract, rows):
    intake = Intake(contract)
    assert intake.many(json.dumps({"properties": rows}).encode()) == [alone(intake, row)[0] for row in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(OTHERS, min_size=1, max_size=9))
def test_what_is_wrong_with_rows_is_what_is_wrong_with_each(contract, rows):
    intake = Intake(contract)
    expected = [at(problem, number) for number, row in enumerate(rows) for problem in alone(intake, row)[1]]
    try:
        intake.many(json.dumps({"properties": rows}).encode())
    except RequestError as refused:
        assert [(found.field, found.message, found.value) for found in refused.problems] == expected
    else:
        assert not expected


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: next(iter(wrong)))
def test_one_row_that_is_wrong_refuses_them_all(contract, wrong):
    rows = [HOME] * 7 + [HOME | wrong] + [HOME]
    with pytest.raises(RequestError) as refused:
        Intake(contract).many(json.dumps({"properties": rows}).encode())
    assert {problem.field.split(".")[1] for problem in refused.value.problems} == {"7"}
