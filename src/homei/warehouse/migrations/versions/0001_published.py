"""What is published from the lake: properties and their past, customers, the market, and of which data it all is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision, down_revision, branch_labels, depends_on = "0001", None, None, None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TABLES = ("property_analytics", "property_history", "customer_analytics", "market_analytics", "publication")
PROPERTY_INDEXES = {
    "ix_property_price": ["price", "property_id"],
    "ix_property_square_meters": ["square_meters", "property_id"],
    "ix_property_year_built": ["year_built", "property_id"],
    "ix_property_location_type_price": ["location", "property_type", "price", "property_id"],
    "ix_property_location_price": ["location", "price", "property_id"],
    "ix_property_type_price": ["property_type", "price", "property_id"],
    "ix_property_place": ["strip", "longitude"],
}


def upgrade() -> None:
    _publication()
    _properties()
    _history()
    _customers()
    _markets()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _of(kind: type, *names: str, nullable: bool = True) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _key(table: str, *names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names, name=op.f(f"pk_{table}"))


def _publication() -> None:
    op.create_table(
        "publication",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        *_of(sa.Text, "source", "currency", "data_version", "model_version", "digest", nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("level", sa.Double, nullable=False),
        sa.CheckConstraint("number = 1", name=op.f("ck_publication_one_row")),
        _key("publication", "number"),
    )


def _properties() -> None:
    op.create_table(
        "property_analytics",
        sa.Column("property_id", sa.Text, nullable=False),
        *_of(sa.Text, "address", "location", "property_type"),
        *_of(sa.Double, "square_meters", "bedrooms", "bathrooms", "floor"),
        sa.Column("year_built", sa.Integer),
        *_of(sa.Double, "latitude", "longitude"),
        sa.Column("strip", sa.Integer),
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
        _key("property_analytics", "property_id"),
    )
    for name, columns in PROPERTY_INDEXES.items():
        op.create_index(name, "property_analytics", columns)


def _history() -> None:
    op.create_table(
        "property_history",
        *_of(sa.Text, "event", "event_id", "property_id", nullable=False),
        sa.Column("happened_on", sa.Date, nullable=False),
        sa.Column("ended_on", sa.Date),
        *_of(sa.Double, "price", "square_meters"),
        sa.Column("is_market", sa.Boolean),
        sa.CheckConstraint("event IN ('sale', 'listing')", name=op.f("ck_property_history_known")),
        _key("property_history", "event", "event_id"),
    )
    op.create_index("ix_history_property", "property_history", ["property_id", "happened_on"])


def _customers() -> None:
    counts = ("leads", "inquiries", "viewings", "offers", "purchases", "priced_purchases")
    op.create_table(
        "customer_analytics",
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("registered_on", sa.Date),
        sa.Column("segment", sa.Text),
        *_of(sa.Integer, "recency_score", "frequency_score", "value_score"),
        sa.Column("last_activity_on", sa.Date),
        sa.Column("last_activity", sa.Text),
        sa.Column("days_since_activity", sa.Integer),
        *_of(sa.BigInteger, *counts, nullable=False),
        *_of(sa.Double, "purchase_value", "lifetime_value", nullable=False),
        *_of(sa.Text, "wanted_location", "most_asked_location", "most_asked_type"),
        *_of(sa.Double, "median_budget", "median_asking_price"),
        _key("customer_analytics", "customer_id"),
    )
    op.create_index("ix_customer_segment", "customer_analytics", ["segment"])


def _markets() -> None:
    op.create_table(
        "market_analytics",
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("market_sales", sa.BigInteger, nullable=False),
        *_of(sa.Double, "average_price", "median_price", "average_price_per_square_meter", "price_index"),
        *_of(sa.BigInteger, "inventory", "new_listings", "closed_listings"),
        *_of(sa.Double, "months_of_supply", "median_days_on_market"),
        sa.Column("indicators", DOCUMENT, nullable=False),
        _key("market_analytics", "month", "location"),
    )
    op.create_index("ix_market_location", "market_analytics", ["location", "month"])
