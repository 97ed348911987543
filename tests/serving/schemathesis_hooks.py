"""Hooks that schemathesis loads: the token, a date format, and a check for valid requests."""

from __future__ import annotations

import datetime
import os
import re

import schemathesis
from hypothesis import strategies as st

TOKEN = "/api/v1/token"
# Error messages of rules that JSON Schema cannot express, and the text in OpenAPI that describes each rule.
IN_WORDS = {
    r"should not be above (price|area|bedrooms|year)_max, .*": "not below",
    r"should not be above (north|east), .*": "Not below",
    r"this parameter is required where (south|west|north|east) is given": "a box needs all four",
    r"this parameter is required where (latitude|longitude|radius) is given": "Of a circle's centre; needs",
    r"this parameter is required where sort is distance": "`distance` needs a `radius`",
    r"should hold 1 to 10 words or numbers": "1 to 10 words or numbers",
    r"is not a cursor of this service": "of a response to the same search",
    r"should not be after the valuation's year, .*": "not after the valuation's year",
    r"should be from .*, the months that this package carries": "the months that the package carries",
    r"no such property is published": "A published property",
    r"should be from 1900-01-01 to today": "From 1900-01-01 to today",
    r"a Model doesn't tell what each input contributes": "of models that can tell them",
    r"insufficient market evidence for a valuation: .*": "insufficient market evidence",
}

# Hardly any date that JSON Schema allows is one of a valuation or a sale.
schemathesis.openapi.format("date", st.dates(datetime.date(2025, 1, 1), datetime.date(2026, 1, 31)).map(str))


@schemathesis.auth().skip_for(path=TOKEN)
class Bearer:
    """The token that the environment names, for operations that need one."""

    def get(self, case, context) -> str:
        return os.environ["HOMEI_TEST_TOKEN"]

    def set(self, case, data, context) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.check
def valid_requests_are_accepted(context, response, case) -> None:
    """Replaces `positive_data_acceptance`, since OpenAPI describes some rules only as text."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # No generated secret is a client's.
    taken = (200, 401) if case.operation.path == TOKEN else (200, 201, 403, 404, 409)
    if response.status_code == 422:
        wrong = [problem["message"] for problem in response.json()["errors"]]
        assert all(any(re.fullmatch(rule, message) for rule in IN_WORDS) for message in wrong), wrong
    else:
        assert response.status_code in taken, response.text
