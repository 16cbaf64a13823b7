"""Exchange rates, and the function that finds the one of a day."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange_rates",
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rate", sa.Numeric(), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_is_iso_4217"),
        sa.CheckConstraint("rate > 0 AND rate < 1e9 AND scale(rate) <= 10", name="rate_is_positive"),
        sa.PrimaryKeyConstraint("currency", "day", name="pk_exchange_rates"),
    )
    op.execute(
        """
        CREATE FUNCTION exchange_rate(text, date) RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE AS $$
            SELECT rate FROM exchange_rates WHERE currency = $1 AND day <= $2 ORDER BY day DESC LIMIT 1
        $$
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION exchange_rate(text, date)")
    op.drop_table("exchange_rates")
