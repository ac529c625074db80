"""What of the catalogue is the same for everybody who sees only published courses: the one list, and who is on it.

A field belongs here only if its value depends on nothing but the tenant's published catalogue and the arguments named
here: not on the person, the time or the language. Whatever is not here makes its operation uncacheable, so a new field
or argument is private until somebody puts it here. Whoever writes what these fields show does it in
``Changes.write``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    get_named_type,
    is_composite_type,
    parse,
    type_from_ast,
)

Fields = Mapping[str, frozenset[str]]


def _fields(*plain: str, **with_arguments: str) -> Fields:
    """Fields without arguments, and fields with the names of theirs."""
    return {name: frozenset() for name in plain} | {
        name: frozenset(names.split()) for name, names in with_arguments.items()
    }


# Not here: learnerCount (every enrolment would empty the cache), blocks, viewerCan, viewerCanRead, lockReasons,
# myEnrollment, myProgress, myReview, node and nodes.
PUBLIC: Mapping[str, Fields] = {
    "Query": _fields(courses="filter sort first after last before", course="id", module="id", lesson="id"),
    "CourseConnection": _fields("nodes", "edges", "pageInfo", "totalCount"),
    "CourseEdge": _fields("cursor", "node"),
    "PageInfo": _fields("hasNextPage", "hasPreviousPage", "startCursor", "endCursor"),
    "Course": _fields(
        *("id", "title", "description", "category", "level", "language", "coverUrl", "tags"),
        *("publishedAt", "createdAt", "updatedAt", "version"),
        *("instructors", "modules", "lessonCount", "averageRating", "reviewCount"),
    ),
    "Instructor": _fields("id", "fullName", "avatarUrl", "bio"),
    "Module": _fields("id", "title", "description", "position", "version", "course", "lessons"),
    "Lesson": _fields(
        *(
            "id",
            "title",
            "summary",
            "position",
            "isRequired",
            "weight",
            "completion",
            "videoThreshold",
            "version",
            "minScore",
            "minSeconds",
            "contentVersion",
        ),
        *("module", "course"),
    ),
}
# ``mine`` asks who is asking.
PUBLIC_INPUTS: Mapping[str, frozenset[str]] = {
    "CourseFilter": frozenset({"search", "category", "level", "language", "tags", "instructorId", "published"}),
}
LONGEST = 10_000  # characters of a document


@dataclass(frozen=True, slots=True)
class PublicOperation:
    """An operation that shows nothing private, as long as its variables do not ask for it."""

    text: Any  # SHA-256 that has read document and operation name
    variables: tuple[str, ...]
    inputs: tuple[tuple[str, frozenset[str]], ...]

    def digest(self, given: Mapping[str, Any]) -> str | None:
        """A name for the operation with these variables; None when a variable asks for something private.

        Only declared variables count: others change nothing, and would let one answer be kept under many names.
        """
        for variable, allowed in self.inputs:
            value = given.get(variable)
            if value is not None and not (isinstance(value, dict) and value.keys() <= allowed):
                return None
        known = {name: given[name] for name in self.variables if name in given}
        text = self.text.copy()
        try:
            text.update(orjson.dumps(known, option=orjson.OPT_SORT_KEYS))
        except orjson.JSONEncodeError:  # nested deeper than is written, though not than is read
            return None
        digest: str = text.hexdigest()
        return digest


def public_operation(schema: GraphQLSchema, query: str, name: str | None) -> PublicOperation | None:
    """The operation that a request would run, if all it selects is public; None otherwise, and for what is no query."""
    if len(query) > LONGEST:
        return None
    try:
        document = parse(query, no_location=True, max_tokens=2000)
    except GraphQLError:
        return None
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    chosen = [d for d in operations if name is None or (d.name is not None and d.name.value == name)]
    if len(chosen) != 1 or chosen[0].operation is not OperationType.QUERY:
        return None
    definitions = chosen[0].variable_definitions or ()
    if not _Reader(schema, document).shows_only_public(chosen[0]):
        return None
    inputs = []
    for definition in definitions:
        kind = get_named_type(type_from_ast(schema, definition.type))
        if isinstance(kind, GraphQLInputObjectType):
            inputs.append((definition.variable.name.value, PUBLIC_INPUTS.get(kind.name, frozenset())))
    return PublicOperation(
        hashlib.sha256(f"{query}\0{name or ''}\0".encode()),
        tuple(sorted(definition.variable.name.value for definition in definitions)),
        tuple(inputs),
    )


class _Reader:
    """Reads each fragment once, so that reading stays linear in the document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._read: dict[str, bool] = {}

    def shows_only_public(self, operation: OperationDefinitionNode) -> bool:
        defaults = all(_is_public_default(self._schema, d) for d in operation.variable_definitions or ())
        return defaults and self._selection(operation.selection_set, self._schema.query_type)

    def _selection(self, selections: SelectionSetNode, parent: Any) -> bool:
        for node in selections.selections:
            match node:
                case FieldNode():
                    public = self._field(node, parent)
                case InlineFragmentNode():
                    condition = node.type_condition
                    inside = self._schema.get_type(condition.name.value) if condition else parent
                    public = self._selection(node.selection_set, inside)
                case FragmentSpreadNode():
                    public = self._fragment(node.name.value)
                case _:
                    public = False
            if not public:
                return False
        return True

    def _fragment(self, name: str) -> bool:
        if name not in self._read:
            self._read[name] = True  # a circle, which validation refuses, ends here
            fragment = self._fragments.get(name)
            self._read[name] = fragment is not None and self._selection(
                fragment.selection_set, self._schema.get_type(fragment.type_condition.name.value)
            )
        return self._read[name]

    def _field(self, node: FieldNode, parent: Any) -> bool:
        name = node.name.value
        public = PUBLIC.get(getattr(parent, "name", ""))
        if public is None:
            return False
        if name == "__typename":
            return True
        if name not in public or not is_composite_type(parent):
            return False
        field = self._schema.get_field(parent, name)
        if field is None:
            return False
        for argument in node.arguments or ():
            given = argument.name.value
            if given not in public[name] or given not in field.args:
                return False
            if not _is_public_value(argument.value, get_named_type(field.args[given].type)):
                return False
        return node.selection_set is None or self._selection(node.selection_set, get_named_type(field.type))


def _is_public_default(schema: GraphQLSchema, definition: VariableDefinitionNode) -> bool:
    default = definition.default_value
    return default is None or _is_public_value(default, get_named_type(type_from_ast(schema, definition.type)))


def _is_public_value(value: ValueNode, kind: Any) -> bool:
    """Whether a written value uses no private input field. Variables are looked at when they have values."""
    if isinstance(value, ListValueNode):
        return all(_is_public_value(item, kind) for item in value.values)
    if not isinstance(value, ObjectValueNode):
        return True
    allowed = PUBLIC_INPUTS.get(getattr(kind, "name", ""), frozenset())
    return all(field.name.value in allowed for field in value.fields)
