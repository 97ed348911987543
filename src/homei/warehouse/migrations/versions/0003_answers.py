"""What a service writes: its answers, what properties did sell at, and who asked for what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
REFUSAL = "audit entries are never changed or removed"
SQLITE = [
    f"CREATE TRIGGER audit_keeps_{event.lower()} BEFORE {event} ON audit BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    for event in ("UPDATE", "DELETE")
]
POSTGRESQL = [
    f"CREATE FUNCTION audit_refusal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
    "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refusal()",
]


def upgrade() -> None:
    _predictions()
    _feedback()
    _audit()
    for statement in SQLITE if _is_sqlite() else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    for table in ("predictions", "feedback", "audit"):
        op.drop_table(table)
    if not _is_sqlite():
        op.execute("DROP FUNCTION audit_refusal()")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _of(kind: type, *names: str, nullable: bool = True) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _key(table: str, *names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names, name=op.f(f"pk_{table}"))


def _predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("prediction_id", sa.Text, nullable=False),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        *_of(sa.Text, "request_id", "client", "property_id"),
        sa.Column("inputs", DOCUMENT, nullable=False),
        *_of(sa.Double, "price", "low", "high", "level", "confidence", nullable=False),
        sa.Column("flags", DOCUMENT, nullable=False),
        *_of(sa.Text, "variant", "model_version", "data_version", nullable=False),
        sa.Column("latency_ms", sa.Double, nullable=False),
        _key("predictions", "prediction_id"),
    )
    op.create_index("ix_predictions_time", "predictions", ["predicted_at"])
    op.create_index("ix_predictions_property", "predictions", ["property_id", "predicted_at"])


def _feedback() -> None:
    op.create_table(
        "feedback",
        *_of(sa.Text, "client", "key", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        *_of(sa.Text, "prediction_id", "property_id"),
        sa.Column("sold_on", sa.Date, nullable=False),
        sa.Column("price", sa.Double, nullable=False),
        sa.CheckConstraint("price > 0", name=op.f("ck_feedback_positive_price")),
        _key("feedback", "client", "key"),
    )
    op.create_index("ix_feedback_prediction", "feedback", ["prediction_id"])
    op.create_index("ix_feedback_property", "feedback", ["property_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        *_of(sa.Text, "actor", "action", "outcome", nullable=False),
        *_of(sa.Text, "subject", "request_id"),
        sa.Column("details", DOCUMENT, nullable=False),
        *_of(sa.Text, "previous_hash", "hash", nullable=False),
        _key("audit", "number"),
    )
    op.create_index("ix_audit_hash", "audit", ["hash"], unique=True)
    op.create_index("ix_audit_actor", "audit", ["actor", "happened_at"])
