"""There is always an active admin left, whoever changes users, and however many do at once."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The lock is that of auth/giving.py. It is held until the transaction has ended, and each statement of the function
# sees what had been committed when it began, so of two who each take away the other the second finds nobody left.
FUNCTION = """
    CREATE FUNCTION keep_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM roles WHERE id = OLD.role_id AND built_in AND name = 'ADMIN') THEN
            PERFORM pg_advisory_xact_lock(7240524);
            IF NOT EXISTS (SELECT FROM users WHERE role_id = OLD.role_id AND active) THEN
                RAISE EXCEPTION 'At least one active user has to have the role ADMIN.'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'users_have_an_admin';
            END IF;
        END IF;
        RETURN NULL;
    END $$
"""
TRIGGERS = tuple(
    f"CREATE CONSTRAINT TRIGGER users_have_an_admin_after_{event.lower()} AFTER {event} ON users"
    f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION keep_an_admin()"
    for event, condition in (
        ("UPDATE", "OLD.active AND (NOT NEW.active OR NEW.role_id <> OLD.role_id)"),
        ("DELETE", "OLD.active"),
    )
)


def upgrade() -> None:
    for statement in (FUNCTION, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    for event in ("update", "delete"):
        op.execute(f"DROP TRIGGER users_have_an_admin_after_{event} ON users")
    op.execute("DROP FUNCTION keep_an_admin()")
