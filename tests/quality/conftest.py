import pandas as pd
import pytest

from homei import params

ROW = {
    "transaction_id": "T1", "property_id": "P1", "sale_date": "2024-05-17", "price": "250000", "square_meters": "80",
    "property_type": "flat", "location": "East", "bedrooms": "2", "bathrooms": "1", "year_built": "1990", "floor": "3",
    "latitude": "48.1", "longitude": "11.5", "rooms": "3", "energy": "B",
}  # fmt: skip
EXTRAS = {"rooms": "numeric", "energy": "categorical"}


@pytest.fixture
def source_of():
    """Builds a checked source whose columns are called as homei calls them, all of them unless `only` says which."""

    def build(ranges=None, required=(), only=None, columns=None, given=None, **parts):
        names = [name for name in ROW if only is None or name in only]
        sales = {"kind": "files", "files": ["sales.csv"], "columns": {}, "numeric": {}, "categorical": {}}
        sales |= given or {}
        for name in names:
            sales[EXTRAS.get(name, "columns")][name] = {"column": name, **(columns or {}).get(name, {})}
        source = {
            "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
            "coordinates": {}, "contract": {"required": list(required), "ranges": ranges or {}}, "sales": sales,
            **parts,
        }  # fmt: skip
        return params.section("source", source)

    return build


@pytest.fixture(scope="session")
def raw_of():
    """Builds a raw table out of the ways in which its rows differ from a good one; ids are told apart by themselves."""

    def build(*changes, drop=()):
        rows = [{**ROW, "transaction_id": f"T{number}", **change} for number, change in enumerate(changes, 1)]
        raw = pd.DataFrame(rows, columns=[*ROW], dtype=object).drop(columns=list(drop))
        origin = {"source_feed": "main", "source_file": "sales.csv", "source_line": range(2, len(raw) + 2)}
        return raw.assign(**origin, source_fault=[None] * len(raw))

    return build
