"""Tiles of a plane that hold a bounded number of sales each, with a halo of neighbouring sales.

The plane is that of two attributes of sales in scales, such as x and y, and is divided for each property type. A search
among the sales of a tile and its halo is exact for results that are nearer than the edge of the halo.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

CELL = ["plane", "property_type", "column", "row"]  # a cell is one scale wide and high
SIDES = ["left", "right", "bottom", "top"]  # of a tile with its halo; infinite without a neighbour there
HALO_SHARE = (
    0.25  # the width of a halo as a share of the tile's: a wider one repeats more sales, a narrower one searches
)


class Tiles(NamedTuple):
    """Tiles and the cells that belong to them.

    `tile_of_cell` has the one tile of each cell with queries. `tiles_with_cell` has each tile whose area or halo holds
    a cell: a row for each pair.
    """

    tiles: pd.DataFrame  # tile, SIDES
    tile_of_cell: pd.DataFrame  # CELL, tile
    tiles_with_cell: pd.DataFrame  # CELL, tile


def divide(cells: pd.DataFrame, max_sales: int, reach: float, halo: float | None = None) -> Tiles:
    """Divides the plane of each type into tiles of at most `max_sales` sales, or of a single cell.

    `cells` has CELL, `sales` and `queries`, the numbers of searched and of searching sales. `halo` is chosen from the
    size of a tile if it is None; `reach` is its largest useful width. Tiles without queries are left out.
    """
    parts: list[tuple[int, np.ndarray, list[float], np.ndarray]] = []
    for _, group in cells.groupby(CELL[:2], sort=True):
        positions, sales = group[CELL[2:]].to_numpy("int64"), group["sales"].to_numpy("int64")
        for chosen, box in _split(positions, sales, max_sales):
            if group["queries"].to_numpy()[chosen].any():
                margin = _halo(positions[chosen], box, reach) if halo is None else halo
                sides = [side + step * margin for side, step in zip(box, (-1, 1, -1, 1), strict=True)]
                is_inside = _is_inside(positions, sides) & (sales > 0)
                parts.append((len(parts), group.index[chosen].to_numpy(), sides, group.index[is_inside].to_numpy()))
    tiles = pd.DataFrame([[tile, *sides] for tile, _, sides, _ in parts], columns=["tile", *SIDES])
    return Tiles(
        tiles.astype({"tile": "int64"} | dict.fromkeys(SIDES, "f8")),
        _cells_of(cells, [(tile, in_tile) for tile, in_tile, _, _ in parts]),
        _cells_of(cells, [(tile, in_halo) for tile, _, _, in_halo in parts]),
    )


def margins(columns: np.ndarray, rows: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """The distance of each point of a tile (in scales) to the edge of the tile's halo."""
    left, right, bottom, top = sides
    return np.minimum.reduce([columns - left, right - columns, rows - bottom, top - rows])


def _split(positions: np.ndarray, sales: np.ndarray, max_sales: int) -> list[tuple[np.ndarray, list[float]]]:
    """The rows of `positions` in each tile, and the tile's sides, halved until it has few enough sales."""
    leaves, pending = [], [(np.arange(len(sales)), [-np.inf, np.inf, -np.inf, np.inf])]
    while pending:
        chosen, box = pending.pop()
        inside = positions[chosen]
        axis = int(np.argmax(np.ptp(inside, axis=0)))
        if sales[chosen].sum() <= max_sales or np.ptp(inside[:, axis]) == 0:
            leaves.append((chosen, box))
            continue
        cut = _median_cut(inside[:, axis], sales[chosen])
        is_low = inside[:, axis] < cut
        low, high = list(box), list(box)
        low[2 * axis + 1] = high[2 * axis] = float(cut)
        pending += [(chosen[~is_low], high), (chosen[is_low], low)]
    return leaves


def _median_cut(values: np.ndarray, sales: np.ndarray) -> int:
    """The cell at which a cut leaves about as many sales on both sides, and at least one cell."""
    names, codes = np.unique(values, return_inverse=True)
    before = np.cumsum(np.bincount(codes, weights=sales))[:-1]
    return int(names[1 + np.argmin(np.abs(before - sales.sum() / 2))])


def _halo(positions: np.ndarray, box: list[float], reach: float) -> float:
    is_divided = np.isfinite(np.reshape(box, (2, 2))).any(axis=1)
    widths = np.ptp(positions, axis=0)[is_divided] + 1.0
    return float(np.clip(HALO_SHARE * widths.min(initial=np.inf), 1.0, reach))


def _is_inside(positions: np.ndarray, sides: list[float]) -> np.ndarray:
    left, right, bottom, top = sides
    column, row = positions.T
    return (column + 1 > left) & (column < right) & (row + 1 > bottom) & (row < top)


def _cells_of(cells: pd.DataFrame, parts: list[tuple[int, np.ndarray]]) -> pd.DataFrame:
    labels = np.concatenate([rows for _, rows in parts]) if parts else np.empty(0, dtype="int64")
    numbers = np.repeat([tile for tile, _ in parts], [len(rows) for _, rows in parts]) if parts else labels
    return cells.loc[labels, CELL].assign(tile=numbers.astype("int64")).reset_index(drop=True)
