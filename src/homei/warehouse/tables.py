"""Tables of the warehouse: published ones mirror the lake, a service writes the service tables.

A publication replaces the rows of PUBLISHED in one transaction and never touches the service tables. Those have no
foreign keys to published tables: a property may vanish from the data, its predictions and feedback stay.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

from homei.warehouse.column_types import Document, UtcDateTime

# The Alembic revision of these tables.
REVISION = "0003"
# The oldest revision that this code works with. Newer ones, also unknown ones, must keep what it uses (expand and
# contract): a migration adds, and removes only what no supported release reads or writes any more.
MIN_REVISION = "0003"
# Height of a strip of equal latitude by coordinate system: half a kilometre, in degrees or metres.
STRIP_HEIGHT = {"wgs84": 0.005, "plane": 500.0}
# The words of an address as PostgreSQL searches them: PostgreSQL's own parser would read 12/3 as one word.
WORD_VECTOR = "array_to_tsvector(string_to_array(words, ' '))"
ALL = ""  # in market_trends: all locations, or all property types

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ck": "ck_%(table_name)s_%(constraint_name)s"})


def _columns(kind: type, *names: str, nullable: bool = True) -> list[Column]:
    return [Column(name, kind, nullable=nullable) for name in names]


# One row that names the data and the model of all PUBLISHED tables.
publication = Table(
    "publication",
    metadata,
    Column("number", Integer, CheckConstraint("number = 1", name="one_row"), primary_key=True, autoincrement=False),
    *_columns(Text, "source", "currency", "data_version", "model_version", "digest", nullable=False),
    Column("as_of", Date, nullable=False),
    Column("level", Double, nullable=False),
)

# Both large tables are partitioned by `shard` in PostgreSQL (partitions.py). It follows from the property's location
# (shards.py), so that a query with a location reads one partition.
#
# `price` is the asking price while a property is listed and its valuation otherwise. `strip` numbers bands of equal
# latitude: (strip, longitude) turns a box or a circle into a few short index ranges. `words` are the words of the
# address in lower case, separated by blanks.
#
# Each ordering has an index that starts with the ordering and property_id, the key of a page. The other columns are
# filters: with them PostgreSQL finds the keys of a page in the index alone, and reads the table for its rows only.
_FILTERS = ("price", "square_meters", "bedrooms", "year_built")
property_analytics = Table(
    "property_analytics",
    metadata,
    Column("property_id", Text, primary_key=True),
    *_columns(Text, "address", "location", "property_type"),
    *_columns(Double, "square_meters", "bedrooms", "bathrooms", "floor"),
    Column("year_built", Integer),
    *_columns(Double, "latitude", "longitude"),
    Column("strip", Integer),
    Column("words", Text),
    *_columns(Double, "price", "valued_price", "valued_low", "valued_high", "confidence"),
    Column("flags", Text),
    *_columns(BigInteger, "market_sales", "other_sales", nullable=False),
    Column("first_sale_date", Date),
    Column("first_sale_price", Double),
    Column("last_sale_date", Date),
    *_columns(Double, "last_sale_price", "last_price_per_square_meter", "last_price_today", "yearly_change"),
    Column("listings_seen", BigInteger, nullable=False),
    Column("last_days_on_market", Integer),
    Column("last_asking_price", Double),
    Column("is_listed", Boolean, nullable=False),
    *_columns(Double, "asked_before_sale", "discount_to_asking"),
    Column("features", Document, nullable=False),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Index("ix_property_price", "price", "property_id", "square_meters", "bedrooms", "year_built"),
    Index("ix_property_area", "square_meters", "property_id", "price", "bedrooms", "year_built"),
    Index("ix_property_year", "year_built", "property_id", "price", "square_meters", "bedrooms"),
    Index("ix_property_location", "location", "price", "property_id", "property_type", *_FILTERS[1:], "shard"),
    Index("ix_property_place", "strip", "longitude", "latitude", *_FILTERS, "property_id"),
    # SQLite searches words in an FTS5 table instead (search_terms.py).
    Index("ix_property_words", text(WORD_VECTOR), postgresql_using="gin").ddl_if(dialect="postgresql"),
    postgresql_partition_by="RANGE (shard)",
)

# Sales and listings of a property, one row each, in the shard of the property; `ended_on` is when a listing was closed.
property_history = Table(
    "property_history",
    metadata,
    Column("event", Text, CheckConstraint("event IN ('sale', 'listing')", name="known"), primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("property_id", Text, nullable=False),
    Column("happened_on", Date, nullable=False),
    Column("ended_on", Date),
    *_columns(Double, "price", "square_meters"),
    Column("is_market", Boolean),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Index("ix_history_property", "property_id", "happened_on"),
    postgresql_partition_by="RANGE (shard)",
)

customer_analytics = Table(
    "customer_analytics",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("registered_on", Date),
    Column("segment", Text),
    *_columns(Integer, "recency_score", "frequency_score", "value_score"),
    Column("last_activity_on", Date),
    Column("last_activity", Text),
    Column("days_since_activity", Integer),
    *_columns(BigInteger, "leads", "inquiries", "viewings", "offers", "purchases", "priced_purchases", nullable=False),
    *_columns(Double, "purchase_value", "lifetime_value", nullable=False),
    *_columns(Text, "wanted_location", "most_asked_location", "most_asked_type"),
    *_columns(Double, "median_budget", "median_asking_price"),
    Index("ix_customer_segment", "segment"),
)

# `indicators` holds the source's indicator series by name.
market_analytics = Table(
    "market_analytics",
    metadata,
    Column("month", Date, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("market_sales", BigInteger, nullable=False),
    *_columns(Double, "average_price", "median_price", "average_price_per_square_meter", "price_index"),
    *_columns(BigInteger, "inventory", "new_listings", "closed_listings"),
    *_columns(Double, "months_of_supply", "median_days_on_market"),
    Column("indicators", Document, nullable=False),
    Index("ix_market_location", "location", "month"),
)

# Months, quarters and years are stored apart, because a year's median does not follow from its months' medians.
# Price index, inventory and listings cover all property types.
market_trends = Table(
    "market_trends",
    metadata,
    Column("frequency", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("property_type", Text, primary_key=True),
    Column("period", Date, primary_key=True),
    Column("market_sales", BigInteger, nullable=False),
    *_columns(Double, "median_price", "average_price_per_square_meter", "price_index"),
    *_columns(BigInteger, "inventory", "new_listings", "closed_listings"),
)

PUBLISHED = (property_analytics, property_history, customer_analytics, market_analytics, market_trends)
PARTITIONED = (property_analytics, property_history)

# What each shard of a published table holds, so that the next publication sends only shards that differ. A table
# without shards is one. `content` is ContentSum.digest().
published_shards = Table(
    "published_shards",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
)

# Every valuation. The service generates `prediction_id`, so that writing a buffered row twice stores it once.
predictions = Table(
    "predictions",
    metadata,
    Column("prediction_id", Text, primary_key=True),
    Column("predicted_at", UtcDateTime, nullable=False),
    *_columns(Text, "request_id", "client", "property_id"),
    Column("inputs", Document, nullable=False),
    *_columns(Double, "price", "low", "high", "level", "confidence", nullable=False),
    Column("flags", Document, nullable=False),
    *_columns(Text, "variant", "model_version", "data_version", nullable=False),
    Column("latency_ms", Double, nullable=False),
    Column("experiment", Text),  # ExperimentDesign.name of homei.registry.variant_assignment, if any
    Index("ix_predictions_time", "predicted_at"),
    Index("ix_predictions_property", "property_id", "predicted_at"),
    Index(
        "ix_predictions_experiment",
        "experiment",
        "predicted_at",
        sqlite_where=text("experiment IS NOT NULL"),
        postgresql_where=text("experiment IS NOT NULL"),
    ),
)

# Sale prices that clients report, one row for each idempotency key of a client.
feedback = Table(
    "feedback",
    metadata,
    Column("client", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    *_columns(Text, "prediction_id", "property_id"),
    Column("sold_on", Date, nullable=False),
    Column("price", Double, CheckConstraint("price > 0", name="positive_price"), nullable=False),
    Index("ix_feedback_prediction", "prediction_id"),
    Index("ix_feedback_property", "property_id"),
)

# Clients that may request tokens. A revoked client stays, so that its name is never given to another one.
clients = Table(
    "clients",
    metadata,
    Column("client", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", Document, nullable=False),
    Column("requests_per_second", Integer),
    Column("added_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

# The hash of an entry covers the entry before it. The primary key stops two writers from extending the same entry.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("happened_at", UtcDateTime, nullable=False),
    *_columns(Text, "actor", "action", "outcome", nullable=False),
    *_columns(Text, "subject", "request_id"),
    Column("details", Document, nullable=False),
    *_columns(Text, "previous_hash", "hash", nullable=False),
    Index("ix_audit_actor", "actor", "happened_at"),
)
