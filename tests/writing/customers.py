"""The mutations of customers."""

from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Deed, Office, by_version


def _others(office: Office, row: Row) -> list[Row]:
    """Other live customers of the same owner, those first that have least of their own."""

    def children(other: Row) -> int:
        return sum(len(office.rows.many(other, each)) for each in ("contacts", "opportunities", "orders", "tickets"))

    others = [
        other
        for other in office.rows.all("Customer")
        if other.deleted_at is None and other.id != row.id and other.owner_id == row.owner_id is not None
    ]
    return sorted(others, key=children)


def _alone(office: Office, row: Row) -> bool:
    same = [r for r in office.rows.all("Customer") if r.email and r.email.lower() == row.email.lower()]
    return same == [row]


DEEDS = (
    Deed(
        "createCustomer",
        "create",
        "Customer",
        'mutation { createCustomer(input: { name: "New" }, allowDuplicate: true)'
        " { customer { id name } errors { field code message } } }",
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {},
    ),
    Deed(
        "updateCustomer",
        "update",
        "Customer",
        'mutation($id: ID!, $version: Int!) { updateCustomer(id: $id, version: $version, input: { tags: ["written"] })'
        " { customer { id tags version } errors { field code message } } }",
        about="Customer",
        suits=lambda office, row: row.tags != ["written"],
        variables=by_version,
    ),
    Deed(
        "deleteCustomer",
        "delete",
        "Customer",
        "mutation($id: ID!, $version: Int!) { deleteCustomer(id: $id, version: $version)"
        " { customer { id deletedAt } errors { field code message } } }",
        about="Customer",
        variables=by_version,
    ),
    Deed(
        "restoreCustomer",
        "restore",
        "Customer",
        "mutation($id: ID!) { restoreCustomer(id: $id) { customer { id deletedAt } errors { field code message } } }",
        about="Customer",
        suits=lambda office, row: row.merged_into_id is None,
        deleted=True,
    ),
    Deed(
        "mergeCustomers",
        "merge",
        "Customer",
        "mutation($id: ID!, $ids: [ID!]!) { mergeCustomers(keepId: $id, mergeIds: $ids)"
        " { customer { id } moved { label count } errors { field code message } } }",
        about="Customer",
        suits=lambda office, row: bool(_others(office, row)),
        variables=lambda office, row: {"id": typed_id(row), "ids": [typed_id(_others(office, row)[0])]},
        events=2,
    ),
    Deed(
        "unmergeCustomer",
        "merge",
        "Customer",
        "mutation($id: ID!) { unmergeCustomer(id: $id) { customer { id } errors { field code message } } }",
        about="Customer",
        suits=lambda office, row: row.merged_into_id is not None,
        recorded=("Customer", "unmerge"),
        deleted=True,
        events=2,
    ),
    Deed(
        "revealCustomer",
        "reveal",
        "Customer",
        'mutation($id: ID!) { revealCustomer(id: $id, reason: "called in")'
        " { customer { id email phone notes } errors { field code message } } }",
        about="Customer",
    ),
    Deed(
        "lookupCustomer",
        "lookup",
        "Customer",
        "mutation($email: String) { lookupCustomer(email: $email)"
        " { customer { id email } errors { field code message } } }",
        about="Customer",
        suits=lambda office, row: row.email and "." in row.email and _alone(office, row),
        variables=lambda office, row: {"email": row.email},
    ),
    Deed(
        "eraseCustomer",
        "erase",
        "Customer",
        'mutation($id: ID!) { eraseCustomer(id: $id, reason: "asked for in writing")'
        " { customer { id name email } errors { field code message } } }",
        about="Customer",
    ),
)
