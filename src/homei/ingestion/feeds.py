"""Incremental feeds, the base class of all kinds that are not files; and the section `fetch`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, field_validator

from homei.config.feeds import Feed, FeedsConfig
from homei.config.model import ConfigModel
from homei.config.texts import ColumnName


class FetchConfig(ConfigModel):
    """The files that `homei fetch` downloads: ids in data.gov.sg's dataset API by file name."""

    url: str
    datasets: dict[str, str] = {}


class Span(NamedTuple):
    """The changes to read: from `since` (None for all) up to and including `until`, both in UTC."""

    since: datetime.datetime | None
    until: datetime.datetime


class IncrementalFeed(Feed):
    """A feed whose records change at their source: `homei fetch` lands them, each identified by its key.

    `changed` names the column with the time of a record's last change. With it, only new changes are read: those since
    the last time, less `overlap_days`, because servers' clocks and commits lag.
    """

    key: Annotated[list[ColumnName], Field(min_length=1)]
    changed: ColumnName | None = None
    overlap_days: Annotated[int, Field(ge=0)] = 1
    absent: Literal["deleted", "kept"] = "deleted"  # what a landed record is that a complete reading does not have

    @field_validator("key", mode="before")
    @classmethod
    def _bare_string_is_one_column(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    def came_from(self) -> str:
        """The feed's address as declared, with the names of secrets in place of their values."""
        return self.kind

    def present_keys(self, read: set[str], memory: Mapping[str, str]) -> set[str] | None:
        """The keys of all records that the source has after a reading, None if the reading was not complete."""
        return read if self.changed is None and read else None

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[Any]:
        """The feed's records in batches: lists of (nested) dictionaries, or Arrow tables.

        Changes outside the span may be included. The feed may write to `memory`, such as ETags: it is stored with the
        records once all of them are landed, and passed again the next time.
        Raises SourceError where the source can't be read to its end.
        """
        raise NotImplementedError


def incremental_feeds(feeds: FeedsConfig) -> Iterator[tuple[str, IncrementalFeed]]:
    """The feeds that are read from a server or database, each after its table."""
    for table, of_table in feeds.by_table():
        yield from ((table, feed) for feed in of_table if isinstance(feed, IncrementalFeed))
