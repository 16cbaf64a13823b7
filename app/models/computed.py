"""Values that are worked out from columns: one definition for Python objects and for SQL."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.hybrid import hybrid_property


def computed(
    *sources: str, expression: Callable[[Any], Any] | None = None, currency: str | None = None
) -> Callable[[Callable[[Any], Any]], hybrid_property[Any]]:
    """A hybrid property that names its ``sources``: it is never more readable than the least readable of them.

    ``expression`` is the SQL side where the Python side does not serve for both; ``currency`` names the currency's
    column of a computed amount.
    """

    def make(getter: Callable[[Any], Any]) -> hybrid_property[Any]:
        found = hybrid_property(getter)
        if expression is not None:
            found = found.expression(expression)
        found.info["sources"] = sources
        if currency:
            found.info["currency"] = currency
        return found

    return make
