"""Figures about opportunities and tickets, in the API."""

from datetime import date, datetime

import strawberry

from schema.types.common import LabelCount, Money
from schema.types.stage import Stage


@strawberry.type
class PipelineStage:
    """The opportunities that are in one stage."""

    stage: Stage
    count: int
    amount: Money
    weighted_amount: Money
    average_days_in_stage: float | None
    rotting: int


@strawberry.type
class FunnelStep:
    """How many opportunities reached one stage; conversion is their share of those opened in the period."""

    stage: Stage
    entered: int
    conversion: float | None


@strawberry.type
class WinRate:
    """How many opportunities were won and lost: rate is won / (won + lost)."""

    key: str
    label: str
    won: int
    lost: int
    rate: float | None
    won_amount: Money
    average_days_to_close: float | None


@strawberry.type
class ForecastMonth:
    """What a month brings: won already, its open opportunities by weighted amount, and by full amount."""

    month: date
    won: Money
    weighted: Money
    best_case: Money


@strawberry.type
class CountPoint:
    """How many there were in one bucket of time. Empty buckets are there, with zero."""

    start: datetime
    count: int


@strawberry.type
class TicketFigures:
    """How tickets were answered."""

    opened: list[CountPoint]
    resolved: list[CountPoint]
    backlog: int
    median_first_response_minutes: float | None
    p90_first_response_minutes: float | None
    median_resolution_minutes: float | None
    first_response_sla_met: float | None
    resolution_sla_met: float | None
    average_satisfaction: float | None
    satisfaction: list[int]
    by_channel: list[LabelCount]
    by_kind: list[LabelCount]
    by_priority: list[LabelCount]
