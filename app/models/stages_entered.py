"""Into which stages each opportunity ever came."""

from uuid import UUID

from sqlalchemy import ARRAY, Uuid
from sqlmodel import Field

from app.models.base import Row


class StagesEntered(Row, table=True):
    """The stages to which the changes of an opportunity lead, each once, by id; there is no row where there are none.

    Triggers on the changes keep it.
    """

    __tablename__ = "stages_entered"

    opportunity_id: UUID = Field(primary_key=True, foreign_key="opportunities.id", ondelete="CASCADE")
    stages: list[UUID] = Field(sa_type=ARRAY(Uuid), nullable=False)
