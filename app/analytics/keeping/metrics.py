"""The metrics of customers as of a moment, as SQL over their facts."""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from app.analytics.keeping.literals import literal
from app.analytics.keeping.state import Standing
from app.models.enums import ChurnState, RfmSegment

OWN_RHYTHM = 3
"""So many days with an order make a customer be judged by its own rhythm; with fewer, by the shop's."""

DUE = Decimal(1)
CHURNED = Decimal("1.5")
"""A customer is due after so many rhythms without an order, and has churned after so many."""

BASE = (
    *("sold_orders", "exact_revenue", "revenue", "unvalued_orders", "first_sold_at", "last_sold_at", "order_days"),
    *("rhythm", "due_at", "churned_at"),
)
JUDGED = ("recency_score", "frequency_score", "monetary_score", "segment", "churn_state")
COLUMNS = (*BASE, *JUDGED)
NOTHING = {"sold_orders": "0", "exact_revenue": "0", "revenue": "0", "unvalued_orders": "0", "order_days": "0"}
"""What of ``BASE`` is not NULL for a customer that has no sold order."""

_HOURS = "interval '24 hours'"

_S = RfmSegment
_SEGMENTS = {
    5: (_S.NEW, _S.PROMISING, _S.ACTIVE, _S.CHAMPIONS, _S.CHAMPIONS),
    4: (_S.PROMISING, _S.PROMISING, _S.ACTIVE, _S.LOYAL, _S.LOYAL),
    3: (_S.NEEDS_ATTENTION, _S.NEEDS_ATTENTION, _S.NEEDS_ATTENTION, _S.LOYAL, _S.LOYAL),
    2: (_S.ALMOST_LOST, _S.ALMOST_LOST, _S.AT_RISK, _S.AT_RISK, _S.AT_RISK),
    1: (_S.DORMANT, _S.DORMANT, _S.DORMANT, _S.PREVIOUSLY_LOYAL, _S.PREVIOUSLY_LOYAL),
}
"""The segments by the score of recency, and by that of frequency and value together."""


def base(source: str, until: str, scale: int) -> str:
    """The metrics of the customers in ``source`` that need no others to compare with: from orders placed up to
    ``until``. Two moments of one day are no gap: ``rhythm`` is the median of the gaps between days."""
    rhythm = "percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) FILTER (WHERE gap > 0)"
    return f"""
        SELECT customer_id, sold_orders, exact_revenue, round(exact_revenue, {scale}) AS revenue, unvalued_orders,
            first_sold_at, last_sold_at, order_days, rhythm::numeric AS rhythm,
            CASE WHEN order_days >= {OWN_RHYTHM} THEN last_sold_at + {DUE} * rhythm * {_HOURS} END AS due_at,
            CASE WHEN order_days >= {OWN_RHYTHM} THEN last_sold_at + {CHURNED} * rhythm * {_HOURS} END AS churned_at
        FROM (
            SELECT customer_id, count(*)::int AS sold_orders, coalesce(sum(amount), 0) AS exact_revenue,
                count(*) FILTER (WHERE rate IS NULL)::int AS unvalued_orders, min(placed_at) AS first_sold_at,
                max(placed_at) AS last_sold_at, (count(*) FILTER (WHERE gap > 0))::int + 1 AS order_days,
                {rhythm} AS rhythm
            FROM (
                SELECT customer_id, placed_at, rate, amount,
                    day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap
                FROM {source} WHERE placed_at <= {until}
            ) steps GROUP BY customer_id
        ) customers
    """


def judged(row: str, standing: Standing) -> dict[str, str]:
    """Scores, segment and churn state of the metrics ``row`` in ``standing``."""
    recency = _score(f"{row}.last_sold_at", standing.recency.cuts)
    frequency = _score(f"{row}.sold_orders", standing.frequency.cuts)
    monetary = _score(f"{row}.exact_revenue", standing.monetary.cuts)
    some = f"{row}.sold_orders > 0"
    # Half up of whole numbers.
    place = f"5 * ({recency} - 1) + ({frequency} + {monetary} + 1) / 2"
    segments = ", ".join(f"'{segment.value}'" for score in range(1, 6) for segment in _SEGMENTS[score])
    return {
        "recency_score": f"CASE WHEN {some} THEN {recency} END",
        "frequency_score": f"CASE WHEN {some} THEN {frequency} END",
        "monetary_score": f"CASE WHEN {some} THEN {monetary} END",
        "segment": f"CASE WHEN {some} THEN (ARRAY[{segments}])[{place}] ELSE '{_S.PROSPECTS.value}' END",
        "churn_state": _churn_state(row, standing),
    }


def _score(value: str, cuts: Sequence[Any]) -> str:
    return f"(1{''.join(f' + ({value} >= {literal(cut)})::int' for cut in cuts if cut is not None)})"


def _churn_state(row: str, standing: Standing) -> str:
    now = literal(standing.as_of)
    due, churned = standing.rests(DUE), standing.rests(CHURNED)
    states = {state: f"'{state.value}'" for state in ChurnState}
    by_shop = (
        states[ChurnState.ACTIVE]
        if due is None or churned is None
        else f"CASE WHEN {row}.last_sold_at >= {literal(due)} THEN {states[ChurnState.ACTIVE]}"
        f" WHEN {row}.last_sold_at >= {literal(churned)} THEN {states[ChurnState.DUE]}"
        f" ELSE {states[ChurnState.CHURNED]} END"
    )
    return (
        f"CASE WHEN {row}.sold_orders = 0 THEN {states[ChurnState.NEVER_BOUGHT]}"
        f" WHEN {row}.order_days < {OWN_RHYTHM} THEN {by_shop}"
        f" WHEN {now} <= {row}.due_at THEN {states[ChurnState.ACTIVE]}"
        f" WHEN {now} <= {row}.churned_at THEN {states[ChurnState.DUE]} ELSE {states[ChurnState.CHURNED]} END"
    )
