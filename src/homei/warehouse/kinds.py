"""property_kinds: which kinds of homes there are, in a location and in all, and between what their attributes lie."""

from __future__ import annotations

from sqlalchemy import Connection

from homei.warehouse.tables import ALL

_RANGES = {"bedrooms": "bedrooms", "price": "price", "area": "square_meters", "year": "year_built"}
_SIDES = {
    "south": ("min", "latitude"), "north": ("max", "latitude"), "west": ("min", "longitude"),
    "east": ("max", "longitude"),
}  # fmt: skip
_ENDS = {f"{name}_{end}": (end, column) for name, column in _RANGES.items() for end in ("min", "max")} | _SIDES
_OF_ENDS = ", ".join(f"{of}({name})" for name, (of, _) in _ENDS.items())
_COUNTED = f"""
    INSERT INTO property_kinds (location, kind, property_type, homes, {", ".join(_ENDS)})
    WITH counted AS (
        SELECT location, kind, min(property_type) AS property_type, count(*) AS homes,
               {", ".join(f"{of}({column}) AS {name}" for name, (of, column) in _ENDS.items())}
        FROM property_analytics WHERE kind IS NOT NULL GROUP BY location, kind
    )
    SELECT '{ALL}', kind, min(property_type), sum(homes), {_OF_ENDS}
    FROM counted GROUP BY kind
    UNION ALL
    SELECT location, kind, property_type, homes, {", ".join(_ENDS)} FROM counted WHERE location <> '{ALL}'
    """


def count_kinds(connection: Connection) -> None:
    """Brings property_kinds to the homes that there are now."""
    connection.exec_driver_sql("DELETE FROM property_kinds")
    connection.exec_driver_sql(_COUNTED)
