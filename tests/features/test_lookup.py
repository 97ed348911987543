import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from homei import lake
from homei.features.columns import feature_columns
from homei.features.lookup import Lookup, LookupMonthError, export

JANUARY = 2022 * 12  # the month in which the next valuation is asked for


def columns_of(ready: pd.DataFrame) -> dict[str, np.ndarray]:
    texts = {name: ready[name].to_numpy(object) for name in ("property_type", "location", "property_id")}
    numbers = ("square_meters", "floor", "year_built", "latitude", "longitude", "month")
    return texts | {name: ready[name].to_numpy() for name in numbers}


@pytest.fixture(scope="module")
def built(built_town, source, features, tmp_path_factory):
    """The town's table, and the exports of all its months and of the last three."""
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built_town)
        export(source, features, 36, folder / "all")
        export(source, features, 3, folder / "last")
        ready = lake.read(lake.READY)
    return SimpleNamespace(
        ready=ready, all=Lookup.load(folder / "all"), last=Lookup.load(folder / "last"), folder=folder
    )


def test_every_sale_gets_bit_for_bit_what_spark_gave_it(built, source, features):
    found = built.all.features(columns_of(built.ready))
    assert list(found) == feature_columns(source, features)
    for name, column in found.items():
        assert column.dtype == np.float64
        assert column.tobytes() == built.ready[name].to_numpy("f8").tobytes(), name


def test_the_last_months_alone_tell_the_same_of_their_sales(built):
    recent = built.ready[built.ready["month"] >= JANUARY - 3]
    found = built.last.features(columns_of(recent))
    for name, column in found.items():
        np.testing.assert_array_equal(column, recent[name].to_numpy("f8"), err_msg=name)


def test_one_row_gets_what_it_gets_among_all(built):
    together = built.all.features(columns_of(built.ready))
    for row in range(0, len(built.ready), 40):
        alone = built.all.features(columns_of(built.ready.iloc[[row]]))
        assert {name: column.tobytes() for name, column in alone.items()} == {
            name: column[[row]].tobytes() for name, column in together.items()
        }


def test_the_town_tells_something_of_every_kind(built, source, features):
    """Else the comparisons above would compare nulls."""
    assert built.ready[feature_columns(source, features)].notna().any().all()


def test_an_export_covers_its_months_and_the_one_after(built):
    assert (built.last.first_month, built.last.last_month) == (JANUARY - 3, JANUARY)


@pytest.fixture
def house() -> dict[str, np.ndarray]:
    """A flat in the month after the last sales, of which nothing is known."""
    texts = {name: np.array([None], dtype=object) for name in ("property_type", "location", "property_id")}
    unknown = {name: np.array([np.nan]) for name in ("square_meters", "floor", "year_built", "latitude", "longitude")}
    return texts | unknown | {"month": np.array([JANUARY])}


def test_what_is_unknown_is_null_and_the_market_is_known_all_the_same(built, house):
    found = built.last.features(house)
    market = [name for name in found if name.startswith("market")]
    assert all(np.isfinite(found[name]).all() for name in market)
    assert all(np.isnan(column).all() for name, column in found.items() if name not in market)


def test_a_new_location_has_no_sales(built, house):
    new = house | {name: np.array([name], dtype=object) for name in ("location", "property_type")}
    found = built.last.features(new)
    assert found["location_count_12"] == [0.0]
    assert np.isnan(found["location_level_12"]).all()


@pytest.mark.parametrize("month", [JANUARY - 4, JANUARY + 1])
def test_a_month_outside_the_export_is_refused(built, house, month):
    with pytest.raises(LookupMonthError, match="is outside what is known here: 2021-10 to 2022-01"):
        built.last.features(house | {"month": np.array([month])})


def test_the_newest_month_is_prepared_and_others_once_they_were_asked_for(built, house):
    lookup = Lookup.load(built.folder / "last")
    months = [lookup.last_month - 1, lookup.last_month]
    assert [lookup.is_prepared(month) for month in months] == [False, True]
    lookup.features(house | {"month": np.array(months[:1])})
    assert [lookup.is_prepared(month) for month in months] == [True, True]


def test_no_rows_give_no_features(built, house):
    found = built.last.features({name: column[:0] for name, column in house.items()})
    assert {len(column) for column in found.values()} == {0}


def test_an_incomplete_export_is_named(built, tmp_path):
    (tmp_path / "keys.json").write_bytes((built.folder / "last" / "keys.json").read_bytes())
    with pytest.raises(lake.MissingTableError, match="market_index"):
        Lookup.load(tmp_path)


def test_an_export_names_its_sections(built):
    meta = json.loads((built.folder / "last" / "keys.json").read_text())
    assert meta["features"]["windows"] == [3, 12]
    assert meta["place_kinds"] == ["park", "station"]
