"""What a search needs to read indexes alone: kinds of homes, words as they are searched, and what there is of both."""

import re

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0007", "0006", None, None

OLD = {
    "ix_property_price": ["price", "property_id"],
    "ix_property_square_meters": ["square_meters", "property_id"],
    "ix_property_year_built": ["year_built", "property_id"],
    "ix_property_location_type_price": ["location", "property_type", "price", "property_id"],
    "ix_property_location_price": ["location", "price", "property_id"],
    "ix_property_type_price": ["property_type", "price", "property_id"],
    "ix_property_place": ["strip", "longitude"],
}
NEW = {
    "ix_property_kind_price": [
        "kind", "price", "property_id", "square_meters", "year_built", "location", "latitude", "longitude",
    ],
    "ix_property_kind_area": ["kind", "square_meters", "property_id", "price", "year_built", "location"],
    "ix_property_kind_year": ["kind", "year_built", "property_id", "price", "square_meters", "location"],
    "ix_property_location": ["location", "kind", "price", "property_id", "square_meters", "year_built"],
    "ix_property_place": [
        "strip", "longitude", "latitude", "kind", "price", "square_meters", "year_built", "location", "property_id",
    ],
}  # fmt: skip
ENDS = {"bedrooms": "bedrooms", "price": "price", "area": "square_meters", "year": "year_built"}
SIDES = {"south": "min(latitude)", "north": "max(latitude)", "west": "min(longitude)", "east": "max(longitude)"}
WORD = re.compile(r"[^\W_]+")
VECTOR = "array_to_tsvector(string_to_array(address, ' '))"
WORDS = {
    "sqlite": [
        "CREATE VIRTUAL TABLE property_words USING "
        "fts5(property_id UNINDEXED, address, prefix='1 2 3', tokenize='unicode61 remove_diacritics 0')"
    ],
    "postgresql": [
        "CREATE TABLE property_words (property_id text PRIMARY KEY, address text NOT NULL)",
        f"CREATE INDEX ix_property_words ON property_words USING gin ({VECTOR})",
    ],
}
OLD_WORDS = {
    "sqlite": ["CREATE VIRTUAL TABLE property_words USING fts5(property_id UNINDEXED, address, prefix='2 3')"],
    "postgresql": [
        "CREATE TABLE property_words (property_id text PRIMARY KEY, address text NOT NULL)",
        "CREATE INDEX ix_property_words ON property_words USING gin (to_tsvector('simple', address))",
    ],
}
WHOLE = {"sqlite": "cast({} as integer)", "postgresql": "cast(floor({}) as integer)"}
LEAST = {"sqlite": "min", "postgresql": "least"}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for name in OLD:
        op.drop_index(name, "property_analytics")
    for name in ("kind", "words"):
        op.add_column("property_analytics", sa.Column(name, sa.Text))
    _tell_words(dialect)
    rooms = WHOLE[dialect].format(f"{LEAST[dialect]}(bedrooms, 10)")
    op.execute(
        "UPDATE property_analytics "
        f"SET kind = coalesce(property_type || '/', '') || coalesce(cast({rooms} as text), '')"
    )
    for name, columns in NEW.items():
        op.create_index(name, "property_analytics", columns)
    _kinds()
    _index_words(dialect, WORDS[dialect], "trim(words)", "words")
    _terms(dialect)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for name in NEW:
        op.drop_index(name, "property_analytics")
    for table in ("property_kinds", "property_terms"):
        op.drop_table(table)
    _index_words(dialect, OLD_WORDS[dialect], "address", "address")
    for name in ("kind", "words"):
        op.drop_column("property_analytics", name)
    for name, columns in OLD.items():
        op.create_index(name, "property_analytics", columns)


def _tell_words(dialect: str) -> None:
    """The words of addresses with a blank before and after each; what isn't ASCII is parted as Python parts it."""
    bind = op.get_bind()
    if dialect == "sqlite":
        bind.connection.driver_connection.create_function("spaced", 1, spaced, deterministic=True)
        op.execute("UPDATE property_analytics SET words = spaced(address)")
        return
    op.execute(
        "UPDATE property_analytics SET words = "
        "nullif(' ' || btrim(regexp_replace(lower(address), '[^a-z0-9]+', ' ', 'g')) || ' ', '  ')"
    )
    other = bind.execute(
        sa.text("SELECT property_id, address FROM property_analytics WHERE address ~ '[^\\x01-\\x7f]'")
    )
    rows = [{"own": key, "words": spaced(address)} for key, address in other]
    if rows:
        bind.execute(sa.text("UPDATE property_analytics SET words = :words WHERE property_id = :own"), rows)


def spaced(address: str | None) -> str | None:
    words = [word.lower() for word in WORD.findall(address or "")]
    return f" {' '.join(words)} " if words else None


def _kinds() -> None:
    ends = [f"{name}_{end}" for name in ENDS for end in ("min", "max")]
    op.create_table(
        "property_kinds",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("location", "kind")),
        sa.Column("property_type", sa.Text),
        sa.Column("homes", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Double) for name in (*ends, *SIDES)),
        sa.PrimaryKeyConstraint("location", "kind", name=op.f("pk_property_kinds")),
    )
    told = [f"{end}({column})" for column in ENDS.values() for end in ("min", "max")] + list(SIDES.values())
    for place, condition, group in (("''", "", "kind"), ("location", " WHERE location <> ''", "location, kind")):
        op.execute(
            f"INSERT INTO property_kinds SELECT {place}, kind, min(property_type), count(*), {', '.join(told)} "
            f"FROM property_analytics{condition} GROUP BY {group}"
        )


def _index_words(dialect: str, statements: list[str], words: str, known: str) -> None:
    op.execute("DROP TABLE property_words")
    for statement in statements:
        op.execute(statement)
    op.execute(
        "INSERT INTO property_words (property_id, address) "
        f"SELECT property_id, {words} FROM property_analytics WHERE {known} IS NOT NULL"
    )


def _terms(dialect: str) -> None:
    kind = sa.Text(collation="C") if dialect == "postgresql" else sa.Text()
    op.create_table(
        "property_terms",
        sa.Column("word", kind, nullable=False),
        sa.Column("homes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_property_terms")),
    )
    if dialect == "sqlite":
        op.execute("CREATE VIRTUAL TABLE temp.address_terms USING fts5vocab(main, property_words, row)")
        op.execute("INSERT INTO property_terms SELECT term, doc FROM address_terms")
        op.execute("DROP TABLE temp.address_terms")
    else:
        vector = VECTOR.replace("'", "''")
        op.execute(f"INSERT INTO property_terms SELECT word, ndoc FROM ts_stat('SELECT {vector} FROM property_words')")
