"""Filters as conditions. Their logic has two values: no NOT ever stands above an expression that may be NULL."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Enum,
    Text,
    and_,
    any_,
    false,
    func,
    literal_column,
    not_,
    or_,
    true,
)
from sqlalchemy.types import TypeEngine

from app.models.base import Row
from app.reading.aliases import alias
from app.reading.beside import kept_there
from app.reading.binding import Binder
from app.reading.correlation import there
from app.reading.printing import effective
from app.reading.read import (
    All,
    AnyOf,
    Compare,
    Filter,
    IsEmpty,
    IsNull,
    Missing,
    Not,
    Operand,
    ToManyFilter,
    ToOneFilter,
    Word,
)
from app.reading.relations import kept_of, relation, stored
from app.reading.sight import Sight

_CONTRARY = {"eq": "ne", "in": "notIn", "lt": "gte", "lte": "gt"}
_CONTRARY |= {contrary: how for how, contrary in _CONTRARY.items()}
_LAST_CHARACTER = literal_column("chr(1114111)", Text)


class FilterCompiler:
    """Compiles the filters and searches of one statement under one sight."""

    def __init__(self, sight: Sight, binder: Binder) -> None:
        self._sight = sight
        self._binder = binder

    def condition(
        self, entity: type[Row], row: Any, part: Filter, *, negated: bool = False, may_be_deleted: bool = False
    ) -> ColumnElement[bool]:
        """The condition that ``part`` holds for ``row`` (or does not, if ``negated``); NULL counts as false."""
        match part:
            case All(parts):
                inner = [
                    self.condition(entity, row, each, negated=negated, may_be_deleted=may_be_deleted) for each in parts
                ]
                return or_(false(), *inner) if negated else and_(true(), *inner)
            case AnyOf(parts):
                inner = [
                    self.condition(entity, row, each, negated=negated, may_be_deleted=may_be_deleted) for each in parts
                ]
                return and_(true(), *inner) if negated else or_(false(), *inner)
            case Not(inner_part):
                return self.condition(entity, row, inner_part, negated=not negated, may_be_deleted=may_be_deleted)
            case Missing(holds):
                return true() if holds == negated else false()
            case Compare():
                return self._compare(entity, row, part, negated, may_be_deleted)
            case IsNull(attribute, holds):

                def is_null(value: ColumnElement[Any]) -> ColumnElement[bool]:
                    return value.is_(None) if holds != negated else value.is_not(None)

                treatment = self._sight.treatment(entity, part.rights_of or attribute, row)
                if (kept := kept_of(entity, attribute)) is not None:
                    return kept_there(kept, row, treatment, is_null, may_be_deleted=may_be_deleted)
                return is_null(effective(getattr(row, attribute), treatment))
            case IsEmpty(attribute, holds):
                value = effective(getattr(row, attribute), self._sight.treatment(entity, attribute, row))
                empty = func.cardinality(value) == 0
                return empty.is_(True) if holds != negated else empty.is_not(True)
            case ToOneFilter(name, inner_part):
                return self._to_one(entity, row, name, inner_part, negated)
            case ToManyFilter(name, inner_part, some):
                found = relation(entity, name)
                far = alias(found.target)
                conditions = [
                    *found.link(row, far),
                    *self._sight.rows(found.target, far, "row", parent_seen=found.from_parent),
                    self.condition(found.target, far, inner_part),
                ]
                found_there: ColumnElement[bool] = there(far, *conditions)
                if may_be_deleted and found.from_parent:
                    # Rows that follow a deleted one are not seen.
                    found_there = and_(row.deleted_at.is_(None), found_there)
                return found_there if some != negated else not_(found_there)

    def search(self, entity: type[Row], row: Any, words: tuple[Word, ...]) -> list[ColumnElement[bool]]:
        """One condition a word: some searched field that the caller may read on the row holds it."""
        conditions = []
        for word in words:
            places = []
            bound = self._binder.bind(word.operand, Text())
            self._binder.unweighed = True
            for attribute in entity.searched:
                treatment = self._sight.treatment(entity, attribute, row)
                if treatment.readable is False:
                    continue
                value = getattr(row, attribute)
                if word.short:
                    # An explicit range: a LIKE pattern that is a parameter cannot be planned as one.
                    low, beyond = func.lower(value), func.lower(bound.concat(_LAST_CHARACTER))
                    found = and_(low.bool_op("~>=~")(func.lower(bound)), low.bool_op("~<~")(beyond))
                else:
                    found = value.ilike(bound)
                places.append(found if treatment.readable is True else and_(treatment.readable, found))
            conditions.append(or_(false(), *places))
        return conditions

    def compared(self, value: ColumnElement[Any], part: Compare) -> ColumnElement[bool]:
        """The condition that ``value``, which anybody may know, stands in that relation to the operand; never NULL."""
        opposite = {"ne": "eq", "notIn": "in"}.get(part.how)
        found = self._holds(value, opposite or part.how, part.operand, None, part.how)
        return found.is_not(True) if opposite else found.is_(True)

    def _compare(
        self, entity: type[Row], row: Any, part: Compare, negated: bool, may_be_deleted: bool
    ) -> ColumnElement[bool]:
        treatment = self._sight.treatment(entity, part.rights_of or part.attribute, row)
        opposite = {"ne": "eq", "notIn": "in"}.get(part.how)
        kept = kept_of(entity, part.attribute)

        def holds(value: ColumnElement[Any]) -> ColumnElement[bool]:
            weighed = _CONTRARY.get(part.how, part.how) if negated else part.how
            found = self._holds(value, opposite or part.how, part.operand, stored(entity, part.attribute), weighed)
            if kept is None and treatment.readable is not True:
                found = and_(treatment.readable, found)  # type: ignore[arg-type]  # False is SQL's false.
            return found.is_not(True) if negated != bool(opposite) else found

        if kept is not None:
            return kept_there(kept, row, treatment, holds, may_be_deleted=may_be_deleted)
        return holds(getattr(row, part.attribute))

    def _holds(
        self, value: ColumnElement[Any], how: str, operand: Operand, column: tuple[str, str] | None, weighed: str
    ) -> ColumnElement[bool]:
        if how == "eq" and _is_literal(operand):
            return value == _literal(operand)
        kind: TypeEngine[Any] = Text() if isinstance(value.type, Enum) else value.type
        if how in ("in", "has", "hasAll", "hasAny"):
            kind = ARRAY(kind if how == "in" else Text())
        elif how in ("contains", "startsWith", "endsWith"):
            kind = Text()
        bound: ColumnElement[Any] = self._binder.compared(operand, kind, column, weighed)
        match how:
            case "eq":
                return value == bound
            case "in":
                return value == any_(bound)
            case "lt":
                return value < bound
            case "lte":
                return value <= bound
            case "gt":
                return value > bound
            case "gte":
                return value >= bound
            case "contains" | "startsWith" | "endsWith":
                return value.ilike(bound)
            case "has" | "hasAll":
                return value.bool_op("@>")(bound)
            case "hasAny":
                return value.bool_op("&&")(bound)
        raise AssertionError(how)

    def _to_one(self, entity: type[Row], row: Any, name: str, part: Filter, negated: bool) -> ColumnElement[bool]:
        found = relation(entity, name)
        far = alias(found.target)
        conditions = found.link(row, far)
        if not found.to_parent:
            conditions += self._sight.rows(found.target, far, "row", referred=True)
        treatment = self._sight.treatment(entity, name, row)
        if treatment.readable is not True:
            conditions.append(treatment.readable if treatment.readable is not False else false())
        # A missing row answers as if all its fields were NULL: where that makes the part true, it is enough that no
        # row contradicts it.
        missing = holds_for_missing(part) != negated
        inner = self.condition(found.target, far, part, negated=negated != missing)
        found_there = there(far, *conditions, inner)
        return not_(found_there) if missing else found_there


def holds_for_missing(part: Filter) -> bool:
    """Whether ``part`` holds for a row that is not there: NULL in every field, nothing at the end of any relation."""
    match part:
        case All(parts):
            return all(holds_for_missing(each) for each in parts)
        case AnyOf(parts):
            return any(holds_for_missing(each) for each in parts)
        case Not(inner):
            return not holds_for_missing(inner)
        case Missing(holds) | IsNull(_, holds):
            return holds
        case IsEmpty(_, holds):
            return not holds
        case Compare():
            return part.how in ("ne", "notIn")
        case ToOneFilter(_, inner):
            return holds_for_missing(inner)
        case ToManyFilter():
            return not part.some


def _is_literal(operand: Operand) -> bool:
    return operand.source is None and isinstance(operand.constant, bool | str) and operand.convert is literal_value


def literal_value(value: Any) -> Any:
    """The conversion of a value from a closed set, which stands in the statement itself so that it is planned for."""
    return value


def _literal(operand: Operand) -> ColumnElement[Any]:
    if isinstance(operand.constant, bool):
        return true() if operand.constant else false()
    return literal_column("'" + str(operand.constant).replace("'", "''") + "'", Text)
