"""The subtotal of an order is checked once in a transaction, not once for each of its lines."""

# ruff: noqa: S608  # Statements are made of names of our own tables and settings.

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Deferred triggers come row by row, the lines of one order after one another. The order that was checked last is noted
# for the transaction, and its other lines pass. A statement that is about to change lines takes the note back, so that
# it never outlives what was checked, whenever the constraints are set to be checked.
_NOTED = "rapport.checked_order"

FUNCTIONS = (
    f"""
    CREATE OR REPLACE FUNCTION check_subtotal_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM orders o WHERE o.id = NEW.id
            AND o.subtotal <> (SELECT coalesce(sum(l.total), 0) FROM order_lines l WHERE l.order_id = o.id)
        ) THEN
            PERFORM refuse_order_subtotal(NEW.id);
        END IF;
        PERFORM set_config('{_NOTED}', NEW.id::text, true);
        RETURN NULL;
    END $$
    """,
    f"""
    CREATE OR REPLACE FUNCTION check_subtotal_of_line() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        noted text := current_setting('{_NOTED}', true);
        wrong uuid;
    BEGIN
        IF coalesce(NEW.order_id, OLD.order_id)::text = noted
            AND coalesce(OLD.order_id, NEW.order_id)::text = noted THEN
            RETURN NULL;
        END IF;
        SELECT o.id INTO wrong FROM orders o
        WHERE o.id IN (OLD.order_id, NEW.order_id)
        AND o.subtotal <> (SELECT coalesce(sum(l.total), 0) FROM order_lines l WHERE l.order_id = o.id);
        IF FOUND THEN
            PERFORM refuse_order_subtotal(wrong);
        END IF;
        PERFORM set_config('{_NOTED}', coalesce(NEW.order_id, OLD.order_id)::text, true);
        RETURN NULL;
    END $$
    """,
    f"""
    CREATE FUNCTION forget_checked_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('{_NOTED}', true) <> '' THEN
            PERFORM set_config('{_NOTED}', '', true);
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER order_lines_change BEFORE INSERT OR UPDATE OR DELETE ON order_lines
    FOR EACH STATEMENT EXECUTE FUNCTION forget_checked_order()
    """,
)

BEFORE = (
    """
    CREATE OR REPLACE FUNCTION check_subtotal_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
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
    CREATE OR REPLACE FUNCTION check_subtotal_of_line() RETURNS trigger LANGUAGE plpgsql AS $$
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
    "DROP TRIGGER order_lines_change ON order_lines",
    "DROP FUNCTION forget_checked_order()",
)


def upgrade() -> None:
    for statement in FUNCTIONS:
        op.execute(statement)


def downgrade() -> None:
    for statement in BEFORE:
        op.execute(statement)
