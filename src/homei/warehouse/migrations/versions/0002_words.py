"""Free text on addresses: an index of their words, in each database's own manner."""

from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

# An FTS5 table holds texts of its own: it must not refer to row numbers, which VACUUM may change.
STATEMENTS = {
    "sqlite": ["CREATE VIRTUAL TABLE property_words USING fts5(property_id UNINDEXED, address, prefix='2 3')"],
    "postgresql": [
        "CREATE TABLE property_words (property_id text PRIMARY KEY, address text NOT NULL)",
        "CREATE INDEX ix_property_words ON property_words USING gin (to_tsvector('simple', address))",
    ],
}


def upgrade() -> None:
    for statement in STATEMENTS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.execute(
        "INSERT INTO property_words (property_id, address) "
        "SELECT property_id, address FROM property_analytics WHERE address IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP TABLE property_words")
