"""What all payloads share."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

import strawberry
from strawberry import Info

from schema.types.errors import UserError


@strawberry.type
class Payload:
    """What a mutation came to. ``records`` says under which name the gate keeps the record of each field."""

    records: ClassVar[Mapping[str, str]] = {}

    errors: list[UserError] = strawberry.field(default_factory=list)
    shown: strawberry.Private[dict[str, Any]] = field(default_factory=dict)
    facts: strawberry.Private[dict[str, Any]] = field(default_factory=dict)

    def record(self, info: Info[Any, None]) -> Any:
        """The record that the field shows, already read."""
        return self.shown.get(str(info.path.key))


@strawberry.type
class DonePayload:
    """Whether it is done, or why not."""

    done: bool = False
    errors: list[UserError] = strawberry.field(default_factory=list)
