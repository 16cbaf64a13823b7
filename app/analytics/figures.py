"""Every figure, by the name of its field."""

from collections.abc import Mapping
from types import MappingProxyType

from app.analytics.building import Definition
from app.analytics.forecast import Forecast
from app.analytics.funnel import Funnel
from app.analytics.pipeline import Pipeline
from app.analytics.revenue import Revenue
from app.analytics.tickets import Tickets
from app.analytics.win_rates import WinRates

FIGURES: Mapping[str, Definition] = MappingProxyType(
    {
        "forecast": Forecast(),
        "funnel": Funnel(),
        "pipeline": Pipeline(),
        "revenue": Revenue(),
        "tickets": Tickets(),
        "winRates": WinRates(),
    }
)
