"""Fixtures for resolution: the project's settings, and records from a few values."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd
import pytest
import yaml

from homei.config import params
from homei.config.projection import Coordinates

GROUPS = Path(__file__).parents[2] / "params"
TEXTS = ("property_id", "address", "seller", "buyer", "seller_family", "buyer_family")
NUMBERS = ("latitude", "longitude", "bedrooms", "bathrooms", "year_built", "floor")


@pytest.fixture(scope="session")
def settings():
    """The section `resolve` as the project has it."""
    return params.section("resolve", yaml.safe_load((GROUPS / "config.yaml").read_text())["resolve"])


@pytest.fixture(scope="session")
def plane():
    return Coordinates(system="plane")


@pytest.fixture(scope="session")
def records_of():
    """Builds records from the values that a test needs; all others are ordinary, or missing."""

    def build(*rows: dict) -> pd.DataFrame:
        ordinary = {
            **dict.fromkeys(TEXTS), **dict.fromkeys(NUMBERS), "sale_date": datetime.date(2024, 5, 1),
            "price": 300_000.0, "square_meters": 80.0, "property_type": "flat", "location": "East",
            "source_feed": "register", "source_file": "register",
        }  # fmt: skip
        numbered = [
            {**ordinary, "transaction_id": f"T{number}", "source_line": number, **row}
            for number, row in enumerate(rows, 1)
        ]
        frame = pd.DataFrame(numbered).astype(dict.fromkeys(NUMBERS, float))
        return frame.assign(sale_date=pd.to_datetime(frame["sale_date"]))

    return build
