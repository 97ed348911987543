"""The market by month, quarter and year, by location and type, and of all locations or types together."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None

KEY = ("frequency", "location", "property_type", "period")


def upgrade() -> None:
    op.create_table(
        "market_trends",
        *(sa.Column(name, sa.Text, nullable=False) for name in KEY[:3]),
        sa.Column("period", sa.Date, nullable=False),
        sa.Column("market_sales", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("median_price", "average_price_per_square_meter", "price_index")),
        *(sa.Column(name, sa.BigInteger) for name in ("inventory", "new_listings", "closed_listings")),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_market_trends")),
    )


def downgrade() -> None:
    op.drop_table("market_trends")
