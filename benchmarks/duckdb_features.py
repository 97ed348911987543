"""DuckDB's time for the joins and as-of aggregates of the stage `features`, over the same resolved sales.

    python -m benchmarks.duckdb_features RESOLVED_SALES MARKET_INDEX

The query computes the market history of three kinds of places in all trailing windows, joins it to each sale, and adds
the previous sale of the property. It leaves out what `features` does besides: the price index, which it reads, and
comparables and points of interest.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb

PLACES = {
    "location": "location",
    "fine": "format('{}:{}', floor(latitude / 0.0045), floor(longitude / 0.0045))",
    "coarse": "format('{}:{}', floor(latitude / 0.018), floor(longitude / 0.018))",
}
WINDOWS = (3, 12)
KEYED = """
    create temp table keyed as
    select sale.*, cast(round(1e6 * (ln(price / square_meters) - market_level)) as bigint) as u,
           {places}
    from (select *, year(sale_date) * 12 + month(sale_date) - 1 as month from read_parquet({sales}) where is_market)
         as sale left join read_parquet({index}) as level using (month)
"""
MONTHLY = """
    create temp table monthly as
    select level, place, property_type, month, count(u) as n, sum(u) as total, sum(u * u) as squares
    from (unpivot (select month, property_type, u, {names} from keyed where u is not null) on {names}
          into name level value place)
    group by all
"""
HISTORY = """
    create temp table history as
    select level, place, property_type, month + lag as month, {sums}
    from monthly, range(1, {widest} + 1) as lags(lag) group by all
"""
PREVIOUS = """
    create temp table previous as
    select property_id, month, lag(total) over properties as previous_total,
           lag(month) over properties as previous_month
    from (select property_id, month, avg(u) as total from keyed where property_id is not null group by all)
    window properties as (partition by property_id order by month)
"""


def main(sales: str, index: str) -> None:
    names = [f"{name}_place" for name in PLACES]
    sums = ", ".join(
        f"sum({column}) filter (lag <= {window}) as {column}_{window}"
        for window in WINDOWS
        for column in ("n", "total", "squares")
    )
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(str(Path(scratch, "features.duckdb"))) as database:
        database.execute(f"set temp_directory = '{scratch}'")
        places = ", ".join(f"{place} as {name}_place" for name, place in PLACES.items())
        database.execute(KEYED.format(sales=literal(sales), index=literal(index), places=places))
        database.execute(MONTHLY.format(names=", ".join(names)))
        database.execute(HISTORY.format(sums=sums, widest=max(WINDOWS)))
        database.execute(PREVIOUS)
        joins = " ".join(
            f"left join (select * exclude (level) from history where level = '{name}') as of_{name} "
            f"on of_{name}.place = keyed.{name} and of_{name}.property_type = keyed.property_type "
            f"and of_{name}.month = keyed.month"
            for name in names
        )
        query = f"select keyed.*, {', '.join(f'of_{name}.* exclude (place, property_type, month)' for name in names)}, "
        query += "previous.previous_total, previous.previous_month from keyed "
        query += f"{joins} left join previous on keyed.property_id = previous.property_id "
        query += "and keyed.month = previous.month"
        written = Path(scratch, "training_set.parquet")
        database.execute(f"copy ({query}) to '{written}' (compression zstd)")
        rows = database.execute(f"select count(*) from read_parquet('{written}')").fetchone()[0]
    sys.stdout.write(f"{rows:,} rows\n")


def literal(path: str) -> str:
    """A folder of Parquet files, as a text of SQL."""
    return "'" + f"{path}/**/*.parquet".replace("'", "''") + "'"


if __name__ == "__main__":
    main(*sys.argv[1:])
