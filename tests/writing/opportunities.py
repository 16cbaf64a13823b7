"""The mutations of opportunities."""

from typing import Any

from tests.oracle.rows import typed_id
from tests.writing.deeds import Deed, Office, Row, by_id, by_version

_ANSWER = "{ opportunity { id name version } errors { field code message } }"


def _kind(office: Office, row: Row) -> Any:
    stage = office.rows.one(row, "stage")
    assert stage is not None
    return stage.kind


def _open(office: Office, row: Row) -> bool:
    return bool(_kind(office, row) == "OPEN")


def _closed(office: Office, row: Row) -> bool:
    return not _open(office, row)


def _staged(office: Office, row: Row) -> bool:
    stage = office.rows.one(row, "stage")
    return stage is not None and stage.deleted_at is None


def _elsewhere(office: Office, row: Row) -> dict[str, Any]:
    """Into an open stage in which it is not."""
    stages = [each for each in office.rows.all("Stage") if each.kind == "OPEN" and each.deleted_at is None]
    return by_id(office, row) | {"stage": typed_id(next(each for each in stages if each.id != row.stage_id))}


DEEDS = (
    Deed(
        "createOpportunity",
        "create",
        "Opportunity",
        "mutation($customer: ID!) { createOpportunity(input:"
        f' {{ name: "New", customerId: $customer, amount: {{ amount: "10" }} }}) {_ANSWER} }}',
        about="Customer",
        variables=lambda office, row: {"customer": typed_id(row)},
    ),
    Deed(
        "updateOpportunity",
        "update",
        "Opportunity",
        "mutation($id: ID!, $version: Int!) {"
        f' updateOpportunity(id: $id, version: $version, input: {{ name: "Written" }}) {_ANSWER} }}',
        about="Opportunity",
        suits=lambda office, row: row.name != "Written",
        variables=by_version,
    ),
    Deed(
        "deleteOpportunity",
        "delete",
        "Opportunity",
        f"mutation($id: ID!, $version: Int!) {{ deleteOpportunity(id: $id, version: $version) {_ANSWER} }}",
        about="Opportunity",
        variables=by_version,
    ),
    Deed(
        "restoreOpportunity",
        "restore",
        "Opportunity",
        f"mutation($id: ID!) {{ restoreOpportunity(id: $id) {_ANSWER} }}",
        about="Opportunity",
        suits=_staged,
        deleted=True,
    ),
    Deed(
        "moveOpportunity",
        "move",
        "Opportunity",
        f"mutation($id: ID!, $stage: ID!) {{ moveOpportunity(id: $id, stageId: $stage) {_ANSWER} }}",
        about="Opportunity",
        suits=_open,
        variables=_elsewhere,
    ),
    Deed(
        "winOpportunity",
        "win",
        "Opportunity",
        f"mutation($id: ID!) {{ winOpportunity(id: $id) {_ANSWER} }}",
        about="Opportunity",
        suits=_open,
    ),
    Deed(
        "loseOpportunity",
        "lose",
        "Opportunity",
        f'mutation($id: ID!) {{ loseOpportunity(id: $id, reason: "price") {_ANSWER} }}',
        about="Opportunity",
        suits=_open,
    ),
    Deed(
        "reopenOpportunity",
        "reopen",
        "Opportunity",
        f"mutation($id: ID!) {{ reopenOpportunity(id: $id) {_ANSWER} }}",
        about="Opportunity",
        suits=_closed,
    ),
)
