"""Changes of many records at once: room in the indexes of their tables, no entries for what refers to nothing, and
longer lists before the trigram indexes."""

from alembic import op

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLES = ("customers", "opportunities", "tickets")
ROOM = 70
LIST = 16_384
REFERENCES = {
    "customers": ("merged_into_id",),
    "opportunities": ("contact_id", "product_id"),
    "tickets": ("contact_id", "order_id"),
}
"""What most rows leave empty: an index of it has nothing to say of them."""

# A small index is no worse for being full, and makes room as it grows.
_ORDERED = """
    SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid) > 100000
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


def _replace(table: str, column: str, rows: str) -> None:
    """Index the column of ``rows`` under the same name; the old index serves until the new one does."""
    name = f"ix_{table}_{column}"
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}_new")
    op.execute(f"CREATE INDEX CONCURRENTLY {name}_new ON {table} ({column}){rows}")
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")


def _found(statement: str) -> list[tuple]:
    return [tuple(row) for row in op.get_bind().exec_driver_sql(statement)]


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for (index,) in _found(_TRIGRAMS):
            op.execute(f"ALTER INDEX {index} SET (fastupdate = on, gin_pending_list_limit = {LIST})")
        for table, columns in REFERENCES.items():
            for column in columns:
                _replace(table, column, f" WHERE {column} IS NOT NULL")
        for table in TABLES:
            # What an earlier attempt has left behind is an index that nobody can use.
            for (index,) in _found(_LEFT.format(table=table)):
                op.execute(f"DROP INDEX CONCURRENTLY {index}")
            for index, is_large in _found(_ORDERED.format(table=table)):
                op.execute(f"ALTER INDEX {index} SET (fillfactor = {ROOM})")
                if is_large:
                    op.execute(f"REINDEX INDEX CONCURRENTLY {index}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for (index,) in _found(_TRIGRAMS):
            op.execute(f"ALTER INDEX {index} RESET (fastupdate, gin_pending_list_limit)")
        for table, columns in REFERENCES.items():
            for column in columns:
                _replace(table, column, "")
        # What there is of room is taken up by and by.
        for table in TABLES:
            for index, _ in _found(_ORDERED.format(table=table)):
                op.execute(f"ALTER INDEX {index} RESET (fillfactor)")
