"""Every figure, by the name of its field."""

from collections.abc import Mapping
from types import MappingProxyType

from app.analytics.building import Definition
from app.analytics.forecast import Forecast
from app.analytics.funnel import Funnel
from app.analytics.moves import SegmentMoves
from app.analytics.pipeline import Pipeline
from app.analytics.products import Categories, TopProducts
from app.analytics.retention import Retention
from app.analytics.revenue import Revenue
from app.analytics.segments import Churn, Rfm
from app.analytics.tickets import Tickets
from app.analytics.win_rates import WinRates

FIGURES: Mapping[str, Definition] = MappingProxyType(
    {
        "categories": Categories(),
        "churn": Churn(),
        "forecast": Forecast(),
        "funnel": Funnel(),
        "pipeline": Pipeline(),
        "retention": Retention(),
        "revenue": Revenue(),
        "rfm": Rfm(),
        "segmentMoves": SegmentMoves(),
        "tickets": Tickets(),
        "topProducts": TopProducts(),
        "winRates": WinRates(),
    }
)
