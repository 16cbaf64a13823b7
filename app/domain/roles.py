"""What may happen to a role. Built-in ones stay as they are; nobody gives a role what it does not have itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.db.ids import print_id
from app.domain.checks import check_values
from app.domain.given import Given
from app.domain.grants import CLOSED, Checking, Vocabulary, Wanted, WantedField
from app.domain.names import check_name
from app.domain.rows import new
from app.domain.work import Work
from app.models import FieldGrant, Grant, Role, User
from app.models.enums import RowScope

KEEPING = ("User", "Role")
"""The entities by whose grants rights are kept: nobody takes them from the own role."""

_NAMED = 20
_ALIKE = "SELECT FROM roles WHERE lower(name) = lower($1)"
_HOLDERS = "SELECT id, count(*) OVER () AS count FROM users WHERE role_id = $1 ORDER BY id LIMIT $2"

Held = dict[tuple[str, str], tuple[Grant, dict[str, FieldGrant]]]


async def create(work: Work, _: None, given: Given) -> Role:
    """A new role: without grants, or with those of another one, which may be built in."""
    check_name(work, given)
    check_values(work, Role, given)
    work.problems.refuse()
    await work.giving.settle()
    if await work.fetch(_ALIKE, given.values["name"]):
        work.problems.add(given.at("name"), "UNIQUE", "name is taken: another Role has it, in this case or another.")
    work.problems.refuse()
    role = new(Role)
    given.assign(role)
    work.add(role)
    source: Role | None = given.rows.get("copy_from")
    if source is not None:
        await work.giving.refuse_role(source.id, Role, "create", "grants")
        copied = [_wanted(grant, fields) for grant, fields in (await _held(work, source)).values()]
        for wanted in copied:
            _add(work, role, wanted)
        work.tell("grants", after=_told(copied))
    return role


async def set_grants(work: Work, role: Role, given: Given) -> Role:
    """Make the grants of a role those that are given. Fields that a grant does not name are closed; a grant that names
    none opens them all."""
    _refuse_built_in(work, role, ("roleId",))
    known: Vocabulary = given.options["known"]
    wanted = Checking(work, known).grants(("grants",), given.values["grants"])
    work.problems.refuse()
    await work.giving.settle()
    held = await _held(work, role)
    present = {
        key: _wanted(grant, fields, known.by_field(*key) if key[0] in known.fields else ())
        for key, (grant, fields) in held.items()
    }
    await work.giving.refuse_role(role.id, Role, "update", "grants")
    work.giving.refuse_grants(wanted, Role, "update", "grants")
    if role.id == work.giving.role_id:
        _keep_keeping(work, present, wanted)
    work.problems.refuse()
    by_key = {(each.entity, each.action): each for each in wanted}
    gone = [present[key] for key in present if key not in by_key]
    for key in present.keys() - by_key.keys():
        work.remove(held[key][0])
    for key, each in by_key.items():
        if key in held:
            _change(work, *held[key], each)
        else:
            _add(work, role, each)
    changed = [key for key, each in by_key.items() if present.get(key) != each]
    if changed or gone:
        work.touch(role)
        before = [present[key] for key in changed if key in present]
        work.tell("grants", before=_told([*before, *gone]), after=_told(by_key[key] for key in changed))
    return role


async def delete(work: Work, role: Role, _: Given) -> Role:
    """Do away with a role that nobody has.

    The role has to be locked against references: whoever gives it to somebody holds it in place.
    """
    _refuse_built_in(work, role, ("id",))
    work.problems.refuse()
    await work.giving.settle()
    await work.giving.refuse_role(role.id, Role, "delete", "grants")
    holders = await work.fetch(_HOLDERS, role.id, _NAMED)
    if holders:
        count = holders[0]["count"]
        have = "1 user has" if count == 1 else f"{count} users have"
        ids = tuple(print_id(User.prefix, each["id"]) for each in holders)
        said = f"{have} this role, active or not: give them another one first."
        seen = ids if work.actor.rows(User, "read") is RowScope.ALL else None
        work.problems.add(("id",), "IN_USE", said, ids=seen, params={"count": count})
    work.problems.refuse()
    held = await _held(work, role)
    work.tell("name", before=role.name)
    work.tell("grants", before=_told(_wanted(*each) for each in held.values()))
    work.remove(role)
    return role


def _refuse_built_in(work: Work, role: Role, path: tuple[str, ...]) -> None:
    if role.built_in:
        said = f"{role.name} is built in and stays as it is: copy it with createRole, and change the copy."
        work.problems.add(path, "INVALID", said)


def _keep_keeping(work: Work, present: Mapping[Any, Wanted], wanted: Sequence[Wanted]) -> None:
    """Note where somebody would take the keeping of users and roles from itself."""
    after = {(each.entity, each.action): each for each in wanted}
    for key, each in present.items():
        if each.entity in KEEPING and not (key in after and _holds(after[key], each)):
            said = f"This is your own role, which has to keep: {each}. You would lock yourself out."
            work.problems.add(("grants",), "INVALID", said, params={"entity": each.entity, "action": each.action})


def _holds(after: Wanted, before: Wanted) -> bool:
    """Whether nothing has been taken away. Your own rights cover what is given, so it is the same or narrower."""
    return after.rows is before.rows and all(after.fields.get(name) == each for name, each in before.fields.items())


async def _held(work: Work, role: Role) -> Held:
    """The grants of a role, in the order in which they are listed, each with its fields."""
    grants = await work.find(Grant, "WHERE role_id = $1 ORDER BY entity, action FOR UPDATE", role.id)
    ids = [grant.id for grant in grants]
    fields = await work.find(FieldGrant, "WHERE grant_id = ANY($1) ORDER BY position, id FOR UPDATE", ids)
    of: dict[Any, dict[str, FieldGrant]] = {id: {} for id in ids}
    for each in fields:
        of[each.grant_id][each.field] = each
    return {(grant.entity, grant.action): (grant, of[grant.id]) for grant in grants}


def _wanted(grant: Grant, fields: Mapping[str, FieldGrant], names: Sequence[str] = ()) -> Wanted:
    """A grant as it is kept; those of ``names`` that it does not name are closed."""
    said = {name: WantedField(each.access, each.on_rows, each.otherwise) for name, each in fields.items()}
    return Wanted(grant.entity, grant.action, grant.rows, {**dict.fromkeys(names, CLOSED), **said})


def _add(work: Work, role: Role, wanted: Wanted) -> None:
    grant = new(Grant, role_id=role.id, entity=wanted.entity, action=wanted.action, rows=wanted.rows)
    work.add(grant)
    for position, (name, each) in enumerate(wanted.fields.items()):
        _add_field(work, grant, position, name, each)


def _add_field(work: Work, grant: Grant, position: int, name: str, each: WantedField) -> None:
    more: dict[str, Any] = {"access": each.access, "on_rows": each.on_rows, "otherwise": each.otherwise}
    work.add(new(FieldGrant, grant_id=grant.id, position=position, field=name, **more))


def _change(work: Work, grant: Grant, fields: Mapping[str, FieldGrant], wanted: Wanted) -> None:
    grant.rows = wanted.rows
    for name in fields.keys() - wanted.fields.keys():
        work.remove(fields[name])
    for position, (name, each) in enumerate(wanted.fields.items()):
        found = fields.get(name)
        if found is None:
            _add_field(work, grant, position, name, each)
        else:
            found.position, found.access, found.on_rows = position, each.access, each.on_rows
            found.otherwise = each.otherwise


def _told(grants: Iterable[Wanted]) -> list[str]:
    return sorted(map(str, grants))
