"""Whether anything has changed in a database."""

from tests.connecting import Where, connected

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'audit_events' ORDER BY 1"


async def fingerprint(where: Where) -> dict[str, str]:
    """What every table holds, in a figure each; but for the audit log, which takes note of refusals too.

    Whoever inserts or updates a row stamps it with a transaction id that is larger than all before, so the figure is
    another one even where values have been put back.
    """
    async with connected(where) as connection:
        names = [row[0] for row in await connection.fetch(_TABLES)]
        figures = (
            f"SELECT '{name}', count(*) || '/' || coalesce(sum(xmin::text::bigint), 0) FROM {name}" for name in names
        )
        return dict(map(tuple, await connection.fetch(" UNION ALL ".join(figures))))
