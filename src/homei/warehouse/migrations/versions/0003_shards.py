"""Both large tables have shards, and partitions in PostgreSQL; and what each published shard holds.

Rows are copied into new tables, so that readers of the old ones go on. Services of revision 0002 find all columns
that they read in the new tables.
"""

import hashlib
import itertools

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
KEYS = {"property_analytics": ["property_id"], "property_history": ["event", "event_id"]}
FILTERS = ["price", "square_meters", "bedrooms", "year_built"]
INDEXES = {
    "property_analytics": {
        "ix_property_price": ["price", "property_id", "square_meters", "bedrooms", "year_built"],
        "ix_property_area": ["square_meters", "property_id", "price", "bedrooms", "year_built"],
        "ix_property_year": ["year_built", "property_id", "price", "square_meters", "bedrooms"],
        "ix_property_location": ["location", "price", "property_id", "property_type", *FILTERS[1:]],
        "ix_property_place": ["strip", "longitude", "latitude", *FILTERS, "property_id"],
    },
    "property_history": {"ix_history_property": ["property_id", "happened_on"]},
}
WORDS = "array_to_tsvector(string_to_array(words, ' '))"
SHARD = {
    "postgresql": "get_byte(sha256(convert_to(coalesce(property_analytics.location, ''), 'UTF8')), 0)",
    "sqlite": "homei_shard(property_analytics.location)",
}
ROWS = {
    "property_analytics": "SELECT {columns}, {shard} FROM property_analytics",
    # Events of properties that are not published are in the shard of no location, as without one.
    "property_history": "SELECT {columns}, {shard} FROM property_history "
    "LEFT JOIN property_analytics USING (property_id)",
}


def upgrade() -> None:
    if not _is_postgresql():
        connection = op.get_bind().connection.dbapi_connection
        connection.create_function("homei_shard", 1, lambda name: hashlib.sha256((name or "").encode()).digest()[0])
    # The shard of an event follows from the property's location.
    for table in ("property_history", "property_analytics"):
        names = ", ".join(f"{table}.{column.name}" for column in _columns(table))
        shard = SHARD["postgresql" if _is_postgresql() else "sqlite"]
        _replace(table, ROWS[table].format(columns=names, shard=shard), has_shard=True)
    op.create_table(
        "published_shards",
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("published_shards")
    for table in KEYS:
        names = ", ".join(column.name for column in _columns(table))
        _replace(table, f"SELECT {names} FROM {table}", has_shard=False)


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _replace(table: str, rows: str, has_shard: bool) -> None:
    """Makes a new table with these rows take the place of the old one."""
    new = f"{table}_new"
    shard = [sa.Column("shard", sa.SmallInteger, nullable=False)] if has_shard else []
    key = sa.PrimaryKeyConstraint(*KEYS[table], *(column.name for column in shard), name=f"pk_{new}")
    checks = [sa.CheckConstraint("event IN ('sale', 'listing')", name="known")] if table == "property_history" else []
    options = {"postgresql_partition_by": "RANGE (shard)"} if has_shard else {}
    op.create_table(new, *_columns(table), *shard, key, *checks, **options)
    if has_shard and _is_postgresql():
        n_partitions = context.config.attributes["partitions"]
        ends = [number * 256 // n_partitions for number in range(n_partitions + 1)]
        for first, end in itertools.pairwise(ends):
            name = f"{table}_{first:03d}_{end - 1:03d}"
            op.execute(f"CREATE TABLE {name} PARTITION OF {new} FOR VALUES FROM ({first}) TO ({end})")
    op.execute(f"INSERT INTO {new} {rows}")
    if _is_postgresql():
        # Indexes are made before the old table is locked, and renamed after it is gone.
        _create_indexes(new, table, has_shard, "_new")
        op.drop_table(table)
        op.rename_table(new, table)
        _rename(table)
    else:
        op.drop_table(table)
        op.rename_table(new, table)
        _create_indexes(table, table, has_shard, "")


def _create_indexes(on: str, table: str, has_shard: bool, suffix: str) -> None:
    for name, columns in INDEXES[table].items():
        in_shard = ["shard"] if has_shard and name == "ix_property_location" else []
        op.create_index(name + suffix, on, [*columns, *in_shard])
    if table == "property_analytics" and _is_postgresql():
        op.execute(f"CREATE INDEX ix_property_words{suffix} ON {on} USING gin ({WORDS})")


def _rename(table: str) -> None:
    op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT pk_{table}_new TO pk_{table}")
    words = ["ix_property_words"] if table == "property_analytics" else []
    for name in [*INDEXES[table], *words]:
        op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")


def _of(kind: type, *names: str, nullable: bool = True) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _columns(table: str) -> list[sa.Column]:
    """The columns of revision 0002."""
    if table == "property_history":
        return [
            *_of(sa.Text, "event", "event_id", "property_id", nullable=False),
            sa.Column("happened_on", sa.Date, nullable=False),
            sa.Column("ended_on", sa.Date),
            *_of(sa.Double, "price", "square_meters"),
            sa.Column("is_market", sa.Boolean),
        ]
    return [
        *_of(sa.Text, "property_id", nullable=False),
        *_of(sa.Text, "address", "location", "property_type"),
        *_of(sa.Double, "square_meters", "bedrooms", "bathrooms", "floor"),
        sa.Column("year_built", sa.Integer),
        *_of(sa.Double, "latitude", "longitude"),
        sa.Column("strip", sa.Integer),
        sa.Column("words", sa.Text),
        *_of(sa.Double, "price", "valued_price", "valued_low", "valued_high", "confidence"),
        sa.Column("flags", sa.Text),
        *_of(sa.BigInteger, "market_sales", "other_sales", nullable=False),
        sa.Column("first_sale_date", sa.Date),
        sa.Column("first_sale_price", sa.Double),
        sa.Column("last_sale_date", sa.Date),
        *_of(sa.Double, "last_sale_price", "last_price_per_square_meter", "last_price_today", "yearly_change"),
        sa.Column("listings_seen", sa.BigInteger, nullable=False),
        sa.Column("last_days_on_market", sa.Integer),
        sa.Column("last_asking_price", sa.Double),
        sa.Column("is_listed", sa.Boolean, nullable=False),
        *_of(sa.Double, "asked_before_sale", "discount_to_asking"),
        sa.Column("features", DOCUMENT, nullable=False),
    ]
