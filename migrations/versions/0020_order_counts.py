"""Each customer's count of orders and the moment of the last, kept with every change of orders."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Whoever changes the counts of several customers locks them in the order of their ids, so that two such writers wait
# for one another but never each for the other. An insert adds to what is there, whoever has changed it meanwhile. What
# is taken away may be the last order: the next to last is looked for by a statement of its own, which begins when the
# locks are held and so sees what those before it have written.
INSERTED = """
    CREATE FUNCTION count_new_orders() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        one uuid;
    BEGIN
        SELECT customer_id INTO one FROM new_orders LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        IF EXISTS (SELECT FROM new_orders WHERE customer_id <> one) THEN
            UPDATE customer_metrics m
            SET order_count = m.order_count + c.count, last_order_at = greatest(m.last_order_at, c.last)
            FROM (
                SELECT n.customer_id, n.count, n.last
                FROM (
                    SELECT customer_id, count(*) AS count, max(placed_at) AS last FROM new_orders GROUP BY customer_id
                ) n
                JOIN customer_metrics l ON l.customer_id = n.customer_id
                ORDER BY l.customer_id FOR NO KEY UPDATE OF l
            ) c
            WHERE m.customer_id = c.customer_id;
        ELSE
            UPDATE customer_metrics m
            SET order_count = m.order_count + c.count, last_order_at = greatest(m.last_order_at, c.last)
            FROM (SELECT count(*) AS count, max(placed_at) AS last FROM new_orders) c
            WHERE m.customer_id = one;
        END IF;
        RETURN NULL;
    END $$
"""

_CHANGED = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        ids uuid[];
        counts bigint[];
    BEGIN
        SELECT array_agg(customer_id ORDER BY customer_id), array_agg(n ORDER BY customer_id) INTO ids, counts
        FROM (
            SELECT customer_id, sum(n) AS n
            FROM (
                SELECT customer_id, placed_at, sum(n) AS n FROM ({rows}) r
                GROUP BY customer_id, placed_at HAVING sum(n) <> 0
            ) d GROUP BY customer_id
        ) c;
        IF ids IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM FROM customer_metrics WHERE customer_id = ANY (ids) ORDER BY customer_id FOR NO KEY UPDATE;
        UPDATE customer_metrics m SET order_count = m.order_count + c.n, last_order_at = o.last
        FROM unnest(ids, counts) AS c (customer_id, n)
        LEFT JOIN (
            SELECT customer_id, max(placed_at) AS last FROM orders WHERE customer_id = ANY (ids) GROUP BY customer_id
        ) o ON o.customer_id = c.customer_id
        WHERE m.customer_id = c.customer_id AND (c.n <> 0 OR m.last_order_at IS DISTINCT FROM o.last);
        RETURN NULL;
    END $$
"""
_COME = "SELECT customer_id, placed_at, 1 AS n FROM new_orders"
_GONE = "SELECT customer_id, placed_at, -1 AS n FROM old_orders"

STATEMENTS = (
    INSERTED,
    _CHANGED.format(name="count_changed_orders", rows=" UNION ALL ".join((_COME, _GONE))),
    _CHANGED.format(name="count_deleted_orders", rows=_GONE),
    """
    CREATE TRIGGER orders_counted_in AFTER INSERT ON orders REFERENCING NEW TABLE AS new_orders
    FOR EACH STATEMENT EXECUTE FUNCTION count_new_orders()
    """,
    """
    CREATE TRIGGER orders_counted_again AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS old_orders NEW TABLE AS new_orders
    FOR EACH STATEMENT EXECUTE FUNCTION count_changed_orders()
    """,
    """
    CREATE TRIGGER orders_counted_out AFTER DELETE ON orders REFERENCING OLD TABLE AS old_orders
    FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_orders()
    """,
    # Nobody writes orders until this is committed; only those are written that changed since the table was filled.
    """
    UPDATE customer_metrics m SET order_count = coalesce(o.count, 0), last_order_at = o.last
    FROM customers c LEFT JOIN (
        SELECT customer_id, count(*) AS count, max(placed_at) AS last FROM orders GROUP BY customer_id
    ) o ON o.customer_id = c.id
    WHERE m.customer_id = c.id AND (m.order_count, m.last_order_at) IS DISTINCT FROM (coalesce(o.count, 0), o.last)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for trigger, function in (
        ("orders_counted_in", "count_new_orders"),
        ("orders_counted_again", "count_changed_orders"),
        ("orders_counted_out", "count_deleted_orders"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON orders")
        op.execute(f"DROP FUNCTION {function}()")
