"""What is kept of the stages into which opportunities came is what their changes say, whatever is done to these."""

import asyncpg
import pytest

from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

SAME = """
    SELECT count(*) FROM (
        SELECT opportunity_id, array_agg(DISTINCT to_stage_id ORDER BY to_stage_id) AS stages
        FROM stage_changes GROUP BY opportunity_id
    ) AS said FULL JOIN stages_entered AS kept USING (opportunity_id)
    WHERE said.stages IS DISTINCT FROM kept.stages
"""

DEEDS = (
    "INSERT INTO stage_changes (id, opportunity_id, to_stage_id, changed_at)"
    " SELECT gen_random_uuid(), o.id, s.id, now() FROM opportunities o CROSS JOIN stages s"
    " WHERE hashtext(o.id::text || s.id::text) % 3 = 0",
    "INSERT INTO stage_changes (id, opportunity_id, to_stage_id, changed_at)"
    " SELECT gen_random_uuid(), opportunity_id, to_stage_id, now() FROM stage_changes",
    "UPDATE stage_changes SET to_stage_id = (SELECT max(id::text)::uuid FROM stages) WHERE hashtext(id::text) % 4 = 0",
    "UPDATE stage_changes SET opportunity_id = (SELECT max(id::text)::uuid FROM opportunities)"
    " WHERE hashtext(id::text) % 5 = 0",
    "DELETE FROM stage_changes WHERE hashtext(id::text) % 2 = 0",
    "DELETE FROM stage_changes",
)


async def test_it_follows_every_change(server: object, shop: Shop) -> None:
    url = await server.own(shop.url)  # type: ignore[attr-defined]
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM stages_entered") > 10
    assert await connection.fetchval(SAME) == 0
    for deed in DEEDS:
        assert int((await connection.execute(deed)).split()[-1]) > 0, deed
        assert await connection.fetchval(SAME) == 0, deed
    await connection.close()
    await server.drop(url)  # type: ignore[attr-defined]
