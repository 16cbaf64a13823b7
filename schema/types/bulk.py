"""What mutations of many records answer."""

from enum import Enum
from typing import Any

import strawberry
from strawberry import Info

from app.db.ids import print_id
from auth.bulk_deeds import BulkDone, RowDone
from schema.rendering import rendered
from schema.types.errors import UserError, error_values, user_error


@strawberry.enum
class ErrorPolicy(Enum):
    """What becomes of all rows when some of them cannot be done."""

    REJECT_EVERYTHING = strawberry.enum_value("REJECT_EVERYTHING", description="Nothing is done.")
    REJECT_FAILED_ROWS = strawberry.enum_value("REJECT_FAILED_ROWS", description="The others are done.")


@strawberry.type
class BulkResult:
    """What came of one row. index is its place in the list that was given, or among the records that a filter chose;
    id is its record, null where there is none."""

    index: int
    id: strawberry.ID | None
    errors: list[UserError]


@strawberry.type
class BulkPayload:
    """How many rows are done (in a dry run, would be), and what came of each."""

    count: int
    done: strawberry.Private[BulkDone]
    prefix: strawberry.Private[str]

    @strawberry.field
    def results(self, info: Info[Any, None]) -> list[BulkResult]:
        """Each row, in the order of the index, with its own problems."""
        found: list[BulkResult] = rendered(info, [self._row(row) for row in self.done.rows])
        return found

    @strawberry.field
    def errors(self, info: Info[Any, None]) -> list[UserError]:
        """The problems for which nothing was done, each once; empty where something was."""
        found: list[UserError] = rendered(info, [error_values(user_error(problem)) for problem in self.done.problems])
        return found

    def _row(self, row: RowDone) -> dict[str, Any]:
        id = None if row.id is None else print_id(self.prefix, row.id)
        return {"index": row.index, "id": id, "errors": [error_values(user_error(problem)) for problem in row.problems]}
