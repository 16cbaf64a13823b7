"""The figures about opportunities and tickets a second time, in plain Python over the rows that the caller sees."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from tests.analytics.plain import DAY, Plain, bucket_start, inside, mean, next_start, percentile, seconds
from tests.oracle.conditions import matches
from tests.oracle.rows import Row, typed_id

CHANNELS = ("PHONE", "EMAIL", "CHAT", "WEB", "SOCIAL")
KINDS = ("INQUIRY", "COMPLAINT", "AFTER_SALES", "TECHNICAL", "OTHER")
PRIORITIES = ("LOW", "NORMAL", "HIGH", "URGENT")

Note = dict[str, Any]


def counted(plain: Plain, entity: str, where: dict[str, Any] | None = None) -> list[Row]:
    """The rows over which the figures of ``entity`` go."""
    rights = plain.rights
    return [
        row
        for row in plain.rows.all(entity)
        if rights.visible(row) and rights.can(row, "analyse") and matches(rights, entity, row, where or {})
    ]


class Amounts:
    """Adds up amounts of opportunities in the shop's currency, and notes those without an exchange rate."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.left_out: dict[Any, str] = {}

    def of(self, deals: Iterable[Row], field: str) -> dict[str, str]:
        """What ``field`` of the deals comes to."""
        return self.plain.money(sum((self.worth(deal, field) for deal in deals), Fraction(0)))

    def worth(self, deal: Row, field: str) -> Fraction:
        """``field`` of a deal at the rate of the day of its closing, now's while it is open."""
        plain = self.plain
        amount = plain.rights.value(deal, field)
        rate = plain.rate(deal.currency, plain.rights.value(deal, "closedAt") or plain.now)
        if rate is None and amount is not None:
            self.left_out[deal.id] = deal.currency
        return Fraction(0) if rate is None or amount is None else Fraction(amount) * rate

    def note(self) -> Note | None:
        """What ``extensions.notes`` says of them."""
        if not self.left_out:
            return None
        currencies = sorted(set(self.left_out.values()))
        return {"code": "EXCHANGE_RATE_MISSING", "currencies": currencies, "opportunities": len(self.left_out)}


def pipeline(plain: Plain, where: dict[str, Any] | None = None) -> tuple[list[Any], Note | None]:
    rights, amounts = plain.rights, Amounts(plain)
    by_stage: dict[Any, list[Row]] = {}
    for deal in counted(plain, "Opportunity", where):
        stage = rights.one(deal, "stage")
        if stage is not None:
            by_stage.setdefault(stage.id, []).append(deal)
    found = []
    for stage in _stages(plain, lambda stage: stage.id in by_stage):
        deals = by_stage.get(stage.id, [])
        waited = [seconds(plain.now - deal.stage_entered_at) / DAY for deal in deals]
        found.append(
            {
                "stage": {"id": typed_id(stage)},
                "count": len(deals),
                "amount": amounts.of(deals, "amount"),
                "weightedAmount": amounts.of(deals, "weightedAmount"),
                "averageDaysInStage": mean(waited),
                "rotting": sum(rights.value(deal, "isRotting") is True for deal in deals),
            }
        )
    return found, amounts.note()


def _stages(plain: Plain, used: Callable[[Row], bool]) -> list[Row]:
    """The stages that are listed, in their order."""
    stages = [stage for stage in plain.rows.all("Stage") if plain.rights.visible(stage) or used(stage)]
    return sorted(stages, key=lambda stage: (stage.position, stage.id))


def funnel(
    plain: Plain, start: datetime | None = None, end: datetime | None = None, where: dict[str, Any] | None = None
) -> list[Any]:
    rights = plain.rights
    deals = [
        deal for deal in counted(plain, "Opportunity", where) if inside(rights.value(deal, "openedAt"), start, end)
    ]
    entered: list[list[Row]] = []
    for deal in deals:
        stages = [rights.one(change, "toStage") for change in rights.many(deal, "stageChanges")]
        entered.append([stage for stage in (*stages, rights.one(deal, "stage")) if stage is not None])
    ever = {stage.id for stages in entered for stage in stages}

    def reached(stage: Row, stages: list[Row]) -> bool:
        if any(each.id == stage.id for each in stages):
            return True
        later = [each for each in stages if each.kind != "LOST" and each.position > stage.position]
        return stage.kind != "LOST" and bool(later)

    found = []
    for stage in _stages(plain, lambda stage: stage.id in ever):
        count = sum(reached(stage, stages) for stages in entered)
        conversion = Fraction(count, len(deals)) if deals else None
        found.append({"stage": {"id": typed_id(stage)}, "entered": count, "conversion": conversion})
    return found


def win_rates(
    plain: Plain, by: str, start: datetime | None = None, end: datetime | None = None
) -> tuple[list[Any], Note | None]:
    rights, amounts = plain.rights, Amounts(plain)
    groups: dict[tuple[str, str], list[tuple[Row, bool]]] = {}
    for deal in counted(plain, "Opportunity"):
        stage = rights.one(deal, "stage")
        if stage is None or stage.kind == "OPEN" or not inside(rights.value(deal, "closedAt"), start, end):
            continue
        groups.setdefault(_key(plain, by, deal), []).append((deal, stage.kind == "WON"))
    found = []
    for (key, label), deals in sorted(groups.items(), key=lambda each: (each[0][0] == "", each[0][1], each[0][0])):
        won = [deal for deal, was_won in deals if was_won]
        taken = [seconds(deal.closed_at - deal.opened_at) / DAY for deal in won]
        found.append(
            {
                "key": key,
                "label": label,
                "won": len(won),
                "lost": len(deals) - len(won),
                "rate": Fraction(len(won), len(deals)),
                "wonAmount": amounts.of(won, "amount"),
                "averageDaysToClose": mean(taken),
            }
        )
    return found, amounts.note()


def _key(plain: Plain, by: str, deal: Row) -> tuple[str, str]:
    rights = plain.rights
    if by == "MONTH":
        month = plain.local(deal.closed_at).strftime("%Y-%m")
        return month, month
    end = rights.one(deal, "product" if by == "PRODUCT" else "owner")
    if by == "TEAM":
        end = rights.one(end, "team")
    return ("", "") if end is None else (typed_id(end), rights.printed(end, "name") or "")


def forecast(plain: Plain, months: int) -> tuple[list[Any], Note | None]:
    rights, amounts = plain.rights, Amounts(plain)
    won: dict[date, list[Row]] = {}
    expected: dict[date, list[Row]] = {}
    for deal in counted(plain, "Opportunity"):
        stage, closed, day = rights.one(deal, "stage"), rights.value(deal, "closedAt"), None
        if stage is not None and stage.kind == "WON" and closed is not None:
            won.setdefault(plain.local(closed).date().replace(day=1), []).append(deal)
        if stage is not None and stage.kind == "OPEN":
            day = rights.value(deal, "expectedCloseOn")
        if day is not None:
            expected.setdefault(day.replace(day=1), []).append(deal)
    found, start = [], bucket_start("MONTH", plain.local(plain.now))
    for _ in range(months):
        month = start.date()
        found.append(
            {
                "month": month.isoformat(),
                "won": amounts.of(won.get(month, ()), "amount"),
                "weighted": amounts.of(expected.get(month, ()), "weightedAmount"),
                "bestCase": amounts.of(expected.get(month, ()), "amount"),
            }
        )
        start = next_start("MONTH", start)
    return found, amounts.note()


def tickets(plain: Plain, bucket: str, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    everything = counted(plain, "Ticket")
    opened = [ticket for ticket in everything if inside(ticket.created_at, start, end)]
    first = [_minutes(ticket, ticket.first_responded_at) for ticket in opened if ticket.first_responded_at]
    whole = [_minutes(ticket, ticket.resolved_at) for ticket in opened if ticket.resolved_at]
    marks = [ticket.satisfaction for ticket in opened if ticket.satisfaction is not None]
    at = end or plain.now

    def unsettled(ticket: Row) -> bool:
        if ticket.status not in ("RESOLVED", "CLOSED"):
            return True
        settled = ticket.resolved_at or ticket.closed_at
        return bool(settled is not None and settled >= at)

    def points(field: str) -> list[Any]:
        moments = (getattr(ticket, field) for ticket in everything if getattr(ticket, field) is not None)
        counts = plain.buckets(bucket, moments, start, end)
        return [{"start": plain.moment_of(local), "count": count} for local, count in counts.items()]

    def labels(field: str, members: Iterable[str]) -> list[Any]:
        return [{"label": each, "count": sum(getattr(t, field) == each for t in opened)} for each in members]

    return {
        "opened": points("created_at"),
        "resolved": points("resolved_at"),
        "backlog": sum(ticket.created_at < at and unsettled(ticket) for ticket in everything),
        "medianFirstResponseMinutes": percentile(Fraction(1, 2), first),
        "p90FirstResponseMinutes": percentile(Fraction(9, 10), first),
        "medianResolutionMinutes": percentile(Fraction(1, 2), whole),
        "firstResponseSlaMet": _met(plain, opened, "first_response_due_at", "first_responded_at"),
        "resolutionSlaMet": _met(plain, opened, "resolution_due_at", "resolved_at"),
        "averageSatisfaction": mean(marks),
        "satisfaction": [marks.count(mark) for mark in range(1, 6)],
        "byChannel": labels("channel", CHANNELS),
        "byKind": labels("kind", KINDS),
        "byPriority": labels("priority", PRIORITIES),
    }


def _minutes(ticket: Row, end: datetime) -> Fraction:
    return seconds(end - ticket.created_at) / 60


def _met(plain: Plain, opened: list[Row], due: str, done: str) -> Fraction | None:
    outcomes = []
    for ticket in opened:
        by, at = getattr(ticket, due), getattr(ticket, done)
        if by is None:
            continue
        if at is not None:
            outcomes.append(at <= by)
            continue
        clock: datetime | None = plain.now
        if ticket.status in ("RESOLVED", "CLOSED"):
            clock = ticket.resolved_at or ticket.closed_at
        elif ticket.status == "PENDING":
            clock = ticket.pending_since or plain.now
        if clock is not None and by < clock:
            outcomes.append(False)
    return Fraction(sum(outcomes), len(outcomes)) if outcomes else None
