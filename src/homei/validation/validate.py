"""Stage `validate`: valid records with types, all others in quarantine with their reasons."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from homei.config.city import CityConfig, ContractConfig
from homei.config.feeds import TABLES, FeedsConfig, Source
from homei.spark.config import SparkConfig
from homei.storage import lake
from homei.storage.config import StorageConfig
from homei.validation.config import ValidateConfig
from homei.validation.contracts import Validated, breaches, reason_rows
from homei.validation.deeds import FURTHER, deed_reasons
from homei.validation.parsing import NULLS, Parsed, parse, types_of
from homei.validation.place_checks import validate_places
from homei.validation.quality import REPORTS, shared_prices, summary
from homei.validation.quality_errors import check_quality
from homei.validation.repeats import DELETED, FURTHER_ROW, OTHER_AREA, REPLACED, STATED, repeats
from homei.validation.tally import tally_of

EXCLUDED = "excluded"
ORIGIN = ["source_feed", "source_file", "source_line"]


def run(
    city: CityConfig,
    feeds: FeedsConfig,
    contract: ContractConfig,
    validate: ValidateConfig,
    storage: StorageConfig | None = None,
    spark: SparkConfig | None = None,
) -> None:
    """Writes the valid tables, the quarantine and reports/quality/quality.json.

    Raises QualityError, after writing quarantine and reports, if more than `max_rejected_share` of the records of a
    feed are rejected.
    """
    source = Source(city, feeds, contract)
    if storage is not None and storage.is_external:
        from homei.validation.validation_in_spark import run_in_spark

        run_in_spark(source, validate, storage, spark)
        return
    raw = {table: lake.read_text_columns(lake.RAW[table]) for table in TABLES}
    validated = {table: validate_records(rows, source, table) for table, rows in raw.items()}
    places = validate_places(lake.read(lake.RAW["places"]), source)
    tallies = {table: tally_of(rows, validated[table], source, table) for table, rows in raw.items()}
    prices = shared_prices(validated["sales"].valid, source)
    quality = summary(tallies, places.counts, prices, source, validate.max_rejected_share)
    rejected = [
        lake.typed(rows.quarantined.assign(source_table=table))
        for table, rows in {**validated, "places": places}.items()
    ]
    lake.write(pd.concat(rejected, ignore_index=True), lake.QUARANTINE)
    report(quality)
    check_quality(quality, source, tallies)
    for table, target in lake.VALID.items():
        lake.write(validated[table].valid, target)
    lake.write(places.valid, lake.VALID_PLACES)
    lake.write(feed_columns(source), lake.FEED_COLUMNS)


def report(quality: Mapping[str, Any]) -> None:
    """Writes quality.json and prints its warnings."""
    lake.write_json(quality, REPORTS / "quality.json")
    for warning in quality["warnings"]:
        print(f"homei: {warning['table']}, {warning['about']}: {warning['message']}", file=sys.stderr)  # noqa: T201


def validate_records(raw: pd.DataFrame, source: Source, table: str = "sales") -> Validated:
    """Each raw record once, in raw order: typed if it is valid, unchanged in quarantine if it is not."""
    return validate_parsed(raw, parse(raw, source, table), source, table)


def validate_parsed(raw: pd.DataFrame, parsed: Parsed, source: Source, table: str) -> Validated:
    """As `validate_records`, for parsed records: all of a table, or all that may repeat each other."""
    breached = breaches(raw, parsed, source, table)
    by_contract = breached[breached["costs_row"]]
    cells = breached[~breached["costs_row"]]
    columns = _without_cells(parsed, cells, source, table)
    reasons = _with_repeats(raw, columns, by_contract, source, table)
    is_valid = np.ones(len(raw), dtype=bool)
    is_valid[reasons["row"]] = False
    joined = reasons.groupby("row")["reason"].agg("; ".join)
    quarantined = raw[~is_valid].drop(columns="source_fault").assign(reasons=joined.to_numpy(dtype=object))
    typed = columns[is_valid].join(raw[ORIGIN])
    if table == "indicators":
        typed = with_months(typed, source)
    cells = cells[is_valid[cells["row"]]].reset_index(drop=True)
    return Validated(
        lake.typed(typed).reset_index(drop=True),
        quarantined.reset_index(drop=True),
        reasons[~reasons["is_aside"]].reset_index(drop=True),
        reasons[reasons["is_aside"]].reset_index(drop=True),
        cells,
    )


def _without_cells(parsed: Parsed, cells: pd.DataFrame, source: Source, table: str) -> pd.DataFrame:
    """The columns without the values of `cells`; a coordinate is lost with the other one."""
    columns, dtypes = parsed.columns.copy(), types_of(source, table)
    for name, rows in cells.groupby("column")["row"]:
        partner = {"latitude": "longitude", "longitude": "latitude"}.get(name)
        for lost in filter(None, (name, partner)):
            columns.iloc[rows, columns.columns.get_loc(lost)] = NULLS[dtypes[lost]]
    return columns


def _with_repeats(
    raw: pd.DataFrame, columns: pd.DataFrame, by_contract: pd.DataFrame, source: Source, table: str
) -> pd.DataFrame:
    """All reasons with `is_aside`: whether the row is set aside without being rejected.

    A row that is excluded, that its source has replaced, deleted or already stated, or that is a further row of a deed
    has no other reason.
    """
    feeds, excluded = source.of(table), _excluded(raw)
    rejected = {*by_contract["row"], *excluded["row"]}
    by_other_row = pd.concat([excluded, repeats(raw, feeds, table, rejected)], ignore_index=True)
    if table == "sales":
        of_deeds = deed_reasons(raw, columns, feeds, rejected | {*by_other_row["row"]})
        by_other_row = pd.concat([by_other_row, of_deeds], ignore_index=True)
    is_aside = by_other_row["kind"].isin([EXCLUDED, DELETED, REPLACED, STATED, FURTHER_ROW, OTHER_AREA, FURTHER])
    aside = by_other_row.loc[is_aside, "row"]
    by_other_row = by_other_row.assign(is_aside=is_aside).drop_duplicates("row")
    remaining = by_contract.loc[~by_contract["row"].isin(aside), ["row", "kind", "reason"]].assign(is_aside=False)
    reasons = pd.concat([remaining, by_other_row], ignore_index=True).astype({"row": np.int64, "is_aside": bool})
    return reasons.sort_values("row", kind="stable", ignore_index=True)


def _excluded(raw: pd.DataFrame) -> pd.DataFrame:
    """The rows that are no records by the feed's `include` and `exclude`, with their reasons."""
    if "source_excluded" not in raw:
        return reason_rows([], "", [])
    rows = np.flatnonzero((raw["source_excluded"].notna() & raw["source_fault"].isna()).to_numpy())
    return reason_rows(rows, EXCLUDED, [f"{EXCLUDED}: {reason}" for reason in raw["source_excluded"].iloc[rows]])


def with_months(indicators: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Indicators with `month` and `known_from`, the month of publication, as texts ("2024-05")."""
    lags = {feed.name: feed.lag_months for feed in source.feeds.indicators}
    month = indicators["month"].to_numpy().astype("datetime64[M]")
    published = month + indicators["source_feed"].map(lags).to_numpy(np.int64)
    texts = {"month": month.astype(str).astype(object), "known_from": published.astype(str).astype(object)}
    return indicators.assign(**texts)[["series", "month", "value", "known_from", *ORIGIN]]


def feed_columns(source: Source) -> pd.DataFrame:
    """One row per column that a feed maps, and whether it is required."""
    rows = [
        (table, feed.name, name, name in source.required(table))
        for table in TABLES
        for feed in source.of(table)
        for name in feed.columns
    ]
    return pd.DataFrame(rows, columns=["table_name", "feed", "column_name", "is_required"])
