"""Revenue by time."""

import pytest

from tests.api import open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

BY_MONTH = """query($zone: String, $from: DateTime, $to: DateTime) {
  analytics { currency revenue(timezone: $zone, from: $from, to: $to) {
    start end orders customers revenue { amount currency } averageOrderValue { amount } } }
}"""


async def test_who_may_not_analyse_orders_is_refused(shop: Shop) -> None:
    async with open_api(shop.url) as api:
        stranger = await api.post(BY_MONTH)
        assert stranger["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        support = await api.post(BY_MONTH, user=shop.ids["support_north"])
        assert support["data"] is None
        assert support["errors"][0]["message"] == "The role SUPPORT has no right to analyse Order."


async def test_a_zone_that_is_none_is_refused(shop: Shop) -> None:
    async with open_api(shop.url) as api:
        answer = await api.post(BY_MONTH, {"zone": "Asia/Nowhere"}, user=shop.ids["admin"])
        assert answer["errors"][0]["message"] == (
            "timezone is 'Asia/Nowhere': it must be an IANA name, such as Europe/Berlin."
        )
