"""The draft of a city's configuration: guesses with reasons, and questions to the user."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Guess(NamedTuple):
    """The value of one key, the reason for it, examples from the data, and what is doubtful about it."""

    key: str
    value: Any
    reason: str = ""
    examples: tuple[str, ...] = ()
    doubt: str = ""


class Question(NamedTuple):
    """What the data does not tell: the option that answers it, and the choices, the likeliest first."""

    key: str
    text: str
    choices: tuple[str, ...] = ()


class OnboardingError(ValueError):
    """Files or answers from which no configuration can be written."""


@dataclass
class Answers:
    """The user's `--set key=value` options; `used` are those that a guess has looked up and found."""

    values: Mapping[str, str]
    used: set[str] = field(default_factory=set)

    def get(self, key: str) -> str | None:
        if key not in self.values:
            return None
        self.used.add(key)
        return self.values[key]

    def check_all_used(self, keys: list[str]) -> None:
        """Raises OnboardingError for a key that no guess has looked up."""
        for key in self.values:
            if key not in self.used:
                nearest = difflib.get_close_matches(key, keys, n=1, cutoff=0.0)
                hint = f"; did you mean {nearest[0]}?" if nearest else ""
                raise OnboardingError(f"--set {key}: no guess has this key{hint}")


@dataclass
class FeedDraft:
    """A feed of sales: its keys but `columns`, the mapping of each column, and its attributes' kinds."""

    name: str
    settings: dict[str, Guess]
    columns: dict[str, Guess]
    attributes: dict[str, str] = field(default_factory=dict)  # numeric or categorical, by name
    n_rows: int = 0
    lookup: dict[str, Any] | None = None
    currency: str | None = None  # whose sign the prices have; one of several that share it


@dataclass
class CityDraft:
    """A whole configuration before it is written."""

    city: dict[str, Guess]
    contract: dict[str, Guess]
    feeds: list[FeedDraft]
    places: list[Guess] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
