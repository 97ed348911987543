"""A wrong declaration of a feed is refused before any work, with the key, the value and the remedy."""

from pathlib import Path

import pytest
import yaml

from homei.config import params
from homei.config.columns import Column
from homei.config.params import ParamsError
from homei.config.texts import normal_text
from homei.features.columns import feature_columns

PROJECT = Path(__file__).parents[2]

COLUMNS = {"sale_date": "sold", "price": "price", "property_type": "kind", "location": "town"}


def source_of(columns=None, city=None, places=None, **feed):
    city = {"name": "town", "title": "Town", "currency": "EUR", "as_of": "2024-12-31", "folder": ".", **(city or {})}
    feed = {"kind": "files", "files": ["sales.csv"], "columns": {**COLUMNS, **(columns or {})}, **feed}
    feeds = {"sales": feed, "places": places}
    return params.source({"city": {"coordinates": {}, **city}, "feeds": feeds, "contract": {}})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"header": 0}, r"feeds\.sales\.header = 0: lines count from 1; .*`names: \[id, price"),
        ({"names": ["a", "b"], "header": 2}, "names: is for files without a line of column names"),
        ({"columns": {"sale_date": {"column": "d", "format": "epoch_ms"}}}, "epoch_ms.*epoch_seconds, epoch_milli"),
        ({"columns": {"sale_date": {"column": "d", "format": "%d.%m."}}}, "has no year"),
        ({"columns": {"sale_date": {"column": "d", "timezone": "Berlin"}}}, "Europe/Berlin"),
        ({"columns": {"sale_date": {"column": "d", "format": "%Y", "pivot": 1950}}}, "pivot belongs to .* %y"),
        ({"columns": {"sale_date": {"column": "d", "format": "%y%m%d", "serial": True}}}, "could also be a date"),
        ({"columns": {"sale_date": {"template": "{a}", "serial": True}}}, "serial needs a column"),
        ({"columns": {"sale_date": {"column": "d", "utc": True}}}, "utc needs timezone"),
        ({"columns": {"price": {"column": "d", "pattern": "[0-9]+"}}}, "needs one group in parentheses"),
        ({"columns": {"price": {"column": "d", "pattern": "("}}}, "is no regular expression"),
        ({"include": {"kind": [1]}}, r"include\.kind\.0 = 1: is no text in YAML: put it in quotation marks"),
        ({"exclude": {"kind": []}}, r"exclude\.kind = \[\]"),
        ({"columns": {"latitude": "lat"}}, r"city\.coordinates\.origin: this key is missing"),
        ({"city": {"coordinates": {"system": "EPSG"}}}, "coordinates.system = 'EPSG'"),
        ({"city": {"coordinates": {"system": "EPSG:99999"}}}, "city.coordinates.system = 'EPSG:99999': the EPSG"),
        ({"system": "EPSG:99999"}, r"feeds\.sales \(main\)\.system = 'EPSG:99999': the EPSG registry has no such"),
        ({"city": {"coordinates": {"origin": [11.5, 481.0]}}}, r"must be \[latitude, longitude\]"),
        ({"city": {"coordinates": {"unit": "feet"}}}, "unit belongs to system: plane"),
        ({"city": {"attributes": {"numeric": ["Lot [sq.ft]"]}}}, "call it lot_sq_ft and map it"),
        ({"city": {"attributes": {"categorical": ["Month"]}}}, "a column of its own: call it own_month"),
        ({"city": {"attributes": {"categorical": ["Price"]}}}, "price is the name of another column"),
        ({"city": {"groups": [{"name": "type", "column": "kind"}]}}, "is a column of a feed, mapped to property_type"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_refused_with_the_remedy(parts, message):
    with pytest.raises(ParamsError, match=message):
        source_of(**parts)


def test_areas_in_square_feet_ask_for_the_unit_of_a_plane():
    columns = {"square_meters": {"column": "area", "unit": "square_feet"}, "latitude": "y", "longitude": "x"}
    with pytest.raises(ParamsError, match=r"city\.coordinates\.unit: this key is missing: areas are in square feet"):
        source_of(columns, city={"coordinates": {"system": "plane"}})
    assert source_of(columns, city={"coordinates": {"system": "plane", "unit": "feet"}})


def test_the_living_area_is_required_only_if_the_contract_requires_it():
    assert "square_meters" not in source_of().required("sales")


@pytest.mark.parametrize(
    "text", ["Fla\u0308che  m²", " Fläche\nm²", "Fläche\u00a0m²\r\n", "\ufeffFläche m²", "Fläche\u200b m²"]
)
def test_texts_that_look_alike_have_one_form(text):
    assert normal_text(text) == "Fläche m²"
    assert Column(column=text).column == "Fläche m²"


def test_no_attribute_can_have_the_name_of_a_feature():
    features = params.section("features", yaml.safe_load((PROJECT / "params.yaml").read_text())["features"])
    city = source_of().city
    for name in feature_columns(city, features):
        with pytest.raises(ParamsError, match="a column of its own"):
            source_of(city={"attributes": {"numeric": [name]}})
    places = {"kind": "park", "file": "p.csv", "name": "n", "latitude": "y", "longitude": "x"}
    declared = {"place_kinds": ["park"], "attributes": {"numeric": ["park_count"]}, "coordinates": {"origin": [1, 2]}}
    with pytest.raises(ParamsError, match=r"city\.attributes: park_count is a feature of feeds\.places"):
        source_of(city=declared, places=places)
