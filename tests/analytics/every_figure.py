"""Every figure, and what each of its columns rests on: the rights to it follow from nothing else."""

from dataclasses import dataclass, field

from app.analytics.figures import FIGURES
from auth.policy import POLICY
from tests.matrix import grant, never_read

Fields = frozenset[tuple[str, str]]


def fields(text: str) -> Fields:
    """``Order.total User.name`` as pairs."""
    pairs = (each.partition(".") for each in text.split())
    return frozenset((entity, name) for entity, _, name in pairs)


@dataclass(frozen=True)
class Asked:
    """A figure, what all of it rests on, and each column as it is selected with what it rests on besides."""

    name: str
    entity: str
    rests_on: Fields
    columns: dict[str, Fields] = field(hash=False)
    arguments: str = ""

    def document(self, *columns: str) -> str:
        """The figure with these columns, or with all."""
        arguments = f"({self.arguments})" if self.arguments else ""
        return f"{{ analytics {{ {self.name}{arguments} {{ {' '.join(columns or self.columns)} }} }} }}"

    def closed(self, role: str) -> tuple[str, str] | None:
        """What a built-in role lacks to ask all of it: an entity that it may not analyse, or a field not read."""
        rests_on = self.rests_on.union(*self.columns.values())
        for entity in (self.entity, *sorted({entity for entity, _ in rests_on})):
            found = grant(role, entity)
            if found is None or not may_analyse(role, entity):
                return entity, ""
        return next((each for each in sorted(rests_on) if each[1] != "id" and never_read(role, *each)), None)

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})" if self.arguments else self.name


def may_analyse(role: str, entity: str) -> bool:
    """Whether the policy lets the role analyse an entity, or it is one that goes with others."""
    if entity not in ("Customer", "Opportunity", "Order", "Ticket"):
        return True
    return "analyse" in POLICY[role].grants.get(entity, {})


_DEAL = fields("Opportunity.stage Stage.kind")
_WEIGHTED = fields("Opportunity.weightedAmount Opportunity.amount Opportunity.probability")
_RATES = {
    "key": fields(""),
    "label": fields(""),
    "won lost rate": fields(""),
    "wonAmount { amount }": fields("Opportunity.amount"),
    "averageDaysToClose": fields("Opportunity.openedAt"),
}
_CLOSED = _DEAL | fields("Opportunity.closedAt")
_FIRST = "firstRespondedAt"

_SOLD = fields("Order.status Order.placedAt")
_TOTAL, _VALUE = fields("Order.total"), fields("OrderLine.total")
_LINES = _SOLD | fields("OrderLine.product")
_PRODUCTS = {
    "product { id }": fields("Product.id"),
    "quantity": fields("OrderLine.quantity"),
    "orders": fields(""),
    "revenue { amount }": _VALUE,
}

ALL_FIGURES = (
    Asked(
        "pipeline",
        "Opportunity",
        fields("Opportunity.stage Stage.position"),
        {
            "stage { id }": fields(""),
            "count averageDaysInStage rotting": fields(""),
            "amount { amount }": fields("Opportunity.amount"),
            "weightedAmount { amount }": _WEIGHTED,
        },
    ),
    Asked(
        "funnel",
        "Opportunity",
        _DEAL | fields("Opportunity.openedAt Opportunity.stageChanges StageChange.toStage Stage.position"),
        {"stage { id }": fields(""), "entered": fields(""), "conversion": fields("")},
    ),
    Asked("winRates", "Opportunity", _CLOSED | fields("Opportunity.owner User.id"), _RATES),
    Asked(
        "winRates", "Opportunity", _CLOSED | fields("Opportunity.owner User.team Team.id"), _RATES, arguments="by: TEAM"
    ),
    Asked(
        "winRates", "Opportunity", _CLOSED | fields("Opportunity.product Product.id"), _RATES, arguments="by: PRODUCT"
    ),
    Asked("winRates", "Opportunity", _CLOSED, _RATES, arguments="by: MONTH"),
    Asked(
        "forecast",
        "Opportunity",
        _DEAL,
        {
            "month": fields(""),
            "won { amount }": fields("Opportunity.closedAt Opportunity.amount"),
            "weighted { amount }": _WEIGHTED | fields("Opportunity.expectedCloseOn"),
            "bestCase { amount }": fields("Opportunity.expectedCloseOn Opportunity.amount"),
        },
    ),
    Asked(
        "tickets",
        "Ticket",
        fields("Ticket.createdAt"),
        {
            "opened { start count }": fields(""),
            "resolved { start count }": fields("Ticket.resolvedAt"),
            "backlog": fields("Ticket.status Ticket.resolvedAt Ticket.closedAt"),
            "medianFirstResponseMinutes": fields(f"Ticket.{_FIRST}"),
            "p90FirstResponseMinutes": fields(f"Ticket.{_FIRST}"),
            "medianResolutionMinutes": fields("Ticket.resolvedAt"),
            "firstResponseSlaMet": fields(
                f"Ticket.firstResponseDueAt Ticket.{_FIRST} Ticket.status Ticket.resolvedAt Ticket.closedAt"
            ),
            "resolutionSlaMet": fields("Ticket.resolutionDueAt Ticket.status Ticket.resolvedAt Ticket.closedAt"),
            "averageSatisfaction": fields("Ticket.satisfaction"),
            "satisfaction": fields("Ticket.satisfaction"),
            "byChannel { label count }": fields("Ticket.channel"),
            "byKind { label count }": fields("Ticket.kind"),
            "byPriority { label count }": fields("Ticket.priority"),
        },
    ),
    Asked(
        "revenue",
        "Order",
        fields("Order.status Order.placedAt"),
        {
            "start end orders": fields(""),
            "customers": fields("Order.customer"),
            "revenue { amount }": fields("Order.total"),
            "averageOrderValue { amount }": fields("Order.total"),
        },
    ),
    Asked("rfm", "Customer", _SOLD | _TOTAL, {"segment customers share": fields(""), "revenue { amount }": fields("")}),
    Asked("churn", "Customer", _SOLD, {"state customers": fields(""), "revenue { amount }": _TOTAL}),
    Asked(
        "segmentMoves",
        "Customer",
        _SOLD | _TOTAL,
        {"from to customers": fields("")},
        arguments='from: "2026-01-01", to: "2026-02-01"',
    ),
    Asked(
        "retention", "Order", fields("Order.status Order.placedAt Order.customer"), {"month size retained": fields("")}
    ),
    Asked("topProducts", "Order", _LINES | _VALUE, _PRODUCTS),
    Asked("topProducts", "Order", _LINES | fields("OrderLine.quantity"), _PRODUCTS, arguments="by: QUANTITY"),
    Asked("topProducts", "Order", _LINES, _PRODUCTS, arguments="by: ORDERS"),
    Asked(
        "categories",
        "Order",
        _LINES | _VALUE | fields("Product.category"),
        {"category share revenue { amount }": fields(""), "quantity": fields("OrderLine.quantity")},
    ),
)
"""Those that are not there yet are left out."""

EVERY_FIGURE = tuple(each for each in ALL_FIGURES if each.name in FIGURES)
