"""Opportunities: deals on their way through the pipeline, and the record of that way."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, case, func, literal_column, null, select, text
from sqlmodel import Field, Relationship

from app.models.base import (
    Entity,
    Record,
    amount_checks,
    currency_code,
    currency_scale,
    moment,
    money,
    ordered,
    referring,
    searched,
    short,
    utcnow,
    words,
)
from app.models.computed import computed
from app.models.enums import StageKind
from app.models.external_ref import ExternalRef, external_refs
from app.models.history import history
from app.models.stage import Stage

if TYPE_CHECKING:
    from app.models.contact import Contact
    from app.models.customer import Customer
    from app.models.product import Product
    from auth.models import AuditEvent, User


def _weighted(row: Any) -> Any:
    return func.round(
        row.amount * row.probability * literal_column("0.01"), func.currency_scale(row.currency, type_=Integer)
    )


def rots_before(stage: Any) -> Any:
    """The moment before which an opportunity came into the open ``stage`` that rots in it now; NULL where none does."""
    open_ = stage.kind == literal_column(f"'{StageKind.OPEN}'")
    return case((open_, func.now() - func.make_interval(0, 0, 0, stage.rotting_after_days)), else_=null())


def _rotting(row: Any) -> Any:
    limit = select(rots_before(Stage)).where(Stage.id == row.stage_id)
    return func.coalesce(row.stage_entered_at < limit.correlate_except(Stage).scalar_subquery(), False)


class Opportunity(Record, table=True):
    """A possible sale to a customer. ``stage_entered_at`` is when it came into its present stage."""

    __tablename__ = "opportunities"
    __table_args__ = (
        CheckConstraint("probability BETWEEN 0 AND 100", name="probability_is_percent"),
        *amount_checks("amount"),
        *short("name"),
        *ordered("opportunities", "created_at"),
        *ordered("opportunities", "updated_at"),
        *ordered("opportunities", "name", text_column=True),
        *ordered("opportunities", "amount"),
        *ordered("opportunities", "probability"),
        *ordered("opportunities", "opened_at"),
        *ordered("opportunities", "expected_close_on", nullable=True),
        *ordered("opportunities", "closed_at", nullable=True),
        Index("ix_opportunities_customer_id_created_at_id", "customer_id", "created_at", "id"),
        Index("ix_opportunities_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index("ix_opportunities_stage_id_created_at_id", "stage_id", "created_at", "id"),
        Index(
            "ix_opportunities_owner_id_customer_id_alive",
            "owner_id",
            "customer_id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        referring("opportunities", "contact_id"),
        referring("opportunities", "product_id"),
        Index("ix_opportunities_stage_entered_at", "stage_entered_at"),
        Index("ix_opportunities_name_lower", literal_column("lower(name) text_pattern_ops")),
        searched("opportunities", "name", "loss_reason"),
    )
    prefix: ClassVar[str] = "opp"
    searched: ClassVar[tuple[str, ...]] = ("name",)
    parent: ClassVar[str | None] = "customer"

    name: str = words(required=True)
    customer_id: UUID = Field(foreign_key="customers.id")
    contact_id: UUID | None = Field(default=None, foreign_key="contacts.id")
    owner_id: UUID | None = Field(default=None, foreign_key="users.id")
    product_id: UUID | None = Field(default=None, foreign_key="products.id")
    stage_id: UUID = Field(foreign_key="stages.id")
    amount: Decimal = money()
    currency: str = currency_code()
    probability: int
    expected_close_on: date | None = Field(default=None)
    opened_at: datetime = moment(required=True)
    stage_entered_at: datetime = moment(required=True)
    closed_at: datetime | None = moment()
    loss_reason: str | None = words()
    loss_notes: str | None = words()
    deleted_at: datetime | None = moment()

    customer: "Customer" = Relationship(back_populates="opportunities")
    contact: "Contact" = Relationship()
    owner: "User" = Relationship()
    product: "Product" = Relationship()
    stage: Stage = Relationship()
    stage_changes: list["StageChange"] = Relationship(
        back_populates="opportunity",
        sa_relationship_kwargs={"order_by": "(StageChange.changed_at, StageChange.id)"},
    )
    external_refs: list[ExternalRef] = external_refs("Opportunity")
    history: list["AuditEvent"] = history("Opportunity")

    @computed("amount", "probability", expression=_weighted, currency="currency")
    def weighted_amount(self: Any) -> Any:
        """Amount times probability, rounded half up to the currency's minor units ."""
        weighted: Decimal = self.amount * self.probability / 100
        return weighted.quantize(Decimal(1).scaleb(-currency_scale(self.currency)), rounding=ROUND_HALF_UP)

    @computed("stage", expression=_rotting)
    def is_rotting(self: Any) -> Any:
        """Whether it has stayed in an open stage for longer than that stage allows."""
        days = self.stage.rotting_after_days if self.stage.kind is StageKind.OPEN else None
        return days is not None and self.stage_entered_at < utcnow() - timedelta(days=days)


class StageChange(Entity, table=True):
    """One step of an opportunity from stage to stage; the first has no ``from_stage``."""

    __tablename__ = "stage_changes"
    __table_args__ = (
        Index("ix_stage_changes_opportunity_id_changed_at_id", "opportunity_id", "changed_at", "id"),
        Index("ix_stage_changes_from_stage_id", "from_stage_id"),
        Index("ix_stage_changes_to_stage_id", "to_stage_id"),
        Index("ix_stage_changes_changed_by_id", "changed_by_id"),
    )
    prefix: ClassVar[str] = "chg"
    parent: ClassVar[str | None] = "opportunity"

    opportunity_id: UUID = Field(foreign_key="opportunities.id")
    from_stage_id: UUID | None = Field(default=None, foreign_key="stages.id")
    to_stage_id: UUID = Field(foreign_key="stages.id")
    changed_at: datetime = moment(required=True)
    changed_by_id: UUID | None = Field(default=None, foreign_key="users.id")

    opportunity: Opportunity = Relationship(back_populates="stage_changes")
    from_stage: Stage = Relationship(sa_relationship_kwargs={"foreign_keys": "StageChange.from_stage_id"})
    to_stage: Stage = Relationship(sa_relationship_kwargs={"foreign_keys": "StageChange.to_stage_id"})
    changed_by: "User" = Relationship()
