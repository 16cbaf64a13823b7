"""The subtotal of an order is what its lines add up to: the database sees to it."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A transaction that writes many rows may do without a check of each, and calls check_order_subtotals before it ends.
_ONE_BY_ONE = "current_setting('rapport.order_subtotals', true) IS DISTINCT FROM 'checked at the end'"

FUNCTIONS = (
    """
    CREATE FUNCTION refuse_order_subtotal(order_id uuid) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'The subtotal of the order % is not what its lines add up to.', order_id
            USING ERRCODE = 'check_violation', TABLE = 'orders', CONSTRAINT = 'subtotal_is_that_of_the_lines';
    END $$
    """,
    """
    CREATE FUNCTION check_order_subtotals(ids uuid[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        wrong uuid;
    BEGIN
        IF ids IS NULL THEN
            SELECT o.id INTO wrong FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id
            GROUP BY o.id HAVING o.subtotal <> coalesce(sum(l.total), 0);
        ELSE
            SELECT o.id INTO wrong
            FROM unnest(ids) AS i(id) JOIN orders o ON o.id = i.id LEFT JOIN order_lines l ON l.order_id = o.id
            GROUP BY o.id, i.id HAVING o.subtotal <> coalesce(sum(l.total), 0);
        END IF;
        IF wrong IS NOT NULL THEN
            PERFORM refuse_order_subtotal(wrong);
        END IF;
    END $$
    """,
    """
    CREATE FUNCTION check_subtotal_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM orders o WHERE o.id = NEW.id
            AND o.subtotal <> (SELECT coalesce(sum(l.total), 0) FROM order_lines l WHERE l.order_id = o.id)
        ) THEN
            PERFORM refuse_order_subtotal(NEW.id);
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION check_subtotal_of_line() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        wrong uuid;
    BEGIN
        SELECT o.id INTO wrong FROM orders o
        WHERE o.id IN (OLD.order_id, NEW.order_id)
        AND o.subtotal <> (SELECT coalesce(sum(l.total), 0) FROM order_lines l WHERE l.order_id = o.id);
        IF FOUND THEN
            PERFORM refuse_order_subtotal(wrong);
        END IF;
        RETURN NULL;
    END $$
    """,
)

# Whoever changes what lines add up to holds the row of their order, so two at once cannot each pass alone.
TRIGGERS = tuple(
    f"CREATE CONSTRAINT TRIGGER {name} AFTER {event} DEFERRABLE INITIALLY DEFERRED"
    f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {function}()"
    for name, event, condition, function in (
        (
            "order_made_with_subtotal",
            "INSERT ON orders",
            f"NEW.subtotal <> 0 AND {_ONE_BY_ONE}",
            "check_subtotal_of_order",
        ),
        (
            "order_subtotal_changed",
            "UPDATE OF subtotal ON orders",
            f"NEW.subtotal <> OLD.subtotal AND {_ONE_BY_ONE}",
            "check_subtotal_of_order",
        ),
        (
            "order_line_written",
            "INSERT OR DELETE OR UPDATE OF order_id, quantity, unit_price ON order_lines",
            _ONE_BY_ONE,
            "check_subtotal_of_line",
        ),
    )
)


def upgrade() -> None:
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    for trigger, table in (
        ("order_line_written", "order_lines"),
        ("order_subtotal_changed", "orders"),
        ("order_made_with_subtotal", "orders"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in ("check_subtotal_of_line()", "check_subtotal_of_order()", "check_order_subtotals(uuid[])"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION refuse_order_subtotal(uuid)")
