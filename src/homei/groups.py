"""The groups that a source declares for fairness to be looked at: where each sale's value of them comes from."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from homei.section import Section


class Group(Section):
    """An attribute by which fairness is looked at: a column of the sales, or what a CSV file tells by one of them.

    The file has the sales' `key` in the column `key_column` (by default of the same name), and the group in `value`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    column: str | None = None
    file: str | None = None
    key: str | None = None
    key_column: str | None = None
    value: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"

    @model_validator(mode="after")
    def _is_a_column_or_a_file(self) -> Group:
        of_a_file = (self.file, self.key, self.value)
        if self.column is not None and any(told is not None for told in (*of_a_file, self.key_column)):
            raise ValueError("has a column of the sales: file, key, key_column and value belong to a group from a file")
        if self.column is None and None in of_a_file:
            raise ValueError("needs either column, or file with key and value")
        return self

    @property
    def origin(self) -> str:
        """Where its values come from, in words."""
        return f"the sales' {self.column}" if self.column else f"{self.file}, by {self.key}"

    @property
    def required(self) -> bool:
        """Whether its file must be there, as that of a lookup may be."""
        return True


def check_groups(groups: Sequence[Group], known: Sequence[str]) -> None:
    """Raises ValueError for two groups of one name, and for a column or key that is not among the `known` ones."""
    names = [group.name for group in groups]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"groups: several are called {', '.join(twice)}: give each a name of its own")
    for group in groups:
        for field in ("column", "key"):
            name = getattr(group, field)
            if name is not None and name not in known:
                nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
                raise ValueError(
                    f"groups.{group.name}.{field} = {name!r}: there is no such column; did you mean {nearest}?"
                )
