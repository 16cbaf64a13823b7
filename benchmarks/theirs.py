"""(e) PostGraphile on the same tables: how it is installed and started, and our operations in its names.

Its requests are translated from ours, one by one, so that both are asked for the same rows in the same order. ADMIN
sends no token, and nothing holds it back; SALES sees what row-level security leaves, by the policies beside the server.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from app.db.ids import split_id
from benchmarks.operations import Operation

_FOLDER = Path(__file__).with_name("postgraphile")
# PostGraphile needs Node 22; it comes with the packages, so that any Node that can run npm will do here.
COMMAND = [str(_FOLDER / "node_modules" / ".bin" / "node"), str(_FOLDER / "server.mjs")]
CALLERS = ("ADMIN", "SALES")

_TEN = "id: rowId code name kind email phone tier status city createdAt"
_NEWEST = "first: 5, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]"
_LIVE = "deletedAt: {isNull: true}"
_ARGUMENTS = "first: 50, filter: $filter, orderBy: $orderBy"
_VARIABLES = "($filter: CustomerFilter, $orderBy: [CustomerOrderBy!])"


def _nested(total: str) -> str:
    contacts = f"{total} nodes {{ id: rowId firstName lastName title email phone isPrimary }}"
    lines = "id: rowId sku name quantity unitPrice currency total"
    orders = (
        f"{total} nodes {{ id: rowId number status placedAt total currency"
        f" lines(orderBy: [POSITION_ASC, ROW_ID_ASC]) {{ {lines} }} }}"
    )
    tickets = f"{total} nodes {{ id: rowId number subject priority status createdAt }}"
    below = (
        f"contacts: contactsByCustomerId({_NEWEST}, filter: {{{_LIVE}}}) {{ {contacts} }}"
        f" orders: ordersByCustomerId({_NEWEST}) {{ {orders} }}"
        f' tickets: ticketsByCustomerId({_NEWEST}, filter: {{{_LIVE}, status: {{equalTo: "OPEN"}}}}) {{ {tickets} }}'
    )
    customers = f"{total} nodes {{ {_TEN} {below} }} pageInfo {{ hasNextPage }}"
    return f"query Nested{_VARIABLES} {{ customers: allCustomers({_ARGUMENTS}) {{ {customers} }} }}"


_DOCUMENTS = {
    "one customer": f"query One($id: UUID!) {{ customer: customerByRowId(rowId: $id) {{ {_TEN} }} }}",
    "50 customers": f"query Page{_VARIABLES} {{ customers: allCustomers({_ARGUMENTS})"
    f" {{ nodes {{ {_TEN} }} pageInfo {{ hasNextPage }} }} }}",
    "nested": _nested(""),
    "nested, totalCount": _nested("totalCount"),
}
_OPERATORS = {"eq": "equalTo", "in": "in", "lt": "lessThan", "gte": "greaterThanOrEqualTo"}
# The names of customers are indexed by code point; BY_NAME is the order of that.
_ORDERS = {"CREATED_AT": "CREATED_AT", "UPDATED_AT": "UPDATED_AT", "NAME": "BY_NAME"}


def body(operation: Operation, ours: Mapping[str, Any]) -> bytes:
    """The body of the request that asks what ``operation`` does with our variables."""
    variables = _one(ours) if "id" in ours else _page(ours)
    return json.dumps({"query": _DOCUMENTS[operation.name], "variables": variables}).encode()


def _one(ours: Mapping[str, Any]) -> dict[str, Any]:
    found = split_id(ours["id"])
    assert found is not None
    return {"id": str(found[1])}


def _page(ours: Mapping[str, Any]) -> dict[str, Any]:
    """Live rows alone, and the id to break ties in the direction of the last order: as with us."""
    where = {
        field: {_OPERATORS[operator]: operand for operator, operand in condition.items()}
        for field, condition in ours["where"].items()
    }
    orders = [f"{_ORDERS[order['field']]}_{order['direction']}" for order in ours["orderBy"]]
    tie = f"ROW_ID_{ours['orderBy'][-1]['direction']}"
    return {"filter": {**where, "deletedAt": {"isNull": True}}, "orderBy": [*orders, tie]}


def ids(answer: Any) -> list[str]:
    """The digits of all ids in an answer of ours or theirs, in the order of the answer."""
    if isinstance(answer, list):
        return [found for each in answer for found in ids(each)]
    if not isinstance(answer, dict):
        return []
    own = [answer["id"].rpartition("_")[2].replace("-", "")] if "id" in answer else []
    return own + [found for each in answer.values() for found in ids(each)]


def missing() -> str | None:
    """What (e) lacks to run, after its packages are installed where they are not yet; None where it lacks nothing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    wanted = json.loads((_FOLDER / "package.json").read_text())["dependencies"]
    if any(_installed(name) != version for name, version in wanted.items()):
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"npm could not install it: {(done.stderr.strip() or 'it did not say why').splitlines()[0]}"
    return None


def _installed(package: str) -> str | None:
    """The version of a package that is installed."""
    file = _FOLDER / "node_modules" / package / "package.json"
    return str(json.loads(file.read_text())["version"]) if file.exists() else None


def environment(connections: int) -> dict[str, str]:
    """What its server is told besides what all are: that this is production, and how many ask at once."""
    return {"NODE_ENV": "production", "GRAPHILE_ENV": "production", "CONNECTIONS": str(connections)}


@contextmanager
def policies(url: str) -> Iterator[None]:
    """Row-level security for SALES while the context is open. It holds nobody back who owns the tables."""
    # A run that was killed may have left them.
    asyncio.run(_execute(url, "no_policies.sql", "policies.sql"))
    try:
        yield
    finally:
        asyncio.run(_execute(url, "no_policies.sql"))


async def _execute(url: str, *names: str) -> None:
    """Execute files beside the server, all or nothing."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for name in names:
                await connection.execute((_FOLDER / name).read_text())
            if await connection.fetchval("SELECT row_security_active('customers')"):
                raise SystemExit("Row-level security for (e) would hold back our own server: it must own the tables.")
    finally:
        await connection.close()
