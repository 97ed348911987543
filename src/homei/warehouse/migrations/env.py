"""What Alembic runs around the revisions, on the connection and in the transaction of homei.warehouse.schema."""

from __future__ import annotations

from alembic import context

from homei.warehouse.tables import metadata


def _is_ours(_thing: object, name: str | None, *_: object) -> bool:
    """property_words is each database's own, with whatever FTS5 keeps beside it."""
    return name is None or not name.startswith("property_words")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=_is_ours,
    compare_type=True,
    # SQLite's data definition is transactional too, once Python's driver doesn't interfere.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
