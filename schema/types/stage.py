"""Stages in the API."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import UNSET

from schema.types.common import Node
from schema.types.enums import StageKind
from schema.types.filters import IDFilter, IntFilter, StageKindFilter, StringFilter


@strawberry.type
class Stage(Node):
    """A step of the sales pipeline."""

    name: str
    kind: StageKind
    position: int
    probability: int
    rotting_after_days: int | None
    deleted_at: datetime | None
    version: int


@strawberry.input
class StageFilter:
    """All members must hold."""

    and_: list[StageFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[StageFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: StageFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    name: StringFilter | None = UNSET
    kind: StageKindFilter | None = UNSET
    position: IntFilter | None = UNSET
