"""The mutations of many records at once."""

from typing import Any

from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Deed, Office

_ANSWER = "{ count results { index id errors { field code } } errors { field code message } }"


def one_id(_: Office, row: Row) -> dict[str, Any]:
    """A list of one id."""
    return {"ids": [typed_id(row)]}


DEEDS = (
    Deed(
        "assignCustomers",
        "assign",
        "Customer",
        f"mutation($ids: [ID!], $owner: ID!) {{ assignCustomers(ids: $ids, ownerId: $owner) {_ANSWER} }}",
        about="Customer",
        suits=lambda office, row: row.owner_id != office.ids["sales_north_2"],
        variables=lambda office, row: one_id(office, row) | {"owner": f"usr_{office.ids['sales_north_2'].hex}"},
    ),
    Deed(
        "bulkCreateCustomers",
        "bulk",
        "Customer",
        f'mutation {{ bulkCreateCustomers(rows: [{{ name: "One" }}, {{ name: "Two" }}]) {_ANSWER} }}',
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {},
        recorded=("Customer", "create"),
        events=2,
    ),
    Deed(
        "bulkUpdateCustomers",
        "bulk",
        "Customer",
        f'mutation($ids: [ID!]) {{ bulkUpdateCustomers(ids: $ids, input: {{ tags: ["written"] }}) {_ANSWER} }}',
        about="Customer",
        suits=lambda office, row: row.tags != ["written"],
        variables=one_id,
        recorded=("Customer", "update"),
    ),
    Deed(
        "bulkUpdateOpportunities",
        "bulk",
        "Opportunity",
        f'mutation($ids: [ID!]) {{ bulkUpdateOpportunities(ids: $ids, input: {{ name: "Written" }}) {_ANSWER} }}',
        about="Opportunity",
        suits=lambda office, row: row.name != "Written",
        variables=one_id,
        recorded=("Opportunity", "update"),
    ),
    Deed(
        "bulkUpdateTickets",
        "bulk",
        "Ticket",
        f"mutation($ids: [ID!]) {{ bulkUpdateTickets(ids: $ids, input: {{ priority: URGENT }}) {_ANSWER} }}",
        about="Ticket",
        suits=lambda office, row: row.priority != "URGENT",
        variables=one_id,
        recorded=("Ticket", "update"),
    ),
)
