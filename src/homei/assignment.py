"""Who is answered by the champion and who by the challenger: a keyed hash decides, the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, get_args

from homei import config

UNITS = get_args(config.Experiment.model_fields["unit"].annotation)
CHAMPION, CHALLENGER = "champion", "challenger"
BITS = 53  # of a hash, what a fraction holds exactly: it never rounds up to 1


def fraction(salt: str, unit: str) -> float:
    """A number in [0, 1) that a unit has under a salt, evenly spread; under another salt it is another one."""
    hashed = blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()).digest()
    return (int.from_bytes(hashed) >> (64 - BITS)) / (1 << BITS)


@dataclass(frozen=True)
class Design:
    """All that makes an experiment the one it is: where any of it changes, it is another experiment."""

    salt: str
    unit: str  # of UNITS
    share: float
    champion: str  # the models' versions
    challenger: str

    @property
    def name(self) -> str:
        """The experiment's name, such as "spring/property/0.2/787cd77b9503/0b5e7c1d2f3a": it tells all of it."""
        return "/".join([self.salt, self.unit, repr(self.share), self.champion, self.challenger])

    @classmethod
    def named(cls, name: str) -> Design:
        """The experiment of a name; raises ValueError for what is none."""
        salt, unit, share, champion, challenger = name.split("/")
        if unit not in UNITS:
            raise ValueError(f"{name}: no experiment is by {unit}")
        return cls(salt, unit, float(share), champion, challenger)

    def unit_of(self, row: Mapping[str, Any], client: str | None) -> str | None:
        """What of a request always meets the same model; None where the request doesn't tell it."""
        return row.get("property_id") if self.unit == "property" else client

    def variant(self, unit: str | None) -> str:
        """Which model answers a unit. Without one it is the champion, and the answer is no part of the experiment."""
        takes = unit is not None and fraction(self.salt, unit) < self.share
        return CHALLENGER if takes else CHAMPION
