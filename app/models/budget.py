"""What callers may still spend, as all processes share it."""

from datetime import datetime

from sqlmodel import Field

from app.models.base import Row, moment, words


class BudgetLevel(Row, table=True):
    """The points left of one caller's budget at a moment, how many it holds, and how many come back in a second."""

    __tablename__ = "budgets"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: str = words(required=True, primary_key=True)
    points: float
    restore: float
    level: float = Field(description="Below zero where more was spent than there was.")
    at: datetime = moment(required=True)
