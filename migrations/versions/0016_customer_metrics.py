"""What is kept of each customer's orders: one row each, made with the customer."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SEGMENTS = (
    "CHAMPIONS",
    "LOYAL",
    "ACTIVE",
    "NEW",
    "PROMISING",
    "NEEDS_ATTENTION",
    "AT_RISK",
    "PREVIOUSLY_LOYAL",
    "ALMOST_LOST",
    "DORMANT",
    "PROSPECTS",
)
STATES = ("NEVER_BOUGHT", "ACTIVE", "DUE", "CHURNED")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "customer_metrics",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("order_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_order_at", moment, nullable=True),
        sa.Column("sold_orders", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("exact_revenue", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("revenue", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("unvalued_orders", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_sold_at", moment, nullable=True),
        sa.Column("last_sold_at", moment, nullable=True),
        sa.Column("order_days", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rhythm", sa.Numeric(), nullable=True),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("churned_at", moment, nullable=True),
        sa.Column("recency_score", sa.SmallInteger(), nullable=True),
        sa.Column("frequency_score", sa.SmallInteger(), nullable=True),
        sa.Column("monetary_score", sa.SmallInteger(), nullable=True),
        sa.Column(
            "segment",
            sa.Enum(*SEGMENTS, name="rfm_segment", native_enum=False, create_constraint=True, length=24),
            server_default=sa.text("'PROSPECTS'"),
            nullable=False,
        ),
        sa.Column(
            "churn_state",
            sa.Enum(*STATES, name="churn_state", native_enum=False, create_constraint=True, length=24),
            server_default=sa.text("'NEVER_BOUGHT'"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_customer_metrics_customer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customer_metrics"),
    )
    op.execute(
        """
        CREATE FUNCTION make_customer_metrics() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO customer_metrics (customer_id) SELECT id FROM new_customers;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER customers_metrics AFTER INSERT ON customers REFERENCING NEW TABLE AS new_customers
        FOR EACH STATEMENT EXECUTE FUNCTION make_customer_metrics()
        """
    )
    op.execute(
        """
        INSERT INTO customer_metrics (customer_id, order_count, last_order_at)
        SELECT c.id, coalesce(o.count, 0), o.last
        FROM customers c LEFT JOIN (
            SELECT customer_id, count(*) AS count, max(placed_at) AS last FROM orders GROUP BY customer_id
        ) o ON o.customer_id = c.id
        ON CONFLICT DO NOTHING
        """
    )
    for name, columns in (
        ("order_count", ["order_count", "customer_id"]),
        ("last_order_at", ["last_order_at", "customer_id"]),
        ("last_order_at_desc", [sa.text("last_order_at DESC NULLS LAST"), sa.text("customer_id DESC")]),
        ("revenue", ["revenue", "customer_id"]),
        ("segment", ["segment", "customer_id"]),
        ("churn_state", ["churn_state", "customer_id"]),
    ):
        op.create_index(f"ix_customer_metrics_{name}", "customer_metrics", columns)


def downgrade() -> None:
    op.execute("DROP TRIGGER customers_metrics ON customers")
    op.execute("DROP FUNCTION make_customer_metrics()")
    op.drop_table("customer_metrics")
