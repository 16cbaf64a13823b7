"""The mutations of contacts."""

from tests.oracle.rows import typed_id
from tests.writing.deeds import Deed, by_id, by_version

DEEDS = (
    Deed(
        "createContact",
        "create",
        "Contact",
        'mutation($customer: ID!) { createContact(input: { customerId: $customer, firstName: "Ada", lastName: "New" })'
        " { contact { id fullName customer { id } } errors { field code message } } }",
        about="Customer",
        variables=lambda office, row: {"customer": typed_id(row)},
    ),
    Deed(
        "updateContact",
        "update",
        "Contact",
        'mutation($id: ID!, $version: Int!) { updateContact(id: $id, version: $version, input: { title: "written" })'
        " { contact { id title version } errors { field code message } } }",
        about="Contact",
        suits=lambda office, row: row.title != "written",
        variables=by_version,
    ),
    Deed(
        "deleteContact",
        "delete",
        "Contact",
        "mutation($id: ID!, $version: Int!) { deleteContact(id: $id, version: $version)"
        " { contact { id } errors { field code message } } }",
        about="Contact",
        variables=by_version,
    ),
    Deed(
        "restoreContact",
        "restore",
        "Contact",
        "mutation($id: ID!) { restoreContact(id: $id) { contact { id deletedAt } errors { field code message } } }",
        about="Contact",
        suits=lambda office, row: not row.is_primary,
        variables=by_id,
        deleted=True,
    ),
)
