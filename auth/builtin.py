"""Writing the built-in roles of ``auth/policy.py`` into the database, so that all rights are read from one place."""

from uuid import UUID

import asyncpg

from app.db.ids import new_id
from auth.policy import ENTITIES, POLICY, WRITABLE, FieldRule, Rule


def listed_fields(entity: str, action: str, rule: Rule) -> list[tuple[str, FieldRule]]:
    """Every field of ``entity`` with its rule, for the actions that go field by field."""
    written = WRITABLE.get(entity, ()) if action in ("create", "update") else ()
    names = [name for name in ENTITIES[entity] if action == "read" or name in written]
    return [(name, rule.fields.get(name, FieldRule())) for name in names]


async def sync_built_in_roles(connection: asyncpg.Connection) -> None:
    """Make the built-in roles in the database those of the policy. Roles already the same are not touched."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7240522)")
        for name, role in POLICY.items():
            wanted = [
                (entity, action, rule.rows.value, _printed(listed_fields(entity, action, rule)))
                for entity, actions in role.grants.items()
                for action, rule in actions.items()
            ]
            role_id: UUID | None = await connection.fetchval("SELECT id FROM roles WHERE name = $1", name)
            if role_id is None:
                role_id = new_id()
                await connection.execute(
                    "INSERT INTO roles (id, name, description, built_in) VALUES ($1, $2, $3, true)",
                    role_id,
                    name,
                    role.description,
                )
            await connection.execute(
                "UPDATE roles SET description = $2, built_in = true, version = version + 1"
                " WHERE id = $1 AND (description, built_in) IS DISTINCT FROM ($2, true)",
                role_id,
                role.description,
            )
            if sorted(wanted) != sorted(await _present(connection, role_id)):
                await _replace(connection, role_id, wanted)


Printed = tuple[tuple[str, str, str, str], ...]
Wanted = tuple[str, str, str, Printed]


def _printed(fields: list[tuple[str, FieldRule]]) -> Printed:
    return tuple((name, rule.access.value, rule.on_rows.value, rule.otherwise.value) for name, rule in fields)


async def _present(connection: asyncpg.Connection, role_id: UUID) -> list[Wanted]:
    grants = await connection.fetch("SELECT id, entity, action, rows FROM grants WHERE role_id = $1", role_id)
    fields = await connection.fetch(
        "SELECT grant_id, field, access, on_rows, otherwise FROM field_grants"
        " WHERE grant_id = ANY($1::uuid[]) ORDER BY position",
        [grant["id"] for grant in grants],
    )
    return [
        (
            grant["entity"],
            grant["action"],
            grant["rows"],
            tuple(tuple(row.values())[1:] for row in fields if row["grant_id"] == grant["id"]),
        )
        for grant in grants
    ]


async def _replace(connection: asyncpg.Connection, role_id: UUID, wanted: list[Wanted]) -> None:
    await connection.execute("DELETE FROM grants WHERE role_id = $1", role_id)
    for entity, action, rows, fields in wanted:
        grant_id = new_id()
        await connection.execute(
            "INSERT INTO grants (id, role_id, entity, action, rows) VALUES ($1, $2, $3, $4, $5)",
            grant_id,
            role_id,
            entity,
            action,
            rows,
        )
        await connection.executemany(
            "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [(new_id(), grant_id, position, *field) for position, field in enumerate(fields)],
        )
