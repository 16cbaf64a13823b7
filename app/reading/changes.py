"""What an audit event shows of the values that changed: what the caller may read of the record now, and nothing else.

A value that is masked for the caller on the record is masked here, before and after; one that may not be read there is
left out. The id of a related record is null where that record is out of sight. A record that is out of sight itself
shows no values at all; for a merged one, the rights to the record that it was merged into hold. All this is part of the
statement: the rights are those that hold when it runs.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, Uuid, and_, case, cast, column, func, inspect, literal_column, null, select
from sqlalchemy.dialects.postgresql import JSONB, array

from app.models.base import Row
from app.models.rows import entity_of
from app.reading.aliases import alias
from app.reading.correlation import own, survivor
from app.reading.printing import effective, masked
from app.reading.relations import Relation, currency_of, relation
from app.reading.sight import Sight, Treatment


def shown_changes(sight: Sight, event: Any, about: type[Row] | None = None) -> ColumnElement[Any]:
    """``event.changes`` as the caller may see them; ``about`` is the entity of its record where that is known."""
    everything = sight.sees_log
    changes = event.changes
    # Without a record there are no rights to its fields. What was refused or failed has changed nothing.
    bare = event.record_id.is_(None) | (event.outcome != literal_column("'OK'"))
    whens: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = []
    for entity in sight.recorded if about is None else (about,):
        of_entity = event.entity == literal_column(f"'{entity.__name__}'")
        if everything and sight.sees_all(entity):
            continue
        if not sight.may_see(entity):
            if everything:
                whens.append((of_entity, null()))
            continue
        whens.append((of_entity, _of_record(sight, entity, event)))
    shown: ColumnElement[Any] = changes
    if whens or not everything:
        first = (bare, changes if everything else _facts(sight, changes))
        shown = case(first, *whens, else_=changes if everything else null())
    return effective(shown, sight.treatment(entity_of(event), "changes", event))


def _facts(sight: Sight, changes: ColumnElement[Any]) -> ColumnElement[Any]:
    each = _each(changes)
    told = func.coalesce(func.jsonb_object_agg(each.c.key, each.c.value), _EMPTY)
    found = select(told).select_from(each).where(_among(each.c.key, sight.told))
    return case((changes.is_not(None), own(found, each).scalar_subquery()), else_=null())


def _of_record(sight: Sight, entity: type[Row], event: Any) -> ColumnElement[Any]:
    row: Any = alias(entity)
    each = _each(event.changes)
    shown = select(each.c.key, _field(sight, entity, row, each).label("shown")).select_from(each)
    picked = own(shown, each).subquery()
    some = func.jsonb_object_agg(picked.c.key, picked.c.shown).filter(picked.c.shown.is_not(None))
    whole = own(select(func.coalesce(some, _EMPTY)).select_from(picked), picked).scalar_subquery()
    seen = sight.rows(entity, row, "row", include_deleted=True)
    # Of a merged record, the survivor answers for the rights.
    at = survivor(entity, event.record_id)
    found = select(whole).select_from(row).where(row.id == at, event.changes.is_not(None), *seen)
    return own(found, row).scalar_subquery()


def _field(sight: Sight, entity: type[Row], row: Any, each: Any) -> ColumnElement[Any]:
    """The change of one field as it is shown, NULL where it is not."""
    plain = [name for name in sight.told if name not in sight.fields(entity)]
    whens = []
    for name, attribute in sight.fields(entity).items():
        change = _change(sight, entity, attribute, row, each.c.value)
        if change is each.c.value:
            plain.append(name)
        elif change is not None:
            whens.append((each.c.key == literal_column(f"'{name}'"), change))
    return case((_among(each.c.key, plain), each.c.value), *whens, else_=null())


def _change(
    sight: Sight, entity: type[Row], attribute: str, row: Any, change: ColumnElement[Any]
) -> ColumnElement[Any] | None:
    """Before and after of one attribute: as they are, in part, or not at all."""
    treatment = sight.treatment(entity, attribute, row)
    if attribute in inspect(entity).relationships:
        return _related(sight, entity, attribute, row, change, treatment)
    if attribute not in inspect(entity).columns or (treatment.readable is False and treatment.masked is False):
        return None
    if treatment.readable is True:
        return change
    if treatment.masked is False or currency_of(entity, attribute):
        return effective(change, treatment)
    shape = _both(change, lambda value: masked(attribute, value))
    if treatment.masked is not True:
        shape = case((treatment.masked, shape), else_=null())
    return shape if treatment.readable is False else case((treatment.readable, change), else_=shape)


def _related(
    sight: Sight, entity: type[Row], name: str, row: Any, change: ColumnElement[Any], treatment: Treatment
) -> ColumnElement[Any] | None:
    found = relation(entity, name)
    if treatment.readable is False or found.action or not sight.may_see(found.target):
        return None
    far: Any = alias(found.target)
    conditions = sight.rows(found.target, far, "row", parent_seen=found.from_parent, referred=not found.many)
    if found.many:
        if found.from_parent and hasattr(entity, "deleted_at"):
            # Rows that follow a deleted one are not seen, and neither is what the history tells of them.
            conditions = [*conditions, row.deleted_at.is_(None)]
        # A list is told as one value: there is no telling apart what of it may be read. But for one that is told row
        # by row.
        parts = [sight.treatment(found.target, each, far) for each in sight.fields(found.target).values()]
        if conditions or any(part.readable is not True for part in parts):
            if not found.told:
                return None
            shown = _seen_one(sight, found, row, far, change, conditions)
        else:
            shown = change
    elif conditions:
        shown = _seen_ids(found.target, far, change, conditions)
    else:
        shown = change
    return shown if treatment.readable is True else effective(shown, treatment)


def _seen_one(
    sight: Sight,
    found: Relation,
    row: Any,
    far: Any,
    change: ColumnElement[Any],
    conditions: Sequence[ColumnElement[bool]],
) -> ColumnElement[Any]:
    """The row that a change tells of, if it is in sight, with what may be read of it now."""
    after = change.op("->", return_type=JSONB())(literal_column("'after'"))
    id = _text(after, "id")
    parts = [literal_column("'id'"), id]
    for name in found.told:
        treatment = sight.treatment(found.target, name, far)
        value: ColumnElement[Any] = after.op("->", return_type=JSONB())(literal_column(f"'{name}'"))
        if treatment.readable is not True and treatment.masked is not False:
            shape: ColumnElement[Any] = func.to_jsonb(masked(name, _text(after, name)))
            if treatment.masked is not True:
                shape = case((treatment.masked, shape), else_=null())
            value = shape if treatment.readable is False else case((treatment.readable, value), else_=shape)
        else:
            value = effective(value, treatment)
        parts += [literal_column(f"'{name}'"), value]
    told = func.jsonb_strip_nulls(func.jsonb_build_object(*parts))
    shown = func.jsonb_build_object(literal_column("'before'"), null(), literal_column("'after'"), told)
    at = far.id == _uuid_of(found.target, id)
    query = select(shown).select_from(far).where(at, *found.link(row, far), *conditions)
    return own(query, far).scalar_subquery()


def _seen_ids(
    entity: type[Row], far: Any, change: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]]
) -> ColumnElement[Any]:
    """The typed ids before and after, each where its row is in sight, else NULL. Both are looked up at once."""
    ids, parts = [], []
    for side in ("before", "after"):
        value = _text(change, side)
        at = _uuid_of(entity, value)
        ids.append(at)
        parts += [literal_column(f"'{side}'"), case((func.bool_or(far.id == at), value), else_=null())]
    either = far.id == func.any(array(ids, type_=Uuid()))
    found = select(func.jsonb_build_object(*parts)).select_from(far).where(either, *conditions)
    return own(found, far).scalar_subquery()


def _uuid_of(entity: type[Row], value: ColumnElement[str]) -> ColumnElement[Any]:
    """The UUID in a typed id of ``entity``, NULL for any other text."""
    pattern: ColumnElement[str] = literal_column(f"'^{entity.prefix}_[0-9a-f]{{32}}$'")
    digits = func.substr(value, literal_column(str(len(entity.prefix) + 2)))
    return case((value.bool_op("~")(pattern), cast(digits, Uuid())), else_=null())


def _text(value: ColumnElement[Any], key: str) -> ColumnElement[str]:
    return value.op("->>", return_type=Text())(literal_column(f"'{key}'"))


def _both(change: ColumnElement[Any], make: Any) -> ColumnElement[Any]:
    before, after = (make(_text(change, side)) for side in ("before", "after"))
    return func.jsonb_build_object(literal_column("'before'"), before, literal_column("'after'"), after)


def _each(changes: ColumnElement[Any]) -> Any:
    return (
        func.jsonb_each(changes).table_valued(column("key", Text()), column("value", JSONB())).render_derived().alias()
    )


def _among(key: ColumnElement[str], names: Sequence[str]) -> ColumnElement[bool]:
    listed = ", ".join(f"'{name}'" for name in names)
    return and_(key == func.any(literal_column(f"ARRAY[{listed}]::text[]")))


_EMPTY: ColumnElement[Any] = literal_column("'{}'::jsonb")
