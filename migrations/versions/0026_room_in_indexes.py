"""Room in the indexes of the tables whose records are changed by the thousand; longer lists before trigram indexes."""

from alembic import op

revision = "0026"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = ("customers", "opportunities", "tickets")
ROOM = 70
LIST = 16_384

# An index of an empty table has one or two pages: nothing in it needs to be put elsewhere.
_ORDERED = """
    SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid) > 1000000
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE i.indrelid = '{table}'::regclass AND a.amname = 'btree' AND i.indisvalid ORDER BY 1
"""
_LEFT = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = '{table}'::regclass AND NOT indisvalid AND indexrelid::regclass::text ~ '_ccnew[0-9]*$'
"""
# Without the extension pg_trgm there are none.
_TRIGRAMS = """
    SELECT i.indexrelid::regclass::text
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'gin' AND c.relname ~ '^ix_[a-z_]+_text$' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


def _found(statement: str) -> list[tuple]:
    return [tuple(row) for row in op.get_bind().exec_driver_sql(statement)]


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for (index,) in _found(_TRIGRAMS):
            op.execute(f"ALTER INDEX {index} SET (fastupdate = on, gin_pending_list_limit = {LIST})")
        for table in TABLES:
            # What an earlier attempt has left behind is an index that nobody can use.
            for (index,) in _found(_LEFT.format(table=table)):
                op.execute(f"DROP INDEX CONCURRENTLY {index}")
            for index, is_large in _found(_ORDERED.format(table=table)):
                op.execute(f"ALTER INDEX {index} SET (fillfactor = {ROOM})")
                if is_large:
                    op.execute(f"REINDEX INDEX CONCURRENTLY {index}")


def downgrade() -> None:
    # What there is of room is taken up by and by.
    for (index,) in _found(_TRIGRAMS):
        op.execute(f"ALTER INDEX {index} RESET (fastupdate, gin_pending_list_limit)")
    for table in TABLES:
        for index, _ in _found(_ORDERED.format(table=table)):
            op.execute(f"ALTER INDEX {index} RESET (fillfactor)")
