"""Mutations by their names, and what came of them."""

from typing import Any

from tests.matrix import SCHEMA
from tests.writing.deeds import Office

PROBLEM = "errors { field code message ids current params }"


async def call(office: Office, field: str, role: str = "ADMIN", show: str = "id version", **arguments: Any) -> Any:
    """The payload of the mutation ``field`` with ``show`` of its record, or the whole answer where it is refused."""
    assert SCHEMA.mutation_type is not None
    known = SCHEMA.mutation_type.fields[field]
    declared = ", ".join(f"${name}: {known.args[name].type}" for name in arguments)
    passed = ", ".join(f"{name}: ${name}" for name in arguments)
    (record,) = set(known.type.of_type.fields) - {"errors", "invited"}
    document = f"mutation({declared}) {{ {field}({passed}) {{ {record} {{ {show} }} {PROBLEM} }} }}"
    answer = await office.do(document, role, **arguments)
    return answer if "errors" in answer else answer["data"][field]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem, in order."""
    return sorted((".".join(error["field"] or ()), error["code"]) for error in payload["errors"])


def message(payload: Any) -> str:
    """The message of the only problem."""
    (error,) = payload["errors"]
    return str(error["message"])
