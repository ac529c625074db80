"""What the planner, the code generator, the leaves and the resolvers decide, one decision each."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLBoolean, GraphQLEnumType, GraphQLInt, GraphQLScalarType, GraphQLString, parse
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.execution import batch, compiled
from schema.execution.codegen import write
from schema.execution.leaves import fast_leaf
from schema.execution.plan import Planner, Selection, Unsupported, Wait
from schema.execution.resolvers import Strategy, recognise
from tests.execution.oddities import oddities

SCHEMA = oddities()
CORE = SCHEMA._schema


def planned(text: str, **variables: Any) -> tuple[Selection, list[Selection]]:
    executor = StrawberryGraphQLCoreExecutionContext.build(CORE, parse(text), raw_variable_values=variables)
    assert not isinstance(executor, list)
    return Planner(executor).plan()


def test_fields_are_merged_by_response_name_and_left_out_by_condition() -> None:
    text = """query($a: Boolean!) { odd { number itself { number } }
        odd { n: number itself { where } whole @skip(if: $a) } }"""
    root, _ = planned(text, a=True)
    [odd] = root.fields
    assert [field.name for field in odd.shape.selection.fields] == ["number", "itself", "n"]
    assert [field.name for field in odd.shape.selection.fields[1].shape.selection.fields] == ["number", "where"]


def test_the_same_selection_inside_abstract_types_is_planned_once() -> None:
    levels = 12
    text = "{ animals { " + "parent { name " * levels + "legs" + " }" * levels + " } }"
    _, made = planned(text)
    assert len(made) == 1 + 2 * (levels + 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("subscription { odds { number } }", "subscription"),
        ("{ odd { " + "itself { " * 100 + "number" + " }" * 100 + " } }", "too deep"),
        ("{ " + " ".join(f"a{n}: basic" for n in range(2001)) + " }", "too large"),
    ],
)
def test_what_is_left_to_the_stock_executor(text: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        planned(text)


@pytest.mark.parametrize(
    ("inside", "wait"),
    [
        ("number __typename", Wait.NEVER),
        ("stopsBatch number itself { number }", Wait.NEVER),
        ("pet { __typename } itself { number }", Wait.IN_TURN),
        ("itself { itself { pet { __typename } } }", Wait.IN_TURN),
        ("given", Wait.FREELY),
        ("pet { __typename } stopsLater", Wait.FREELY),
    ],
)
def test_what_a_selection_may_wait_for(inside: str, wait: Wait) -> None:
    root, _ = planned(f"{{ odd {{ {inside} }} }}")
    assert root.fields[0].shape.wait == wait
    assert root.wait == Wait.FREELY  # the root's own field is called


@pytest.mark.parametrize(
    ("type_name", "field", "strategy"),
    [
        ("Odd", "__typename", Strategy.TYPENAME),
        ("Odd", "number", Strategy.ATTRIBUTE),
        ("Odd", "itself", Strategy.METHOD),
        ("Odd", "pets", Strategy.BATCH),
        ("Cat", "nick", Strategy.BATCH),
        ("Odd", "picky", Strategy.CALL),  # takes an argument
        ("Odd", "where", Strategy.CALL),  # takes info
        ("Odd", "guarded", Strategy.CALL),  # has a permission
        ("Odd", "loud", Strategy.CALL),  # has an extension
        ("Odd", "stopsLater", Strategy.CALL),  # is asynchronous
        ("Query", "__schema", Strategy.CALL),  # is not Strawberry's
    ],
)
def test_how_a_field_is_resolved(type_name: str, field: str, strategy: Strategy) -> None:
    definition = CORE.get_field(CORE.get_type(type_name), field)  # type: ignore[arg-type]
    assert definition is not None
    assert recognise(CORE, field, definition).strategy == strategy


def test_generated_code_has_nothing_of_the_document_but_names() -> None:
    root, _ = planned('{ odd { __typename n: number raises(code: "\\"); evil()") } }')
    source, names = write(root.fields[0].shape.selection)
    assert "evil" not in source
    assert "c0 = ['Odd'] * len(sources)" in source
    assert "found = [{'__typename': v0, 'n': v1, 'raises': v2} for v0, v1, v2 in zip(c0, c1, c2,)]" in source
    assert names["f1"].name == "n"


class Colour(Enum):
    RED = "r"


COLOURS = GraphQLEnumType("Colour", {"RED": Colour.RED})
PLAIN = GraphQLScalarType("Plain", coerce_output_value=str)


@pytest.mark.parametrize(
    ("kind", "nullable", "column", "done"),
    [
        (GraphQLString, False, ["a", "b"], ["a", "b"]),
        (GraphQLString, True, ["a", None], ["a", None]),
        (GraphQLString, False, ["a", None], None),
        (GraphQLString, False, ["a", 1], None),
        (GraphQLString, False, [ValueError("x")], None),
        (GraphQLInt, False, [2**31 - 1, -(2**31)], [2**31 - 1, -(2**31)]),
        (GraphQLInt, False, [2**31], None),
        (GraphQLInt, False, [True], None),
        (GraphQLBoolean, True, [True, None], [True, None]),
        (COLOURS, True, [Colour.RED, None], ["RED", None]),
        (COLOURS, False, [Colour.RED, "RED"], None),
        (PLAIN, False, [Decimal(1), 2], ["1", "2"]),
        (PLAIN, False, [object()], None),
    ],
)
def test_leaves_complete_a_whole_column_or_say_that_they_cannot(
    kind: Any, nullable: bool, column: list[Any], done: list[Any] | None
) -> None:
    fast = fast_leaf(kind, nullable=nullable)
    assert fast is not None
    assert fast(column) == done


async def test_plans_are_kept_by_their_number_and_by_their_fields() -> None:
    context = compiled(3)
    context.compiler.maximum_fields = 7
    schema = oddities(execution_context_class=context)
    for number in range(5):
        await schema.execute(f"{{ a{number}: odd {{ number }} }}")
        assert len(context.compiler) <= 3
    assert context.compiler.fields == 6
    await schema.execute("{ odd { number whole real flag } }")
    assert (len(context.compiler), context.compiler.fields) == (2, 7)
    assert context.compiler.counts == {"compiled": 6}


def test_a_batch_says_what_it_returns() -> None:
    def wrong(parents: list[Any], info: strawberry.Info) -> int:
        return 1

    with pytest.raises(TypeError, match=r"return annotation is list\[T\]"):
        batch(wrong)
