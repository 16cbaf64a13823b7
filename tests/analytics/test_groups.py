import json
import pytest
from tests.api import open_api
from tests.nasty_shop import Shop
pytestmark = pytest.mark.anyio

Q = """{ 
 a: ordersAggregate(groupBy: [{field: STATUS}, {field: PLACED_AT, bucket: MONTH}, {field: CUSTOMER_OWNER_TEAM}, {field: CUSTOMER}], having: {count: {gte: 1}, sum: {total: {gt: "0"}}}, orderBy: [{sum: {total: DESC}}, {key: {status: DESC}}], first: 3) {
  groups { key { __typename s: status placedAt customerOwnerTeam { name members { id } } customer { id name } channel } count sum { total { amount currency } } average { total { amount } } min { total { amount } placedAt } countDistinct { customer customerOwner } }
  totalGroups __typename }
 b: opportunitiesAggregate(groupBy: {field: STAGE}) { groups { key { stage { name position } stageKind } count sum { weightedAmount { amount } probability } average { probability } max { expectedCloseOn } } totalGroups }
 c: ticketsAggregate { groups { count average { satisfaction } min { satisfaction } } }
 d: customersAggregate(groupBy: [{field: TIER}, {field: OWNER}]) { totalGroups groups { key { tier owner { name } } count } }
}"""

async def test_smoke(shop: Shop) -> None:
    async with open_api(shop.url) as api:
        print(json.dumps(await api.post(Q, user=shop.ids["admin"]), indent=1, ensure_ascii=False)[:6000])
        print(json.dumps(await api.post(Q, user=shop.ids["sales_north"]), indent=1, ensure_ascii=False)[:3000])
        assert 0
