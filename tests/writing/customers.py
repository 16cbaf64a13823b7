"""The mutations of customers."""

from tests.writing.deeds import Deed, by_version

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
)
