"""Alembic environment: runs the revisions in the transaction of homei.warehouse.schema."""

from __future__ import annotations

from alembic import context

from homei.warehouse.partitions import is_partition
from homei.warehouse.tables import metadata


def _is_in_metadata(_object: object, name: str | None, *_: object) -> bool:
    """False for partitions and word indexes.

    Each database has its own word index (FTS5 adds tables).
    """
    return name is None or not (name.startswith(("property_words", "ix_property_words")) or is_partition(name))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=_is_in_metadata,
    compare_type=True,
    # SQLite's data definition is transactional too, because the driver's own transactions are switched off.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
