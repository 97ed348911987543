"""Listings in blocks of flats, many without a flat's number, against a register that does not know every flat."""

import numpy as np
import pandas as pd
import pytest

from homei.entities.lookalikes import same_area
from homei.entities.matching import match

STREETS = [f"{tree}{end} {kind}" for kind in ("Street", "Road") for tree in ("Oak", "Linden", "Lincoln", "Birch")
           for end in ("wood", "ham", "ton")]  # fmt: skip


def flats(random, plans):
    """The flats of 72 blocks, three a street; with `plans` those above each other have one area and layout."""
    rows = []
    for block in range(72):
        east, north = random.uniform(0, 8000, 2)
        layouts = [(float(random.integers(40, 120)), float(random.integers(1, 5))) for _ in range(3)]
        for flat in range(random.integers(9, 40)):
            area, bedrooms = layouts[flat % 3] if plans else (random.uniform(40, 120), float(random.integers(1, 5)))
            home = {"property_id": f"P{block}-{flat}", "street": STREETS[block % 24], "house": 2 + block // 24,
                    "unit": flat + 1, "square_meters": area, "bedrooms": bedrooms, "floor": flat // 4,
                    "year_built": 1990 + block % 7, "latitude": north, "longitude": east}  # fmt: skip
            rows.append(home)
    return pd.DataFrame(rows).assign(bathrooms=1.0, property_type="flat", location="East")


def listed(random, homes, count):
    """Listings of any of the homes: moved, rounded, with gaps, one in three without its flat's number."""
    seen = homes.iloc[random.integers(0, len(homes), count)].reset_index(drop=True)
    plain = [f"{row.house} {row.street}" for row in seen.itertuples()]
    short = [f"{row.street} {row.house}/{row.unit}".upper() for row in seen.itertuples()]
    for name, share in (("bedrooms", 0.1), ("floor", 0.3), ("year_built", 0.1)):
        seen[name] = seen[name].where(random.random(count) > share)
    nowhere, untold = random.random(count) < 0.05, random.random(count) < 0.35
    moved = {name: (seen[name] + random.uniform(-17, 17, count)).where(~nowhere) for name in ("latitude", "longitude")}
    return seen.assign(address=np.where(untold, plain, short), square_meters=seen["square_meters"].round(), **moved)


@pytest.fixture
def judged(plane, settings):
    """What was found, whether it is right, and whether the register knows the home; by listing."""

    def find(plans, known):
        random = np.random.default_rng(7)
        homes = flats(random, plans)
        register = homes[random.random(len(homes)) < known].reset_index(drop=True)
        register["address"] = [f"Flat {row.unit}, {row.house} {row.street}" for row in register.itertuples()]
        listings = listed(random, homes, 3000)
        found = match(listings.assign(property_id=None), register, plane, settings.match)["property_id"]
        true = listings["property_id"]
        return pd.DataFrame({"found": found.notna(), "right": found == true, "known": true.isin(register.property_id),
                             "told": listings["address"].str.contains("/")})  # fmt: skip

    return find


@pytest.mark.parametrize("plans", [False, True])
@pytest.mark.parametrize("known", [1.0, 0.9, 0.6, 0.3])
def test_a_flat_that_no_register_knows_is_not_taken_for_its_neighbour(judged, plans, known):
    listings = judged(plans, known)
    assert listings["right"].sum() >= 0.99 * listings["found"].sum()
    told = listings.query("told and known")
    assert told["right"].mean() >= 0.98


def test_flats_that_differ_are_found_without_their_number(judged):
    listings = judged(plans=False, known=1.0)
    assert listings["right"].mean() >= 0.95


def test_a_street_that_is_known_is_no_mistyped_one(records_of, plane, settings):
    register = records_of(
        {"property_id": "P1", "address": "Flat 3, 12 Linden Street"}, {"address": "1 Lindon Street", "location": "West"}
    )
    said = records_of({"address": "12 Lindon Street, flat 3"}, {"address": "12 Lindin Street, flat 3"})
    assert match(said, register, plane, settings.match)["property_id"].tolist() == [None, "P1"]


def test_rounding_sets_areas_of_one_home_apart():
    one, other = np.array([40.0, 40.0, 400.0, 400.0]), np.array([40.5, 41.0, 403.9, 405.0])
    assert same_area(one, other, 0.01).tolist() == [True, False, True, False]
