"""External references are unique among the records that are not deleted."""

# ruff: noqa: S608  # Statements are made of names of our own tables and settings.

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None

RECORDS = ("customers", "contacts", "opportunities", "products", "tickets")

FUNCTIONS = (
    """
    CREATE FUNCTION set_live_references() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE external_refs SET live = NEW.deleted_at IS NULL
        WHERE record_id = NEW.id AND live IS DISTINCT FROM (NEW.deleted_at IS NULL);
        RETURN NULL;
    END $$
    """,
    # For rows that did not come one by one: a first load, or what was there before this migration.
    f"""
    CREATE FUNCTION set_references_of_deleted() RETURNS void LANGUAGE sql AS $$
        UPDATE external_refs r SET live = false WHERE live AND record_id IN ({
        " UNION ALL ".join(f"SELECT id FROM {table} WHERE deleted_at IS NOT NULL" for table in RECORDS)
    })
    $$
    """,
)
_KEY = "entity, system, external_id"


def _concurrently(name: str, unique: str, rest: str) -> None:
    # What an earlier attempt has left behind is an index that nobody can use.
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"CREATE {unique} INDEX CONCURRENTLY {name} ON external_refs {rest}")


def upgrade() -> None:
    op.add_column("external_refs", sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    for statement in FUNCTIONS:
        op.execute(statement)
    for table in RECORDS:
        op.execute(
            f"CREATE TRIGGER references_of_{table}_are_live AFTER UPDATE OF deleted_at ON {table} FOR EACH ROW"
            " WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION set_live_references()"
        )
    with op.get_context().autocommit_block():
        op.execute("SELECT set_references_of_deleted()")
        _concurrently("uq_external_refs_live", "UNIQUE", f"({_KEY}) WHERE live")
        _concurrently("ix_external_refs_deleted", "", f"({_KEY}) WHERE NOT live")
        _concurrently("pk_external_refs_new", "UNIQUE", "(record_id, system, external_id, entity)")
    op.execute(
        "ALTER TABLE external_refs DROP CONSTRAINT pk_external_refs,"
        " ADD CONSTRAINT pk_external_refs PRIMARY KEY USING INDEX pk_external_refs_new"
    )
    op.drop_index("ix_external_refs_record_id_system", table_name="external_refs")


def downgrade() -> None:
    # Where others have taken over what a deleted record was called, it has to go from that one.
    op.execute(
        "DELETE FROM external_refs d USING external_refs o"
        " WHERE (d.entity, d.system, d.external_id) = (o.entity, o.system, o.external_id)"
        " AND NOT d.live AND (o.live OR o.record_id > d.record_id)"
    )
    with op.get_context().autocommit_block():
        _concurrently("pk_external_refs_old", "UNIQUE", f"({_KEY})")
        _concurrently("ix_external_refs_record_id_system", "", "(record_id, system)")
    op.execute(
        "ALTER TABLE external_refs DROP CONSTRAINT pk_external_refs,"
        " ADD CONSTRAINT pk_external_refs PRIMARY KEY USING INDEX pk_external_refs_old"
    )
    op.drop_index("ix_external_refs_deleted", table_name="external_refs")
    op.drop_index("uq_external_refs_live", table_name="external_refs")
    for table in RECORDS:
        op.execute(f"DROP TRIGGER references_of_{table}_are_live ON {table}")
    for function in ("set_live_references()", "set_references_of_deleted()"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_column("external_refs", "live")
