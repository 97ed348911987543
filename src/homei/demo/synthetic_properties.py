"""The simulated properties: location, attributes, and the effect of attributes on the price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.synthetic_geography import RADIUS, Geography

# By type: its share of properties in the centre and at the edge of the city, its median size in m² and the standard
# deviation of log size, its effect on log price per m², the fall of log price per m² with log size, its usual bedrooms.
TYPES = pd.DataFrame(
    [
        ("apartment", 0.60, 0.34, 75.0, 0.25, 0.02, 0.14, 2.2),
        ("studio", 0.22, 0.07, 32.0, 0.15, 0.10, 0.20, 0.6),
        ("maisonette", 0.12, 0.14, 108.0, 0.18, 0.00, 0.12, 3.1),
        ("house", 0.05, 0.35, 140.0, 0.22, -0.05, 0.18, 3.8),
        ("villa", 0.01, 0.10, 220.0, 0.22, 0.06, 0.10, 5.0),
    ],
    columns=["name", "centre", "edge", "size", "spread", "level", "elasticity", "bedrooms"],
)
BLOCK_TYPES = 3  # the first ones are units of blocks of flats; a house or villa is a building of its own
UNITS_PER_BLOCK = (12, 30)
BLOCKS_PER_STREET = (1, 3)
HOUSES_PER_STREET = (10, 30)
BUILDING_DISTANCE = 40.0  # metres between neighbours along a street
BUILT_TOGETHER = 3  # years within which the houses of a street were built
MAIN_TYPE_SHARE = 0.9  # of a building's units
LAYOUT_SPREAD = 0.05  # standard deviation of log area among units of one layout: enough to tell most of them apart
NEW_STREET_SHARE = 0.10  # of the streets, completed during the simulated months
UNRECORDED_SHARE = 0.03  # of the properties, for each of bedrooms, bathrooms and floor


def draw_properties(
    rng: np.random.Generator, geography: Geography, n_properties: int, first_month: int, months: int
) -> pd.DataFrame:
    """One row a property, with attributes that never change.

    Columns: property_id, x, y (metres), district (row of geography.districts), street_id, building_id, property_type,
    square_meters, bedrooms, bathrooms, floor (NaN in houses and villas), year_built, completed_in (the first month,
    from 0, in which it can sell), turnover (relative frequency of sales), value (effect of location, district, size,
    floor and rooms on log price per m²), and hides_bedrooms, hides_bathrooms, hides_floor (not recorded).
    """
    streets = _draw_streets(rng, geography, n_properties, first_month, months)
    units = _draw_units(rng, streets)[:n_properties]
    # Shuffled, so that the identifier does not reveal the building.
    units = units.iloc[rng.permutation(n_properties)].reset_index(drop=True)
    types = TYPES.iloc[units["type_row"]].reset_index(drop=True)
    properties = pd.concat([units, _draw_rooms(rng, types, units["layout"])], axis=1)
    floor = np.floor(rng.random(n_properties) ** 1.2 * units["storeys"])
    properties["floor"] = floor.where(units["storeys"] > 0)
    properties["property_type"] = types["name"]
    properties = properties.drop(columns=["storeys", "type_row", "layout"])
    properties["turnover"] = rng.gamma(1.3, size=n_properties) * np.where(units["storeys"] > 0, 1.15, 0.8)
    properties["value"] = _attribute_value(geography, properties, types)
    for attribute in ("bedrooms", "bathrooms", "floor"):
        properties[f"hides_{attribute}"] = rng.random(n_properties) < UNRECORDED_SHARE
    properties.insert(0, "property_id", [f"P{number:05d}" for number in range(1, n_properties + 1)])
    return properties


def age_value(year_built: np.ndarray, year: np.ndarray) -> np.ndarray:
    """Effect of age on log price per m²: wear that slows down, and a premium for before about 1930."""
    wear = 1 - np.exp(-np.maximum(year - year_built, 0) / 25)
    return 0.09 - 0.20 * wear + 0.08 / (1 + np.exp((year_built - 1930) / 6))


def _draw_streets(
    rng: np.random.Generator, geography: Geography, count: int, first_month: int, months: int
) -> pd.DataFrame:
    """`count` streets, more than enough for as many properties.

    Columns: x, y (of the middle), angle, district, has_blocks, buildings (their number), year_built and completed_in.
    """
    weight = geography.districts["weight"] / geography.districts["weight"].sum()
    # The first streets cover all districts, so that none is empty.
    drawn = np.concatenate([rng.permutation(len(weight)), rng.choice(len(weight), count, p=weight)])[:count]
    centre = geography.districts.iloc[drawn]
    x, y = (centre[["x", "y"]].to_numpy() + rng.normal(0, 850, (count, 2))).T
    mix = _type_mix(x, y)
    # A street of blocks has more properties than one of houses; the types are to keep their share of the properties.
    blocks = mix[:, :BLOCK_TYPES].sum(axis=1) / (_mean(UNITS_PER_BLOCK) * _mean(BLOCKS_PER_STREET))
    houses = mix[:, BLOCK_TYPES:].sum(axis=1) / _mean(HOUSES_PER_STREET)
    has_blocks = rng.random(count) < blocks / (blocks + houses)
    completed_in = np.where(rng.random(count) < NEW_STREET_SHARE, rng.integers(0, months, count), 0)
    old = first_month // 12 - 1 - np.floor(125 * rng.beta(1.2, 2.2, count)).astype(int)
    return pd.DataFrame(
        {
            "x": x,
            "y": y,
            "angle": rng.uniform(0, np.pi, count),
            "district": geography.nearest_district(x, y),
            "has_blocks": has_blocks,
            "buildings": np.where(
                has_blocks, _between(rng, BLOCKS_PER_STREET, count), _between(rng, HOUSES_PER_STREET, count)
            ),
            "year_built": np.where(completed_in > 0, (first_month + completed_in) // 12, old),
            "completed_in": completed_in,
        }
    )


def _draw_units(rng: np.random.Generator, streets: pd.DataFrame) -> pd.DataFrame:
    """One row per property, street by street.

    Columns: x, y, district, street_id, building_id, year_built, completed_in, storeys (0 in a house), type_row (of
    TYPES) and layout (a number that units of one floor plan share).
    """
    buildings = streets.loc[streets.index.repeat(streets["buildings"])].rename_axis("street_id").reset_index()
    count, is_block = len(buildings), buildings["has_blocks"].to_numpy()
    along = (buildings.groupby("street_id").cumcount() - (buildings["buildings"] - 1) / 2) * BUILDING_DISTANCE
    buildings["x"] += along * np.cos(buildings["angle"])
    buildings["y"] += along * np.sin(buildings["angle"])
    older = rng.integers(0, np.where(is_block, 25, BUILT_TOGETHER), count)
    buildings["year_built"] -= np.where(buildings["completed_in"] > 0, 0, older)
    units = np.where(is_block, _between(rng, UNITS_PER_BLOCK, count), 1)
    buildings["storeys"] = np.where(is_block, np.minimum(units // 2 + rng.integers(1, 5, count), 12), 0)
    buildings["main_type"] = _draw_types(rng, buildings)
    properties = buildings.loc[buildings.index.repeat(units)].rename_axis("building_id").reset_index()
    is_main = rng.random(len(properties)) < MAIN_TYPE_SHARE
    properties["type_row"] = np.where(is_main, properties["main_type"], _draw_types(rng, properties))
    planned_with = properties["building_id"].where(properties["has_blocks"], -1 - properties["street_id"])
    properties["layout"] = planned_with * 10 + properties["type_row"]
    return properties.drop(columns=["angle", "has_blocks", "buildings", "main_type"])


def _type_mix(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    outwards = np.clip(np.hypot(x, y) / RADIUS, 0, 1)[:, None]
    return (1 - outwards) * TYPES["centre"].to_numpy() + outwards * TYPES["edge"].to_numpy()


def _draw_types(rng: np.random.Generator, places: pd.DataFrame) -> np.ndarray:
    """The row of TYPES for each place: a type of blocks in blocks, else house or villa."""
    is_block_type = np.arange(len(TYPES)) < BLOCK_TYPES
    mix = _type_mix(places["x"].to_numpy(), places["y"].to_numpy())
    mix = np.where(is_block_type == (places["storeys"].to_numpy() > 0)[:, None], mix, 0.0)
    below = rng.random((len(places), 1)) >= mix.cumsum(axis=1) / mix.sum(axis=1, keepdims=True)
    return np.minimum(below.sum(axis=1), len(TYPES) - 1)


def _between(rng: np.random.Generator, limits: tuple[int, int], count: int) -> np.ndarray:
    return rng.integers(limits[0], limits[1] + 1, count)


def _mean(limits: tuple[int, int]) -> float:
    return sum(limits) / 2


def _draw_rooms(rng: np.random.Generator, types: pd.DataFrame, layout: pd.Series) -> pd.DataFrame:
    """square_meters, bedrooms and bathrooms; units of one layout are alike but for their area."""
    codes, layouts = pd.factorize(layout)
    draws = rng.standard_normal((len(layouts), 3))[codes]
    size = types["size"] * np.exp(types["spread"] * np.clip(draws[:, 0], -2.5, 2.5))
    relative_size = np.sqrt(size / types["size"])
    bedrooms = np.maximum((types["bedrooms"] * relative_size + 0.5 * draws[:, 1]).round(), 0)
    bathrooms = np.maximum((0.45 * types["bedrooms"] * relative_size + 0.3 + 0.4 * draws[:, 2]).round(), 1)
    area = size * np.exp(LAYOUT_SPREAD * rng.standard_normal(len(types)))
    return pd.DataFrame({"square_meters": area.round(1), "bedrooms": bedrooms, "bathrooms": bathrooms})


def _attribute_value(geography: Geography, properties: pd.DataFrame, types: pd.DataFrame) -> np.ndarray:
    location = geography.location_value(properties["x"].to_numpy(), properties["y"].to_numpy())
    district = geography.districts["effect"].to_numpy()[properties["district"]]
    size = types["level"] - types["elasticity"] * np.log(properties["square_meters"] / types["size"])
    height = 0.07 * (1 - np.exp(-properties["floor"].fillna(0) / 5))
    rooms = 0.012 * (properties["bedrooms"] - types["bedrooms"]) + 0.02 * (
        properties["bathrooms"] - 0.45 * types["bedrooms"]
    )
    # The usual location lies 0.2 above the zero of the location field.
    return (location - 0.2 + district + size + height + rooms).to_numpy()
