"""Sessions that can be renewed, ended at once, and opened as somebody else."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TRIGGERS = (
    # The next statement of every worker finds the version changed, and asks what has become of its session.
    """
    CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET access_version = access_version + 1 WHERE id = OLD.user_id;
        IF TG_OP = 'UPDATE' THEN
            UPDATE sessions SET revoked_at = NEW.revoked_at WHERE parent_id = OLD.id AND revoked_at IS NULL;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER sessions_revoked AFTER UPDATE OF revoked_at ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION end_session()
    """,
    """
    CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL) EXECUTE FUNCTION end_session()
    """,
    # Acting as somebody else ends when the rights of either change, for they were compared when it began.
    """
    CREATE FUNCTION end_impersonations_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE sessions SET revoked_at = now()
        WHERE impersonator_id IS NOT NULL AND revoked_at IS NULL AND (impersonator_id = NEW.id OR user_id = NEW.id);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER users_impersonations AFTER UPDATE OF role_id, team_id, active ON users FOR EACH ROW
    WHEN ((NEW.role_id, NEW.team_id, NEW.active) IS DISTINCT FROM (OLD.role_id, OLD.team_id, OLD.active))
    EXECUTE FUNCTION end_impersonations_of_user()
    """,
    """
    CREATE FUNCTION end_impersonations_of_role() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE sessions SET revoked_at = now() FROM users
        WHERE impersonator_id IS NOT NULL AND revoked_at IS NULL AND users.role_id = NEW.id
            AND users.id IN (impersonator_id, user_id);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER roles_impersonations AFTER UPDATE OF access_version ON roles FOR EACH ROW
    WHEN (NEW.access_version <> OLD.access_version) EXECUTE FUNCTION end_impersonations_of_role()
    """,
)
FUNCTIONS = ("end_impersonations_of_role()", "end_impersonations_of_user()", "end_session()")


def upgrade() -> None:
    # The hash of a random token, of which nothing was made yet, serves as the seed of those to come.
    op.drop_index("uq_sessions_refresh_hash", table_name="sessions")
    op.alter_column("sessions", "refresh_hash", new_column_name="refresh_seed")
    op.add_column("sessions", sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("sessions", sa.Column("impersonator_id", sa.Uuid(), nullable=True))
    op.add_column("sessions", sa.Column("parent_id", sa.Uuid(), nullable=True))
    for column, table in (("impersonator_id", "users"), ("parent_id", "sessions")):
        op.create_foreign_key(op.f(f"fk_sessions_{column}"), "sessions", table, [column], ["id"], ondelete="CASCADE")
        op.create_index(
            f"ix_sessions_{column}", "sessions", [column], postgresql_where=sa.text(f"{column} IS NOT NULL")
        )
    for column in ("session_id", "token_id", "impersonator_id"):
        op.add_column("export_links", sa.Column(column, sa.Uuid(), nullable=True))
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    for column in ("session_id", "token_id", "impersonator_id"):
        op.drop_column("export_links", column)
    # Without the columns, a session as somebody else would be that somebody's own.
    op.execute("DELETE FROM sessions WHERE impersonator_id IS NOT NULL")
    for column in ("parent_id", "impersonator_id", "generation"):
        op.drop_column("sessions", column)
    op.alter_column("sessions", "refresh_seed", new_column_name="refresh_hash")
    op.create_index("uq_sessions_refresh_hash", "sessions", ["refresh_hash"], unique=True)
