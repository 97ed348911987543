import pandas as pd
import pytest

from homei.config import params

ROW = {
    "transaction_id": "T1", "property_id": "P1", "sale_date": "2024-05-17", "price": "250000", "square_meters": "80",
    "property_type": "flat", "location": "East", "bedrooms": "2", "bathrooms": "1", "year_built": "1990", "floor": "3",
    "latitude": "48.1", "longitude": "11.5", "rooms": "3", "energy": "B",
}  # fmt: skip
EXTRAS = {"rooms": "numeric", "energy": "categorical"}


@pytest.fixture
def source_of():
    """Builds a source that maps canonical columns of the same names: all, or those in `only`."""

    def build(ranges=None, required=(), only=None, columns=None, given=None, **parts):
        names = [name for name in ROW if only is None or name in only]
        mapped = {name: {"column": name, **(columns or {}).get(name, {})} for name in names}
        sales = {"kind": "files", "files": ["sales.csv"], "columns": mapped, **(given or {})}
        attributes = {kind: [name for name in names if EXTRAS.get(name) == kind] for kind in ("numeric", "categorical")}
        city = {
            "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
            "attributes": attributes, "place_kinds": sorted({places["kind"] for places in parts.get("places", [])}),
            "coordinates": parts.pop("coordinates", {"origin": [48.1, 11.5]}),
        }  # fmt: skip
        contract = {"required": list(required), "ranges": ranges or {}}
        return params.source({"city": city, "feeds": {"sales": sales, **parts}, "contract": contract})

    return build


@pytest.fixture(scope="session")
def raw_of():
    """Builds a raw table from the differences of its rows to a valid one; ids are generated."""

    def build(*changes, drop=()):
        rows = [{**ROW, "transaction_id": f"T{number}", **change} for number, change in enumerate(changes, 1)]
        raw = pd.DataFrame(rows, columns=[*ROW], dtype=object).drop(columns=list(drop))
        origin = {"source_feed": "main", "source_file": "sales.csv", "source_line": range(2, len(raw) + 2)}
        return raw.assign(**origin, source_fault=[None] * len(raw))

    return build
