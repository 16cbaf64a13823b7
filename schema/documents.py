"""Documents: parsed, validated and measured once, and kept while they are in use."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature

from schema.coercion import coercer
from schema.limits import Figures, figures
from schema.selection import KEY_BYTES
from schema.shapes import shaper

_WATERMARK = 4_000_000


@dataclass(slots=True)
class Operation:
    """One operation of a document."""

    node: OperationDefinitionNode
    figures: Figures
    coerce: Callable[[Mapping[str, Any]], tuple[dict[str, Any], Any] | None]
    """From raw variables to coerced ones and their shape; None where some do not fit."""
    fragments: Mapping[str, FragmentDefinitionNode]
    name: str
    roots: dict[str, list[FieldNode]] | None
    """The root fields by response key, where they do not depend on variables or fragments."""
    bare: DocumentNode
    """The operation and the fragments, without what it says of its variables."""
    signatures: Mapping[str, GraphQLVariableSignature]
    """What it says of them."""

    def field_of(self, path: Sequence[str | int] | None) -> str:
        """The name of the root field to which a path in the answer leads; its response key where that is not plain."""
        key = str(path[0]) if path else ""
        return self.roots[key][0].name.value if self.roots and key in self.roots else key


@dataclass(slots=True)
class Document:
    """A document: its operations by name, or what is wrong with it."""

    text: str
    hash: str
    """The first digits of its SHA-256, for logs."""
    discreet: bool
    """Whether its errors must not tell the schema piece by piece."""
    node: DocumentNode | None = None
    errors: list[GraphQLError] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)

    def operation(self, name: str | None) -> Operation | None:
        """The operation of that name, or the only one; None where that is not clear."""
        if name is not None:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


class Documents:
    """The documents that callers sent lately, at most ``most`` of them and at most some megabytes of text."""

    def __init__(self, schema: GraphQLSchema, most: int, max_tokens: int, *, introspection: bool) -> None:
        self._schema = schema
        self._most = most
        self._max_tokens = max_tokens
        # Where the schema may not be asked for, errors must not tell it piece by piece.
        self._discreet = not introspection
        self._rules = (*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._size = 0

    def get(self, text: str) -> Document:
        """The document of that text."""
        found = self._kept.get(text)
        if found is not None:
            self._kept.move_to_end(text)
            return found
        found = self._read(text)
        self._kept[text] = found
        self._size += len(text)
        while len(self._kept) > self._most or (self._size > _WATERMARK and len(self._kept) > 1):
            dropped, _ = self._kept.popitem(last=False)
            self._size -= len(dropped)
        return found

    def _read(self, text: str) -> Document:
        document = Document(text, sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16], self._discreet)
        try:
            node = parse(text, max_tokens=self._max_tokens)
        except GraphQLSyntaxError as error:
            document.errors = [error]
            return document
        document.node = node
        document.errors = validate(
            self._schema,
            node,
            self._rules,
            hide_suggestions=self._discreet,
            allow_empty_selection_sets=False,
        )
        if document.errors:
            return document
        fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
        for definition in node.definitions:
            if isinstance(definition, OperationDefinitionNode):
                document.operations[definition.name.value if definition.name else ""] = Operation(
                    definition,
                    figures(definition, fragments),
                    coercer(self._schema, definition, shaper(self._schema, node, definition)),
                    fragments,
                    definition.name.value if definition.name else "",
                    _roots(definition),
                    _bare(definition, fragments),
                    _signatures(self._schema, definition),
                )
        return document


def _bare(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> DocumentNode:
    return DocumentNode(definitions=(replace(operation, variable_definitions=()), *fragments.values()))


def _signatures(schema: GraphQLSchema, operation: OperationDefinitionNode) -> dict[str, GraphQLVariableSignature]:
    found = (get_variable_signature(schema, each) for each in operation.variable_definitions or ())
    return {each.name: each for each in found if isinstance(each, GraphQLVariableSignature)}


def _roots(operation: OperationDefinitionNode) -> dict[str, list[FieldNode]] | None:
    found: dict[str, list[FieldNode]] = {}
    for node in operation.selection_set.selections:
        if not isinstance(node, FieldNode) or node.directives:
            return None
        found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
    return found if all(len(key) <= KEY_BYTES for key in found) else None
