"""Rows of a batch are accepted, or refused with the same messages, as single requests."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from homei.serving.problem_details import problems_of
from homei.serving.property_model import batch_model, property_model

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
    {f"x{number}": number for number in range(100)},
]
ROWS = st.sampled_from(SOUND).map(lambda more: HOME | more)
OTHERS = ROWS | st.sampled_from(WRONG).map(lambda more: HOME | more) | st.sampled_from([None, [], 1, {}])


def checked(model, value):
    """The validated value, and the problems that were found."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        return None, problems_of(error.errors())


def in_batch(problem, number):
    place = f"properties.{number}"
    return (place if problem.field == "body" else f"{place}.{problem.field}"), problem.message, problem.value


def test_the_area_is_optional_where_the_model_knows_sales_without_one(contract):
    without_area = {name: value for name, value in HOME.items() if name != "square_meters"}
    _, problems = checked(property_model(contract), without_area)
    assert [problem.field for problem in problems] == ["square_meters"]
    model = property_model(contract.model_copy(update={"needs_area": False}))
    for row in (without_area, HOME | {"square_meters": None}):
        valid, problems = checked(model, row)
        assert not problems and valid.square_meters is None
    assert checked(model, HOME)[0].square_meters == 70.5
    assert checked(model, HOME | {"square_meters": -4})[1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=9))
def test_valid_rows_of_a_batch_equal_single_requests(contract, rows):
    model = property_model(contract)
    batch, problems = checked(batch_model(model, 50), {"properties": rows})
    assert not problems
    assert batch.properties == [checked(model, row)[0] for row in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(OTHERS, min_size=1, max_size=9))
def test_invalid_rows_of_a_batch_have_the_problems_of_single_requests(contract, rows):
    model = property_model(contract)
    _, problems = checked(batch_model(model, 50), {"properties": rows})
    expected = [in_batch(problem, number) for number, row in enumerate(rows) for problem in checked(model, row)[1]]
    assert [(problem.field, problem.message, problem.value) for problem in problems] == expected


def test_texts_that_look_alike_are_the_same_value(contract):
    row = HOME | {"location": "Mu\u0308hle\u00a0 Nord ", "property_type": " flat\u00a0"}
    accepted = property_model(contract).model_validate(row)
    assert (accepted.location, accepted.property_type) == ("Mühle Nord", "flat")
