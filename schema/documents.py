"""Documents that were parsed, validated and found within the limits once are not looked at again.

The first execution of a text goes Strawberry's whole way with every extension; what comes out of validation without
an error is remembered here, and the next execution of the same text goes straight to the executor.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from app.errors import Refusal
from app.i18n import message

NAME_IT = message("the document has several operations; name the one to run in operationName")
MOST = 1024
MOST_CHARACTERS = 1_000_000  # of all remembered texts; a document in memory takes some 100 times its text


@dataclass(frozen=True, slots=True)
class ValidDocument:
    """A document and the types of its operations by name; None stands for the only one."""

    node: DocumentNode
    operations: dict[str | None, OperationType]


class Documents:
    """The valid documents of one schema, the least recently used ones forgotten first."""

    def __init__(self, most: int = MOST, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._most_characters = most_characters
        self._known: OrderedDict[str, ValidDocument] = OrderedDict()
        self.characters = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, text: str) -> ValidDocument | None:
        """What is remembered of a text."""
        found = self._known.get(text)
        if found is not None:
            self._known.move_to_end(text)
        return found

    def keep(self, text: str, node: DocumentNode) -> None:
        """Remember a document that is valid."""
        if text in self._known or len(text) > self._most_characters:
            return
        defined = operations_of(node)
        operations: dict[str | None, OperationType] = {
            each.name.value: OperationType(each.operation.value) for each in defined if each.name
        }
        if len(defined) == 1:
            operations[None] = OperationType(defined[0].operation.value)
        self._known[text] = ValidDocument(node, operations)
        self.characters += len(text)
        while len(self._known) > self._most or self.characters > self._most_characters:
            forgotten, _ = self._known.popitem(last=False)
            self.characters -= len(forgotten)


def operations_of(node: DocumentNode) -> list[OperationDefinitionNode]:
    """The operations of a document."""
    return [each for each in node.definitions if isinstance(each, OperationDefinitionNode)]


def remember(documents: Documents) -> Callable[[], SchemaExtension]:
    """A factory of the extension that keeps what validation has passed."""

    class Remember(SchemaExtension):
        def on_validate(self) -> Iterator[None]:
            context = self.execution_context
            document = context.graphql_document
            # Strawberry would run the first of several; the specification (6.1) wants one named.
            if document is not None and context._provided_operation_name is None and len(operations_of(document)) > 1:
                problem = Refusal(NAME_IT, code="BAD_USER_INPUT")
                context.pre_execution_errors = [GraphQLError(NAME_IT, original_error=problem)]
            yield
            if document is not None and context.query and not context.pre_execution_errors:
                documents.keep(context.query, document)

    return Remember
