"""Matching of listings in blocks of flats, many without unit number, with a register that lacks some flats."""

import numpy as np
import pandas as pd
import pytest

from homei.resolution.identical_units import is_same_area
from homei.resolution.property_matching import match_properties

STREETS = [f"{tree}{end} {kind}" for kind in ("Street", "Road") for tree in ("Oak", "Linden", "Lincoln", "Birch")
           for end in ("wood", "ham", "ton")]  # fmt: skip


def flats(random, plans):
    """The flats of 72 blocks, three a street; with `plans`, flats above each other have one area and layout."""
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
    """Listings of random flats with errors in position, rounded areas and gaps; a third has no unit number."""
    seen = homes.iloc[random.integers(0, len(homes), count)].reset_index(drop=True)
    plain = [f"{row.house} {row.street}" for row in seen.itertuples()]
    short = [f"{row.street} {row.house}/{row.unit}".upper() for row in seen.itertuples()]
    for name, share in (("bedrooms", 0.1), ("floor", 0.3), ("year_built", 0.1)):
        seen[name] = seen[name].where(random.random(count) > share)
    has_no_position, has_no_unit = random.random(count) < 0.05, random.random(count) < 0.35
    moved = {
        name: (seen[name] + random.uniform(-17, 17, count)).where(~has_no_position)
        for name in ("latitude", "longitude")
    }
    return seen.assign(
        address=np.where(has_no_unit, plain, short), square_meters=seen["square_meters"].round(), **moved
    )


@pytest.fixture
def matches(plane, settings):
    """By listing: whether it has a match, whether that is correct, and whether the flat is registered."""

    def find(plans, known):
        random = np.random.default_rng(7)
        homes = flats(random, plans)
        register = homes[random.random(len(homes)) < known].reset_index(drop=True)
        register["address"] = [f"Flat {row.unit}, {row.house} {row.street}" for row in register.itertuples()]
        listings = listed(random, homes, 3000)
        unmatched = listings.assign(property_id=None)
        property_id = match_properties(unmatched, register, plane, settings.match)[0]["property_id"]
        return pd.DataFrame(
            {
                "matched": property_id.notna(),
                "right": property_id == listings["property_id"],
                "registered": listings["property_id"].isin(register["property_id"]),
                "has_unit": listings["address"].str.contains("/"),
            }
        )

    return find


@pytest.mark.parametrize("plans", [False, True])
@pytest.mark.parametrize("known", [1.0, 0.9, 0.6, 0.3])
def test_an_unregistered_flat_is_not_matched_with_its_neighbour(matches, plans, known):
    listings = matches(plans, known)
    assert listings["right"].sum() >= 0.99 * listings["matched"].sum()
    with_unit = listings.query("has_unit and registered")
    assert with_unit["right"].mean() >= 0.98


def test_flats_with_different_attributes_are_matched_without_unit_number(matches):
    listings = matches(plans=False, known=1.0)
    assert listings["right"].mean() >= 0.95


def test_an_existing_street_is_not_taken_for_a_mistyped_one(records_of, plane, settings):
    register = records_of(
        {"property_id": "P1", "address": "Flat 3, 12 Linden Street"}, {"address": "1 Lindon Street", "location": "West"}
    )
    records = records_of({"address": "12 Lindon Street, flat 3"}, {"address": "12 Lindin Street, flat 3"})
    assert match_properties(records, register, plane, settings.match)[0]["property_id"].tolist() == [None, "P1"]


def test_areas_that_differ_by_rounding_are_the_same():
    one, other = np.array([40.0, 40.0, 400.0, 400.0]), np.array([40.5, 41.0, 403.9, 405.0])
    assert is_same_area(one, other, 0.01).tolist() == [True, False, True, False]
