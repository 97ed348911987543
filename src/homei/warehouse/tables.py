"""The warehouse's tables. PUBLISHED ones hold what the lake holds; the others grow while a service answers.

A publication replaces the first kind in one transaction and never touches the second, which therefore has no foreign
keys to it: a property may vanish from the data, what was answered about it stays.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

# The revision of the schema that these tables are: what a service, which carries no migrations, asks a warehouse for.
REVISION = "0008"
# The height of a strip of equal latitude, by coordinate system: half a kilometre, in degrees or metres.
STRIPS = {"wgs84": 0.005, "plane": 500.0}
ALL = ""  # in market_trends and property_kinds: all locations, or all types

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ck": "ck_%(table_name)s_%(constraint_name)s"})

# Bedrooms are told apart up to so many in a home's kind.
MOST_ROOMS = 10

Document = JSON().with_variant(JSONB(), "postgresql")


def _columns(kind: type, *names: str, nullable: bool = True) -> list[Column]:
    return [Column(name, kind, nullable=nullable) for name in names]


# Row 1 says of what data and model all PUBLISHED tables are: a column in each would rewrite every row each time.
publication = Table(
    "publication",
    metadata,
    Column("number", Integer, CheckConstraint("number = 1", name="one_row"), primary_key=True, autoincrement=False),
    *_columns(Text, "source", "currency", "data_version", "model_version", "digest", nullable=False),
    Column("as_of", Date, nullable=False),
    Column("level", Double, nullable=False),
)

# `price` is what a home costs: what is asked while it is offered, its value otherwise. `strip` numbers bands of equal
# latitude, so that (strip, longitude) finds a box or a circle by a few short ranges of one index. `kind` is the type
# and the number of bedrooms in one text, `words` the address as it is searched (both made in contents.py).
property_analytics = Table(
    "property_analytics",
    metadata,
    Column("property_id", Text, primary_key=True),
    *_columns(Text, "address", "location", "property_type"),
    *_columns(Double, "square_meters", "bedrooms", "bathrooms", "floor"),
    Column("year_built", Integer),
    *_columns(Double, "latitude", "longitude"),
    Column("strip", Integer),
    *_columns(Text, "kind", "words"),
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
    # What is searched by, and in what order: the key comes next, so that a page begins where another ended; then what
    # else is asked for, so that a search reads the index alone.
    Index(
        "ix_property_kind_price",
        *("kind", "price", "property_id", "square_meters", "year_built", "location", "latitude", "longitude"),
    ),
    Index("ix_property_kind_area", "kind", "square_meters", "property_id", "price", "year_built", "location"),
    Index("ix_property_kind_year", "kind", "year_built", "property_id", "price", "square_meters", "location"),
    Index("ix_property_location", "location", "kind", "price", "property_id", "square_meters", "year_built"),
    Index(
        "ix_property_place",
        *("strip", "longitude", "latitude", "kind", "price", "square_meters", "year_built", "location", "property_id"),
    ),
)

# What homes of a kind there are, in a location and in ALL of them: few rows, by which a search knows where not to look.
property_kinds = Table(
    "property_kinds",
    metadata,
    Column("location", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("property_type", Text),
    Column("homes", BigInteger, nullable=False),
    *_columns(Double, *(f"{name}_{end}" for name in ("bedrooms", "price", "area", "year") for end in ("min", "max"))),
    *_columns(Double, "south", "north", "west", "east"),
)

# How many homes have a word in their address.
property_terms = Table(
    "property_terms",
    metadata,
    Column("word", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("homes", BigInteger, nullable=False),
)

# Sales and offers of a property, a row each; an offer's end is `ended_on`.
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
    Index("ix_history_property", "property_id", "happened_on"),
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

# `indicators` holds a source's own series by name.
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

# By month, quarter and year, since medians of months add up to no median of a year; ALL stands for all locations or
# types. Index, inventory and offers are of all types together.
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

# Every answer; the service makes `prediction_id`, so that what was buffered may be written twice and is there once.
predictions = Table(
    "predictions",
    metadata,
    Column("prediction_id", Text, primary_key=True),
    Column("predicted_at", DateTime(timezone=True), nullable=False),
    *_columns(Text, "request_id", "client", "property_id"),
    Column("inputs", Document, nullable=False),
    *_columns(Double, "price", "low", "high", "level", "confidence", nullable=False),
    Column("flags", Document, nullable=False),
    *_columns(Text, "variant", "model_version", "data_version", nullable=False),
    Column("latency_ms", Double, nullable=False),
    Column("experiment", Text),  # homei.assignment.Design.name, where the answer was part of one
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

# The price that a property did sell at; a client that sends its key again changes nothing.
feedback = Table(
    "feedback",
    metadata,
    Column("client", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("received_at", DateTime(timezone=True), nullable=False),
    *_columns(Text, "prediction_id", "property_id"),
    Column("sold_on", Date, nullable=False),
    Column("price", Double, CheckConstraint("price > 0", name="positive_price"), nullable=False),
    Index("ix_feedback_prediction", "prediction_id"),
    Index("ix_feedback_property", "property_id"),
)

# Who may ask for tokens. A client that is revoked stays, so that its name never becomes another one's.
clients = Table(
    "clients",
    metadata,
    Column("client", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", Document, nullable=False),
    Column("requests_per_second", Integer),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)

# Each entry's hash covers the one before: the primary key keeps two writers from continuing the same entry.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    *_columns(Text, "actor", "action", "outcome", nullable=False),
    *_columns(Text, "subject", "request_id"),
    Column("details", Document, nullable=False),
    *_columns(Text, "previous_hash", "hash", nullable=False),
    Index("ix_audit_actor", "actor", "happened_at"),
)
