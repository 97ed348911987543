"""The lake: the only place that reads or writes tables, reports and models, each byte-stable and swapped in whole.

A table is a folder of Parquet files. Writers fill a folder beside the target and rename it into place, so that a
run that is killed leaves the old version or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# By table of the source: what came, as it came.
RAW = {
    "sales": Path("data/raw/transactions/sales"),
    "listings": Path("data/raw/properties/listings"),
    "customers": Path("data/raw/customers/customers"),
    "leads": Path("data/raw/customers/leads"),
    "indicators": Path("data/raw/external/indicators"),
    "places": Path("data/raw/external/places"),
}
HISTORICAL = Path("data/archive/historical")
BACKUPS = Path("data/archive/backups")
# By table of the source: what keeps its contract.
VALID = {name: Path("data/processed/valid", name) for name in ("sales", "listings", "customers", "leads", "indicators")}
VALID_SALES = VALID["sales"]
VALID_LISTINGS = VALID["listings"]
VALID_CUSTOMERS = VALID["customers"]
VALID_LEADS = VALID["leads"]
VALID_INDICATORS = VALID["indicators"]
VALID_PLACES = Path("data/processed/valid/places")
RESOLVED_SALES = Path("data/processed/resolved/sales")
RESOLVED_PROPERTIES = Path("data/processed/resolved/properties")
RESOLVED_LISTINGS = Path("data/processed/resolved/listings")
MERGED_SALES = Path("data/processed/resolved/merged_sales")
QUARANTINE = Path("data/processed/quarantine")
READY = Path("data/processed/ml_ready/sales")
MARKET_INDEX = Path("data/processed/aggregates/market_index")
MARKET_HISTORY = Path("data/processed/aggregates/market_history")
# By property and by place: what training has joined to its rows, and what the service looks up for a request.
PREVIOUS_SALES = Path("data/processed/features/previous_sales")
PLACES = Path("data/processed/features/places")
SOLD = Path("data/processed/features/sold")
ADJUSTMENTS = Path("data/processed/aggregates/adjustments")
PROPERTY_ANALYTICS = Path("data/curated/analytics/property_analytics")
CUSTOMER_ANALYTICS = Path("data/curated/analytics/customer_analytics")
MARKET_ANALYTICS = Path("data/curated/analytics/market_analytics")
PROPERTY_FEATURES = Path("data/curated/views/property_features")
DATA_QUALITY = Path("data/curated/views/data_quality")
PREDICTIONS = Path("data/processed/predictions")
VALUATIONS = Path("data/processed/valuations")
BACKTEST = Path("data/processed/backtest")

# Arrow's own allocator gives memory back and asks for it anew all the time: a third of the time that checking takes.
pa.set_memory_pool(pa.system_memory_pool())

# Spark frames that are written at a time: each is planned on one core, longer than a small city takes to be written.
ABREAST = 3
TEXT, DAY = pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.date32())


class MissingTableError(FileNotFoundError):
    """A table that an earlier stage should have left."""


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A fresh folder beside `target` that takes its place when the block ends well, and vanishes otherwise."""
    side, old = (target.with_name(f".{target.name}.{state}") for state in ("writing", "replaced"))
    restore(target)
    shutil.rmtree(side, ignore_errors=True)
    side.mkdir(parents=True)
    try:
        yield side
    except BaseException:
        shutil.rmtree(side, ignore_errors=True)
        raise
    if target.is_dir() and not target.is_symlink():
        target.rename(old)
    else:
        target.unlink(missing_ok=True)
    side.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def restore(target: Path) -> None:
    """Puts a folder back in place where a run was killed between taking the old one away and putting the new one."""
    old = target.with_name(f".{target.name}.replaced")
    if old.is_dir() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def read(table: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table's rows in their stored order, year by year where it is parted; raises MissingTableError naming it."""
    rows = pq.read_table(_there(table), columns=list(columns) if columns else None, partitioning=None)
    return rows.to_pandas(date_as_object=False)


def read_texts(table: Path) -> pd.DataFrame:
    """As `read`, but for raw tables: their many texts stay as they are stored, of type TEXT."""
    return pq.read_table(_there(table)).to_pandas(types_mapper={pa.string(): TEXT}.get)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with texts as texts and moments as days, even where a column is empty and would have no type at all."""
    days = frame.select_dtypes("datetime").columns
    texts = frame.select_dtypes(object).columns
    return frame.astype({**dict.fromkeys(texts, TEXT), **dict.fromkeys(days, DAY)})


def write(rows: pd.DataFrame | pa.Table, table: Path) -> None:
    """The rows as a table of one file, in the given order, without an index."""
    with replacing(table) as folder:
        found = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        _store(found, folder / "part-00000.parquet")


def read_arrow(file: Path) -> pa.Table:
    """The rows of one Parquet file as they are stored; raises MissingTableError naming it."""
    return pq.read_table(_there(file))


def write_arrow(rows: pa.Table, file: Path) -> None:
    """One Parquet file, swapped in whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    side = file.with_name(f".{file.name}.writing")
    _store(rows, side)
    side.replace(file)


def read_spark(spark: SparkSession, table: Path) -> DataFrame:
    """A table as a Spark frame; raises MissingTableError naming the table."""
    return spark.read.parquet(str(_there(table).resolve()))


def write_spark(frame: DataFrame, table: Path, key: Sequence[str], years_of: str | None = None) -> None:
    """A Spark frame as a table, its rows ordered by `key`, which must be unique for the bytes to be stable.

    `years_of` names a column of dates, or of months counted from year 0: each year's rows then lie in a folder of
    their own (`year=2024`), so that who asks for a year reads no other.
    """
    with replacing(table) as folder:
        written = folder / "written"
        ordered = frame.repartition(1, *key).sortWithinPartitions(*key)
        ordered.write.option("compression", "none").parquet(str(written.resolve()))
        # Spark's names carry a random id, markers and checksums come along, and Parquet's Java writer lists the
        # encodings of a column in the order of object addresses: the rows are stored anew.
        rows = pq.read_table(written)
        shutil.rmtree(written)
        parts = {".": rows} if years_of is None or not rows.num_rows else _by_year(rows, rows[years_of])
        for place, part in parts.items():
            (folder / place).mkdir(exist_ok=True)
            _store(part, folder / place / "part-00000.parquet")


class SparkTable(NamedTuple):
    """What `write_spark` is told of a table."""

    frame: DataFrame
    table: Path
    key: Sequence[str]
    years_of: str | None = None


def write_spark_tables(tables: Iterable[SparkTable]) -> None:
    """Several tables side by side, each as `write_spark` writes it."""
    with ThreadPoolExecutor(ABREAST) as pool:
        list(pool.map(lambda table: write_spark(*table), tables))


def _by_year(rows: pa.Table, dated: pa.ChunkedArray) -> dict[str, pa.Table]:
    years = pc.divide(dated, 12) if pa.types.is_integer(dated.type) else pc.year(dated)
    return {f"year={year}": rows.filter(pc.equal(years, year)) for year in pc.unique(years).to_pylist()}


def _store(rows: pa.Table, file: Path) -> None:
    """The one way in which rows become bytes."""
    # Where pages end depends on where chunks do.
    pq.write_table(rows.replace_schema_metadata().combine_chunks(), file, compression="zstd")


def write_text(text: str, path: Path) -> None:
    """A text file, swapped in whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = path.with_name(f".{path.name}.writing")
    side.write_text(text, encoding="utf-8", newline="\n")
    side.replace(path)


def write_json(value: Any, path: Path) -> None:
    """`value` as indented JSON; NaN is refused, as JSON has none."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_json(path: Path) -> Any:
    """What a JSON file holds; raises MissingTableError naming it."""
    return json.loads(_there(path).read_text(encoding="utf-8"))


def read_csv(path: Path) -> pd.DataFrame:
    """The rows of a report's CSV file; raises MissingTableError naming it."""
    return pd.read_csv(_there(path))


def _there(path: Path) -> Path:
    if not path.exists():
        raise MissingTableError(f"{path} is not there: `dvc repro` builds it")
    return path


def digest(*paths: Path) -> str:
    """SHA-256 over the names and bytes of files and folders, in order of name, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()
