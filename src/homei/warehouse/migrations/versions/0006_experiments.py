"""Which experiment an answer was part of."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0006", "0005", None, None


def upgrade() -> None:
    op.add_column("predictions", sa.Column("experiment", sa.Text))
    within = sa.text("experiment IS NOT NULL")
    op.create_index(
        "ix_predictions_experiment",
        "predictions",
        ["experiment", "predicted_at"],
        sqlite_where=within,
        postgresql_where=within,
    )


def downgrade() -> None:
    op.drop_index("ix_predictions_experiment", "predictions")
    op.drop_column("predictions", "experiment")
