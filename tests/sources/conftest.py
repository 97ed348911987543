import copy

import pytest

from homei import params

COLUMNS = {
    "sale_date": "date",
    "price": "price",
    "square_meters": "area",
    "property_type": "type",
    "location": "town",
}


@pytest.fixture
def source_of(tmp_path, monkeypatch):
    """Builds a checked source whose folder is data/ in an empty project, from the parts that a test cares for.

    Its sales come from files unless the test's own say of which kind they are.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def build(sales=None, **parts):
        files = {"kind": "files", "files": ["sales.csv"], "columns": copy.deepcopy(COLUMNS)}
        sales = sales if "kind" in (sales or {}) else {**files, **(sales or {})}
        source = {
            "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
            "coordinates": {}, "contract": {"required": []}, "sales": sales, **parts,
        }  # fmt: skip
        return params.section("source", source)

    return build
