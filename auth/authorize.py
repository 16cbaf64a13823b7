"""From a read to an authorized read: all its fields, filters, orders and searches are checked against the rights."""

from dataclasses import replace

from app.analytics.building import ANALYSE
from app.analytics.compile import AuthorizedFigure
from app.analytics.figure import Figure
from app.analytics.figures import FIGURES
from app.errors import ForbiddenError
from app.models.base import Row
from app.models.enums import RowScope
from app.reading.likeness import COMPARED
from app.reading.read import (
    All,
    AnyOf,
    Can,
    Compare,
    Constant,
    Field,
    Filter,
    IsEmpty,
    IsNull,
    Leaf,
    MoneyField,
    NodesRead,
    Not,
    Read,
    Root,
    SummaryField,
    ToMany,
    ToManyFilter,
    ToOne,
    ToOneFilter,
)
from app.reading.relations import relation
from app.reading.sight import AuthorizedRead
from auth.access import Access, field_of
from auth.policy import ACTIONS


def authorize(root: Root, access: Access) -> AuthorizedRead:
    """The proof that ``access`` may ask ``root``. ForbiddenError names the first right that is missing."""
    check = _Check(access)
    if isinstance(root, NodesRead):
        # An entity without a right is simply not there: asking by id must not tell which ids exist.
        root = replace(root, reads=[read for read in root.reads if access.may_see(read.entity)])
        for read in root.reads:
            check.read(read)
    else:
        check.entity(root.entity)
        check.read(root)
    return AuthorizedRead(root, access)


def authorize_figure(figure: Figure, access: Access) -> AuthorizedFigure:
    """The proof that ``access`` may ask ``figure``. ForbiddenError names the first right that is missing."""
    check, definition = _Check(access), FIGURES[figure.name]
    check.analysed(definition.entity)
    for entity, attribute in definition.needed(figure):
        if ANALYSE in ACTIONS[entity.__name__]:
            check.analysed(entity)
        check.worked_on(entity, attribute)
    check.filter(definition.entity, figure.where)
    for record in figure.records():
        check.entity(record.read.entity)
        check.read(record.read)
    return AuthorizedFigure(figure, access)


class _Check:
    def __init__(self, access: Access) -> None:
        self._access = access
        self._rights = access.rights

    def entity(self, entity: type[Row]) -> None:
        if not self._access.may_see(entity):
            raise self._refusal(entity, "read")

    def analysed(self, entity: type[Row]) -> None:
        self.entity(entity)
        if self._rights.rows(entity, ANALYSE) is RowScope.NONE:
            raise self._refusal(entity, ANALYSE)

    def worked_on(self, entity: type[Row], attribute: str) -> None:
        self.entity(entity)
        self._value(entity, attribute)

    def read(self, read: Read) -> None:
        if read.include_deleted and self._rights.rows(read.entity, "restore") is RowScope.NONE:
            raise self._refusal(read.entity, "restore")
        self.filter(read.entity, read.where)
        if read.page is not None:
            # Lists that are shown whole come in an order that nobody asked for: there, what is unreadable is left out.
            for term in read.order:
                self._value(read.entity, term.attribute)
        if read.search and not any(
            self._rights.readable_somewhere(read.entity, attribute) for attribute in read.entity.searched
        ):
            raise self._refusal(read.entity, "read", *read.entity.searched)
        if read.alike is not None and not any(
            self._rights.readable_somewhere(read.entity, attribute) for attribute in COMPARED
        ):
            raise self._refusal(read.entity, "read", *COMPARED)
        for field in read.shown():
            self._field(read.entity, field)

    def _field(self, entity: type[Row], field: Field) -> None:
        match field:
            case Constant() | Can():
                return
            case Leaf(_, attribute):
                self._shown(entity, attribute)
            case MoneyField(_, attribute, _):
                # An amount has no mask: it is shown, or not.
                self._value(entity, attribute)
            case SummaryField(_, name):
                self._shown(entity, name)
                summary = entity.summaries[name]
                target = relation(entity, summary.relation).target
                self.entity(target)
                if summary.attribute:
                    self._value(target, summary.attribute)
            case ToOne(_, name, read, nullable):
                self._shown(entity, name)
                if self._access.may_see(read.entity):
                    self.read(read)
                elif not nullable:
                    raise self._refusal(read.entity, "read")
            case ToMany(_, name, read):
                action = relation(entity, name).action
                if action is None:
                    self._shown(entity, name)
                    self.entity(read.entity)
                elif self._rights.rows(entity, action) is RowScope.NONE:
                    raise self._refusal(entity, action)
                self.read(read)

    def filter(self, entity: type[Row], part: Filter) -> None:
        match part:
            case All(parts) | AnyOf(parts):
                for each in parts:
                    self.filter(entity, each)
            case Not(inner):
                self.filter(entity, inner)
            case Compare(attribute, _, _) | IsNull(attribute, _) | IsEmpty(attribute, _):
                self._value(entity, attribute)
            case ToOneFilter(name, inner) | ToManyFilter(name, inner, _):
                self._value(entity, name)
                target = relation(entity, name).target
                self.entity(target)
                self.filter(target, inner)
            case _:
                return

    def _shown(self, entity: type[Row], attribute: str) -> None:
        if self._rights.hidden(entity, attribute):
            raise self._refusal(entity, "read", attribute)

    def _value(self, entity: type[Row], attribute: str) -> None:
        if not self._rights.readable_somewhere(entity, attribute):
            raise self._refusal(entity, "read", attribute)

    def _refusal(self, entity: type[Row], action: str, *attributes: str) -> ForbiddenError:
        names = [field_of(entity, attribute) for attribute in attributes]
        subject = f"{entity.__name__}.{' or '.join(names)}" if names else entity.__name__
        details: dict[str, object] = {"entity": entity.__name__, "action": action}
        if names:
            details["field"] = names[0] if len(names) == 1 else names
        return ForbiddenError(f"The role {self._access.role_name} has no right to {action} {subject}.", **details)
