"""Opportunities: facts of each that counts, and their roll-ups by stage, by closing and by the way that they came.

Of each that changed, what had been counted is taken away and what is there now is added.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import rollups
from app.analytics.keeping.facts import day_of
from app.analytics.keeping.literals import literal
from app.analytics.keeping.moving import collect, compare, replace
from app.analytics.keeping.since import AFTER, CUSTOMER_ACTIONS, valued_anew
from app.analytics.keeping.state import State
from app.models.kept_deals import NOBODY

FACTS = (
    *("opportunity_id", "stage_id", "owner_id", "product_id", "way", "opened", "closed", "expected", "entered_at"),
    *("length", "currency", "amount", "weighted"),
)

TABLES = ("opportunity_facts", "pipeline_ways", "funnel_buckets", "pipeline_buckets", "closing_buckets")

MOST = 10_000
"""With more opportunities changed than this, and than a tenth of all, everything is counted anew."""

_RATES = """
    SELECT currency, day, exchange_rate(currency, day) AS rate FROM (
        SELECT DISTINCT o.currency, {day} AS day FROM opportunities o
        WHERE o.closed_at IS NOT NULL AND o.currency <> {own}
    ) found
"""
_CHANGED = """
    SELECT e.record_id FROM outbox e WHERE {after} AND e.entity = 'Opportunity'
    UNION
    SELECT o.id FROM outbox e JOIN opportunities o ON o.customer_id = e.record_id
    WHERE {after} AND e.entity = 'Customer' AND e.action = ANY($3)
    UNION
    SELECT q.opportunity_id FROM analytics_changes q WHERE q.opportunity_id IS NOT NULL
    UNION
    {valued}
"""


_WAYS = """
    SELECT entered, stage_id, {way} AS way, stages FROM (
        SELECT entered, stage_id, {stages} AS stages FROM (
            SELECT DISTINCT coalesce(e.stages, '{{}}') AS entered, o.stage_id
            FROM opportunities o LEFT JOIN stages_entered e ON e.opportunity_id = o.id WHERE o.deleted_at IS NULL
        ) pairs
    ) found
"""


def _stages(entered: str, stage: str) -> str:
    """The stages that an opportunity ever came into, from those that its changes lead to and the present one."""
    return (
        f"CASE WHEN {stage} = ANY ({entered}) THEN {entered} ELSE"
        f" (SELECT array_agg(each ORDER BY each) FROM unnest({entered} || {stage}) each) END"
    )


def _way(stages: str) -> str:
    return f"encode(substr(sha256(array_to_string({stages}, ',')::bytea), 1, 16), 'hex')::uuid"


def ways() -> str:
    """All that opportunities are alike in as to their way: the stages ``entered`` by changes and the present one, and
    the ``way`` and its ``stages`` that follow from these."""
    return _WAYS.format(way=_way("stages"), stages=_stages("entered", "stage_id"))


def facts(shop: ShopFacts, *, rates: str = "", known: str = "", limited: str = "") -> str:
    """The facts as of now, with the ``stages`` of the way; rates taken from the table ``rates``, and ways from
    ``known``, if there are such. ``limited`` is a further condition on opportunities ``o``."""
    own = f"o.currency = {literal(shop.currency)}"
    day = day_of(shop, "o.closed_at")
    entered = "coalesce(e.stages, '{}')"
    rate = "r.rate" if rates else f"exchange_rate(o.currency, {day})"
    joined = f"LEFT JOIN {rates} r ON r.currency = o.currency AND r.day = {day} AND NOT {own}" if rates else ""
    joined += f" JOIN {known} w ON w.entered = {entered} AND w.stage_id = o.stage_id" if known else ""
    way, stages = ("way", "w.stages") if known else (_way("stages"), _stages(entered, "o.stage_id"))
    return f"""
        SELECT opportunity_id, stage_id, owner_id, product_id, {way} AS way,
            {_month(day_of(shop, "opened_at"))} AS opened, {_month(day_of(shop, "closed_at"))} AS closed,
            {_month("expected_close_on")} AS expected, stage_entered_at AS entered_at,
            extract(epoch FROM closed_at - opened_at) AS length,
            CASE WHEN rate IS NULL THEN currency ELSE {literal(shop.currency)} END AS currency,
            amount * coalesce(rate, 1) AS amount, weighted * coalesce(rate, 1) AS weighted, stages
        FROM (
            SELECT o.id AS opportunity_id, o.*, {stages} AS stages,{" w.way," if known else ""}
                CASE WHEN o.closed_at IS NOT NULL THEN CASE WHEN {own} THEN 1 ELSE {rate} END END AS rate,
                round(o.amount * o.probability * 0.01, currency_scale(o.currency)) AS weighted
            FROM opportunities o LEFT JOIN stages_entered e ON e.opportunity_id = o.id {joined}
            WHERE o.deleted_at IS NULL {limited}
                AND NOT EXISTS (SELECT FROM customers c WHERE c.id = o.customer_id AND c.deleted_at IS NOT NULL)
        ) found
    """


def _month(day: str) -> str:
    return f"date_trunc('month', ({day})::timestamp)::date"


def pipeline(source: str) -> str:
    """The rows of ``pipeline_buckets`` that the facts of ``source`` add or take away, as their ``sign`` says."""
    return f"""
        SELECT stage_id, closed IS NOT NULL AS closed, currency, coalesce(expected, '-infinity') AS expected,
            sum(sign)::int AS opportunities, sum(sign * extract(epoch FROM entered_at)) AS entered,
            sum(sign * amount) AS amount, sum(sign * weighted) AS weighted
        FROM {source} GROUP BY 1, 2, 3, 4
    """


def closings(source: str) -> str:
    """The rows of ``closing_buckets`` that the facts of ``source`` add or take away, as their ``sign`` says."""
    return f"""
        SELECT v.by, closed AS month, v.id, stage_id, currency, sum(sign)::int AS opportunities,
            sum(sign * amount) AS amount, sum(sign * length) AS length
        FROM {source} CROSS JOIN LATERAL (
            VALUES ('OWNER', coalesce(owner_id, '{NOBODY}')), ('PRODUCT', coalesce(product_id, '{NOBODY}'))
        ) v(by, id)
        WHERE closed IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    """


def funnel(source: str) -> str:
    """The rows of ``funnel_buckets`` that the facts of ``source`` add or take away, as their ``sign`` says."""
    return f"SELECT opened AS month, way, sum(sign)::int AS opportunities FROM {source} GROUP BY 1, 2"


_ROLLED = {"pipeline_buckets": pipeline, "closing_buckets": closings, "funnel_buckets": funnel}


async def count_all(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Count everything anew, in the caller's transaction."""
    day, own = day_of(shop, "o.closed_at"), literal(shop.currency)
    await rollups.make(connection, "kept_deal_rates", _RATES.format(day=day, own=own))
    await rollups.make(connection, "kept_deal_ways", ways())
    rows = facts(shop, rates="kept_deal_rates", known="kept_deal_ways")
    await rollups.make(connection, "kept_deals", f"SELECT 1 AS sign, {', '.join(FACTS)} FROM ({rows}) f")
    await rollups.bring(connection, "opportunity_facts", "kept_deals", FACTS[:1], FACTS[1:])
    await rollups.make(connection, "kept_ways", "SELECT DISTINCT way, stages FROM kept_deal_ways")
    await rollups.bring(connection, "pipeline_ways", "kept_ways", ("way",), ("stages",))
    for table, rolled in _ROLLED.items():
        await rollups.make(connection, "kept_rows", rolled("kept_deals"))
        await rollups.replace(connection, table, "kept_rows")
        await connection.execute("DROP TABLE kept_rows")
    for table in ("kept_deal_rates", "kept_deal_ways", "kept_deals", "kept_ways"):
        await connection.execute(f"DROP TABLE {table}")
    for table in TABLES:
        await connection.execute(f"ANALYZE {table}")


async def count_changed(connection: asyncpg.Connection, shop: ShopFacts, state: State) -> int | None:
    """Count what changed since ``state``, in the caller's transaction; how many opportunities that was. None: too many
    to go one by one."""
    place = state.position
    valued = valued_anew("id", "opportunities", "closed_at", literal(shop.timezone))
    changes = _CHANGED.format(after=AFTER, valued=valued)
    given = place.transaction_id, place.position, list(CUSTOMER_ACTIONS)
    changed = await collect(connection, "kept_deals_changed", "opportunity_id", changes, *given)
    if changed > MOST and 10 * changed > await connection.fetchval("SELECT count(*) FROM opportunity_facts"):
        return None
    if changed:
        await _move(connection, shop)
    return changed


async def _move(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Take away what was counted of ``kept_deals_changed``, and add what is there now."""
    names, these = ", ".join(FACTS), "IN (SELECT opportunity_id FROM kept_deals_changed)"
    await connection.execute(
        "CREATE TEMP TABLE kept_deals_before ON COMMIT DROP AS"
        f" SELECT {names} FROM opportunity_facts WHERE opportunity_id {these}"
    )
    await connection.execute(
        f"CREATE TEMP TABLE kept_deals_after ON COMMIT DROP AS {facts(shop, limited=f'AND o.id {these}')}"
    )
    if not await compare(connection, "kept_deals", FACTS):
        return
    await connection.execute(
        "INSERT INTO pipeline_ways (way, stages) SELECT way, min(stages) FROM kept_deals_after GROUP BY way"
        " ON CONFLICT DO NOTHING"
    )
    for table, rolled in _ROLLED.items():
        await rollups.add(connection, table, rolled("kept_deals_moved"))
    await replace(connection, "opportunity_facts", "kept_deals", FACTS[:1], FACTS)
