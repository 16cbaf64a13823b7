"""The parts of README.md and docs/ that are made from the program: rights, settings, commands, lists and imports.

They stand between two comments, ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``. ``rapport docs write``
replaces what is between them, ``rapport docs check`` and a test say where it is out of date.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from graphql import GraphQLEnumType, GraphQLSchema, get_named_type
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from app import errors
from app.db.migrate import ROOT
from app.domain.order_states import ORDER_STATES
from app.domain.pipeline import WAYS
from app.domain.states import Machine
from app.domain.ticket_states import TICKET_STATES
from app.importing.preset import describe
from app.importing.targets import ENTITIES as IMPORTED
from app.importing.targets import NATURAL_KEYS, TargetField, target
from app.mistakes import UserMistakeError
from app.models.enums import FieldAccess, RowScope
from app.settings import Settings
from auth.access import ENTITY_CLASSES, field_name
from auth.policy import ENTITIES, POLICY, WRITABLE, FieldRule, Rule
from schema.mapping import rows_type
from schema.schema import build_schema

_MARKED = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)(<!-- end of (?P=name) -->)", re.DOTALL)
_LIMITS = (
    *("max_depth", "max_aliases", "max_fields", "max_tokens", "max_cost", "max_filter_terms", "max_relation_filters"),
    "max_body_bytes",
)
_NO_RIGHT = "\u2013"
_KINDS = {
    "text": "text",
    "name": "text",
    "email": "email address",
    "address": "email address",
    "currency": "currency of ISO 4217",
    "integer": "whole number",
    "boolean": "yes or no",
    "money": "amount",
    "rate": "rate, more than 0, with 10 decimals at most",
    "date": "date",
    "time": "time",
    "tags": "tags",
}


class DocsRefusedError(UserMistakeError):
    """The documentation cannot be made or checked; the message says why."""


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    readme = ROOT / "README.md"
    if not readme.exists():
        raise DocsRefusedError(f"There is no {readme}: the documentation belongs to a checkout of the source.")
    return [readme, *sorted((ROOT / "docs").rglob("*.md"))]


def written(text: str, command: Any) -> str:
    """``text`` with every generated part made anew. ``command`` is the program's command line."""

    def made(match: re.Match[str]) -> str:
        make = _SECTIONS.get(match["name"])
        if make is None:
            raise DocsRefusedError(f"Nothing is generated as {match['name']!r}: there are {', '.join(_SECTIONS)}.")
        return f"{match[1]}\n{make(command).strip()}\n\n{match[4]}"

    return _MARKED.sub(made, text)


def outdated(command: Any) -> Iterator[tuple[Path, str]]:
    """The pages whose generated parts are not what the program is now, each with its right text."""
    for page in pages():
        text = page.read_text("utf-8")
        right = written(text, command)
        if right != text:
            yield page, right


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable of a setting."""
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"RAPPORT_{name.upper()}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _settings(_: Any) -> str:
    return _setting_table(Settings.model_fields)


def _limits(_: Any) -> str:
    return _setting_table({name: Settings.model_fields[name] for name in _LIMITS})


def _setting_table(fields: Mapping[str, FieldInfo]) -> str:
    def default(field: FieldInfo) -> str:
        value = field.default
        if value is None or value == ():
            return "not set"
        return f"`{str(value).lower() if isinstance(value, bool) else value}`"

    rows = [(f"`{variable(name, field)}`", default(field), field.description or "") for name, field in fields.items()]
    return _table(("Variable", "Default", "Meaning"), rows)


def _rows(role: str, entity: str) -> str:
    grants = POLICY[role].grants.get(entity, {})
    if "read" not in grants:
        return _NO_RIGHT
    rows = str(grants["read"].rows.value).lower()
    inside = entity != "TicketComment" or "readInternal" in grants
    return rows if inside else f"{rows}, internal ones absent"


def _roles(_: Any) -> str:
    alike: dict[tuple[str, ...], list[str]] = {}
    for entity in ENTITIES:
        alike.setdefault(tuple(_rows(role, entity) for role in POLICY), []).append(entity)
    rows = [(", ".join(entities), *cells) for cells, entities in alike.items()]
    said = [f"- {line}" for role in POLICY for line in _exceptions(role)]
    heading = "Fields that are not simply readable on these rows:"
    return "\n".join([_table(("Rows of", *POLICY), rows), "", heading, "", *said])


def _exceptions(role: str) -> Iterator[str]:
    for entity, actions in POLICY[role].grants.items():
        rule = actions.get("read", Rule(RowScope.NONE))
        alike: dict[str, list[str]] = {}
        for name in ENTITIES[entity]:
            if name in rule.fields:
                alike.setdefault(_access(rule.fields[name], rule.rows), []).append(name)
        alike.pop("read", None)
        for access, names in alike.items():
            yield f"**{role}**, {entity}: {', '.join(f'`{name}`' for name in names)} {access}"


def _access(rule: FieldRule, rows: RowScope) -> str:
    def said(access: FieldAccess) -> str:
        return str(access.value).lower()

    if rule.access is rule.otherwise or rule.on_rows in (RowScope.ALL, rows):
        return said(rule.access)
    return f"{said(rule.access)} on {rule.on_rows.value.lower()} rows, else {said(rule.otherwise)}"


def _rights(_: Any) -> str:
    parts = []
    for entity, fields in ENTITIES.items():
        rows = [["*rows*", *(_rows(role, entity) for role in POLICY)]]
        rows += [[f"`{name}`", *(_cell(role, entity, name) for role in POLICY)] for name in fields]
        parts.append(f"### {entity}\n\n{_table(('Field', *POLICY), rows)}\n")
    return "\n".join(parts)


def _cell(role: str, entity: str, name: str) -> str:
    rule = POLICY[role].grants.get(entity, {}).get("read")
    return _NO_RIGHT if rule is None else _access(rule.fields.get(name, FieldRule()), rule.rows)


def _other_rights(_: Any) -> str:
    """A table of entity and action by role; actions that all roles hold alike share a line."""
    lines: list[tuple[str, ...]] = []
    for entity in ENTITIES:
        actions = dict.fromkeys(
            action for role in POLICY.values() for action in role.grants.get(entity, {}) if action != "read"
        )
        alike: dict[tuple[str, ...], list[str]] = {}
        for action in actions:
            alike.setdefault(tuple(_granted(role, entity, action) for role in POLICY), []).append(action)
        lines += [(entity, " ".join(f"`{name}`" for name in names), *cells) for cells, names in alike.items()]
    return _table(("Entity", "Action", *POLICY), lines)


def _granted(role: str, entity: str, action: str) -> str:
    rule = POLICY[role].grants.get(entity, {}).get(action)
    if rule is None:
        return _NO_RIGHT
    rows = rule.rows.value.lower()
    if not rule.fields:
        return rows
    written = [
        f"`{name}`" + ("" if access.on_rows is RowScope.ALL else f" on {access.on_rows.value.lower()} rows")
        for name in WRITABLE[entity]
        if (access := rule.fields.get(name, FieldRule())).access is FieldAccess.READ
    ]
    return f"{rows}: {', '.join(written)}"


def _purposes(_: Any) -> str:
    return _table(("Role", "What for"), [(name, role.description) for name, role in POLICY.items()])


def _errors(_: Any) -> str:
    classes = (kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__)
    return _table(
        ("Code", "Meaning"),
        [(f"`{kind.code}`", (kind.__doc__ or "").replace("``", "`")) for kind in classes if hasattr(kind, "code")],
    )


def _lists(_: Any) -> str:
    schema = build_schema().graphql
    query = schema.query_type
    assert query is not None
    rows = [
        (f"`{name}`", _orders(schema, rows_type(field)), _searched(rows_type(field)))
        for name, field in query.fields.items()
        if get_named_type(field.type).name.endswith("Connection")
    ]
    return _table(("List", "Orders", "Searched fields"), rows)


def _orders(schema: GraphQLSchema, entity: str) -> str:
    kind = schema.type_map.get(f"{entity}OrderField")
    return " ".join(f"`{value}`" for value in kind.values) if isinstance(kind, GraphQLEnumType) else _NO_RIGHT


def _searched(entity: str) -> str:
    attributes = ENTITY_CLASSES[entity].searched
    return ", ".join(f"`{field_name(attribute)}`" for attribute in attributes) or _NO_RIGHT


def _opportunity_ways(_: Any) -> str:
    rows = [
        [f"**{here}**", *(f"`{WAYS[here][to]}`" if to in WAYS[here] else _NO_RIGHT for to in WAYS)] for here in WAYS
    ]
    return _table(("From", *(f"to {kind}" for kind in WAYS)), rows)


def _imports(_: Any) -> str:
    parts = []
    for name in IMPORTED:
        aim = target(name)
        known = [f"`{aim.natural_key}`"] if aim.natural_key else []
        known += ["external id"] if aim.has_references else []
        if aim.composite_key:
            known = [" and ".join(f"`{each}`" for each in aim.composite_key)]
        rows = [
            (f"`{field.name}`", _imported(field), "yes" if field.required else "")
            for field in sorted(aim.fields.values(), key=lambda each: not each.required)
        ]
        parts.append(
            f"**{name}**, known by {' or '.join(known)}\n\n{_table(('Field', 'Takes', 'Needed for new ones'), rows)}\n"
        )
    return "\n".join(parts)


def _imported(field: TargetField) -> str:
    if field.kind == "reference":
        entity = str(field.entity)
        natural = NATURAL_KEYS.get(entity)
        by = [f"`{natural}`"] if natural else []
        if entity != "role" and target(entity).has_references:
            by.insert(0, "external id")
        return f"a {entity}, by {' or '.join(by)}".replace("a order", "an order").replace("a opp", "an opp")
    if field.kind == "enum":
        return ", ".join(field.choices)
    said = _KINDS[field.kind]
    low, high = field.range
    return f"{said} from {low} to {high:,}" if field.kind == "integer" and high < 2_147_483_647 else said


def _presets(_: Any) -> str:
    return _table(("Preset", "Data"), [(f"`{name}`", said) for name, said in describe().items()])


def _order_states(_: Any) -> str:
    return _machine(ORDER_STATES)


def _ticket_states(_: Any) -> str:
    return _machine(TICKET_STATES)


def _machine(machine: Machine[Any]) -> str:
    """A state machine as a drawing, and as a table, with its states in the order of their enum."""
    kind: type[Enum] = type(next(iter(machine)))
    states = list(kind)
    following = {now: [to for to in states if to in machine[now]] for now in states}
    arrows = [f"[*] --> {states[0]}"]
    arrows += [f"{now} --> {to}" for now in states for to in following[now] or ("[*]",)]
    drawn = "\n".join(("```mermaid", "stateDiagram-v2", *(f"    {arrow}" for arrow in arrows), "```"))
    rows = [(f"`{now}`", ", ".join(f"`{to}`" for to in following[now]) or "the end") for now in states]
    return f"{drawn}\n\n{_table(('State', 'May become'), rows)}"


def commands(command: Any, words: tuple[str, ...] = ("rapport",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, each in inner.items():
        yield from commands(each, (*words, name))


def _commands(command: Any) -> str:
    rows = []
    for words, each in commands(command):
        arguments = [_parameter(p) for p in each.params if p.name != "help"]
        said = (each.help or "").splitlines()[0].replace("``", "`")
        rows.append((f"`{' '.join([*words, *arguments])}`", said))
    return _table(("Command", "What it does"), rows)


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = str(parameter.name).upper()
        return name if parameter.required else f"[{name}]"
    flag = str(parameter.opts[0])
    said = flag if parameter.is_flag else f"{flag} {str(parameter.name).upper()}"
    return said if parameter.required else f"[{said}]"


_SECTIONS: Mapping[str, Callable[[Any], str]] = {
    "roles": _roles,
    "purposes": _purposes,
    "rights": _rights,
    "other-rights": _other_rights,
    "settings": _settings,
    "limits": _limits,
    "errors": _errors,
    "lists": _lists,
    "opportunity-ways": _opportunity_ways,
    "order-states": _order_states,
    "ticket-states": _ticket_states,
    "imports": _imports,
    "presets": _presets,
    "commands": _commands,
}
