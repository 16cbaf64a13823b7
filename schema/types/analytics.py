"""Analytics in the API: figures over the rows that the caller may analyse, each answered whole by one statement."""

from datetime import date, datetime
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.errors import BadUserInputError
from schema.context import Context
from schema.permissions import can
from schema.resolving import figure
from schema.types.customer import CustomerFilter
from schema.types.enums import ProductRanking, TimeBucket, WinRateKey
from schema.types.opportunity import OpportunityFilter
from schema.types.order import OrderFilter
from schema.types.pipeline_figures import ForecastMonth, FunnelStep, PipelineStage, TicketFigures, WinRate
from schema.types.sales_figures import (
    CategoryFigure,
    ChurnFigure,
    ProductFigure,
    RetentionCohort,
    RevenuePoint,
    RfmSegmentFigure,
    SegmentMove,
)

MONTHS_MOST = 120
_REFRESHED = "SELECT as_of FROM analytics_state"

YEARS = 1900, 2199
"""The years in which periods may begin and end: those of every calendar and time zone that a shop may go by."""

Asked = Info[Context, None]
From = Annotated[datetime | None, strawberry.argument(name="from")]


@strawberry.type
class Analytics:
    """Figures in the shop's currency and time zone. A period goes from ``from`` on to before ``to``; either may be left
    out. Each figure counts just the rows that the caller may see and analyse."""

    @strawberry.field
    def currency(self, info: Asked) -> str:
        """The currency of all amounts here, ISO 4217."""
        return info.context.services.settings.shop_currency

    @strawberry.field
    async def refreshed_at(self, info: Asked) -> datetime | None:
        """The moment as of which the metrics of customers are: segments, scores, churn states. Null before the first
        refresh."""
        found = await info.context.services.reader.lanes.fetchrow(_REFRESHED)
        return found["as_of"]

    @strawberry.field(extensions=can("analyse", models.Order))
    async def revenue(
        self,
        info: Asked,
        from_: From = UNSET,
        to: datetime | None = UNSET,
        bucket: TimeBucket = TimeBucket.MONTH,
        timezone: str | None = UNSET,
        where: OrderFilter | None = UNSET,
    ) -> list[RevenuePoint]:
        """Sold orders by the moment at which they were placed. Without from, it begins with the first sold order;
        without to, it ends with the last."""
        _check_period(from_, to)
        _check_zone(timezone)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Opportunity))
    async def pipeline(self, info: Asked, where: OpportunityFilter | None = UNSET) -> list[PipelineStage]:
        """The opportunities by the stage in which they are."""
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Opportunity))
    async def funnel(
        self,
        info: Asked,
        from_: From = UNSET,
        to: datetime | None = UNSET,
        where: OpportunityFilter | None = UNSET,
    ) -> list[FunnelStep]:
        """How far the opportunities came that were opened in the period."""
        _check_period(from_, to)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Opportunity))
    async def win_rates(
        self,
        info: Asked,
        by: WinRateKey = WinRateKey.OWNER,
        from_: From = UNSET,
        to: datetime | None = UNSET,
    ) -> list[WinRate]:
        """How many of the opportunities closed in the period were won."""
        _check_period(from_, to)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Opportunity))
    async def forecast(self, info: Asked, months: int = 3) -> list[ForecastMonth]:
        """The present month and those after it, ``months`` of them (1 to 120)."""
        _check_months(months)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Customer))
    async def rfm(self, info: Asked, where: CustomerFilter | None = UNSET) -> list[RfmSegmentFigure]:
        """The customers by segment."""
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Order))
    async def retention(
        self,
        info: Asked,
        months: int = 12,
        from_: From = UNSET,
        to: datetime | None = UNSET,
    ) -> list[RetentionCohort]:
        """The customers by the month of their first sold order, and how many of them ordered in the months after it,
        ``months`` of them (1 to 120). The period is that of the first orders."""
        _check_months(months)
        _check_period(from_, to)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Customer))
    async def churn(self, info: Asked, where: CustomerFilter | None = UNSET) -> list[ChurnFigure]:
        """The customers by whether they still buy in their rhythm."""
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Customer))
    async def segment_moves(
        self,
        info: Asked,
        from_: Annotated[date, strawberry.argument(name="from")],
        to: date,
    ) -> list[SegmentMove]:
        """The customers by the segments in which they were when the months of from and to began: a snapshot is kept of
        each month."""
        if (from_.year, from_.month) >= (to.year, to.month):
            raise BadUserInputError(
                f"from is {from_} and to is {to}: from must be of an earlier month than to.", argument="from"
            )
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Order))
    async def top_products(
        self,
        info: Asked,
        by: ProductRanking = ProductRanking.REVENUE,
        first: int = 10,
        from_: From = UNSET,
        to: datetime | None = UNSET,
    ) -> list[ProductFigure]:
        """The products of which most was sold in the period; at most 200."""
        if not 1 <= first <= 200:
            raise BadUserInputError(f"first is {first}: it must be from 1 to 200.", argument="first")
        _check_period(from_, to)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Order))
    async def categories(self, info: Asked, from_: From = UNSET, to: datetime | None = UNSET) -> list[CategoryFigure]:
        """What was sold in the period by the category of the product."""
        _check_period(from_, to)
        return await figure(info)

    @strawberry.field(extensions=can("analyse", models.Ticket))
    async def tickets(
        self,
        info: Asked,
        from_: From = UNSET,
        to: datetime | None = UNSET,
        bucket: TimeBucket = TimeBucket.MONTH,
    ) -> TicketFigures:
        """How tickets were answered in the period."""
        _check_period(from_, to)
        return await figure(info)


def _check_period(start: datetime | None, end: datetime | None) -> None:
    for name, moment in (("from", start), ("to", end)):
        if isinstance(moment, datetime) and not YEARS[0] <= moment.year <= YEARS[1]:
            raise BadUserInputError(
                f"{name} is {moment.isoformat()}: its year must be from {YEARS[0]} to {YEARS[1]}.", argument=name
            )
    if isinstance(start, datetime) and isinstance(end, datetime) and start >= end:
        raise BadUserInputError(
            f"from is {start.isoformat()} and to is {end.isoformat()}: from must be the earlier one.", argument="from"
        )


@cache
def _zones() -> frozenset[str]:
    """The time zones that PostgreSQL knows as well: that of this machine has no name of its own there."""
    return frozenset(available_timezones() - {"localtime"})


def _check_zone(name: str | None) -> None:
    if isinstance(name, str) and name not in _zones():
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        raise BadUserInputError(
            f"timezone is {shown!r}: it must be an IANA name, such as Europe/Berlin.", argument="timezone"
        )


def _check_months(months: int) -> None:
    if not 1 <= months <= MONTHS_MOST:
        raise BadUserInputError(f"months is {months}: it must be from 1 to {MONTHS_MOST}.", argument="months")
