"""The right that a root field needs, visible in the code and, as a directive, in the printed schema."""

from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.schema_directive import Location
from strawberry.types import Info

from app.errors import ForbiddenError
from app.models.base import Row
from app.models.enums import RowScope
from schema.context import Context


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="can", repeatable=True)
class CanDirective:
    """The action on the entity that a caller needs to be granted for this field; rows and fields follow the grant."""

    action: str
    entity: str


class Can(BasePermission):
    """The caller is granted ``action`` on ``entity``, for some rows at least."""

    def __init__(self, action: str, entity: type[Row]) -> None:
        self.action = action
        self.entity = entity
        self._schema_directive = CanDirective(action=action, entity=entity.__name__)  # type: ignore[misc]

    async def has_permission(self, source: Any, info: Info[Context, None], **kwargs: Any) -> bool:
        """Whether some rows are granted; rights that seem to be missing are looked up anew."""
        access = await info.context.access()
        if access.rights.rows(self.entity, self.action) is not RowScope.NONE:
            return True
        access = await info.context.present_access()
        if access.rights.rows(self.entity, self.action) is not RowScope.NONE:
            return True
        raise ForbiddenError(
            f"The role {access.role_name} has no right to {self.action} {self.entity.__name__}.",
            entity=self.entity.__name__,
            action=self.action,
        )


def can(action: str, entity: type[Row], *more: str) -> list[FieldExtension]:
    """The extensions of a field that needs ``action`` on ``entity``, and ``more`` actions."""
    return [PermissionExtension([Can(each, entity) for each in (action, *more)])]
