"""Every figure, by the name of its field."""

from collections.abc import Mapping
from types import MappingProxyType

from app.analytics.building import Definition
from app.analytics.moves import SegmentMoves
from app.analytics.products import Categories, TopProducts
from app.analytics.retention import Retention
from app.analytics.revenue import Revenue
from app.analytics.segments import Churn, Rfm

FIGURES: Mapping[str, Definition] = MappingProxyType(
    {
        "revenue": Revenue(),
        "rfm": Rfm(),
        "segmentMoves": SegmentMoves(),
        "churn": Churn(),
        "retention": Retention(),
        "topProducts": TopProducts(),
        "categories": Categories(),
    }
)
