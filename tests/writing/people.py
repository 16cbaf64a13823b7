"""The mutations of users, teams and roles."""

from tests.matrix import CALLERS
from tests.oracle.rows import typed_id
from tests.writing.deeds import Deed, Office, Row, by_id, by_version

_USER = "{ user { id name active role { name } team { id } version } errors { field code message } }"
_TEAM = "{ team { id name version } errors { field code message } }"
_ROLE = "{ role { id name version grants { entity action } } errors { field code message } }"
_STAFF = ("role_SALES", "role_SUPPORT")


def _nobody_who_tries(office: Office, row: Row) -> bool:
    return row.id not in {office.ids[label] for label in CALLERS.values()}


def _staff(office: Office, row: Row) -> bool:
    return row.role_id in {office.ids[label] for label in _STAFF} and _nobody_who_tries(office, row)


def _new_user(office: Office, row: Row) -> dict[str, object]:
    role = office.label("role_SALES")
    more = {"roleId": typed_id(role), "teamId": f"tm_{row.team_id.hex}"}
    return {"input": {"name": "New", "email": f"new.{len(office.rows.all('User'))}@shop.example", **more}}


def _unused_team(office: Office, row: Row) -> bool:
    return all(user.team_id != row.id for user in office.rows.all("User"))


def _unused_role(office: Office, row: Row) -> bool:
    return not row.built_in and all(user.role_id != row.id for user in office.rows.all("User"))


DEEDS = (
    Deed(
        "createUser",
        "create",
        "User",
        f"mutation($input: CreateUserInput!) {{ createUser(input: $input) {_USER} }}",
        about="User",
        suits=lambda office, row: row.active and row.team_id is not None,
        variables=_new_user,
    ),
    Deed(
        "updateUser",
        "update",
        "User",
        "mutation($id: ID!, $version: Int!) {"
        f' updateUser(id: $id, version: $version, input: {{ name: "Written" }}) {_USER} }}',
        about="User",
        suits=lambda office, row: row.name != "Written",
        variables=by_version,
    ),
    Deed(
        "inviteUser",
        "create",
        "User",
        f"mutation($id: ID!) {{ inviteUser(id: $id) {_USER} }}",
        about="User",
        suits=lambda office, row: row.active and row.password_hash is None and _staff(office, row),
        variables=by_id,
        recorded=("User", "invite"),
    ),
    Deed(
        "deactivateUser",
        "deactivate",
        "User",
        f"mutation($id: ID!) {{ deactivateUser(id: $id) {_USER} }}",
        about="User",
        suits=lambda office, row: row.active and _staff(office, row),
        variables=by_id,
    ),
    Deed(
        "activateUser",
        "activate",
        "User",
        f"mutation($id: ID!) {{ activateUser(id: $id) {_USER} }}",
        about="User",
        suits=lambda office, row: not row.active and _staff(office, row),
        variables=by_id,
    ),
    Deed(
        "createTeam",
        "create",
        "Team",
        f"mutation($name: String!) {{ createTeam(input: {{ name: $name }}) {_TEAM} }}",
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {"name": f"Team {len(office.rows.all('Team'))}"},
    ),
    Deed(
        "updateTeam",
        "update",
        "Team",
        "mutation($id: ID!, $version: Int!) {"
        f' updateTeam(id: $id, version: $version, input: {{ region: "written" }}) {_TEAM} }}',
        about="Team",
        suits=lambda office, row: row.region != "written",
        variables=by_version,
    ),
    Deed(
        "deleteTeam",
        "delete",
        "Team",
        f"mutation($id: ID!, $version: Int!) {{ deleteTeam(id: $id, version: $version) {_TEAM} }}",
        about="Team",
        suits=_unused_team,
        variables=by_version,
    ),
    Deed(
        "createRole",
        "create",
        "Role",
        f"mutation($name: String!, $from: ID) {{ createRole(name: $name, copyFromId: $from) {_ROLE} }}",
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {
            "name": f"Role {len(office.rows.all('Role'))}",
            "from": typed_id(office.label("role_SUPPORT")),
        },
    ),
    Deed(
        "setGrants",
        "update",
        "Role",
        "mutation($id: ID!, $version: Int!) { setGrants(roleId: $id, version: $version,"
        f' grants: [{{ entity: "Stage", action: "read", rows: ALL }}]) {_ROLE} }}',
        about="Role",
        suits=lambda office, row: not row.built_in,
        variables=by_version,
    ),
    Deed(
        "deleteRole",
        "delete",
        "Role",
        f"mutation($id: ID!, $version: Int!) {{ deleteRole(id: $id, version: $version) {_ROLE} }}",
        about="Role",
        suits=_unused_role,
        variables=by_version,
    ),
)
