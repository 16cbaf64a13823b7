"""Totals of customers by segment and churn state, the currencies of facts without a rate, lines without a product."""

# ruff: noqa: S608  # Statements are made of names of our own.

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
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

_NAMES = "segment, churn_state, customers, revenue, unvalued_orders"
_ROWS = (
    "SELECT segment, churn_state, {0}1 AS n, {0}exact_revenue AS revenue, {0}unvalued_orders AS lost"
    " FROM {1}_metrics WHERE live"
)
_COME, _GONE = _ROWS.format("", "new"), _ROWS.format("-", "old")


def _total(name: str, rows: str) -> str:
    """A trigger function that notes down what ``rows`` add to the totals. It writes rows of its own, so that nobody
    waits for anybody; they are added up now and then."""
    return f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO customer_totals ({_NAMES})
            SELECT segment, churn_state, sum(n), sum(revenue), sum(lost) FROM ({rows}) r
            GROUP BY segment, churn_state HAVING sum(n) <> 0 OR sum(revenue) <> 0 OR sum(lost) <> 0;
            RETURN NULL;
        END $$
    """


STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION make_customer_metrics() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO customer_metrics (customer_id, live) SELECT id, deleted_at IS NULL FROM new_customers;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION say_whether_customer_lives() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE customer_metrics SET live = NEW.deleted_at IS NULL WHERE customer_id = NEW.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER customers_live AFTER UPDATE OF deleted_at ON customers FOR EACH ROW
    WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION say_whether_customer_lives()
    """,
    _total("total_new_metrics", _COME),
    _total("total_changed_metrics", f"{_COME} UNION ALL {_GONE}"),
    _total("total_old_metrics", _GONE),
    """
    CREATE FUNCTION forget_totals() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM customer_totals;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER customer_metrics_total_in AFTER INSERT ON customer_metrics REFERENCING NEW TABLE AS new_metrics
    FOR EACH STATEMENT EXECUTE FUNCTION total_new_metrics()
    """,
    """
    CREATE TRIGGER customer_metrics_total_again AFTER UPDATE ON customer_metrics
    REFERENCING OLD TABLE AS old_metrics NEW TABLE AS new_metrics
    FOR EACH STATEMENT EXECUTE FUNCTION total_changed_metrics()
    """,
    """
    CREATE TRIGGER customer_metrics_total_out AFTER DELETE ON customer_metrics REFERENCING OLD TABLE AS old_metrics
    FOR EACH STATEMENT EXECUTE FUNCTION total_old_metrics()
    """,
    """
    CREATE TRIGGER customer_metrics_total_none AFTER TRUNCATE ON customer_metrics
    FOR EACH STATEMENT EXECUTE FUNCTION forget_totals()
    """,
    # Nobody writes metrics until this is committed.
    """
    UPDATE customer_metrics m SET live = false FROM customers c
    WHERE c.id = m.customer_id AND c.deleted_at IS NOT NULL
    """,
    "DELETE FROM customer_totals",
    f"""
    INSERT INTO customer_totals ({_NAMES})
    SELECT segment, churn_state, count(*), sum(exact_revenue), sum(unvalued_orders) FROM customer_metrics WHERE live
    GROUP BY segment, churn_state
    """,
    # What is kept is counted anew: it lacks what was not kept before.
    "UPDATE analytics_state SET built = false",
)


def _one_of(name: str, members: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    op.add_column("order_facts", sa.Column("lacking", sa.Text(), nullable=True))
    op.create_index(
        "ix_order_facts_lacking_day", "order_facts", ["lacking", "day"], postgresql_where=sa.text("lacking IS NOT NULL")
    )
    op.add_column("customer_metrics", sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_table(
        "customer_totals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("segment", _one_of("rfm_segment", SEGMENTS), nullable=False),
        sa.Column("churn_state", _one_of("churn_state", STATES), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("revenue", sa.Numeric(), nullable=False),
        sa.Column("unvalued_orders", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_customer_totals"),
    )
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for trigger in ("in", "again", "out", "none"):
        op.execute(f"DROP TRIGGER customer_metrics_total_{trigger} ON customer_metrics")
    op.execute("DROP TRIGGER customers_live ON customers")
    for function in (
        "total_new_metrics",
        "total_changed_metrics",
        "total_old_metrics",
        "forget_totals",
        "say_whether_customer_lives",
    ):
        op.execute(f"DROP FUNCTION {function}()")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION make_customer_metrics() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO customer_metrics (customer_id) SELECT id FROM new_customers;
            RETURN NULL;
        END $$
        """
    )
    op.drop_table("customer_totals")
    op.drop_column("customer_metrics", "live")
    op.drop_index("ix_order_facts_lacking_day", table_name="order_facts")
    op.drop_column("order_facts", "lacking")
    op.execute("UPDATE analytics_state SET built = false")
