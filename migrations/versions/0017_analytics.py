"""What is kept for the figures: facts of orders, their roll-ups, what remains to be done, and snapshots of segments."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
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


def _one_of(name: str, members: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    required = {"nullable": False}
    op.create_table(
        "order_facts",
        sa.Column("customer_id", sa.Uuid(), **required),
        sa.Column("order_id", sa.Uuid(), **required),
        sa.Column("placed_at", moment, **required),
        sa.Column("day", sa.Date(), **required),
        sa.Column("rate", sa.Numeric(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "order_id", name="pk_order_facts"),
    )
    op.create_index("ix_order_facts_day", "order_facts", ["day"])
    op.create_index("ix_order_facts_day_unvalued", "order_facts", ["day"], postgresql_where=sa.text("rate IS NULL"))
    op.create_table(
        "sales_buckets",
        sa.Column("bucket", _one_of("time_bucket", BUCKETS), **required),
        sa.Column("start", sa.Date(), **required),
        sa.Column("orders", sa.Integer(), **required),
        sa.Column("customers", sa.Integer(), **required),
        sa.Column("amount", sa.Numeric(), **required),
        sa.Column("unvalued", sa.Integer(), **required),
        sa.PrimaryKeyConstraint("bucket", "start", name="pk_sales_buckets"),
    )
    op.create_table(
        "product_buckets",
        sa.Column("bucket", _one_of("time_bucket", BUCKETS), **required),
        sa.Column("start", sa.Date(), **required),
        sa.Column("product_id", sa.Uuid(), **required),
        sa.Column("quantity", sa.BigInteger(), **required),
        sa.Column("orders", sa.Integer(), **required),
        sa.Column("amount", sa.Numeric(), **required),
        sa.PrimaryKeyConstraint("bucket", "start", "product_id", name="pk_product_buckets"),
    )
    op.create_table(
        "cohort_buckets",
        sa.Column("cohort", sa.Date(), **required),
        sa.Column("month", sa.Date(), **required),
        sa.Column("customers", sa.Integer(), **required),
        sa.PrimaryKeyConstraint("cohort", "month", name="pk_cohort_buckets"),
    )
    op.create_table(
        "metric_counts",
        sa.Column("metric", _one_of("counted_metric", ("FREQUENCY", "RHYTHM")), **required),
        sa.Column("value", sa.Numeric(), **required),
        sa.Column("customers", sa.Integer(), **required),
        sa.PrimaryKeyConstraint("metric", "value", name="pk_metric_counts"),
    )
    op.create_table(
        "analytics_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, **required),
        sa.Column("built", sa.Boolean(), server_default=sa.text("false"), **required),
        sa.Column("whole", sa.Boolean(), server_default=sa.text("false"), **required),
        sa.Column("as_of", moment, nullable=True),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), **required),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text("0"), **required),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), **required),
        sa.Column("followed_at", moment, nullable=True),
        sa.Column("rhythm", sa.Numeric(), nullable=True),
        sa.Column("ranked", sa.Integer(), server_default=sa.text("0"), **required),
        sa.Column("recency_cuts", sa.ARRAY(moment), server_default=sa.text("'{}'"), **required),
        sa.Column("recency_below", sa.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), **required),
        sa.Column("frequency_cuts", sa.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), **required),
        sa.Column("monetary_cuts", sa.ARRAY(sa.Numeric()), server_default=sa.text("'{}'"), **required),
        sa.Column("monetary_below", sa.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), **required),
        sa.CheckConstraint("id = 1", name="there_is_one"),
        sa.PrimaryKeyConstraint("id", name="pk_analytics_state"),
    )
    op.execute("INSERT INTO analytics_state (id) VALUES (1)")
    op.create_table(
        "analytics_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), **required),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("counted", sa.Boolean(), server_default=sa.text("false"), **required),
        sa.CheckConstraint("num_nonnulls(customer_id, order_id, currency) <= 1", name="says_one_thing"),
        sa.PrimaryKeyConstraint("id", name="pk_analytics_changes"),
    )
    op.execute(
        """
        CREATE FUNCTION queue_exchange_rates() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO analytics_changes (currency, day) SELECT DISTINCT currency, day FROM changed;
            RETURN NULL;
        END $$
        """
    )
    for event, rows in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
        op.execute(
            f"""
            CREATE TRIGGER exchange_rates_{event} AFTER {event} ON exchange_rates
            REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION queue_exchange_rates()
            """
        )
    op.create_table(
        "segment_snapshot_months",
        sa.Column("month", sa.Date(), **required),
        sa.Column("taken_at", moment, **required),
        sa.PrimaryKeyConstraint("month", name="pk_segment_snapshot_months"),
    )
    op.create_table(
        "segment_snapshots",
        sa.Column("month", sa.Date(), **required),
        sa.Column("customer_id", sa.Uuid(), **required),
        sa.Column("segment", _one_of("rfm_segment", SEGMENTS), **required),
        sa.Column("churn_state", _one_of("churn_state", STATES), **required),
        sa.Column("revenue", sa.Numeric(), **required),
        sa.PrimaryKeyConstraint("month", "customer_id", name="pk_segment_snapshots"),
    )
    for name, column, where in (
        ("recency", "last_sold_at", "sold_orders > 0"),
        ("monetary", "exact_revenue", "sold_orders > 0"),
        ("due_at", "due_at", "churn_state = 'ACTIVE'"),
        ("churned_at", "churned_at", "churn_state = 'DUE'"),
    ):
        op.create_index(f"ix_customer_metrics_{name}", "customer_metrics", [column], postgresql_where=sa.text(where))


def downgrade() -> None:
    for name in ("recency", "monetary", "due_at", "churned_at"):
        op.drop_index(f"ix_customer_metrics_{name}", table_name="customer_metrics")
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER exchange_rates_{event} ON exchange_rates")
    op.execute("DROP FUNCTION queue_exchange_rates()")
    for table in (
        "segment_snapshots",
        "segment_snapshot_months",
        "analytics_changes",
        "analytics_state",
        "metric_counts",
        "cohort_buckets",
        "product_buckets",
        "sales_buckets",
        "order_facts",
    ):
        op.drop_table(table)
