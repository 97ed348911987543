"""Tables that a service fills: valuations, reported sale prices, clients and the audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
MESSAGE = "audit entries are never changed or removed"
AUDIT_TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER audit_keeps_{event.lower()} BEFORE {event} ON audit "
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        for event in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_refusal() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$",
        "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refusal()",
    ],
}


def upgrade() -> None:
    _create_predictions()
    _create_feedback()
    _create_clients()
    _create_audit()


def downgrade() -> None:
    for table in ("predictions", "feedback", "clients", "audit"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_refusal()")


def _columns(kind: type, *names: str, nullable: bool = True) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _create_predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("prediction_id", sa.Text, primary_key=True),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        *_columns(sa.Text, "request_id", "client", "property_id"),
        sa.Column("inputs", DOCUMENT, nullable=False),
        *_columns(sa.Double, "price", "low", "high", "level", "confidence", nullable=False),
        sa.Column("flags", DOCUMENT, nullable=False),
        *_columns(sa.Text, "variant", "model_version", "data_version", nullable=False),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("experiment", sa.Text),
    )
    op.create_index("ix_predictions_time", "predictions", ["predicted_at"])
    op.create_index("ix_predictions_property", "predictions", ["property_id", "predicted_at"])
    has_experiment = sa.text("experiment IS NOT NULL")
    op.create_index(
        "ix_predictions_experiment",
        "predictions",
        ["experiment", "predicted_at"],
        sqlite_where=has_experiment,
        postgresql_where=has_experiment,
    )


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        *_columns(sa.Text, "prediction_id", "property_id"),
        sa.Column("sold_on", sa.Date, nullable=False),
        sa.Column("price", sa.Double, nullable=False),
        sa.CheckConstraint("price > 0", name="positive_price"),
    )
    op.create_index("ix_feedback_prediction", "feedback", ["prediction_id"])
    op.create_index("ix_feedback_property", "feedback", ["property_id"])


def _create_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("requests_per_second", sa.Integer),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        *_columns(sa.Text, "actor", "action", "outcome", nullable=False),
        *_columns(sa.Text, "subject", "request_id"),
        sa.Column("details", DOCUMENT, nullable=False),
        *_columns(sa.Text, "previous_hash", "hash", nullable=False),
    )
    op.create_index("ix_audit_actor", "audit", ["actor", "happened_at"])
    for statement in AUDIT_TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
