"""The mutations of stages."""

from tests.writing.deeds import Deed, Office, Row, by_version

_ANSWER = "{ stage { id name version } errors { field code message } }"


def _unused(office: Office, row: Row) -> bool:
    return all(deal.stage_id != row.id or deal.deleted_at is not None for deal in office.rows.all("Opportunity"))


def _free(office: Office, row: Row) -> bool:
    return all(stage.name != row.name or stage.deleted_at is not None for stage in office.rows.all("Stage"))


DEEDS = (
    Deed(
        "createStage",
        "create",
        "Stage",
        f"mutation($name: String!) {{ createStage(input: {{ name: $name, probability: 5 }}) {_ANSWER} }}",
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {"name": f"Stage {len(office.rows.all('Stage'))}"},
    ),
    Deed(
        "updateStage",
        "update",
        "Stage",
        "mutation($id: ID!, $version: Int!) {"
        f" updateStage(id: $id, version: $version, input: {{ rottingAfterDays: 77 }}) {_ANSWER} }}",
        about="Stage",
        suits=lambda office, row: row.rotting_after_days != 77,
        variables=by_version,
    ),
    Deed(
        "deleteStage",
        "delete",
        "Stage",
        f"mutation($id: ID!, $version: Int!) {{ deleteStage(id: $id, version: $version) {_ANSWER} }}",
        about="Stage",
        suits=_unused,
        variables=by_version,
    ),
    Deed(
        "restoreStage",
        "restore",
        "Stage",
        f"mutation($id: ID!) {{ restoreStage(id: $id) {_ANSWER} }}",
        about="Stage",
        suits=_free,
        deleted=True,
    ),
)
