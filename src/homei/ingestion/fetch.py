"""Stage `fetch`: a source's incremental feeds into their landings, and its files downloaded or copied."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from homei.config.city import CityConfig
from homei.config.feeds import FeedsConfig, Source
from homei.ingestion.connectors.http_client import FetchError
from homei.ingestion.connectors.text_rows import SourceError
from homei.ingestion.feeds import FetchConfig, incremental_feeds
from homei.ingestion.landing import folder_of, land
from homei.ingestion.source_files import copy_files, download_datasets


def run(
    city: CityConfig,
    feeds: FeedsConfig,
    fetch: FetchConfig,
    from_dir: Path | None = None,
    again: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Fetches a source into its folder and returns the paths of its landings and files.

    With `from_dir`, only files are copied from there. Otherwise each feed is read from where the last fetch ended (or
    from the start, `again`), and each dataset of section `fetch` is downloaded unless it is intact. Raises FetchError
    that names all failed feeds, after everything else was fetched.
    """
    source = Source(city, feeds)
    if from_dir is not None:
        return copy_files(source, from_dir)
    landings, failures = [], []
    for table, feed in incremental_feeds(feeds):
        try:
            counts = land(city, table, feed, again)
        except (SourceError, FetchError) as error:
            failures.append(f"{table}: {error}")
            continue
        summary = ", ".join(f"{count:,} {name}" for name, count in counts._asdict().items())
        print(f"homei: {table} from {feed.name}: {summary}", file=sys.stderr)  # noqa: T201
        landings.append(folder_of(city, table, feed))
    if not fetch.datasets and not landings and not failures:
        raise FetchError(f"city {city.name} declares no address to fetch from: copy its files with --from DIR")
    files = download_datasets(source, fetch, sleep) if fetch.datasets else []
    if failures:
        raise FetchError("\n".join(failures))
    return [*landings, *files]
