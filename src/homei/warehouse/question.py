"""A search in one database's language: its conditions as SQL, with every value bound.

A condition that the chosen index is not entered by is written `(…) IS TRUE`, which keeps databases from entering
another one: their guesses of what few homes match are off by orders of magnitude.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from typing import Any

from homei.warehouse.filters import DISTANCE, RANGES, Filters, Place
from homei.warehouse.kinds import Kind
from homei.warehouse.tables import STRIPS
from homei.warehouse.words import Sought

ENTERED = {  # by which conditions
    "price": {"kind", "price"}, "area": {"kind", "area"}, "year": {"kind", "year"},
    "location": {"location", "kind", "price"}, "place": {"place"}, "words": set(),
}  # fmt: skip
MOST_STRIPS = 200  # that are named one by one: more are a range
DISTANCE_SQL = (
    "((home.longitude - :longitude) * :unit_east * ((home.longitude - :longitude) * :unit_east)"
    " + (home.latitude - :latitude) * :unit_north * ((home.latitude - :latitude) * :unit_north))"
)


@dataclass
class Question:
    """Conditions with an order; `kinds` are those that homes can be of where they are looked for, and `everywhere`."""

    sqlite: bool
    filters: Filters
    place: Place
    order: str
    kinds: list[Kind]
    everywhere: list[Kind]
    sought: Sought | None

    @property
    def by(self) -> str:
        """What is sorted by, as SQL."""
        return DISTANCE_SQL if self.order == DISTANCE else f"home.{RANGES[self.order]}"

    def bound(self) -> dict[str, Any]:
        """The values of all conditions."""
        kinds = [row["kind"] for row in self.kinds]
        told = {**self.filters.given(), "kinds": json.dumps(kinds) if self.sqlite else kinds}
        for number, word in enumerate(self.sought.words if self.sought else ()):
            last = number == len(self.sought.words) - 1
            told[f"word_{number}"] = f" {word}" if last else f" {word} "
        if self.filters.radius is not None:
            told |= {"unit_east": self.place.east, "unit_north": self.place.north}
            told["square_radius"] = self.filters.radius**2
        if box := self.box:
            told |= dict(zip(("box_south", "box_west", "box_north", "box_east"), box, strict=True))
            height = STRIPS[self.place.system]
            first, last = math.floor(box[0] / height), math.floor(box[2] / height)
            told |= {"first_strip": first, "last_strip": last}
            if last - first < MOST_STRIPS:
                strips = list(range(first, last + 1))
                told["strips"] = json.dumps(strips) if self.sqlite else strips
        return told

    @functools.cached_property
    def box(self) -> tuple[float, float, float, float] | None:
        """South, west, north and east of where homes can be; None where anywhere."""
        f, boxes = self.filters, []
        if f.south is not None:
            boxes.append((f.south, f.west, f.north, f.east))
        if f.radius is not None:
            up, across = f.radius / self.place.north, f.radius / self.place.east
            boxes.append((f.latitude - up, f.longitude - across, f.latitude + up, f.longitude + across))
        if not boxes:
            return None
        south, west, north, east = zip(*boxes, strict=True)
        return max(south), max(west), min(north), min(east)

    def conditions(self, way: str, kinds: str | None = None) -> list[str]:
        """The filters as SQL, for an index entered that way; `kinds` is the condition on kinds, else on all of them."""
        entered = ENTERED[way]
        f, found = self.filters, self._places(way)
        if f.location is not None:
            found["home.location = :location"] = "location" in entered
        for name, column in RANGES.items():
            if name == "bedrooms" and self._all_have_the_rooms():
                continue
            for end, sign in (("min", ">="), ("max", "<=")):
                if getattr(f, f"{name}_{end}") is not None:
                    found[f"home.{column} {sign} :{name}_{end}"] = name in entered
        if self.order != DISTANCE:
            found[f"{self.by} IS NOT NULL"] = self.order in entered
        for number in range(len(self.sought.words) if self.sought else 0):
            # Before the home itself is looked up, where its address is there already.
            spoken = "' ' || property_words.address || ' '" if way == "words" else "home.words"
            found[f"{'instr' if self.sqlite else 'strpos'}({spoken}, :word_{number}) > 0"] = way == "words"
        if "kind" in entered or f.property_type is not None or self._rooms():
            found[kinds or self._among("home.kind", "kinds")] = "kind" in entered
        others = " AND ".join(sql for sql, enters in found.items() if not enters)
        return [sql for sql, enters in found.items() if enters] + ([f"({others}) IS TRUE"] if others else [])

    def _rooms(self) -> bool:
        return self.filters.bedrooms_min is not None or self.filters.bedrooms_max is not None

    def _all_have_the_rooms(self) -> bool:
        """Whether kinds alone tell that homes have the bedrooms that are asked for."""
        low, high = self.filters.bedrooms_min, self.filters.bedrooms_max
        return all(
            (low is None or row["bedrooms_min"] >= low) and (high is None or row["bedrooms_max"] <= high)
            for row in self.kinds
        )

    def _places(self, way: str) -> dict[str, bool]:
        box = self.box
        if box is None:
            return {}
        found = {"home.longitude BETWEEN :box_west AND :box_east": way == "place"}
        found["home.latitude BETWEEN :box_south AND :box_north"] = False
        if way == "place":
            few = (box[2] - box[0]) / STRIPS[self.place.system] < MOST_STRIPS - 1
            strips = self._among("home.strip", "strips") if few else "home.strip BETWEEN :first_strip AND :last_strip"
            found[strips] = True
        if self.filters.radius is not None:
            found[f"{DISTANCE_SQL} <= :square_radius"] = False
        return found

    def _among(self, column: str, name: str) -> str:
        if self.sqlite:
            return f"{column} IN (SELECT value FROM json_each(:{name}))"
        return f"{column} = ANY(:{name})"
