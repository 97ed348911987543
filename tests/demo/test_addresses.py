"""Addresses: one for each home, spelled by others in their own ways."""

import numpy as np
import pandas as pd
import pytest

from homei.demo.addresses import STREET_KINDS, draw_addresses, feed_spellings, register_spelling
from homei.demo.tiles import WHOLE_CITY


@pytest.fixture(scope="module")
def spelled(town):
    return feed_spellings(np.random.default_rng(1), town.properties)


def test_every_property_has_its_own_address(town):
    assert len(set(register_spelling(town.properties))) == len(town.properties)


def test_only_properties_with_a_floor_have_a_flat_number(town):
    assert ((town.properties["flat"] > 0) == town.properties["floor"].notna()).all()


def test_streets_have_names_of_their_own_however_many_there_are():
    number = np.arange(12_000)
    houses = pd.DataFrame({"street_id": number, "building_id": number, "floor": np.nan})
    addresses = draw_addresses(np.random.default_rng(1), houses, WHOLE_CITY)
    assert not addresses.duplicated(["street", "street_kind"]).any()


def test_a_street_lies_in_one_district(town):
    assert (town.properties.groupby(["street", "street_kind"])["location"].nunique() == 1).all()


def test_flat_numbers_rise_with_the_floors_of_a_building(town):
    flats = town.properties[town.properties["flat"] > 0].sort_values("flat")
    houses = flats.groupby(["street", "street_kind", "house"])
    assert (houses.size() > 1).mean() > 0.2
    assert houses["floor"].is_monotonic_increasing.all()


def test_a_house_and_a_flat_never_share_a_house_number(town):
    kinds = town.properties.assign(flats=town.properties["flat"] > 0).groupby(["street", "street_kind", "house"])[
        "flats"
    ]
    assert (kinds.nunique() == 1).all()


def test_other_feeds_never_spell_an_address_as_the_register_does(town, spelled):
    assert not any(one == other for one, other in zip(spelled, register_spelling(town.properties), strict=True))


def test_other_feeds_mostly_keep_the_street_and_always_the_house_number(town, spelled):
    properties = town.properties.assign(spelled=[line.lower() for line in spelled])
    kept = [street.lower() in line for street, line in zip(properties["street"], properties["spelled"], strict=True)]
    assert 0.97 < np.mean(kept) < 1
    assert all(str(house) in line for house, line in zip(properties["house"], properties["spelled"], strict=True))


def test_other_feeds_abbreviate_change_case_and_omit_the_flat(town, spelled):
    shorts = {short.lower() for short in STREET_KINDS.values()}
    words = [set(line.lower().replace(".", " ").replace(",", " ").split()) for line in spelled]
    assert 0.4 < np.mean([bool(shorts & own) for own in words]) < 0.8
    assert 0.05 < np.mean([line.isupper() for line in spelled]) < 0.2
    assert 0.05 < np.mean([line.islower() for line in spelled]) < 0.2
    numbers = [sum(part.isdigit() for part in line.replace("/", " ").replace(",", " ").split()) for line in spelled]
    flats = (town.properties["flat"] > 0).to_numpy()
    assert 0.03 < (np.array(numbers)[flats] == 1).mean() < 0.15
