"""Keeping roles."""

from typing import Any, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import roles
from schema.acting import Act
from schema.context import Context
from schema.types.enums import FieldAccess, RowScope
from schema.types.inputs import Version
from schema.types.payload import Payload
from schema.types.role import Role
from schema.vocabulary import vocabulary

Asked = Info[Context, None]


@strawberry.input
class FieldGrantInput:
    """access on the rows of onRows (absent: all), otherwise elsewhere (absent: HIDDEN)."""

    field: str
    access: FieldAccess
    on_rows: RowScope | None = UNSET
    otherwise: FieldAccess | None = UNSET


@strawberry.input
class GrantInput:
    """One action on one entity, and the rows that it covers. fields is for read, create and update: without it every
    field is open, with it those that it does not name are HIDDEN."""

    entity: str
    action: str
    rows: RowScope
    fields: list[FieldGrantInput] | None = UNSET


@strawberry.type
class RolePayload(Payload):
    """The role as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"role": ""}

    @strawberry.field
    def role(self, info: Asked) -> Role | None:
        """The role; null when nothing was done, or when it is there no longer, or out of your sight."""
        found: Role | None = self.record(info)
        return found


_CREATE = Act("create", models.Role, roles.create, references={"copy_from_id": models.Role}, options=("copy_from_id",))
_SET = Act("update", models.Role, roles.set_grants, options=("known",), named="roleId")
_DELETE = Act("delete", models.Role, roles.delete, lock="UPDATE")


@strawberry.type
class RoleMutations:
    """What can be done to roles."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_role(
        self,
        info: Asked,
        name: str,
        description: str | None = UNSET,
        copy_from_id: strawberry.ID | None = UNSET,
    ) -> RolePayload:
        """Make a role: with the grants of another one, of which you need all, or without any."""
        return await _CREATE.do(info, RolePayload, name=name, description=description, copy_from_id=copy_from_id)

    @strawberry.mutation(extensions=_SET.guard)
    async def set_grants(
        self, info: Asked, role_id: strawberry.ID, version: Version, grants: list[GrantInput]
    ) -> RolePayload:
        """Make the grants of a role those given, all of which you need yourself, as well as those that it had. They
        hold for the next statement of everybody who has the role. Built-in roles cannot be changed, but copied."""
        listed = [_plain(each) for each in grants]
        known = vocabulary(info._raw_info.schema)
        return await _SET.do(info, RolePayload, id=role_id, version=version, grants=listed, known=known)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_role(self, info: Asked, id: strawberry.ID, version: Version) -> RolePayload:
        """Do away with a role that nobody has. With empty errors it is gone, and role is null."""
        return await _DELETE.do(info, RolePayload, id=id, version=version)


def _plain(given: GrantInput) -> dict[str, Any]:
    fields = None
    if given.fields is not UNSET and given.fields is not None:
        fields = [
            {
                "field": each.field,
                "access": each.access,
                "on_rows": None if each.on_rows is UNSET else each.on_rows,
                "otherwise": None if each.otherwise is UNSET else each.otherwise,
            }
            for each in given.fields
        ]
    return {"entity": given.entity, "action": given.action, "rows": given.rows, "fields": fields}
