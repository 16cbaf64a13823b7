"""The mutations of tickets."""

from collections.abc import Callable
from typing import Any

from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Deed, Office, by_id, by_version

_PROBLEMS = "errors { field code message }"


def _in(*states: str) -> Callable[[Office, Row], bool]:
    return lambda office, row: row.status in states


def _said(office: Office, row: Row) -> dict[str, Any]:
    return {"id": typed_id(row), "body": "Something was said."}


def _moved(name: str, action: str, *states: str) -> Deed:
    document = f"mutation($id: ID!) {{ {name}(id: $id) {{ ticket {{ id status version }} {_PROBLEMS} }} }}"
    return Deed(name, action, "Ticket", document, about="Ticket", suits=_in(*states))


DEEDS = (
    Deed(
        "createTicket",
        "create",
        "Ticket",
        'mutation($customer: ID!) { createTicket(input: { customerId: $customer, subject: "Help" })'
        f" {{ ticket {{ id number subject customer {{ id }} }} {_PROBLEMS} }} }}",
        about="Customer",
        variables=lambda office, row: {"customer": typed_id(row)},
    ),
    Deed(
        "updateTicket",
        "update",
        "Ticket",
        'mutation($id: ID!, $version: Int!) { updateTicket(id: $id, version: $version, input: { subject: "Written" })'
        f" {{ ticket {{ id subject version }} {_PROBLEMS} }} }}",
        about="Ticket",
        suits=lambda office, row: row.subject != "Written",
        variables=by_version,
    ),
    Deed(
        "deleteTicket",
        "delete",
        "Ticket",
        "mutation($id: ID!, $version: Int!) { deleteTicket(id: $id, version: $version)"
        f" {{ ticket {{ id deletedAt }} {_PROBLEMS} }} }}",
        about="Ticket",
        variables=by_version,
    ),
    Deed(
        "restoreTicket",
        "restore",
        "Ticket",
        f"mutation($id: ID!) {{ restoreTicket(id: $id) {{ ticket {{ id deletedAt }} {_PROBLEMS} }} }}",
        about="Ticket",
        deleted=True,
    ),
    Deed(
        "assignTicket",
        "assign",
        "Ticket",
        "mutation($id: ID!) { assignTicket(id: $id, userId: null)"
        f" {{ ticket {{ id assignee {{ id }} }} {_PROBLEMS} }} }}",
        about="Ticket",
        suits=lambda office, row: row.assignee_id is not None,
        variables=by_id,
    ),
    Deed(
        "commentOnTicket",
        "comment",
        "Ticket",
        "mutation($id: ID!, $body: String!) { commentOnTicket(id: $id, body: $body)"
        f" {{ comment {{ id body internal author {{ id }} }} ticket {{ id version }} {_PROBLEMS} }} }}",
        about="Ticket",
        variables=_said,
    ),
    _moved("setTicketPending", "pending", "OPEN"),
    _moved("resolveTicket", "resolve", "OPEN", "PENDING"),
    _moved("closeTicket", "close", "OPEN", "PENDING", "RESOLVED"),
    _moved("reopenTicket", "reopen", "PENDING", "RESOLVED", "CLOSED"),
    Deed(
        "rateTicket",
        "rate",
        "Ticket",
        f"mutation($id: ID!) {{ rateTicket(id: $id, satisfaction: 4) {{ ticket {{ id satisfaction }} {_PROBLEMS} }} }}",
        about="Ticket",
        suits=lambda office, row: row.status in ("RESOLVED", "CLOSED") and row.satisfaction != 4,
    ),
)
