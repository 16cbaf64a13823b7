"""Stages: the steps of the sales pipeline."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from app.models.base import Record, alive, choice, moment, short, words
from app.models.enums import StageKind


class Stage(Record, table=True):
    """A step of the pipeline, in which an opportunity rots after ``rotting_after_days`` days of 24 hours."""

    __tablename__ = "stages"
    __table_args__ = (
        *short("name"),
        alive("uq_stages_name", "name"),
        CheckConstraint("probability BETWEEN 0 AND 100", name="probability_is_percent"),
        CheckConstraint("rotting_after_days > 0", name="rotting_after_days_is_positive"),
        Index("ix_stages_position_id", "position", "id"),
    )
    prefix: ClassVar[str] = "stg"
    listed: ClassVar[tuple[str, ...]] = ("position", "id")
    # The way that a deal has come is told in stages, those too that are no longer used.
    outlasts: ClassVar[bool] = True

    name: str = words(required=True)
    kind: StageKind = choice(StageKind, default=StageKind.OPEN)
    position: int
    probability: int
    rotting_after_days: int | None = Field(default=None)
    deleted_at: datetime | None = moment()
