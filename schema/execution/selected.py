"""What an operation selects below a field, for resolvers that can do less when less is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

Tree = dict[str, "Tree"]
MOST = 4096
_known: OrderedDict[int, tuple[FieldNode, Tree]] = OrderedDict()


def selected(info: Any) -> Tree:
    """The names of the fields below the field that is being resolved, and below those, and so on.

    Aliases are followed to the fields they stand for. Conditions (types, @skip, @include) are not looked at: what may
    be needed counts as needed. Found once for each field of a document.
    """
    raw = info._raw_info
    nodes: list[FieldNode] = raw.field_nodes
    if len(nodes) > 1:
        return _tree(nodes, raw.fragments)
    node = nodes[0]
    # The entry holds on to the node, so that its id is not given to another one while it is here.
    known = _known.get(id(node))
    if known is None:
        known = _known[id(node)] = (node, _tree(nodes, raw.fragments))
        if len(_known) > MOST:
            _known.popitem(last=False)
    return known[1]


def _tree(nodes: list[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Tree:
    below: dict[str, list[FieldNode]] = {}
    for node in nodes:
        if node.selection_set is not None:
            for each in _fields(node.selection_set, fragments):
                below.setdefault(each.name.value, []).append(each)
    return {name: _tree(each, fragments) for name, each in below.items()}


def _fields(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(fragments[node.name.value].selection_set, fragments)
