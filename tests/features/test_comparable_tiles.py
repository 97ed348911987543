"""Tiles hold a bounded number of sales, and with their halo all sales near a property."""

import numpy as np
import pandas as pd
import pytest

from homei.features.comparable_tiles import CELL, SIDES, divide, margins

MAX_SALES, REACH = 50, 6.0


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    random = np.random.default_rng(5)
    a, b = np.concatenate([random.normal(0, 8, (600, 2)), random.uniform(-90, 90, (100, 2))]).T
    return pd.DataFrame({"a": a, "b": b, "plane": 0, "property_type": "flat",
                         "column": np.floor(a).astype(int), "row": np.floor(b).astype(int)})  # fmt: skip


def divided(points: pd.DataFrame, halo: float | None = None):
    cells = points.groupby(CELL).size().rename("sales").reset_index()
    return divide(cells.assign(queries=cells["sales"]), MAX_SALES, REACH, halo)


def test_every_sale_is_in_one_tile_of_bounded_size(points):
    own = points.merge(divided(points).tile_of_cell, on=CELL, how="left")
    assert len(own) == len(points) and own["tile"].notna().all()
    assert own.groupby("tile").size().max() <= MAX_SALES


@pytest.mark.parametrize("halo", [None, REACH])
def test_a_tile_with_its_halo_has_all_sales_within_the_margin_of_a_property(points, halo):
    tiles = divided(points, halo)
    own, inside = (points.merge(table, on=CELL) for table in (tiles.tile_of_cell, tiles.tiles_with_cell))
    for tile in tiles.tiles.itertuples():
        properties, sales = own[own["tile"] == tile.tile], inside[inside["tile"] == tile.tile]
        sides = tiles.tiles.set_index("tile").loc[tile.tile, SIDES]
        margin = margins(properties["a"].to_numpy(), properties["b"].to_numpy(), sides)
        assert (margin >= (halo or 1.0)).all()
        for (a, b), radius in zip(properties[["a", "b"]].to_numpy(), margin, strict=True):
            near = np.hypot(points["a"] - a, points["b"] - b) < radius
            assert near.sum() == (np.hypot(sales["a"] - a, sales["b"] - b) < radius).sum()


def test_sales_in_one_cell_are_one_tile():
    one = pd.DataFrame({"plane": 0, "property_type": "flat", "column": [3], "row": [4], "sales": 9_999, "queries": 1})
    tiles = divide(one, MAX_SALES, REACH)
    assert len(tiles.tiles) == 1 and np.isinf(tiles.tiles[SIDES]).all(axis=None)


def test_tiles_without_properties_to_search_for_are_left_out(points):
    cells = points.groupby(CELL).size().rename("sales").reset_index()
    tiles = divide(cells.assign(queries=cells.index == 0), MAX_SALES, REACH)
    assert len(tiles.tiles) == 1
