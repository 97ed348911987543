"""Tables that a publication fills from the lake: properties, their history, customers and the market."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision, down_revision, branch_labels, depends_on = "0001", None, None, None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TABLES = (
    "property_analytics", "property_history", "customer_analytics", "market_analytics", "market_trends", "publication",
)  # fmt: skip
FILTERS = ["price", "square_meters", "bedrooms", "year_built"]
PROPERTY_INDEXES = {
    "ix_property_price": ["price", "property_id", "square_meters", "bedrooms", "year_built"],
    "ix_property_area": ["square_meters", "property_id", "price", "bedrooms", "year_built"],
    "ix_property_year": ["year_built", "property_id", "price", "square_meters", "bedrooms"],
    "ix_property_location": ["location", "price", "property_id", "property_type", *FILTERS[1:]],
    "ix_property_place": ["strip", "longitude", "latitude", *FILTERS, "property_id"],
}
# FTS5 stores property_id rather than referring to row numbers, which VACUUM may change.
WORD_INDEX = {
    "sqlite": "CREATE VIRTUAL TABLE property_words USING "
    "fts5(property_id UNINDEXED, words, prefix='1 2 3', tokenize='unicode61 remove_diacritics 0')",
    "postgresql": "CREATE INDEX ix_property_words ON property_analytics USING gin "
    "(array_to_tsvector(string_to_array(words, ' ')))",
}


def upgrade() -> None:
    _create_publication()
    _create_properties()
    _create_history()
    _create_customers()
    _create_markets()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE property_words")


def _columns(kind: type, *names: str, nullable: bool = True) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _keys(kind: type, *names: str) -> list[sa.Column]:
    return [sa.Column(name, kind, primary_key=True) for name in names]


def _create_publication() -> None:
    op.create_table(
        "publication",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_columns(sa.Text, "source", "currency", "data_version", "model_version", "digest", nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("level", sa.Double, nullable=False),
        sa.CheckConstraint("number = 1", name="one_row"),
    )


def _create_properties() -> None:
    op.create_table(
        "property_analytics",
        sa.Column("property_id", sa.Text, primary_key=True),
        *_columns(sa.Text, "address", "location", "property_type"),
        *_columns(sa.Double, "square_meters", "bedrooms", "bathrooms", "floor"),
        sa.Column("year_built", sa.Integer),
        *_columns(sa.Double, "latitude", "longitude"),
        sa.Column("strip", sa.Integer),
        sa.Column("words", sa.Text),
        *_columns(sa.Double, "price", "valued_price", "valued_low", "valued_high", "confidence"),
        sa.Column("flags", sa.Text),
        *_columns(sa.BigInteger, "market_sales", "other_sales", nullable=False),
        sa.Column("first_sale_date", sa.Date),
        sa.Column("first_sale_price", sa.Double),
        sa.Column("last_sale_date", sa.Date),
        *_columns(sa.Double, "last_sale_price", "last_price_per_square_meter", "last_price_today", "yearly_change"),
        sa.Column("listings_seen", sa.BigInteger, nullable=False),
        sa.Column("last_days_on_market", sa.Integer),
        sa.Column("last_asking_price", sa.Double),
        sa.Column("is_listed", sa.Boolean, nullable=False),
        *_columns(sa.Double, "asked_before_sale", "discount_to_asking"),
        sa.Column("features", DOCUMENT, nullable=False),
    )
    for name, columns in PROPERTY_INDEXES.items():
        op.create_index(name, "property_analytics", columns)
    op.execute(WORD_INDEX[op.get_bind().dialect.name])


def _create_history() -> None:
    op.create_table(
        "property_history",
        *_keys(sa.Text, "event", "event_id"),
        sa.Column("property_id", sa.Text, nullable=False),
        sa.Column("happened_on", sa.Date, nullable=False),
        sa.Column("ended_on", sa.Date),
        *_columns(sa.Double, "price", "square_meters"),
        sa.Column("is_market", sa.Boolean),
        sa.CheckConstraint("event IN ('sale', 'listing')", name="known"),
    )
    op.create_index("ix_history_property", "property_history", ["property_id", "happened_on"])


def _create_customers() -> None:
    counts = ("leads", "inquiries", "viewings", "offers", "purchases", "priced_purchases")
    op.create_table(
        "customer_analytics",
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("registered_on", sa.Date),
        sa.Column("segment", sa.Text),
        *_columns(sa.Integer, "recency_score", "frequency_score", "value_score"),
        sa.Column("last_activity_on", sa.Date),
        sa.Column("last_activity", sa.Text),
        sa.Column("days_since_activity", sa.Integer),
        *_columns(sa.BigInteger, *counts, nullable=False),
        *_columns(sa.Double, "purchase_value", "lifetime_value", nullable=False),
        *_columns(sa.Text, "wanted_location", "most_asked_location", "most_asked_type"),
        *_columns(sa.Double, "median_budget", "median_asking_price"),
    )
    op.create_index("ix_customer_segment", "customer_analytics", ["segment"])


def _create_markets() -> None:
    op.create_table(
        "market_analytics",
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("location", sa.Text, primary_key=True),
        sa.Column("market_sales", sa.BigInteger, nullable=False),
        *_columns(sa.Double, "average_price", "median_price", "average_price_per_square_meter", "price_index"),
        *_columns(sa.BigInteger, "inventory", "new_listings", "closed_listings"),
        *_columns(sa.Double, "months_of_supply", "median_days_on_market"),
        sa.Column("indicators", DOCUMENT, nullable=False),
    )
    op.create_index("ix_market_location", "market_analytics", ["location", "month"])
    op.create_table(
        "market_trends",
        *_keys(sa.Text, "frequency", "location", "property_type"),
        sa.Column("period", sa.Date, primary_key=True),
        sa.Column("market_sales", sa.BigInteger, nullable=False),
        *_columns(sa.Double, "median_price", "average_price_per_square_meter", "price_index"),
        *_columns(sa.BigInteger, "inventory", "new_listings", "closed_listings"),
    )
