"""Every figure, by the name of its field."""

from collections.abc import Mapping
from types import MappingProxyType

from app.analytics.building import Definition
from app.analytics.revenue import Revenue

FIGURES: Mapping[str, Definition] = MappingProxyType({"revenue": Revenue()})
