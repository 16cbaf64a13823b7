"""The field that says what the caller may do to a row."""

from __future__ import annotations

from typing import Annotated

import strawberry

from schema.types.common import UnwalkedError

Action = Annotated[str, strawberry.argument(description='The action\'s name, as in viewer { permissions }: "update".')]


def viewer_can(action: Action) -> bool:
    """Whether you have the right to do that to this record. What holds of single fields, and what the record itself
    stands in the way of (a cancelled order cannot be paid), is not part of it. Deleted records can be restored."""
    raise UnwalkedError
