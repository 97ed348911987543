"""Assignment of requests to champion or challenger by a keyed hash, stable for each unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, get_args

from homei.registry.config import ExperimentConfig

UNITS = get_args(ExperimentConfig.model_fields["unit"].annotation)
CHAMPION, CHALLENGER = "champion", "challenger"
BITS = 53  # of the hash: a float represents the fraction exactly, so it never rounds up to 1


def hash_fraction(salt: str, unit: str) -> float:
    """A number in [0, 1), uniformly distributed over units and determined by salt and unit."""
    digest = blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()).digest()
    return (int.from_bytes(digest) >> (64 - BITS)) / (1 << BITS)


@dataclass(frozen=True)
class ExperimentDesign:
    """All parameters that define an experiment; a change of any of them makes another experiment."""

    salt: str
    unit: str  # one of UNITS
    share: float
    champion: str  # model version
    challenger: str  # model version

    @property
    def name(self) -> str:
        """All parameters as one name, such as "spring/property/0.2/787cd77b9503/0b5e7c1d2f3a"."""
        return "/".join([self.salt, self.unit, repr(self.share), self.champion, self.challenger])

    @classmethod
    def from_name(cls, name: str) -> ExperimentDesign:
        """The design with that `name`; raises ValueError for any other text."""
        salt, unit, share, champion, challenger = name.split("/")
        if unit not in UNITS:
            raise ValueError(f"{name}: {unit} is not a unit of experiments: use one of {', '.join(UNITS)}")
        return cls(salt, unit, float(share), champion, challenger)

    def unit_of(self, row: Mapping[str, Any], client: str | None) -> str | None:
        """The unit that a request belongs to; None if the request does not contain it."""
        return row.get("property_id") if self.unit == "property" else client

    def variant(self, unit: str | None) -> str:
        """The variant for a unit; the champion, outside the experiment, for None."""
        is_challenger = unit is not None and hash_fraction(self.salt, unit) < self.share
        return CHALLENGER if is_challenger else CHAMPION
