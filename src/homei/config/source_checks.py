"""Checks of a city's declarations against each other, before any work: names, groups and coordinates."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from homei.config.city import CANONICAL
from homei.config.feeds import TABLES, Source, duplicates


def check(source: Source) -> None:
    """Raises ValueError if feeds and groups use columns or kinds of places that the city does not declare."""
    attributes = source.city.attributes.names
    if taken := duplicates(name.lower() for name in [*TABLES["sales"], *attributes]):
        raise ValueError(f"city.attributes: {taken} is the name of another column already")
    built = {f"{kind}_{figure}" for kind in source.city.place_kinds for figure in ("distance", "count")}
    if taken := sorted(built & {name.lower() for name in attributes}):
        raise ValueError(f"city.attributes: {', '.join(taken)} is a feature of feeds.places: choose another name")
    for table, feeds in source.feeds.by_table():
        for feed in feeds:
            _check_names(f"feeds.{table}.columns", feed.columns, [*TABLES[table], *attributes])
            if feed.deed is not None and table != "sales":
                raise ValueError(f"feeds.{table}.deed = {feed.deed!r}: only sales have deeds: remove the key")
    mapped = {name for feed in source.feeds.sales for name in feed.columns}
    if missing := [name for name in attributes if name not in mapped]:
        raise ValueError(f"city.attributes: no feed of sales maps {', '.join(missing)}: add it to feeds.sales.columns")
    if {places.kind for places in source.feeds.places} != {*source.city.place_kinds}:
        kinds = ", ".join(sorted({places.kind for places in source.feeds.places}))
        raise ValueError(f"city.place_kinds: must name the kinds in feeds.places: [{kinds}]")
    _check_coordinates(source)
    _check_groups(source)


def _check_coordinates(source: Source) -> None:
    coordinates = source.city.coordinates
    feeds = [feed for _, feeds in source.feeds.by_table() for feed in feeds]
    systems = {"city.coordinates": coordinates.system}
    systems |= {
        f"feeds.{table} ({feed.name})": feed.system for table, feeds in source.feeds.by_table() for feed in feeds
    }
    systems |= {f"feeds.places ({places.file})": places.system for places in source.feeds.places}
    for place, system in systems.items():
        _check_system(f"{place}.system", system)
    has_coordinates = bool(source.feeds.places) or any("latitude" in feed.columns for feed in feeds)
    if has_coordinates and not coordinates.is_plane and coordinates.origin == (0.0, 0.0):
        raise ValueError(
            "city.coordinates.origin: this key is missing: declare the city's centre in degrees, [52.5, 13.4]"
        )
    has_feet = any(column.unit == "square_feet" for feed in feeds for column in feed.columns.values())
    if has_coordinates and coordinates.is_plane and coordinates.unit is None and has_feet:
        raise ValueError("city.coordinates.unit: this key is missing: areas are in square feet; declare metres or feet")


def _check_system(key: str, system: str | None) -> None:
    if system is not None and system.startswith("EPSG:"):
        import pyproj

        try:
            pyproj.CRS.from_user_input(system)
        except pyproj.exceptions.CRSError as error:
            raise ValueError(f"{key} = {system!r}: the EPSG registry has no such system of coordinates") from error


def _check_groups(source: Source) -> None:
    city = source.city
    if repeated := duplicates(group.name for group in city.groups):
        raise ValueError(f"city.groups: several are called {repeated}: give each a name of its own")
    for group in city.groups:
        for field in ("column", "key"):
            name = getattr(group, field)
            columns = [*CANONICAL, *city.attributes.names]
            if name is not None and name not in columns:
                pairs = [pair for feed in source.feeds.sales for pair in feed.columns.items()]
                mapped = [canonical for canonical, column in pairs if column.column == name]
                unknown = f"is a column of a feed, mapped to {mapped[0]}" if mapped else _unknown(name, columns)
                raise ValueError(f"city.groups.{group.name}.{field} = {name!r}: {unknown}")


def _check_names(key: str, names: Iterable[str], columns: list[str]) -> None:
    for name in names:
        if name not in columns:
            raise ValueError(f"{key}.{name}: {_unknown(name, columns)}")


def _unknown(name: str, columns: list[str]) -> str:
    return f"there is no such column; did you mean {difflib.get_close_matches(name, columns, n=1, cutoff=0.0)[0]}?"
