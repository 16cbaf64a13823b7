"""What is promised for tickets, in the API."""

from datetime import date

import strawberry


@strawberry.type
class SlaPolicy:
    """How soon tickets are answered and resolved, by priority, in business minutes; null promises nothing.

    ``hours`` are the business hours in ``timeZone`` (null: the shop's), such as "MONDAY 09:00-12:30", in the order of
    the week. There is no business on ``holidays``.
    """

    time_zone: str | None
    hours: list[str]
    holidays: list[date]
    low_first_response_minutes: int | None
    low_resolution_minutes: int | None
    normal_first_response_minutes: int | None
    normal_resolution_minutes: int | None
    high_first_response_minutes: int | None
    high_resolution_minutes: int | None
    urgent_first_response_minutes: int | None
    urgent_resolution_minutes: int | None
    version: int
