"""Notations of whole columns: dates, amounts and coordinates that could be misread without an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from homei.config.columns import Column
from homei.config.feeds import TABLES, Feed, Source
from homei.config.projection import Coordinates
from homei.validation.coordinates import NOWHERE
from homei.validation.dates import suspect_midnights

PLACED = ""  # the fault of a row with plausible coordinates
GROUPED = r"^[^0-9]*[1-9][0-9]{0,2}(\.[0-9]{3})+[^0-9]*$"  # an amount whose points may separate thousands
AMOUNTS = ("price", "square_meters", "budget")
CELLS_TO_CHECK = 20_000  # different dates of a column that are checked as a whole
CELLS_TO_JUDGE = 10  # different cells of a column, before they are taken for another notation


class NotationError(ValueError):
    """A column that can be read in two ways; the message names the key that says in which."""


def mapped_columns(feed: Feed, table: str) -> dict[str, Column]:
    """The columns of a feed with its id, which `ingest` generates for a feed that maps none."""
    return {TABLES[table][0]: Column(column="id"), **feed.columns}


def coordinates_of(feed: Feed, source: Source) -> Coordinates:
    """The city's coordinates in the feed's own system."""
    system = feed.system or source.city.coordinates.system
    return source.city.coordinates.model_copy(update={"system": system})


def check_located(faults: Mapping[str, int], feed: Feed, source: Source, table: str) -> None:
    """Raises NotationError if most coordinates of a feed can't be those of this city.

    Coordinates are counted by their fault.
    """
    wrong = {fault: count for fault, count in faults.items() if fault not in (PLACED, NOWHERE)}
    n_wrong = sum(wrong.values())
    n_known = faults.get(PLACED, 0) + n_wrong
    if n_known >= CELLS_TO_JUDGE and n_wrong > n_known / 2:
        coordinates = coordinates_of(feed, source)
        system, origin = coordinates.system, list(coordinates.origin)
        most = min(wrong, key=lambda fault: (-wrong[fault], fault))
        raise NotationError(
            f"feeds.{table} ({feed.name}): {n_wrong:,} of {n_known:,} coordinates are {most}: correct city.coordinates "
            f"(system = {system}, origin = {origin}, radius_km = {coordinates.radius_km:g}) or the two columns"
        )


def check_dates(cells: Iterable[str], name: str, feed: Feed, table: str) -> None:
    """Raises NotationError if the distinct cells of a date column are midnights of another time zone."""
    column = mapped_columns(feed, table)[name]
    if description := suspect_midnights(cells, column):
        raise NotationError(
            f"feeds.{table} ({feed.name}): columns.{name}: {description}, which is midnight in another time zone: "
            "declare the city's, such as `timezone: Europe/Berlin`, with `utc: true` for times without an offset; or "
            "`timezone: UTC` if these are the right days"
        )


def check_amounts(n_with_point: int, n_grouped: int, name: str, feed: Feed, table: str) -> None:
    """Raises NotationError where all different cells with a point are GROUPED, if `has_undeclared_point`."""
    if n_with_point >= CELLS_TO_JUDGE and n_grouped == n_with_point:
        raise NotationError(
            f"feeds.{table} ({feed.name}): columns.{name}: all {n_with_point:,} different numbers with a point have "
            'three digits behind it: declare `thousands: "."` with `decimal: ","`, or else `decimal: "."`'
        )


def count_points(cells: pa.Array) -> tuple[int, int]:
    """The numbers of different cells with a point, and of those that are GROUPED."""
    with_point = pc.unique(cells.filter(pc.match_substring(cells, ".")))
    return len(with_point), pc.sum(pc.match_substring_regex(with_point, GROUPED)).as_py() or 0


def has_undeclared_point(name: str, feed: Feed, table: str) -> bool:
    """Whether a column has amounts in which a point may separate thousands or decimals."""
    column = mapped_columns(feed, table)[name]
    is_declared = column.decimal != "." or column.thousands or "decimal" in column.model_fields_set
    return name in AMOUNTS and not is_declared
